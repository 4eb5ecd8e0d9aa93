/*
 * An HTTP answer, read in place: a chunked body is moved together where it
 * lies, so that nothing is kept twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/reply.h"

#define STEP	65536

/* How far the answer has come, and how its body ends. */
enum { HEAD, LENGTH, TO_END, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, WHOLE };

static enum reply_state	 advance(struct reply *, int);
static enum reply_state	 head(struct reply *);
static int		 status_line(struct reply *, const char *, size_t);
static int		 field(struct reply *, const char *, size_t, int *);
static int		 value_is(const char *, size_t, const char *);
static int		 number(const char *, size_t, unsigned, size_t *);
static enum reply_state	 body_length(struct reply *);
static enum reply_state	 chunked(struct reply *);
static enum reply_state	 chunk_data(struct reply *);
static char		*line(struct reply *, size_t *);
static enum reply_state	 whole(struct reply *);

void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
	r->how = HEAD;
}

char *
reply_space(struct reply *r, size_t *n)
{
	char	*p;

	if (r->size - r->have < STEP) {
		if ((p = realloc(r->buf, r->size + 2 * STEP)) == NULL)
			return (NULL);
		/* the body moves with it */
		if (r->body != NULL)
			r->body = p + (r->body - r->buf);
		r->buf = p;
		r->size += 2 * STEP;
	}
	*n = r->size - r->have - 1;
	return (r->buf + r->have);
}

enum reply_state
reply_got(struct reply *r, size_t n)
{
	enum reply_state	 s;
	int			 how;

	r->have += n;
	do {
		how = r->how;
		s = advance(r, n == 0);
	} while (s == REPLY_MORE && r->how != how);
	if (s == REPLY_MORE && n == 0)
		return (REPLY_BAD);
	if (s == REPLY_MORE && (r->len > REPLY_BODY_MAX ||
	    r->have > REPLY_BODY_MAX + REPLY_HEAD_MAX))
		return (REPLY_BAD);
	return (s);
}

void
reply_free(struct reply *r)
{
	free(r->buf);
	reply_init(r);
}

static enum reply_state
advance(struct reply *r, int end)
{
	switch (r->how) {
	case HEAD:
		return (head(r));
	case LENGTH:
		return (body_length(r));
	case TO_END:
		r->at = r->have;
		r->len = r->have - (size_t)(r->body - r->buf);
		return (end ? whole(r) : REPLY_MORE);
	case WHOLE:
		return (REPLY_DONE);
	default:
		return (chunked(r));
	}
}

/* Lines end with CRLF, and none is folded. */
static enum reply_state
head(struct reply *r)
{
	char	*end, *p, *next;
	int	 seen = 0;

	end = r->have < 4 ? NULL : memmem(r->buf, r->have, "\r\n\r\n", 4);
	if (end == NULL)
		return (r->have < REPLY_HEAD_MAX ? REPLY_MORE : REPLY_BAD);
	p = memmem(r->buf, r->have, "\r\n", 2);
	if (status_line(r, r->buf, (size_t)(p - r->buf)) == -1)
		return (REPLY_BAD);
	r->how = TO_END;
	while (p != end) {
		p += 2;
		next = memmem(p, (size_t)(end - p) + 2, "\r\n", 2);
		if (field(r, p, (size_t)(next - p), &seen) == -1)
			return (REPLY_BAD);
		p = next;
	}
	r->body = end + 4;
	r->at = (size_t)(r->body - r->buf);
	if (r->status == 204 || r->status == 304)
		return (whole(r));
	return (REPLY_MORE);
}

static int
status_line(struct reply *r, const char *p, size_t len)
{
	size_t	 n;

	if (len < 13 || memcmp(p, "HTTP/1.", 7) != 0 ||
	    (p[7] != '0' && p[7] != '1') || p[8] != ' ' || p[12] != ' ' ||
	    number(p + 9, 3, 10, &n) == -1 || n < 200 || n > 599)
		return (-1);
	r->status = (int)n;
	return (0);
}

