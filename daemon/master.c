/*
 * Generations, reload, messages of children, and what happens when one dies.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/jwk.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/shm.h"
#include "daemon/audit_log.h"
#include "daemon/board.h"
#include "daemon/control.h"
#include "daemon/doors.h"
#include "daemon/generation.h"
#include "daemon/listen.h"
#include "daemon/liveness.h"
#include "daemon/logging.h"
#include "daemon/master.h"
#include "daemon/notify.h"
#include "daemon/preflight.h"
#include "daemon/process.h"
#include "daemon/slots.h"
#include "daemon/supervise.h"

#define EXIT_CONFIG	78		/* EX_CONFIG */
#define START_MS	30000		/* for new workers to become ready */
#define MEND_MS		1000
#define CROWDED_MS	2000		/* for the oldest of too many */
#define LIES_MAX	3		/* of a worker, about the audit log */
#define LIES_MS		60000
#define GO_MS		100		/* until one that failed tries again */
#define TORN_MS		20		/* a line takes no longer to write */
#define PASSING_LOG_MS	1000		/* between lines of what was lost */

static struct event_base	*base;
static struct master_options	 opt;
static struct event		*reload_ev;	/* limits a reload */
static struct event		*mend_ev;
static struct event		*go_ev;
static struct event		*torn_ev;
static struct event		*size_ev;	/* of the audit log */
static off_t			 torn_at;	/* the size of the file then */
static struct shm		*shm;
static int			 shm_fd = -1;
static int			 exit_code;
static int			 started;	/* the first one serves */
static int			 stopping;
static int			 reload_again;	/* a SIGHUP during a reload */

static struct generation *coming(void);
static void	 begin(struct generation *);
static void	 primed(struct process *, struct imsg *);
static void	 keys_came(struct process *, struct imsg *);
static void	 start_workers(struct generation *);
static void	 worker_ready_now(struct process *);
static void	 switch_to(struct generation *);
static void	 drain(struct generation *, enum proto_drain, uint64_t);
static void	 tell_lost(const struct generation *,
		    const struct generation *);
static void	 give_up(struct generation *, const char *);
static void	 reload_done(void);
static void	 reload_late(evutil_socket_t, short, void *);
static void	 worker_drained(struct process *);
static void	 hung(struct process *);
static void	 tell_reloaded(void);
static int	 idler(const struct process *, const struct process *,
		    uint32_t);
static void	 conn_passed(struct process *, struct imsg *);
static void	 conn_lost(struct process *);
static void	 audit_failed(struct process *, struct imsg *);
static int	 audit_lied(struct process *);
static void	 audit_stop(const char *);
static void	 torn_look(void);
static void	 torn_again(evutil_socket_t, short, void *);
static void	 audit_go(evutil_socket_t, short, void *);
static void	 audit_mend(evutil_socket_t, short, void *);
static void	 audit_told(evutil_socket_t, short, void *);
static void	 message(struct process *, struct imsg *);
static void	 handle(struct process *, struct imsg *);
static void	 child_log(struct process *, struct imsg *);
static int	 masters_event(const char *);
static void	 gone(struct process *, int);
static void	 worker_gone(struct process *);
static void	 stop_when_empty(void);
static void	 rejected(const char *);
static void	 set_draining(int);
static void	 set_log_level(int);
static void	 config_error(void *, const char *);
static void	 kept_fixed(void *, const char *);

static const struct control_calls control_calls = { master_reload,
	set_draining, set_log_level };

int
master_run(struct event_base *b, const struct master_options *o,
    struct config *conf)
{
	const struct timeval	 second = { 1, 0 };
	struct generation	*g;

