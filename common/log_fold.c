/*
 * The table of what was said lately.
 */
#include <stdio.h>
#include <string.h>

#include "common/log_fold.h"

#define PROCESS_MAX	48	/* bytes of a name that tell it from others */

struct run {
	int		 used;
	uint64_t	 since;		/* ms, of the first */
	unsigned	 repeats;
	char		 process[PROCESS_MAX];
	struct log_record first;
};

static struct run	 runs[LOG_FOLD_MAX];

static int	 same_process(const struct run *, const char *);
static int	 same_subject(const char *, const char *);
static void	 end(struct run *, log_fold_cb);
static struct run *place(log_fold_cb);

int
log_fold(const char *process, const struct log_record *r, uint64_t now,
    log_fold_cb write_it)
{
	struct run	*run, *mine = NULL;

	if (same_subject(r->event, "daemon."))
		return (1);
	log_fold_end(now, write_it);
	for (run = runs; run < runs + LOG_FOLD_MAX; run++) {
		if (!run->used || !same_process(run, process))
			continue;
		if (memcmp(&run->first, r, sizeof(*r)) == 0)
			mine = run;
		else if (strcmp(run->first.event, r->event) != 0 &&
		    same_subject(run->first.event, r->event))
			end(run, write_it);
	}
	if (mine != NULL) {
		mine->repeats++;
		return (0);
	}
	mine = place(write_it);
	mine->used = 1;
	mine->since = now;
	mine->repeats = 0;
	snprintf(mine->process, sizeof(mine->process), "%s", process);
	memcpy(&mine->first, r, sizeof(*r));	/* its padding, too */
	return (1);
}

void
log_fold_end(uint64_t now, log_fold_cb write_it)
{
	struct run	*run;

	for (run = runs; run < runs + LOG_FOLD_MAX; run++)
		if (run->used && now - run->since >= LOG_FOLD_MS)
			end(run, write_it);
}

static int
same_process(const struct run *run, const char *process)
{
	return (strncmp(run->process, process, PROCESS_MAX - 1) == 0);
}

/* Up to the first dot, which every event has. */
static int
same_subject(const char *a, const char *b)
{
	size_t	 n = strcspn(a, ".") + 1;

	return (strncmp(a, b, n) == 0);
}

static void
end(struct run *run, log_fold_cb write_it)
{
	char	 times[48];

	run->used = 0;
	if (run->repeats == 0)
		return;
	snprintf(times, sizeof(times), " (repeated %u times)", run->repeats);
	log_record_append(&run->first, times);
	log_record_count(&run->first, run->repeats);
	write_it(run->process, &run->first);
}

/* A free one, or the oldest. */
static struct run *
place(log_fold_cb write_it)
{
	struct run	*run, *oldest = runs;

	for (run = runs; run < runs + LOG_FOLD_MAX; run++) {
		if (!run->used)
			return (run);
		if (run->since < oldest->since)
			oldest = run;
	}
	end(oldest, write_it);
	return (oldest);
}
