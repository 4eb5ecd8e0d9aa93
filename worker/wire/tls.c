/*
 * TLS, as a server and as a client.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/base/clock.h"
#include "worker/wire/tls.h"
#include "worker/wire/tls_key.h"
#include "worker/wire/tls_ticket.h"

#define LOGGED_MAX	5	/* failed handshakes, in a second */
#define RESUME_MS	(60 * 60 * 1000)	/* after a whole handshake */
#define CIPHERS12	"ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls {
	SSL		*ssl;
	struct tls_question *question;	/* that the keeper has */
	void		 (*ready)(void *);
	void		*arg;
	struct tls_resume *resume;	/* of a server: we are a client */
	int		 client;	/* we are */
	int		 established;
	int		 broken;
	char		 error[128];	/* of the handshake */
};

static SSL_CTX	*context;
static OSSL_LIB_CTX *libctx;

static void	 use_chain(const char *);
static void	 use_client_ca(const char *);
static X509	*read_cert(BIO *);
static int	 alpn(SSL *, const unsigned char **, unsigned char *,
		    const unsigned char *, unsigned, void *);
static struct tls *make(SSL_CTX *, int, void (*)(void *), void *);
static int	 keep_session(SSL *, SSL_SESSION *);
static int	 resume(struct tls *);
static void	 keep_resumed(struct tls *);
static void	 failed(struct tls *);
static ssize_t	 result(struct tls *, int);

void
tls_setup(const char *cert, const char *client_ca,
    const uint8_t ticket_secret[CONF_SECRET_LEN])
{
	if (cert == NULL)
		return;
	libctx = tls_key_setup();
	context = SSL_CTX_new_ex(libctx, NULL, TLS_server_method());
	if (context == NULL ||
	    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, CIPHERS12) != 1)
		fatalx("SSL_CTX_new_ex");
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(context, alpn, NULL);
	use_chain(cert);
	if (client_ca != NULL)
		use_client_ca(client_ca);
	else
		tls_ticket_setup(context, libctx, ticket_secret);
}

int
tls_on(void)
{
	return (context != NULL);
}

/* In our library context; NULL at the end. */
static X509 *
read_cert(BIO *bio)
{
	X509	*x = X509_new_ex(libctx, NULL);

	if (x == NULL)
		fatalx("X509_new_ex");
	if (PEM_read_bio_X509(bio, &x, NULL, NULL) == NULL) {
		X509_free(x);
		ERR_clear_error();
		return (NULL);
	}
	return (x);
}

/* The master has looked at all of it; what fails here is a bug. */
static void
use_chain(const char *pem)
{
	EVP_PKEY	*key;
	X509		*x;
	BIO		*bio;

	if ((bio = BIO_new_mem_buf(pem, -1)) == NULL ||
	    (x = read_cert(bio)) == NULL ||
	    SSL_CTX_use_certificate(context, x) != 1)
		fatalx("tls: the certificate cannot be used");
	if ((key = tls_key_new(X509_get0_pubkey(x), 0)) == NULL ||
	    SSL_CTX_use_PrivateKey(context, key) != 1)
		fatalx("tls: the certificate's key cannot be used");
	EVP_PKEY_free(key);
	X509_free(x);
	while ((x = read_cert(bio)) != NULL)
		if (SSL_CTX_add0_chain_cert(context, x) != 1)
			fatalx("SSL_CTX_add0_chain_cert");
	BIO_free(bio);
}

static void
use_client_ca(const char *pem)
{
	X509_STORE	*store = SSL_CTX_get_cert_store(context);
	X509		*x;
	BIO		*bio;
	int		 n = 0;

	if ((bio = BIO_new_mem_buf(pem, -1)) == NULL)
		fatalx("BIO_new_mem_buf");
	for (; (x = read_cert(bio)) != NULL; n++) {
		if (X509_STORE_add_cert(store, x) != 1 ||
		    SSL_CTX_add_client_CA(context, x) != 1)
			fatalx("tls: a CA's certificate cannot be used");
		X509_free(x);
	}
	BIO_free(bio);
	if (n == 0)
		fatalx("tls: no CA for client certificates");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* a certificate is shown at every handshake, lest one that has
	 * expired goes on */
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
}

/* RFC 7301: http/1.1, or nothing was offered.  A client that speaks other
 * protocols alone is told so. */
static int
alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char		*chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, outlen, ours, sizeof(ours) - 1, in,
	    inlen) != OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_ALERT_FATAL);
	*out = chosen;
	return (SSL_TLSEXT_ERR_OK);
}

struct tls *
tls_new(int fd, void (*ready)(void *), void *arg)
{
	struct tls	*t;

	if ((t = make(context, fd, ready, arg)) != NULL)
		SSL_set_accept_state(t->ssl);
	return (t);
}

struct tls *
tls_new_client(SSL_CTX *ctx, int fd, const char *host,
    struct tls_resume *kept, void (*ready)(void *), void *arg)
{
	struct tls	*t;
	uint8_t		 addr[16];
	int		 r;

	if ((t = make(ctx, fd, ready, arg)) == NULL)
		return (NULL);
	t->client = 1;
	t->resume = kept;
	SSL_set_connect_state(t->ssl);
	/* RFC 6125, and RFC 6066 section 3: no address in SNI */
	if (inet_pton(AF_INET, host, addr) == 1 ||
	    inet_pton(AF_INET6, host, addr) == 1)
		r = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl),
		    host) == 1;
	else
		r = SSL_set1_host(t->ssl, host) == 1 &&
		    SSL_set_tlsext_host_name(t->ssl, host) == 1;
	if (r && resume(t) == 0)
		return (t);
	tls_free(t);
	return (NULL);
}

