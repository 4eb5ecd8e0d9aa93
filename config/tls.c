/*
 * Certificates and private keys, of the listener and for upstreams.  The
 * master reads the files and looks at them with the library that will use
 * them, so that what is wrong is told before anything is started; the keys go
 * to the keeper, the rest to workers.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "common/pem.h"
#include "config/cfg.h"

#define RSA_BITS_MIN	2048

/* A certificate and its key: where they are named, and their paths. */
struct pair {
	const struct ynode	*cert;
	const struct ynode	*key;
	const char		*cert_path;
	const char		*key_path;
};

static char	*file_get(struct cfg *, const struct ynode *, const char *,
		    const char *);
static const char *chain_check(const char *, EVP_PKEY **);
static const char *key_check(const char *, EVP_PKEY *);
static void	 pair_read(struct cfg *, const struct pair *, char **, char **);
static void	 pair_check(struct cfg *, const struct pair *,
		    const char *, const char *);
static char	*system_ca(void);
static int	 add_key(struct cfg *, char *);
static const char *key_kind(EVP_PKEY *);
static void	 complain(struct cfg *, const struct ynode *, const char *,
		    const char *, const char *);

#define CERTS		"a file of PEM certificates"
#define CERTS_OWN	"a file of PEM certificates, the own first"
#define KEY		"the private key of the certificate, in PEM"

void
cfg_check_tls(struct cfg *c)
{
	struct config	*conf = c->conf;
	struct pair	 pair = { cfg_node(c, "tls.cert_file"),
			    cfg_node(c, "tls.key_file"), conf->tls_cert_file,
			    conf->tls_key_file };
	const char	*reason;
	char		*key;

	if (pair.cert_path != NULL || pair.key_path != NULL ||
	    conf->tls_client_ca_file != NULL) {
		if (pair.cert == NULL)
			cfg_missing(c, "tls.cert_file", NULL,
			    "required for TLS");
		if (pair.key == NULL)
			cfg_missing(c, "tls.key_file", NULL,
			    "required for TLS");
	}
	if (!c->files)
		return;
	conf->w.tls_client_ca = file_get(c, cfg_node(c, "tls.client_ca"),
	    conf->tls_client_ca_file, CERTS);
	if (conf->w.tls_client_ca != NULL && (reason = chain_check(
	    conf->w.tls_client_ca, NULL)) != NULL)
		complain(c, cfg_node(c, "tls.client_ca"),
		    conf->tls_client_ca_file, CERTS, reason);
	pair_read(c, &pair, &conf->w.tls_cert, &key);
	/* its number is 0, also when there is none */
	(void)add_key(c, key);
}

/* Both as text, checked against each other; NULL after an error. */
static void
pair_read(struct cfg *c, const struct pair *p, char **cert,
    char **key)
{
	*cert = file_get(c, p->cert, p->cert_path, CERTS);
	*key = file_get(c, p->key, p->key_path, KEY);
	if (*cert != NULL)
		pair_check(c, p, *cert, *key);
}

static void
pair_check(struct cfg *c, const struct pair *p, const char *cert,
    const char *key)
{
	EVP_PKEY	*pub = NULL;
	const char	*reason;

	if ((reason = chain_check(cert, &pub)) != NULL)
		complain(c, p->cert, p->cert_path, CERTS_OWN, reason);
	if (key != NULL && pub != NULL &&
	    (reason = key_check(key, pub)) != NULL)
		complain(c, p->key, p->key_path, KEY, reason);
	EVP_PKEY_free(pub);
	ERR_clear_error();
}

/* The number that the keeper knows the key by; key is taken over. */
static int
add_key(struct cfg *c, char *key)
{
	struct keeper_conf	*k = &c->conf->k;
	char			**keys;

	keys = reallocarray(k->tls_keys, k->ntls_keys + 1, sizeof(*keys));
	if (keys == NULL) {
		if (key != NULL)
			freezero(key, strlen(key));
		cfg_nomem(c);
		return (0);
	}
	k->tls_keys = keys;
	keys[k->ntls_keys] = key;
	return ((int)k->ntls_keys++);
}

