/*
 * Event streams: where the response is found does not depend on how the
 * bytes were cut into reads, and comments put in wherever they may be change
 * no event.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/wire/sse.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The place of the first response when fed in pieces of step, or -1; -2 when
 * there is none and a comment may follow. */
static long
first(const char *p, size_t len, size_t step)
{
	struct sse	*s = sse_new();
	struct slice	 in;
	size_t		 pos, n;
	long		 found = -1;
	int		 response = 0;

	if (s == NULL)
		abort();
	for (pos = 0; pos < len && !response; pos += step) {
		in.p = p + pos;
		in.len = len - pos < step ? len - pos : step;
		n = sse_feed(s, in, &response);
		if (n > in.len || (!response && n != in.len))
			abort();
		if (response)
			found = (long)(pos + n);
	}
	if (found == -1 && sse_at_boundary(s))
		found = -2;
	sse_free(s);
	return (found);
}

/* What a client makes of a stream: a hash of the events that it dispatches,
 * by the letter of the standard. */
struct client {
	uint64_t	 hash;
	char		*line;
	size_t		 nline;
	char		*data;
	size_t		 ndata;
	uint64_t	 other;		/* of event and id */
};

static void
mix(uint64_t *h, const void *p, size_t n)
{
	const uint8_t	*b = p;

	for (*h = (*h ^ n) * 1099511628211U; n > 0; n--)
		*h = (*h ^ *b++) * 1099511628211U;
}

static void
client_line(struct client *c)
{
	const char	*v = memchr(c->line, ':', c->nline);
	size_t		 name = v == NULL ? c->nline : (size_t)(v - c->line);
	size_t		 len = v == NULL ? 0 : c->nline - name - 1;

	if (c->nline == 0) {
		if (c->ndata > 0) {
			mix(&c->hash, c->data, c->ndata);
			mix(&c->hash, &c->other, sizeof(c->other));
		}
		c->ndata = 0;
		c->other = 0;
		return;
	}
	if (v != NULL && len > 0 && *++v == ' ') {
		v++;
		len--;
	}
	if (name == 4 && memcmp(c->line, "data", 4) == 0) {
		if (len > 0)
			memcpy(c->data + c->ndata, v, len);
		c->ndata += len;
		c->data[c->ndata++] = '\n';
	} else if (name > 0) {
		mix(&c->other, c->line, name);
		mix(&c->other, v, len);
	}
}

static uint64_t
client_read(const char *p, size_t len)
{
	struct client	 c;
	size_t		 i = 0;

	memset(&c, 0, sizeof(c));
	c.line = malloc(len + 1);
	c.data = malloc(2 * len + 1);
	if (c.line == NULL || c.data == NULL)
		abort();
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	for (; i < len; i++) {
		if (p[i] != '\n' && p[i] != '\r') {
			c.line[c.nline++] = p[i];
			continue;
		}
		client_line(&c);
		c.nline = 0;
		if (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n')
			i++;
	}
	free(c.line);
	free(c.data);
	return (c.hash);
}

/* With a comment before every step-th byte where one may be. */
static void
insert(const char *p, size_t len, size_t step)
{
	struct sse	*s = sse_new();
	struct slice	 in, owed;
	char		*out = malloc(len * 4 + 3);
	size_t		 i, n = 0;
	int		 response;

	if (s == NULL || out == NULL)
		abort();
	for (i = 0; i < len; i++) {
		if (i % step == 0 && sse_at_boundary(s)) {
			memcpy(out + n, ":\n\n", 3);
			n += 3;
			sse_inserted(s);
		}
		in = (struct slice){ p + i, 1 };
		if (sse_late_mark(s, in, &owed) == 1)
			continue;
		memcpy(out + n, owed.p, owed.len);
		n += owed.len;
		out[n++] = p[i];
		sse_feed(s, owed, &response);
		if (sse_feed(s, in, &response) == 0)
			sse_feed(s, in, &response);
	}
	if (client_read(out, n) != client_read(p, len))
		abort();
	free(out);
	sse_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*p = (const char *)data;

	if (len > 0 && (first(p, len, len) != first(p, len, 1) ||
	    first(p, len, 3) != first(p, len, 1)))
		abort();
	insert(p, len, 1);
	insert(p, len, 3);
	return (0);
}
