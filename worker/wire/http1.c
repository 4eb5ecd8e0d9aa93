/*
 * Finding the end of a head, start lines (RFC 9112 sections 3 and 4), and
 * chunked bodies (section 7.1).
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <ctype.h>
#include <string.h>

#include "worker/wire/http1_int.h"

#define METHOD_MAX	32
#define TLS_HANDSHAKE	22	/* RFC 8446 section 5.1 */
#define LINES_MAX	(HTTP1_FIELDS_MAX + 2)
#define CHUNK_OVERHEAD	(16 * 1024)	/* extensions and trailers */
#define CHUNK_DIGITS	13		/* hexadecimal: below 2^52 */

static int	 method_begins(const char *, const char *);
static int	 line_goes_on(struct http1_scan *, const char *, size_t);
static int	 request_line(struct http1_head *, const char *, const char *,
		    const char **);
static int	 target(struct http1_head *, struct slice *, const char **);
static int	 absolute_form(struct http1_head *, struct slice *,
		    const char **);
static int	 split_query(struct http1_head *, struct slice);
static int	 host(struct http1_head *, struct slice, const char **);
static int	 host_ok(struct slice);
static int	 name_byte_ok(const char *, const char *);
static int	 ipv6_ok(const char *, size_t);
static int	 version(const char *, size_t);
static int	 status_line(struct http1_head *, const char *, const char *);

enum http1_more
http1_scan_head(struct http1_scan *s, const char *buf, size_t len, size_t max,
    size_t *headlen, int *status, const char **why)
{
	const char	*nl;
	size_t		 eol;

	*status = 400;
	while (s->pos < len &&
	    (nl = memchr(buf + s->pos, '\n', len - s->pos)) != NULL) {
		eol = (size_t)(nl - buf);
		if (eol == s->line || buf[eol - 1] != '\r') {
			*why = "a line does not end in CRLF";
			return (HTTP1_BAD);
		}
		if (eol + 1 > max)
			break;
		s->pos = eol + 1;
		if (eol - s->line == 1) {
			/* an empty line: the end, or (once) before a start */
			if (s->nlines > 0) {
				*headlen = s->pos;
				*why = "a NUL in the head";
				return (memchr(buf, '\0', s->pos) != NULL ?
				    HTTP1_BAD : HTTP1_DONE);
			}
			if (s->line != 0) {
				*why = "empty lines before a request";
				return (HTTP1_BAD);
			}
			s->line = s->pos;
			continue;
		}
		if ((buf[s->line] == ' ' || buf[s->line] == '\t')) {
			*why = "a line begins with space";
			return (HTTP1_BAD);
		}
		if (++s->nlines > LINES_MAX) {
			*status = 431;
			*why = "too many header fields";
			return (HTTP1_BAD);
		}
		s->line = s->pos;
	}
	if (len >= max || (s->pos < len && memchr(buf + s->pos, '\n',
	    len - s->pos) != NULL)) {
		*status = s->nlines == 0 ? 414 : 431;
		*why = "the head is larger than limits.max_header";
		return (HTTP1_BAD);
	}
	s->pos = len;
	return (HTTP1_MORE);
}

int
http1_begins(struct http1_scan *s, const char *buf, size_t len,
    const char **why)
{
	static struct http1_head h;
	const char	*p = buf, *end = buf + len, *eol;

	if (s->begun)
		return (0);
	*why = "malformed request line";
	/* an empty line may stand before it */
	if (len > 0 && *p == '\r' && (++p < end) && *p++ != '\n')
		return (400);
	if (p == end)
		return (0);
	if (s->seen < (size_t)(p - buf))
		s->seen = (size_t)(p - buf);
	if ((unsigned char)*p == TLS_HANDSHAKE) {
		*why = "a TLS handshake where HTTP is spoken";
		return (400);
	}
	if ((eol = memchr(p, '\n', (size_t)(end - p))) == NULL)
		return (method_begins(p, end) &&
		    line_goes_on(s, buf, len) ? 0 : 400);
	s->begun = 1;
	return (request_line(&h, p, eol - 1, why) == 400 ? 400 : 0);
}

/* As much of a method as there is, or one and a space. */
static int
method_begins(const char *p, const char *end)
{
	const char	*q = p;

	while (q < end && q - p <= METHOD_MAX &&
	    http1_is_tchar((unsigned char)*q))
		q++;
	return (q - p <= METHOD_MAX && (q == end || (q > p && *q == ' ')));
}

/* Nothing but what may be in a request line, and perhaps the CR behind it; each
 * byte is looked at but once. */
