/*
 * Private keys and what they may sign.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#include "common/pem.h"
#include "keeper/sign.h"

#define RANDOMS_LEN	64	/* of client and server */
#define NAMED_CURVE	3	/* ECCurveType */

struct sign_key {
	EVP_PKEY	*pkey;
	int		 client;
};

/* What a scheme needs of key and digest. */
static const struct scheme {
	uint16_t	 alg;
	const char	*type;
	const char	*md;		/* NULL: the scheme's own */
	int		 pss;
} schemes[] = {
	{ 0x0401, "RSA", "SHA256", 0 },
	{ 0x0501, "RSA", "SHA384", 0 },
	{ 0x0601, "RSA", "SHA512", 0 },
	{ 0x0804, "RSA", "SHA256", 1 },
	{ 0x0805, "RSA", "SHA384", 1 },
	{ 0x0806, "RSA", "SHA512", 1 },
	{ 0x0403, "EC", "SHA256", 0 },
	{ 0x0503, "EC", "SHA384", 0 },
	{ 0x0603, "EC", "SHA512", 0 },
	{ 0x0807, "ED25519", NULL, 0 }
};

static int	 tls13(const uint8_t *, size_t, int);
static int	 server_tls12(const uint8_t *, size_t);
static const struct scheme *scheme_find(const struct sign_key *, uint16_t);

struct sign_key *
sign_key_new(const char *pem, int client)
{
	struct sign_key	*k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	k->client = client;
	k->pkey = pem_private_key(pem);
	if (k->pkey != NULL && (EVP_PKEY_is_a(k->pkey, "RSA") ||
	    EVP_PKEY_is_a(k->pkey, "EC") || EVP_PKEY_is_a(k->pkey, "ED25519")))
		return (k);
	sign_key_free(k);
	return (NULL);
}

void
sign_key_free(struct sign_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

size_t
sign(struct sign_key *k, uint16_t alg, const uint8_t *tbs, size_t len,
    uint8_t *sig, size_t size)
{
	const struct scheme	*s = scheme_find(k, alg);
	EVP_MD_CTX		*md;
	EVP_PKEY_CTX		*ctx;
	size_t			 n = size;
	int			 r;

	if (s == NULL || (!tls13(tbs, len, k->client) &&
	    (k->client || !server_tls12(tbs, len))))
		return (0);
	if ((md = EVP_MD_CTX_new()) == NULL)
		return (0);
	r = EVP_DigestSignInit_ex(md, &ctx, s->md, NULL, NULL, k->pkey,
	    NULL) == 1;
	if (r && s->pss)
		r = EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
		    RSA_PSS_SALTLEN_DIGEST) == 1;
	r = r && EVP_DigestSign(md, sig, &n, tbs, len) == 1;
	EVP_MD_CTX_free(md);
	return (r && n <= size ? n : 0);
}

static const struct scheme *
scheme_find(const struct sign_key *k, uint16_t alg)
{
	size_t	 i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].alg == alg)
			return (EVP_PKEY_is_a(k->pkey, schemes[i].type) ?
			    &schemes[i] : NULL);
	return (NULL);
}

/* 64 spaces, a context, a NUL, and the hash of the transcript. */
static int
tls13(const uint8_t *p, size_t len, int client)
{
	const char	*context = client ?
			    "TLS 1.3, client CertificateVerify" :
			    "TLS 1.3, server CertificateVerify";
	size_t		 i, n = strlen(context) + 1;

	if (len != 64 + n + 32 && len != 64 + n + 48)
		return (0);
	for (i = 0; i < 64; i++)
		if (p[i] != 0x20)
			return (0);
	/* with its NUL */
	return (memcmp(p + 64, context, n) == 0);
}

/*
 * Two random numbers, then curve_type, a NamedCurve that TLS 1.2 has (RFC 8422
 * section 5.1.1), and a point of just its length: on NIST curves uncompressed,
 * the only form left (section 5.1.2).
 */
static int
server_tls12(const uint8_t *p, size_t len)
{
	static const struct {
		unsigned	 curve;
		size_t		 point;
		int		 nist;
	} curves[] = {
		{ 0x0017, 65, 1 },	/* secp256r1 */
		{ 0x0018, 97, 1 },	/* secp384r1 */
		{ 0x0019, 133, 1 },	/* secp521r1 */
		{ 0x001d, 32, 0 },	/* x25519 */
		{ 0x001e, 56, 0 }	/* x448 */
	};
	unsigned	 curve;
	size_t		 i;

	if (len <= RANDOMS_LEN + 4 || p[RANDOMS_LEN] != NAMED_CURVE)
		return (0);
	p += RANDOMS_LEN + 1;
	len -= RANDOMS_LEN + 4;
	curve = (unsigned)p[0] << 8 | p[1];
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].curve == curve)
			return (len == curves[i].point && p[2] == len &&
			    (!curves[i].nist || p[3] == 4));
	return (0);
}
