/*
 * Requests wait here for the verdict of a reload; others are answered at once.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "daemon/control.h"
#include "daemon/generation.h"
#include "daemon/supervise.h"

#define OPEN_MAX	64
#define RATE_MAX	64	/* in RATE_MS; more is no operator */
#define RATE_MS		10000
#define RELOADS_MAX	4	/* in a row; then each waits for its turn, or */
#define RELOADS_MS	10000	/* the requests of old generations would pay */

static struct {
	uint64_t	 id;
	pid_t		 pid;		/* of the monitor that asked */
	int		 used;
	int		 begun;		/* this reload is its own */
} asked[OPEN_MAX];
static struct control_calls	 calls;
static char			 errors[PROTO_RESULT_MAX];
static struct event		*turn_ev;	/* pending: a reload waits */
static uint64_t			 reloads;	/* what they used up, ms */

static int	 too_often(pid_t);
static int	 keep(uint64_t, pid_t);
static void	 reload_soon(void);
static void	 reload_now(evutil_socket_t, short, void *);
static void	 answer(uint64_t, int, uint32_t, const char *);
static uint32_t	 serving(void);

void
control_setup(struct event_base *base, const struct control_calls *c)
{
	calls = *c;
	if ((turn_ev = evtimer_new(base, reload_now, NULL)) == NULL)
		fatalx("evtimer_new");
}

int
control_asked(struct process *p, struct imsg *m)
{
	enum control_verb	 verb;
	uint64_t		 id;
	uint8_t			 arg;

	if (proto_get_control(m, &id, &verb, &arg) == -1 || too_often(p->pid))
		return (-1);
	switch (verb) {
	case CONTROL_RELOAD:
		if (keep(id, p->pid) == -1)
			return (-1);
		reload_soon();
		return (0);
	case CONTROL_DRAIN:
		calls.drain(arg);
		break;
	case CONTROL_LOG:
		calls.log(arg);
		break;
	default:
		return (-1);
	}
	answer(id, 1, serving(), "");
	return (0);
}

static uint32_t
serving(void)
{
	const struct generation	*g = generation_serving();

	return (g == NULL ? 0 : g->id);
}

/* One that was taken over is not to keep us busy with it. */
static int
too_often(pid_t pid)
{
	static uint64_t	 since;
	static unsigned	 n;
	static pid_t	 who;

	if (who != pid || mono_ms() - since > RATE_MS) {
		who = pid;
		since = mono_ms();
		n = 0;
	}
	return (++n > RATE_MAX);
}

/* Each reload ends what is older than the last few, sooner or later: one that
 * was taken over is not to make it sooner.  A SIGHUP waits for nothing. */
static void
reload_soon(void)
{
	static uint64_t	 at;
	uint64_t	 now = mono_ms(), passed = now - at;
	struct timeval	 tv;

	/* it begins for all who wait */
	if (evtimer_pending(turn_ev, NULL))
		return;
	reloads = passed < reloads ? reloads - passed : 0;
	at = now;
	reloads += RELOADS_MS;
	if (reloads <= RELOADS_MAX * RELOADS_MS) {
		calls.reload();
		return;
	}
	tv = mono_timeval(reloads - RELOADS_MAX * RELOADS_MS);
	if (evtimer_add(turn_ev, &tv) == -1)
		fatalx("evtimer_add");
}

static void
reload_now(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	calls.reload();
}

static int
keep(uint64_t id, pid_t pid)
{
	size_t	 i;

	/* what others asked, who are dead, nobody wants to know */
	for (i = 0; i < OPEN_MAX; i++)
		if (!asked[i].used || asked[i].pid != pid)
			break;
	if (i == OPEN_MAX)
		return (-1);
	asked[i].id = id;
	asked[i].pid = pid;
	asked[i].used = 1;
	asked[i].begun = 0;
	return (0);
}

void
control_reload_begins(void)
{
	size_t	 i;

	errors[0] = '\0';
	evtimer_del(turn_ev);
	for (i = 0; i < OPEN_MAX; i++)
		asked[i].begun = asked[i].used;
}

void
control_error(const char *text)
{
	size_t	 len = strlen(errors);

	if (len + strlen(text) + 2 > sizeof(errors))
		return;
	(void)snprintf(errors + len, sizeof(errors) - len, "%s\n", text);
}

void
control_verdict(int ok, uint32_t generation)
{
	size_t	 i;

	for (i = 0; i < OPEN_MAX; i++) {
		if (!asked[i].used || !asked[i].begun)
			continue;
		asked[i].used = 0;
		answer(asked[i].id, ok, generation, ok ? "" : errors);
	}
}

const char *
control_first_error(void)
{
	static char	 first[1024];

	(void)strlcpy(first, errors, sizeof(first));
	first[strcspn(first, "\n")] = '\0';
	return (first);
}

/* The monitor that asked may have died: another one knows no such id. */
static void
answer(uint64_t id, int ok, uint32_t generation, const char *text)
{
	struct process	*p = supervise_service(ROLE_MONITOR);

	if (p != NULL)
		proto_send_control_result(p->channel, id, ok, generation,
		    text);
}
