/*
 * keeper/: hashes against argon2(1)'s, what is to be tried for a key, what is
 * remembered of it, and the queue: bounds, turns, and who goes first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/api_key.h"
#include "common/argon2id.h"
#include "keeper/pool.h"
#include "keeper/store.h"

/* printf %s "$key" | argon2 $salt -id -e -t $t -k $k -p $p -l $l */
static const struct {
	const char	*key;
	const char	*encoded;
} known[] = {
	{ "correct horse", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$"
	    "3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8" },
	{ "correct horse", "argon2id$v=19$m=1024,t=3,p=4$MTIzNDU2Nzg5MGFiY2Rl"
	    "Zg$hrg8J/7YFCzCWjLP2spuVzbHNt/993aWtvcioWbY"
	    "vS81U/ZZ+V5cvGtiYb72mGNJKNqXy8RN9/tgIE1t11tvzA" },
	{ "x", "$argon2id$v=19$m=65536,t=3,p=2$c29tZXNhbHQ$"
	    "1p58NGWMJCCDRWVb5a8wTQUZdI7giABm7CXm8EUbXOk" },
	{ "x", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
	    "skB764niaHC5A1FkgLvE0w" }
};
#define NKNOWN	(sizeof(known) / sizeof(known[0]))

static struct phc
parsed(size_t i)
{
	struct phc	 h;

	assert_null(phc_parse(known[i].encoded, strlen(known[i].encoded),
	    &h));
	return (h);
}

static int
has(const struct phc *h, const char *key)
{
	return (argon2id_matches(h, (const uint8_t *)key, strlen(key)));
}

static void
test_hash(void **state)
{
	struct phc	 h;
	size_t		 i;

	(void)state;
	for (i = 0; i < NKNOWN; i++) {
		h = parsed(i);
		assert_int_equal(has(&h, known[i].key), 1);
		assert_int_equal(has(&h, "correct hors"), 0);
		assert_int_equal(has(&h, ""), 0);
		h.hash[h.hash_len - 1] ^= 1;
		assert_int_equal(has(&h, known[i].key), 0);
		h = parsed(i);
		h.salt[0] ^= 1;
		assert_int_equal(has(&h, known[i].key), 0);
	}
	argon2id_rest();
	h = parsed(0);
	assert_int_equal(has(&h, known[0].key), 1);
	/* more memory than there is: no verdict, rather than "no" */
	h.memory = 0xffffffff;
	h.lanes = 1;
	if (sizeof(size_t) == 8 && getenv("ASAN_OPTIONS") == NULL)
		assert_true(has(&h, known[0].key) <= 0);
	argon2id_rest();
}

/* A configuration of keys made up from a list of prefixes. */
static struct keeper_conf *
conf_of(const char *const *prefixes, size_t n, int remember)
{
	struct keeper_conf	*k;
	size_t			 i;

	assert_non_null(k = calloc(1, sizeof(*k)));
	assert_non_null(k->keys = calloc(n, sizeof(*k->keys)));
	k->nkeys = n;
	k->threads = 1;
	k->remember = remember;
	for (i = 0; i < n; i++) {
		strlcpy(k->keys[i].prefix, prefixes[i],
		    sizeof(k->keys[i].prefix));
		k->keys[i].hash = parsed(i % NKNOWN);
		k->keys[i].hash.salt[1] = (uint8_t)prefixes[i][0];
	}
	return (k);
}

static enum key_verdict
find(uint32_t gen, const char *key, struct store_match *m)
{
	uint8_t	 mark[KEYED_HASH_LEN];

	assert_int_equal(store_mark((const uint8_t *)key, strlen(key), mark),
	    0);
	return (store_find(gen, (const uint8_t *)key, strlen(key), mark, m));
}

