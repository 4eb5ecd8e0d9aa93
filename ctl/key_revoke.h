/*
 * mcpgwctl key revoke: take a key out of the configuration, and have the
 * gateway reload.
 */
#ifndef CTL_KEY_REVOKE_H
#define CTL_KEY_REVOKE_H

#define KEY_REVOKE_USAGE \
	"key revoke [-n] [--force] [-f file] id"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_revoke(int argc, char *argv[]);

#endif
