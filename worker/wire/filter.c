/*
 * Filters on answers.  A message is one text that lies in pieces in what was
 * held: a JSON body in one, an event's data in as many as it has lines, joined
 * by line feeds.  Edits speak of the text and are carried out on the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/wire/filter.h"

#define EDITS_MAX	4096	/* of one filter in one message */

/* A line of data: where its value stands in what is held, and in the text. */
struct piece {
	size_t		 raw;
	size_t		 text;
	size_t		 len;
};

struct edit {
	size_t		 at;		/* in the text */
	size_t		 cut;
	size_t		 put;		/* in the texts that are put in */
	size_t		 put_len;
};

struct filter_edits {
	struct slice	 text;
	struct edit	*edits;
	size_t		 n;
	struct buf	 puts;
	int		 failed;
};

struct filter_chain {
	struct filter	 filters[FILTERS_MAX];
	size_t		 nfilters;
	enum filter_kind kind;
	size_t		 max;
	struct buf	 held;		/* of one message, as it came */
	size_t		 line;		/* where its last line begins */
	int		 skip_lf;	/* half of a line's end may come */
	int		 lf_goes;	/* with the event that it belongs to */
	int		 began;		/* a mark may stand no more */
	int		 lenient;	/* all filters are */
	int		 skipping;	/* to the end of an event too long */
	size_t		 dropped;
	size_t		 unread;
	const char	*why;		/* nothing may pass any more */
	/* of the message that is judged */
	struct piece	*pieces;
	size_t		 npieces;
	struct buf	 text;		/* joined, where there are several */
};

static int	 fail(struct filter_chain *, const char *, const char **);
static int	 feed_event(struct filter_chain *, struct slice *,
		    struct buf *);
static int	 hold_line(struct filter_chain *, struct slice *,
		    struct buf *, int *);
static int	 too_long(struct filter_chain *, struct buf *);
static int	 skip_line(struct filter_chain *, struct slice, struct buf *);
static void	 event_reset(struct filter_chain *);
static int	 event_ended(struct filter_chain *, struct buf *);
static int	 event_pass(struct filter_chain *, struct buf *);
static int	 event_drop(struct filter_chain *, struct buf *);
static int	 judge(struct filter_chain *, struct slice *);
static enum filter_verdict judge_one(struct filter_chain *,
		    const struct filter *, struct slice);
static int	 pieces_of_event(struct filter_chain *);
static int	 piece_add(struct filter_chain *, size_t, size_t);
static int	 text_of(struct filter_chain *, struct slice *);
static int	 apply(struct filter_chain *, const struct filter_edits *);
static size_t	 raw_at(const struct filter_chain *, size_t, int);
static size_t	 line_len(struct slice, size_t *);
static int	 is_field(struct slice, const char *);
static void	 edit_add(struct filter_edits *, const char *, size_t,
		    struct slice);
static int	 edits_grow(struct filter_edits *);

