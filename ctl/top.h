/*
 * mcpgwctl top: what the gateway does, as it does it.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#define TOP_USAGE \
	"top [--once] [--interval seconds] [--json] [-f file] [-s socket]"
#define TOP_OPTIONS \
	"  --once               print one interval, as --json does,\n" \
	"                       and where there is no terminal\n" \
	"  --interval seconds   between two looks, 1 by default\n" \
	"Keys: u t c m or the left and right arrows choose upstreams,\n" \
	"tools, clients or methods; s and S the order; / filters by a part\n" \
	"of the name, Escape ends that; up, down, page up and page down\n" \
	"scroll; q quits\n"

/* argc and argv as for getopt(3).  Returns the exit code. */
int	top(int argc, char *argv[]);

#endif