	base = b;
	opt = *o;
	reload_ev = evtimer_new(base, reload_late, NULL);
	mend_ev = evtimer_new(base, audit_mend, NULL);
	go_ev = evtimer_new(base, audit_go, NULL);
	torn_ev = evtimer_new(base, torn_again, NULL);
	size_ev = event_new(base, -1, EV_PERSIST, audit_told, NULL);
	if (reload_ev == NULL || mend_ev == NULL || go_ev == NULL ||
	    torn_ev == NULL || size_ev == NULL ||
	    event_add(size_ev, &second) == -1)
		fatalx("evtimer_new");
	if ((shm_fd = shm_create(&shm)) == -1)
		fatal("shm_create");
	if (slots_setup(supervise_monitor_slot,
	    supervise_monitor_slot_gone) == -1)
		fatal("slots_setup");
	board_setup(opt.config_path);
	notify_watch(base);
	control_setup(base, &control_calls);
	if (process_setup(base, opt.self, &opt.hello, message, gone) == -1)
		return (1);
	if (audit_log_open(conf->audit_path) == -1)
		return (EXIT_CONFIG);
	if (doors_open(conf) == -1)
		return (1);
	supervise_setup(base);
	liveness_setup(base, hung);
	preflight_warn(conf);
	board_number(conf);
	if ((g = generation_new(conf)) == NULL)
		return (1);
	if (process_start(ROLE_FETCHER, 0, 0) == NULL ||
	    supervise_keeper_start() == NULL ||
	    supervise_monitor_start() == NULL)
		return (1);
	begin(g);
	if (event_base_dispatch(base) == -1)
		fatalx("event_base_dispatch");
	doors_close();
	return (exit_code);
}

/* The generation that is not serving yet, or NULL. */
static struct generation *
coming(void)
{
	struct generation	*g;

	TAILQ_FOREACH(g, generation_all(), link)
		if (g->state == GEN_PRIMING || g->state == GEN_STARTING)
			return (g);
	return (NULL);
}

/* First the fetcher must have its keys. */
static void
begin(struct generation *g)
{
	struct timeval	 tv = { START_MS / 1000, 0 };
	struct process	*f = supervise_service(ROLE_FETCHER);

	g->state = GEN_PRIMING;
	evtimer_add(reload_ev, &tv);
	/* the first one: its doors are open before it serves */
	if (generation_serving() == NULL)
		supervise_monitor_config(g);
	if (f != NULL && f->acked)
		supervise_fetch_config(f, g);
	/* else its hello brings it what there is */
}

static void
primed(struct process *p, struct imsg *m)
{
	struct generation	*g;
	char			 reason[PROTO_TEXT_MAX];
	uint32_t		 id;
	int			 ok;

	if (proto_get_primed(m, &id, &ok, reason) == -1) {
		process_broke(p, proto_name(m->type), "malformed");
		return;
	}
	if ((g = generation_find(id)) == NULL || g->state != GEN_PRIMING) {
		if (!ok && process_may_log(p))
			log_warnx("jwks.prime_failed", LOG_KV(
			    KV("generation", id), KV("error", reason)),
			    "oauth: prime jwks: %s", reason);
		return;
	}
	if (ok) {
		start_workers(g);
		return;
	}
	log_errx("jwks.prime_failed", LOG_KV(KV("generation", id),
	    KV("error", reason)), "oauth: prime jwks: %s", reason);
	give_up(g, "no key set");
}

/* Kept, unread, for workers and fetchers that come later. */
static void
keys_came(struct process *p, struct imsg *m)
{
	struct generation	*g;
	struct stat		 st;
	uint32_t		 id;

	if (proto_get_u32(m, &id) == -1 ||
	    (g = generation_find(id)) == NULL)
		return;
	if (fstat(m->fd, &st) == -1 || st.st_size <= 0 ||
	    st.st_size > JWK_PACKED_MAX) {
		process_broke(p, proto_name(m->type), "size of the key set");
		return;
	}
	if (g->keys != -1)
		close(g->keys);
	g->keys = imsg_take_fd(m);
	if (g->state == GEN_SERVING)
		supervise_monitor_keys(g);
}

static void
start_workers(struct generation *g)
{
	struct timeval	 tv = { START_MS / 1000, 0 };
	unsigned	 i;

	g->state = GEN_STARTING;
	evtimer_add(reload_ev, &tv);
	for (i = 0; i < g->conf->workers; i++)
		if (supervise_worker(g, i, &opt, shm_fd) == NULL) {
			give_up(g, "cannot start workers");
			return;
		}
}

