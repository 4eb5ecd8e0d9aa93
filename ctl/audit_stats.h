/*
 * mcpgwctl audit stats: what is in an audit log, counted.
 */
#ifndef CTL_AUDIT_STATS_H
#define CTL_AUDIT_STATS_H

#include "ctl/audit_filter.h"

#define AUDIT_STATS_USAGE \
	"audit stats [-n number] [--all] [--json] [-f config] [filter ...] " \
	"[file ...]"
#define AUDIT_STATS_OPTIONS \
	"  -n number            how many names of a kind, 10 by default\n" \
	"  --all                with the files that rotation has made\n" \
	"  file                 instead of audit.path\n" AUDIT_FILTER_OPTIONS

/* argc and argv as for getopt(3).  Returns the exit code. */
int	audit_stats(int argc, char *argv[]);

#endif
