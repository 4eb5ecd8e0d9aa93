/*
 * Revisions in answers.
 */
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "worker/accord.h"

#define LEGACY		((1U << (CONF_REVISIONS - 1)) - 1)	/* initialize */
#define SHOWN		32	/* bytes of a revision that we do not know */
#define PLACES		3
#define INVALID_PARAMS	"-32602"	/* Lifecycle, Error Handling */

enum place { OTHER, RESULT, ERROR, CODE, DATA, LIST, AGREED };

struct walk {
	struct accord_told *told;
	enum accord	 kind;
	unsigned	 depth;
	enum place	 at[PLACES];	/* the member we are in, by depth */
	unsigned	 inside;	/* depth of the list we are in, or 0 */
	struct slice	 list;		/* with its brackets */
	struct buf	 kept;		/* of the list */
	struct slice	 version;	/* agreed upon */
	int		 unsupported;	/* the error says so */
	int		 dropped;	/* something is not kept of the list */
};

/* An event of a stream: its data, and its other lines. */
struct event {
	struct buf	 data;
	struct buf	 rest;
	int		 lines;		/* of data */
};

static uint32_t	 allowed;

static void	 on_event(void *, enum json_event, struct slice);
static enum place find(const struct walk *, struct slice);
static void	 value(struct walk *, enum json_event, struct slice);
static void	 keep(struct walk *, struct slice);
static int	 rewrite(struct walk *, struct slice, struct slice,
		    struct slice, struct buf *);
static int	 put_error(struct buf *, struct slice, struct slice);
static void	 put_event(struct event *, struct slice, struct buf *);
static void	 line_take(struct event *, struct slice);

void
accord_setup(const struct worker_conf *conf)
{
	allowed = conf->revisions;
}

uint32_t
accord_bit(struct slice v)
{
	size_t	 i;

	for (i = 0; i < CONF_REVISIONS; i++)
		if (slice_is(v, conf_revisions[i]))
			return (1U << i);
	return (0);
}

const char *
accord_list(uint32_t set, char out[ACCORD_LIST_MAX])
{
	size_t	 i, n = 1;

	out[0] = '[';
	for (i = 0; i < CONF_REVISIONS; i++)
		if ((allowed & set & 1U << i) != 0)
			n += (size_t)snprintf(out + n, ACCORD_LIST_MAX - n,
			    "%s\"%s\"", n == 1 ? "" : ",", conf_revisions[i]);
	(void)snprintf(out + n, ACCORD_LIST_MAX - n, "]");
	return (out);
}

const char *
accord_offer(struct slice proposed)
{
	size_t	 i, n;

	if ((accord_bit(proposed) & allowed & LEGACY) != 0)
		return (NULL);
	for (i = CONF_REVISIONS - 1; i-- > 0;) {
		n = strlen(conf_revisions[i]);
		if ((allowed & 1U << i) != 0 && (proposed.len < n ||
		    memcmp(conf_revisions[i], proposed.p, n) <= 0))
			return (conf_revisions[i]);
	}
	for (i = CONF_REVISIONS - 1; i-- > 0;)
		if ((allowed & 1U << i) != 0)
			return (conf_revisions[i]);
	return (NULL);
}

int
accord_message(enum accord kind, struct slice text, struct slice id,
    struct slice requested, struct buf *out, struct accord_told *told)
{
	struct walk	 w;
	int		 changed = 0;

	memset(&w, 0, sizeof(w));
	memset(told, 0, sizeof(*told));
	w.kind = kind;
	w.told = told;
	if (json_walk(text.p, text.len, on_event, &w) == JSON_OK &&
	    buf_check(&w.kept) == 0) {
		if (told->error && !w.unsupported) {
			told->lists = 0;
			told->revisions = 0;
		}
		changed = rewrite(&w, text, id, requested, out);
	} else
		memset(told, 0, sizeof(*told));
	buf_free(&w.kept);
	return (changed);
}

static void
on_event(void *arg, enum json_event event, struct slice raw)
{
	struct walk	*w = arg;

	switch (event) {
	case JSON_NAME:
		if (w->depth >= 1 && w->depth <= PLACES)
			w->at[w->depth - 1] = find(w, raw);
		break;
	case JSON_END:
		if (w->inside == w->depth && w->inside != 0) {
			w->list.len = (size_t)(raw.p + 1 - w->list.p);
			w->inside = 0;
		}
		w->depth--;
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		value(w, event, raw);
		if (++w->depth <= PLACES)
			w->at[w->depth - 1] = OTHER;
		break;
	default:
		value(w, event, raw);
	}
}

static enum place
find(const struct walk *w, struct slice name)
{
	static const struct {
		const char	*name;
		unsigned	 depth;
		enum place	 in, is;
	} known[] = {
		{ "result", 1, OTHER, RESULT }, { "error", 1, OTHER, ERROR },
		{ "supportedVersions", 2, RESULT, LIST },
		{ "protocolVersion", 2, RESULT, AGREED },
		{ "code", 2, ERROR, CODE }, { "data", 2, ERROR, DATA },
		{ "supported", 3, DATA, LIST }
	};
	size_t	 i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].depth == w->depth && (w->depth == 1 ||
		    known[i].in == w->at[w->depth - 2]) &&
		    json_string_is(name, known[i].name))
			return (known[i].is);
	return (OTHER);
}

