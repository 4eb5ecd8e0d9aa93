/*
 * The files of the audit log.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/audit_files.h"
#include "ctl/ctl.h"
#include "ctl/peek.h"

struct found {
	char		*path;
	struct timespec	 changed;
};

static int	 add(struct audit_files *, const char *);
static int	 rotated(struct audit_files *, const char *);
static size_t	 scan(const char *, const char *, struct found **);
static int	 is_rotated(int, const char *, const char *, struct stat *);
static int	 older(const void *, const void *);

int
audit_files_find(struct audit_files *f, int all, char *const named[])
{
	char	 path[PATH_MAX], why[512];

	memset(f, 0, sizeof(*f));
	for (; *named != NULL; named++)
		if (add(f, *named) == -1)
			return (CTL_INTERNAL);
	if (f->n > 0)
		return (0);
	if (peek_audit(path, sizeof(path), why, sizeof(why)) == -1) {
		warnx("%s", why);
		return (CTL_BAD_CONFIG);
	}
	if ((all && rotated(f, path) == -1) || add(f, path) == -1)
		return (CTL_INTERNAL);
	return (0);
}

void
audit_files_free(struct audit_files *f)
{
	size_t	 i;

	for (i = 0; i < f->n; i++)
		free(f->path[i]);
	free(f->path);
	memset(f, 0, sizeof(*f));
}

static int
add(struct audit_files *f, const char *path)
{
	char	**p;

	p = reallocarray(f->path, f->n + 1, sizeof(*p));
	if (p == NULL || (f->path = p, p[f->n] = strdup(path)) == NULL) {
		warn(NULL);
		return (-1);
	}
	f->n++;
	return (0);
}

static int
rotated(struct audit_files *f, const char *path)
{
	struct found	*list = NULL;
	const char	*base = strrchr(path, '/');
	char		 dir[PATH_MAX];
	size_t		 i, n;
	int		 ret = 0;

	base = base == NULL ? path : base + 1;
	(void)snprintf(dir, sizeof(dir), "%s%.*s",
	    base == path ? "./" : "", (int)(base - path), path);
	n = scan(dir, base, &list);
	if (n > 1)
		qsort(list, n, sizeof(*list), older);
	for (i = 0; i < n; i++) {
		if (ret == 0)
			ret = add(f, list[i].path);
		free(list[i].path);
	}
	free(list);
	return (ret);
}

static size_t
scan(const char *dir, const char *base, struct found **list)
{
	struct found	*p;
	struct dirent	*d;
	struct stat	 st;
	size_t		 n = 0;
	DIR		*dp;

	if ((dp = opendir(dir)) == NULL) {
		warn("%s", dir);
		return (0);
	}
	while ((d = readdir(dp)) != NULL) {
		if (!is_rotated(dirfd(dp), d->d_name, base, &st))
			continue;
		if ((p = reallocarray(*list, n + 1, sizeof(*p))) == NULL)
			err(CTL_INTERNAL, NULL);
		*list = p;
		if (asprintf(&p[n].path, "%s%s", dir, d->d_name) == -1)
			err(CTL_INTERNAL, NULL);
		p[n++].changed = st.st_mtim;
	}
	closedir(dp);
	return (n);
}

/* BASE.1, BASE-20260509, with .gz or without; not both of one, which are
 * there while one is made of the other. */
static int
is_rotated(int dir, const char *name, const char *base, struct stat *st)
{
	char	 plain[NAME_MAX + 1];
	size_t	 len = strlen(base), n = strlen(name);

	if (strncmp(name, base, len) != 0 || (name[len] != '.' &&
	    name[len] != '-') || fstatat(dir, name, st, 0) == -1 ||
	    !S_ISREG(st->st_mode))
		return (0);
	if (n > 4 && strcmp(name + n - 4, ".tmp") == 0)
		return (0);
	if ((n > 3 && strcmp(name + n - 3, ".xz") == 0) ||
	    (n > 4 && (strcmp(name + n - 4, ".bz2") == 0 ||
	    strcmp(name + n - 4, ".zst") == 0))) {
		warnx("%s: left out: only gzip can be read", name);
		return (0);
	}
	if (n <= 3 || strcmp(name + n - 3, ".gz") != 0)
		return (1);
	(void)snprintf(plain, sizeof(plain), "%.*s", (int)n - 3, name);
	return (faccessat(dir, plain, 0, 0) == -1);
}

static int
older(const void *a, const void *b)
{
	const struct found	*x = a, *y = b;

	if (x->changed.tv_sec != y->changed.tv_sec)
		return (x->changed.tv_sec < y->changed.tv_sec ? -1 : 1);
	if (x->changed.tv_nsec != y->changed.tv_nsec)
		return (x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1);
	return (strcmp(x->path, y->path));
}
