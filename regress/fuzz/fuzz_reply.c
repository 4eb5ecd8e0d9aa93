/*
 * What mcpgwctl, mostly run by root, reads of the control socket: however the
 * bytes come in pieces, the answer is the same, and it lies in the buffer.
 * The first byte is the size of the pieces.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/jtree.h"
#include "ctl/reply.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum reply_state
feed(struct reply *r, const uint8_t *data, size_t len, size_t step)
{
	enum reply_state	 s = REPLY_MORE;
	size_t			 at, n, room;
	char			*p;

	reply_init(r);
	for (at = 0; at < len && s == REPLY_MORE; at += n) {
		if ((p = reply_space(r, &room)) == NULL)
			abort();
		n = len - at < step ? len - at : step;
		n = n < room ? n : room;
		memcpy(p, data + at, n);
		s = reply_got(r, n);
	}
	if (s != REPLY_MORE)
		return (s);
	if (reply_space(r, &room) == NULL)
		abort();
	return (reply_got(r, 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum reply_state	 a, b;
	struct reply		 whole, pieces;
	yajl_val		 v;

	if (len == 0)
		return (0);
	a = feed(&whole, data + 1, len - 1, len);
	b = feed(&pieces, data + 1, len - 1, 1 + (size_t)data[0] % 16);
	if (a == REPLY_MORE || a != b)
		abort();
	if (a == REPLY_DONE) {
		if (whole.status < 200 || whole.status > 599 ||
		    whole.status != pieces.status ||
		    whole.len != pieces.len || whole.len >= len ||
		    memcmp(whole.body, pieces.body, whole.len) != 0 ||
		    whole.body[whole.len] != '\0')
			abort();
		v = jtree_parse(whole.body, whole.len);
		(void)jtree_str(jtree_get(v, "top"), "name");
		yajl_tree_free(v);
	}
	reply_free(&whole);
	reply_free(&pieces);
	return (0);
}