static void
worker_ready_now(struct process *p)
{
	struct generation	*g = generation_find(p->generation);
	size_t			 ready, drained;

	if (p->ready || g == NULL) {
		process_broke(p, "MSG_READY", "not now");
		return;
	}
	p->ready = 1;
	if (g->state == GEN_SERVING) {
		proto_send_empty(p->channel, MSG_START);
		return;
	}
	generation_count(g, &ready, &drained);
	if (g->state == GEN_STARTING && ready >= g->conf->workers)
		switch_to(g);
}

/* All of them are ready: they begin, the old ones drain. */
static void
switch_to(struct generation *g)
{
	struct generation	*old = generation_serving(), *oldest;
	struct process		*p;
	size_t			 n = 0;

	evtimer_del(reload_ev);
	g->state = GEN_SERVING;
	logging_apply(g->conf, opt.verbose);
	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER && p->generation == g->id)
			proto_send_empty(p->channel, MSG_START);
	if (old != NULL)
		old->state = GEN_DRAINING;
	board_serving(g);
	supervise_monitor_config(g);
	supervise_monitor_keys(g);
	/* before they say that they drain */
	TAILQ_FOREACH(oldest, generation_all(), link)
		if (oldest->state == GEN_DRAINING)
			tell_lost(oldest, g);
	if (old != NULL)
		drain(old, DRAIN_HANDOVER, g->conf->w.t_drain);
	if (!started) {
		started = 1;
		log_info("daemon.serving", LOG_KV(
		    KV("listen", g->conf->listen),
		    KV("workers", g->conf->workers),
		    KV("generation", g->id)), "serving on %s with %u workers",
		    g->conf->listen, g->conf->workers);
		notify_serving(g->id, g->conf->workers, NULL);
		opt.started(0);
		reload_done();
	}
	TAILQ_FOREACH(oldest, generation_all(), link)
		n++;
	/* requests in flight get a moment, unless reloads come in a storm */
	TAILQ_FOREACH(oldest, generation_all(), link) {
		if (n <= GENERATIONS_MAX || oldest->state != GEN_DRAINING)
			break;
		drain(oldest, DRAIN_HANDOVER,
		    n-- > 2 * GENERATIONS_MAX ? 0 : CROWDED_MS);
	}
}

static void
drain(struct generation *g, enum proto_drain why, uint64_t ms)
{
	struct process	*p;

	TAILQ_FOREACH(p, process_all(), link) {
		if (p->role != ROLE_WORKER || p->generation != g->id)
			continue;
		p->draining = 1;
		if (p->channel == NULL || !p->acked ||
		    proto_send_drain(p->channel, why, ms) == -1)
			process_kill(p);
		else
			supervise_drain_limit(p, ms);
	}
}

/* Streams that such credentials opened are not to last as long as
 * drain_timeout, nor is a body that they began to let anything in. */
static void
tell_lost(const struct generation *old, const struct generation *g)
{
	uint8_t		 bits[CONF_KEYS_MAX / 8];
	struct process	*p;
	size_t		 len = generation_lost_keys(old, g, bits);
	int		 tokens = generation_lost_tokens(old, g);

	TAILQ_FOREACH(p, process_all(), link) {
		if (p->role != ROLE_WORKER || p->generation != old->id ||
		    p->channel == NULL)
			continue;
		if ((len > 0 && proto_send_keys_lost(p->channel, bits,
		    len) == -1) || (tokens && proto_send_empty(p->channel,
		    MSG_TOKENS_LOST) == -1))
			process_kill(p);
	}
}

/* A new generation cannot serve: at start we exit, later the old one stays. */
static void
give_up(struct generation *g, const char *why)
{
	struct process	*p;
	int		 priming = g->state == GEN_PRIMING;

	evtimer_del(reload_ev);
	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER && p->generation == g->id)
			process_kill(p);
	supervise_retire(g);
	generation_free(g);
	if (!started) {
		exit_code = priming ? EXIT_CONFIG : 1;
		log_errx("daemon.start_failed", LOG_KV(KV("reason", why)),
		    "the start failed: %s", why);
		master_stop();
		return;
	}
	rejected(why);
	reload_done();
}

static void
reload_done(void)
{
	if (!reload_again || stopping)
		return;
	reload_again = 0;
	master_reload();
}

