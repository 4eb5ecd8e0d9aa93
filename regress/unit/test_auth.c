/*
 * worker/who/auth.h with a fetcher at the other end of a channel: what waits for a
 * key set and what does not, what ends the waiting, and who may have keys
 * fetched how often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include <stdlib.h>

#include "common/base64url.h"
#include "common/jwk.h"
#include "common/memfd.h"
#include "common/wire.h"
#include "worker/who/api_keys.h"
#include "worker/who/auth.h"

#include "fake_peer.h"

#define ISSUER	"https://as.example"
#define TOKEN	1024

static char	 issuer[] = ISSUER, audience[] = "mcp", key_id[] = "ci";
static char	 no_scopes[] = "", up_name[] = "up";
static char	*audiences[] = { audience };
static char	*aud_claims[] = { (char []){ "aud" } };
static char	*client_claims[] = { (char []){ "client_id" } };
static char	*scope_claims[] = { (char []){ "scope" } };
static struct conf_key keys[] = { { .id = key_id, .scopes = no_scopes } };
static struct conf_upstream ups[] = { { .name = up_name } };
static struct worker_conf conf = {
	.auth_enabled = 1, .keys = keys, .nkeys = 1, .key_cache_ttl = 1000,
	.upstreams = ups, .nupstreams = 1,
	.oauth = {
		.enabled = 1, .issuer = issuer, .audiences = { audiences, 1 },
		.audience_claims = { aud_claims, 1 },
		.client_claims = { client_claims, 1 },
		.scope_claims = { scope_claims, 1 }, .leeway_ms = 1000
	}
};
static EVP_PKEY	*known, *other;		/* Ed25519 */
static int	 nchanged;

static void
changed(void)
{
	nchanged++;
}

static int
setup(void **state)
{
	(void)state;
	known = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (known == NULL || other == NULL)
		return (-1);
	fake_setup();
	api_keys_setup(&conf);
	auth_setup(&conf, changed);
	renew(ROLE_FETCHER);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(known);
	EVP_PKEY_free(other);
	return (0);
}

/* A token of this kid, signed by that key. */
static const char *
token(const char *kid, EVP_PKEY *key)
{
	static char	 out[TOKEN];
	char		 part[TOKEN / 2];
	uint8_t		 sig[64];
	size_t		 n, len = sizeof(sig);
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();

	n = (size_t)snprintf(part, sizeof(part),
	    "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", kid);
	n = base64url_encode((uint8_t *)part, n, out);
	out[n++] = '.';
	len = (size_t)snprintf(part, sizeof(part), "{\"iss\":\"" ISSUER "\","
	    "\"aud\":\"mcp\",\"exp\":%lld,\"client_id\":\"of %s\","
	    "\"scope\":\"a b\"}", (long long)clock_wall() / 1000 + 3600, kid);
	n += base64url_encode((uint8_t *)part, len, out + n);
	len = sizeof(sig);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (uint8_t *)out, n), 1);
	EVP_MD_CTX_free(ctx);
	out[n++] = '.';
	base64url_encode(sig, len, out + n);
	return (out);
}

/* The fetcher sends a set: this key under that kid; NULL: an empty one. */
static void
send_keys(const char *kid, EVP_PKEY *key)
{
	static const struct jwk_set	 none;
	struct jwk_set	*set = NULL;
	struct wbuf	 w;
	const char	*why;
	uint8_t		 raw[32];
	size_t		 len = sizeof(raw);
	char		 x[64], text[512];

	if (kid != NULL) {
		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len),
		    1);
		base64url_encode(raw, len, x);
		len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[{"
		    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\","
		    "\"x\":\"%s\"}]}", kid, x);
		set = jwk_set_parse(text, len, NULL, NULL, &why);
		assert_non_null(set);
	}
	wbuf_init(&w, 4096);
	jwk_set_pack(set == NULL ? &none : set, &w);
	assert_int_equal(proto_send_u32(far, MSG_KEYS, 1,
	    memfd_seal("keys", w.data, w.len)), 0);
	wbuf_free(&w);
	jwk_set_free(set);
	settle();
}

static void
send_done(int ok, uint64_t began)
{
	assert_int_equal(proto_send_fetch_done(far, ok, began), 0);
	settle();
}

