/*
 * Open questions.
 */
#include <sys/random.h>

#include <stddef.h>

#include "common/log.h"
#include "common/mono.h"
#include "monitor/ask.h"

#define OPEN_MAX	32
#define RATE_MAX	32	/* in RATE_MS: the master bears twice as many */
#define RATE_MS		10000

static struct {
	uint64_t	 id;		/* 0: free */
	ask_done	 done;
	void		*arg;
} asked[OPEN_MAX];
static struct channel	*master;
static uint64_t		 last_id;

static int	 too_often(void);

void
ask_setup(struct channel *ch)
{
	master = ch;
	/* an answer to one before us finds nobody */
	if (getrandom(&last_id, sizeof(last_id), 0) != sizeof(last_id))
		fatal("getrandom");
}

int
ask_master(enum control_verb verb, uint8_t arg, ask_done done, void *who)
{
	size_t	 i;

	for (i = 0; i < OPEN_MAX; i++)
		if (asked[i].id == 0)
			break;
	if (i == OPEN_MAX || too_often())
		return (-1);
	if (++last_id == 0)
		last_id++;
	if (proto_send_control(master, last_id, verb, arg) == -1)
		return (-1);
	asked[i].id = last_id;
	asked[i].done = done;
	asked[i].arg = who;
	return (0);
}

static int
too_often(void)
{
	static uint64_t	 since;
	static unsigned	 n;

	if (mono_ms() - since > RATE_MS) {
		since = mono_ms();
		n = 0;
	}
	if (n == RATE_MAX)
		return (1);
	n++;
	return (0);
}

void
ask_forget(const void *who)
{
	size_t	 i;

	for (i = 0; i < OPEN_MAX; i++)
		if (asked[i].id != 0 && asked[i].arg == who)
			asked[i].done = NULL;
}

int
ask_answered(const struct imsg *m)
{
	static char	 text[PROTO_RESULT_MAX];
	ask_done	 done;
	uint64_t	 id;
	uint32_t	 generation;
	size_t		 i;
	int		 ok;

	if (proto_get_control_result(m, &id, &ok, &generation, text) == -1)
		return (-1);
	for (i = 0; i < OPEN_MAX; i++)
		if (asked[i].id == id && id != 0)
			break;
	if (i == OPEN_MAX)
		return (0);
	asked[i].id = 0;
	if ((done = asked[i].done) != NULL)
		done(asked[i].arg, ok, generation, text);
	return (0);
}
