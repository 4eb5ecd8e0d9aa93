/*
 * Advice, a sentence or two each.
 */
#include <stddef.h>
#include <string.h>

#include "ctl/advice.h"

struct advice {
	const char	*of;
	const char	*text;
};

static const struct advice tokens[] = {
	{ "oauth", "set auth.enabled and auth.oauth.enabled to true, or send "
	    "an API key of auth.keys" },
	{ "shape", "send the access token itself, whole, behind \"Bearer \"; "
	    "have the authorization server issue access tokens that are "
	    "JWTs, which opaque and encrypted ones are not; for an API key "
	    "ask mcpgwctl key verify" },
	{ "key_expired", "make a new key with mcpgwctl key generate, or "
	    "change its expires_at" },
	{ "form", "send the access token itself, whole; where it is too "
	    "long, have the authorization server put less into it" },
	{ "header", "the token was cut off or changed on its way: take it "
	    "again from the authorization server" },
	{ "crit", "have the authorization server leave out crit and b64" },
	{ "typ", "send an access token, not an ID token or another; or "
	    "change auth.oauth.require_typ" },
	{ "alg", "have the authorization server sign with one of these; "
	    "secrets (HS256) and none are never taken" },
	{ "kid", "is the token of this authorization server and tenant? "
	    "auth.oauth.jwks_url must be its key set: mcpgwctl jwks shows "
	    "which keys there are, and which were skipped and why" },
	{ "key", "have the authorization server sign with the algorithm "
	    "that its key set says for this key" },
	{ "signature", "the token was changed, or is of another "
	    "authorization server that names its key so: compare iss, and "
	    "auth.oauth.jwks_url" },
	{ "payload", "the token was changed on its way, or its claims are "
	    "not JSON: take it again from the authorization server" },
	{ "claims", "have the authorization server give this claim its "
	    "type, or leave it out" },
	{ "use", "send the access token, not the ID or refresh token that "
	    "came with it" },
	{ "iss", "write iss as it is into auth.oauth.issuer, a slash at its "
	    "end or none included; if it is another authorization server's, "
	    "take the token from the right one" },
	{ "aud", "ask the authorization server for this audience (in some "
	    "resource= or audience=, in others a setting of the API); or "
	    "add the one that came to auth.oauth.audience; or set "
	    "auth.oauth.accept_resource_audience" },
	{ "exp", "take a new token; if it is new, the clocks differ: set "
	    "them, or raise auth.oauth.leeway" },
	{ "nbf", "the clocks of the authorization server and of this host "
	    "differ: set them, or raise auth.oauth.leeway" },
	{ "iat", "the clocks of the authorization server and of this host "
	    "differ: set them, or raise auth.oauth.leeway" },
	{ "cnf", "have the authorization server issue plain bearer tokens "
	    "for this client, not ones bound to a key (DPoP, mTLS)" },
	{ "scopes", "grant the scope at the authorization server, and have "
	    "the client ask for it; or take it out of "
	    "auth.oauth.required_scopes" },
	{ NULL, NULL }
};

static const struct advice stages[] = {
	{ "head", "what came is no HTTP/1.1 that can be read in one way, or "
	    "was larger than limits.max_header, or came too slowly "
	    "(timeouts.header)" },
	{ "document", "the path is /mcp or /mcp/ and an upstream's name" },
	{ "credential", "ask mcpgwctl token explain, or mcpgwctl key verify, "
	    "about what the client sends; it goes into one field, as "
	    "\"Authorization: Bearer ...\" or in auth.header" },
	{ "route", "add the name that clients use to allowed_hosts, or have "
	    "the proxy send the right Host" },
	{ "late", "ask again: the gateway was stopping, or read its "
	    "configuration" },
	{ "recordable", "see to audit.path: is the disk full? or set "
	    "audit.on_failure to allow" },
	{ "loop", "let no upstream lead back to this gateway" },
	{ "origin", "add the page's origin to allowed_origins" },
	{ "method", "use POST, and GET and DELETE with revisions that have "
	    "streams (mcp.revisions)" },
	{ "size", "raise limits.max_body, or send less" },
	{ "upstream", "use /mcp/ and a name of upstreams, or set "
	    "default_upstream" },
	{ "type", "send one JSON message with Content-Type: "
	    "application/json and no Content-Encoding" },
	{ "revision", "use a revision of mcp.revisions, or add this one" },
	{ "session", "open a new session: it has ended, is another "
	    "client's, or session.secret has changed" },
	{ "body", "send the body without delay (timeouts.body), within "
	    "limits.buffered" },
	{ "envelope", "send one JSON-RPC message in valid JSON" },
	{ "withdrawn", "take a new credential: a reload took it away" },
	{ "rules", "send header fields that say the same as the message, "
	    "and a revision of mcp.revisions" },
	{ "policy", "change the rule, or what is asked for" },
	{ "choose", "see mcpgwctl upstreams: none of its servers is up" },
	{ "send", "see mcpgwctl upstreams, and the upstream's own log; "
	    "timeouts.upstream_response" },
	{ NULL, NULL }
};

static const char *find(const struct advice *, const char *);

const char *
advice_of_token(const char *check)
{
	return (find(tokens, check));
}

const char *
advice_of_stage(const char *stage)
{
	return (find(stages, stage));
}

static const char *
find(const struct advice *a, const char *of)
{
	for (; a->of != NULL; a++)
		if (strcmp(a->of, of) == 0)
			return (a->text);
	return (NULL);
}
