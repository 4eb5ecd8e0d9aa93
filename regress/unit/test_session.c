/*
 * worker/mcp/session.c: an id opens for its owner alone, at its upstream, while
 * the server that minted it is there, and as it was made to the last bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/mcp/session.h"

#define ID	"upstream's-own.id"

static const uint8_t	 mark[CONF_MARK_LEN] = { 1 };
static const uint8_t	 other_mark[CONF_MARK_LEN] = { 2 };

static struct conf_server servers[] = {
	{ .authority = (char *)(uintptr_t)"a:1", .path = (char *)(uintptr_t)
	    "/mcp" },
	{ .authority = (char *)(uintptr_t)"b:1", .path = (char *)(uintptr_t)
	    "/mcp" }
};
static struct conf_upstream upstreams[] = {
	{ .name = (char *)(uintptr_t)"one", .servers = servers,
	    .nservers = 2 },
	{ .name = (char *)(uintptr_t)"two", .servers = servers,
	    .nservers = 2 }
};
static struct worker_conf conf = { .upstreams = upstreams, .nupstreams = 2,
    .session_secret = { 7 },
    .oauth = { .issuer = (char *)(uintptr_t)"https://as" } };

static int
setup(void **state)
{
	(void)state;
	session_setup(&conf);
	return (0);
}

/* Its id as the owner's client sees it. */
static struct slice
seal(const struct session_owner *o, size_t upstream, size_t server)
{
	static struct buf	 out;

	buf_free(&out);
	assert_int_equal(session_seal(o, upstream, slice_of(ID), server,
	    &out), 0);
	return ((struct slice){ buf_data(&out), out.len });
}

static void
assert_opens(const struct session_owner *o, size_t upstream, struct slice v,
    size_t server)
{
	struct slice	 id;
	size_t		 found = 99;

	assert_int_equal(session_open(o, upstream, v, &id, &found), 0);
	assert_true(slice_is(id, ID));
	assert_true(id.p > v.p && id.p + id.len == v.p + v.len);
	assert_int_equal(found, server);
}

static void
assert_closed(const struct session_owner *o, size_t upstream, struct slice v)
{
	struct slice	 id;
	size_t		 found;

	assert_int_equal(session_open(o, upstream, v, &id, &found), -1);
}

static struct session_owner
token_of(const char *client, const char *sub)
{
	return ((struct session_owner){ .judged = 1,
	    .client_id = slice_of(client), .sub = slice_of(sub) });
}

static struct session_owner
nameless(const char *digest)
{
	return ((struct session_owner){ .judged = 1,
	    .token = slice_of(digest) });
}

static struct session_owner
key_of(const char *id, const uint8_t *m)
{
	return ((struct session_owner){ .judged = 1, .key_id = slice_of(id),
	    .key_mark = m });
}

/* Every one of these is somebody else than every other: also where the same
 * bytes stand in other places. */
static void
test_owners(void **state)
{
	const struct session_owner	 who[] = {
		{ .judged = 0 },
		token_of("c", "s"), token_of("cs", NULL), token_of(NULL, "cs"),
		token_of("c", NULL), token_of("s", "c"),
		nameless("c"), nameless("d"),
		key_of("c", mark), key_of("c", other_mark), key_of("d", mark)
	};
	size_t	 i, j, n = sizeof(who) / sizeof(who[0]);
	struct slice	 v;

	(void)state;
	for (i = 0; i < n; i++) {
		v = seal(&who[i], 0, 1);
		for (j = 0; j < n; j++)
			if (i == j)
				assert_opens(&who[j], 0, v, 1);
			else
				assert_closed(&who[j], 0, v);
	}
}

/* A judged credential that has lost its names is nobody, and not everybody. */
static void
test_no_names(void **state)
{
	struct session_owner	 lost = { .judged = 1 };
	struct session_owner	 nobody = { .judged = 0 };
	struct buf		 out = { 0 };

	(void)state;
	assert_int_equal(session_seal(&lost, 0, slice_of(ID), 0, &out), -1);
	assert_int_equal(out.len, 0);
	assert_closed(&lost, 0, seal(&nobody, 0, 0));
}