static void
reload_late(evutil_socket_t fd, short what, void *arg)
{
	struct generation	*g = coming();

	(void)fd;
	(void)what;
	(void)arg;
	if (g == NULL)
		return;
	give_up(g, "its workers did not become ready in time");
}

void
master_reload(void)
{
	struct generation	*g = generation_serving();
	struct process		*k;
	struct config		*conf;
	int			 raised = 0;

	if (stopping)
		return;
	if (coming() != NULL || g == NULL) {
		reload_again = 1;
		return;
	}
	log_info("config.reloading", LOG_KV(KV("file", opt.config_path)),
	    "reloading %s", opt.config_path);
	control_reload_begins();
	notify_reloading();
	conf = config_load(opt.config_path, config_error, NULL);
	if (conf == NULL ||
	    config_keep_fixed(conf, g->conf, kept_fixed, NULL) == -1 ||
	    (raised = listen_raise_nofile(conf)) == -1) {
		config_free(conf);
		rejected(NULL);
		return;
	}
	if (raised)
		process_raise_nofile();
	preflight_warn(conf);
	board_number(conf);
	if ((g = generation_new(conf)) == NULL) {
		rejected(NULL);
		return;
	}
	if ((k = supervise_service(ROLE_KEEPER)) != NULL)
		supervise_keep_config(k, g);
	begin(g);
}

/* An old worker no longer accepts; when the last one says so, it is done. */
static void
worker_drained(struct process *p)
{
	if (!p->draining || p->drained) {
		process_broke(p, "MSG_DRAINING", "not now");
		return;
	}
	p->drained = 1;
	tell_reloaded();
}

/* What it does not say it will not say any more, even if it is slow to die. */
static void
hung(struct process *p)
{
	process_kill(p);
	if (p->role != ROLE_WORKER || !p->draining || p->drained)
		return;
	p->drained = 1;
	tell_reloaded();
}

/* When the last worker of all old generations has stopped to accept. */
static void
tell_reloaded(void)
{
	struct generation	*g, *now = generation_serving();
	size_t			 ready, drained;
	int			 news = 0;

	if (now == NULL || stopping)
		return;
	TAILQ_FOREACH(g, generation_all(), link) {
		if (g->state != GEN_DRAINING || g->told)
			continue;
		if (generation_count(g, &ready, &drained) != drained)
			return;
		news = 1;
	}
	if (!news)
		return;
	TAILQ_FOREACH(g, generation_all(), link)
		g->told |= g->state == GEN_DRAINING;
	log_info("config.reloaded", LOG_KV(KV("generation", now->id)),
	    "configuration reloaded: generation %u serves", now->id);
	board_reloaded(NULL);
	control_verdict(1, now->id);
	notify_serving(now->id, now->conf->workers, NULL);
	reload_done();
}

/* Has p less to do than q?  Whoever does not answer has most. */
static int
idler(const struct process *p, const struct process *q, uint32_t turn)
{
	size_t	 np = channel_queued(p->channel);
	size_t	 nq = channel_queued(q->channel);

	if ((p->waited > 1) != (q->waited > 1))
		return (q->waited > 1);
	return (np < nq || (np == nq && p->instance == turn));
}

/* To the worker of the newest generation that has least to do. */
static void
conn_passed(struct process *from, struct imsg *m)
{
	struct generation	*g = generation_serving();
	struct process		*p, *best = NULL;
	static uint32_t		 turn;
	size_t			 waiting = 0, len;
	struct proto_addr	 addr;
	const uint8_t		*input;
	int			 client;

	if (!from->draining ||
	    (client = listen_is_client(opt.listen_fd, m->fd)) == -1 ||
	    proto_get_conn(m, &addr, &input, &len) == -1) {
		process_broke(from, proto_name(m->type), "not now");
		return;
	}
	/* the last words of one that stops, or a client that has left */
	if (g == NULL || !client)
		return;
	turn++;
	TAILQ_FOREACH(p, process_all(), link) {
		if (p->role != ROLE_WORKER || p->generation != g->id ||
		    !p->ready || p->channel == NULL)
			continue;
		waiting += channel_queued(p->channel);
		if (best == NULL || idler(p, best, turn % g->conf->workers))
			best = p;
	}
	/* each of them is a descriptor of ours */
	if (best == NULL || waiting >= LISTEN_PASSING ||
	    proto_send_conn(best->channel, &addr, imsg_take_fd(m), input,
	    len) == -1)
		conn_lost(from);
}

