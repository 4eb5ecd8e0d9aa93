/*
 * Starts, restarts and deadlines of children.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "daemon/audit_log.h"
#include "daemon/doors.h"
#include "daemon/slots.h"
#include "daemon/supervise.h"

#define BACKOFF_MIN	100		/* ms */
#define BACKOFF_MAX	10000
#define STABLE_MS	30000		/* lived so long: no longer failing */
#define GRACE_MS	5000		/* beyond drain_timeout */
#define MONITOR_QUEUE	256	/* messages that may wait for it */
#define AGAIN_S		1		/* until what was lost is sent again */

/* A place for a child: how often its holders died lately. */
struct place {
	TAILQ_ENTRY(place) link;
	enum proto_role	 role;
	uint32_t	 instance;
	uint64_t	 backoff;	/* ms, for the next pause */
	struct event	*ev;		/* pending: a pause */
	const struct master_options *opt;
	int		 shm_fd;
};

/* A child that should be gone. */
struct limit {
	TAILQ_ENTRY(limit) link;
	pid_t		 pid;
	struct event	*ev;
};

static struct event_base	*base;
static TAILQ_HEAD(, place)	 places = TAILQ_HEAD_INITIALIZER(places);
static TAILQ_HEAD(, limit)	 limits = TAILQ_HEAD_INITIALIZER(limits);
static int			 stopped;
static struct event		*wants_ev;

static void	 monitor_send(struct process *, enum proto_type, uint32_t,
		    int);
static void	 connect_to(struct process *, struct process *);
static int	 copy_fd(int);
static void	 again(const struct process *, const struct master_options *,
		    int);
static struct process *service_start(enum proto_role);
static void	 again_now(evutil_socket_t, short, void *);
static void	 send_wanted(evutil_socket_t, short, void *);
static void	 limit_over(evutil_socket_t, short, void *);
static void	 limit_free(struct limit *);
static struct process *process_by_pid(pid_t);

void
supervise_setup(struct event_base *b)
{
	base = b;
	if ((wants_ev = evtimer_new(base, send_wanted, NULL)) == NULL)
		fatalx("supervise: no memory");
}

void
supervise_stop(void)
{
	struct place	*p;

	stopped = 1;
	TAILQ_FOREACH(p, &places, link)
		event_del(p->ev);
}

struct process *
supervise_service(enum proto_role role)
{
	struct process	*p;

	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == role && p->channel != NULL)
			return (p);
	return (NULL);
}

/* A duplicate to give away; it shares nothing that matters (sealed). */
static int
copy_fd(int fd)
{
	int	 copy;

	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) == -1)
		log_warn("child.descriptor_failed", NULL,
		    "duplicating a descriptor");
	return (copy);
}

void
supervise_fetch_config(struct process *f, struct generation *g)
{
	int	 fd;

	if ((fd = copy_fd(g->fetcher_part)) == -1 ||
	    proto_send_u32(f->channel, MSG_FETCH_CONFIG, g->id, fd) == -1) {
		process_kill(f);
		return;
	}
	if (g->keys != -1 && (fd = copy_fd(g->keys)) != -1)
		proto_send_u32(f->channel, MSG_KEYS, g->id, fd);
}

void
supervise_fetcher_up(struct process *f)
{
	struct generation	*g;
	struct process		*p;

	TAILQ_FOREACH(g, generation_all(), link) {
		supervise_fetch_config(f, g);
		if (f->channel == NULL)
			return;
	}
	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER && p->channel != NULL)
			connect_to(f, p);
}

/* It reads its configuration before anything else: the number of threads is
 * in it. */
struct process *
supervise_keeper_start(void)
{
	struct generation	*g;
	struct process		*k, *p;

	if ((k = process_start(ROLE_KEEPER, 0, 0)) == NULL)
		return (NULL);
	TAILQ_FOREACH(g, generation_all(), link) {
		supervise_keep_config(k, g);
		if (k->channel == NULL)
			return (k);
	}
	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER && p->channel != NULL)
			connect_to(k, p);
	return (k);
}

struct process *
supervise_monitor_start(void)
{
	const struct generation	*g = generation_serving();
	struct process		*p;
	struct slot		*s;
	uint32_t		 d;
	int			 fd;

	if ((p = process_start(ROLE_MONITOR, 0, 0)) == NULL)
		return (NULL);
	if ((fd = slots_board_fd()) == -1 ||
	    proto_send_fd(p->channel, MSG_BOARD, fd) == -1) {
		process_kill(p);
		return (p);
	}
	TAILQ_FOREACH(s, slots_all(), link)
		supervise_monitor_slot(s);
	if (g != NULL) {
		supervise_monitor_config(g);
		supervise_monitor_keys(g);
	}
	for (d = 0; d < DOOR_MAX; d++)
		if ((fd = doors_fd((enum proto_door)d)) != -1)
			monitor_send(p, MSG_DOOR, d, fd);
	return (p);
}

