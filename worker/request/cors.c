/*
 * CORS fields.  Credentials mode is never allowed: an Authorization field set
 * by a page needs none, and cookies are not for the gateway.
 */
#include <string.h>

#include "worker/request/cors.h"
#include "worker/wire/http1_put.h"

#define TOKENS_MAX	64	/* of one list; a longer one is not repeated */
#define MAX_AGE		"600"	/* s: no longer after allowed_origins changed */

static struct slice field(const struct http1_head *, enum http1_name,
		    size_t *);
static int	 vary_said(const struct http1_head *);
static int	 tokens_ok(struct slice);
static void	 put_tokens(struct buf *, struct slice);

void
cors_put(struct buf *b, struct slice origin, const struct http1_head *answer)
{
	struct slice	 v;
	size_t		 i = 0;

	http1_put_field(b, slice_of("Access-Control-Allow-Origin"), origin);
	if (answer == NULL || !vary_said(answer))
		http1_put_str(b, "Vary", "Origin");
	http1_open_field(b, "Access-Control-Expose-Headers");
	buf_puts(b, "Mcp-Session-Id, MCP-Protocol-Version, "
	    "WWW-Authenticate, Retry-After, X-Request-Id");
	while (answer != NULL && (v = field(answer,
	    HTTP1_AC_EXPOSE_HEADERS, &i)).p != NULL)
		put_tokens(b, v);
	http1_close_field(b);
}

void
cors_put_preflight(struct buf *b, const struct http1_head *request)
{
	struct slice	 v;
	size_t		 i = 0;

	http1_put_str(b, "Access-Control-Allow-Methods",
	    "GET, POST, DELETE");
	http1_open_field(b, "Access-Control-Allow-Headers");
	buf_puts(b, "Authorization, Content-Type, "
	    "Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, "
	    "Mcp-Method, Mcp-Name");
	/* Mcp-Param-*, the field of API keys, traceparent, ... */
	while ((v = field(request, HTTP1_AC_REQUEST_HEADERS, &i)).p != NULL)
		put_tokens(b, v);
	http1_close_field(b);
	http1_put_str(b, "Access-Control-Max-Age", MAX_AGE);
}

/* The next field of this kind, from index *i on; p NULL when there is none. */
static struct slice
field(const struct http1_head *h, enum http1_name id, size_t *i)
{
	while (*i < h->nfield)
		if (h->field[(*i)++].id == id)
			return (h->field[*i - 1].value);
	return ((struct slice){ NULL, 0 });
}

/* Does the answer say already that it depends on the origin? */
static int
vary_said(const struct http1_head *h)
{
	struct slice	 v;
	size_t		 i = 0;

	while ((v = field(h, HTTP1_VARY, &i)).p != NULL)
		if (http1_list_has(v, "origin") || http1_list_has(v, "*"))
			return (1);
	return (0);
}

static int
tokens_ok(struct slice list)
{
	struct slice	 item;
	size_t		 i, n = 0;

	while (http1_list_next(&list, &item)) {
		if (++n > TOKENS_MAX)
			return (0);
		for (i = 0; i < item.len; i++)
			if (!http1_is_tchar((unsigned char)item.p[i]))
				return (0);
	}
	return (1);
}

/* Go on with a list: the tokens of another, when it is nothing else. */
static void
put_tokens(struct buf *b, struct slice list)
{
	struct slice	 item;

	if (!tokens_ok(list))
		return;
	while (http1_list_next(&list, &item))
		if (item.len > 0) {
			buf_append(b, ", ", 2);
			buf_append(b, item.p, item.len);
		}
}
