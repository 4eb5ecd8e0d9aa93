/*
 * The answers of fetcher and keeper go to those who asked.
 */
#include "common/log.h"
#include "worker/base/peer.h"

#define RENEWED_MAX	4

struct peer {
	struct channel	*ch;		/* or NULL */
	int		(*take[MSG_MAX])(struct imsg *);
	void		(*again[RENEWED_MAX])(void);
	size_t		 nagain;
};

static struct event_base	*base;
static struct peer		 peers[ROLE_MAX];
static void			(*on_gone)(enum proto_role);
static void			(*on_heard)(void);

static void	 message(struct channel *, struct imsg *, void *);
static const char *take(struct peer *, struct imsg *);
static void	 lose(struct peer *);

void
peer_setup(struct event_base *b, void (*gone)(enum proto_role),
    void (*heard)(void))
{
	base = b;
	on_gone = gone;
	on_heard = heard;
}

void
peer_handle(enum proto_role role, enum proto_type type,
    int (*fn)(struct imsg *))
{
	peers[role].take[type] = fn;
}

void
peer_renewed(enum proto_role role, void (*again)(void))
{
	struct peer	*p = &peers[role];
	size_t		 i;

	for (i = 0; i < p->nagain; i++)
		if (p->again[i] == again)
			return;
	if (i == RENEWED_MAX)
		fatalx("peer_renewed: too many");
	p->again[p->nagain++] = again;
}

int
peer_take(struct imsg *m)
{
	uint32_t	 role, zero;

	if (proto_get_peer(m, &role, &zero) == -1 ||
	    (role != ROLE_FETCHER && role != ROLE_KEEPER))
		return (-1);
	peer_attach((enum proto_role)role, imsg_take_fd(m));
	return (0);
}

void
peer_attach(enum proto_role role, int fd)
{
	struct peer	*p = &peers[role];
	size_t		 i;

	channel_free(p->ch);
	if ((p->ch = channel_new(base, fd, message, p)) == NULL)
		fatalx("channel_new");
	for (i = 0; i < p->nagain; i++)
		p->again[i]();
}

struct channel *
peer_channel(enum proto_role role)
{
	return (peers[role].ch);
}

static void
message(struct channel *ch, struct imsg *m, void *arg)
{
	struct peer	*p = arg;
	const char	*role, *why;

	(void)ch;
	if (m == NULL)
		lose(p);
	else if ((why = take(p, m)) == NULL)
		on_heard();
	else {
		role = proto_role_name((enum proto_role)(p - peers));
		log_warnx("service.broke_protocol", LOG_KV(
		    KV("service", role), KV("message", proto_name(m->type)),
		    KV("reason", why)), "%s: %s: %s", role,
		    proto_name(m->type), why);
		lose(p);
	}
}

/* NULL, or what is wrong with the message. */
static const char *
take(struct peer *p, struct imsg *m)
{
	const char	*why;

	if (proto_check((enum proto_role)(p - peers), ROLE_WORKER, m,
	    &why) == -1)
		return (why);
	if (p->take[m->type] == NULL)
		return ("not now");
	return (p->take[m->type](m) == -1 ? "malformed" : NULL);
}

/* What it had to say is said again on another channel. */
static void
lose(struct peer *p)
{
	channel_free(p->ch);
	p->ch = NULL;
	on_gone((enum proto_role)(p - peers));
}
