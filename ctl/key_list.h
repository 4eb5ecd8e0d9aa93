/*
 * mcpgwctl key list: the configured keys, without their hashes.
 */
#ifndef CTL_KEY_LIST_H
#define CTL_KEY_LIST_H

#define KEY_LIST_USAGE \
	"key list [-j] [-f file]"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_list(int argc, char *argv[]);

#endif
