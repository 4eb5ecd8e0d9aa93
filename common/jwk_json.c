/*
 * Reading a JWKS document (RFC 7517 section 5).
 */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/jwk_int.h"

#define NUMBER_MAX	1024	/* bytes of a modulus or coordinate */

static const char *read_key(yajl_val, struct jwk *);
static const char *read_use(yajl_val);
static const char *read_rsa(yajl_val, struct jwk *);
static const char *read_ec(yajl_val, struct jwk *);
static const char *read_okp(yajl_val, struct jwk *);
static yajl_val	 member(yajl_val, const char *, yajl_type);
static const char *string(yajl_val, const char *);
static int	 number(yajl_val, const char *, uint8_t *, size_t, size_t *);
static struct jwk_set *read_set(yajl_val, jwk_skip_cb, void *, const char **);

struct jwk_set *
jwk_set_parse(const char *text, size_t len, jwk_skip_cb skip, void *arg,
    const char **why)
{
	struct jwk_set	*set;
	enum json_error	 e;
	yajl_val	 root;
	char		 error[128], *copy;

	if (len > JWK_JSON_MAX) {
		*why = "larger than 1 MiB";
		return (NULL);
	}
	if ((e = json_check(text, len)) != JSON_OK) {
		*why = json_strerror(e);
		return (NULL);
	}
	*why = "out of memory";
	if ((copy = malloc(len + 1)) == NULL)
		return (NULL);
	memcpy(copy, text, len);
	copy[len] = '\0';
	root = yajl_tree_parse(copy, error, sizeof(error));
	free(copy);
	if (root == NULL) {
		*why = "not JSON";
		return (NULL);
	}
	set = read_set(root, skip, arg, why);
	yajl_tree_free(root);
	return (set);
}

static struct jwk_set *
read_set(yajl_val root, jwk_skip_cb skip, void *arg, const char **why)
{
	struct jwk_set	*set;
	yajl_val	 keys = member(root, "keys", yajl_t_array);
	const char	*reason;
	size_t		 i;

	if (!YAJL_IS_OBJECT(root) || keys == NULL) {
		*why = "no \"keys\" array";
		return (NULL);
	}
	if (keys->u.array.len > JWK_SET_MAX) {
		*why = "more than 128 keys";
		return (NULL);
	}
	*why = "out of memory";
	if ((set = calloc(1, sizeof(*set))) == NULL ||
	    (set->keys = calloc(JWK_SET_MAX, sizeof(*set->keys))) == NULL) {
		free(set);
		return (NULL);
	}
	for (i = 0; i < keys->u.array.len; i++) {
		reason = read_key(keys->u.array.values[i],
		    &set->keys[set->n]);
		if (reason == NULL)
			set->n++;
		else if (skip != NULL)
			skip(arg, i, set->keys[set->n].kid, reason);
	}
	if (set->n == 0) {
		*why = "no usable key";
		jwk_set_free(set);
		return (NULL);
	}
	return (set);
}

/* NULL, or why it cannot be used. */
static const char *
read_key(yajl_val v, struct jwk *k)
{
	const char	*s, *why;

	memset(k, 0, sizeof(*k));
	if (!YAJL_IS_OBJECT(v))
		return ("not an object");
	if (member(v, "kid", yajl_t_any) != NULL) {
		if ((s = string(v, "kid")) == NULL)
			return ("kid is not a string");
		if (strlen(s) > JWK_KID_MAX)
			return ("kid is too long");
		memcpy(k->kid, s, strlen(s) + 1);
		k->has_kid = 1;
	}
	if ((why = read_use(v)) != NULL)
		return (why);
	if (member(v, "alg", yajl_t_any) != NULL) {
		if ((s = string(v, "alg")) == NULL ||
		    (k->alg = jws_alg_parse(s, strlen(s))) == JWS_NONE)
			return ("alg is none that we verify");
	}
	if ((s = string(v, "kty")) == NULL)
		return ("kty is missing");
	if (strcmp(s, "RSA") == 0)
		why = read_rsa(v, k);
	else if (strcmp(s, "EC") == 0)
		why = read_ec(v, k);
	else if (strcmp(s, "OKP") == 0)
		why = read_okp(v, k);
	else if (strcmp(s, "oct") == 0)
		return ("symmetric keys verify nothing here");
	else
		return ("unknown kty");
	if (why == NULL)
		why = jwk_finish(k, 1);
	if (why == NULL && k->alg != JWS_NONE && !jwk_allows(k, k->alg)) {
		EVP_PKEY_free(k->pkey);
		k->pkey = NULL;
		return ("alg does not fit the key");
	}
	return (why);
}

