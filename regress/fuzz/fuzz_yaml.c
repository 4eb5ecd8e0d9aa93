/*
 * Any bytes as mcpgw.yaml: either a configuration whose parts the children
 * accept, or at least one error, each of one line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "config/config.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
tell(void *arg, const char *text)
{
	size_t	*count = arg;

	if (strpbrk(text, "\n\r\x1b") != NULL ||
	    ++*count > CONFIG_ERRORS_MAX)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct worker_conf	*w;
	struct config		*conf;
	struct wbuf		 b;
	size_t			 count = 0;

	conf = config_parse("f", (const char *)data, len, tell, &count);
	if ((conf != NULL) != (count == 0))
		abort();
	if (conf == NULL)
		return (0);
	wbuf_init(&b, CONF_PACKED_MAX);
	worker_conf_pack(&conf->w, &b);
	if (b.failed || (w = worker_conf_unpack(b.data, b.len)) == NULL)
		abort();
	worker_conf_free(w);
	wbuf_free(&b);
	config_free(conf);
	return (0);
}
