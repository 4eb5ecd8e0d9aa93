/*
 * Single keys of the configuration.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/yaml.h"
#include "ctl/ctl.h"
#include "ctl/peek.h"

/* Their defaults. */
#define PID_FILE	"/run/mcpgw.pid"
#define AUDIT_PATH	"/var/log/mcpgw/audit.jsonl"

struct reason {
	char	*text;
	size_t	 len;
};

/* Find a path in the tree, which may be NULL. */
typedef int	 (*finder)(const struct ynode *, char *, size_t,
		    struct reason *);

static int	 look(finder, char *, size_t, struct reason *);
static char	*read_config(size_t *);
static void	 no_tree(void *, const struct ynode *, unsigned, unsigned,
		    const char *);
static int	 find_socket(const struct ynode *, char *, size_t,
		    struct reason *);
static int	 find_audit(const struct ynode *, char *, size_t,
		    struct reason *);
static const char *text_at(const struct ynode *, const char *);
static int	 beside(const char *, char *, size_t);

int
peek_socket(char *path, size_t size, char *why, size_t len)
{
	struct reason	 r = { why, len };

	if (ctl_options.socket == NULL)
		return (look(find_socket, path, size, &r));
	if (strlcpy(path, ctl_options.socket, size) < size)
		return (0);
	(void)snprintf(why, len, "-s: the path is too long for a socket");
	return (-1);
}

int
peek_audit(char *path, size_t size, char *why, size_t len)
{
	struct reason	 r = { why, len };

	return (look(find_audit, path, size, &r));
}

/* Who may use what it names need not be one who may read the file. */
static int
look(finder find, char *path, size_t size, struct reason *r)
{
	struct ynode	*top;
	char		*text;
	size_t		 len;
	int		 ret = -1;

	if ((text = read_config(&len)) == NULL) {
		if (strcmp(ctl_options.path, CTL_CONFIG) == 0 &&
		    (errno == EACCES || errno == ENOENT))
			return (find(NULL, path, size, r));
		(void)snprintf(r->text, r->len, "%s: %s", ctl_options.path,
		    strerror(errno));
		return (-1);
	}
	*r->text = '\0';
	if ((top = ytree_parse(text, len, no_tree, r)) != NULL)
		ret = find(top, path, size, r);
	ytree_free(top);
	explicit_bzero(text, len);
	free(text);
	return (ret);
}

/* NULL with errno. */
static char *
read_config(size_t *len)
{
	struct stat	 st;
	char		*text = NULL;
	ssize_t		 n = -1;
	int		 fd, e;

	fd = open(ctl_options.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (fd == -1)
		return (NULL);
	errno = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= CONFIG_FILE_MAX &&
	    (text = malloc((size_t)st.st_size + 1)) != NULL)
		n = read(fd, text, (size_t)st.st_size);
	e = errno != 0 ? errno : EINVAL;
	close(fd);
	if (n == -1) {
		free(text);
		errno = e;
		return (NULL);
	}
	*len = (size_t)n;
	return (text);
}

/* The first one; others may follow that do not matter here. */
static void
no_tree(void *arg, const struct ynode *n, unsigned line, unsigned column,
    const char *text)
{
	struct reason	*r = arg;

	(void)n;
	if (*r->text == '\0')
		(void)snprintf(r->text, r->len, "%s:%u:%u: %s",
		    ctl_options.path, line, column, text);
}

static int
find_socket(const struct ynode *top, char *path, size_t size,
    struct reason *r)
{
	const char	*s = text_at(top, "control.socket");
	const char	*pid = text_at(top, "pid_file");

	if (s != NULL && strcmp(s, "off") == 0) {
		(void)snprintf(r->text, r->len, "%s: control.socket is off",
		    ctl_options.path);
		return (-1);
	}
	if (s != NULL ? strlcpy(path, s, size) < size :
	    beside(pid != NULL && strcmp(pid, "off") != 0 ? pid : PID_FILE,
	    path, size) == 0)
		return (0);
	(void)snprintf(r->text, r->len, "%s: the path of the control socket "
	    "is too long", ctl_options.path);
	return (-1);
}

static int
find_audit(const struct ynode *top, char *path, size_t size,
    struct reason *r)
{
	const char	*s = text_at(top, "audit.path");

	if (strlcpy(path, s != NULL ? s : AUDIT_PATH, size) < size)
		return (0);
	(void)snprintf(r->text, r->len, "%s: audit.path is too long",
	    ctl_options.path);
	return (-1);
}

static const char *
text_at(const struct ynode *top, const char *key)
{
	const struct ynode	*n = ynode_at(top, key);

	return (n != NULL && n->kind == YNODE_SCALAR && *n->text != '\0' ?
	    n->text : NULL);
}

static int
beside(const char *pid, char *path, size_t size)
{
	size_t	 len = strlen(pid);

	if (len > 4 && strcmp(pid + len - 4, ".pid") == 0)
		len -= 4;
	return ((size_t)snprintf(path, size, "%.*s.sock", (int)len, pid) <
	    size ? 0 : -1);
}
