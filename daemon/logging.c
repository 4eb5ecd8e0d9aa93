/*
 * The log, as the configuration wants it.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "daemon/logging.h"
#include "daemon/process.h"

void
logging_apply(const struct config *c, int verbose)
{
	log_set_format(c->log_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	logging_level(verbose ? LOG_DEBUG : (int)c->log_level);
}

void
logging_level(int pri)
{
	if (pri == log_level())
		return;
	log_set_level(pri);
	process_log_level(pri);
}

void
logging_config_error(void *arg, const char *text)
{
	const char	*path = arg, *at = text;
	unsigned	 line = 0, column = 0;

	/* "FILE:LINE:COLUMN: ..."; some are about the file as such */
	if (strncmp(text, path, strlen(path)) == 0)
		at += strlen(path);
	if (sscanf(at, ":%u:%u:", &line, &column) != 2)
		line = column = 0;
	log_errx("config.error", LOG_KV(KV("file", path),
	    KV_IF(line > 0, "line", line),
	    KV_IF(line > 0, "column", column)), "%s", text);
}
