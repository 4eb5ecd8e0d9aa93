/*
 * Verifying with OpenSSL.
 */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string.h>

#include "common/base64url.h"
#include "worker/jws.h"

#define SIGNATURE_MAX	1024	/* bytes: RSA of 8192 bits */
#define DER_MAX		160	/* of an ECDSA signature, P-521 */

static const EVP_MD *digest(enum jws_alg);
static int	 ecdsa_der(const struct jwk *, uint8_t *, size_t *);
static int	 set_up(EVP_MD_CTX *, const struct jwk *, enum jws_alg);

int
jws_verify(const struct jwk *k, enum jws_alg alg, struct slice text,
    struct slice signature)
{
	static EVP_MD_CTX	*ctx;
	uint8_t			 sig[SIGNATURE_MAX + 4];
	ssize_t			 n;
	size_t			 len;
	int			 ok;

	if (signature.len / 4 * 3 > SIGNATURE_MAX ||
	    (n = base64url_decode(signature.p, signature.len, sig)) <= 0)
		return (0);
	len = (size_t)n;
	if (k->type == JWK_EC && ecdsa_der(k, sig, &len) == -1)
		return (0);
	if (ctx == NULL && (ctx = EVP_MD_CTX_new()) == NULL)
		return (0);
	ok = set_up(ctx, k, alg) && EVP_DigestVerify(ctx, sig, len,
	    (const unsigned char *)text.p, text.len) == 1;
	EVP_MD_CTX_reset(ctx);
	ERR_clear_error();
	return (ok);
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

static int
set_up(EVP_MD_CTX *ctx, const struct jwk *k, enum jws_alg alg)
{
	const EVP_MD	*md = digest(alg);
	EVP_PKEY_CTX	*pctx;

	if (md == NULL && alg != JWS_EDDSA)
		return (0);
	if (EVP_DigestVerifyInit(ctx, &pctx, md, NULL, k->pkey) != 1)
		return (0);
	if (alg < JWS_PS256 || alg > JWS_PS512)
		return (1);
	/* RFC 7518 section 3.5: salt as long as the hash, MGF1 with it */
	return (EVP_PKEY_CTX_set_rsa_padding(pctx,
	    RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
	    RSA_PSS_SALTLEN_DIGEST) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) == 1);
}

/* RFC 7518 section 3.4: R and S, of the curve's size each, to DER in place. */
static int
ecdsa_der(const struct jwk *k, uint8_t *sig, size_t *len)
{
	ECDSA_SIG	*s;
	BIGNUM		*r, *v;
	uint8_t		 der[DER_MAX], *p = der;
	size_t		 half = k->alen;
	int		 n = -1;

	if (*len != 2 * half || (s = ECDSA_SIG_new()) == NULL)
		return (-1);
	r = BN_bin2bn(sig, (int)half, NULL);
	v = BN_bin2bn(sig + half, (int)half, NULL);
	if (r == NULL || v == NULL || ECDSA_SIG_set0(s, r, v) != 1) {
		BN_free(r);
		BN_free(v);
	} else if (i2d_ECDSA_SIG(s, NULL) <= DER_MAX)
		n = i2d_ECDSA_SIG(s, &p);
	ECDSA_SIG_free(s);
	if (n <= 0)
		return (-1);
	memcpy(sig, der, (size_t)n);
	*len = (size_t)n;
	return (0);
}