/* Which of the two lengths there was is in seen: there is to be one. */
static int
field(struct reply *r, const char *p, size_t len, int *seen)
{
	const char	*colon = memchr(p, ':', len);
	const char	*v;
	size_t		 n, name;

	if (colon == NULL || colon == p || memchr(p, '\0', len) != NULL)
		return (-1);
	name = (size_t)(colon - p);
	for (v = colon + 1, n = len - name - 1; n > 0 && (*v == ' ' ||
	    *v == '\t'); v++, n--)
		;
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	if (value_is(p, name, "content-length")) {
		r->how = LENGTH;
		return ((*seen)++ == 0 && number(v, n, 10, &r->left) == 0 &&
		    r->left <= REPLY_BODY_MAX ? 0 : -1);
	}
	if (value_is(p, name, "transfer-encoding")) {
		r->how = CHUNK_SIZE;
		return ((*seen)++ == 0 && value_is(v, n, "chunked") ? 0 : -1);
	}
	return (0);
}

static int
value_is(const char *p, size_t len, const char *s)
{
	return (len == strlen(s) && strncasecmp(p, s, len) == 0);
}

/* Digits alone, in base 10 or 16, at most 9 of them. */
static int
number(const char *p, size_t len, unsigned base, size_t *out)
{
	static const char	 digits[] = "0123456789abcdef";
	const char		*d;
	size_t			 i, n = 0;

	if (len == 0 || len > 9)
		return (-1);
	for (i = 0; i < len; i++) {
		d = memchr(digits, p[i] >= 'A' && p[i] <= 'F' ?
		    p[i] - 'A' + 'a' : p[i], base);
		if (d == NULL)
			return (-1);
		n = n * base + (size_t)(d - digits);
	}
	*out = n;
	return (0);
}

static enum reply_state
body_length(struct reply *r)
{
	if (r->have - r->at < r->left)
		return (REPLY_MORE);
	r->len = r->left;
	return (whole(r));
}

/* One step: a line, or what there is of a chunk. */
static enum reply_state
chunked(struct reply *r)
{
	char	*p;
	size_t	 len;

	if (r->how == CHUNK)
		return (chunk_data(r));
	if ((p = line(r, &len)) == NULL)
		return (r->have - r->at < REPLY_HEAD_MAX ? REPLY_MORE :
		    REPLY_BAD);
	switch (r->how) {
	case CHUNK_SIZE:
		/* extensions have no meaning here */
		if (memchr(p, ';', len) != NULL)
			len = (size_t)((char *)memchr(p, ';', len) - p);
		if (number(p, len, 16, &r->left) == -1 ||
		    r->left > REPLY_BODY_MAX - r->len)
			return (REPLY_BAD);
		r->how = r->left == 0 ? TRAILER : CHUNK;
		return (REPLY_MORE);
	case CHUNK_END:
		r->how = CHUNK_SIZE;
		return (len == 0 ? REPLY_MORE : REPLY_BAD);
	default:
		for (; p != NULL; p = line(r, &len))
			if (len == 0)
				return (whole(r));
		return (REPLY_MORE);
	}
}

static enum reply_state
chunk_data(struct reply *r)
{
	size_t	 n = r->have - r->at;

	if (n > r->left)
		n = r->left;
	memmove(r->body + r->len, r->buf + r->at, n);
	r->len += n;
	r->at += n;
	if ((r->left -= n) == 0)
		r->how = CHUNK_END;
	return (REPLY_MORE);
}

/* The next whole line, without its end; NULL when it is not there yet. */
static char *
line(struct reply *r, size_t *len)
{
	char	*p = r->buf + r->at, *end;

	if ((end = memmem(p, r->have - r->at, "\r\n", 2)) == NULL)
		return (NULL);
	*len = (size_t)(end - p);
	r->at += *len + 2;
	return (p);
}

static enum reply_state
whole(struct reply *r)
{
	if (r->len > REPLY_BODY_MAX)
		return (REPLY_BAD);
	r->body[r->len] = '\0';
	r->how = WHOLE;
	return (REPLY_DONE);
}
