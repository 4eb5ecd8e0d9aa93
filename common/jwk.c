/*
 * Public keys: packed form, OpenSSL keys, what each may verify.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"
#include "common/jwk_int.h"

#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	8192

static const struct {
	const char	*name;
	enum jws_alg	 alg;
} algs[] = {
	{ "RS256", JWS_RS256 }, { "RS384", JWS_RS384 },
	{ "RS512", JWS_RS512 }, { "PS256", JWS_PS256 },
	{ "PS384", JWS_PS384 }, { "PS512", JWS_PS512 },
	{ "ES256", JWS_ES256 }, { "ES384", JWS_ES384 },
	{ "ES512", JWS_ES512 }, { "EdDSA", JWS_EDDSA },
	{ "Ed25519", JWS_ED25519 }, { "Ed448", JWS_ED448 }
};

static EVP_PKEY	*make_rsa(const struct jwk *);
static EVP_PKEY	*make_ec(const struct jwk *);
static int	 point_ok(EVP_PKEY *);
static void	 trim(uint8_t *, size_t *);
static const char *check_rsa(struct jwk *);
static EVP_PKEY	*make_okp(const struct jwk *);
static int	 okp_allows(enum jwk_curve, enum jws_alg);
static void	 make_id(struct jwk *);
static int	 get_key(struct rbuf *, struct jwk *);

enum jws_alg
jws_alg_parse(const char *p, size_t len)
{
	size_t	 i;

	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (strlen(algs[i].name) == len &&
		    memcmp(algs[i].name, p, len) == 0)
			return (algs[i].alg);
	return (JWS_NONE);
}

const char *
jws_alg_name(enum jws_alg alg)
{
	size_t	 i;

	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (algs[i].alg == alg)
			return (algs[i].name);
	return ("none");
}

int
jwk_allows(const struct jwk *k, enum jws_alg alg)
{
	/* of those, EdDSA and the curve's own name are one algorithm */
	if (k->type == JWK_OKP)
		return (okp_allows(k->curve, alg) && (k->alg == JWS_NONE ||
		    okp_allows(k->curve, k->alg)));
	if (alg == JWS_NONE || (k->alg != JWS_NONE && k->alg != alg))
		return (0);
	switch (k->type) {
	case JWK_RSA:
		return (alg >= JWS_RS256 && alg <= JWS_PS512);
	case JWK_EC:
		return ((k->curve == JWK_P256 && alg == JWS_ES256) ||
		    (k->curve == JWK_P384 && alg == JWS_ES384) ||
		    (k->curve == JWK_P521 && alg == JWS_ES512));
	case JWK_OKP:
		break;
	}
	return (0);
}

static int
okp_allows(enum jwk_curve curve, enum jws_alg alg)
{
	return (alg == JWS_EDDSA ||
	    (curve == JWK_ED25519 && alg == JWS_ED25519) ||
	    (curve == JWK_ED448 && alg == JWS_ED448));
}

/* A number in its shortest form. */
static void
trim(uint8_t *p, size_t *len)
{
	size_t	 skip = 0;

	while (skip < *len && p[skip] == 0)
		skip++;
	memmove(p, p + skip, *len - skip);
	*len -= skip;
}

static const char *
check_rsa(struct jwk *k)
{
	size_t	 bits;
	unsigned bit;

	trim(k->a, &k->alen);
	trim(k->b, &k->blen);
	if (k->alen == 0)
		return ("RSA modulus is zero");
	bits = k->alen * 8;
	for (bit = 0x80; (k->a[0] & bit) == 0; bit >>= 1)
		bits--;
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return ("RSA modulus is not 2048 to 8192 bits");
	if (k->blen == 0 || k->blen > 8 || (k->b[k->blen - 1] & 1) == 0 ||
	    (k->blen == 1 && k->b[0] < 3))
		return ("RSA exponent is even, too small or too large");
	return (NULL);
}

const char *
jwk_finish(struct jwk *k, int thorough)
{
	const char	*why;

	switch (k->type) {
	case JWK_RSA:
		if ((why = check_rsa(k)) != NULL)
			return (why);
		k->pkey = make_rsa(k);
		break;
	case JWK_EC:
		k->pkey = make_ec(k);
		if (k->pkey != NULL && thorough && !point_ok(k->pkey)) {
			EVP_PKEY_free(k->pkey);
			k->pkey = NULL;
		}
		break;
	case JWK_OKP:
		k->pkey = make_okp(k);
		break;
	}
	if (k->pkey == NULL)
		return ("not a valid public key");
	make_id(k);
	return (NULL);
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM	*params = NULL;
	EVP_PKEY_CTX	*ctx = NULL;
	EVP_PKEY	*pkey = NULL;

	if ((params = OSSL_PARAM_BLD_to_param(bld)) == NULL ||
	    (ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL)) == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return (pkey);
}

/*
 * A point must be on its curve.  Of an RSA key the same call would test the
 * modulus for primality, which takes a tenth of a second of large ones and
 * tells nothing: whoever made the set can sign for it anyway.
 */
