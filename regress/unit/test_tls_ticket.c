/*
 * Tickets of TLS sessions: what opens one, and for how long.  Both ends are
 * here; the clock is the test's.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base/clock.h"
#include "worker/wire/tls_ticket.h"

#define HOUR	3600000ULL

static uint64_t	 now;
static uint8_t	 secret[CONF_SECRET_LEN] = "a secret of this generation";

uint64_t
clock_mono(void)
{
	return (now);
}

static SSL_SESSION	*got;

static int
keep(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(got);
	got = s;
	return (1);
}

static SSL_CTX *
server(int version)
{
	SSL_CTX		*ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY	*key = EVP_EC_gen("P-256");
	X509		*x = X509_new();

	assert_non_null(ctx);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_int_not_equal(X509_sign(x, key, EVP_sha256()), 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	tls_ticket_setup(ctx, NULL, secret);
	X509_free(x);
	EVP_PKEY_free(key);
	return (ctx);
}

static SSL_CTX *
client(void)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	return (ctx);
}

/* One connection that offers a session (or NULL): was it resumed?  Its own
 * last ticket is in got afterwards. */
static int
shake(SSL_CTX *sctx, SSL_CTX *cctx, SSL_SESSION *offer)
{
	SSL	*s = SSL_new(sctx), *c = SSL_new(cctx);
	BIO	*a, *b;
	char	 ch;
	int	 i, r = 0, reused;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	if (offer != NULL)
		assert_int_equal(SSL_set_session(c, offer), 1);
	for (i = 0; i < 10 && r != 3; i++)
		r = (SSL_do_handshake(c) == 1) |
		    (SSL_do_handshake(s) == 1) << 1;
	assert_int_equal(r, 3);
	/* the ticket of TLS 1.3 comes behind the handshake */
	assert_int_equal(SSL_write(s, "x", 1), 1);
	assert_int_equal(SSL_read(c, &ch, 1), 1);
	/* a renewed one of TLS 1.2 is not told of */
	if (SSL_version(c) == TLS1_2_VERSION)
		keep(c, SSL_get1_session(c));
	reused = SSL_session_reused(s);
	assert_int_equal(reused, SSL_session_reused(c));
	/* the server must not send a session that was not shut down well */
	SSL_set_shutdown(c, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s);
	SSL_free(c);
	return (reused);
}

static SSL_SESSION *
take(void)
{
	SSL_SESSION	*s = got;

	assert_non_null(s);
	got = NULL;
	return (s);
}

static void
test_hours(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	SSL_SESSION	*first, *second, *third;
	SSL_CTX		*s, *c = client();
	size_t		 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		now = 100 * HOUR + 5;
		s = server(versions[i]);
		assert_false(shake(s, c, NULL));
		first = take();
		now = 101 * HOUR - 1;
		assert_true(shake(s, c, first));
		second = take();
		/* the next hour: it is taken, and renewed */
		now = 101 * HOUR;
		assert_true(shake(s, c, second));
		third = take();
		now = 102 * HOUR;
		assert_false(shake(s, c, second));
		assert_true(shake(s, c, third));
		SSL_SESSION_free(first);
		SSL_SESSION_free(second);
		SSL_SESSION_free(third);
		SSL_CTX_free(s);
	}
	SSL_SESSION_free(got);
	got = NULL;
	SSL_CTX_free(c);
}

static void
test_first_hour(void **state)
{
	SSL_SESSION	*first;
	SSL_CTX		*s, *c = client();

	(void)state;
	now = 5;
	s = server(TLS1_3_VERSION);
	assert_false(shake(s, c, NULL));
	first = take();
	assert_true(shake(s, c, first));
	SSL_SESSION_free(first);
	SSL_SESSION_free(got);
	got = NULL;
	SSL_CTX_free(s);
	SSL_CTX_free(c);
}

/* What another generation sealed is opened by nobody.  The keys of an hour
 * are remembered: the other one begins in another hour of the same parity. */
static void
test_another_secret(void **state)
{
	SSL_SESSION	*first;
	SSL_CTX		*s, *c = client();

	(void)state;
	now = 200 * HOUR;
	s = server(TLS1_3_VERSION);
	assert_false(shake(s, c, NULL));
	first = take();
	assert_true(shake(s, c, first));
	secret[0] ^= 1;
	now = 202 * HOUR;
	assert_false(shake(s, c, NULL));
	now = 200 * HOUR;
	assert_false(shake(s, c, first));
	secret[0] ^= 1;
	SSL_SESSION_free(first);
	SSL_SESSION_free(got);
	got = NULL;
	SSL_CTX_free(s);
	SSL_CTX_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_first_hour),
		cmocka_unit_test(test_another_secret),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
