/*
 * Names are part of what operators write into their alerts (mcpgw(8)): they do
 * not change.
 */
#include <assert.h>
#include <stddef.h>

#include "common/refusal_id.h"
#include "common/stats.h"

static_assert(REFUSE_MAX <= STATS_REASONS, "slots have no room for all");

static const struct {
	const char	*name;
	int		 status;
} refusals[REFUSE_MAX] = {
[REFUSE_SYNTAX] = { "malformed_request", 400 },
[REFUSE_HEAD_LATE] = { "head_late", 408 },
[REFUSE_URI] = { "uri_too_long", 414 },
[REFUSE_EXPECTATION] = { "expectation_unknown", 417 },
[REFUSE_HEAD_SIZE] = { "head_too_large", 431 },
[REFUSE_UNIMPLEMENTED] = { "not_implemented", 501 },
[REFUSE_CONNECTIONS] = { "too_many_connections", 503 },
[REFUSE_VERSION] = { "http_version_unsupported", 505 },
[REFUSE_HOST] = { "host_not_allowed", 421 },
[REFUSE_RELOADED] = { "configuration_changed", 503 },
[REFUSE_STOPPING] = { "stopping", 503 },
[REFUSE_UNKNOWN_METHOD] = { "method_unknown", 501 },
[REFUSE_PATH] = { "path_unknown", 404 },
[REFUSE_UNRECORDABLE] = { "audit_broken", 503 },
[REFUSE_LOOP] = { "loop", 508 },
[REFUSE_ORIGIN] = { "origin_not_allowed", 403 },
[REFUSE_METHOD] = { "method_not_allowed", 405 },
[REFUSE_METHOD_POST] = { "method_not_post", 405 },
[REFUSE_REPEATED] = { "field_repeated", 400 },
[REFUSE_SIZE] = { "body_too_large", 413 },
[REFUSE_BODY] = { "body_unexpected", 400 },
[REFUSE_CREDENTIALS] = { "credentials_ambiguous", 400 },
[REFUSE_CREDENTIALS_OPEN] = { "credentials_malformed", 400 },
[REFUSE_MISSING] = { "credential_missing", 401 },
[REFUSE_SCOPE] = { "scope_insufficient", 401 },
[REFUSE_TOKEN] = { "token_invalid", 401 },
[REFUSE_UNCHECKED] = { "credential_unchecked", 503 },
[REFUSE_CROWDING] = { "credentials_crowding", 429 },
[REFUSE_UPSTREAM] = { "upstream_unknown", 404 },
[REFUSE_TYPE] = { "content_type_wrong", 415 },
[REFUSE_CODED] = { "content_coded", 415 },
[REFUSE_BUFFERED] = { "buffers_full", 503 },
[REFUSE_NOMINATED] = { "field_nominated", 400 },
[REFUSE_SESSION] = { "session_unknown", 404 },
[REFUSE_BODY_LATE] = { "body_late", 408 },
[REFUSE_OTHERS_WAIT] = { "others_wait", 503 },
[REFUSE_CHUNKS] = { "chunks_malformed", 400 },
[REFUSE_JSON] = { "json_malformed", 400 },
[REFUSE_ENVELOPE] = { "message_malformed", 400 },
[REFUSE_NAMES_REPEATED] = { "mcp_field_repeated", 400 },
[REFUSE_REVISION] = { "revision_unsupported", 400 },
[REFUSE_REVISION_META] = { "revision_meta_unsupported", 400 },
[REFUSE_REVISION_NONE] = { "revision_unsaid", 400 },
[REFUSE_REVISION_DIFFERS] = { "revision_differs", 400 },
[REFUSE_REVISION_MISSING] = { "revision_missing", 400 },
[REFUSE_NAMES_ASCII] = { "mcp_field_malformed", 400 },
[REFUSE_METHOD_MISSING] = { "mcp_method_missing", 400 },
[REFUSE_METHOD_DIFFERS] = { "mcp_method_differs", 400 },
[REFUSE_NAME_MISSING] = { "mcp_name_missing", 400 },
[REFUSE_NAME_DIFFERS] = { "mcp_name_differs", 400 },
[REFUSE_STREAMS] = { "too_many_streams", 429 },
[REFUSE_UP_CONNECTIONS] = { "upstream_connections_full", 503 },
[REFUSE_UP_CROWDED] = { "upstream_crowded", 503 },
[REFUSE_UP_TIMEOUT] = { "upstream_timeout", 504 },
[REFUSE_UP_UNREACHED] = { "upstream_unreached", 502 },
[REFUSE_UP_MALFORMED] = { "upstream_malformed", 502 },
[REFUSE_UP_UNFIT] = { "upstream_unfit", 502 },
[REFUSE_UP_REFUSED] = { "upstream_refused_gateway", 502 },
[REFUSE_UP_SESSION] = { "upstream_session_malformed", 502 },
[REFUSE_UP_SESSION_LONG] = { "upstream_session_long", 502 },
[REFUSE_UP_TYPE] = { "upstream_type_ambiguous", 502 },
[REFUSE_UP_PAGE] = { "upstream_page", 502 },
[REFUSE_UP_REDIRECT] = { "upstream_redirect", 502 },
[REFUSE_UP_ERROR_PAGE] = { "upstream_error_page", 0 },
[REFUSE_DRAINING] = { "draining", 503 }
};

const char *
refusal_name(unsigned n)
{
	return (n < REFUSE_MAX ? refusals[n].name : NULL);
}

int
refusal_status(unsigned n)
{
	return (n < REFUSE_MAX ? refusals[n].status : 0);
}
