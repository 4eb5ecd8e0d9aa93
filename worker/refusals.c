/*
 * Refusals by source, in a table of fixed size: where it is full, sources
 * share a place, so that having many addresses makes no more lines.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <string.h>

#include "worker/audit.h"
#include "worker/refusals.h"
#include "worker/share.h"
#include "worker/timeq.h"

#define SOURCES	512
#define PROBES	8
#define WINDOW_MS 1000

struct source {
	struct timer	 timer;		/* runs while it is used */
	struct proto_addr addr;
	char		 ip[INET6_ADDRSTRLEN];	/* "" when there are several */
	uint64_t	 n;
};

static const struct worker_conf	*conf;
static struct source		 sources[SOURCES];
static struct timeq		 q_window;

static struct source *source_of(const struct proto_addr *, struct slice);
static void	 window_over(struct timer *);
static void	 source_tell(struct source *);

void
refusals_setup(const struct worker_conf *c)
{
	conf = c;
	timeq_init(&q_window, WINDOW_MS, window_over);
}

int
refusals_may(const struct proto_addr *addr, struct slice ip)
{
	return (source_of(addr, ip)->n++ < conf->refusals);
}

static struct source *
source_of(const struct proto_addr *addr, struct slice ip)
{
	struct proto_addr	 net;
	struct source		*s, *unused = NULL;
	uint32_t		 h = share_network(addr, &net);
	unsigned		 i;

	for (i = 0; i < PROBES; i++) {
		s = &sources[(h + i) % SOURCES];
		if (s->timer.q == NULL) {
			if (unused == NULL)
				unused = s;
		} else if (memcmp(&s->addr, &net, sizeof(net)) == 0)
			break;
	}
	if (i == PROBES && unused == NULL) {
		s = &sources[h % SOURCES];
		s->ip[0] = '\0';
		return (s);
	}
	if (i < PROBES) {
		/* of an IPv6 network it may be another host */
		if (ip.len != strlen(s->ip) ||
		    memcmp(s->ip, ip.p, ip.len) != 0)
			s->ip[0] = '\0';
		return (s);
	}
	unused->addr = net;
	unused->n = 0;
	if (ip.len >= sizeof(unused->ip))
		ip.len = 0;
	if (ip.len > 0)
		memcpy(unused->ip, ip.p, ip.len);
	unused->ip[ip.len] = '\0';
	timer_start(&unused->timer, &q_window);
	return (unused);
}

static void
window_over(struct timer *t)
{
	source_tell((struct source *)((char *)t -
	    offsetof(struct source, timer)));
}

static void
source_tell(struct source *s)
{
	if (s->n > conf->refusals)
		audit_omitted(slice_of(s->ip[0] != '\0' ? s->ip : NULL),
		    s->n - conf->refusals);
	s->n = 0;
}

void
refusals_tell(void)
{
	size_t	 i;

	for (i = 0; i < SOURCES; i++)
		source_tell(&sources[i]);
}
