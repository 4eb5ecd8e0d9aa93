/*
 * Whom to trust, and who we are: verification is never off.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "common/log.h"
#include "worker/upstream/up_tls.h"
#include "worker/upstream/upstream_int.h"
#include "worker/wire/tls_key.h"

#define CIPHERS12	"ECDHE+AESGCM:ECDHE+CHACHA20"

static SSL_CTX	*context_new(const struct conf_upstream *,
		    const struct worker_conf *);
static X509_STORE *store_new(const char *, const char *);
static void	 use_own(SSL_CTX *, const struct conf_upstream *);

void
up_tls_setup(const struct worker_conf *conf, struct upstream *ups)
{
	size_t	 i, j;

	for (i = 0; i < conf->nupstreams; i++)
		for (j = 0; j < ups[i].nservers && ups[i].tls == NULL; j++)
			if (ups[i].servers[j].conf->tls)
				ups[i].tls = context_new(ups[i].conf, conf);
}

static SSL_CTX *
context_new(const struct conf_upstream *u, const struct worker_conf *conf)
{
	static X509_STORE	*system_store;
	OSSL_LIB_CTX		*lib = u->tls_cert == NULL ? NULL :
				    tls_key_setup();
	SSL_CTX			*ctx;

	ctx = SSL_CTX_new_ex(lib, NULL, TLS_client_method());
	/* what a client signs in TLS 1.2 is too long to be shown to the
	 * keeper */
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx,
	    u->tls_cert == NULL ? TLS1_2_VERSION : TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS12) != 1 ||
	    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)
	    "\x08http/1.1", 9) != 0)
		fatalx("SSL_CTX_new_ex");
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION);
	tls_keep_sessions(ctx);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (u->tls_ca != NULL)
		SSL_CTX_set_cert_store(ctx, store_new(u->tls_ca, u->name));
	else {
		if (system_store == NULL)
			system_store = store_new(conf->system_ca, u->name);
		SSL_CTX_set1_cert_store(ctx, system_store);
	}
	if (u->tls_cert != NULL)
		use_own(ctx, u);
	return (ctx);
}

static X509_STORE *
store_new(const char *pem, const char *name)
{
	X509_STORE	*store;
	X509		*x;
	BIO		*bio;
	int		 n = 0;

	if (pem == NULL || (store = X509_STORE_new()) == NULL ||
	    (bio = BIO_new_mem_buf(pem, -1)) == NULL)
		fatalx("upstream %s: no certificates to trust", name);
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n == 0)
		fatalx("upstream %s: no certificates to trust", name);
	return (store);
}

/* Our certificate; its key is the keeper's. */
static void
use_own(SSL_CTX *ctx, const struct conf_upstream *u)
{
	EVP_PKEY	*key;
	X509		*x;
	BIO		*bio;

	if ((bio = BIO_new_mem_buf(u->tls_cert, -1)) == NULL ||
	    (x = X509_new_ex(tls_key_setup(), NULL)) == NULL ||
	    PEM_read_bio_X509(bio, &x, NULL, NULL) == NULL ||
	    SSL_CTX_use_certificate(ctx, x) != 1 ||
	    (key = tls_key_new(X509_get0_pubkey(x), u->tls_key)) == NULL ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		fatalx("upstream %s: its client certificate cannot be used",
		    u->name);
	EVP_PKEY_free(key);
	X509_free(x);
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1)
			fatalx("SSL_CTX_add0_chain_cert");
	BIO_free(bio);
	ERR_clear_error();
}
