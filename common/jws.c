/*
 * Verifying with OpenSSL.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string.h>

#include "common/base64url.h"
#include "common/jws.h"

#define SIGNATURE_MAX	1024	/* bytes: RSA of 8192 bits */
#define COORDINATE_MAX	66	/* bytes of R and of S, P-521 */
#define DER_MAX		(2 * (COORDINATE_MAX + 3))
#define PREPARED_MAX	16

/*
 * Contexts that are set up for a key and an algorithm: looking up what
 * OpenSSL needs for it takes as long as a fast verification.  A context holds
 * its key, so that no other key can come to be at the same address.
 */
static struct prepared {
	EVP_PKEY	*pkey;
	enum jws_alg	 alg;
	EVP_PKEY_CTX	*ctx;
	EVP_MD_CTX	*eddsa;		/* instead, to be copied */
}			 prepared[PREPARED_MAX];
static EVP_MD_CTX	*md_ctx;

static const EVP_MD *digest(enum jws_alg);
static int	 ecdsa_der(const struct jwk *, uint8_t *, size_t *);
static size_t	 der_integer(uint8_t *, const uint8_t *, size_t);
static int	 verify_hash(const struct jwk *, enum jws_alg, struct slice,
		    const uint8_t *, size_t);
static int	 verify_eddsa(const struct jwk *, struct slice,
		    const uint8_t *, size_t);
static struct prepared *prepare(const struct jwk *, enum jws_alg);
static void	 forget(struct prepared *);
static EVP_PKEY_CTX *set_up(const struct jwk *, enum jws_alg);
static EVP_MD_CTX *set_up_eddsa(const struct jwk *);

int
jws_verify(const struct jwk *k, enum jws_alg alg, struct slice text,
    struct slice signature)
{
	uint8_t	 sig[SIGNATURE_MAX + 4];
	ssize_t	 n;
	size_t	 len;
	int	 ok;

	if (signature.len / 4 * 3 > SIGNATURE_MAX ||
	    (n = base64url_decode(signature.p, signature.len, sig)) <= 0)
		return (0);
	len = (size_t)n;
	if (k->type == JWK_EC && ecdsa_der(k, sig, &len) == -1)
		return (0);
	if (md_ctx == NULL && (md_ctx = EVP_MD_CTX_new()) == NULL)
		return (0);
	ok = k->type == JWK_OKP ? verify_eddsa(k, text, sig, len) :
	    verify_hash(k, alg, text, sig, len);
	EVP_MD_CTX_reset(md_ctx);
	ERR_clear_error();
	return (ok);
}