struct filter_chain *
filter_chain_new(enum filter_kind kind, const struct filter *filters,
    size_t n, size_t max)
{
	struct filter_chain	*c;
	size_t			 i;

	if (n == 0 || n > FILTERS_MAX ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	memcpy(c->filters, filters, n * sizeof(*filters));
	c->lenient = 1;
	for (i = 0; i < n; i++)
		c->lenient &= filters[i].lenient;
	c->nfilters = n;
	c->kind = kind;
	c->max = max;
	return (c);
}

void
filter_chain_free(struct filter_chain *c)
{
	if (c == NULL)
		return;
	buf_free(&c->held);
	buf_free(&c->text);
	free(c->pieces);
	free(c);
}

size_t
filter_dropped(const struct filter_chain *c)
{
	return (c->dropped);
}

size_t
filter_unread(const struct filter_chain *c)
{
	return (c->unread);
}

int
filter_at_boundary(const struct filter_chain *c)
{
	return (c->held.len == 0 && !c->skipping && !c->skip_lf);
}

static int
fail(struct filter_chain *c, const char *what, const char **why)
{
	if (c->why == NULL)
		c->why = what;
	*why = c->why;
	buf_free(&c->held);
	return (-1);
}

int
filter_feed(struct filter_chain *c, struct slice in, struct buf *out,
    const char **why)
{
	if (c->why != NULL)
		return (fail(c, c->why, why));
	if (c->kind == FILTER_JSON) {
		if (in.len > c->max - c->held.len)
			return (fail(c, "the answer is larger than "
			    "limits.max_message", why));
		if (buf_append(&c->held, in.p, in.len) == -1)
			return (fail(c, "no memory to judge the answer",
			    why));
		return (0);
	}
	while (in.len > 0)
		if (feed_event(c, &in, out) == -1)
			return (fail(c, "an event may not pass", why));
	return (0);
}

int
filter_end(struct filter_chain *c, struct buf *out, const char **why)
{
	struct slice	 text;

	if (c->why != NULL)
		return (fail(c, c->why, why));
	if (c->held.len == 0)
		return (0);
	if (c->kind == FILTER_EVENTS) {
		if (c->lenient && event_pass(c, out) == -1)
			return (fail(c, "no memory to judge the answer", why));
		buf_free(&c->held);
		return (0);
	}
	c->npieces = 0;
	if (piece_add(c, 0, c->held.len) == -1 || text_of(c, &text) == -1)
		return (fail(c, "no memory to judge the answer", why));
	if (json_check(text.p, text.len) != JSON_OK) {
		if (!c->lenient)
			return (fail(c, "the answer is not JSON", why));
		c->unread++;
	} else if (judge(c, &text) != FILTER_PASS)
		return (fail(c, "the answer may not pass", why));
	if (buf_append(out, buf_data(&c->held), c->held.len) == -1)
		return (fail(c, "no memory to judge the answer", why));
	buf_free(&c->held);
	return (0);
}

/* -- events -------------------------------------------------------------- */

/* Take bytes until an event ends or there are no more.  0 or -1. */
static int
feed_event(struct filter_chain *c, struct slice *in, struct buf *out)
{
	int	 ended = 0;

	/* a line's end of two bytes that came apart */
	if (c->skip_lf && *in->p == '\n') {
		in->p++;
		in->len--;
		c->skip_lf = 0;
		if (c->held.len > 0) {
			if (buf_append(&c->held, "\n", 1) == -1)
				return (-1);
			c->line++;
		} else if (c->skipping) {
			if (skip_line(c, slice_of("\n"), out) == -1)
				return (-1);
		} else if (c->lf_goes && buf_append(out, "\n", 1) == -1)
			return (-1);
		return (0);
	}
	c->skip_lf = c->lf_goes = 0;
	while (in->len > 0 && !ended)
		if (hold_line(c, in, out, &ended) == -1)
			return (-1);
	return (ended ? event_ended(c, out) : 0);
}

/* Hold bytes to the end of a line; *ended when the line is empty.  0 or -1. */
static int
hold_line(struct filter_chain *c, struct slice *in, struct buf *out,
    int *ended)
{
	struct slice	 line = *in;
	size_t		 end = 0;

	line.len = line_len(*in, &end);
	if (!c->skipping && line.len > c->max - c->held.len &&
	    too_long(c, out) == -1)
		return (-1);
	/* while skipping, line counts the bytes of the line so far */
	*ended = end > 0 && (c->skipping ? c->line + line.len == end :
	    c->held.len + line.len - end == c->line);
	if (c->skipping) {
		if (skip_line(c, line, out) == -1)
			return (-1);
		c->line = end > 0 ? 0 : c->line + line.len;
	} else {
		if (buf_append(&c->held, line.p, line.len) == -1)
			return (-1);
		if (end > 0)
			c->line = c->held.len;
	}
	c->skip_lf = end == 1 && line.p[line.len - 1] == '\r';
	in->p += line.len;
	in->len -= line.len;
	return (0);
}

/* The event is more than can be held: it goes, or it passes unread. */
static int
too_long(struct filter_chain *c, struct buf *out)
{
	int	 r = 0;

	c->skipping = 1;
	c->line = c->held.len - c->line;
	if (!c->lenient)
		c->dropped++;
	else {
		c->unread++;
		if (c->held.len > 0)
			r = buf_append(out, buf_data(&c->held), c->held.len);
	}
	buf_free(&c->held);
	return (r);
}

static int
skip_line(struct filter_chain *c, struct slice line, struct buf *out)
{
	return (c->lenient ? buf_append(out, line.p, line.len) : 0);
}

/* Bytes to the end of the first line, its end included, whose length *end
 * becomes; 0: it does not end here. */
static size_t
line_len(struct slice s, size_t *end)
{
	size_t	 i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\n') {
			*end = 1;
			return (i + 1);
		}
		if (s.p[i] == '\r') {
			*end = i + 1 < s.len && s.p[i + 1] == '\n' ? 2 : 1;
			return (i + *end);
		}
	}
	return (s.len);
}

