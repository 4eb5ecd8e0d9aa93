/*
 * MCP over Streamable HTTP: revisions, and the standard request headers of
 * revision 2026-07-28 (Transports, Standard Request Headers and Server
 * Validation).
 */
#include <openssl/evp.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/accord.h"
#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/mcp.h"

#define STATELESS	"2026-07-28"
#define FIRST		"2024-11-05"	/* has JSON-RPC's error responses */
#define ASSUMED		"2025-03-26"	/* where nothing is said */
#define FIELDLESS	3U		/* those that know no field for it */
#define LEGACY		((1U << (CONF_REVISIONS - 1)) - 1)	/* initialize */
#define SENTINEL	"=?base64?"
#define SENTINEL_END	"?="

/* What Mcp-Name is to a method: not ours to judge; out of place; what the
 * method acts upon, if it is there; and it must be there. */
enum naming { NAME_ANY, NAME_NONE, NAME_MAY, NAME_MUST };

static uint32_t	 revisions;	/* allowed ones, a bit each */

static int	 revision_allowed(struct slice);
static int	 check_revision(struct request *, const struct rpc *);
static int	 unsupported(struct request *, enum refuse, struct slice);
static int	 mismatch(struct request *, enum refuse);
static int	 judged(const struct http1_field *);
static int	 plain_text(struct slice);
static enum naming naming(const struct rpc *);
static int	 check_name(struct request *, const struct rpc *, int);
static int	 name_matches(struct slice, struct slice);
static int	 base64_matches(struct slice, struct slice);

void
mcp_setup(const struct worker_conf *conf)
{
	revisions = conf->revisions;
}

int
mcp_check_head(struct request *r, const struct http1_head *h)
{
	struct slice	 version = http1_value(h, HTTP1_MCP_PROTOCOL_VERSION);
	size_t		 i;

	request_keep_text(r, &r->mcp_version, version);
	r->stateless = r->method != METHOD_POST && mcp_stateless(r);
	/* a field that counts here must not be gone at the upstream */
	for (i = 0; i < h->nfield; i++)
		if (h->field[i].connection && judged(&h->field[i])) {
			answer_refuse(r, refuse(REFUSE_NOMINATED));
			return (-1);
		}
	if (h->count[HTTP1_MCP_METHOD] > 1 || h->count[HTTP1_MCP_NAME] > 1)
		return (mismatch(r, REFUSE_NAMES_REPEATED));
	request_keep_text(r, &r->mcp_method,
	    http1_value(h, HTTP1_MCP_METHOD));
	request_keep_text(r, &r->mcp_name, http1_value(h, HTTP1_MCP_NAME));
	return (0);
}

int
mcp_revision_ok(const struct request *r)
{
	struct slice	 version = request_text(r, r->mcp_version);

	if (version.p == NULL)
		return ((revisions & FIELDLESS) != 0);
	return (revision_allowed(version));
}

int
mcp_check_stream(struct request *r)
{
	struct slice	 version = request_text(r, r->mcp_version);

	if (mcp_revision_ok(r))
		return (0);
	return (unsupported(r, REFUSE_REVISION,
	    version.p == NULL ? slice_of(ASSUMED) : version));
}

int
mcp_streams(void)
{
	return ((revisions & LEGACY) != 0);
}

int
mcp_null_id(const struct request *r)
{
	return (slice_is(request_text(r, r->mcp_version), FIRST));
}

int
mcp_opens(const struct rpc *rpc)
{
	return (rpc->kind == RPC_REQUEST && rpc->version.p == NULL &&
	    slice_is(rpc->method, "initialize"));
}

int
mcp_stateless(const struct request *r)
{
	return (slice_is(request_text(r, r->mcp_version), STATELESS));
}

int
mcp_check_body(struct request *r, const struct rpc *rpc)
{
	struct slice	 version = request_text(r, r->mcp_version);
	struct slice	 method = request_text(r, r->mcp_method);
	struct slice	 name = request_text(r, r->mcp_name);
	int		 stateless;

	if (version.p != NULL && rpc->version.p != NULL &&
	    !slice_eq(version, rpc->version))
		return (mismatch(r, REFUSE_REVISION_DIFFERS));
	if (check_revision(r, rpc) == -1)
		return (-1);
	stateless = !mcp_opens(rpc) && (slice_is(version, STATELESS) ||
	    slice_is(rpc->version, STATELESS));
	r->stateless = stateless;
	r->accord = rpc->kind != RPC_REQUEST ? ACCORD_NONE :
	    mcp_opens(rpc) ? ACCORD_OPEN :
	    slice_is(rpc->method, "server/discover") ? ACCORD_DISCOVER :
	    stateless ? ACCORD_ERROR : ACCORD_NONE;
	if (stateless && rpc->kind == RPC_REQUEST && version.p == NULL)
		return (mismatch(r, REFUSE_REVISION_MISSING));
	if (!plain_text(method) || !plain_text(name))
		return (mismatch(r, REFUSE_NAMES_ASCII));
	if (stateless && rpc->kind == RPC_REQUEST && method.p == NULL)
		return (mismatch(r, REFUSE_METHOD_MISSING));
	if (method.p != NULL && !slice_eq(method, rpc->method))
		return (mismatch(r, REFUSE_METHOD_DIFFERS));
	return (check_name(r, rpc, stateless));
}

