/*
 * The fetcher: everything that goes out to the world.  It fetches key sets
 * and resolves names, and holds nothing secret.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/imsg.h"
#include "common/json.h"
#include "common/jwk.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/proctitle.h"
#include "common/proto.h"
#include "fetcher/http.h"
#include "fetcher/otlp.h"
#include "fetcher/peers.h"
#include "fetcher/resolve.h"
#include "fetcher/sandbox_rules.h"
#include "fetcher/source.h"

#define FLUSH_MS	900	/* for the last spans; the master waits 1 s */

static struct event_base	*base;
static struct channel		*master;

static void	 leave(void);
static void	 master_message(struct channel *, struct imsg *, void *);
static void	 configure(struct imsg *);
static void	 primed(uint32_t, int, const char *);
static void	 keys(uint32_t, int);

int
main(int argc, char *argv[])
{
	static const struct source_cb callbacks = {
		.primed = primed,
		.keys = keys,
		.done = peers_fetch_done
	};
	struct proto_hello	 hello;

	log_init("fetcher", 1, 0);
	proctitle_init(argc, argv);
	proctitle_comm("fetcher");
	child_signals();
	child_hello(&hello, ROLE_FETCHER);
	proctitle_set("fetcher");
	if ((base = event_base_new()) == NULL)
		fatalx("event_base_new");
	json_seed();
	tzset();
	srandom((unsigned)getpid() ^ (unsigned)time(NULL));
	master = channel_new(base, PROTO_CHANNEL_FD, master_message, NULL);
	if (master == NULL)
		fatalx("channel_new");
	child_log_to(master);
	/* its resolver needs /etc: Landlock stands in for chroot */
	child_drop(&hello, 0, 0);
	http_setup(base);
	/* before the first thread, which would stay outside */
	fetcher_sandbox();
	resolve_setup(base, peers_resolved);
	otlp_setup(base);
	source_setup(base, &callbacks);
	peers_setup(base);
	if (event_base_dispatch(base) == -1)
		fatalx("event_base_dispatch");
	return (0);
}

static void
master_message(struct channel *ch, struct imsg *m, void *arg)
{
	const char	*why;
	uint32_t	 gen, id;

	(void)ch;
	(void)arg;
	if (m == NULL) {
		/* spans that are there get a moment */
		log_set_sink(NULL, NULL);
		peers_drain();
		otlp_flush(FLUSH_MS, leave);
		return;
	}
	if (m->lost && m->type == MSG_PEER) {
		/* the worker sees its end and asks for another */
		log_warnx("peer.no_descriptor", NULL,
		    "no descriptor is left for a worker's channel");
		return;
	}
	if (proto_check(ROLE_MASTER, ROLE_FETCHER, m, &why) == -1)
		fatalx("%s: %s", proto_name(m->type), why);
	switch (m->type) {
	case MSG_FETCH_CONFIG:
		configure(m);
		break;
	case MSG_RETIRE:
		if (proto_get_u32(m, &gen) == -1)
			fatalx("MSG_RETIRE: malformed");
		peers_retire(gen);
		source_detach(gen);
		break;
	case MSG_PEER:
		if (proto_get_peer(m, &gen, &id) == -1)
			fatalx("MSG_PEER: malformed");
		peers_attach(gen, id, imsg_take_fd(m));
		break;
	case MSG_KEYS:
		if (proto_get_u32(m, &gen) == -1)
			fatalx("MSG_KEYS: malformed");
		source_restore(gen, imsg_take_fd(m));
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

static void
leave(void)
{
	_exit(0);
}

static void
configure(struct imsg *m)
{
	struct fetcher_conf	*conf;
	const void		*p;
	size_t			 len;
	uint32_t		 gen;
	int			 fd = imsg_take_fd(m);

	if (proto_get_u32(m, &gen) == -1)
		fatalx("MSG_FETCH_CONFIG: malformed");
	if (memfd_map(fd, CONF_PACKED_MAX, &p, &len) == -1)
		fatal("configuration");
	if ((conf = fetcher_conf_unpack(p, len)) == NULL)
		fatalx("configuration: malformed");
	memfd_unmap(p, len);
	close(fd);
	peers_generation(gen, conf);
	source_attach(gen, conf);
}

static void
primed(uint32_t gen, int ok, const char *why)
{
	proto_send_primed(master, gen, ok, why);
}

/* To the workers, and to the master, which keeps it for a fetcher that comes
 * after us. */
static void
keys(uint32_t gen, int fd)
{
	int	 copy;

	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) != -1)
		proto_send_u32(master, MSG_KEYS, gen, copy);
	peers_keys(gen, fd);
}
