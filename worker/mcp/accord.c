/*
 * Revisions in answers.
 */
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "worker/mcp/accord.h"

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

static uint32_t	 allowed;

static void	 on_event(void *, enum json_event, struct slice);
static enum place find(const struct walk *, struct slice);
static void	 value(struct walk *, enum json_event, struct slice);
static void	 keep(struct walk *, struct slice);
static void	 rewrite(struct walk *, struct slice, struct slice,
		    struct slice, struct filter_edits *);
static int	 put_error(struct buf *, struct slice, struct slice);

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

void
accord_judge(enum accord kind, struct slice text, struct slice id,
    struct slice requested, struct filter_edits *edits,
    struct accord_told *told)
{
	struct walk	 w;

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
		rewrite(&w, text, id, requested, edits);
	} else
		memset(told, 0, sizeof(*told));
	buf_free(&w.kept);
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
	if (at == RESULT || at == ERROR)
		w->told->response = 1;
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

static void
rewrite(struct walk *w, struct slice text, struct slice id,
    struct slice requested, struct filter_edits *edits)
{
	struct buf	 made = { 0 };

	if (w->kind == ACCORD_OPEN && w->version.p != NULL &&
	    (accord_bit(w->version) & allowed & LEGACY) == 0) {
		w->told->refused = 1;
		if (edits != NULL && put_error(&made, id, requested) == 0) {
			filter_put(edits, text.p, (struct slice){
			    buf_data(&made), made.len });
			filter_cut(edits, text.p, text.len);
		}
	} else if (edits != NULL && w->told->lists && w->dropped) {
		/* what is between the brackets */
		if (w->kept.len > 0)
			filter_put(edits, w->list.p + 1, (struct slice){
			    buf_data(&w->kept), w->kept.len });
		filter_cut(edits, w->list.p + 1, w->list.len - 2);
	}
	buf_free(&made);
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