/* The bytes of the credential are gone when this returns. */
static enum judged
ask(struct who *who, const char *credential, const char *ip)
{
	struct verdict	 v;
	enum judged	 j;
	char		 copy[TOKEN];

	memset(who, 0, sizeof(*who));
	who->w.done = who_done;
	nasked = 0;
	(void)snprintf(copy, sizeof(copy), "%s", credential);
	j = auth_judge(&who->w, slice_of(copy), slice_of(ip), 0, &v);
	explicit_bzero(copy, sizeof(copy));
	if (j == JUDGED)
		note(who, &v);
	settle();
	return (j);
}

static void
test_no_keys(void **state)
{
	struct who	 a;

	(void)state;
	assert_int_equal(auth_ready(), 0);
	assert_int_equal(ask(&a, token("k", known), "192.0.2.1"), JUDGED);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
	send_keys(NULL, NULL);
	/* what the fetcher had is too old to be believed */
	assert_int_equal(auth_ready(), 1);
	assert_int_equal(auth_has_keys(), 0);
	assert_int_equal(ask(&a, token("k", known), "192.0.2.1"), JUDGED);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
	send_keys("k", known);
	assert_int_equal(auth_has_keys(), 1);
	assert_int_equal(nchanged, 2);
	assert_int_equal(ask(&a, token("k", known), "192.0.2.1"), JUDGED);
	assert_int_equal(a.result, AUTH_OK);
	assert_string_equal(a.client_id, "of k");
	assert_string_equal(a.scopes, "a b");
	assert_string_equal(a.key_id, "-");
	assert_int_equal(nasked, 0);
}

/* A key that comes, for all who wait for it. */
static void
test_key_comes(void **state)
{
	struct who	 a, b;

	(void)state;
	send_keys("k", known);
	assert_int_equal(ask(&a, token("new", other), "192.0.2.2"),
	    JUDGED_LATER);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0].type, MSG_KEYS_WANTED);
	assert_int_equal(ask(&b, token("newer", other), "192.0.2.2"),
	    JUDGED_LATER);
	send_keys("new", other);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_OK);
	assert_string_equal(a.client_id, "of new");
	assert_int_equal(b.told, 0);
	send_done(1, now);
	assert_int_equal(a.told, 1);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.result, AUTH_UNKNOWN_KEY);
	assert_string_equal(b.client_id, "-");
	/* it is not fetched again for this kid, for a while */
	assert_int_equal(ask(&b, token("newer", other), "192.0.2.2"), JUDGED);
	assert_int_equal(b.result, AUTH_UNKNOWN_KEY);
	assert_int_equal(nasked, 0);
	pass(10000);
	assert_int_equal(ask(&b, token("newer", other), "192.0.2.2"),
	    JUDGED_LATER);
	send_done(1, now);
	assert_int_equal(ask(&b, token("newer", other), "192.0.2.2"), JUDGED);
	/* but with another set it is another matter */
	send_keys("k", known);
	assert_int_equal(ask(&b, token("newer", other), "192.0.2.2"),
	    JUDGED_LATER);
	auth_unwait(&b.w);
}

/* A fetch that had begun before may have been too early. */
static void
test_too_early(void **state)
{
	struct who	 a;

	(void)state;
	send_keys("k", known);
	assert_int_equal(ask(&a, token("early", other), "192.0.2.3"),
	    JUDGED_LATER);
	send_done(1, now - 1);
	assert_int_equal(a.told, 0);
	send_done(0, now - 1);
	assert_int_equal(a.told, 0);
	send_done(1, now);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_UNKNOWN_KEY);
}

/* Without a fetch nobody can say; a signature that the known key did not make
 * is bad all the same. */
static void
test_no_fetch(void **state)
{
	struct who	 a, b;

	(void)state;
	send_keys("k", known);
	assert_int_equal(ask(&a, token("none", other), "192.0.2.4"),
	    JUDGED_LATER);
	assert_int_equal(ask(&b, token("k", other), "192.0.2.4"),
	    JUDGED_LATER);
	send_done(0, now);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
	assert_int_equal(b.result, AUTH_BAD_SIGNATURE);
	assert_null(a.why);
	assert_non_null(b.why);
	assert_int_equal(ask(&b, token("k", other), "192.0.2.4"), JUDGED);
	assert_int_equal(b.result, AUTH_BAD_SIGNATURE);
	assert_int_equal(ask(&a, token("none", other), "192.0.2.4"),
	    JUDGED_LATER);
	pass_noticed(1999);
	assert_int_equal(a.told, 0);
	pass_noticed(1);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
}

