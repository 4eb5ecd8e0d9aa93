/*
 * A line of the audit log for people's eyes.
 */
#ifndef CTL_AUDIT_SHOW_H
#define CTL_AUDIT_SHOW_H

#include "common/slice.h"
#include "ctl/audit_entry.h"

/* Print it, or with --json the line as it is. */
void	audit_show(const struct audit_entry *, struct slice line);
/* Tell of a line that is none. */
void	audit_show_bad(const char *file, uint64_t number, const char *why);

#endif
