/*
 * Signing keys, their public side as JWKs (RFC 7517, RFC 7518 section 6), and
 * signatures.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "common/base64url.h"
#include "regress/demo/json_out.h"
#include "regress/demo/keys.h"

#define KEYS_MAX	16
#define RSA_BITS	2048
#define RSA_BYTES	(RSA_BITS / 8)
#define P256_BYTES	32
#define DER_MAX		80		/* of a signature by P-256 */

struct key {
	const char	*alg;		/* "RS256" or "ES256" */
	char		 kid[24];
	EVP_PKEY	*pkey;
};

static struct key	 keys[KEYS_MAX];	/* oldest first */
static size_t		 nkeys;

static void	 key_add(const char *, EVP_PKEY *);
static void	 keys_drop(size_t);
static void	 key_write(yajl_gen, const struct key *);
static void	 number_write(yajl_gen, const char *, const struct key *,
		    const char *, int);
static ssize_t	 der_to_raw(const uint8_t *, size_t, uint8_t *);

void
keys_rotate(int keep)
{
	if (!keep)
		keys_drop(nkeys);
	else if (nkeys > KEYS_MAX - 2)
		keys_drop(2);
	key_add("RS256", EVP_RSA_gen(RSA_BITS));
	key_add("ES256", EVP_EC_gen("P-256"));
}

const struct key *
keys_find(const char *alg)
{
	size_t	 i;

	for (i = nkeys; i-- > 0; ) {
		if (strcmp(keys[i].alg, alg) == 0)
			return (&keys[i]);
	}
	return (NULL);
}

const char *
keys_alg(const struct key *k)
{
	return (k->alg);
}

const char *
keys_kid(const struct key *k)
{
	return (k->kid);
}

ssize_t
keys_sign(const struct key *k, const char *data, size_t len, uint8_t *sig)
{
	EVP_MD_CTX	*ctx;
	uint8_t		 out[KEYS_SIG_MAX];
	size_t		 outlen = sizeof(out);
	int		 ok;

	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return (-1);
	ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	    EVP_DigestSign(ctx, out, &outlen, (const uint8_t *)data,
	    len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return (-1);
	if (strcmp(k->alg, "ES256") == 0)
		return (der_to_raw(out, outlen, sig));
	memcpy(sig, out, outlen);
	return ((ssize_t)outlen);
}

void
keys_write(yajl_gen g)
{
	size_t	 i;

	json_out_array(g, "keys");
	for (i = 0; i < nkeys; i++)
		key_write(g, &keys[i]);
	json_out_array_end(g);
}

void
keys_free(void)
{
	keys_drop(nkeys);
}

static void
key_add(const char *alg, EVP_PKEY *pkey)
{
	struct key	*k = &keys[nkeys];
	uint8_t		 r[8];
	size_t		 i;

	if (pkey == NULL)
		errx(1, "cannot make a key for %s", alg);
	if (getentropy(r, sizeof(r)) == -1)
		err(1, "getentropy");
	k->alg = alg;
	k->pkey = pkey;
	snprintf(k->kid, sizeof(k->kid), "%.2s-", alg);
	for (i = 0; i < sizeof(r); i++)
		snprintf(k->kid + 3 + 2 * i, 3, "%02x", r[i]);
	nkeys++;
}

/* The n oldest. */
static void
keys_drop(size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		EVP_PKEY_free(keys[i].pkey);
	memmove(keys, keys + n, (nkeys - n) * sizeof(keys[0]));
	nkeys -= n;
}

static void
key_write(yajl_gen g, const struct key *k)
{
	int	 rsa = strcmp(k->alg, "RS256") == 0;

	json_out_map(g, NULL);
	json_out_str(g, "kty", rsa ? "RSA" : "EC");
	json_out_str(g, "use", "sig");
	json_out_str(g, "alg", k->alg);
	json_out_str(g, "kid", k->kid);
	if (rsa) {
		number_write(g, "n", k, OSSL_PKEY_PARAM_RSA_N, 0);
		number_write(g, "e", k, OSSL_PKEY_PARAM_RSA_E, 0);
	} else {
		json_out_str(g, "crv", "P-256");
		number_write(g, "x", k, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES);
		number_write(g, "y", k, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES);
	}
	json_out_map_end(g);
}

/* len: how many bytes the number is written in, 0 for as few as possible. */
static void
number_write(yajl_gen g, const char *name, const struct key *k,
    const char *param, int len)
{
	BIGNUM	*bn = NULL;
	uint8_t	 bin[RSA_BYTES];
	char	 text[RSA_BYTES * 4 / 3 + 4];

	if (EVP_PKEY_get_bn_param(k->pkey, param, &bn) != 1)
		errx(1, "cannot read a public key");
	if (len == 0)
		len = BN_num_bytes(bn);
	if (len > (int)sizeof(bin) || BN_bn2binpad(bn, bin, len) != len)
		errx(1, "cannot write a public key");
	BN_free(bn);
	base64url_encode(bin, (size_t)len, text);
	json_out_str(g, name, text);
}

/* RFC 7518 section 3.4: r and s, each as long as the curve's order. */
static ssize_t
der_to_raw(const uint8_t *der, size_t len, uint8_t *raw)
{
	ECDSA_SIG	*sig;
	const BIGNUM	*r, *s;
	ssize_t		 n = -1;

	if (len > DER_MAX ||
	    (sig = d2i_ECDSA_SIG(NULL, &der, (long)len)) == NULL)
		return (-1);
	ECDSA_SIG_get0(sig, &r, &s);
	if (BN_bn2binpad(r, raw, P256_BYTES) == P256_BYTES &&
	    BN_bn2binpad(s, raw + P256_BYTES, P256_BYTES) == P256_BYTES)
		n = 2 * P256_BYTES;
	ECDSA_SIG_free(sig);
	return (n);
}
