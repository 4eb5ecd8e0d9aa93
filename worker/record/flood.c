/*
 * A second begins with a source's first refusal, so that whoever refrains has
 * nothing here.  The places are fixed: a source that finds none shares lines
 * with all others like it.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <arpa/inet.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/base/share.h"
#include "worker/base/timeq.h"
#include "worker/record/audit.h"
#include "worker/record/flood.h"

#define PERIOD_MS	1000

struct flood {
	struct timer	 timer;		/* first: runs while it counts */
	struct share	*share;		/* whose; NULL: of the others */
	uint64_t	 lines;
	uint64_t	 more;		/* refusals beyond them */
};

static struct flood	 places[FLOOD_SOURCES], others;
static struct flood	*unused[FLOOD_SOURCES];
static size_t		 nunused;
static struct timeq	 periods;
static uint64_t		 limit;

static struct flood *flood_of(const struct proto_addr *);
static void	 period_over(struct timer *);
static int	 flood_tell(const struct flood *);

void
flood_setup(uint64_t per_second)
{
	limit = per_second;
	timeq_init(&periods, PERIOD_MS, period_over);
	for (nunused = 0; nunused < FLOOD_SOURCES; nunused++)
		unused[nunused] = &places[nunused];
}

int
flood_pass(const struct proto_addr *a)
{
	struct flood	*f;

	if (limit == 0)
		return (1);
	f = flood_of(a);
	if (f->timer.q == NULL)
		timer_start(&f->timer, &periods);
	if (f->lines < limit) {
		f->lines++;
		return (1);
	}
	f->more++;
	return (0);
}

static struct flood *
flood_of(const struct proto_addr *a)
{
	struct share	*s = share_get(a);
	struct flood	*f = s == NULL ? NULL : s->flood;

	if (f == NULL && s != NULL && nunused > 0) {
		f = unused[--nunused];
		f->share = s;
		s->flood = f;
		return (f);
	}
	share_put(s);
	return (f == NULL ? &others : f);
}

static void
period_over(struct timer *t)
{
	struct flood	*f = (struct flood *)t;

	/* the log is broken and takes no more: none is forgotten for that */
	if (f->more > 0 && flood_tell(f) == -1) {
		timer_start(&f->timer, &periods);
		return;
	}
	f->lines = f->more = 0;
	if (f->share == NULL)
		return;
	f->share->flood = NULL;
	share_put(f->share);
	f->share = NULL;
	unused[nunused++] = f;
}

/* 0, or -1: the line could not be kept. */
static int
flood_tell(const struct flood *f)
{
	const struct proto_addr	*a = f->share == NULL ? NULL : &f->share->addr;
	struct audit_entry	 e;
	char			 ip[INET6_ADDRSTRLEN + sizeof("/64")];
	char			 error[64];

	(void)snprintf(error, sizeof(error), "%" PRIu64 " more refusals %s",
	    f->more, a == NULL ? "of other addresses" : "like this");
	memset(&e, 0, sizeof(e));
	e.action = AUDIT_DENY;
	e.error = slice_of(error);
	e.suppressed = f->more;
	/* their answers are out */
	e.told = 1;
	if (a != NULL &&
	    inet_ntop(a->family, a->addr, ip, sizeof(ip)) != NULL) {
		if (a->family == AF_INET6)
			(void)strlcat(ip, "/64", sizeof(ip));
		e.client_ip = slice_of(ip);
	}
	return (audit_add(&e));
}

void
flood_end(void)
{
	size_t	 i;

	for (i = 0; i <= FLOOD_SOURCES; i++) {
		struct flood	*f = i < FLOOD_SOURCES ? &places[i] : &others;

		if (f->timer.q == NULL)
			continue;
		timer_clear(&f->timer);
		period_over(&f->timer);
	}
}