/* The kid comes, with a key that did not sign: then that is what is wrong. */
static void
test_wrong_key_comes(void **state)
{
	struct who	 a;

	(void)state;
	send_keys("k", known);
	assert_int_equal(ask(&a, token("turn", other), "192.0.2.5"),
	    JUDGED_LATER);
	send_keys("turn", known);
	assert_int_equal(a.told, 0);
	send_done(1, now);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_BAD_SIGNATURE);
}

static struct who	 second, third;

/* The first who is told lets the next one go, and another one comes. */
static void
lets_go(struct who *who)
{
	(void)who;
	auth_unwait(&second.w);
	assert_int_equal(ask(&third, token("late", other), "192.0.2.6"),
	    JUDGED_LATER);
}

static void
test_within(void **state)
{
	struct who	 a, b;

	(void)state;
	send_keys("k", known);
	assert_int_equal(ask(&a, token("new", other), "192.0.2.7"),
	    JUDGED_LATER);
	a.then = lets_go;
	assert_int_equal(ask(&second, token("new", other), "192.0.2.7"),
	    JUDGED_LATER);
	assert_int_equal(ask(&b, token("new", other), "192.0.2.7"),
	    JUDGED_LATER);
	send_keys("new", other);
	assert_int_equal(a.told, 1);
	assert_int_equal(b.told, 1);
	assert_int_equal(second.told, 0);
	assert_int_equal(third.told, 0);
	a.then = NULL;
	/* the same at the end of a fetch */
	assert_int_equal(ask(&a, token("no", other), "192.0.2.7"),
	    JUDGED_LATER);
	auth_unwait(&third.w);
	assert_int_equal(ask(&second, token("no", other), "192.0.2.7"),
	    JUDGED_LATER);
	a.then = lets_go;
	now++;
	send_done(1, now);
	assert_int_equal(a.told, 1);
	assert_int_equal(second.told, 0);
	/* who comes when a fetch has ended waits for another one */
	assert_int_equal(third.told, 0);
	send_done(1, ++now);
	assert_int_equal(third.told, 1);
	assert_int_equal(third.result, AUTH_UNKNOWN_KEY);
}

/* Six fetches for nothing, then no more of them for this address. */
static void
test_spent(void **state)
{
	struct who	 a;
	char		 kid[16];
	int		 i;

	(void)state;
	send_keys("k", known);
	for (i = 0; i < 6; i++) {
		(void)snprintf(kid, sizeof(kid), "spent %d", i);
		assert_int_equal(ask(&a, token(kid, other), "192.0.2.8"),
		    JUDGED_LATER);
		/* each is another fetch, at the same time */
		send_done(1, now + (uint64_t)i);
		assert_int_equal(a.result, AUTH_UNKNOWN_KEY);
	}
	assert_int_equal(ask(&a, token("spent", other), "192.0.2.8"), JUDGED);
	assert_int_equal(a.result, AUTH_UNKNOWN_KEY);
	assert_int_equal(nasked, 0);
	assert_int_equal(ask(&a, token("spent", other), "192.0.2.9"),
	    JUDGED_LATER);
	auth_unwait(&a.w);
	pass(60000);
	assert_int_equal(ask(&a, token("spent", other), "192.0.2.8"),
	    JUDGED_LATER);
	auth_unwait(&a.w);
}

/* Nor for one who does not stay for the answer, or when none can be made; then
 * nobody knows, and all begin anew with the first that can. */
static void
test_spent_otherwise(void **state)
{
	struct who	 a;
	char		 kid[16];
	int		 i;

	(void)state;
	send_keys("k", known);
	for (i = 0; i < 6; i++) {
		(void)snprintf(kid, sizeof(kid), "left %d", i);
		assert_int_equal(ask(&a, token(kid, other), "192.0.2.20"),
		    JUDGED_LATER);
		auth_unwait(&a.w);
		send_done(1, now);
	}
	assert_int_equal(ask(&a, token("left", other), "192.0.2.20"), JUDGED);
	assert_int_equal(a.result, AUTH_UNKNOWN_KEY);
	/* one more, for the time that it takes */
	for (i = 0; i < 7; i++) {
		(void)snprintf(kid, sizeof(kid), "late %d", i);
		assert_int_equal(ask(&a, token(kid, other), "192.0.2.21"),
		    JUDGED_LATER);
		pass_noticed(2000);
		assert_int_equal(a.result, AUTH_UNAVAILABLE);
		send_done(0, now);
	}
	assert_int_equal(ask(&a, token("late", other), "192.0.2.21"), JUDGED);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
	assert_int_equal(nasked, 0);
	send_done(1, now);
	assert_int_equal(ask(&a, token("late", other), "192.0.2.21"),
	    JUDGED_LATER);
	send_keys("late", other);
	assert_int_equal(a.result, AUTH_OK);
}