static void
event_reset(struct filter_chain *c)
{
	buf_free(&c->held);
	c->line = 0;
	c->skipping = 0;
	c->began = 1;
}

/* The event in held is whole.  0 or -1. */
static int
event_ended(struct filter_chain *c, struct buf *out)
{
	struct slice	 text;
	int		 r = 0;

	if (c->skipping) {
		c->lf_goes = c->lenient;
		event_reset(c);
		return (0);
	}
	if (pieces_of_event(c) == -1 || text_of(c, &text) == -1)
		return (-1);
	/* comments, and what only tells an id: nobody's message */
	if (text.len == 0)
		r = event_pass(c, out);
	else if (json_check(text.p, text.len) != JSON_OK) {
		c->unread += (size_t)c->lenient;
		r = c->lenient ? event_pass(c, out) : event_drop(c, out);
	} else
		switch (judge(c, &text)) {
		case FILTER_PASS:
			r = event_pass(c, out);
			break;
		case FILTER_DROP:
			r = event_drop(c, out);
			break;
		default:
			r = -1;
		}
	event_reset(c);
	return (r);
}

static int
event_pass(struct filter_chain *c, struct buf *out)
{
	c->lf_goes = 1;
	return (buf_append(out, buf_data(&c->held), c->held.len));
}

/* Its id and retry stay: a client that comes back names the last id. */
static int
event_drop(struct filter_chain *c, struct buf *out)
{
	struct slice	 all = { buf_data(&c->held), c->held.len }, line;
	size_t		 n, end;
	int		 kept = 0;

	c->dropped++;
	for (; all.len > 0; all.p += n, all.len -= n) {
		end = 0;
		n = line_len(all, &end);
		line = (struct slice){ all.p, n - end };
		if (!is_field(line, "id") && !is_field(line, "retry"))
			continue;
		kept = 1;
		buf_append(out, all.p, n);
	}
	if (kept)
		buf_append(out, "\n", 1);
	return (buf_check(out));
}

static int
is_field(struct slice line, const char *name)
{
	size_t	 n = strlen(name);

	return (line.len >= n && memcmp(line.p, name, n) == 0 &&
	    (line.len == n || line.p[n] == ':'));
}

/* -- a message and its pieces -------------------------------------------- */

static int
pieces_of_event(struct filter_chain *c)
{
	static const char	 mark[] = "\xef\xbb\xbf";
	struct slice		 all, line;
	const char		*start = buf_data(&c->held);
	size_t			 n, end, from;

	c->npieces = 0;
	all = (struct slice){ start, c->held.len };
	if (!c->began && all.len >= 3 && memcmp(all.p, mark, 3) == 0) {
		all.p += 3;
		all.len -= 3;
	}
	for (; all.len > 0; all.p += n, all.len -= n) {
		end = 0;
		n = line_len(all, &end);
		line = (struct slice){ all.p, n - end };
		if (!is_field(line, "data"))
			continue;
		from = line.len == 4 ? 4 : line.len > 5 &&
		    line.p[5] == ' ' ? 6 : 5;
		if (piece_add(c, (size_t)(all.p - start) + from,
		    line.len - from) == -1)
			return (-1);
	}
	return (0);
}

static int
piece_add(struct filter_chain *c, size_t raw, size_t len)
{
	struct piece	*p, *last;

	/* in steps: an event may have a line for each few bytes */
	if ((c->npieces & (c->npieces - 1)) == 0) {
		p = reallocarray(c->pieces, c->npieces == 0 ? 1 :
		    2 * c->npieces, sizeof(*p));
		if (p == NULL)
			return (-1);
		c->pieces = p;
	}
	p = &c->pieces[c->npieces];
	last = c->npieces == 0 ? NULL : p - 1;
	p->raw = raw;
	p->len = len;
	p->text = last == NULL ? 0 : last->text + last->len + 1;
	c->npieces++;
	return (0);
}

/* The text of the pieces; of one it is the piece itself. */
static int
text_of(struct filter_chain *c, struct slice *text)
{
	const char	*held = c->held.len == 0 ? "" : buf_data(&c->held);
	size_t		 i;

	*text = (struct slice){ "", 0 };
	if (c->npieces == 1)
		*text = (struct slice){ held + c->pieces[0].raw,
		    c->pieces[0].len };
	if (c->npieces <= 1)
		return (0);
	buf_free(&c->text);
	for (i = 0; i < c->npieces; i++) {
		if (i > 0)
			buf_append(&c->text, "\n", 1);
		buf_append(&c->text, held + c->pieces[i].raw,
		    c->pieces[i].len);
	}
	*text = (struct slice){ buf_data(&c->text), c->text.len };
	return (buf_check(&c->text));
}