static int
line_goes_on(struct http1_scan *s, const char *buf, size_t len)
{
	for (; s->seen < len; s->seen++) {
		if (buf[s->seen] == '\r' && s->seen + 1 == len)
			break;
		if ((unsigned char)buf[s->seen] < 0x20 ||
		    (unsigned char)buf[s->seen] >= 0x7f)
			return (0);
	}
	return (1);
}

int
http1_parse_request(struct http1_head *h, const char *buf, size_t headlen,
    const char **why)
{
	const char	*p = buf, *end = buf + headlen - 2, *eol;
	struct slice	 authority = { NULL, 0 };
	int		 status;

	http1_head_clear(h);
	*why = "";
	if (p[0] == '\r' && p[1] == '\n')
		p += 2;
	eol = memchr(p, '\n', (size_t)(end - p));
	if (eol == NULL || eol == p || eol[-1] != '\r') {
		*why = "malformed request line";
		return (400);
	}
	if ((status = request_line(h, p, eol - 1, why)) != 0 ||
	    (status = http1_fields(h, eol + 1, end, why)) != 0 ||
	    (status = target(h, &authority, why)) != 0 ||
	    (status = host(h, authority, why)) != 0 ||
	    (status = http1_framing(h, why)) != 0)
		return (status);
	if (h->count[HTTP1_EXPECT] > 0) {
		if (h->count[HTTP1_EXPECT] > 1 || !slice_is_nocase(
		    http1_value(h, HTTP1_EXPECT), "100-continue")) {
			*why = "unknown expectation";
			return (417);
		}
		/* RFC 9110 section 10.1.1: ignored from HTTP/1.0 */
		h->expect_continue = h->minor == 1;
	}
	return (0);
}

static int
version(const char *p, size_t len)
{
	if (len != 8 || memcmp(p, "HTTP/", 5) != 0 ||
	    p[5] < '0' || p[5] > '9' || p[6] != '.' ||
	    p[7] < '0' || p[7] > '9')
		return (-1);
	if (p[5] != '1' || p[7] > '1')
		return (-2);
	return (p[7] - '0');
}

static int
request_line(struct http1_head *h, const char *p, const char *end,
    const char **why)
{
	const char	*q = p;

	*why = "malformed request line";
	while (q < end && http1_is_tchar((unsigned char)*q))
		q++;
	if (q == p || q - p > METHOD_MAX || q == end || *q != ' ')
		return (400);
	h->method = (struct slice){ p, (size_t)(q - p) };
	p = ++q;
	for (; q < end && *q != ' '; q++)
		if ((unsigned char)*q <= 0x20 || (unsigned char)*q >= 0x7f)
			return (400);
	if (q == p || q == end)
		return (400);
	h->target = (struct slice){ p, (size_t)(q - p) };
	q++;
	h->minor = version(q, (size_t)(end - q));
	if (h->minor == -2) {
		h->minor = 1;
		*why = "HTTP version not supported";
		return (505);
	}
	if (h->minor == -1) {
		h->minor = 1;
		return (400);
	}
	*why = "";
	return (0);
}

/* RFC 9112 section 3.2: origin, absolute and asterisk form. */
static int
target(struct http1_head *h, struct slice *authority, const char **why)
{
	struct slice	 t = h->target;

	*why = "malformed request target";
	if (memchr(t.p, '#', t.len) != NULL)
		return (400);
	/* it names a host to be connected to, and we connect to none */
	if (slice_is(h->method, "CONNECT")) {
		*authority = t;
		if (!host_ok(t) || memchr(t.p, ':', t.len) == NULL)
			return (400);
		*why = "CONNECT is not served";
		return (501);
	}
	if (t.p[0] == '/')
		return (split_query(h, t));
	if (slice_is(t, "*")) {
		h->path = t;
		return (slice_is(h->method, "OPTIONS") ? 0 : 400);
	}
	return (absolute_form(h, authority, why));
}

static int
split_query(struct http1_head *h, struct slice t)
{
	const char	*q = memchr(t.p, '?', t.len);

	h->path = t;
	if (q != NULL) {
		h->path.len = (size_t)(q - t.p);
		h->query.p = q + 1;
		h->query.len = t.len - h->path.len - 1;
	}
	return (0);
}

static int
absolute_form(struct http1_head *h, struct slice *authority, const char **why)
{
	struct slice	 t = h->target;
	size_t		 skip, n;

	*why = "malformed request target";
	if (t.len > 7 && strncasecmp(t.p, "http://", 7) == 0)
		skip = 7;
	else if (t.len > 8 && strncasecmp(t.p, "https://", 8) == 0)
		skip = 8;
	else
		return (400);
	t.p += skip;
	t.len -= skip;
	for (n = 0; n < t.len && t.p[n] != '/' && t.p[n] != '?'; n++)
		;
	*authority = (struct slice){ t.p, n };
	if (!host_ok(*authority))
		return (400);
	t.p += n;
	t.len -= n;
	if (t.len == 0 || t.p[0] != '/') {
		/* an empty path is "/" (section 3.2.1) */
		if (t.len > 0) {
			h->query.p = t.p + 1;
			h->query.len = t.len - 1;
		}
		h->path = slice_of("/");
		return (0);
	}
	return (split_query(h, t));
}

