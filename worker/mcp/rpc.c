/*
 * The envelope of a message: while the text is judged, what lies at the few
 * places that matter is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/mcp/rpc.h"

#define META_VERSION	"io.modelcontextprotocol/protocolVersion"

#define PLACES		3	/* depths at which something is looked for */
#define NAME_RAW_MAX	512	/* longer ones are none that we know, even if
				 * all is escaped */

/* A version that we cannot judge must not pass for none. */
#define BAD_VERSION	"the protocol version in _meta is malformed"

enum member {
	M_OTHER, M_JSONRPC, M_ID, M_METHOD, M_PARAMS, M_RESULT, M_ERROR,
	M_NAME, M_URI, M_TASK, M_PROPOSED, M_META, M_META_VERSION,
	M_META_PARENT, M_META_STATE, M_ARGUMENTS
};

/* Servers exist to which such a name is the known one, and the last counts. */
#define BAD_CASE	"a member's name differs from a known one in case only"

struct walk {
	struct rpc	*rpc;
	size_t		 len;		/* of the text */
	unsigned	 depth;		/* open objects and arrays */
	enum member	 at[PLACES];	/* the member we are in, by depth */
	struct slice	 name;
	struct slice	 uri;
	struct slice	 task;
	unsigned	 have_version : 1;	/* "jsonrpc": "2.0" */
	unsigned	 have_method : 1;
	unsigned	 have_id : 1;
	unsigned	 id_null : 1;
	unsigned	 have_result : 1;
	unsigned	 have_error : 1;
	unsigned	 have_name : 1;	/* of whatever type */
	unsigned	 have_uri : 1;
	unsigned	 alias : 1;	/* of name, uri or arguments */
	unsigned	 task_alias : 1;	/* of taskId */
	unsigned	 proposed_alias : 1;	/* of protocolVersion */
	unsigned	 params_bad : 1;
	unsigned	 not_object : 1;	/* the text is no object */
	const char	*why;
};

static void	 on_event(void *, enum json_event, struct slice);
static int	 judge(struct walk *, const char **);
static void	 choose_name(struct walk *);
static int	 begins(struct slice, const char *);
static struct slice keep(struct walk *, struct slice);
static enum member find(struct walk *, struct slice);
static enum member find_meta(struct slice);
static char	 lower(char);
static int	 folds_to(struct slice, const char *);
static void	 seen(struct walk *);
static void	 open_any(struct walk *);
static void	 scalar(struct walk *, enum json_event, struct slice);
static void	 top_scalar(struct walk *, enum json_event, struct slice);
static void	 top_id(struct walk *, enum json_event, struct slice);
static void	 params_string(struct walk *, struct slice);
static int	 at_version(const struct walk *);

static void
on_event(void *arg, enum json_event event, struct slice raw)
{
	struct walk	*w = arg;

	if (w->not_object)
		return;
	if (event == JSON_END) {
		w->depth--;
		return;
	}
	if (event == JSON_NAME) {
		if (w->depth <= PLACES)
			w->at[w->depth - 1] = find(w, raw);
		return;
	}
	if (w->depth == 0 && event != JSON_OBJECT) {
		w->not_object = 1;
		if (event == JSON_ARRAY)
			w->why = "batches are not supported";
		return;
	}
	seen(w);
	if (event == JSON_OBJECT || event == JSON_ARRAY)
		open_any(w);
	else
		scalar(w, event, raw);
}

/* Remember that there was a value at this place. */
static void
seen(struct walk *w)
{
	if (w->depth == 1 && w->at[0] == M_RESULT)
		w->have_result = 1;
	if (w->depth == 1 && w->at[0] == M_ERROR)
		w->have_error = 1;
	if (w->depth == 2 && w->at[0] == M_PARAMS) {
		w->have_name |= w->at[1] == M_NAME;
		w->have_uri |= w->at[1] == M_URI;
	}
}

static void
open_any(struct walk *w)
{
	if (w->depth == 1 && (w->at[0] == M_ID || w->at[0] == M_METHOD ||
	    w->at[0] == M_JSONRPC))
		w->why = "malformed jsonrpc, id or method";
	if (at_version(w))
		w->why = BAD_VERSION;
	if (++w->depth <= PLACES)
		w->at[w->depth - 1] = M_OTHER;
}

static void
scalar(struct walk *w, enum json_event event, struct slice raw)
{
	if (w->depth == 1)
		top_scalar(w, event, raw);
	else if (w->depth == 2 && w->at[0] == M_PARAMS &&
	    event == JSON_STRING)
		params_string(w, raw);
	else if (at_version(w)) {
		if (event == JSON_STRING)
			w->rpc->version = keep(w, raw);
		if (event != JSON_STRING ||
		    w->rpc->version.len > RPC_METHOD_MAX)
			w->why = BAD_VERSION;
	} else if (w->depth == 3 && event == JSON_STRING &&
	    w->at[0] == M_PARAMS && w->at[1] == M_META) {
		if (w->at[2] == M_META_PARENT)
			w->rpc->traceparent = raw;
		else if (w->at[2] == M_META_STATE)
			w->rpc->tracestate = raw;
	}
}

