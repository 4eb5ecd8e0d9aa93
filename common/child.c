/*
 * The start of a child.
 */
#include <sys/resource.h>

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/sandbox.h"
#include "common/stats.h"

#define HELLO_MS	10000

static void	 take_slot(enum proto_role);
static void	 log_to_master(void *, const struct log_record *);
static void	 become(const struct proto_hello *);
static void	 limit(int, const char *);

void
child_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1,
			    SIGPIPE, SIGXFSZ };
	sigset_t	 none;
	size_t		 i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			fatal("signal");
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal("sigprocmask");
}

void
child_hello(struct proto_hello *h, enum proto_role me)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct imsg	 m;
	const char	*why;
	char		 name[32];

	/* whatever else was open where the daemon was started */
	closefrom(PROTO_CHANNEL_FD + 1);
	if (imsg_recv_wait(PROTO_CHANNEL_FD, &m, body, HELLO_MS) != 1)
		fatalx("no hello came: this program is started by mcpgw");
	if (proto_check(ROLE_MASTER, me, &m, &why) == -1 ||
	    m.type != MSG_HELLO || proto_get_hello(&m, h) == -1)
		fatalx("the first message is not a hello");
	if (h->version != PROTO_VERSION)
		fatalx("protocol version %u, expected %u: mcpgw was "
		    "upgraded; restart it", h->version, PROTO_VERSION);
	if (h->role != me)
		fatalx("started in place of another program");
	if (me == ROLE_WORKER)
		snprintf(name, sizeof(name), "worker %u (g%u)", h->instance,
		    h->generation);
	else
		snprintf(name, sizeof(name), "%s", proto_role_name(me));
	log_init(name, 1, 0);
	log_set_level(h->level);
	take_slot(me);
}

/* Before any process is closed in: then it could not be mapped. */
static void
take_slot(enum proto_role me)
{
	static uint8_t		 body[IMSG_BODY_MAX];
	struct stats_slot	*slot;
	struct imsg		 m;
	const char		*why;
	int			 fd;

	if (imsg_recv_wait(PROTO_CHANNEL_FD, &m, body, HELLO_MS) != 1 ||
	    proto_check(ROLE_MASTER, me, &m, &why) == -1 ||
	    m.type != MSG_STATS)
		fatalx("the second message brings no slot");
	fd = imsg_take_fd(&m);
	if ((slot = memfd_map_shared(fd, sizeof(*slot), 0, 1)) == NULL)
		fatal("slot");
	close(fd);
	slot->version = STATS_VERSION;
	slot->role = me;
	stats_attach(slot);
}

void
child_log_to(struct channel *ch)
{
	proto_send_u32(ch, MSG_HELLO_ACK, PROTO_VERSION, -1);
	log_set_sink(log_to_master, ch);
}

static void
log_to_master(void *arg, const struct log_record *r)
{
	struct channel	*ch = arg;

	proto_send_log(ch, r);
	/* a last word must leave before we do */
	if (r->pri == LOG_CRIT)
		channel_flush(ch, 1000);
}

void
child_log_level(const struct imsg *m)
{
	int	 pri;

	if (proto_get_log_level(m, &pri) == -1)
		fatalx("MSG_LOG_LEVEL: malformed");
	log_set_level(pri);
}

void
child_drop(const struct proto_hello *h, int do_chroot, int no_procs)
{
	if (h->drop && do_chroot && chroot(h->chroot_dir) == -1)
		fatal("chroot %s", h->chroot_dir);
	if (chdir("/") == -1)
		fatal("chdir");
	if (h->drop)
		become(h);
	sandbox_no_privileges();
	limit(RLIMIT_CORE, "RLIMIT_CORE");
	if (no_procs)
		child_no_procs();
}

void
child_no_procs(void)
{
	limit(RLIMIT_NPROC, "RLIMIT_NPROC");
}

static void
become(const struct proto_hello *h)
{
	uid_t	 ru, eu, su;
	gid_t	 rg, eg, sg;

	if (h->uid == 0 || h->gid == 0)
		fatalx("told to run as root");
	if (setgroups(0, NULL) == -1)
		fatal("setgroups");
	if (setresgid(h->gid, h->gid, h->gid) == -1)
		fatal("setresgid");
	if (setresuid(h->uid, h->uid, h->uid) == -1)
		fatal("setresuid");
	if (getresuid(&ru, &eu, &su) == -1 || getresgid(&rg, &eg, &sg) == -1 ||
	    ru != h->uid || eu != h->uid || su != h->uid ||
	    rg != h->gid || eg != h->gid || sg != h->gid ||
	    getgroups(0, NULL) != 0 || setuid(0) != -1 || setgid(0) != -1)
		fatalx("privileges are still there");
}

static void
limit(int what, const char *name)
{
	struct rlimit	 none = { 0, 0 };

	if (setrlimit((__rlimit_resource_t)what, &none) == -1)
		fatal("%s", name);
}