/* 0, or -1 and answered. */
static int
check_name(struct request *r, const struct rpc *rpc, int stateless)
{
	struct slice	 name = request_text(r, r->mcp_name);
	enum naming	 kind = NAME_NONE;

	if (name.p != NULL || (stateless && rpc->kind == RPC_REQUEST))
		kind = naming(rpc);
	if (name.p == NULL && kind == NAME_MUST && stateless)
		return (mismatch(r, REFUSE_NAME_MISSING));
	if (name.p == NULL || kind == NAME_ANY)
		return (0);
	if (kind == NAME_NONE || rpc->name.p == NULL ||
	    !name_matches(name, rpc->name))
		return (mismatch(r, REFUSE_NAME_DIFFERS));
	return (0);
}

/* 0, or -1 and answered. */
static int
check_revision(struct request *r, const struct rpc *rpc)
{
	struct slice	 version = request_text(r, r->mcp_version);

	/* what it will be is what the answer says (Version Negotiation) */
	if (mcp_opens(rpc) && (revisions & LEGACY) != 0)
		return (0);
	if (rpc->version.p != NULL && !revision_allowed(rpc->version))
		return (unsupported(r, REFUSE_REVISION_META,
		    rpc->version));
	if (version.p != NULL && !revision_allowed(version))
		return (unsupported(r, REFUSE_REVISION, version));
	/* without one it is of a revision that did not have it */
	if (version.p == NULL && rpc->version.p == NULL &&
	    !mcp_revision_ok(r))
		return (unsupported(r, REFUSE_REVISION_NONE,
		    slice_of(ASSUMED)));
	return (0);
}

static int
revision_allowed(struct slice v)
{
	return ((accord_bit(v) & revisions) != 0);
}

/* With what there is instead (2026-07-28, Unsupported Protocol Version).
 * Returns -1. */
static int
unsupported(struct request *r, enum refuse what, struct slice requested)
{
	ask_refuse(r, refuse(what), requested);
	return (-1);
}

static int
mismatch(struct request *r, enum refuse what)
{
	answer_refuse(r, refuse(what));
	return (-1);
}

/* Is it a field by which a request is judged? */
static int
judged(const struct http1_field *f)
{
	return (f->id == HTTP1_CONTENT_TYPE || f->id == HTTP1_MCP_METHOD ||
	    f->id == HTTP1_MCP_NAME || f->id == HTTP1_MCP_PROTOCOL_VERSION ||
	    f->id == HTTP1_MCP_SESSION_ID);
}

/* What else stands in a field is read in more than one way (Value Encoding,
 * RFC 9110 section 5.5). */
static int
plain_text(struct slice v)
{
	size_t	 i;

	for (i = 0; i < v.len; i++)
		if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] >= 0x7f)
			return (0);
	return (1);
}

/* 2026-07-28, Standard Request Headers; of tasks/..., the extension's Routing
 * Headers (SEP-2663).  Methods that nobody has told us of are the server's. */
static enum naming
naming(const struct rpc *rpc)
{
	static const struct {
		const char	*method;
		enum naming	 naming;
	} known[] = {
		{ "tools/call", NAME_MUST }, { "resources/read", NAME_MUST },
		{ "prompts/get", NAME_MUST }, { "tasks/get", NAME_MUST },
		{ "tasks/update", NAME_MUST }, { "tasks/cancel", NAME_MUST },
		{ "tasks/result", NAME_MAY },
		{ "resources/subscribe", NAME_MAY },
		{ "resources/unsubscribe", NAME_MAY },
		{ "initialize", NAME_NONE }, { "ping", NAME_NONE },
		{ "server/discover", NAME_NONE }, { "tools/list", NAME_NONE },
		{ "prompts/list", NAME_NONE }, { "resources/list", NAME_NONE },
		{ "resources/templates/list", NAME_NONE },
		{ "tasks/list", NAME_NONE },
		{ "completion/complete", NAME_NONE },
		{ "logging/setLevel", NAME_NONE },
		{ "subscriptions/listen", NAME_NONE }
	};
	size_t	 i;

	if (rpc->kind == RPC_RESPONSE)
		return (NAME_NONE);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_is(rpc->method, known[i].method))
			return (known[i].naming);
	return (NAME_ANY);
}

/* Plain, or =?base64?...?= (Value Encoding). */
static int
name_matches(struct slice field, struct slice name)
{
	size_t	 pre = sizeof(SENTINEL) - 1, post = sizeof(SENTINEL_END) - 1;

	if (field.len < pre + post || memcmp(field.p, SENTINEL, pre) != 0 ||
	    memcmp(field.p + field.len - post, SENTINEL_END, post) != 0)
		return (slice_eq(field, name));
	field.p += pre;
	field.len -= pre + post;
	return (base64_matches(field, name));
}

/* Encode what the body says and compare: one value has one spelling. */
static int
base64_matches(struct slice coded, struct slice plain)
{
	unsigned char	*made;
	int		 n, ok;

	if (plain.len > INT_MAX / 2 || coded.len != (plain.len + 2) / 3 * 4 ||
	    (made = malloc(coded.len + 1)) == NULL)
		return (0);
	n = EVP_EncodeBlock(made, (const unsigned char *)plain.p,
	    (int)plain.len);
	ok = (size_t)n == coded.len && memcmp(made, coded.p, coded.len) == 0;
	free(made);
	return (ok);
}
