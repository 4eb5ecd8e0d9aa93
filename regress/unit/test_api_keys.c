/*
 * worker/who/api_keys.h with a keeper at the other end of a channel: one question
 * for all who ask the same, answers that are remembered and that are not, and
 * waiters that leave, come back or are told too late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/api_key.h"
#include "worker/who/api_keys.h"

#include "fake_peer.h"

#define TTL	60000

static char		 id_ci[] = "ci", id_old[] = "old", id_few[] = "few";
static char		 all[] = "tools:read tools:call", few[] = "tools:call";
static char		*required[] = { (char []){ "tools:read" } };
static struct conf_key	 keys[] = {
	{ .id = id_ci, .scopes = all, .mark = { 1 } },
	{ .id = id_old, .scopes = all, .expires = WALL / 1000, .mark = { 2 } },
	{ .id = id_few, .scopes = few, .mark = { 3 } }
};
static struct worker_conf conf = {
	.keys = keys, .nkeys = 3, .key_cache_ttl = TTL,
	.oauth = { .scopes = required, .nscopes = 1 }
};

static int
setup(void **state)
{
	(void)state;
	fake_setup();
	api_keys_setup(&conf);
	renew(ROLE_KEEPER);
	return (0);
}

/* Of nobody, or of this address. */
static enum judged
ask(struct who *who, const char *key, const char *ip)
{
	struct verdict	 v = { 0 };
	enum judged	 j;

	memset(who, 0, sizeof(*who));
	who->w.done = who_done;
	nasked = 0;
	j = api_keys_judge(&who->w, slice_of(key), slice_of(ip), &v);
	if (j == JUDGED)
		note(who, &v);
	settle();
	return (j);
}

static void
answer(uint64_t id, enum key_verdict v, uint32_t index)
{
	assert_int_equal(proto_send_key_result(far, id, v, index), 0);
	settle();
}

static void
test_one_question(void **state)
{
	struct who	 a, b;

	(void)state;
	assert_int_equal(ask(&a, "one", "192.0.2.1"), JUDGED_LATER);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0].type, MSG_KEY_CHECK);
	assert_string_equal(asked[0].key, "one");
	assert_int_equal(asked[0].source,
	    api_keys_source(slice_of("192.0.2.1")));
	assert_int_equal(ask(&b, "one", "192.0.2.2"), JUDGED_LATER);
	assert_int_equal(nasked, 0);
	assert_int_equal(a.told + b.told, 0);
	answer(asked[0].id, KEY_OK, 0);
	assert_int_equal(a.told, 1);
	assert_int_equal(b.told, 1);
	assert_int_equal(a.result, AUTH_OK);
	assert_string_equal(a.key_id, "ci");
	assert_string_equal(b.scopes, all);
	assert_string_equal(b.client_id, "-");
	/* it is remembered, for so long */
	assert_int_equal(ask(&a, "one", NULL), JUDGED);
	assert_int_equal(a.result, AUTH_OK);
	assert_string_equal(a.key_id, "ci");
	pass(TTL);
	assert_int_equal(ask(&a, "one", NULL), JUDGED_LATER);
	api_keys_unwait(&a.w);
}

/* What the keeper says, and what becomes of it. */
static void
test_answers(void **state)
{
	static const struct {
		const char	*key;
		enum key_verdict word;
		uint32_t	 index;
		enum auth_result result;
		const char	*key_id;
		int		 crowding;
		int		 kept;
	} said[] = {
		{ "wrong", KEY_WRONG, 0, AUTH_INVALID, "-", 0, 1 },
		{ "old", KEY_OK, 1, AUTH_EXPIRED, "old", 0, 1 },
		{ "few", KEY_OK, 2, AUTH_INSUFFICIENT_SCOPE, "few", 0, 1 },
		{ "none", KEY_OK, 3, AUTH_UNAVAILABLE, "-", 0, 0 },
		{ "far", KEY_OK, UINT32_MAX, AUTH_UNAVAILABLE, "-", 0, 0 },
		{ "busy", KEY_BUSY, 0, AUTH_UNAVAILABLE, "-", 0, 0 },
		{ "share", KEY_SHARE, 0, AUTH_UNAVAILABLE, "-", 1, 0 },
		{ "failed", KEY_FAILED, 0, AUTH_UNAVAILABLE, "-", 0, 0 }
	};
	struct who	 a;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		assert_int_equal(ask(&a, said[i].key, NULL), JUDGED_LATER);
		answer(asked[0].id, said[i].word, said[i].index);
		assert_int_equal(a.told, 1);
		assert_int_equal(a.result, said[i].result);
		assert_string_equal(a.key_id, said[i].key_id);
		assert_int_equal(a.crowding, said[i].crowding);
		assert_int_equal(a.why == NULL,
		    said[i].result == AUTH_UNAVAILABLE);
		assert_int_equal(ask(&a, said[i].key, NULL),
		    said[i].kept ? JUDGED : JUDGED_LATER);
		if (said[i].kept)
			assert_int_equal(a.result, said[i].result);
		else
			api_keys_unwait(&a.w);
	}
}