static int
point_ok(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX	*ctx;
	int		 ok;

	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	ok = ctx != NULL && EVP_PKEY_public_check_quick(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	return (ok);
}

static EVP_PKEY *
make_rsa(const struct jwk *k)
{
	OSSL_PARAM_BLD	*bld = OSSL_PARAM_BLD_new();
	BIGNUM		*n = BN_bin2bn(k->a, (int)k->alen, NULL);
	BIGNUM		*e = BN_bin2bn(k->b, (int)k->blen, NULL);
	EVP_PKEY	*pkey = NULL;

	if (bld != NULL && n != NULL && e != NULL && BN_is_odd(n) &&
	    !BN_is_one(e) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		pkey = from_params("RSA", bld);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(bld);
	return (pkey);
}

static EVP_PKEY *
make_ec(const struct jwk *k)
{
	static const char *const groups[] = {
		[JWK_P256] = "P-256", [JWK_P384] = "P-384",
		[JWK_P521] = "P-521"
	};
	static const size_t	 sizes[] = {
		[JWK_P256] = 32, [JWK_P384] = 48, [JWK_P521] = 66
	};
	OSSL_PARAM_BLD		*bld;
	EVP_PKEY		*pkey = NULL;
	uint8_t			 point[1 + 2 * 66];
	size_t			 n;

	if (k->curve > JWK_P521)
		return (NULL);
	n = sizes[k->curve];
	if (k->alen != n || k->blen != n ||
	    (bld = OSSL_PARAM_BLD_new()) == NULL)
		return (NULL);
	point[0] = 4;	/* uncompressed (SEC 1, 2.3.3) */
	memcpy(point + 1, k->a, n);
	memcpy(point + 1 + n, k->b, n);
	if (OSSL_PARAM_BLD_push_utf8_string(bld,
	    OSSL_PKEY_PARAM_GROUP_NAME, groups[k->curve], 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point, 1 + 2 * n) == 1)
		pkey = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return (pkey);
}

static EVP_PKEY *
make_okp(const struct jwk *k)
{
	if (k->blen != 0)
		return (NULL);
	if (k->curve == JWK_ED25519 && k->alen == 32)
		return (EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
		    k->a, k->alen));
	if (k->curve == JWK_ED448 && k->alen == 57)
		return (EVP_PKEY_new_raw_public_key_ex(NULL, "ED448", NULL,
		    k->a, k->alen));
	return (NULL);
}

static void
make_id(struct jwk *k)
{
	struct wbuf	 w;

	wbuf_init(&w, 4096);
	wire_put_u8(&w, (uint8_t)k->type);
	wire_put_u8(&w, (uint8_t)k->curve);
	wire_put_u8(&w, (uint8_t)k->alg);
	wire_put_bytes(&w, k->a, k->alen);
	wire_put_bytes(&w, k->b, k->blen);
	if (!w.failed)
		SHA256(w.data, w.len, k->id);
	wbuf_free(&w);
}

void
jwk_set_pack(const struct jwk_set *set, struct wbuf *w)
{
	const struct jwk	*k;
	size_t			 i;

	wire_put_u32(w, (uint32_t)set->n);
	for (i = 0; i < set->n; i++) {
		k = &set->keys[i];
		wire_put_u8(w, k->has_kid != 0);
		wire_put_bytes(w, k->kid, strlen(k->kid));
		wire_put_u8(w, (uint8_t)k->type);
		wire_put_u8(w, (uint8_t)k->curve);
		wire_put_u8(w, (uint8_t)k->alg);
		wire_put_bytes(w, k->a, k->alen);
		wire_put_bytes(w, k->b, k->blen);
	}
}

static int
get_key(struct rbuf *r, struct jwk *k)
{
	const uint8_t	*p;
	uint8_t		 type, curve, alg;

	memset(k, 0, sizeof(*k));
	k->has_kid = wire_get_u8(r) == 1;
	wire_get_cstr(r, k->kid, sizeof(k->kid));
	type = wire_get_u8(r);
	curve = wire_get_u8(r);
	alg = wire_get_u8(r);
	if (type > JWK_OKP || curve > JWK_ED448 || alg >= JWS_ALG_MAX)
		return (-1);
	k->type = (enum jwk_type)type;
	k->curve = (enum jwk_curve)curve;
	k->alg = (enum jws_alg)alg;
	if ((p = wire_get_bytes(r, sizeof(k->a), &k->alen)) == NULL)
		return (-1);
	memcpy(k->a, p, k->alen);
	if ((p = wire_get_bytes(r, sizeof(k->b), &k->blen)) == NULL)
		return (-1);
	memcpy(k->b, p, k->blen);
	return (r->failed ? -1 : 0);
}

struct jwk_set *
jwk_set_unpack(const void *data, size_t len)
{
	struct jwk_set	*set;
	struct rbuf	 r;
	uint32_t	 i, n;

	rbuf_init(&r, data, len);
	n = wire_get_count(&r, JWK_SET_MAX);
	if (r.failed || (set = calloc(1, sizeof(*set))) == NULL)
		return (NULL);
	if ((set->keys = calloc(n == 0 ? 1 : n, sizeof(*set->keys))) == NULL)
		goto bad;
	for (i = 0; i < n; i++) {
		if (get_key(&r, &set->keys[set->n]) == -1)
			goto bad;
		if (jwk_finish(&set->keys[set->n], 0) == NULL)
			set->n++;
	}
	if (wire_end(&r) == -1)
		goto bad;
	return (set);
bad:
	jwk_set_free(set);
	return (NULL);
}

void
jwk_set_free(struct jwk_set *set)
{
	size_t	 i;

	if (set == NULL)
		return;
	for (i = 0; i < set->n; i++)
		EVP_PKEY_free(set->keys[i].pkey);
	free(set->keys);
	free(set);
}
