/*
 * The envelope of a message.  json_check() has judged the text; yajl walks
 * it, and the callbacks keep what lies at the few places that matter.
 */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "common/json.h"
#include "worker/rpc.h"

#define META_VERSION	"io.modelcontextprotocol/protocolVersion"

/* A version that we cannot judge must not pass for none. */
#define BAD_VERSION	"the protocol version in _meta is malformed"

enum member {
	M_OTHER, M_JSONRPC, M_ID, M_METHOD, M_PARAMS, M_RESULT, M_ERROR,
	M_NAME, M_URI, M_TASK, M_META, M_META_VERSION, M_ARGUMENTS
};

/* Servers exist to which such a name is the known one, and the last counts. */
#define BAD_CASE	"a member's name differs from a known one in case only"

struct walk {
	struct rpc	*rpc;
	yajl_handle	 h;
	const char	*body;
	size_t		 scratch_len;
	unsigned	 depth;		/* open objects and arrays */
	enum member	 at[4];		/* the member we are in, by depth */
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
	unsigned	 params_bad : 1;
	unsigned	 not_object : 1;	/* the text is no object */
	const char	*why;
};

static int	 walk_text(struct walk *, size_t);
static int	 judge(struct walk *, const char **);
static void	 choose_name(struct walk *);
static int	 begins(struct slice, const char *);
static struct slice keep(struct walk *, const unsigned char *, size_t);
static enum member find(struct walk *, struct slice);
static char	 lower(char);
static int	 folds_to(struct slice, const char *);
static int	 at_version(const struct walk *);

/* What may stand at the top is an object; inside, remember what was seen. */
static int
value(struct walk *w)
{
	if (w->depth == 0) {
		w->not_object = 1;
		return (0);
	}
	if (w->depth == 1 && w->at[0] == M_RESULT)
		w->have_result = 1;
	if (w->depth == 1 && w->at[0] == M_ERROR)
		w->have_error = 1;
	if (w->depth == 2 && w->at[0] == M_PARAMS) {
		w->have_name |= w->at[1] == M_NAME;
		w->have_uri |= w->at[1] == M_URI;
	}
	return (1);
}

/* A scalar at a place where only some types may stand. */
static int
scalar(struct walk *w)
{
	if (!value(w))
		return (0);
	if (w->depth == 1 && w->at[0] == M_PARAMS)
		w->params_bad = 1;
	if (w->depth == 1 && w->at[0] == M_ID)
		w->why = "id is neither a string nor an integer";
	if (w->depth == 1 && w->at[0] == M_METHOD)
		w->why = "method is not a string";
	if (w->depth == 1 && w->at[0] == M_JSONRPC)
		w->why = "jsonrpc is not \"2.0\"";
	if (at_version(w))
		w->why = BAD_VERSION;
	return (1);
}

/* Directly in params._meta, at the protocol version. */
static int
at_version(const struct walk *w)
{
	return (w->depth == 3 && w->at[0] == M_PARAMS &&
	    w->at[1] == M_META && w->at[2] == M_META_VERSION);
}

static int
on_null(void *arg)
{
	struct walk	*w = arg;
	const char	*why = w->why;

	if (!scalar(w))
		return (0);
	if (w->depth == 1 && w->at[0] == M_ID) {
		w->why = why;
		w->id_null = 1;
		w->rpc->id = slice_of("null");
	}
	return (1);
}

static int
on_boolean(void *arg, int v)
{
	(void)v;
	return (scalar(arg));
}

static int
on_number(void *arg, const char *p, size_t len)
{
	struct walk	*w = arg;
	const char	*why = w->why;

	if (!scalar(w))
		return (0);
	if (w->depth != 1 || w->at[0] != M_ID ||
	    memchr(p, '.', len) != NULL || memchr(p, 'e', len) != NULL ||
	    memchr(p, 'E', len) != NULL)
		return (1);
	w->why = why;
	if (len > RPC_ID_MAX) {
		w->why = "id is too long";
		return (1);
	}
	w->have_id = 1;
	/* yajl may hand out its own buffer: keep a view of the text */
	w->rpc->id = keep(w, (const unsigned char *)p, len);
	return (1);
}

static int
on_string(void *arg, const unsigned char *p, size_t len)
{
	struct walk	*w = arg;
	const char	*why = w->why;
	size_t		 end;

	if (!scalar(w))
		return (0);
	if (w->depth == 1 && w->at[0] == M_JSONRPC && len == 3 &&
	    memcmp(p, "2.0", 3) == 0) {
		w->why = why;
		w->have_version = 1;
	} else if (w->depth == 1 && w->at[0] == M_METHOD) {
		w->why = len == 0 || len > RPC_METHOD_MAX ?
		    "method is empty or too long" : why;
		w->have_method = 1;
		w->rpc->method = keep(w, p, len);
	} else if (w->depth == 1 && w->at[0] == M_ID) {
		/* the raw text, quotes and escapes as they came */
		end = yajl_get_bytes_consumed(w->h);
		w->why = why;
		w->have_id = 1;
		while (end > 0 && w->body[end - 1] != '"')
			end--;
		w->rpc->id.p = w->body + end - 1;
		w->rpc->id.len = 1;
		while (w->rpc->id.p > w->body) {
			size_t	 bs = 0;

			w->rpc->id.p--;
			w->rpc->id.len++;
			if (*w->rpc->id.p != '"')
				continue;
			while (w->rpc->id.p - bs > w->body &&
			    w->rpc->id.p[-1 - (ptrdiff_t)bs] == '\\')
				bs++;
			if (bs % 2 == 0)
				break;
		}
		if (w->rpc->id.len > RPC_ID_MAX) {
			w->why = "id is too long";
			w->rpc->id = (struct slice){ NULL, 0 };
		}
	} else if (w->depth == 2 && w->at[0] == M_PARAMS) {
		if (len > RPC_NAME_MAX &&
		    (w->at[1] == M_NAME || w->at[1] == M_URI ||
		    w->at[1] == M_TASK))
			w->why = "params.name, uri or taskId is too long";
		else if (w->at[1] == M_NAME)
			w->name = keep(w, p, len);
		else if (w->at[1] == M_URI)
			w->uri = keep(w, p, len);
		else if (w->at[1] == M_TASK)
			w->task = keep(w, p, len);
	} else if (at_version(w) && len <= RPC_METHOD_MAX) {
		w->why = why;
		w->rpc->version = keep(w, p, len);
	}
	return (1);
}