/* For signatures only (RFC 7517 sections 4.2 and 4.3), and public. */
static const char *
read_use(yajl_val v)
{
	yajl_val	 ops, op;
	const char	*s;
	size_t		 i;

	if (member(v, "use", yajl_t_any) != NULL &&
	    ((s = string(v, "use")) == NULL || strcmp(s, "sig") != 0))
		return ("use is not sig");
	if (member(v, "d", yajl_t_any) != NULL)
		return ("it is a private key");
	if (member(v, "key_ops", yajl_t_any) == NULL)
		return (NULL);
	if ((ops = member(v, "key_ops", yajl_t_array)) == NULL)
		return ("key_ops is not an array");
	for (i = 0; i < ops->u.array.len; i++) {
		op = ops->u.array.values[i];
		if (YAJL_IS_STRING(op) && strcmp(op->u.string, "verify") == 0)
			return (NULL);
	}
	return ("key_ops has no verify");
}

static const char *
read_rsa(yajl_val v, struct jwk *k)
{
	k->type = JWK_RSA;
	if (number(v, "n", k->a, sizeof(k->a), &k->alen) == -1)
		return ("n is missing or malformed");
	if (number(v, "e", k->b, sizeof(k->b), &k->blen) == -1)
		return ("e is missing or malformed");
	return (NULL);
}

static const char *
read_ec(yajl_val v, struct jwk *k)
{
	const char	*crv = string(v, "crv");

	k->type = JWK_EC;
	if (crv == NULL)
		return ("crv is missing");
	if (strcmp(crv, "P-256") == 0)
		k->curve = JWK_P256;
	else if (strcmp(crv, "P-384") == 0)
		k->curve = JWK_P384;
	else if (strcmp(crv, "P-521") == 0)
		k->curve = JWK_P521;
	else
		return ("unknown crv");
	if (number(v, "x", k->a, sizeof(k->a), &k->alen) == -1 ||
	    number(v, "y", k->b, sizeof(k->b), &k->blen) == -1)
		return ("x or y is missing or malformed");
	return (NULL);
}

static const char *
read_okp(yajl_val v, struct jwk *k)
{
	const char	*crv = string(v, "crv");

	k->type = JWK_OKP;
	if (crv == NULL)
		return ("crv is missing");
	if (strcmp(crv, "Ed25519") == 0)
		k->curve = JWK_ED25519;
	else if (strcmp(crv, "Ed448") == 0)
		k->curve = JWK_ED448;
	else
		return ("unknown crv");
	if (number(v, "x", k->a, sizeof(k->a), &k->alen) == -1)
		return ("x is missing or malformed");
	return (NULL);
}

static yajl_val
member(yajl_val v, const char *name, yajl_type type)
{
	const char	*path[] = { name, NULL };

	return (yajl_tree_get(v, path, type));
}

/* A string member without NUL inside (yajl's strings end at one). */
static const char *
string(yajl_val v, const char *name)
{
	return (YAJL_GET_STRING(member(v, name, yajl_t_string)));
}

static int
number(yajl_val v, const char *name, uint8_t *out, size_t size, size_t *len)
{
	const char	*s = string(v, name);
	uint8_t		 raw[NUMBER_MAX + 3];
	ssize_t		 n;

	if (s == NULL || strlen(s) / 4 * 3 > NUMBER_MAX ||
	    (n = base64url_decode(s, strlen(s), raw)) <= 0 ||
	    (size_t)n > size)
		return (-1);
	memcpy(out, raw, (size_t)n);
	*len = (size_t)n;
	return (0);
}