static void
test_upstream(void **state)
{
	struct session_owner	 o = token_of("c", "s");

	(void)state;
	assert_opens(&o, 0, seal(&o, 0, 0), 0);
	assert_closed(&o, 1, seal(&o, 0, 0));
	assert_closed(&o, 0, seal(&o, 1, 0));
}

/* The server is known by its URL: another place in the list is the same, and
 * one that is gone takes its sessions along. */
static void
test_server(void **state)
{
	struct session_owner	 o = token_of("c", "s");
	struct conf_server	 turned[] = { servers[1], servers[0] };
	struct conf_upstream	 up[] = { upstreams[0], upstreams[1] };
	struct worker_conf	 other = conf;
	struct slice		 v = seal(&o, 0, 1);

	(void)state;
	other.upstreams = up;
	up[0].servers = turned;
	session_setup(&other);
	assert_opens(&o, 0, v, 0);
	up[0].servers = &servers[0];
	up[0].nservers = 1;
	session_setup(&other);
	assert_closed(&o, 0, v);
	session_setup(&conf);
	assert_opens(&o, 0, v, 1);
}

/* No byte may be another, none more or less. */
static void
test_forged(void **state)
{
	struct session_owner	 o = token_of("c", "s");
	struct slice		 v = seal(&o, 0, 0);
	char			 b[256];
	size_t			 i;

	(void)state;
	assert_true(v.len < sizeof(b));
	for (i = 0; i < v.len; i++) {
		memcpy(b, v.p, v.len);
		b[i] = b[i] == 'A' ? 'B' : 'A';
		assert_closed(&o, 0, (struct slice){ b, v.len });
		assert_closed(&o, 0, (struct slice){ v.p, i });
	}
	memcpy(b, v.p, v.len);
	b[v.len] = 'A';
	assert_closed(&o, 0, (struct slice){ b, v.len + 1 });
}

/* What an upstream may call a session (Session Management). */
static void
test_id(void **state)
{
	struct session_owner	 o = token_of("c", "s");
	struct buf		 out = { 0 };
	char			 b[SESSION_ID_MAX + 1];
	size_t			 i;
	static const char	 bad[] = { '\0', ' ', '\t', '\n', '\x1f',
				    '\x7f', '\x80', '\xff' };

	(void)state;
	memset(b, '~', sizeof(b));
	assert_int_equal(session_seal(&o, 0, (struct slice){ b, 0 }, 0, &out),
	    -1);
	assert_int_equal(session_seal(&o, 0, (struct slice){ b, sizeof(b) }, 0,
	    &out), -1);
	for (i = 0; i < sizeof(bad); i++) {
		b[3] = bad[i];
		assert_int_equal(session_seal(&o, 0, (struct slice){ b, 9 }, 0,
		    &out), -1);
	}
	assert_int_equal(out.len, 0);
	b[3] = '!';
	assert_int_equal(session_seal(&o, 0, (struct slice){ b,
	    SESSION_ID_MAX }, 0, &out), 0);
	buf_free(&out);
}

/* Replicas with one secret are one; another secret is another. */
static void
test_secret(void **state)
{
	struct session_owner	 o = token_of("c", "s");
	struct worker_conf	 other = conf;
	struct slice		 v = seal(&o, 0, 0);
	char			 name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "%s", session_pseudonym());
	session_setup(&other);
	assert_opens(&o, 0, v, 0);
	assert_string_equal(session_pseudonym(), name);
	other.session_secret[CONF_SECRET_LEN - 1] ^= 1;
	session_setup(&other);
	assert_closed(&o, 0, v);
	assert_string_not_equal(session_pseudonym(), name);
	session_setup(&conf);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_upstream),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_secret)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
