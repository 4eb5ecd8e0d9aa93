/* What the configuration says of the log, and what the log says of it. */
#ifndef DAEMON_LOGGING_H
#define DAEMON_LOGGING_H

#include "config/config.h"

/* Write in the form of log.format, and what log.level (verbose: debug) lets
 * through, here and in all children. */
void	logging_apply(const struct config *, int verbose);
/* The level alone, LOG_ERR to LOG_DEBUG. */
void	logging_level(int pri);
/* A config_error_cb, whose first argument is the path of the file: log it. */
void	logging_config_error(void *, const char *);

#endif