void
cfg_check_upstream_tls(struct cfg *c)
{
	struct worker_conf	*w = &c->conf->w;
	struct config_files	*f;
	const struct ynode	*list = cfg_node(c, "upstreams"), *n, *tls;
	const char		*reason;
	char			*key;
	int			 system = 0;
	size_t			 i, j;

	if (!c->files || list == NULL || list->kind != YNODE_LIST ||
	    list->nchildren != w->nupstreams)
		return;
	for (n = list->first, i = 0; n != NULL; n = n->next, i++) {
		struct conf_upstream *u = &w->upstreams[i];
		struct pair	 pair;

		tls = ynode_get(n, "tls");
		f = &c->conf->up_files[i];
		u->tls_ca = file_get(c, ynode_get(tls, "ca_file"), f->ca,
		    CERTS);
		if (u->tls_ca != NULL && (reason = cfg_ca_check(u->tls_ca,
		    strlen(u->tls_ca))) != NULL)
			complain(c, ynode_get(tls, "ca_file"), f->ca, CERTS,
			    reason);
		for (j = 0; j < u->nservers; j++)
			system |= u->servers[j].tls && f->ca == NULL;
		if (f->cert == NULL && f->key == NULL)
			continue;
		pair = (struct pair){ ynode_get(tls, "cert_file"),
		    ynode_get(tls, "key_file"), f->cert, f->key };
		if (pair.cert == NULL || pair.key == NULL) {
			cfg_error(c, tls, "expected both cert_file and "
			    "key_file, or neither");
			continue;
		}
		pair_read(c, &pair, &u->tls_cert, &key);
		u->tls_key = (uint32_t)add_key(c, key);
	}
	if (system && (w->system_ca = system_ca()) == NULL)
		cfg_error(c, list, "expected tls.ca_file for upstreams with "
		    "https: this system has no file of trusted certificates");
}

/* Where systems keep them; NULL when none does. */
static char *
system_ca(void)
{
	static const char *const paths[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"
	};
	const char	*reason;
	char		*text;
	size_t		 i, len;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		text = cfg_file_read(paths[i], CFG_FOR_ALL, CONF_PEM_MAX,
		    &len, &reason);
		if (text != NULL && strlen(text) == len)
			return (text);
		free(text);
	}
	return (NULL);
}

static char *
file_get(struct cfg *c, const struct ynode *n, const char *path,
    const char *what)
{
	const char	*reason;
	char		*text;
	size_t		 len;

	if (path == NULL || n == NULL)
		return (NULL);
	text = cfg_file_read(path, strcmp(what, KEY) == 0 ? CFG_SECRET :
	    CFG_FOR_ALL, CONF_PEM_MAX, &len, &reason);
	if (text == NULL)
		complain(c, n, path, what, reason);
	else if (strlen(text) != len) {
		complain(c, n, path, what, "it has a NUL byte");
		freezero(text, len);
		text = NULL;
	}
	return (text);
}

static void
complain(struct cfg *c, const struct ynode *n, const char *path,
    const char *what, const char *reason)
{
	char	 quoted[300];

	cfg_error(c, n, "expected %s, got %s: %s", what, cfg_quote(path,
	    quoted, sizeof(quoted)), reason);
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
	EVP_PKEY	*key = pem_private_key(pem);

	if (key == NULL)
		reason = strstr(pem, "ENCRYPTED") != NULL ?
		    "it needs a passphrase, and there is nobody to ask" :
		    "it holds no private key that can be read";
	else if (EVP_PKEY_eq(key, pub) != 1)
		reason = "it is not the key of the first certificate";
	EVP_PKEY_free(key);
	return (reason);
}
