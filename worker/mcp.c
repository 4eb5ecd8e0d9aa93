/*
 * MCP over Streamable HTTP: revisions, and the standard request headers of
 * revision 2026-07-28 (Transports, Standard Request Headers and Server
 * Validation).
 */
#include <openssl/evp.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "worker/answer.h"
#include "worker/mcp.h"

#define REVISIONS	"[\"2025-03-26\",\"2025-06-18\",\"2025-11-25\"," \
			"\"2026-07-28\"]"
#define STATELESS	"2026-07-28"
#define SENTINEL	"=?base64?"
#define SENTINEL_END	"?="

static int	 revision_known(struct slice);
static int	 mismatch(struct request *, const char *);
static int	 judged(const struct http1_field *);
static int	 method_has_name(struct slice);
static int	 name_matches(struct slice, struct slice);
static int	 base64_matches(struct slice, struct slice);

int
mcp_is_json_type(struct slice v)
{
	const char	*end = v.p == NULL ? NULL : memchr(v.p, ';', v.len);
	struct slice	 par = { NULL, 0 };

	if (v.p == NULL)
		return (0);
	if (end != NULL) {
		par.p = end + 1;
		par.len = v.len - (size_t)(par.p - v.p);
		v.len = (size_t)(end - v.p);
	}
	while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
		v.len--;
	while (par.len > 0 && (*par.p == ' ' || *par.p == '\t')) {
		par.p++;
		par.len--;
	}
	/* a server may decode the body by what it reads here: in another
	 * charset the same bytes are another message */
	if (end != NULL && !slice_is_nocase(par, "charset=utf-8") &&
	    !slice_is_nocase(par, "charset=\"utf-8\""))
		return (0);
	return (slice_is_nocase(v, "application/json"));
}

int
mcp_check_head(struct request *r, const struct http1_head *h)
{
	struct slice	 version = http1_value(h, HTTP1_MCP_PROTOCOL_VERSION);
	size_t		 i;

	if (version.p != NULL && !revision_known(version)) {
		answer_error_data(r, 400, RPC_UNSUPPORTED_VERSION,
		    AUDIT_ERROR, "unsupported MCP-Protocol-Version",
		    "{\"supported\":" REVISIONS "}");
		return (-1);
	}
	/* a field that counts here must not be gone at the upstream */
	for (i = 0; i < h->nfield; i++)
		if (h->field[i].connection && judged(&h->field[i])) {
			answer_error(r, 400, RPC_INVALID_REQUEST, AUDIT_ERROR,
			    "Connection names an end-to-end field", NULL);
			return (-1);
		}
	if (h->count[HTTP1_MCP_METHOD] > 1 || h->count[HTTP1_MCP_NAME] > 1)
		return (mismatch(r, "repeated Mcp-Method or Mcp-Name"));
	request_keep_text(r, &r->mcp_version, version);
	request_keep_text(r, &r->mcp_method,
	    http1_value(h, HTTP1_MCP_METHOD));
	request_keep_text(r, &r->mcp_name, http1_value(h, HTTP1_MCP_NAME));
	return (0);
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

	if (rpc->version.p != NULL && !revision_known(rpc->version)) {
		answer_error_data(r, 400, RPC_UNSUPPORTED_VERSION,
		    AUDIT_ERROR, "unsupported protocol version in _meta",
		    "{\"supported\":" REVISIONS "}");
		return (-1);
	}
	stateless = slice_is(version, STATELESS) ||
	    slice_is(rpc->version, STATELESS);
	if (stateless && rpc->kind == RPC_REQUEST && version.p == NULL)
		return (mismatch(r, "MCP-Protocol-Version is missing"));
	if (version.p != NULL && rpc->version.p != NULL &&
	    !slice_eq(version, rpc->version))
		return (mismatch(r,
		    "MCP-Protocol-Version differs from the body"));
	if (stateless && rpc->kind == RPC_REQUEST && method.p == NULL)
		return (mismatch(r, "Mcp-Method is missing"));
	if (method.p != NULL && !slice_eq(method, rpc->method))
		return (mismatch(r, "Mcp-Method differs from the body"));
	if (stateless && rpc->kind == RPC_REQUEST && name.p == NULL &&
	    method_has_name(rpc->method))
		return (mismatch(r, "Mcp-Name is missing"));
	if (name.p != NULL && (rpc->name.p == NULL ||
	    !name_matches(name, rpc->name)))
		return (mismatch(r, "Mcp-Name differs from the body"));
	return (0);
}

static int
revision_known(struct slice v)
{
	return (v.len == 10 && memchr(v.p, '"', v.len) == NULL &&
	    memmem(REVISIONS, sizeof(REVISIONS) - 1, v.p, v.len) != NULL);
}

static int
mismatch(struct request *r, const char *what)
{
	answer_error(r, 400, RPC_HEADER_MISMATCH, AUDIT_ERROR, what, NULL);
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

static int
method_has_name(struct slice method)
{
	return (slice_is(method, "tools/call") ||
	    slice_is(method, "resources/read") ||
	    slice_is(method, "prompts/get"));
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
