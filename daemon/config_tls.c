/*
 * tls: certificates and the private key of the listener.  The master reads
 * the files and looks at them with the library that will use them, so that
 * what is wrong is told before anything is started; the key goes to the
 * keeper, the rest to workers.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/config_int.h"

#define RSA_BITS_MIN	2048

static char	*file_get(struct cfg *, const char *, const char *,
		    const char *);
static const char *chain_check(const char *, EVP_PKEY **);
static const char *key_check(const char *, EVP_PKEY *);
static const char *key_kind(EVP_PKEY *);
static int	 no_passphrase(char *, int, int, void *);
static void	 complain(struct cfg *, const char *, const char *,
		    const char *, const char *);

void
cfg_check_tls(struct cfg *c)
{
	struct config	*conf = c->conf;
	EVP_PKEY	*pub = NULL;
	const char	*reason;

	if (conf->tls_cert_file == NULL && conf->tls_key_file == NULL &&
	    conf->tls_client_ca_file == NULL)
		return;
	if (cfg_node(c, "tls.cert_file") == NULL)
		cfg_missing(c, "tls.cert_file", NULL, "required for TLS");
	if (cfg_node(c, "tls.key_file") == NULL)
		cfg_missing(c, "tls.key_file", NULL, "required for TLS");
	if (!c->files)
		return;
	conf->w.tls_cert = file_get(c, "tls.cert_file", conf->tls_cert_file,
	    "a file of PEM certificates");
	conf->w.tls_client_ca = file_get(c, "tls.client_ca",
	    conf->tls_client_ca_file, "a file of PEM certificates");
	conf->k.tls_key = file_get(c, "tls.key_file", conf->tls_key_file,
	    "a file with a PEM private key");
	if (conf->w.tls_cert != NULL &&
	    (reason = chain_check(conf->w.tls_cert, &pub)) != NULL)
		complain(c, "tls.cert_file", conf->tls_cert_file,
		    "a file of PEM certificates, the server's first", reason);
	if (conf->w.tls_client_ca != NULL && (reason = chain_check(
	    conf->w.tls_client_ca, NULL)) != NULL)
		complain(c, "tls.client_ca", conf->tls_client_ca_file,
		    "a file of PEM certificates", reason);
	if (conf->k.tls_key != NULL && pub != NULL &&
	    (reason = key_check(conf->k.tls_key, pub)) != NULL)
		complain(c, "tls.key_file", conf->tls_key_file,
		    "the private key of tls.cert_file in PEM", reason);
	EVP_PKEY_free(pub);
	ERR_clear_error();
}

static char *
file_get(struct cfg *c, const char *key, const char *path, const char *what)
{
	const char	*reason;
	char		*text;
	size_t		 len;

	if (path == NULL)
		return (NULL);
	text = cfg_file_read(path, CONF_PEM_MAX, &len, &reason);
	if (text == NULL)
		complain(c, key, path, what, reason);
	else if (strlen(text) != len) {
		complain(c, key, path, what, "it has a NUL byte");
		freezero(text, len);
		text = NULL;
	}
	return (text);
}

static void
complain(struct cfg *c, const char *key, const char *path, const char *what,
    const char *reason)
{
	const struct ynode	*n = cfg_node(c, key);
	char			 quoted[300];

	if (n != NULL)
		cfg_error(c, n, "expected %s, got %s: %s", what,
		    cfg_quote(path, quoted, sizeof(quoted)), reason);
}

/* NULL when these are certificates and nothing secret; *pub is the public key
 * of the first. */
static const char *
chain_check(const char *pem, EVP_PKEY **pub)
{
	const char	*reason;
	BIO		*bio;
	X509		*x;
	int		 n = 0;

	if ((reason = cfg_ca_check(pem, strlen(pem))) != NULL)
		return (reason);
	if ((bio = BIO_new_mem_buf(pem, -1)) == NULL)
		return ("out of memory");
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (n++ == 0 && pub != NULL)
			*pub = X509_get_pubkey(x);
		X509_free(x);
	}
	BIO_free(bio);
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return ("a certificate cannot be read");
	if (n == 0)
		return ("it holds no certificate");
	if (pub != NULL && *pub == NULL)
		return ("the key in the first certificate cannot be read");
	return (pub == NULL ? NULL : key_kind(*pub));
}

/* Keys that the keeper can sign handshakes with. */
static const char *
key_kind(EVP_PKEY *k)
{
	char	 group[64];

	if (EVP_PKEY_is_a(k, "ED25519"))
		return (NULL);
	if (EVP_PKEY_is_a(k, "RSA"))
		return (EVP_PKEY_get_bits(k) >= RSA_BITS_MIN ? NULL :
		    "its RSA key has less than 2048 bits");
	if (!EVP_PKEY_is_a(k, "EC"))
		return ("its key is not RSA, EC or Ed25519");
	if (EVP_PKEY_get_group_name(k, group, sizeof(group), NULL) != 1 ||
	    (strcmp(group, "prime256v1") != 0 &&
	    strcmp(group, "secp384r1") != 0 &&
	    strcmp(group, "secp521r1") != 0))
		return ("its EC key is not on P-256, P-384 or P-521");
	return (NULL);
}

static const char *
key_check(const char *pem, EVP_PKEY *pub)
{
	const char	*reason = NULL;
	EVP_PKEY	*key = NULL;
	BIO		*bio;

	if ((bio = BIO_new_mem_buf(pem, -1)) != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL)
		reason = strstr(pem, "ENCRYPTED") != NULL ?
		    "it needs a passphrase, and there is nobody to ask" :
		    "it holds no private key that can be read";
	else if (EVP_PKEY_eq(key, pub) != 1)
		reason = "it is not the key of the first certificate";
	EVP_PKEY_free(key);
	return (reason);
}

static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return (-1);
}
