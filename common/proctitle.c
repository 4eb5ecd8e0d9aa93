/*
 * Process titles on Linux.  The kernel shows what lies between arg_start and
 * arg_end; prctl(PR_SET_MM) would need a capability, so the arguments are
 * overwritten where they are, and the master starts its children with an
 * argument that is long enough.
 */
#include <sys/prctl.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/proctitle.h"

static char	*start;
static size_t	 size;

void
proctitle_init(int argc, char *argv[])
{
	char	*end;

	if (argc < 1 || argv[0] == NULL)
		return;
	start = argv[0];
	end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	size = (size_t)(end - start);
}

void
proctitle_set(const char *fmt, ...)
{
	char	 title[128];
	va_list	 ap;

	if (start == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(title, sizeof(title), fmt, ap);
	va_end(ap);
	memset(start, 0, size);
	snprintf(start, size, "%s", title);
}

void
proctitle_comm(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}