static void
test_store(void **state)
{
	static const char	*first[] = { "", "", "AAAAAAAA" };
	static const char	*second[] = { "BBBBBBBB", "AAAAAAAA", "" };
	char			 key[API_KEY_LEN + 1], prefix[9];
	struct store_match	 m;
	uint8_t			 mark[KEYED_HASH_LEN];
	struct keeper_conf	*k;

	(void)state;
	store_setup();
	assert_int_equal(find(1, "opaque", &m), KEY_WRONG);
	assert_int_equal(store_add(1, conf_of(first, 3, 1)), 0);
	assert_int_equal(store_add(1, conf_of(first, 3, 1)), -1);
	assert_true(store_has(1) && !store_has(2));
	/* somebody else's key: all without a prefix */
	assert_int_equal(find(1, "opaque", &m), KEY_BUSY);
	assert_true(m.n == 2 && m.index[0] == 0 && m.index[1] == 1);
	assert_false(m.named);
	/* one of ours with a prefix that is not there: the same */
	api_key_make(key);
	assert_int_equal(find(1, key, &m), KEY_BUSY);
	assert_true(m.n == 2 && !m.named);
	key[API_KEY_LEN - 1] ^= 1;
	assert_int_equal(find(1, key, &m), KEY_WRONG);
	/* with one that is: that one alone */
	api_key_make(key);
	assert_int_equal(api_key_form(key, API_KEY_LEN, prefix),
	    API_KEY_OURS);
	k = conf_of(second, 3, 1);
	memcpy(k->keys[1].prefix, prefix, sizeof(prefix));
	assert_int_equal(store_add(2, k), 0);
	assert_int_equal(find(2, key, &m), KEY_BUSY);
	assert_true(m.named && m.n == 1 && m.index[0] == 1);
	/* what was learned holds for all that have the hash, and for those
	 * that come, wherever it stands there */
	assert_int_equal(store_mark((const uint8_t *)key, API_KEY_LEN, mark),
	    0);
	store_learn(store_hash(2, 1), mark);
	assert_int_equal(find(2, key, &m), KEY_OK);
	assert_int_equal(m.index[0], 1);
	assert_int_equal(find(1, key, &m), KEY_BUSY);
	k = conf_of(second, 3, 1);
	memcpy(k->keys[0].prefix, prefix, sizeof(prefix));
	k->keys[0].hash = *store_hash(2, 1);
	k->keys[1].hash.salt[2] = 'z';
	store_retire(1);
	assert_int_equal(store_add(3, k), 0);
	store_retire(2);
	assert_int_equal(find(3, key, &m), KEY_OK);
	assert_int_equal(m.index[0], 0);
	key[30] = key[30] == 'a' ? 'b' : 'a';
	assert_int_equal(find(3, key, &m), KEY_WRONG);
	/* told to remember nothing */
	k = conf_of(first, 1, 0);
	k->keys[0].hash = *store_hash(3, 0);
	assert_int_equal(store_add(4, k), 0);
	store_learn(store_hash(3, 0), mark);
	api_key_make(key);
	assert_int_equal(find(4, key, &m), KEY_BUSY);
	store_retire(3);
	store_retire(4);
	assert_int_equal(find(4, "opaque", &m), KEY_WRONG);
}

/* The queue, with one thread. */

static struct event_base	*base;
struct tagged {
	struct pool_job	 job;		/* first: found by it */
	uint64_t	 tag;
};

static uint64_t			 order[2 * POOL_JOBS_MAX];
static size_t			 ndone, npending;

static void
done(struct pool_job *job)
{
	size_t	 i;

	for (i = 0; i < sizeof(job->key); i++)
		assert_int_equal(job->key[i], 0);
	struct tagged	*t = (struct tagged *)job;

	order[ndone++] = t->tag << 8 | job->verdict;
	npending--;
	free(t);
}

static struct pool_job	*added;

/* Tagged by its source. */
static enum key_verdict
add_of(uint64_t worker, enum pool_lane lane, uint64_t source, const char *key,
    size_t n, size_t first)
{
	struct tagged	*t;
	enum key_verdict v;
	size_t		 i;

	assert_non_null(t = calloc(1, sizeof(*t)));
	t->tag = source;
	t->job.lane = lane;
	t->job.ncandidates = n;
	for (i = 0; i < n; i++)
		t->job.candidate[i] = parsed((first + i) % 2);
	t->job.key_len = strlen(key);
	memcpy(t->job.key, key, t->job.key_len);
	npending++;
	added = &t->job;
	if ((v = pool_add(&t->job, worker, source)) == KEY_OK)
		return (v);
	npending--;
	free(t);
	return (v);
}

