/*
 * How many workers make sense here: in a container the machine's CPUs are
 * not ours.
 */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/cfg.h"

#define CPUS_ASKED_MAX	(1 << 16)

static unsigned	 cpus_affinity(void);
static unsigned	 quota_of(const char *, const char *);
static int	 cgroup_path(const char *, char *, size_t);

unsigned
cfg_cpus(void)
{
	unsigned	 n, quota;

	n = cpus_affinity();
	quota = cfg_cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup");
	if (quota > 0 && quota < n)
		n = quota;
	if (n < 1)
		n = 1;
	return (n > CFG_WORKERS_MAX ? CFG_WORKERS_MAX : n);
}

/* A group is held by its own quota and by those of every group above. */
unsigned
cfg_cpus_quota(const char *cgroup, const char *root)
{
	char		 path[PATH_MAX], *slash;
	unsigned	 least, n;

	if (cgroup_path(cgroup, path, sizeof(path)) == -1)
		return (0);
	least = 0;
	for (;;) {
		n = quota_of(root, path);
		if (n > 0 && (least == 0 || n < least))
			least = n;
		if ((slash = strrchr(path, '/')) == NULL)
			return (least);
		*slash = '\0';
	}
}

static unsigned
cpus_affinity(void)
{
	cpu_set_t	*set;
	int		 n, size;

	/* The kernel refuses a mask smaller than its own. */
	for (size = CPU_SETSIZE; size <= CPUS_ASKED_MAX; size *= 2) {
		if ((set = CPU_ALLOC((size_t)size)) == NULL)
			return (1);
		n = 0;
		if (sched_getaffinity(0, CPU_ALLOC_SIZE(size), set) == 0)
			n = CPU_COUNT_S(CPU_ALLOC_SIZE(size), set);
		CPU_FREE(set);
		if (n > 0)
			return ((unsigned)n);
	}
	return (1);
}

/* ROOT/PATH/cpu.max: "max 100000" or "150000 100000", rounded up. */
static unsigned
quota_of(const char *root, const char *path)
{
	char			 file[2 * PATH_MAX];
	unsigned long long	 period, quota;
	FILE			*fp;
	int			 n;

	n = snprintf(file, sizeof(file), "%s%s/cpu.max", root, path);
	if (n < 0 || (size_t)n >= sizeof(file) ||
	    (fp = fopen(file, "re")) == NULL)
		return (0);
	n = fscanf(fp, "%19llu %19llu", &quota, &period);
	(void)fclose(fp);
	if (n != 2 || quota == 0 || period == 0)
		return (0);
	quota = quota / period + (quota % period != 0);
	return (quota > CFG_WORKERS_MAX ? CFG_WORKERS_MAX : (unsigned)quota);
}

/* The line "0::/path" is version 2's.  "/" comes out as "". */
static int
cgroup_path(const char *cgroup, char *buf, size_t size)
{
	char	*line;
	size_t	 cap, len;
	FILE	*fp;
	int	 found;

	if ((fp = fopen(cgroup, "re")) == NULL)
		return (-1);
	line = NULL;
	cap = 0;
	found = -1;
	while (found == -1 && getline(&line, &cap, fp) != -1) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		len = strcspn(line + 3, "\n");
		if (len >= size || strstr(line, "/..") != NULL)
			break;
		memcpy(buf, line + 3, len);
		buf[len == 1 ? 0 : len] = '\0';
		found = 0;
	}
	free(line);
	(void)fclose(fp);
	return (found);
}