/* One begins here. */
static void
value(struct walk *w, enum json_event event, struct slice raw)
{
	enum place	 at = w->depth >= 1 && w->depth <= PLACES ?
			    w->at[w->depth - 1] : OTHER;

	if (w->inside != 0) {
		if (w->inside == w->depth && event == JSON_STRING)
			keep(w, raw);
		return;
	}
	if (at == ERROR)
		w->told->error = 1;
	else if (at == CODE && event == JSON_NUMBER)
		w->unsupported = slice_is(raw, "-32022");
	else if (at == AGREED && event == JSON_STRING)
		w->version = raw;
	else if (at == LIST && event == JSON_ARRAY && (w->depth == 3 ||
	    w->kind == ACCORD_DISCOVER)) {
		w->told->lists = 1;
		w->list = raw;
		w->inside = w->depth + 1;
	}
}

/* An element of the list. */
static void
keep(struct walk *w, struct slice raw)
{
	uint32_t	 bit = accord_bit(raw);

	w->told->revisions |= bit;
	if ((bit & allowed) == 0)
		w->dropped = 1;
	else
		buf_printf(&w->kept, "%s\"%.*s\"", w->kept.len == 0 ? "" :
		    ",", (int)raw.len, raw.p);
}

/* 1 when there is another text in out. */
static int
rewrite(struct walk *w, struct slice text, struct slice id,
    struct slice requested, struct buf *out)
{
	size_t	 before;

	if (w->kind == ACCORD_OPEN && w->version.p != NULL &&
	    (accord_bit(w->version) & allowed & LEGACY) == 0) {
		w->told->refused = 1;
		return (put_error(out, id, requested) == 0);
	}
	if (!w->told->lists || !w->dropped)
		return (0);
	before = (size_t)(w->list.p - text.p);
	buf_append(out, text.p, before);
	buf_puts(out, "[");
	buf_append(out, w->kept.len == 0 ? "" : buf_data(&w->kept),
	    w->kept.len);
	buf_puts(out, "]");
	buf_append(out, text.p + before + w->list.len,
	    text.len - before - w->list.len);
	return (buf_check(out) == 0);
}

static int
put_error(struct buf *out, struct slice id, struct slice requested)
{
	char	 list[ACCORD_LIST_MAX], text[6 * SHOWN];
	size_t	 n = json_escape(requested, SHOWN, text);

	return (buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":"
	    "{\"code\":" INVALID_PARAMS ",\"message\":\"Unsupported protocol "
	    "version\",\"data\":{\"supported\":%s,\"requested\":\"%.*s\"}}}",
	    id.p == NULL ? 4 : (int)id.len, id.p == NULL ? "null" : id.p,
	    accord_list(LEGACY, list), (int)n, text));
}

int
accord_events(enum accord kind, struct slice events, struct slice id,
    struct slice requested, struct buf *out, struct accord_told *told)
{
	struct accord_told	 one;
	struct event		 e = { 0 };
	struct buf		 made = { 0 };
	struct slice		 line, all, text;
	const char		*begin = events.p, *end = events.p + events.len;
	size_t			 n;
	int			 changed = 0;

	memset(told, 0, sizeof(*told));
	for (all = events; all.len > 0;) {
		for (n = 0; n < all.len && all.p[n] != '\n' &&
		    all.p[n] != '\r'; n++)
			;
		line = (struct slice){ all.p, n };
		if (n < all.len)
			n += all.p[n] == '\r' && n + 1 < all.len &&
			    all.p[n + 1] == '\n' ? 2 : 1;
		all.p += n;
		all.len -= n;
		line_take(&e, line);
		if (line.len > 0 && all.len > 0)
			continue;
		text = (struct slice){ e.lines > 0 && e.data.len > 0 ?
		    buf_data(&e.data) : "", e.data.len };
		memset(&one, 0, sizeof(one));
		if (line.len == 0 && e.lines > 0 &&
		    buf_check(&e.data) == 0 && buf_check(&e.rest) == 0 &&
		    accord_message(kind, text, id, requested, &made, &one)) {
			changed = 1;
			put_event(&e, (struct slice){ buf_data(&made),
			    made.len }, out);
		} else
			buf_append(out, begin, (size_t)(all.p - begin));
		if (one.lists || one.error || one.refused)
			*told = one;
		begin = all.p;
		buf_free(&made);
		buf_free(&e.data);
		buf_free(&e.rest);
		memset(&e, 0, sizeof(e));
	}
	if (begin < end)
		buf_append(out, begin, (size_t)(end - begin));
	return (changed && buf_check(out) == 0);
}

/* An event that memory is lacking for stays as it is. */
static void
line_take(struct event *e, struct slice line)
{
	static const char	 mark[] = "\xef\xbb\xbf";
	struct slice		 v = line;

	if (v.len >= 3 && memcmp(v.p, mark, 3) == 0) {
		v.p += 3;
		v.len -= 3;
	}
	if (v.len >= 5 && memcmp(v.p, "data:", 5) == 0) {
		v.p += 5;
		v.len -= 5;
		if (v.len > 0 && *v.p == ' ') {
			v.p++;
			v.len--;
		}
		if (e->lines++ > 0)
			buf_puts(&e->data, "\n");
		buf_append(&e->data, v.p, v.len);
	} else if (line.len > 0) {
		buf_append(&e->rest, line.p, line.len);
		buf_puts(&e->rest, "\n");
	}
}

/* The event with another text: no line of it is empty. */
static void
put_event(struct event *e, struct slice text, struct buf *out)
{
	const char	*nl;
	size_t		 n;

	buf_append(out, e->rest.len == 0 ? "" : buf_data(&e->rest),
	    e->rest.len);
	while (text.len > 0) {
		nl = memchr(text.p, '\n', text.len);
		n = nl == NULL ? text.len : (size_t)(nl - text.p);
		buf_puts(out, "data: ");
		buf_append(out, text.p, n);
		buf_puts(out, "\n");
		n += nl != NULL;
		text.p += n;
		text.len -= n;
	}
	buf_puts(out, "\n");
}