static int
on_key(void *arg, const unsigned char *p, size_t len)
{
	struct walk	*w = arg;

	if (w->depth >= 1 && w->depth <= 4)
		w->at[w->depth - 1] = find(w,
		    (struct slice){ (const char *)p, len });
	return (1);
}

static int
open_any(struct walk *w)
{
	if (w->depth > 0 && !value(w))
		return (0);
	if (w->depth == 1 && (w->at[0] == M_ID || w->at[0] == M_METHOD ||
	    w->at[0] == M_JSONRPC))
		w->why = "malformed jsonrpc, id or method";
	if (at_version(w))
		w->why = BAD_VERSION;
	w->depth++;
	if (w->depth <= 4)
		w->at[w->depth - 1] = M_OTHER;
	return (1);
}

static int
on_open_map(void *arg)
{
	return (open_any(arg));
}

static int
on_open_array(void *arg)
{
	struct walk	*w = arg;

	if (w->depth == 0) {
		w->not_object = 1;
		w->why = "batches are not supported";
		return (0);
	}
	return (open_any(w));
}

static int
on_close(void *arg)
{
	struct walk	*w = arg;

	w->depth--;
	return (1);
}

struct known {
	const char	*name;
	enum member	 member;
};

static enum member
find(struct walk *w, struct slice name)
{
	static const struct known top[] = {
		{ "jsonrpc", M_JSONRPC }, { "id", M_ID },
		{ "method", M_METHOD }, { "params", M_PARAMS },
		{ "result", M_RESULT }, { "error", M_ERROR },
		{ NULL, M_OTHER }
	};
	static const struct known params[] = {
		{ "name", M_NAME }, { "uri", M_URI },
		{ "taskId", M_TASK }, { "_meta", M_META },
		{ "arguments", M_ARGUMENTS }, { NULL, M_OTHER }
	};
	const struct known	*k = NULL;

	if (w->depth == 1)
		k = top;
	else if (w->depth == 2 && w->at[0] == M_PARAMS)
		k = params;
	for (; k != NULL && k->name != NULL; k++) {
		if (slice_is(name, k->name))
			return (k->member);
		if (!folds_to(name, k->name))
			continue;
		if (w->depth == 1 || k->member == M_META)
			w->why = BAD_CASE;
		else if (k->member == M_TASK)
			w->task_alias = 1;
		else
			w->alias = 1;
	}
	if (w->depth == 3 && w->at[1] == M_META &&
	    slice_is(name, META_VERSION))
		return (M_META_VERSION);
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

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_open_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_open_array,
	.yajl_end_array = on_close
};

/* A string that outlives the parse: inside the text where it stands there as
 * it is, else a copy in scratch, which is as large as the text. */
static struct slice
keep(struct walk *w, const unsigned char *p, size_t len)
{
	const char	*s = (const char *)p;
	char		*copy;

	if (s >= w->body && s + len <= w->body + w->scratch_len)
		return ((struct slice){ s, len });
	if (w->rpc->scratch == NULL) {
		w->rpc->scratch = malloc(w->scratch_len + 1);
		w->rpc->scratch_used = 0;
	}
	if (w->rpc->scratch == NULL ||
	    len > w->scratch_len - w->rpc->scratch_used) {
		w->why = "out of memory";
		return ((struct slice){ NULL, 0 });
	}
	copy = w->rpc->scratch + w->rpc->scratch_used;
	memcpy(copy, p, len);
	w->rpc->scratch_used += len;
	return ((struct slice){ copy, len });
}

int
rpc_read(const char *body, size_t len, struct rpc *rpc, const char **why)
{
	struct walk	 w;
	enum json_error	 e;

	memset(rpc, 0, sizeof(*rpc));
	if ((e = json_check(body, len)) != JSON_OK) {
		*why = json_strerror(e);
		return (RPC_PARSE_ERROR);
	}
	memset(&w, 0, sizeof(w));
	w.rpc = rpc;
	w.body = body;
	w.scratch_len = len;
	if (walk_text(&w, len) == -1 && !w.not_object) {
		*why = "not JSON";
		return (RPC_PARSE_ERROR);
	}
	return (judge(&w, why));
}

static int
walk_text(struct walk *w, size_t len)
{
	yajl_status	 s;

	if ((w->h = yajl_alloc(&callbacks, NULL, w)) == NULL)
		return (-1);
	/* json_check() has validated UTF-8, more strictly */
	yajl_config(w->h, yajl_dont_validate_strings, 1);
	s = yajl_parse(w->h, (const unsigned char *)w->body, len);
	if (s == yajl_status_ok)
		s = yajl_complete_parse(w->h);
	yajl_free(w->h);
	return (s == yajl_status_ok ? 0 : -1);
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
	if (w->why != NULL)
		return;
	if ((w->alias && (by_uri || by_name)) || (w->task_alias && by_task))
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
