/*
 * A worker: serves clients with one configuration, from its start to its
 * end.  It gets everything it needs by messages, before it closes itself in.
 */
#include <sys/resource.h>

#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/imsg.h"
#include "common/json.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/mono.h"
#include "common/proctitle.h"
#include "common/proto.h"
#include "common/sandbox.h"
#include "common/shm.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/peer.h"
#include "worker/base/sandbox_rules.h"
#include "worker/base/state.h"
#include "worker/base/timeq.h"
#include "worker/client/accept.h"
#include "worker/client/conn.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_pass.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/rules.h"
#include "worker/mcp/session.h"
#include "worker/record/audit.h"
#include "worker/record/flood.h"
#include "worker/record/span.h"
#include "worker/request/answer.h"
#include "worker/request/ask.h"
#include "worker/request/chain.h"
#include "worker/request/forward.h"
#include "worker/request/metadata.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/request/route.h"
#include "worker/request/spans.h"
#include "worker/request/stages.h"
#include "worker/upstream/probe.h"
#include "worker/upstream/upstream.h"
#include "worker/who/api_keys.h"
#include "worker/who/auth.h"
#include "worker/wire/tls.h"

#define PASS_AT_ONCE	64	/* idle connections handed over per turn */
#define ROUNDS		4	/* of flushing per turn */
#define QUEUE_MS	2000		/* connections wait for a restart */
#define SETTLE_MS	1000	/* for credentials being looked at */

enum { SERVING, HANDING_OVER, STOPPING };

static struct event_base	*base;
static struct event		*turn_ev;
static struct event		*drain_ev;
static struct event		*settle_ev;
static struct channel		*master;
static struct worker_conf	*conf;
static struct proto_hello	 hello;
static int			 listen_fd = -1, audit_fd = -1;
static const struct shm		*shm;
static int			 set_up, told_ready;
static int			 leaving = SERVING;
static int			 told_draining;
static uint64_t			 drain_deadline;

static void	 get_config(void);
static void	 take_listen_number(int);
static void	 take_config(struct imsg *);
static void	 set_up_modules(void);
static void	 enter_sandbox(void);
static void	 loop(void);
static void	 turn_end(void);
static void	 turn_event(evutil_socket_t, short, void *);
static void	 master_message(struct channel *, struct imsg *, void *);
static int	 lost(struct imsg *);
static void	 peer_gone(enum proto_role);
static void	 look_again(void);
static void	 maybe_ready(void);
static void	 drain_begin(enum proto_drain, uint64_t);
static void	 drain_expired(evutil_socket_t, short, void *);
static void	 settle_expired(evutil_socket_t, short, void *);
static void	 maybe_draining(void);
static void	 take_conn(struct imsg *);
static void	 pass_conn(int, const struct proto_addr *, const void *,
		    size_t);
static void	 audit_failed(int);

int
main(int argc, char *argv[])
{
	log_init("worker", 1, 0);
	proctitle_init(argc, argv);
	proctitle_comm("worker");
	child_signals();
	child_hello(&hello, ROLE_WORKER);
	proctitle_set("worker %u (g%u)", hello.instance, hello.generation);
	take_listen_number(STDIN_FILENO);
	if ((base = event_base_new()) == NULL)
		fatalx("event_base_new");
	get_config();
	json_seed();
	/* its first use must not look for a file */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("OPENSSL_init_crypto");
	tzset();
	master = channel_new(base, PROTO_CHANNEL_FD, master_message, NULL);
	if (master == NULL)
		fatalx("channel_new");
	child_log_to(master);
	child_drop(&hello, 1, 1);
	set_up_modules();
	enter_sandbox();
	maybe_ready();
	loop();
	return (0);
}

/* Everything but the fetcher's channel must be there to begin. */
static void
get_config(void)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct imsg	 m;
	const char	*why;
	int		 shm_fd = -1;

	while (conf == NULL || listen_fd == -1 || audit_fd == -1 ||
	    shm_fd == -1) {
		if (imsg_recv_wait(PROTO_CHANNEL_FD, &m, body, 10000) != 1)
			fatalx("no configuration came");
		if (proto_check(ROLE_MASTER, ROLE_WORKER, &m, &why) == -1)
			fatalx("%s: %s", proto_name(m.type), why);
		switch (m.type) {
		case MSG_WORKER_CONFIG:
			take_config(&m);
			break;
		case MSG_LISTEN:
			listen_fd = imsg_take_fd(&m);
			take_listen_number(listen_fd);
			close(listen_fd);
			listen_fd = WORKER_LISTEN_FD;
			break;
		case MSG_AUDIT_FD:
			audit_fd = imsg_take_fd(&m);
			break;
		case MSG_SHM:
			shm_fd = imsg_take_fd(&m);
			if (shm_map(shm_fd, &shm) == -1)
				fatal("shm_map");
			break;
		case MSG_LOG_LEVEL:
			child_log_level(&m);
			break;
		default:
			fatalx("%s: not now", proto_name(m.type));
		}
	}
	close(shm_fd);
}

