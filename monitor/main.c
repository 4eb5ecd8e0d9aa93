/*
 * The monitor: boot, and messages of the master.
 */
#include <openssl/crypto.h>

#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/imsg.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/proto.h"
#include "monitor/ask.h"
#include "monitor/door.h"
#include "monitor/keys.h"
#include "monitor/route.h"
#include "monitor/sandbox_rules.h"
#include "monitor/view.h"

static struct event_base	*base;
static struct channel		*master;

static void	 master_message(struct channel *, struct imsg *, void *);
static void	 take(struct imsg *);

int
main(int argc, char *argv[])
{
	struct proto_hello	 hello;

	log_init("monitor", 1, 0);
	proctitle_init(argc, argv);
	proctitle_comm("monitor");
	child_signals();
	child_hello(&hello, ROLE_MONITOR);
	proctitle_set("monitor");
	if ((base = event_base_new()) == NULL)
		fatalx("event_base_new");
	/* its first use must not look for a file */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("OPENSSL_init_crypto");
	tzset();
	master = channel_new(base, PROTO_CHANNEL_FD, master_message, NULL);
	if (master == NULL)
		fatalx("channel_new");
	child_log_to(master);
	ask_setup(master);
	door_setup(base, &hello, route_find);
	child_drop(&hello, 1, 1);
	monitor_sandbox();
	proto_send_empty(master, MSG_READY);
	if (event_base_dispatch(base) == -1)
		fatalx("event_base_dispatch");
	return (0);
}

static void
master_message(struct channel *ch, struct imsg *m, void *arg)
{
	const char	*why;

	(void)ch;
	(void)arg;
	if (m == NULL) {
		/* there is nothing left to be seen */
		_exit(0);
	}
	if (m->lost)
		fatalx("%s: no descriptor was free", proto_name(m->type));
	if (proto_check(ROLE_MASTER, ROLE_MONITOR, m, &why) == -1)
		fatalx("%s: %s", proto_name(m->type), why);
	take(m);
}

/* Descriptors are closed with the message unless they are kept. */
static void
take(struct imsg *m)
{
	uint32_t	 v = 0;
	int		 bad = 0;

	if (m->len == sizeof(v))
		bad = proto_get_u32(m, &v) == -1;
	switch (m->type) {
	case MSG_BOARD:
		bad = view_board(m->fd) == -1;
		break;
	case MSG_SLOT:
		bad |= view_slot(v, m->fd) == -1;
		break;
	case MSG_SLOT_GONE:
		view_slot_gone(v);
		break;
	case MSG_MONITOR_CONFIG:
		bad |= door_config(m->fd) == -1;
		break;
	case MSG_KEYS:
		keys_take(v, m->fd);
		break;
	case MSG_DOOR:
		bad |= door_open(v, imsg_take_fd(m)) == -1;
		break;
	case MSG_CONTROL_RESULT:
		bad = ask_answered(m) == -1;
		break;
	case MSG_LOG_LEVEL:
		child_log_level(m);
		break;
	case MSG_PING:
		proto_send_empty(master, MSG_PONG);
		break;
	default:
		bad = 1;
	}
	if (bad)
		fatal("%s", proto_name(m->type));
}
