/*
 * mcpgwctl key generate: a new key, and the entry that lets it in.
 */
#ifndef CTL_KEY_GENERATE_H
#define CTL_KEY_GENERATE_H

#include <stddef.h>

#include "common/conf.h"

#define KEY_GENERATE_USAGE \
	"key generate --label label [--expires time] [--scopes list] " \
	"[--json]"
#define KEY_GENERATE_OPTIONS \
	"  -l, --label label    the id, which the audit log has\n" \
	"  -e, --expires time   from when it is refused, such as 2160h\n" \
	"  -s, --scopes list    what it may do, or \"*\", which is all\n"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_generate(int argc, char *argv[]);

/*
 * The scopes of a comma- or space-separated list, space-joined, to be freed.
 * NULL after telling which is no scope (RFC 6749, section 3.3), too long, or
 * given twice.
 */
char	*key_scopes(const char *list);

#define KEY_ENTRY_MAX	8192	/* scopes can be 4096, and quoted */
/* The entry of auth.keys as YAML, indented to stand below "keys:"; hash is
 * the encoded hash.  Returns its length, 0 when it does not fit. */
size_t	key_entry(const struct conf_key *, const char *prefix,
	    const char *hash, char *buf, size_t size);

#endif