static void
top_scalar(struct walk *w, enum json_event event, struct slice raw)
{
	struct rpc	*rpc = w->rpc;

	switch (w->at[0]) {
	case M_PARAMS:
		/* servers take null for none, as it is to JSON-RPC */
		w->params_bad = event != JSON_NULL;
		break;
	case M_JSONRPC:
		w->have_version = event == JSON_STRING &&
		    json_string_is(raw, "2.0");
		if (!w->have_version)
			w->why = "jsonrpc is not \"2.0\"";
		break;
	case M_METHOD:
		if (event != JSON_STRING) {
			w->why = "method is not a string";
			break;
		}
		w->have_method = 1;
		rpc->method = keep(w, raw);
		if (rpc->method.len == 0 || rpc->method.len > RPC_METHOD_MAX)
			w->why = "method is empty or too long";
		break;
	case M_ID:
		top_id(w, event, raw);
		break;
	default:
		break;
	}
}

/* Kept as it came: quotes, escapes and all. */
static void
top_id(struct walk *w, enum json_event event, struct slice raw)
{
	if (event == JSON_STRING) {
		raw.p--;
		raw.len += 2;
	} else if (event == JSON_NULL)
		w->id_null = 1;
	else if (event != JSON_NUMBER || memchr(raw.p, '.', raw.len) != NULL ||
	    memchr(raw.p, 'e', raw.len) != NULL ||
	    memchr(raw.p, 'E', raw.len) != NULL) {
		w->why = "id is neither a string nor an integer";
		return;
	}
	w->have_id = event != JSON_NULL;
	if (raw.len > RPC_ID_MAX)
		w->why = "id is too long";
	else
		w->rpc->id = raw;
}

static void
params_string(struct walk *w, struct slice raw)
{
	struct slice	*s;

	switch (w->at[1]) {
	case M_NAME:
		s = &w->name;
		break;
	case M_URI:
		s = &w->uri;
		break;
	case M_TASK:
		s = &w->task;
		break;
	case M_PROPOSED:
		w->rpc->proposed = raw;
		return;
	default:
		return;
	}
	*s = keep(w, raw);
	if (s->len > RPC_NAME_MAX)
		w->why = "params.name, uri or taskId is too long";
}

/* Directly in params._meta, at the protocol version. */
static int
at_version(const struct walk *w)
{
	return (w->depth == 3 && w->at[0] == M_PARAMS &&
	    w->at[1] == M_META && w->at[2] == M_META_VERSION);
}

struct known {
	struct slice	 name;
	enum member	 member;
};

#define KNOWN(name, member)	{ { name, sizeof(name) - 1 }, member }

static enum member
find(struct walk *w, struct slice name)
{
	static const struct known top[] = {
		KNOWN("jsonrpc", M_JSONRPC), KNOWN("id", M_ID),
		KNOWN("method", M_METHOD), KNOWN("params", M_PARAMS),
		KNOWN("result", M_RESULT), KNOWN("error", M_ERROR),
		{ { NULL, 0 }, M_OTHER }
	};
	static const struct known params[] = {
		KNOWN("name", M_NAME), KNOWN("uri", M_URI),
		KNOWN("taskId", M_TASK), KNOWN("_meta", M_META),
		KNOWN("arguments", M_ARGUMENTS),
		KNOWN("protocolVersion", M_PROPOSED), { { NULL, 0 }, M_OTHER }
	};
	const struct known	*k = NULL;
	size_t			 i;
	char			 plain[NAME_RAW_MAX];

	if (w->depth == 1)
		k = top;
	else if (w->depth == 2 && w->at[0] == M_PARAMS)
		k = params;
	else if (w->depth != 3 || w->at[1] != M_META)
		return (M_OTHER);
	if (memchr(name.p, '\\', name.len) != NULL) {
		if (name.len > sizeof(plain))
			return (M_OTHER);
		name.len = json_unescape(name, plain);
		name.p = plain;
	}
	for (i = 0; k != NULL && k[i].name.p != NULL; i++)
		if (slice_eq(name, k[i].name))
			return (k[i].member);
	for (; k != NULL && k->name.p != NULL; k++) {
		if (!folds_to(name, k->name.p))
			continue;
		if (w->depth == 1 || k->member == M_META)
			w->why = BAD_CASE;
		else if (k->member == M_TASK)
			w->task_alias = 1;
		else if (k->member == M_PROPOSED)
			w->proposed_alias = 1;
		else
			w->alias = 1;
	}
	return (w->depth == 3 ? find_meta(name) : M_OTHER);
}

/* Those of a trace have no prefix (SEP-414). */
static enum member
find_meta(struct slice name)
{
	if (slice_is(name, META_VERSION))
		return (M_META_VERSION);
	if (slice_is(name, "traceparent"))
		return (M_META_PARENT);
	if (slice_is(name, "tracestate"))
		return (M_META_STATE);
	return (M_OTHER);
}

static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

/* Is it this name but for case, by the simple folding of Unicode (in which
 * U+017F is an s and U+212A a k)? */
