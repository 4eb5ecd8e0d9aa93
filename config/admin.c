/*
 * The doors of the monitor: admin.listen for metrics and the status page, the
 * control socket for mcpgwctl(8).
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/cfg.h"

#define SOCKET_MAX	(sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static int	 is_loopback(const struct config *);
static void	 fill_socket(struct cfg *);

/* A port alone is one of this host. */
void
cfg_admin_listen(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	struct config	*conf = dst;
	const char	*s;
	char		 local[64];
	int		 any;

	(void)k;
	if ((s = cfg_scalar(c, n, "an address and port such as "
	    "127.0.0.1:9464")) == NULL)
		return;
	if (strspn(s, "0123456789") == strlen(s) && strlen(s) < 6)
		(void)snprintf(local, sizeof(local), "127.0.0.1:%s", s);
	else
		(void)strlcpy(local, s, sizeof(local));
	if (cfg_listen_parse(local, &conf->admin_addr, &conf->admin_len,
	    &any) == -1)
		cfg_expected(c, n, "PORT of this host, ADDRESS:PORT, "
		    "\"[IPv6]:PORT\" or localhost:PORT, with a port from 1 to "
		    "65535");
	else
		cfg_copy(c, &conf->admin_listen, local);
}

void
cfg_socket(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	if ((s = cfg_scalar(c, n, "an absolute path, or off")) == NULL)
		return;
	if (strcmp(s, "off") == 0)
		cfg_copy(c, dst, "");
	else if (strlen(s) > SOCKET_MAX)
		cfg_expected(c, n, "a path of at most %zu bytes", SOCKET_MAX);
	else
		cfg_path(c, n, k, dst);
}

/* With its number, which is looked for once. */
void
cfg_group(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct config		*conf = dst;
	const struct group	*gr = NULL;
	const char		*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of a group")) == NULL)
		return;
	if (*s != '\0' && strlen(s) <= 32 && (gr = getgrnam(s)) != NULL) {
		conf->m.group = 1;
		conf->m.gid = gr->gr_gid;
	}
	if (*s == '\0' || strlen(s) > 32 || (c->files && gr == NULL))
		cfg_expected(c, n, "a group of this system");
	else
		cfg_copy(c, &conf->control_group, s);
}

void
cfg_check_admin(struct cfg *c)
{
	const struct ynode	*n = cfg_node(c, "admin.listen");
	struct config		*conf = c->conf;

	fill_socket(c);
	if (conf->admin_token_file != NULL) {
		conf->m.token = 1;
		cfg_secret_file(c, "admin.token_file",
		    conf->admin_token_file, conf->m.token_digest);
	}
	if (n != NULL && conf->admin_listen != NULL && !conf->m.token &&
	    !is_loopback(conf))
		cfg_error(c, n, "expected an address of this host alone, such "
		    "as 127.0.0.1:9464, unless admin.token_file is set");
}

static int
is_loopback(const struct config *conf)
{
	struct sockaddr_in6	 in6;
	struct sockaddr_in	 in4;

	if (conf->admin_addr.ss_family == AF_INET) {
		memcpy(&in4, &conf->admin_addr, sizeof(in4));
		return (ntohl(in4.sin_addr.s_addr) >> 24 == 127);
	}
	memcpy(&in6, &conf->admin_addr, sizeof(in6));
	return (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));
}

/* Beside the pid file, which no two gateways share. */
static void
fill_socket(struct cfg *c)
{
	struct config	*conf = c->conf;
	const char	*pid = conf->pid_file != NULL &&
			    conf->pid_file[0] != '\0' ? conf->pid_file :
			    CFG_PID_FILE;
	char		 path[CFG_FILE_MAX + 8];
	size_t		 len = strlen(pid);

	conf->control_set = conf->control_socket != NULL;
	if (conf->control_set)
		return;
	if (len > 4 && strcmp(pid + len - 4, ".pid") == 0)
		len -= 4;
	(void)snprintf(path, sizeof(path), "%.*s.sock", (int)len, pid);
	/* one that has no room for it has no socket unless it is named */
	cfg_copy(c, &conf->control_socket, strlen(path) > SOCKET_MAX ? "" :
	    path);
}