/* The keeper is not asked about what cannot be a key. */
static void
test_form(void **state)
{
	static char	 long_key[API_KEY_MAX + 2];
	struct who	 a;

	(void)state;
	memset(long_key, 'k', sizeof(long_key) - 1);
	assert_int_equal(ask(&a, "", NULL), JUDGED);
	assert_int_equal(a.result, AUTH_INVALID);
	assert_int_equal(ask(&a, long_key, NULL), JUDGED);
	assert_int_equal(a.result, AUTH_INVALID);
	assert_int_equal(ask(&a, "mcpgw_live_mistyped", NULL), JUDGED);
	assert_int_equal(a.result, AUTH_INVALID);
	assert_int_equal(nasked, 0);
}

/* The last one who leaves takes the question along; its answer finds
 * nobody. */
static void
test_leaves(void **state)
{
	struct who	 a, b;
	uint64_t	 id;

	(void)state;
	assert_int_equal(ask(&a, "leave", NULL), JUDGED_LATER);
	id = asked[0].id;
	assert_int_equal(ask(&b, "leave", NULL), JUDGED_LATER);
	api_keys_unwait(&a.w);
	assert_int_equal(ask(&a, "leave", NULL), JUDGED_LATER);
	assert_int_equal(nasked, 0);
	api_keys_unwait(&a.w);
	api_keys_unwait(&b.w);
	assert_int_equal(ask(&a, "leave", NULL), JUDGED_LATER);
	assert_int_equal(nasked, 1);
	assert_int_not_equal(asked[0].id, id);
	answer(id, KEY_OK, 0);
	assert_int_equal(a.told, 0);
	answer(asked[0].id, KEY_WRONG, 0);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_INVALID);
	assert_int_equal(b.told, 0);
}

static struct who	 second, third;

/* The first who is told lets the next one go and asks again. */
static void
lets_go(struct who *who)
{
	(void)who;
	api_keys_unwait(&second.w);
	assert_int_equal(ask(&third, "again", NULL), JUDGED_LATER);
}

static void
test_within(void **state)
{
	struct who	 a;
	uint64_t	 id;

	(void)state;
	assert_int_equal(ask(&a, "again", NULL), JUDGED_LATER);
	a.then = lets_go;
	id = asked[0].id;
	assert_int_equal(ask(&second, "again", NULL), JUDGED_LATER);
	answer(id, KEY_BUSY, 0);
	assert_int_equal(a.told, 1);
	assert_int_equal(second.told, 0);
	/* what was answered before it asked is not its answer */
	assert_int_equal(third.told, 0);
	assert_int_equal(nasked, 1);
	assert_int_not_equal(asked[0].id, id);
	answer(asked[0].id, KEY_OK, 0);
	assert_int_equal(third.told, 1);
	assert_int_equal(third.result, AUTH_OK);
}

static void
test_expires(void **state)
{
	struct who	 a;
	uint64_t	 id;

	(void)state;
	assert_int_equal(ask(&a, "late", NULL), JUDGED_LATER);
	id = asked[0].id;
	pass_noticed(9999);
	assert_int_equal(a.told, 0);
	pass_noticed(1);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, AUTH_UNAVAILABLE);
	assert_int_equal(a.crowding, 0);
	answer(id, KEY_OK, 0);
	assert_int_equal(a.told, 1);
}

