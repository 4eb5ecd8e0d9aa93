/*
 * mcpgwctl audit tail and audit follow.  argc and argv as for getopt(3); they
 * return the exit code.
 */
#ifndef CTL_AUDIT_TAIL_H
#define CTL_AUDIT_TAIL_H

#include <stdint.h>

#include "ctl/audit_filter.h"

#define AUDIT_TAIL_USAGE \
	"audit tail [-n number] [--all] [--json] [-f config] [filter ...] " \
	"[file ...]"
#define AUDIT_TAIL_OPTIONS \
	"  -n number            how many lines, 10 by default, or all\n" \
	"  --all                with the files that rotation has made\n" \
	"  file                 instead of audit.path\n" AUDIT_FILTER_OPTIONS
#define AUDIT_FOLLOW_USAGE \
	"audit follow [-n number] [--json] [-f config] [filter ...] [file]"
#define AUDIT_FOLLOW_OPTIONS \
	"  -n number            begin with so many old lines, 10 by default\n" \
	"  file                 instead of audit.path\n" AUDIT_FILTER_OPTIONS

int	audit_tail(int argc, char *argv[]);
int	audit_follow(int argc, char *argv[]);

/* The argument of -n, UINT64_MAX for "all"; -1 after telling. */
int	audit_tail_number(const char *, uint64_t *);

#endif