static enum key_verdict
add(enum pool_lane lane, uint64_t source, const char *key, size_t n,
    size_t first)
{
	return (add_of(1, lane, source, key, n, first));
}

static void
run(void)
{
	while (npending > 0)
		assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
}

static void
test_pool_verdicts(void **state)
{
	(void)state;
	assert_non_null(base = event_base_new());
	pool_start(base, 1, done);
	ndone = 0;
	assert_int_equal(add(LANE_OTHER, 1, "correct horse", 1, 0), KEY_OK);
	assert_int_equal(add(LANE_OTHER, 2, "wrong", 2, 0), KEY_OK);
	run();
	assert_int_equal(ndone, 2);
	assert_true(order[0] == (1 << 8 | KEY_OK));
	assert_true(order[1] == (2 << 8 | KEY_WRONG));
}

static void
test_pool_turns(void **state)
{
	size_t	 i, at = 0;

	(void)state;
	ndone = 0;
	/* the first is in work while the others queue up */
	for (i = 0; i < 10; i++)
		assert_int_equal(add(LANE_OTHER, 1, "wrong", 2, 0), KEY_OK);
	assert_int_equal(add(LANE_OTHER, 2, "wrong", 1, 0), KEY_OK);
	assert_int_equal(add(LANE_NAMED, 3, "correct horse", 1, 0), KEY_OK);
	run();
	assert_int_equal(ndone, 12);
	/* the named one before all that had not begun, though the first had
	 * more to try; the second source before the crowd of the first */
	assert_true(order[0] >> 8 == 3);
	for (i = 0; i < ndone; i++)
		if (order[i] >> 8 == 2)
			at = i;
	assert_in_range(at, 1, 3);
}

static void
test_pool_bounds(void **state)
{
	size_t	 i, taken = 0;
	uint64_t source;

	(void)state;
	ndone = 0;
	for (i = 0; i < POOL_SOURCE_MAX; i++)
		assert_int_equal(add(LANE_OTHER, 1, "w", 1, 0), KEY_OK);
	assert_int_equal(add(LANE_OTHER, 1, "w", 1, 0), KEY_SHARE);
	for (source = 2; source < 1000; source++)
		taken += add(LANE_OTHER, source, "w", 1, 0) == KEY_OK;
	assert_int_equal(taken + POOL_SOURCE_MAX, POOL_JOBS_MAX);
	assert_int_equal(add(LANE_OTHER, 2000, "w", 1, 0), KEY_BUSY);
	/* the other lane has room */
	assert_int_equal(add(LANE_NAMED, 1, "w", 1, 0), KEY_OK);
	run();
	assert_int_equal(ndone, POOL_JOBS_MAX + 1);
	/* and there is room again */
	assert_int_equal(add(LANE_OTHER, 1, "w", 1, 0), KEY_OK);
	run();
}

/* Where a tag came, or -1. */
static int
place_of(uint64_t tag)
{
	size_t	 i;

	for (i = 0; i < ndone; i++)
		if (order[i] >> 8 == tag)
			return ((int)i);
	return (-1);
}

/* A worker that invents sources, even keys of ours, gets every second turn
 * and no more. */
static void
test_pool_workers(void **state)
{
	uint64_t	 source;

	(void)state;
	ndone = 0;
	for (source = 1000; source < 1100; source++) {
		assert_int_equal(add_of(1, LANE_OTHER, source, "w", 1, 0),
		    KEY_OK);
		assert_int_equal(add_of(1, LANE_NAMED, source, "w", 1, 0),
		    KEY_OK);
	}
	assert_int_equal(add_of(2, LANE_OTHER, 1, "w", 1, 0), KEY_OK);
	assert_int_equal(add_of(2, LANE_NAMED, 2, "correct horse", 1, 0),
	    KEY_OK);
	assert_int_equal(add_of(3, LANE_OTHER, 3, "w", 1, 0), KEY_OK);
	run();
	assert_in_range(place_of(2), 1, 3);
	assert_in_range(place_of(3), 1, 4);
	assert_in_range(place_of(1), 3, 6);
}

