/*
 * Any bytes as the spans of a worker: refused, or packed again to the same
 * bytes, and strict JSON for whoever collects them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/imsg.h"
#include "common/json.h"
#include "common/span.h"
#include "fetcher/otlp_json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct span_tree	 tree;
	struct otlp_text	 t = { 0 };
	struct wbuf		 w;

	if (span_unpack(data, len, &tree) == -1)
		return (0);
	wbuf_init(&w, len > IMSG_BODY_MAX ? len : IMSG_BODY_MAX);
	span_pack(&tree, &w);
	if (w.failed || w.len != len || memcmp(w.data, data, len) != 0)
		abort();
	wbuf_free(&w);
	otlp_text_add(&t, "[", 1);
	otlp_json_spans(&t, &tree);
	otlp_text_add(&t, "]", 1);
	if (t.failed || json_check(t.p, t.len) != JSON_OK)
		abort();
	otlp_text_free(&t);
	return (0);
}
