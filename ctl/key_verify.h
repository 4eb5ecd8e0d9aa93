/*
 * mcpgwctl key verify: which configured key is this?  Read from standard
 * input, never from the arguments, which others can see.
 */
#ifndef CTL_KEY_VERIFY_H
#define CTL_KEY_VERIFY_H

#define KEY_VERIFY_USAGE \
	"key verify [--json] [-f file]"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_verify(int argc, char *argv[]);

#endif
