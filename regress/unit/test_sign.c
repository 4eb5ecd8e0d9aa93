/*
 * keeper/sign.h: what a handshake wants signed is signed, by the right scheme,
 * and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#include "keeper/sign.h"

#define SERVER	"TLS 1.3, server CertificateVerify"
#define CLIENT	"TLS 1.3, client CertificateVerify"

static EVP_PKEY	*rsa, *ec, *ed;
static uint8_t	 sig[1024];

static int
setup(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return (rsa == NULL || ec == NULL || ed == NULL ? -1 : 0);
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ed);
	return (0);
}

static struct sign_key *
key_of(EVP_PKEY *pkey, int client)
{
	struct sign_key	*k;
	BIO		*bio = BIO_new(BIO_s_mem());
	char		*pem, *text;
	long		 len;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0,
	    NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &pem);
	assert_non_null(text = strndup(pem, (size_t)len));
	assert_non_null(k = sign_key_new(text, client));
	free(text);
	BIO_free(bio);
	return (k);
}

/* RFC 8446, section 4.4.3. */
static size_t
tls13(uint8_t *out, const char *context, size_t hash)
{
	size_t	 n = strlen(context) + 1;

	memset(out, ' ', 64);
	memcpy(out + 64, context, n);
	memset(out + 64 + n, 0xab, hash);
	return (64 + n + hash);
}

/* RFC 8422, section 5.4: secp256r1 and a point of 65 bytes. */
static size_t
tls12(uint8_t *out)
{
	memset(out, 0x5a, 64);
	memcpy(out + 64, "\x03\x00\x17\x41\x04", 5);
	memset(out + 69, 0x11, 64);
	return (64 + 4 + 65);
}

static void
verify(EVP_PKEY *pkey, const char *md, int pss, const uint8_t *tbs,
    size_t len, size_t siglen)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*pctx;

	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, &pctx, md, NULL, NULL,
	    pkey, NULL), 1);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestVerify(ctx, sig, siglen, tbs, len), 1);
	EVP_MD_CTX_free(ctx);
}

static void
test_schemes(void **state)
{
	const struct {
		EVP_PKEY	*key;
		uint16_t	 alg;
		const char	*md;
		int		 pss;
	} good[] = {
		{ rsa, 0x0401, "SHA256", 0 }, { rsa, 0x0501, "SHA384", 0 },
		{ rsa, 0x0601, "SHA512", 0 }, { rsa, 0x0804, "SHA256", 1 },
		{ rsa, 0x0805, "SHA384", 1 }, { rsa, 0x0806, "SHA512", 1 },
		{ ec, 0x0403, "SHA256", 0 }, { ec, 0x0503, "SHA384", 0 },
		{ ec, 0x0603, "SHA512", 0 }, { ed, 0x0807, NULL, 0 }
	};
	struct sign_key	*k;
	uint8_t		 tbs[256];
	size_t		 i, len, n;
	unsigned	 alg;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		k = key_of(good[i].key, 0);
		len = tls13(tbs, SERVER, 32);
		n = sign(k, good[i].alg, tbs, len, sig, sizeof(sig));
		assert_int_not_equal(n, 0);
		verify(good[i].key, good[i].md, good[i].pss, tbs, len, n);
		len = tls12(tbs);
		n = sign(k, good[i].alg, tbs, len, sig, sizeof(sig));
		verify(good[i].key, good[i].md, good[i].pss, tbs, len, n);
		/* no room: no half a signature */
		assert_int_equal(sign(k, good[i].alg, tbs, len, sig, 16), 0);
		sign_key_free(k);
	}
	/* schemes of other keys, of old hashes, and no schemes */
	k = key_of(ec, 0);
	len = tls13(tbs, SERVER, 32);
	for (alg = 0; alg <= 0xffff; alg++)
		if (alg != 0x0403 && alg != 0x0503 && alg != 0x0603)
			assert_int_equal(sign(k, (uint16_t)alg, tbs, len, sig,
			    sizeof(sig)), 0);
	sign_key_free(k);
}

static void
test_nothing_else(void **state)
{
	struct sign_key	*server = key_of(ec, 0), *client = key_of(ec, 1);
	uint8_t		 tbs[512];
	unsigned	 curve;
	size_t		 i, len;
	int		 good;

	(void)state;
#define REFUSED(key, n)	assert_int_equal(sign(key, 0x0403, tbs, (n), sig,	\
	    sizeof(sig)), 0)
	/* a server's key signs as a server, a client's as a client */
	len = tls13(tbs, CLIENT, 32);
	REFUSED(server, len);
	assert_int_not_equal(sign(client, 0x0403, tbs, len, sig,
	    sizeof(sig)), 0);
	len = tls13(tbs, SERVER, 32);
	REFUSED(client, len);
	len = tls12(tbs);
	REFUSED(client, len);
	/* a digest, text, a certificate's beginning */
	memset(tbs, 0xab, sizeof(tbs));
	for (i = 0; i <= 256; i++)
		REFUSED(server, i);
	memcpy(tbs, "\x30\x82\x01\x00", 4);
	REFUSED(server, 260);
	/* any other byte in what is fixed, or another length */
	len = tls13(tbs, SERVER, 32);
	for (i = 0; i < len - 32; i++) {
		tbs[i] ^= 1;
		REFUSED(server, len);
		tbs[i] ^= 1;
	}
	for (i = 0; i < len + 64; i++)
		if (i != len && i != len + 16)
			REFUSED(server, i);
	len = tls12(tbs);
	REFUSED(server, len - 1);
	REFUSED(server, len + 1);
	tbs[64] = 1;		/* explicit_prime */
	REFUSED(server, len);
	/* every curve id, with every length: none but those of TLS 1.2, with
	 * the point that it has */
	for (curve = 0; curve <= 0xffff; curve += curve < 0x40 ? 1 : 0x101)
		for (i = 1; i <= 255; i++) {
			memset(tbs, 4, sizeof(tbs));
			tbs[64] = 3;
			tbs[65] = (uint8_t)(curve >> 8);
			tbs[66] = (uint8_t)curve;
			tbs[67] = (uint8_t)i;
			good = (curve == 23 && i == 65) ||
			    (curve == 24 && i == 97) ||
			    (curve == 25 && i == 133) ||
			    (curve == 29 && i == 32) ||
			    (curve == 30 && i == 56);
			assert_int_equal(sign(server, 0x0403, tbs, 68 + i, sig,
			    sizeof(sig)) != 0, good);
			tbs[68] = 2;	/* compressed */
			assert_int_equal(sign(server, 0x0403, tbs, 68 + i, sig,
			    sizeof(sig)) != 0, good && curve >= 29);
		}
#undef REFUSED
	sign_key_free(server);
	sign_key_free(client);
}

static void
test_no_keys(void **state)
{
	(void)state;
	assert_null(sign_key_new("", 0));
	assert_null(sign_key_new("-----BEGIN PRIVATE KEY-----\n"
	    "AAAA\n-----END PRIVATE KEY-----\n", 0));
	sign_key_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_nothing_else),
		cmocka_unit_test(test_no_keys)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