/* One Host, valid, and the same as the target's authority (section 3.2). */
static int
host(struct http1_head *h, struct slice authority, const char **why)
{
	struct slice	 v = http1_value(h, HTTP1_HOST);

	*why = "missing, repeated or malformed Host";
	if (h->count[HTTP1_HOST] > 1 ||
	    (h->count[HTTP1_HOST] == 0 && h->minor == 1))
		return (400);
	if (v.p != NULL && !host_ok(v))
		return (400);
	if (authority.p != NULL && v.p != NULL &&
	    (authority.len != v.len ||
	    strncasecmp(authority.p, v.p, v.len) != 0)) {
		*why = "Host differs from the request target";
		return (400);
	}
	*why = "";
	return (0);
}

/* uri-host [":" port] (RFC 9110 section 7.2, RFC 3986 section 3.2.2). */
static int
host_ok(struct slice v)
{
	const char	*p = v.p, *end = v.p + v.len;
	unsigned	 port = 0;

	if (v.len == 0 || v.len > 263)
		return (0);
	if (*p == '[') {
		if ((p = memchr(v.p, ']', v.len)) == NULL ||
		    !ipv6_ok(v.p + 1, (size_t)(p - v.p) - 1))
			return (0);
		p++;
	} else {
		for (; p < end && *p != ':'; p++)
			if (!name_byte_ok(p, end))
				return (0);
		if (p == v.p)
			return (0);
	}
	if (p == end)
		return (1);
	if (*p++ != ':')
		return (0);
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return (0);
		port = port * 10 + (unsigned)(*p - '0');
		if (port > 65535)
			return (0);
	}
	return (1);
}

/* A byte of a reg-name; of an escape the first, with what follows. */
static int
name_byte_ok(const char *p, const char *end)
{
	if (*p == '%')
		return (end - p > 2 && isxdigit((unsigned char)p[1]) &&
		    isxdigit((unsigned char)p[2]));
	return (isalnum((unsigned char)*p) ||
	    (*p != '\0' && strchr("-._~!$&'()*+,;=", *p) != NULL));
}

static int
ipv6_ok(const char *p, size_t len)
{
	char		 text[INET6_ADDRSTRLEN];
	uint8_t		 addr[16];

	if (len >= sizeof(text))
		return (0);
	memcpy(text, p, len);
	text[len] = '\0';
	return (inet_pton(AF_INET6, text, addr) == 1);
}

int
http1_parse_response(struct http1_head *h, const char *buf, size_t headlen,
    struct slice method, const char **why)
{
	const char	*end = buf + headlen - 2, *eol;

	http1_head_clear(h);
	*why = "malformed status line";
	eol = memchr(buf, '\n', (size_t)(end - buf));
	if (eol == NULL || eol == buf || eol[-1] != '\r' ||
	    status_line(h, buf, eol - 1) == -1)
		return (-1);
	if (http1_fields(h, eol + 1, end, why) != 0 ||
	    http1_framing(h, why) != 0)
		return (-1);
	if (h->status < 200 || h->status == 204) {
		/* section 6.1: neither may declare a body, and servers exist
		 * that do so in a 204; who knows what follows it */
		if (h->body == HTTP1_BODY_CHUNKED || h->content_length > 0) {
			*why = "a body where none may be";
			if (h->status < 200)
				return (-1);
			h->keepalive = 0;
		}
		h->body = HTTP1_BODY_NONE;
	} else if (h->status == 304 || slice_is(method, "HEAD"))
		h->body = HTTP1_BODY_NONE;
	else if (h->body == HTTP1_BODY_NONE) {
		h->body = HTTP1_BODY_CLOSE;
		h->keepalive = 0;
	}
	return (0);
}

static int
status_line(struct http1_head *h, const char *p, const char *end)
{
	const char	*q;

	if (end - p < 12 || (h->minor = version(p, 8)) < 0 || p[8] != ' ')
		return (-1);
	for (q = p + 9; q < p + 12; q++) {
		if (*q < '0' || *q > '9')
			return (-1);
		h->status = h->status * 10 + (*q - '0');
	}
	if (h->status < 100 || h->status > 599 || (q < end && *q != ' '))
		return (-1);
	for (; q < end; q++)
		if (((unsigned char)*q < 0x20 && *q != '\t') || *q == 0x7f)
			return (-1);
	return (0);
}

