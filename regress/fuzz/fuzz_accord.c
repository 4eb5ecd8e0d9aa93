/*
 * Revisions in answers: what a client gets instead is JSON, or events, that
 * say nothing any more that has to be changed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/mcp/accord.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum filter_verdict
judge(void *arg, struct slice text, struct filter_edits *edits)
{
	struct accord_told	 told;

	accord_judge(*(enum accord *)arg, text, slice_of("7"),
	    slice_of("\"v"), edits, &told);
	return (FILTER_PASS);
}

/* What passes is to be freed. */
static struct buf
pass(enum accord kind, struct slice in, int events)
{
	const struct filter	 f = { "revisions", judge, &kind, 1 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;

	c = filter_chain_new(events ? FILTER_EVENTS : FILTER_JSON, &f, 1,
	    1 << 20);
	if (c == NULL || filter_feed(c, in, &out, &why) == -1 ||
	    filter_end(c, &out, &why) == -1)
		abort();
	filter_chain_free(c);
	return (out);
}

static void
twice(enum accord kind, struct slice in, int events)
{
	struct buf	 once, again;
	struct slice	 s;

	once = pass(kind, in, events);
	s = (struct slice){ once.len == 0 ? "" : buf_data(&once), once.len };
	if (!events && json_check(in.p, in.len) == JSON_OK &&
	    json_check(s.p, s.len) != JSON_OK)
		abort();
	again = pass(kind, s, events);
	if (again.len != once.len || (once.len > 0 &&
	    memcmp(buf_data(&again), s.p, s.len) != 0))
		abort();
	buf_free(&once);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct worker_conf	 conf;
	char				*copy = malloc(size + 1);
	struct slice			 in = { copy, size };
	enum accord			 kind;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	conf.revisions = 0x16;
	accord_setup(&conf);
	for (kind = ACCORD_OPEN; kind <= ACCORD_ERROR; kind++) {
		twice(kind, in, 0);
		twice(kind, in, 1);
	}
	(void)accord_offer(in);
	free(copy);
	return (0);
}
