/*
 * Only asymmetric keys are ever packed, and of these the public halves.
 */
#include <string.h>

#include "common/base64url.h"
#include "common/jwk.h"
#include "common/memfd.h"
#include "monitor/json_out.h"
#include "monitor/keys.h"

static struct jwk_set	*set;
static uint32_t		 set_generation;

static void	 put_key(struct json_out *, const struct jwk *);
static void	 put_bytes(struct json_out *, const char *, const uint8_t *,
		    size_t);

void
keys_take(uint32_t generation, int fd)
{
	const void	*p;
	size_t		 len;

	jwk_set_free(set);
	set = NULL;
	set_generation = generation;
	if (memfd_map(fd, JWK_PACKED_MAX, &p, &len) == -1)
		return;
	set = jwk_set_unpack(p, len);
	memfd_unmap(p, len);
}

void
keys_put(struct evbuffer *b, uint32_t generation)
{
	struct json_out	 j = { b, 0 };
	size_t		 i;

	json_open(&j, NULL, '{');
	json_number(&j, "generation", generation);
	json_open(&j, "keys", '[');
	for (i = 0; set != NULL && generation == set_generation && i < set->n;
	    i++)
		put_key(&j, &set->keys[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	evbuffer_add(b, "\n", 1);
}

static void
put_key(struct json_out *j, const struct jwk *k)
{
	static const char *const	 types[] = {
		[JWK_RSA] = "RSA", [JWK_EC] = "EC", [JWK_OKP] = "OKP"
	};
	static const char *const	 curves[] = {
		[JWK_P256] = "P-256", [JWK_P384] = "P-384",
		[JWK_P521] = "P-521", [JWK_ED25519] = "Ed25519",
		[JWK_ED448] = "Ed448"
	};

	json_open(j, NULL, '{');
	json_string(j, "kty", types[k->type]);
	if (k->has_kid)
		json_string(j, "kid", k->kid);
	json_string(j, "use", "sig");
	if (k->alg != JWS_NONE)
		json_string(j, "alg", jws_alg_name(k->alg));
	if (k->type == JWK_RSA) {
		put_bytes(j, "n", k->a, k->alen);
		put_bytes(j, "e", k->b, k->blen);
	} else {
		json_string(j, "crv", curves[k->curve]);
		put_bytes(j, "x", k->a, k->alen);
		if (k->type == JWK_EC)
			put_bytes(j, "y", k->b, k->blen);
	}
	json_close(j, '}');
}

static void
put_bytes(struct json_out *j, const char *key, const uint8_t *p, size_t len)
{
	char	 text[(sizeof(((struct jwk *)0)->a) * 4 + 2) / 3 + 1];

	(void)base64url_encode(p, len, text);
	json_string(j, key, text);
}
