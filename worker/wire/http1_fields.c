/*
 * Header fields (RFC 9112 section 5) and the framing they declare (section
 * 6).
 */
#include <string.h>

#include "common/block.h"
#include "worker/wire/http1_int.h"

#define LENGTH_DIGITS	16	/* of a Content-Length: below 2^53 */

/* token characters */
static const unsigned char tchar[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1,
	['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1,
	['`'] = 1, ['|'] = 1, ['~'] = 1,
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,
	['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
	['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1,
	['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
	['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1,
	['Y'] = 1, ['Z'] = 1,
	['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
	['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1,
	['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,
	['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
	['y'] = 1, ['z'] = 1
};

static int	 one_field(struct http1_head *, const char **, const char *,
		    const char **);
static size_t	 name_span(const char *, size_t);
static size_t	 value_span(const char *, size_t);
static int	 content_length(struct http1_head *, const char **);
static int	 transfer_encoding(struct http1_head *, const char **);
static int	 mark_connection(struct http1_head *);

int
http1_is_tchar(unsigned char c)
{
	return (tchar[c]);
}

void
http1_head_clear(struct http1_head *h)
{
	/* the fields themselves are covered by nfield */
	h->method = h->target = h->path = h->query =
	    (struct slice){ NULL, 0 };
	h->status = 0;
	h->minor = 1;
	h->nfield = 0;
	memset(h->first, 0xff, sizeof(h->first));
	memset(h->count, 0, sizeof(h->count));
	h->body = HTTP1_BODY_NONE;
	h->content_length = 0;
	h->keepalive = 0;
	h->expect_continue = 0;
}

int
http1_fields(struct http1_head *h, const char *p, const char *end,
    const char **why)
{
	int	 status;

	while (p < end) {
		if (h->nfield == HTTP1_FIELDS_MAX) {
			*why = "too many header fields";
			return (431);
		}
		if ((status = one_field(h, &p, end, why)) != 0)
			return (status);
	}
	if (mark_connection(h) == -1) {
		*why = "Connection names too many fields";
		return (400);
	}
	return (0);
}

/* The line at *p, which comes back behind it. */
static int
one_field(struct http1_head *h, const char **p, const char *end,
    const char **why)
{
	struct http1_field	*f = &h->field[h->nfield];
	struct field		 known;
	const char		*v, *eol;

	*why = "malformed header field name";
	v = *p + name_span(*p, (size_t)(end - *p));
	/* no name, space before the colon, obs-fold, no colon at all */
	if (v == *p || v == end || *v != ':')
		return (400);
	f->name = (struct slice){ *p, (size_t)(v - *p) };
	v++;
	eol = v + value_span(v, (size_t)(end - v));
	*why = "invalid character in a header field value";
	if (end - eol < 2 || eol[0] != '\r' || eol[1] != '\n')
		return (400);
	*p = eol + 2;
	f->value = slice_trim((struct slice){ v, (size_t)(eol - v) });
	f->connection = 0;
	known = field_find(f->name);
	f->id = known.id;
	f->flags = known.flags;
	if (h->first[f->id] == -1)
		h->first[f->id] = (short)h->nfield;
	h->count[f->id]++;
	h->nfield++;
	*why = "";
	return (0);
}

/* How many bytes are a token's (RFC 9110 section 5.6.2); blocks know those that
 * names mostly are of. */
static size_t
name_span(const char *p, size_t len)
{
	size_t	 n = 0, k;
	block	 c, letter;

	for (; len - n >= BLOCK; n += BLOCK) {
		c = block_load(p + n);
		letter = (c | 0x20) - 'a';
		k = block_first((block)((letter > 'z' - 'a') & (c != '-')));
		if (k < BLOCK) {
			n += k;
			break;
		}
	}
	while (n < len && tchar[(unsigned char)p[n]])
		n++;
	return (n);
}

/* How many bytes are no control characters but tabs (RFC 9110 section 5.5). */
static size_t
value_span(const char *p, size_t len)
{
	size_t	 n = 0, k;
	block	 c, d;

	/* tokens are long */
	for (; len - n >= 2 * BLOCK; n += 2 * BLOCK) {
		c = block_load(p + n);
		d = block_load(p + n + BLOCK);
		if (block_any((block)((c < 0x20) | (c == 0x7f) |
		    (d < 0x20) | (d == 0x7f))))
			break;
	}
	for (; len - n >= BLOCK; n += BLOCK) {
		c = block_load(p + n);
		k = block_first((block)(((c < 0x20) & (c != '\t')) |
		    (c == 0x7f)));
		if (k < BLOCK)
			return (n + k);
	}
	while (n < len && ((unsigned char)p[n] >= 0x20 || p[n] == '\t') &&
	    p[n] != 0x7f)
		n++;
	return (n);
}

int
http1_list_next(struct slice *list, struct slice *item)
{
	const char	*comma;

	if (list->p == NULL)
		return (0);
	comma = memchr(list->p, ',', list->len);
	item->p = list->p;
	item->len = comma == NULL ? list->len : (size_t)(comma - list->p);
	if (comma == NULL)
		list->p = NULL;
	else {
		list->len -= item->len + 1;
		list->p = comma + 1;
	}
	*item = slice_trim(*item);
	return (1);
}

int
http1_list_has(struct slice list, const char *token)
{
	struct slice	 item;

	while (http1_list_next(&list, &item))
		if (slice_is_nocase(item, token))
			return (1);
	return (0);
}

/* Fields that are named in Connection belong to this connection only
 * (RFC 9110 section 7.6.1).  0, or -1: more items than there may be, which
 * would be work for nothing. */
static int
mark_connection(struct http1_head *h)
{
	struct slice	 list, item;
	size_t		 i, k, n = 0;

	for (i = 0; i < h->nfield && h->count[HTTP1_CONNECTION] > 0; i++) {
		if (h->field[i].id != HTTP1_CONNECTION)
			continue;
		list = h->field[i].value;
		while (http1_list_next(&list, &item)) {
			if (++n > HTTP1_FIELDS_MAX)
				return (-1);
			for (k = 0; item.len > 0 && k < h->nfield; k++)
				if (h->field[k].name.len == item.len &&
				    strncasecmp(h->field[k].name.p, item.p,
				    item.len) == 0)
					h->field[k].connection = 1;
		}
	}
	return (0);
}

struct slice
http1_value(const struct http1_head *h, enum http1_name id)
{
	if (h->first[id] == -1)
		return ((struct slice){ NULL, 0 });
	return (h->field[h->first[id]].value);
}

int
http1_is_event_stream(const struct http1_head *h)
{
	struct slice	 v = http1_value(h, HTTP1_CONTENT_TYPE);

	return (v.p != NULL &&
	    slice_is_nocase(slice_cut(&v, ';'), "text/event-stream"));
}

int
http1_framing(struct http1_head *h, const char **why)
{
	size_t	 i;
	int	 status, close = 0, keep = 0;

	for (i = 0; i < h->nfield; i++) {
		if (h->field[i].id != HTTP1_CONNECTION)
			continue;
		close |= http1_list_has(h->field[i].value, "close");
		keep |= http1_list_has(h->field[i].value, "keep-alive");
	}
	h->keepalive = !close && (h->minor == 1 || keep);
	if (h->count[HTTP1_TRANSFER_ENCODING] > 0) {
		if (h->count[HTTP1_CONTENT_LENGTH] > 0) {
			*why = "both Content-Length and Transfer-Encoding";
			return (400);
		}
		if ((status = transfer_encoding(h, why)) != 0)
			return (status);
	} else if (h->count[HTTP1_CONTENT_LENGTH] > 0 &&
	    (status = content_length(h, why)) != 0)
		return (status);
	return (0);
}

static int
transfer_encoding(struct http1_head *h, const char **why)
{
	struct slice	 v = http1_value(h, HTTP1_TRANSFER_ENCODING);

	*why = "malformed Transfer-Encoding";
	if (h->minor == 0 || h->count[HTTP1_TRANSFER_ENCODING] > 1)
		return (400);
	if (!slice_is_nocase(v, "chunked")) {
		/* a coding that we do not know, or chunked in a wrong place */
		if (v.len == 0 || http1_list_has(v, "chunked"))
			return (400);
		*why = "unknown transfer coding";
		return (501);
	}
	h->body = HTTP1_BODY_CHUNKED;
	return (0);
}

static int
content_length(struct http1_head *h, const char **why)
{
	struct slice	 v = http1_value(h, HTTP1_CONTENT_LENGTH);
	size_t		 i;

	*why = "malformed Content-Length";
	if (h->count[HTTP1_CONTENT_LENGTH] > 1 || v.len == 0 ||
	    v.len > LENGTH_DIGITS)
		return (400);
	for (i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return (400);
		h->content_length = h->content_length * 10 +
		    (uint64_t)(v.p[i] - '0');
	}
	if (h->content_length > 1ULL << 53)
		return (400);
	h->body = HTTP1_BODY_LENGTH;
	return (0);
}
