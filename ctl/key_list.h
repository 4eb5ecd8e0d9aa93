/*
 * mcpgwctl key list: the configured keys, without their hashes.
 */
#ifndef CTL_KEY_LIST_H
#define CTL_KEY_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define KEY_LIST_USAGE \
	"key list [--json] [-f file]"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	key_list(int argc, char *argv[]);

/* The configured key of that index as one line of JSON. */
void	key_json(const struct config *, size_t i, int64_t now);

#endif