/* A key that comes costs nothing. */
static void
test_not_spent(void **state)
{
	struct who	 a;
	char		 kid[16];
	int		 i;

	(void)state;
	for (i = 0; i < 20; i++) {
		(void)snprintf(kid, sizeof(kid), "turn %d", i);
		send_keys("k", known);
		assert_int_equal(ask(&a, token(kid, other), "192.0.2.22"),
		    JUDGED_LATER);
		send_keys(kid, other);
		assert_int_equal(a.result, AUTH_OK);
		send_done(1, now);
	}
}

/* The next fetcher is asked if anybody waits. */
static void
test_another_fetcher(void **state)
{
	struct who	 a;

	(void)state;
	send_keys("k", known);
	nasked = 0;
	renew(ROLE_FETCHER);
	assert_int_equal(nasked, 0);
	assert_int_equal(ask(&a, token("next", other), "192.0.2.10"),
	    JUDGED_LATER);
	nasked = 0;
	renew(ROLE_FETCHER);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0].type, MSG_KEYS_WANTED);
	/* it says what it may not, and is not heard any more */
	ngone = 0;
	assert_int_equal(channel_send(far, MSG_FETCH_DONE, 0, -1,
	    "\2\0\0\0\0\0\0\0\0", 9), 0);
	settle();
	assert_int_equal(ngone, 1);
	assert_null(peer_channel(ROLE_FETCHER));
	assert_int_equal(a.told, 0);
	renew(ROLE_FETCHER);
	/* a set that cannot be read leaves the last one in force */
	assert_int_equal(proto_send_u32(far, MSG_KEYS, 1,
	    memfd_seal("keys", "x", 1)), 0);
	settle();
	assert_int_equal(ngone, 1);
	assert_int_equal(a.told, 0);
	assert_int_equal(auth_has_keys(), 1);
	send_keys("next", other);
	assert_int_equal(a.result, AUTH_OK);
	auth_unwait(&a.w);	/* harmless */
}

/* What is no token goes to the keeper. */
static void
test_api_key(void **state)
{
	struct who	 a, b;

	(void)state;
	renew(ROLE_KEEPER);
	assert_int_equal(ask(&a, "an opaque one", "192.0.2.11"),
	    JUDGED_LATER);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0].type, MSG_KEY_CHECK);
	assert_int_equal(ask(&b, "an opaque one", "192.0.2.11"),
	    JUDGED_LATER);
	auth_unwait(&b.w);
	assert_int_equal(proto_send_key_result(far, asked[0].id, KEY_OK, 0),
	    0);
	settle();
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_OK);
	assert_string_equal(a.key_id, "ci");
	assert_int_equal(b.told, 0);
	renew(ROLE_FETCHER);
}

static void
test_withdrawn(void **state)
{
	struct waiter	 w = { .done = who_done };
	struct verdict	 v;
	uint8_t		 signer[32];

	(void)state;
	send_keys("k", known);
	assert_int_equal(auth_judge(&w, slice_of(token("k", known)),
	    slice_of("192.0.2.12"), 0, &v), JUDGED);
	assert_int_equal(v.result, AUTH_OK);
	assert_int_equal(v.until, (clock_wall() / 1000 + 3600) * 1000 + 1000);
	memcpy(signer, v.signer, sizeof(signer));
	assert_int_equal(auth_withdrawn(NULL, signer), 0);
	assert_int_equal(auth_withdrawn(NULL, NULL), 0);
	send_keys("k", other);
	assert_int_equal(auth_withdrawn(NULL, signer), 1);
	send_keys("k", known);
	assert_int_equal(auth_withdrawn(NULL, signer), 0);
	assert_int_equal(auth_withdrawn(keys[0].mark, NULL), 0);
	auth_lose_tokens();
	assert_int_equal(auth_withdrawn(NULL, signer), 1);
	assert_int_equal(auth_withdrawn(NULL, NULL), 0);
	assert_int_equal(auth_withdrawn(keys[0].mark, NULL), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_key_comes),
		cmocka_unit_test(test_too_early),
		cmocka_unit_test(test_no_fetch),
		cmocka_unit_test(test_wrong_key_comes),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_spent),
		cmocka_unit_test(test_spent_otherwise),
		cmocka_unit_test(test_not_spent),
		cmocka_unit_test(test_another_fetcher),
		cmocka_unit_test(test_api_key),
		cmocka_unit_test(test_withdrawn)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