/* What a dead keeper did not answer, the next one is asked. */
static void
test_another_keeper(void **state)
{
	struct who	 a, b;

	(void)state;
	assert_int_equal(ask(&a, "first", NULL), JUDGED_LATER);
	ngone = 0;
	channel_free(far);
	far = NULL;
	settle();
	assert_int_equal(ngone, 1);
	assert_null(peer_channel(ROLE_KEEPER));
	assert_int_equal(ask(&b, "second", NULL), JUDGED_LATER);
	assert_int_equal(nasked, 0);
	renew(ROLE_KEEPER);
	assert_int_equal(nasked, 2);
	assert_string_equal(asked[0].key, "first");
	assert_string_equal(asked[1].key, "second");
	answer(asked[0].id, KEY_OK, 0);
	answer(asked[1].id, KEY_WRONG, 0);
	assert_int_equal(a.result, AUTH_OK);
	assert_int_equal(b.result, AUTH_INVALID);
	assert_int_equal(a.told + b.told, 2);
}

/* One that says what it may not say is not heard any more. */
static void
test_hostile_keeper(void **state)
{
	static const uint8_t	 bad[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 77 };
	static const uint32_t	 types[] = { MSG_KEY_RESULT, MSG_SIGNATURE,
				    MSG_ADDRS, MSG_PONG, 0, 1000 };
	struct who	 a;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(ask(&a, "x", NULL), JUDGED_LATER);
		ngone = 0;
		assert_int_equal(channel_send(far, types[i], 0, -1, bad,
		    sizeof(bad)), 0);
		settle();
		assert_int_equal(ngone, 1);
		assert_null(peer_channel(ROLE_KEEPER));
		assert_int_equal(a.told, 0);
		api_keys_unwait(&a.w);
		renew(ROLE_KEEPER);
	}
}

/* So many are asked for at a time; who comes then is told at once. */
static void
test_bounded(void **state)
{
	static struct who	 many[513];
	char			 key[16];
	size_t			 i;

	(void)state;
	for (i = 0; i < 512; i++) {
		(void)snprintf(key, sizeof(key), "many %zu", i);
		assert_int_equal(ask(&many[i], key, NULL), JUDGED_LATER);
	}
	assert_int_equal(ask(&many[512], "one more", NULL), JUDGED);
	assert_int_equal(many[512].result, AUTH_UNAVAILABLE);
	assert_int_equal(ask(&many[512], "many 7", NULL), JUDGED_LATER);
	api_keys_unwait(&many[512].w);
	for (i = 0; i < 512; i++)
		api_keys_unwait(&many[i].w);
	assert_int_equal(ask(&many[512], "one more", NULL), JUDGED_LATER);
	api_keys_unwait(&many[512].w);
}

static void
test_lost(void **state)
{
	(void)state;
	assert_int_equal(api_keys_lost(keys[1].mark), 0);
	assert_int_equal(api_keys_lose((const uint8_t []){ 2, 0 }, 2), -1);
	assert_int_equal(api_keys_lose((const uint8_t []){ 2 }, 0), -1);
	assert_int_equal(api_keys_lose((const uint8_t []){ 2 }, 1), 0);
	assert_int_equal(api_keys_lost(keys[0].mark), 0);
	assert_int_equal(api_keys_lost(keys[1].mark), 1);
}

static void
test_source(void **state)
{
	(void)state;
	assert_int_equal(api_keys_source(slice_of("2001:db8::1")),
	    api_keys_source(slice_of("2001:db8::2")));
	assert_int_not_equal(api_keys_source(slice_of("2001:db8:0:1::1")),
	    api_keys_source(slice_of("2001:db8::1")));
	assert_int_not_equal(api_keys_source(slice_of("192.0.2.1")),
	    api_keys_source(slice_of("192.0.2.2")));
	assert_int_equal(api_keys_source(slice_of("x")), 0);
	assert_int_equal(api_keys_source((struct slice){ NULL, 0 }), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_question),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_expires),
		cmocka_unit_test(test_another_keeper),
		cmocka_unit_test(test_hostile_keeper),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_source)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