/* Held by anything until the listen socket comes. */
static void
take_listen_number(int fd)
{
	if (dup3(fd, WORKER_LISTEN_FD, O_CLOEXEC) == -1)
		fatal("dup3");
}

static void
take_config(struct imsg *m)
{
	const void	*p;
	size_t		 len;
	int		 fd = imsg_take_fd(m);

	if (memfd_map(fd, CONF_PACKED_MAX, &p, &len) == -1)
		fatal("configuration");
	if (conf != NULL || (conf = worker_conf_unpack(p, len)) == NULL)
		fatalx("configuration: malformed");
	memfd_unmap(p, len);
	close(fd);
}

static void
set_up_modules(void)
{
	timeq_setup(base);
	state_setup(shm);
	tls_setup(conf->tls_cert, conf->tls_client_ca,
	    conf->ticket_secret);
	conn_setup(base, conf, accept_room);
	request_setup(conf, spans_end);
	spans_setup(conf);
	stages_setup(conf);
	route_setup(conf, accept_loopback(listen_fd));
	metadata_setup(&conf->oauth);
	answer_setup(&conf->oauth);
	forward_setup(conf);
	session_setup(conf);
	chain_setup(conf);
	relay_setup(conf);
	rules_setup(conf);
	accord_setup(conf);
	ask_setup(conf);
	peer_setup(base, peer_gone, maybe_ready);
	api_keys_setup(conf);
	auth_setup(conf, look_again);
	upstream_setup(base, conf);
	probe_setup(base, conf);
	accept_setup(base, listen_fd);
	audit_setup(audit_fd, shm, audit_failed);
	flood_setup(conf->refusals);
	turn_ev = event_new(base, -1, 0, turn_event, NULL);
	drain_ev = evtimer_new(base, drain_expired, NULL);
	settle_ev = evtimer_new(base, settle_expired, NULL);
	if (turn_ev == NULL || drain_ev == NULL || settle_ev == NULL)
		fatalx("event_new");
	set_up = 1;
}

static void
enter_sandbox(void)
{
	const struct conf_upstream *u;
	uint16_t	*ports;
	size_t		 i, j, n = 0;

	if ((ports = calloc(CONF_HOSTS_MAX, sizeof(*ports))) == NULL)
		fatal("calloc");
	for (i = 0; i < conf->nupstreams; i++) {
		u = &conf->upstreams[i];
		for (j = 0; j < u->nservers && n < CONF_HOSTS_MAX; j++)
			ports[n++] = u->servers[j].port;
	}
	worker_sandbox(ports, n);
	free(ports);
}

static void
loop(void)
{
	for (;;) {
		if (event_base_loop(base, EVLOOP_ONCE) == -1)
			fatalx("event_base_loop");
		turn_end();
		timeq_arm();
		clock_forget();
		if (leaving != SERVING && conn_count() == 0)
			break;
	}
	flood_end();
	if (audit_flush() == -1)
		log_warnx("record.unwritten", NULL,
		    "audit: leaving with lines that could not be written");
	span_flush();
	channel_flush(master, 1000);
}

/* Records first, then answers; then what ended is freed. */
static void
turn_end(void)
{
	int	 i, more = 1;

	for (i = 0; i < ROUNDS && more; i++) {
		if (audit_flush() == -1 && !conf->audit_allow)
			conn_abort_recorded(audit_cut_off());
		conn_clear_recorded();
		more = conn_flush_dirty();
	}
	if (more)
		event_active(turn_ev, EV_TIMEOUT, 0);
	maybe_draining();
	if (leaving == HANDING_OVER) {
		if (channel_queued(master) < PASS_AT_ONCE &&
		    conn_drain(PASS_AT_ONCE, pass_conn) > 0)
			event_active(turn_ev, EV_TIMEOUT, 0);
	} else if (leaving == STOPPING) {
		if (conn_only_newcomers())
			accept_stop();
		conn_drain(SIZE_MAX, NULL);
	}
	upstream_turn_end();
	conn_turn_end();
	stats_gauge_set(STATS_G_BUFFERED, buf_total());
}