/* It is nobody's business to wait for it: one that does not read is ended. */
static void
monitor_send(struct process *p, enum proto_type type, uint32_t v, int fd)
{
	if (p == NULL || p->channel == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (channel_queued(p->channel) < MONITOR_QUEUE &&
	    proto_send_u32(p->channel, type, v, fd) == 0)
		return;
	log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
	    KV("reason", "reads_nothing")),
	    "%s reads no messages: killed", process_name(p));
	process_kill(p);
}

void
supervise_monitor_config(const struct generation *g)
{
	struct process	*p = supervise_service(ROLE_MONITOR);
	int		 fd;

	if (p != NULL && (fd = copy_fd(g->monitor_part)) != -1)
		monitor_send(p, MSG_MONITOR_CONFIG, g->id, fd);
}

void
supervise_monitor_keys(const struct generation *g)
{
	struct process	*p = supervise_service(ROLE_MONITOR);
	int		 fd;

	if (p != NULL && g->keys != -1 && (fd = copy_fd(g->keys)) != -1)
		monitor_send(p, MSG_KEYS, g->id, fd);
}

void
supervise_monitor_slot(const struct slot *s)
{
	struct process	*p = supervise_service(ROLE_MONITOR);
	int		 fd;

	if (p != NULL && (fd = copy_fd(s->view_fd)) != -1)
		monitor_send(p, MSG_SLOT, s->number, fd);
}

void
supervise_monitor_slot_gone(uint32_t number)
{
	monitor_send(supervise_service(ROLE_MONITOR), MSG_SLOT_GONE, number,
	    -1);
}

void
supervise_keep_config(struct process *k, struct generation *g)
{
	int	 fd;

	if ((fd = copy_fd(g->keeper_part)) == -1 ||
	    proto_send_u32(k->channel, MSG_KEEP_CONFIG, g->id, fd) == -1)
		process_kill(k);
}

void
supervise_service_again(const struct process *dead)
{
	again(dead, NULL, -1);
}

void
supervise_retire(const struct generation *g)
{
	struct process	*f = supervise_service(ROLE_FETCHER);
	struct process	*k = supervise_service(ROLE_KEEPER);

	if (f != NULL && f->acked)
		proto_send_u32(f->channel, MSG_RETIRE, g->id, -1);
	if (k != NULL)
		proto_send_u32(k->channel, MSG_RETIRE, g->id, -1);
}

/* A channel between fetcher or keeper and a worker, one end to each. */
static void
connect_to(struct process *f, struct process *w)
{
	int	 sv[2];

	if (imsg_pair(sv) == -1) {
		log_warn("child.descriptor_failed", LOG_KV(PROCESS_KV(w)),
		    "socketpair");
		return;
	}
	w->wants_peer[f->role] = 0;
	proto_send_peer(f->channel, w->generation, w->instance, sv[0]);
	proto_send_peer(w->channel, f->role, 0, sv[1]);
}

void
supervise_wanted(struct process *w, enum proto_type type,
    enum proto_role role)
{
	struct timeval	 tv = { AGAIN_S, 0 };

	if (type == MSG_AUDIT_FD)
		w->wants_audit = 1;
	else
		w->wants_peer[role] = 1;
	if (!evtimer_pending(wants_ev, NULL))
		evtimer_add(wants_ev, &tv);
}

/* Who is not there to be connected to connects to all when it is. */
static void
send_wanted(evutil_socket_t fd, short what, void *arg)
{
	static const enum proto_role roles[] = { ROLE_FETCHER, ROLE_KEEPER };
	struct process	*w, *f;
	size_t		 i;
	int		 audit;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH(w, process_all(), link) {
		if (w->role != ROLE_WORKER || w->channel == NULL)
			continue;
		if (w->wants_audit && (audit = audit_log_fd()) != -1) {
			w->wants_audit = 0;
			proto_send_fd(w->channel, MSG_AUDIT_FD, audit);
		}
		for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
			f = supervise_service(roles[i]);
			if (w->wants_peer[roles[i]] && f != NULL &&
			    (f->role == ROLE_KEEPER || f->acked))
				connect_to(f, w);
		}
	}
}

