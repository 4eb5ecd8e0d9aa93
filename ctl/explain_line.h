/*
 * A request that was, by its line in the audit log.
 */
#ifndef CTL_EXPLAIN_LINE_H
#define CTL_EXPLAIN_LINE_H

/* Find its line in the configured log, rotated and compressed files included,
 * and print its stages.  Returns the exit code. */
int	explain_line(const char *request_id);

#endif