enum { SIZE, SIZE_PAD, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER,
    TRAILER_NAME, TRAILER_VALUE, TRAILER_LF, OVER };

/*
 * One byte of the trailers, which are dropped.  Each must be a field all the
 * same: who takes the last chunk for the end of the body would read a request
 * in their place.
 */
static enum http1_more
trailer_byte(struct http1_chunk *c, unsigned char b)
{
	if (++c->overhead > CHUNK_OVERHEAD)
		return (HTTP1_BAD);
	if (c->state == TRAILER_LF) {
		if (b != '\n')
			return (HTTP1_BAD);
		c->state = c->line == 0 ? OVER : TRAILER;
		c->line = 0;
		return (c->state == OVER ? HTTP1_DONE : HTTP1_MORE);
	}
	if (b == '\r' && c->state != TRAILER_NAME) {
		c->state = TRAILER_LF;
		return (HTTP1_MORE);
	}
	c->line++;
	if (c->state == TRAILER_VALUE)
		return ((b < 0x20 && b != '\t') || b == 0x7f ? HTTP1_BAD :
		    HTTP1_MORE);
	if (b == ':' && c->state == TRAILER_NAME) {
		c->state = TRAILER_VALUE;
		return (HTTP1_MORE);
	}
	c->state = TRAILER_NAME;
	return (http1_is_tchar(b) ? HTTP1_MORE : HTTP1_BAD);
}

/* A byte of a size line that says nothing. */
static enum http1_more
chunk_pad(struct http1_chunk *c)
{
	return (++c->overhead > CHUNK_OVERHEAD ? HTTP1_BAD : HTTP1_MORE);
}

/* One byte of what is not data.  HTTP1_MORE, DONE or BAD. */
static enum http1_more
chunk_byte(struct http1_chunk *c, unsigned char b)
{
	switch (c->state) {
	case SIZE:
		if (isxdigit(b)) {
			if (c->lax && b == '0' && c->digits == 1 &&
			    c->left == 0)
				return (chunk_pad(c));
			if (++c->digits > CHUNK_DIGITS)
				return (HTTP1_BAD);
			c->left = c->left << 4 | (uint64_t)(b <= '9' ?
			    b - '0' : (b | 0x20) - 'a' + 10);
			return (HTTP1_MORE);
		}
		if (c->digits == 0)
			return (HTTP1_BAD);
		c->state = SIZE_PAD;
		/* FALLTHROUGH */
	case SIZE_PAD:
		if (c->lax && (b == ' ' || b == '\t'))
			return (chunk_pad(c));
		/* BWS is not taken from clients: ambiguous */
		if (b != ';' && b != '\r')
			return (HTTP1_BAD);
		c->state = b == ';' ? EXTENSION : SIZE_LF;
		return (HTTP1_MORE);
	case EXTENSION:
		if (++c->overhead > CHUNK_OVERHEAD ||
		    (b < 0x20 && b != '\t' && b != '\r') || b == 0x7f)
			return (HTTP1_BAD);
		if (b == '\r')
			c->state = SIZE_LF;
		return (HTTP1_MORE);
	case SIZE_LF:
		if (b != '\n')
			return (HTTP1_BAD);
		c->digits = 0;
		c->line = 0;
		c->state = c->left > 0 ? DATA : TRAILER;
		return (HTTP1_MORE);
	case DATA_CR:
		c->state = DATA_LF;
		return (b == '\r' ? HTTP1_MORE : HTTP1_BAD);
	case DATA_LF:
		c->state = SIZE;
		return (b == '\n' ? HTTP1_MORE : HTTP1_BAD);
	case TRAILER:
	case TRAILER_NAME:
	case TRAILER_VALUE:
	case TRAILER_LF:
		return (trailer_byte(c, b));
	default:
		return (HTTP1_BAD);
	}
}

enum http1_more
http1_chunk_decode(struct http1_chunk *c, const char *in, size_t len,
    size_t *used, struct slice *data, const char **why)
{
	enum http1_more	 more;

	*used = 0;
	data->p = in;
	data->len = 0;
	while (*used < len) {
		if (c->state == DATA) {
			data->p = in + *used;
			data->len = len - *used < c->left ? len - *used :
			    (size_t)c->left;
			c->left -= data->len;
			*used += data->len;
			if (c->left == 0)
				c->state = DATA_CR;
			return (HTTP1_MORE);
		}
		more = chunk_byte(c, (unsigned char)in[(*used)++]);
		if (more != HTTP1_MORE) {
			*why = "malformed chunked body";
			return (more);
		}
	}
	return (HTTP1_MORE);
}
