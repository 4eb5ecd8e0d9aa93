/*
 * Revisions in answers: what a client gets instead is JSON, or events, that
 * say nothing any more that has to be changed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/accord.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
judge(enum accord kind, struct slice in, int events)
{
	int			 (*f)(enum accord, struct slice, struct slice,
				    struct slice, struct buf *,
				    struct accord_told *) = events ?
				    accord_events : accord_message;
	struct slice		 id = slice_of("7"), asked = slice_of("\"v");
	struct accord_told	 told;
	struct buf		 out = { 0 }, again = { 0 };

	if (f(kind, in, id, asked, &out, &told) == 1) {
		if (!events && json_check(buf_data(&out), out.len) != JSON_OK)
			abort();
		if (f(kind, (struct slice){ buf_data(&out), out.len }, id,
		    asked, &again, &told) == 1)
			abort();
	}
	buf_free(&out);
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
		judge(kind, in, 0);
		judge(kind, in, 1);
	}
	(void)accord_offer(in);
	free(copy);
	return (0);
}