struct process *
supervise_worker(struct generation *g, uint32_t instance,
    const struct master_options *opt, int shm_fd)
{
	struct process	*f = supervise_service(ROLE_FETCHER);
	struct process	*k = supervise_service(ROLE_KEEPER), *p;
	int		 config, sock, audit, shm;

	if ((p = process_start(ROLE_WORKER, instance, g->id)) == NULL)
		return (NULL);
	config = copy_fd(g->worker_part);
	sock = copy_fd(opt->listen_fd);
	shm = copy_fd(shm_fd);
	if ((audit = audit_log_fd()) == -1)
		log_warn("child.descriptor_failed", LOG_KV(PROCESS_KV(p)),
		    "audit log");
	if (config == -1 || sock == -1 || audit == -1 || shm == -1) {
		if (config != -1)
			close(config);
		if (sock != -1)
			close(sock);
		if (audit != -1)
			close(audit);
		if (shm != -1)
			close(shm);
		/* it dies of not being told; the caller tries again */
		process_kill(p);
		return (p);
	}
	proto_send_u32(p->channel, MSG_WORKER_CONFIG, g->id, config);
	proto_send_fd(p->channel, MSG_LISTEN, sock);
	proto_send_fd(p->channel, MSG_AUDIT_FD, audit);
	proto_send_fd(p->channel, MSG_SHM, shm);
	if (f != NULL && f->acked)
		connect_to(f, p);
	if (k != NULL)
		connect_to(k, p);
	return (p);
}

void
supervise_worker_again(const struct process *dead, struct generation *g,
    const struct master_options *opt, int shm_fd)
{
	(void)g;
	again(dead, opt, shm_fd);
}

static void
again(const struct process *dead, const struct master_options *opt,
    int shm_fd)
{
	struct place	*p;
	struct timeval	 tv;

	TAILQ_FOREACH(p, &places, link)
		if (p->role == dead->role && p->instance == dead->instance)
			break;
	if (p == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL ||
		    (p->ev = evtimer_new(base, again_now, p)) == NULL)
			fatalx("no memory");
		p->role = dead->role;
		p->instance = dead->instance;
		TAILQ_INSERT_TAIL(&places, p, link);
	}
	p->opt = opt;
	p->shm_fd = shm_fd;
	if (p->backoff == 0 || mono_ms() - dead->started > STABLE_MS)
		p->backoff = BACKOFF_MIN;
	tv = mono_timeval(p->backoff);
	log_info("child.restarting", LOG_KV(PROCESS_KV(dead),
	    KV("ms", p->backoff)), "%s starts again in %llu ms",
	    process_name(dead), (unsigned long long)p->backoff);
	if ((p->backoff *= 2) > BACKOFF_MAX)
		p->backoff = BACKOFF_MAX;
	if (!stopped)
		evtimer_add(p->ev, &tv);
}

static struct process *
service_start(enum proto_role role)
{
	if (role == ROLE_KEEPER)
		return (supervise_keeper_start());
	if (role == ROLE_MONITOR)
		return (supervise_monitor_start());
	return (process_start(ROLE_FETCHER, 0, 0));
}

/* In the generation that serves now, which may be newer. */
static void
again_now(evutil_socket_t fd, short what, void *arg)
{
	struct place		*p = arg;
	struct generation	*g = generation_serving();
	struct timeval		 tv = { 1, 0 };
	struct process		*q;

	(void)fd;
	(void)what;
	if (stopped)
		return;
	stats_inc(STATS_RESPAWNS);
	if (p->role != ROLE_WORKER) {
		if (service_start(p->role) == NULL)
			evtimer_add(p->ev, &tv);
		return;
	}
	if (g == NULL || p->instance >= g->conf->workers)
		return;
	TAILQ_FOREACH(q, process_all(), link)
		if (q->role == ROLE_WORKER && q->generation == g->id &&
		    q->instance == p->instance)
			return;		/* a reload was faster */
	if (supervise_worker(g, p->instance, p->opt, p->shm_fd) == NULL)
		evtimer_add(p->ev, &tv);
}

void
supervise_drain_limit(struct process *p, uint64_t ms)
{
	struct limit	*l;
	struct timeval	 tv;

	supervise_forget(p);
	if ((l = calloc(1, sizeof(*l))) == NULL ||
	    (l->ev = evtimer_new(base, limit_over, l)) == NULL)
		fatalx("no memory");
	l->pid = p->pid;
	TAILQ_INSERT_TAIL(&limits, l, link);
	tv = mono_timeval(ms + GRACE_MS);
	evtimer_add(l->ev, &tv);
}

void
supervise_forget(const struct process *p)
{
	struct limit	*l;

	TAILQ_FOREACH(l, &limits, link)
		if (l->pid == p->pid) {
			limit_free(l);
			return;
		}
}

static void
limit_free(struct limit *l)
{
	TAILQ_REMOVE(&limits, l, link);
	event_free(l->ev);
	free(l);
}

static void
limit_over(evutil_socket_t fd, short what, void *arg)
{
	struct limit	*l = arg;
	struct process	*p = process_by_pid(l->pid);

	(void)fd;
	(void)what;
	limit_free(l);
	if (p == NULL)
		return;
	log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
	    KV("reason", "not_left")), "%s did not leave in time: killed",
	    process_name(p));
	process_kill(p);
}

static struct process *
process_by_pid(pid_t pid)
{
	struct process	*p;

	TAILQ_FOREACH(p, process_all(), link)
		if (p->pid == pid)
			return (p);
	return (NULL);
}