/* Nor does it get the room of others, or the share of a source that it
 * names. */
static void
test_pool_room(void **state)
{
	uint64_t	 source;
	size_t		 i, busy = 0;

	(void)state;
	ndone = 0;
	for (source = 1000; source < 1000 + POOL_JOBS_MAX - 40; source++)
		assert_int_equal(add_of(1, LANE_OTHER, source, "w", 1, 0),
		    KEY_OK);
	for (i = 0; i < POOL_SOURCE_MAX; i++)
		assert_int_equal(add_of(1, LANE_OTHER, 7, "w", 1, 0), KEY_OK);
	assert_int_equal(add_of(1, LANE_OTHER, 7, "w", 1, 0), KEY_SHARE);
	for (i = 0; i < POOL_SOURCE_MAX / 2; i++)
		assert_int_equal(add_of(2, LANE_OTHER, 7, "w", 1, 0), KEY_OK);
	assert_int_equal(add_of(2, LANE_OTHER, 7, "w", 1, 0), KEY_SHARE);
	/* whose last ones were told at once */
	assert_int_equal(ndone, POOL_SOURCE_MAX / 2 - 8);
	for (i = 0; i < ndone; i++)
		busy += (order[i] & 0xff) == KEY_BUSY && order[i] >> 8 == 7;
	assert_int_equal(busy, ndone);
	/* but it cannot take what is not more than its own */
	assert_int_equal(add_of(1, LANE_OTHER, 5000, "w", 1, 0), KEY_BUSY);
	run();
}

/* One job in two lines is done when the first of them comes to it, once; and
 * goes on when one of those who wait has left. */
static void
test_pool_join(void **state)
{
	struct pool_job	*both;
	uint64_t	 source;

	(void)state;
	ndone = 0;
	for (source = 1000; source < 1050; source++)
		assert_int_equal(add_of(1, LANE_OTHER, source, "w", 1, 0),
		    KEY_OK);
	assert_int_equal(add_of(1, LANE_OTHER, 7, "correct horse", 2, 1),
	    KEY_OK);
	both = added;
	assert_int_equal(pool_join(both, 2, 9), KEY_OK);
	assert_int_equal(pool_join(both, 2, 9), KEY_OK);
	assert_int_equal(pool_join(both, 1, 9), KEY_OK);
	run();
	assert_int_equal(ndone, 51);
	assert_in_range(place_of(7), 1, 6);
	assert_int_equal(order[place_of(7)] & 0xff, KEY_OK);

	ndone = 0;
	assert_int_equal(add_of(1, LANE_OTHER, 1, "w", 1, 0), KEY_OK);
	assert_int_equal(add_of(1, LANE_OTHER, 7, "correct horse", 1, 0),
	    KEY_OK);
	both = added;
	assert_int_equal(pool_join(both, 2, 9), KEY_OK);
	pool_leave(both, 1);
	pool_leave(both, 1);
	assert_int_equal(ndone, 0);
	assert_int_equal(add_of(3, LANE_OTHER, 8, "w", 1, 0), KEY_OK);
	pool_leave(added, 3);
	assert_int_equal(ndone, 1);
	assert_true(order[0] == (8 << 8 | KEY_BUSY));
	run();
	assert_int_equal(ndone, 3);
	assert_int_equal(order[place_of(7)] & 0xff, KEY_OK);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_pool_verdicts),
		cmocka_unit_test(test_pool_turns),
		cmocka_unit_test(test_pool_bounds),
		cmocka_unit_test(test_pool_workers),
		cmocka_unit_test(test_pool_room),
		cmocka_unit_test(test_pool_join)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