static void
turn_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
master_message(struct channel *ch, struct imsg *m, void *arg)
{
	const char	*why;
	uint64_t	 ms;
	enum proto_drain why_drain;

	(void)arg;
	(void)ch;
	if (m == NULL) {
		/* the master is gone: finish what is begun, take no more */
		log_set_sink(NULL, NULL);
		accept_stop();
		drain_begin(DRAIN_STOP, conf->t_drain);
		return;
	}
	if (m->lost && lost(m))
		return;
	if (proto_check(ROLE_MASTER, ROLE_WORKER, m, &why) == -1)
		fatalx("%s: %s", proto_name(m->type), why);
	switch (m->type) {
	case MSG_PEER:
		if (peer_take(m) == -1)
			fatalx("MSG_PEER: malformed");
		break;
	case MSG_AUDIT_FD:
		audit_set_fd(imsg_take_fd(m));
		break;
	case MSG_AUDIT_GO:
		audit_go();
		break;
	case MSG_START:
		state_start();
		accept_start();
		break;
	case MSG_CONN:
		take_conn(m);
		break;
	case MSG_DRAIN:
		if (proto_get_drain(m, &why_drain, &ms) == -1)
			fatalx("MSG_DRAIN: malformed");
		drain_begin(why_drain, ms);
		break;
	case MSG_KEYS_LOST:
		if (api_keys_lose(m->data, m->len) == -1)
			fatalx("MSG_KEYS_LOST: malformed");
		look_again();
		break;
	case MSG_TOKENS_LOST:
		auth_lose_tokens();
		look_again();
		break;
	case MSG_LOG_LEVEL:
		child_log_level(m);
		break;
	case MSG_PING:
		proto_send_empty(master, MSG_PONG);
		break;
	default:
		fatalx("%s: not now", proto_name(m->type));
	}
}

/* Another worker had it. */
static void
take_conn(struct imsg *m)
{
	struct proto_addr	 addr;
	const uint8_t		*input;
	size_t			 len;

	if (proto_get_conn(m, &addr, &input, &len) == -1)
		fatalx("MSG_CONN: malformed");
	conn_passed(imsg_take_fd(m), &addr, input, len);
}

/* No descriptor was free for what it brought.  1, or 0: we cannot live on. */
static int
lost(struct imsg *m)
{
	uint32_t	 role, zero;

	log_warnx("service.no_descriptor",
	    LOG_KV(KV("message", proto_name(m->type))),
	    "%s: no descriptor was free, it is lost", proto_name(m->type));
	switch (m->type) {
	case MSG_CONN:
		return (1);
	case MSG_AUDIT_FD:
		return (proto_send_again(master, MSG_AUDIT_FD,
		    ROLE_MASTER) == 0);
	case MSG_PEER:
		return (proto_get_peer(m, &role, &zero) == 0 &&
		    proto_send_again(master, MSG_PEER, role) == 0);
	default:
		return (0);
	}
}

static void
drain_begin(enum proto_drain why, uint64_t ms)
{
	struct timeval	 tv = mono_timeval(SETTLE_MS);
	uint64_t	 deadline = clock_mono() + ms;
	int		 told = leaving != SERVING;

	state_leave();
	leaving = why == DRAIN_HANDOVER && leaving != STOPPING ?
	    HANDING_OVER : STOPPING;
	/* at a stop those who come are told so, while others are served: what
	 * waits in the queue at the end is lost, unless somebody keeps it;
	 * then they are told if it takes long */
	if (why == DRAIN_HANDOVER)
		accept_stop();
	else if (why == DRAIN_KEPT && !told)
		accept_pause(QUEUE_MS);
	probe_stop();
	conn_leave(leaving == HANDING_OVER);
	if (leaving == STOPPING)
		conn_end_all(1);
	if (!told && evtimer_add(settle_ev, &tv) == -1)
		fatalx("evtimer_add");
	event_active(turn_ev, EV_TIMEOUT, 0);
	/* told again, it is to be sooner, never later */
	if (told && deadline >= drain_deadline)
		return;
	drain_deadline = deadline;
	tv = mono_timeval(ms);
	if (evtimer_add(drain_ev, &tv) == -1)
		fatalx("evtimer_add");
}

static void
drain_expired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	accept_stop();
	conn_end_all(0);
}

static void
settle_expired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	conn_settle();
}

/* The old configuration has judged its last request: what the master then says
 * of the reload is true. */
static void
maybe_draining(void)
{
	if (leaving == SERVING || told_draining ||
	    (leaving == HANDING_OVER && conn_unsettled() > 0))
		return;
	told_draining = 1;
	proto_send_empty(master, MSG_DRAINING);
}

/* To the master, which gives it to a worker of the newest generation. */
static void
pass_conn(int fd, const struct proto_addr *addr, const void *input,
    size_t len)
{
	proto_send_conn(master, addr, fd, input, len);
}

static void
peer_gone(enum proto_role role)
{
	proto_send_again(master, MSG_PEER, role);
}

/* What let a request in may have been taken back. */
static void
look_again(void)
{
	conn_each_request(relay_look_again);
}

/* Ready when a request could be judged and sent on. */
static void
maybe_ready(void)
{
	if (told_ready || !set_up || !upstream_resolved() ||
	    !auth_ready())
		return;
	told_ready = 1;
	proto_send_empty(master, MSG_READY);
}

static void
audit_failed(int error)
{
	proto_send_u32(master, MSG_AUDIT_FAILED, (uint32_t)error, -1);
}
