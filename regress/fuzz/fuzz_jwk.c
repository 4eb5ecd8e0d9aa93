/*
 * Key sets: any JSON text, and any packed bytes.  What is parsed can be
 * packed and unpacked to as many keys.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
skipped(void *arg, const struct jwk_skip *s)
{
	size_t	*n = arg;

	/* a name that ends, and a reason, or nobody could say what was wrong */
	if (memchr(s->kid, '\0', sizeof(s->kid)) == NULL || s->why == NULL ||
	    s->index < *n)
		abort();
	*n = s->index + 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct jwk_set	*set, *again;
	struct wbuf	 w;
	const char	*why = NULL;
	size_t		 n = 0;

	jwk_set_free(jwk_set_unpack(data, len));
	set = jwk_set_parse((const char *)data, len, skipped, &n,
	    &why);
	if (set == NULL) {
		if (why == NULL)
			abort();
		return (0);
	}
	wbuf_init(&w, JWK_PACKED_MAX);
	jwk_set_pack(set, &w);
	if (!w.failed) {
		again = jwk_set_unpack(w.data, w.len);
		if (again == NULL || again->n != set->n)
			abort();
		jwk_set_free(again);
	}
	wbuf_free(&w);
	jwk_set_free(set);
	return (0);
}
