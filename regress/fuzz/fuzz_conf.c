/*
 * Any bytes as a child's part: refused, or packed again to the same bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/wire.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
same(struct wbuf *b, const uint8_t *data, size_t len)
{
	if (b->failed || b->len != len || memcmp(b->data, data, len) != 0)
		abort();
	wbuf_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fetcher_conf	*f;
	struct keeper_conf	*k;
	struct worker_conf	*w;
	struct wbuf		 b;

	if ((w = worker_conf_unpack(data, len)) != NULL) {
		wbuf_init(&b, CONF_PACKED_MAX);
		worker_conf_pack(w, &b);
		same(&b, data, len);
		worker_conf_free(w);
	}
	if ((f = fetcher_conf_unpack(data, len)) != NULL) {
		wbuf_init(&b, CONF_PACKED_MAX);
		fetcher_conf_pack(f, &b);
		same(&b, data, len);
		fetcher_conf_free(f);
	}
	if ((k = keeper_conf_unpack(data, len)) != NULL) {
		wbuf_init(&b, CONF_PACKED_MAX);
		keeper_conf_pack(k, &b);
		same(&b, data, len);
		keeper_conf_free(k);
	}
	return (0);
}
