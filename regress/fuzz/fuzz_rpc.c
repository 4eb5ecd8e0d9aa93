/*
 * Envelopes: whatever comes, slices lie in the body or in scratch, and what
 * is accepted is a JSON object.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/mcp/rpc.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
touch(struct slice s, size_t max)
{
	char	*copy;

	if (s.len > max || (copy = malloc(s.len + 1)) == NULL)
		abort();
	/* the sanitizer sees a slice that points outside */
	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rpc	 rpc;
	const char	*why = NULL;
	char		*copy = malloc(len + 1);
	int		 code;

	if (copy == NULL)
		return (0);
	memcpy(copy, data, len);
	code = rpc_read(copy, len, &rpc, &why);
	if (code != 0 && (why == NULL || (code != RPC_PARSE_ERROR &&
	    code != RPC_INVALID_REQUEST)))
		abort();
	if (rpc.id.p != NULL) {
		touch(rpc.id, RPC_ID_MAX);
		/* it is put into answers as it is */
		if (json_check(rpc.id.p, rpc.id.len) != JSON_OK)
			abort();
	}
	if (code == 0) {
		if (json_check(copy, len) != JSON_OK ||
		    memchr(copy, '{', len) == NULL)
			abort();
		touch(rpc.method, RPC_METHOD_MAX);
		touch(rpc.name, RPC_NAME_MAX);
		touch(rpc.version, RPC_METHOD_MAX);
	}
	rpc_free(&rpc);
	free(copy);
	return (0);
}
