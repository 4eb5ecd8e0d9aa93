/*
 * The keeper: it alone holds what API keys hash to, and says of a key
 * whether it is one.  No network, no file system; it talks to its master and
 * to workers.
 */
#include <openssl/crypto.h>

#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/imsg.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/proctitle.h"
#include "common/proto.h"
#include "keeper/checks.h"
#include "keeper/pool.h"
#include "keeper/sandbox_rules.h"
#include "keeper/store.h"

#define CONFIG_MS	10000

static struct event_base	*base;
static struct channel		*master;

static unsigned	 first_config(void);
static unsigned	 configure(struct imsg *);
static void	 master_message(struct channel *, struct imsg *, void *);

int
main(int argc, char *argv[])
{
	struct proto_hello	 hello;
	unsigned		 nthreads;

	log_init("keeper", 1, 0);
	proctitle_init(argc, argv);
	proctitle_comm("keeper");
	child_signals();
	child_hello(&hello, ROLE_KEEPER);
	proctitle_set("keeper");
	if ((base = event_base_new()) == NULL)
		fatalx("event_base_new");
	/* its first use must not look for a file */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("OPENSSL_init_crypto");
	tzset();
	store_setup();
	nthreads = first_config();
	master = channel_new(base, PROTO_CHANNEL_FD, master_message, NULL);
	if (master == NULL)
		fatalx("channel_new");
	child_log_to(master);
	child_drop(&hello, 1, 0);
	keeper_landlock();
	pool_start(base, nthreads, checks_done);
	/* the last thread was started: no other will be */
	child_no_procs();
	keeper_sandbox();
	checks_setup(base);
	if (event_base_dispatch(base) == -1)
		fatalx("event_base_dispatch");
	return (0);
}

/* The number of threads, which is heeded once. */
static unsigned
first_config(void)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct imsg	 m;
	const char	*why;

	for (;;) {
		if (imsg_recv_wait(PROTO_CHANNEL_FD, &m, body,
		    CONFIG_MS) != 1)
			fatalx("no configuration came");
		if (proto_check(ROLE_MASTER, ROLE_KEEPER, &m, &why) == -1)
			fatalx("%s: %s", proto_name(m.type), why);
		if (m.type == MSG_KEEP_CONFIG)
			return (configure(&m));
		if (m.type != MSG_LOG_LEVEL)
			fatalx("%s: not now", proto_name(m.type));
		child_log_level(&m);
	}
}

static unsigned
configure(struct imsg *m)
{
	struct keeper_conf	*conf;
	const void		*p;
	size_t			 len;
	unsigned		 nthreads;
	uint32_t		 gen;
	int			 fd = imsg_take_fd(m);

	if (proto_get_u32(m, &gen) == -1)
		fatalx("MSG_KEEP_CONFIG: malformed");
	if (memfd_map(fd, CONF_PACKED_MAX, &p, &len) == -1)
		fatal("configuration");
	if ((conf = keeper_conf_unpack(p, len)) == NULL)
		fatalx("configuration: malformed");
	memfd_unmap(p, len);
	close(fd);
	nthreads = conf->threads;
	if (store_add(gen, conf) == -1)
		fatalx("generation %u: not taken", gen);
	return (nthreads);
}

static void
master_message(struct channel *ch, struct imsg *m, void *arg)
{
	const char	*why;
	uint32_t	 gen, id;

	(void)ch;
	(void)arg;
	if (m == NULL) {
		/* workers that drain may still ask */
		log_set_sink(NULL, NULL);
		checks_finish();
		return;
	}
	if (m->lost && m->type == MSG_PEER) {
		/* the worker sees its end and asks for another */
		log_warnx("peer.no_descriptor", NULL,
		    "no descriptor is left for a worker's channel");
		return;
	}
	if (proto_check(ROLE_MASTER, ROLE_KEEPER, m, &why) == -1)
		fatalx("%s: %s", proto_name(m->type), why);
	switch (m->type) {
	case MSG_KEEP_CONFIG:
		(void)configure(m);
		break;
	case MSG_RETIRE:
		if (proto_get_u32(m, &gen) == -1)
			fatalx("MSG_RETIRE: malformed");
		checks_retire(gen);
		break;
	case MSG_PEER:
		if (proto_get_peer(m, &gen, &id) == -1)
			fatalx("MSG_PEER: malformed");
		checks_attach(gen, id, imsg_take_fd(m));
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