void
tls_keep_sessions(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

/* The last ticket of a server.  1: the session is ours now. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls	*t = SSL_get_app_data(ssl);

	if (t->resume == NULL || !SSL_SESSION_is_resumable(session))
		return (0);
	SSL_SESSION_free(t->resume->session);
	t->resume->session = session;
	/* what was verified then is verified again after this time */
	if (!SSL_session_reused(ssl))
		t->resume->until = clock_mono() + RESUME_MS;
	return (1);
}

/* In TLS 1.2 OpenSSL tells of new sessions only; one that was resumed is as
 * good again, or was renewed. */
static void
keep_resumed(struct tls *t)
{
	SSL_SESSION	*s;

	if (!t->client || SSL_version(t->ssl) != TLS1_2_VERSION ||
	    !SSL_session_reused(t->ssl) ||
	    (s = SSL_get1_session(t->ssl)) == NULL)
		return;
	if (!keep_session(t->ssl, s))
		SSL_SESSION_free(s);
}

/* Offer it, once (RFC 8446 appendix C.4).  0 or -1. */
static int
resume(struct tls *t)
{
	SSL_SESSION	*s = t->resume->session;
	int		 r = 1;

	if (s == NULL)
		return (0);
	if (clock_mono() < t->resume->until)
		r = SSL_set_session(t->ssl, s);
	SSL_SESSION_free(s);
	t->resume->session = NULL;
	return (r == 1 ? 0 : -1);
}

static struct tls *
make(SSL_CTX *ctx, int fd, void (*ready)(void *), void *arg)
{
	struct tls	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->ready = ready;
	t->arg = arg;
	if ((t->ssl = SSL_new(ctx)) == NULL ||
	    SSL_set_fd(t->ssl, fd) != 1) {
		SSL_free(t->ssl);
		free(t);
		ERR_clear_error();
		return (NULL);
	}
	SSL_set_app_data(t->ssl, t);
	SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
	return (t);
}

void
tls_free(struct tls *t)
{
	BIO	*null;

	if (t == NULL)
		return;
	if (t->question != NULL) {
		/* a job that is suspended would never be freed: let it fail,
		 * with nobody at the other end */
		if ((null = BIO_new(BIO_s_null())) == NULL)
			fatalx("BIO_new");
		SSL_set_bio(t->ssl, null, null);
		tls_key_cancel(t->question);
		(void)tls_handshake(t);
	}
	SSL_free(t->ssl);
	free(t);
	ERR_clear_error();
}

int
tls_resumed(const struct tls *t)
{
	return (SSL_session_reused(t->ssl));
}

int
tls_handshake(struct tls *t)
{
	int	 r;

	if (t->broken)
		return (-1);
	ERR_clear_error();
	tls_key_enter(&t->question, t->ready, t->arg);
	r = SSL_do_handshake(t->ssl);
	tls_key_enter(NULL, NULL, NULL);
	if (r == 1) {
		t->established = 1;
		keep_resumed(t);
		/* nothing is signed any more */
		SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
		return (1);
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
	case SSL_ERROR_WANT_ASYNC:
		return (0);
	}
	failed(t);
	return (-1);
}

static void
failed(struct tls *t)
{
	static uint64_t	 second;
	static unsigned	 logged;
	unsigned long	 e = ERR_peek_error();
	const char	*why = ERR_reason_error_string(e);
	long		 verified = SSL_get_verify_result(t->ssl);

	t->broken = 1;
	(void)snprintf(t->error, sizeof(t->error), "TLS: %s%s%s",
	    e == 0 ? "closed during the handshake" : why == NULL ?
	    "unknown reason" : why, verified == X509_V_OK ? "" : ": ",
	    verified == X509_V_OK ? "" :
	    X509_verify_cert_error_string(verified));
	ERR_clear_error();
	if (clock_mono() / 1000 != second) {
		second = clock_mono() / 1000;
		logged = 0;
	}
	/* one that just leaves is no news */
	if (e != 0 && !t->client && logged++ < LOGGED_MAX)
		log_info("client.handshake_failed",
		    LOG_KV(KV("error", t->error)),
		    "handshake of a client failed: %s", t->error);
}

const char *
tls_error(const struct tls *t)
{
	return (t->error);
}

ssize_t
tls_read(struct tls *t, void *p, size_t len)
{
	ERR_clear_error();
	return (result(t, SSL_read(t->ssl, p, len > INT32_MAX ? INT32_MAX :
	    (int)len)));
}

ssize_t
tls_write(struct tls *t, const void *p, size_t len)
{
	ssize_t	 n;

	ERR_clear_error();
	n = result(t, SSL_write(t->ssl, p, len > INT32_MAX ? INT32_MAX :
	    (int)len));
	if (n != 0 || len == 0)
		return (n);
	/* the end of what comes in is no answer to a write, and who tries
	 * again would do so for ever */
	t->broken = 1;
	errno = EPIPE;
	return (-1);
}

static ssize_t
result(struct tls *t, int n)
{
	if (n > 0)
		return (n);
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return (-1);
	case SSL_ERROR_ZERO_RETURN:
		return (0);
	}
	t->broken = 1;
	ERR_clear_error();
	errno = EPROTO;
	return (-1);
}

void
tls_end(struct tls *t)
{
	if (!t->established || t->broken)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
