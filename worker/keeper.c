/*
 * The keeper's answers go to those who asked.
 */
#include "common/log.h"
#include "common/proto.h"
#include "worker/keeper.h"
#include "worker/keys.h"
#include "worker/tls_key.h"

static struct event_base	*base;
static struct channel		*keeper;
static void			(*on_gone)(void);

static void	 message(struct channel *, struct imsg *, void *);
static void	 lose(struct channel *);

void
keeper_setup(struct event_base *b, void (*gone)(void))
{
	base = b;
	on_gone = gone;
}

void
keeper_attach(int fd)
{
	channel_free(keeper);
	if ((keeper = channel_new(base, fd, message, NULL)) == NULL)
		fatalx("channel_new");
	keys_ask_again();
	tls_key_ask_again();
}

struct channel *
keeper_channel(void)
{
	return (keeper);
}

static void
message(struct channel *ch, struct imsg *m, void *arg)
{
	const char	*why;
	int		 r = -1;

	(void)arg;
	if (m == NULL) {
		/* the master sends a channel to the next one */
		lose(ch);
		return;
	}
	if (proto_check(ROLE_KEEPER, ROLE_WORKER, m, &why) == 0) {
		why = "malformed";
		r = m->type == MSG_SIGNATURE ? tls_key_answer(m) :
		    keys_answer(m);
	}
	if (r == 0)
		return;
	log_warnx("keeper: %s: %s", proto_name(m->type), why);
	lose(ch);
}

static void
lose(struct channel *ch)
{
	channel_free(ch);
	keeper = NULL;
	on_gone();
}
