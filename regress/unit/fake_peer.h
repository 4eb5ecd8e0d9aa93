/*
 * What the tests of those who ask fetcher and keeper share: a loop, a clock
 * that moves when it is told to, the other end of a channel, and waiters that
 * keep what they were told.
 */
#ifndef REGRESS_FAKE_PEER_H
#define REGRESS_FAKE_PEER_H

#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/proto.h"
#include "worker/base/clock.h"
#include "worker/base/peer.h"
#include "worker/base/timeq.h"
#include "worker/who/waiter.h"

#define ASKED_MAX	600
#define WALL		1700000000000

/* A message that came to the other end. */
struct asked {
	uint32_t	 type;
	uint64_t	 id;		/* of a MSG_KEY_CHECK */
	uint64_t	 source;
	char		 key[64];
};

/* One who waits, and what was said. */
struct who {
	struct waiter	 w;
	int		 told;		/* so often */
	enum auth_result result;
	char		 client_id[64];	/* "-": unknown; so are the next */
	char		 key_id[64];
	char		 scopes[64];
	int		 crowding;
	const char	*why;
	void		(*then)(struct who *);	/* is called when told */
};

static struct event_base	*base;
static uint64_t			 now = 1000000;
static struct channel		*far;	/* the other end */
static struct asked		 asked[ASKED_MAX];
static size_t			 nasked;
static size_t			 nevents;
static int			 ngone;

void
clock_forget(void)
{
}

uint64_t
clock_mono(void)
{
	return (now);
}

uint64_t
clock_turn(void)
{
	return (now * 1000);
}

uint64_t
clock_now(void)
{
	return (now * 1000);
}

int64_t
clock_wall(void)
{
	return (WALL + (int64_t)now - 1000000);
}

static void
far_message(struct channel *ch, struct imsg *m, void *arg)
{
	struct asked	*a;
	const uint8_t	*key;
	size_t		 len;

	(void)ch;
	(void)arg;
	if (m == NULL)
		return;
	nevents++;
	assert_true(nasked < ASKED_MAX);
	a = &asked[nasked++];
	memset(a, 0, sizeof(*a));
	a->type = m->type;
	if (m->type != MSG_KEY_CHECK)
		return;
	assert_int_equal(proto_get_key_check(m, &a->id, &a->source, &key,
	    &len), 0);
	assert_true(len < sizeof(a->key));
	memcpy(a->key, key, len);
}

static void
gone(enum proto_role role)
{
	(void)role;
	ngone++;
}

static void
heard(void)
{
	nevents++;
}

/* Until nothing more comes at either end: a socket pair delivers at once.
 * From within a callback it is left to the one who is settling. */
static void
settle(void)
{
	static int	 settling;
	size_t		 before;

	if (settling++ > 0) {
		settling--;
		return;
	}
	do {
		before = nevents;
		assert_int_not_equal(event_base_loop(base, EVLOOP_NONBLOCK),
		    -1);
	} while (nevents != before);
	settling--;
}

/* Another process at the other end. */
static void
renew(enum proto_role role)
{
	int	 sv[2];

	assert_int_equal(imsg_pair(sv), 0);
	channel_free(far);
	assert_non_null(far = channel_new(base, sv[1], far_message, NULL));
	peer_attach(role, sv[0]);
	settle();
}

/* The time passes, unnoticed. */
static inline void
pass(uint64_t ms)
{
	now += ms;
}

/* The time passes to when the earliest timer runs out, or just before it. */
static inline void
pass_noticed(uint64_t ms)
{
	now += ms;
	timeq_arm();
	assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
}

static inline void
keep(char *out, size_t size, struct slice s)
{
	(void)snprintf(out, size, "%.*s", s.p == NULL ? 1 : (int)s.len,
	    s.p == NULL ? "-" : s.p);
}

static inline void
note(struct who *who, const struct verdict *v)
{
	who->told++;
	who->result = v->result;
	who->crowding = v->crowding;
	who->why = v->why;
	keep(who->client_id, sizeof(who->client_id), v->client_id);
	keep(who->key_id, sizeof(who->key_id), v->key_id);
	keep(who->scopes, sizeof(who->scopes), v->scopes);
}

static inline void
who_done(struct waiter *w, const struct verdict *v)
{
	struct who	*who = (struct who *)w;

	note(who, v);
	if (who->then != NULL)
		who->then(who);
}

static void
fake_setup(void)
{
	assert_non_null(base = event_base_new());
	timeq_setup(base);
	peer_setup(base, gone, heard);
}

#endif