/* Its workers do not take what is handed over. */
static void
conn_lost(struct process *from)
{
	static uint64_t	 logged;
	static unsigned	 n;

	n++;
	if (mono_ms() - logged < PASSING_LOG_MS)
		return;
	log_warnx("child.connections_lost", LOG_KV(PROCESS_KV(from),
	    KV("connections", n)), "%u connections that %s handed over are "
	    "lost: nobody takes them", n, process_name(from));
	logged = mono_ms();
	n = 0;
}

/* No worker makes the others stop by its word: we look ourselves. */
static void
audit_failed(struct process *p, struct imsg *m)
{
	struct timeval		 tv = { 0, GO_MS * 1000 };
	enum audit_log_state	 state;
	uint32_t		 error;

	if (proto_get_u32(m, &error) == -1) {
		process_broke(p, proto_name(m->type), "malformed");
		return;
	}
	/* then all are told when it works */
	if (evtimer_pending(mend_ev, NULL))
		return;
	state = audit_log_state();
	if ((state == AUDIT_LOG_FINE || state == AUDIT_LOG_TORN) &&
	    audit_lied(p))
		return;
	if (state == AUDIT_LOG_FULL || state == AUDIT_LOG_TORN) {
		audit_stop(strerror((int)error));
		return;
	}
	p->wants_go = 1;
	if (!evtimer_pending(go_ev, NULL))
		evtimer_add(go_ev, &tv);
}

/* Once it may have been so, until room was made. */
static int
audit_lied(struct process *p)
{
	uint64_t	 now = mono_ms();

	if (p->lies == 0 || now - p->lies_since > LIES_MS) {
		p->lies = 0;
		p->lies_since = now;
	}
	if (++p->lies < LIES_MAX)
		return (0);
	process_broke(p, "MSG_AUDIT_FAILED", "the log can be written");
	return (1);
}

static void
audit_stop(const char *why)
{
	struct timeval	 tv = { 0, 10000 };

	atomic_store(&shm->audit_broken, 1);
	audit_told(-1, 0, NULL);
	log_errx("audit.broken", LOG_KV(KV("error", why)),
	    "audit: write: %s; requests are refused until it works", why);
	/* whoever is inside a write is soon out of it */
	evtimer_add(mend_ev, &tv);
}

/* A worker that died may have done so in the middle of a line, and nobody will
 * go on with it; what another one is writing grows, or is whole soon. */
static void
torn_look(void)
{
	struct timeval	 tv = { 0, TORN_MS * 1000 };

	if (!evtimer_pending(mend_ev, NULL) &&
	    (torn_at = audit_log_torn()) != -1)
		evtimer_add(torn_ev, &tv);
}

static void
torn_again(evutil_socket_t fd, short what, void *arg)
{
	off_t	 was = torn_at;

	(void)fd;
	(void)what;
	(void)arg;
	if (evtimer_pending(mend_ev, NULL))
		return;
	if (audit_log_torn() == was)
		audit_stop("a worker died");
	else
		torn_look();
}

static void
audit_go(evutil_socket_t fd, short what, void *arg)
{
	struct process	*p;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH(p, process_all(), link) {
		if (p->wants_go && p->channel != NULL)
			proto_send_empty(p->channel, MSG_AUDIT_GO);
		p->wants_go = 0;
	}
}

static void
audit_mend(evutil_socket_t fd, short what, void *arg)
{
	struct timeval	 tv = { MEND_MS / 1000, 0 };
	struct process	*p;

	(void)fd;
	(void)what;
	(void)arg;
	if (audit_log_mend() == -1) {
		evtimer_add(mend_ev, &tv);
		return;
	}
	log_info("audit.mended", NULL, "audit: the log can be written again");
	atomic_store(&shm->audit_broken, 0);
	audit_told(-1, 0, NULL);
	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER && p->channel != NULL)
			proto_send_empty(p->channel, MSG_AUDIT_GO);
}