static int
folds_to(struct slice s, const char *name)
{
	char	 c;

	for (; *name != '\0'; name++) {
		if (s.len == 0)
			return (0);
		c = lower(*s.p);
		if (*name == 's' && s.len >= 2 &&
		    memcmp(s.p, "\xc5\xbf", 2) == 0) {
			s.p++;
			s.len--;
		} else if (*name == 'k' && s.len >= 3 &&
		    memcmp(s.p, "\xe2\x84\xaa", 3) == 0) {
			s.p += 2;
			s.len -= 2;
		} else if (c != lower(*name))
			return (0);
		s.p++;
		s.len--;
	}
	return (s.len == 0);
}

/* A string, unescaped: inside the text where it stands there as it is, else a
 * copy in scratch, which is as large as the text. */
static struct slice
keep(struct walk *w, struct slice raw)
{
	struct rpc	*rpc = w->rpc;
	struct slice	 s;

	if (memchr(raw.p, '\\', raw.len) == NULL)
		return (raw);
	if (rpc->scratch == NULL) {
		rpc->scratch = malloc(w->len);
		rpc->scratch_used = 0;
	}
	if (rpc->scratch == NULL) {
		w->why = "out of memory";
		return ((struct slice){ NULL, 0 });
	}
	s.p = rpc->scratch + rpc->scratch_used;
	s.len = json_unescape(raw, rpc->scratch + rpc->scratch_used);
	rpc->scratch_used += s.len;
	return (s);
}

int
rpc_read(const char *body, size_t len, struct rpc *rpc, const char **why)
{
	struct walk	 w;
	enum json_error	 e;

	memset(rpc, 0, sizeof(*rpc));
	memset(&w, 0, sizeof(w));
	w.rpc = rpc;
	w.len = len;
	if ((e = json_walk(body, len, on_event, &w)) != JSON_OK) {
		/* nothing of it is to be believed */
		rpc_free(rpc);
		memset(rpc, 0, sizeof(*rpc));
		*why = json_strerror(e);
		return (RPC_PARSE_ERROR);
	}
	return (judge(&w, why));
}

/*
 * Which of params.name, params.uri and params.taskId a server acts upon hangs
 * on the method: another one must not be taken for it, nor one for a name that
 * cannot be one.
 */
static void
choose_name(struct walk *w)
{
	struct rpc	*rpc = w->rpc;
	int		 by_uri, by_name, by_task;

	by_uri = begins(rpc->method, "resources/");
	by_name = begins(rpc->method, "tools/") ||
	    begins(rpc->method, "prompts/");
	by_task = begins(rpc->method, "tasks/");
	rpc->name = by_task ? w->task :
	    by_uri || (!by_name && !w->have_name) ? w->uri : w->name;
	if (!slice_is(rpc->method, "initialize"))
		rpc->proposed = (struct slice){ NULL, 0 };
	if (w->why != NULL)
		return;
	if ((w->proposed_alias && slice_is(rpc->method, "initialize")) ||
	    (w->alias && (by_uri || by_name)) || (w->task_alias && by_task))
		w->why = BAD_CASE;
	if ((slice_is(rpc->method, "tools/call") ||
	    slice_is(rpc->method, "prompts/get")) &&
	    w->have_name && w->name.p == NULL)
		w->why = "params.name is not a string";
	if (slice_is(rpc->method, "resources/read") &&
	    w->have_uri && w->uri.p == NULL)
		w->why = "params.uri is not a string";
}

static int
begins(struct slice s, const char *with)
{
	size_t	 n = strlen(with);

	return (s.len >= n && memcmp(s.p, with, n) == 0);
}

/* JSON-RPC 2.0 sections 4 and 5, and MCP's narrower rules for id. */
static int
judge(struct walk *w, const char **why)
{
	struct rpc	*rpc = w->rpc;

	choose_name(w);
	if (w->not_object && w->why == NULL)
		w->why = "expected a JSON object";
	else if (w->why == NULL && !w->have_version)
		w->why = "jsonrpc is not \"2.0\"";
	else if (w->why == NULL && w->params_bad)
		w->why = "params is neither an object nor an array";
	if (w->why != NULL) {
		*why = w->why;
		return (RPC_INVALID_REQUEST);
	}
	if (w->have_method) {
		*why = "a request has neither result nor error";
		if (w->have_result || w->have_error)
			return (RPC_INVALID_REQUEST);
		*why = "id must not be null";
		if (w->id_null)
			return (RPC_INVALID_REQUEST);
		rpc->kind = w->have_id ? RPC_REQUEST : RPC_NOTIFICATION;
		return (0);
	}
	*why = "expected a method, or a result or an error";
	if (w->have_result == w->have_error)
		return (RPC_INVALID_REQUEST);
	*why = "a response needs an id";
	if (!w->have_id && !(w->id_null && w->have_error))
		return (RPC_INVALID_REQUEST);
	rpc->kind = RPC_RESPONSE;
	return (0);
}

void
rpc_free(struct rpc *rpc)
{
	free(rpc->scratch);
	rpc->scratch = NULL;
}
