/*
 * A file and the one that takes its place.
 */
#include <sys/file.h>
#include <sys/xattr.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/replace.h"

#define XATTR_NAMES	4096
#define XATTR_VALUE	65536
#define ACL		"system.posix_acl_access"

static int	 lock_and_read(struct replace *, size_t);
static int	 read_text(struct replace *, size_t);
static int	 make_alike(const struct replace *, int);
static int	 copy_attributes(int, int);
static int	 copy_attribute(int, int, const char *);
static void	 sync_directory(const char *);
static void	 hold_signals(struct replace *);

int
replace_open(struct replace *r, const char *path, size_t max)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	if ((r->path = realpath(path, NULL)) == NULL ||
	    (r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY)) == -1) {
		warn("%s", path);
		return (-1);
	}
	return (lock_and_read(r, max));
}

static int
lock_and_read(struct replace *r, size_t max)
{
	if (flock(r->fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			warnx("%s: somebody else is changing it", r->path);
		else
			warn("%s", r->path);
		return (-1);
	}
	if (fstat(r->fd, &r->st) == -1) {
		warn("%s", r->path);
		return (-1);
	}
	if (!S_ISREG(r->st.st_mode) || r->st.st_size < 0 ||
	    (uintmax_t)r->st.st_size > max) {
		warnx("%s: not a regular file, or too large", r->path);
		return (-1);
	}
	if (read_text(r, (size_t)r->st.st_size) == -1) {
		warn("%s", r->path);
		return (-1);
	}
	return (0);
}

/* A file that shrinks or grows meanwhile is noticed before it is replaced. */
static int
read_text(struct replace *r, size_t size)
{
	ssize_t	 n;

	if ((r->text = malloc(size + 1)) == NULL)
		return (-1);
	while (r->len < size) {
		n = read(r->fd, r->text + r->len, size - r->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		if (n == 0)
			break;
		r->len += (size_t)n;
	}
	r->text[r->len] = '\0';
	return (0);
}

int
replace_write(struct replace *r, const char *text, size_t len)
{
	const char	*base = strrchr(r->path, '/') + 1;
	int		 fd, ret = 0;

	if (asprintf(&r->temp, "%.*s.%s.XXXXXX", (int)(base - r->path),
	    r->path, base) == -1) {
		r->temp = NULL;
		warn(NULL);
		return (-1);
	}
	hold_signals(r);
	if ((fd = mkostemp(r->temp, O_CLOEXEC)) == -1) {
		warn("%s", r->temp);
		free(r->temp);
		r->temp = NULL;
		return (-1);
	}
	if (make_alike(r, fd) == -1 || ctl_write(fd, text, len) == -1) {
		warn("%s", r->temp);
		ret = -1;
	}
	if (close(fd) == -1 && ret == 0) {
		warn("%s", r->temp);
		ret = -1;
	}
	return (ret);
}

/* Owner first: chown(2) takes away set-id bits.  Nobody who could not read
 * the old file may read the new one, so that each step must succeed. */
static int
make_alike(const struct replace *r, int fd)
{
	struct stat	 st;

	if (fstat(fd, &st) == -1)
		return (-1);
	if ((st.st_uid != r->st.st_uid || st.st_gid != r->st.st_gid) &&
	    fchown(fd, r->st.st_uid, r->st.st_gid) == -1)
		return (-1);
	if (copy_attributes(r->fd, fd) == -1)
		return (-1);
	return (fchmod(fd, r->st.st_mode & 07777));
}

/* Access control lists are among them. */
static int
copy_attributes(int from, int to)
{
	char	 names[XATTR_NAMES];
	ssize_t	 i, n;
	int	 acl = 0;

	if ((n = flistxattr(from, names, sizeof(names))) == -1)
		return (errno == ENOTSUP ? 0 : -1);
	for (i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		if (strcmp(names + i, ACL) == 0)
			acl = 1;
		/* labels are the system's affair */
		if (copy_attribute(from, to, names + i) == -1 &&
		    strncmp(names + i, "security.", 9) != 0)
			return (-1);
	}
	/* one that came from the directory */
	if (!acl && fremovexattr(to, ACL) == -1 && errno != ENODATA &&
	    errno != ENOTSUP)
		return (-1);
	return (0);
}

static int
copy_attribute(int from, int to, const char *name)
{
	char	*value;
	ssize_t	 n;
	int	 ret = -1;

	if ((value = malloc(XATTR_VALUE)) == NULL)
		return (-1);
	if ((n = fgetxattr(from, name, value, XATTR_VALUE)) != -1)
		ret = fsetxattr(to, name, value, (size_t)n, 0);
	free(value);
	return (ret);
}

int
replace_commit(struct replace *r)
{
	struct stat	 st;

	if (lstat(r->path, &st) == -1) {
		warn("%s", r->path);
		return (-1);
	}
	if (st.st_dev != r->st.st_dev || st.st_ino != r->st.st_ino ||
	    st.st_size != r->st.st_size ||
	    memcmp(&st.st_mtim, &r->st.st_mtim, sizeof(st.st_mtim)) != 0) {
		warnx("%s: somebody else has changed it; nothing was done",
		    r->path);
		return (-1);
	}
	if (rename(r->temp, r->path) == -1) {
		warn("%s", r->path);
		return (-1);
	}
	free(r->temp);
	r->temp = NULL;
	sync_directory(r->path);
	return (0);
}

/* It is done already, so that all there is to be had is a warning. */
static void
sync_directory(const char *path)
{
	char	*dir;
	int	 fd;

	/* with the last slash, so that the root is no special case */
	dir = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	if (dir == NULL)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (fsync(fd) == -1 && errno != EINVAL))
		warn("%s: may be lost in a power failure", dir);
	if (fd != -1)
		close(fd);
	free(dir);
}

/* Ctrl-C must not leave a second copy of the hashes behind. */
static void
hold_signals(struct replace *r)
{
	sigset_t	 set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGTSTP);
	r->blocked = sigprocmask(SIG_BLOCK, &set, &r->signals) == 0;
}

void
replace_close(struct replace *r)
{
	if (r->temp != NULL && unlink(r->temp) == -1)
		warn("%s", r->temp);
	if (r->blocked)
		sigprocmask(SIG_SETMASK, &r->signals, NULL);
	if (r->fd != -1)
		close(r->fd);
	if (r->text != NULL)
		explicit_bzero(r->text, r->len);
	free(r->text);
	free(r->temp);
	free(r->path);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}
