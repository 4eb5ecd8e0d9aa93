/*
 * MCP over Streamable HTTP: revisions, and the standard request headers of
 * revision 2026-07-28 (Transports, Standard Request Headers and Server
 * Validation).
 */
#include <openssl/evp.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "worker/mcp/rules.h"

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

static int	 opens(const struct rpc *);
static enum accord accord_of(const struct rpc *, int);
static const struct refusal *check_revision(const struct rules_fields *,
		    struct rules_revision, const struct rpc *,
		    struct slice *);
static int	 revision_allowed(struct slice);
static const struct refusal *check_method(const struct rules_fields *,
		    const struct rpc *, int);
static const struct refusal *check_name(struct slice, const struct rpc *,
		    int);
static int	 plain_text(struct slice);
static enum naming naming(const struct rpc *);
static int	 name_matches(struct slice, struct slice);
static int	 base64_matches(struct slice, struct slice);

void
rules_setup(const struct worker_conf *conf)
{
	revisions = conf->revisions;
}

int
rules_streams(void)
{
	return ((revisions & LEGACY) != 0);
}

const struct refusal *
rules_head(const struct http1_head *h)
{
	size_t	 i;

	/* a field that counts here must not be gone at the upstream */
	for (i = 0; i < h->nfield; i++)
		if (h->field[i].connection &&
		    (h->field[i].flags & FIELD_JUDGED) != 0)
			return (refuse(REFUSE_NOMINATED));
	if (h->count[HTTP1_MCP_METHOD] > 1 || h->count[HTTP1_MCP_NAME] > 1)
		return (refuse(REFUSE_NAMES_REPEATED));
	return (NULL);
}

struct rules_revision
rules_revision(struct slice version)
{
	uint32_t	 bit = accord_bit(version);

	return ((struct rules_revision){
	    .allowed = version.p == NULL ? (revisions & FIELDLESS) != 0 :
	    (bit & revisions) != 0,
	    .number = bit == 0 ? 0 : (unsigned)__builtin_ctz(bit) + 1,
	    .stateless = slice_is(version, STATELESS),
	    .null_id = slice_is(version, FIRST) });
}

const struct refusal *
rules_stream(struct rules_revision rev, struct slice version,
    struct slice *requested)
{
	if (rev.allowed)
		return (NULL);
	*requested = version.p == NULL ? slice_of(ASSUMED) : version;
	return (refuse(REFUSE_REVISION));
}

const struct refusal *
rules_message(const struct rules_fields *f, struct rules_revision rev,
    const struct rpc *rpc, struct rules_verdict *v)
{
	const struct refusal	*wrong;

	memset(v, 0, sizeof(*v));
	if (f->version.p != NULL && rpc->version.p != NULL &&
	    !slice_eq(f->version, rpc->version))
		return (refuse(REFUSE_REVISION_DIFFERS));
	if ((wrong = check_revision(f, rev, rpc, &v->requested)) != NULL)
		return (wrong);
	v->stateless = !opens(rpc) && (rev.stateless ||
	    slice_is(rpc->version, STATELESS));
	v->accord = accord_of(rpc, v->stateless);
	if (v->stateless && rpc->kind == RPC_REQUEST && f->version.p == NULL)
		return (refuse(REFUSE_REVISION_MISSING));
	if ((wrong = check_method(f, rpc, v->stateless)) != NULL)
		return (wrong);
	return (check_name(f->name, rpc, v->stateless));
}

/* Does it open a session, of a revision that is yet to be agreed upon? */
static int
opens(const struct rpc *rpc)
{
	return (rpc->kind == RPC_REQUEST && rpc->version.p == NULL &&
	    slice_is(rpc->method, "initialize"));
}

static enum accord
accord_of(const struct rpc *rpc, int stateless)
{
	if (rpc->kind != RPC_REQUEST)
		return (ACCORD_NONE);
	if (opens(rpc))
		return (ACCORD_OPEN);
	if (slice_is(rpc->method, "server/discover"))
		return (ACCORD_DISCOVER);
	return (stateless ? ACCORD_ERROR : ACCORD_NONE);
}

static const struct refusal *
check_revision(const struct rules_fields *f, struct rules_revision rev,
    const struct rpc *rpc, struct slice *requested)
{
	/* what it will be is what the answer says (Version Negotiation) */
	if (opens(rpc) && (revisions & LEGACY) != 0)
		return (NULL);
	*requested = rpc->version;
	if (rpc->version.p != NULL && !revision_allowed(rpc->version))
		return (refuse(REFUSE_REVISION_META));
	*requested = f->version;
	if (f->version.p != NULL && !rev.allowed)
		return (refuse(REFUSE_REVISION));
	/* without one it is of a revision that did not have it */
	*requested = slice_of(ASSUMED);
	if (f->version.p == NULL && rpc->version.p == NULL && !rev.allowed)
		return (refuse(REFUSE_REVISION_NONE));
	*requested = (struct slice){ NULL, 0 };
	return (NULL);
}

static int
revision_allowed(struct slice v)
{
	return ((accord_bit(v) & revisions) != 0);
}

static const struct refusal *
check_method(const struct rules_fields *f, const struct rpc *rpc,
    int stateless)
{
	if (!plain_text(f->method) || !plain_text(f->name))
		return (refuse(REFUSE_NAMES_ASCII));
	if (stateless && rpc->kind == RPC_REQUEST && f->method.p == NULL)
		return (refuse(REFUSE_METHOD_MISSING));
	if (f->method.p != NULL && !slice_eq(f->method, rpc->method))
		return (refuse(REFUSE_METHOD_DIFFERS));
	return (NULL);
}

static const struct refusal *
check_name(struct slice name, const struct rpc *rpc, int stateless)
{
	enum naming	 kind = NAME_NONE;

	if (name.p != NULL || (stateless && rpc->kind == RPC_REQUEST))
		kind = naming(rpc);
	if (name.p == NULL && kind == NAME_MUST && stateless)
		return (refuse(REFUSE_NAME_MISSING));
	if (name.p == NULL || kind == NAME_ANY)
		return (NULL);
	if (kind == NAME_NONE || rpc->name.p == NULL ||
	    !name_matches(name, rpc->name))
		return (refuse(REFUSE_NAME_DIFFERS));
	return (NULL);
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
