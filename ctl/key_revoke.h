/*
 * mcpgwctl key revoke: take a key out of the configuration, and have the
 * gateway reload.
 */
#ifndef CTL_KEY_REVOKE_H
#define CTL_KEY_REVOKE_H

#define KEY_REVOKE_USAGE \
	"key revoke [-n] [--force] [--json] [-f file] id"
#define KEY_REVOKE_OPTIONS \
	"  -n, --dry-run        show what would be removed, change nothing\n" \
	"  --force              even when the gateway is open to all without\n"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_revoke(int argc, char *argv[]);

#endif