/* All filters, each on what the one before it has left. */
static int
judge(struct filter_chain *c, struct slice *text)
{
	enum filter_verdict	 v;
	size_t			 i;

	for (i = 0; i < c->nfilters; i++) {
		v = judge_one(c, &c->filters[i], *text);
		if (v != FILTER_PASS)
			return (v);
		if (c->kind == FILTER_JSON) {
			c->npieces = 0;
			if (piece_add(c, 0, c->held.len) == -1)
				return (FILTER_REFUSE);
		} else if (pieces_of_event(c) == -1)
			return (FILTER_REFUSE);
		if (text_of(c, text) == -1 ||
		    json_check(text->p, text->len) != JSON_OK)
			return (FILTER_REFUSE);
	}
	return (FILTER_PASS);
}

static enum filter_verdict
judge_one(struct filter_chain *c, const struct filter *f, struct slice text)
{
	struct filter_edits	 e = { .text = text };
	enum filter_verdict	 v;

	v = f->judge(f->arg, text, &e);
	if (v == FILTER_PASS && (e.failed || (e.n > 0 && apply(c, &e) == -1)))
		v = FILTER_REFUSE;
	free(e.edits);
	buf_free(&e.puts);
	return (v);
}

/* -- edits --------------------------------------------------------------- */

void
filter_cut(struct filter_edits *e, const char *at, size_t n)
{
	edit_add(e, at, n, (struct slice){ NULL, 0 });
}

void
filter_put(struct filter_edits *e, const char *at, struct slice put)
{
	edit_add(e, at, 0, put);
}

static void
edit_add(struct filter_edits *e, const char *at, size_t cut,
    struct slice put)
{
	struct edit	*last = e->n == 0 ? NULL : &e->edits[e->n - 1];
	size_t		 from = (size_t)(at - e->text.p), i;

	for (i = 0; i < put.len; i++)
		e->failed |= put.p[i] == '\n' || put.p[i] == '\r';
	if (e->failed || at < e->text.p || from > e->text.len ||
	    cut > e->text.len - from || e->n == EDITS_MAX ||
	    (last != NULL && from < last->at + last->cut) ||
	    edits_grow(e) == -1) {
		e->failed = 1;
		return;
	}
	e->edits[e->n] = (struct edit){ from, cut, e->puts.len, put.len };
	e->failed = buf_append(&e->puts, put.p, put.len) == -1;
	e->n++;
}

/* Room for one more, in steps.  0 or -1. */
static int
edits_grow(struct filter_edits *e)
{
	struct edit	*edits;

	if ((e->n & (e->n - 1)) != 0)
		return (0);
	if ((edits = reallocarray(e->edits, e->n == 0 ? 1 : 2 * e->n,
	    sizeof(*edits))) == NULL)
		return (-1);
	e->edits = edits;
	return (0);
}

/* Make held what the edits say.  0 or -1. */
static int
apply(struct filter_chain *c, const struct filter_edits *e)
{
	const struct edit	*d;
	struct buf		 made = { 0 };
	size_t			 done = 0, from;

	for (d = e->edits; d < e->edits + e->n; d++) {
		from = raw_at(c, d->at, 0);
		buf_append(&made, buf_data(&c->held) + done, from - done);
		if (d->put_len > 0)
			buf_append(&made, buf_data(&e->puts) + d->put,
			    d->put_len);
		done = d->cut == 0 ? from : raw_at(c, d->at + d->cut, 1);
	}
	buf_append(&made, buf_data(&c->held) + done, c->held.len - done);
	buf_free(&c->held);
	c->held = made;
	return (buf_check(&c->held));
}

/* Where a place of the text is in held.  Between two lines a cut begins at
 * the end of the one, and ends (after) at the beginning of the other. */
static size_t
raw_at(const struct filter_chain *c, size_t at, int after)
{
	const struct piece	*p = c->pieces, *end = p + c->npieces - 1;
	size_t			 low = 0, high = c->npieces, mid;

	/* the last piece that begins at or before it */
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (c->pieces[mid].text <= at)
			low = mid;
		else
			high = mid;
	}
	p = &c->pieces[low];
	if (after && at == p->text + p->len + 1 && p < end)
		p++;
	return (p->raw + (at - p->text > p->len ? p->len : at - p->text));
}
