/*
 * What the kernel says of a child's first thread, the one that answers; others
 * that it may have run at the lowest priority, and mean nothing.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/chance.h"

static int	 look(pid_t, char *, uint64_t *);

int
chance_had(pid_t pid, struct chance *c)
{
	uint64_t	 cpu, second = (uint64_t)sysconf(_SC_CLK_TCK);
	char		 state;

	if (look(pid, &state, &cpu) == -1)
		return (1);
	/* before the first call it had none that counts */
	c->own += c->cpu == 0 ? 0 : cpu - c->cpu;
	c->cpu = cpu;
	if (c->own >= second) {
		c->own = 0;
		return (1);
	}
	return (state != 'R' && state != 'D');
}

/* proc(5): the name, in parentheses, may have any character in it. */
static int
look(pid_t pid, char *state, uint64_t *cpu)
{
	char		 path[64], text[1024];
	const char	*p;
	uint64_t	 user, sys;
	ssize_t		 n;
	int		 fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
	    (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return (-1);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return (-1);
	text[n] = '\0';
	if ((p = strrchr(text, ')')) == NULL || sscanf(p + 1,
	    " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
	    state, &user, &sys) != 3)
		return (-1);
	*cpu = user + sys;
	return (0);
}