/* For the monitor. */
static void
audit_told(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	board_audit(atomic_load(&shm->audit_broken) != 0, audit_log_size());
}

void
master_log_level(int pri)
{
	logging_level(pri);
	log_info("daemon.log_level", LOG_KV(KV("to", log_level_name(pri))),
	    "the log's level is %s", log_level_name(pri));
}

void
master_reopen(void)
{
	struct process	*p;
	int		 fd;

	/* what is torn is cut off before the file is out of reach */
	if (atomic_load(&shm->audit_broken))
		(void)audit_log_mend();
	if (audit_log_reopen() == -1)
		return;
	TAILQ_FOREACH(p, process_all(), link) {
		if (p->role != ROLE_WORKER || p->channel == NULL)
			continue;
		if ((fd = audit_log_fd()) == -1) {
			log_err("audit.failed", LOG_KV(PROCESS_KV(p)),
			    "audit: reopen");
			return;
		}
		if (proto_send_fd(p->channel, MSG_AUDIT_FD, fd) == -1) {
			/* it would go on with the file of the past */
			log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
			    KV("reason", "reads_nothing")),
			    "%s reads no messages: killed", process_name(p));
			process_kill(p);
		}
	}
	log_info("daemon.audit_reopened", NULL, "audit: log reopened");
	if (atomic_load(&shm->audit_broken)) {
		evtimer_del(mend_ev);
		audit_mend(-1, 0, NULL);
	}
}

static void
message(struct process *p, struct imsg *m)
{
	uint32_t	 type = m->type;

	handle(p, m);
	if (type != MSG_LOG && type != MSG_PONG && type != MSG_CONN)
		board_refresh();
}

static void
handle(struct process *p, struct imsg *m)
{
	enum proto_type	 type;
	enum proto_role	 role;
	uint32_t	 version;

	switch (m->type) {
	case MSG_HELLO_ACK:
		if (p->acked || proto_get_u32(m, &version) == -1 ||
		    version != PROTO_VERSION) {
			process_broke(p, proto_name(m->type), "version");
			return;
		}
		p->acked = 1;
		if (p->role == ROLE_FETCHER)
			supervise_fetcher_up(p);
		break;
	case MSG_LOG:
		child_log(p, m);
		break;
	case MSG_READY:
		if (p->role == ROLE_WORKER)
			worker_ready_now(p);
		break;
	case MSG_PRIMED:
		primed(p, m);
		break;
	case MSG_KEYS:
		keys_came(p, m);
		break;
	case MSG_DRAINING:
		worker_drained(p);
		break;
	case MSG_CONN:
		conn_passed(p, m);
		break;
	case MSG_AUDIT_FAILED:
		audit_failed(p, m);
		break;
	case MSG_AGAIN:
		if (proto_get_again(m, &type, &role) == -1)
			process_broke(p, proto_name(m->type), "malformed");
		else
			supervise_wanted(p, type, role);
		break;
	case MSG_CONTROL:
		if (control_asked(p, m) == -1)
			process_broke(p, proto_name(m->type),
			    "malformed, or too many");
		break;
	case MSG_PONG:
		if (liveness_pong(p) == -1)
			process_broke(p, proto_name(m->type), "not asked");
		break;
	default:
		process_broke(p, proto_name(m->type), "not handled");
	}
}

static void
child_log(struct process *p, struct imsg *m)
{
	struct log_record	 r;

	if (proto_get_log(m, &r) == -1) {
		process_broke(p, proto_name(m->type), "malformed");
		return;
	}
	if (masters_event(r.event)) {
		process_broke(p, proto_name(m->type), "the master's event");
		return;
	}
	if (!process_may_log(p))
		return;
	log_relay(process_name(p), &r);
}

/* What only the master can know nobody else may say: who watches for such a
 * line need not look at who speaks. */
static int
masters_event(const char *event)
{
	static const char *const	 first[] = { "audit.", "child.",
					    "config.", "daemon.", "limits.",
					    "listen." };
	size_t				 i;

	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (strncmp(event, first[i], strlen(first[i])) == 0)
			return (1);
	return (0);
}