static int
verify_hash(const struct jwk *k, enum jws_alg alg, struct slice text,
    const uint8_t *sig, size_t len)
{
	const EVP_MD	*md = digest(alg);
	struct prepared	*pr;
	uint8_t		 hash[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;

	if (md == NULL || EVP_DigestInit_ex2(md_ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(md_ctx, text.p, text.len) != 1 ||
	    EVP_DigestFinal_ex(md_ctx, hash, &n) != 1 ||
	    (pr = prepare(k, alg)) == NULL)
		return (0);
	if (EVP_PKEY_verify(pr->ctx, sig, len, hash, n) == 1)
		return (1);
	/* whatever it was, the context does not live to tell */
	forget(pr);
	return (0);
}

/* It hashes for itself, and only in one go: each time in a context of its
 * own. */
static int
verify_eddsa(const struct jwk *k, struct slice text, const uint8_t *sig,
    size_t len)
{
	struct prepared	*pr = prepare(k, JWS_EDDSA);

	return (pr != NULL && EVP_MD_CTX_copy_ex(md_ctx, pr->eddsa) == 1 &&
	    EVP_DigestVerify(md_ctx, sig, len,
	    (const unsigned char *)text.p, text.len) == 1);
}

/* The context for a key and an algorithm, or NULL. */
static struct prepared *
prepare(const struct jwk *k, enum jws_alg alg)
{
	static size_t	 oldest;
	struct prepared	*pr;
	size_t		 i;

	for (i = 0; i < PREPARED_MAX; i++)
		if (prepared[i].pkey == k->pkey && prepared[i].alg == alg)
			return (&prepared[i]);
	pr = &prepared[oldest++ % PREPARED_MAX];
	forget(pr);
	if (alg == JWS_EDDSA)
		pr->eddsa = set_up_eddsa(k);
	else
		pr->ctx = set_up(k, alg);
	if (pr->ctx == NULL && pr->eddsa == NULL)
		return (NULL);
	pr->pkey = k->pkey;
	pr->alg = alg;
	return (pr);
}

static void
forget(struct prepared *pr)
{
	EVP_PKEY_CTX_free(pr->ctx);
	EVP_MD_CTX_free(pr->eddsa);
	memset(pr, 0, sizeof(*pr));
}

/* Fetched once: EVP_sha256() and its like look up an implementation on every
 * use. */
static const EVP_MD *
digest(enum jws_alg alg)
{
	static EVP_MD	*md[3];
	static const char *const names[] = { "SHA256", "SHA384", "SHA512" };
	int		 i;

	switch (alg) {
	case JWS_RS256:
	case JWS_PS256:
	case JWS_ES256:
		i = 0;
		break;
	case JWS_RS384:
	case JWS_PS384:
	case JWS_ES384:
		i = 1;
		break;
	case JWS_RS512:
	case JWS_PS512:
	case JWS_ES512:
		i = 2;
		break;
	default:
		return (NULL);
	}
	if (md[i] == NULL)
		md[i] = EVP_MD_fetch(NULL, names[i], NULL);
	return (md[i]);
}

static EVP_PKEY_CTX *
set_up(const struct jwk *k, enum jws_alg alg)
{
	const EVP_MD	*md = digest(alg);
	EVP_PKEY_CTX	*ctx;

	if ((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL)) == NULL)
		return (NULL);
	if (EVP_PKEY_verify_init(ctx) != 1)
		goto fail;
	if (k->type == JWK_RSA && EVP_PKEY_CTX_set_rsa_padding(ctx,
	    alg < JWS_PS256 || alg > JWS_PS512 ? RSA_PKCS1_PADDING :
	    RSA_PKCS1_PSS_PADDING) != 1)
		goto fail;
	if (EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
		goto fail;
	/* RFC 7518 section 3.5: salt as long as the hash, MGF1 with it */
	if (alg >= JWS_PS256 && alg <= JWS_PS512 &&
	    (EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
	    RSA_PSS_SALTLEN_DIGEST) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) != 1))
		goto fail;
	return (ctx);
fail:
	EVP_PKEY_CTX_free(ctx);
	return (NULL);
}

static EVP_MD_CTX *
set_up_eddsa(const struct jwk *k)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL,
	    k->pkey) == 1)
		return (ctx);
	EVP_MD_CTX_free(ctx);
	return (NULL);
}

/*
 * RFC 7518 section 3.4: R and S, of the curve's size each, to DER in place: a
 * SEQUENCE of two INTEGERs in their shortest form (RFC 3279 section 2.2.3,
 * X.690 section 8.3).
 */
static int
ecdsa_der(const struct jwk *k, uint8_t *sig, size_t *len)
{
	uint8_t	 der[DER_MAX];
	size_t	 n = 0;

	if (k->alen == 0 || k->alen > COORDINATE_MAX || *len != 2 * k->alen)
		return (-1);
	n += der_integer(der + n, sig, k->alen);
	n += der_integer(der + n, sig + k->alen, k->alen);
	*len = 0;
	sig[(*len)++] = 0x30;
	if (n > 127)
		sig[(*len)++] = 0x81;
	sig[(*len)++] = (uint8_t)n;
	memcpy(sig + *len, der, n);
	*len += n;
	return (0);
}

/* Returns how many bytes it is, len + 3 at most. */
static size_t
der_integer(uint8_t *out, const uint8_t *v, size_t len)
{
	size_t	 n = 0;
	int	 pad;

	for (; len > 1 && *v == 0; v++, len--)
		;
	pad = *v >> 7;		/* else it would be negative */
	out[n++] = 0x02;
	out[n++] = (uint8_t)(len + (size_t)pad);
	if (pad)
		out[n++] = 0;
	memcpy(out + n, v, len);
	return (n + len);
}
