/*
 * The keys of session tickets, and their use by OpenSSL.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <string.h>

#include "common/log.h"
#include "worker/base/clock.h"
#include "worker/wire/tls_ticket.h"

#define HOUR_S		3600
#define HOUR_MS		(HOUR_S * 1000ULL)
#define NAME_LEN	16	/* what OpenSSL wants */
#define KEY_LEN		32

/* What seals the tickets of one hour. */
struct ticket_key {
	uint64_t	 hour;		/* of the monotonic clock */
	int		 made;
	uint8_t		 name[KEY_LEN];	/* its first bytes stand in a ticket */
	uint8_t		 cipher[KEY_LEN];
	uint8_t		 mac[KEY_LEN];
};

static OSSL_LIB_CTX	*libctx;
static EVP_CIPHER	*aes;
static const uint8_t	*secret;
static struct ticket_key keys[2];	/* this hour's and the last one's */

static struct ticket_key *key_of(uint64_t);
static int	 derive(uint64_t, char, uint8_t *);
static int	 ticket_key(SSL *, unsigned char *, unsigned char *,
		    EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);
static int	 use(const struct ticket_key *, unsigned char *,
		    EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);

void
tls_ticket_setup(SSL_CTX *ctx, OSSL_LIB_CTX *lib,
    const uint8_t s[CONF_SECRET_LEN])
{
	libctx = lib;
	secret = s;
	aes = EVP_CIPHER_fetch(libctx, "AES-256-CBC", NULL);
	/* of several one would be thrown away; none may carry early data,
	 * which can be repeated (RFC 8446 section 8) */
	if (aes == NULL || SSL_CTX_set_num_tickets(ctx, 1) != 1 ||
	    SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key) != 1)
		fatalx("tls: no session tickets");
	(void)SSL_CTX_set_timeout(ctx, HOUR_S);
}

/* NULL: it could not be made. */
static struct ticket_key *
key_of(uint64_t hour)
{
	struct ticket_key	*k = &keys[hour & 1];

	if (k->made && k->hour == hour)
		return (k);
	explicit_bzero(k, sizeof(*k));
	if (derive(hour, 'n', k->name) == -1 ||
	    derive(hour, 'c', k->cipher) == -1 ||
	    derive(hour, 'm', k->mac) == -1)
		return (NULL);
	k->hour = hour;
	k->made = 1;
	return (k);
}

/* HMAC-SHA256 of what the key is for.  0 or -1. */
static int
derive(uint64_t hour, char what, uint8_t *out)
{
	uint8_t	 text[16] = "ticket";
	size_t	 n = 0;

	text[7] = (uint8_t)what;
	memcpy(text + 8, &hour, sizeof(hour));
	return (EVP_Q_mac(libctx, "HMAC", NULL, "SHA256", NULL, secret,
	    CONF_SECRET_LEN, text, sizeof(text), out, KEY_LEN, &n) != NULL &&
	    n == KEY_LEN ? 0 : -1);
}

/*
 * To seal a ticket: 1, or -1 when that cannot be.  To open one: 1 it is good,
 * 2 the same and the client gets another, 0 nobody here sealed it: a whole
 * handshake follows (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).  In TLS 1.3 a
 * client uses a ticket once (RFC 8446 appendix C.4).
 */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	uint64_t		 hour = clock_mono() / HOUR_MS;
	const struct ticket_key	*k;
	int			 old;

	if (seal) {
		if ((k = key_of(hour)) == NULL ||
		    RAND_bytes_ex(libctx, iv, NAME_LEN, 0) != 1)
			return (-1);
		memcpy(name, k->name, NAME_LEN);
		return (use(k, iv, cipher, mac, 1) == -1 ? -1 : 1);
	}
	for (old = 0; old <= 1 && (uint64_t)old <= hour; old++)
		if ((k = key_of(hour - (uint64_t)old)) != NULL &&
		    memcmp(name, k->name, NAME_LEN) == 0)
			return (use(k, iv, cipher, mac, 0) == -1 ? -1 :
			    old || SSL_version(ssl) > TLS1_2_VERSION ? 2 : 1);
	return (0);
}

static int
use(const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	uint8_t		 key[KEY_LEN];
	char		 digest[] = "SHA256";
	OSSL_PARAM	 params[3];
	int		 r;

	memcpy(key, k->mac, sizeof(key));
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key,
	    sizeof(key));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	r = EVP_CipherInit_ex2(cipher, aes, k->cipher, iv, seal, NULL) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
	explicit_bzero(key, sizeof(key));
	return (r ? 0 : -1);
}