static void
gone(struct process *p, int status)
{
	(void)status;
	if (p->role == ROLE_WORKER)
		worker_gone(p);
	else if (!stopping)
		supervise_service_again(p);
	if (stopping)
		stop_when_empty();
	board_refresh();
}

static void
worker_gone(struct process *p)
{
	struct generation	*g = generation_find(p->generation);
	size_t			 n, ready, drained;

	supervise_forget(p);
	listen_heal(opt.listen_fd);
	torn_look();
	if (g == NULL || stopping)
		return;
	if (g->state == GEN_SERVING) {
		supervise_worker_again(p, g, &opt, shm_fd);
		return;
	}
	if (g->state == GEN_STARTING) {
		give_up(g, "a new worker died");
		return;
	}
	/* one that died instead of draining must not hold up the rest */
	n = generation_count(g, &ready, &drained);
	tell_reloaded();
	if (n > 0)
		return;
	supervise_retire(g);
	generation_free(g);
}

void
master_stop(void)
{
	struct generation	*g;
	uint64_t		 longest = 0;

	log_info("daemon.stopping", LOG_KV(KV("at_once", stopping)),
	    stopping ? "stopping at once" : "stopping");
	TAILQ_FOREACH(g, generation_all(), link) {
		if (g->conf->w.t_drain > longest)
			longest = g->conf->w.t_drain;
		drain(g, opt.listen_kept ? DRAIN_KEPT : DRAIN_STOP,
		    stopping ? 0 : g->conf->w.t_drain);
	}
	if (!stopping)
		notify_stopping(longest);
	stopping = 1;
	supervise_stop();
	stop_when_empty();
}

/* Fetcher and keeper go last: workers may still need keys. */
static void
stop_when_empty(void)
{
	struct process	*p;

	TAILQ_FOREACH(p, process_all(), link)
		if (p->role == ROLE_WORKER)
			return;
	if (TAILQ_EMPTY(process_all())) {
		event_base_loopbreak(base);
		return;
	}
	TAILQ_FOREACH(p, process_all(), link) {
		if (p->channel == NULL)
			continue;
		/* end of file is its word to go */
		p->expected = 1;
		channel_free(p->channel);
		p->channel = NULL;
		supervise_drain_limit(p, 1000);
	}
}

/* For load balancers: /readyz says so, and everything is served on. */
static void
set_draining(int on)
{
	if ((atomic_load(&shm->draining) != 0) == (on != 0))
		return;
	atomic_store(&shm->draining, on != 0);
	board_draining(on);
	if (on)
		log_info("daemon.drain_begun", NULL,
		    "draining, as asked for: /readyz says not ready");
	else
		log_info("daemon.drain_ended", NULL, "draining no longer");
}

static void
set_log_level(int pri)
{
	master_log_level(pri);
	board_log_level(pri);
}

static void
config_error(void *arg, const char *text)
{
	(void)arg;
	logging_config_error((void *)(uintptr_t)opt.config_path, text);
	control_error(text);
}

/* The old one serves on. */
static void
rejected(const char *why)
{
	const struct generation	*g = generation_serving();
	const char		*error;

	log_errx("config.rejected", LOG_KV(KV("file", opt.config_path),
	    KV_IF(why != NULL, "reason", why)),
	    "configuration rejected: %s%sthe old one serves on",
	    why != NULL ? why : "", why != NULL ? "; " : "");
	if (why != NULL)
		control_error(why);
	error = control_first_error()[0] != '\0' ? control_first_error() :
	    "rejected";
	board_reloaded(error);
	control_verdict(0, g == NULL ? 0 : g->id);
	if (g != NULL)
		notify_serving(g->id, g->conf->workers, error);
}

static void
kept_fixed(void *arg, const char *key)
{
	(void)arg;
	if (key == NULL) {
		log_errx("config.error", LOG_KV(
		    KV("key", "auth.oauth.audience")),
		    "auth.oauth.audience: required until auth.oauth."
		    "public_url takes effect, by a restart");
		return;
	}
	log_warnx("config.needs_restart", LOG_KV(KV("key", key)),
	    "%s changed, which needs a restart; the old value stays", key);
}
