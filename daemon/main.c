/*
 * mcpgw: reads its arguments and its configuration, opens what needs
 * privileges, and becomes the master of its children.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bsd/libutil.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "config/config.h"
#include "daemon/inherit.h"
#include "daemon/listen.h"
#include "daemon/logging.h"
#include "daemon/master.h"
#include "daemon/notify.h"
#include "daemon/preflight.h"
#include "daemon/process.h"

#define EXIT_CONFIG	78	/* EX_CONFIG */
#define CONFIG_PATH	SYSCONFDIR "/mcpgw/mcpgw.yaml"
#define CHROOT_DIR	LOCALSTATEDIR "/empty/mcpgw"

static int	 verdict_fd = -1;	/* to the process that daemonised */
static int	 tty_fd = -1;		/* standard error, until we serve */

static void	 usage(void) __attribute__((noreturn));
static int	 check_only(const char *, const struct config *);
static int	 find_user(const struct config *, struct proto_hello *);
static int	 make_chroot(const char *);
static int	 own_path(char *, size_t);
static char	*absolute(const char *);
static int	 give_up(struct config *, int);
static void	 daemonise(void);
static void	 tell_verdict(int);
static struct pidfh *pid_file(const char *);
static int	 run(struct master_options *, struct config *);
static void	 on_signal(evutil_socket_t, short, void *);
static void	 guard_stdio(void);
static void	 no_core(void);

int
main(int argc, char *argv[])
{
	struct master_options	 opt;
	struct config		*conf;
	char			 self[PATH_MAX];
	int			 ch, foreground = 0, check = 0, verbose = 0;
	int			 unit;

	inherit_setup();
	guard_stdio();
	no_core();
	memset(&opt, 0, sizeof(opt));
	opt.config_path = CONFIG_PATH;
	while ((ch = getopt(argc, argv, "df:nvV")) != -1) {
		switch (ch) {
		case 'd':
			foreground = 1;
			break;
		case 'f':
			opt.config_path = optarg;
			break;
		case 'n':
			check = 1;
			break;
		case 'v':
			verbose = 1;
			break;
		case 'V':
			printf("mcpgw %s\n", VERSION);
			return (0);
		default:
			usage();
		}
	}
	if (argc != optind)
		usage();
	log_init("master", 1, verbose);
	conf = config_load(opt.config_path, logging_config_error,
	    (void *)(uintptr_t)opt.config_path);
	if (conf == NULL)
		return (EXIT_CONFIG);
	if (check)
		return (give_up(conf, check_only(opt.config_path, conf)));
	notify_setup();
	opt.verbose = verbose;
	logging_apply(conf, verbose);
	opt.hello.version = PROTO_VERSION;
	opt.hello.level = (uint8_t)log_level();
	if ((opt.config_path = absolute(opt.config_path)) == NULL ||
	    own_path(self, sizeof(self)) == -1 ||
	    find_user(conf, &opt.hello) == -1)
		return (give_up(conf, EXIT_CONFIG));
	opt.self = self;
	if (listen_raise_nofile(conf) == -1)
		return (give_up(conf, EXIT_CONFIG));
	if ((opt.listen_fd = listen_open(conf, &unit)) == -1)
		return (give_up(conf, 1));
	opt.listen_kept = notify_keep(unit ? -1 : opt.listen_fd,
	    INHERIT_STORED) || unit;
	umask(027);
	/* PID 1 of a container cannot leave anything behind itself */
	if (!foreground && getpid() != 1)
		daemonise();
	return (run(&opt, conf));
}

static void
usage(void)
{
	fprintf(stderr, "usage: mcpgw [-dnvV] [-f file]\n");
	exit(1);
}

/* Descriptors 0 to 2 must be open: nothing else may get their numbers. */
static void
guard_stdio(void)
{
	int	 fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* It has read keys and secrets. */
static void
no_core(void)
{
	const struct rlimit	 none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("RLIMIT_CORE");
}

/* A path that holds in another directory, too.  Links in it are not followed:
 * whoever swaps one means the next reload to see it.  NULL (logged). */
static char *
absolute(const char *path)
{
	char	 cwd[PATH_MAX], *whole;

	if (path[0] == '/')
		whole = strdup(path);
	else if (getcwd(cwd, sizeof(cwd)) == NULL ||
	    asprintf(&whole, "%s/%s", cwd, path) == -1)
		whole = NULL;
	if (whole == NULL)
		log_err("daemon.start_failed", LOG_KV(KV("file", path)),
		    "%s", path);
	return (whole);
}

static int
own_path(char *path, size_t size)
{
	ssize_t	 n;

	if ((n = readlink("/proc/self/exe", path, size - 1)) == -1) {
		log_err("daemon.start_failed",
		    LOG_KV(KV("file", "/proc/self/exe")), "/proc/self/exe");
		return (-1);
	}
	path[n] = '\0';
	return (0);
}

/* Before the master owns the configuration. */
static int
give_up(struct config *c, int code)
{
	config_free(c);
	return (code);
}

/* The exit code of mcpgw -n. */
static int
check_only(const char *path, const struct config *c)
{
	preflight_warn(c);
	if (preflight_look(c) == -1)
		return (EXIT_CONFIG);
	fprintf(stderr, "%s: configuration OK\n", path);
	return (0);
}

/* Whom the children become.  Not root: they stay who we are. */
static int
find_user(const struct config *c, struct proto_hello *h)
{
	struct passwd	*pw;

	if (geteuid() != 0) {
		log_warnx("daemon.unprivileged", NULL,
		    "not started as root: no chroot, no change of user; "
		    "everything else is the same");
		return (0);
	}
	errno = 0;
	if ((pw = getpwnam(c->user)) == NULL) {
		log_errx("daemon.bad_user", LOG_KV(KV("user", c->user)),
		    "user: expected an existing user, got \"%s\"",
		    c->user);
		return (-1);
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0) {
		log_errx("daemon.bad_user", LOG_KV(KV("user", c->user)),
		    "user: expected an unprivileged user, got \"%s\"",
		    c->user);
		return (-1);
	}
	h->drop = 1;
	h->uid = pw->pw_uid;
	h->gid = pw->pw_gid;
	snprintf(h->chroot_dir, sizeof(h->chroot_dir), "%s", CHROOT_DIR);
	return (make_chroot(h->chroot_dir));
}

/* An empty directory of root's that nobody else can write to. */
static int
make_chroot(const char *dir)
{
	struct stat	 st;
	char		 parent[PATH_MAX];
	char		*slash;

	snprintf(parent, sizeof(parent), "%s", dir);
	for (slash = strchr(parent + 1, '/'); slash != NULL;
	    slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(parent, 0755) == -1 && errno != EEXIST)
			break;
		*slash = '/';
	}
	if (mkdir(dir, 0755) == -1 && errno != EEXIST) {
		log_err("daemon.bad_chroot", LOG_KV(KV("file", dir)), "%s",
		    dir);
		return (-1);
	}
	if (lstat(dir, &st) == -1 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		log_errx("daemon.bad_chroot", LOG_KV(KV("file", dir)),
		    "%s: expected a directory of root's, writable for "
		    "root only", dir);
		return (-1);
	}
	return (0);
}

/*
 * Into the background.  The first process waits for the verdict and exits
 * with it, so that a start that failed is seen where it was asked for.
 */
static void
daemonise(void)
{
	int	 pipefd[2], fd, status = 1;
	pid_t	 pid;
	ssize_t	 n;

	if (pipe2(pipefd, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fatal("daemonise");
	if (pid != 0) {
		close(pipefd[1]);
		do
			n = read(pipefd[0], &status, sizeof(status));
		while (n == -1 && errno == EINTR);
		_exit(n == (ssize_t)sizeof(status) ? status : 1);
	}
	close(pipefd[0]);
	verdict_fd = pipefd[1];
	if (setsid() == -1 || chdir("/") == -1)
		fatal("daemonise");
	if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("/dev/null");
	/* the log stays the terminal's until we serve; no child holds it */
	if ((tty_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) == -1)
		fatal("daemonise");
	log_set_stderr(tty_fd);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void
tell_verdict(int code)
{
	ssize_t	 n;

	if (verdict_fd == -1)
		return;
	log_to_syslog();
	n = write(verdict_fd, &code, sizeof(code));
	(void)n;
	close(verdict_fd);
	verdict_fd = -1;
	close(tty_fd);
	log_set_stderr(STDERR_FILENO);
}

/* NULL (logged) when another instance holds it or it cannot be written. */
static struct pidfh *
pid_file(const char *path)
{
	struct pidfh	*pfh;
	pid_t		 other = 0;

	if ((pfh = pidfile_open(path, 0644, &other)) == NULL) {
		if (errno == EEXIST)
			log_errx("daemon.already_running", LOG_KV(
			    KV("file", path), KV("pid", other)),
			    "%s: already running, pid %d", path, (int)other);
		else
			log_err("daemon.bad_pid_file",
			    LOG_KV(KV("file", path)), "%s", path);
		return (NULL);
	}
	if (pidfile_write(pfh) == -1)
		log_warn("daemon.bad_pid_file", LOG_KV(KV("file", path)),
		    "%s", path);
	return (pfh);
}

static int
run(struct master_options *opt, struct config *conf)
{
	static const int	 signals[] = { SIGHUP, SIGTERM, SIGINT,
				    SIGUSR1, SIGCHLD };
	struct event_base	*base;
	struct event		*ev[5];
	struct pidfh		*pfh = NULL;
	size_t			 i;
	int			 code;

	if (conf->pid_file[0] != '\0' &&
	    (pfh = pid_file(conf->pid_file)) == NULL) {
		tell_verdict(1);
		return (give_up(conf, 1));
	}
	signal(SIGPIPE, SIG_IGN);
	/* a log over RLIMIT_FSIZE is one that cannot be written */
	signal(SIGXFSZ, SIG_IGN);
	if ((base = event_base_new()) == NULL)
		fatalx("event_base_new");
	for (i = 0; i < 5; i++) {
		ev[i] = evsignal_new(base, signals[i], on_signal, NULL);
		if (ev[i] == NULL || event_add(ev[i], NULL) == -1)
			fatalx("evsignal_new");
	}
	opt->started = tell_verdict;
	code = master_run(base, opt, conf);
	tell_verdict(code);
	if (pfh != NULL)
		pidfile_remove(pfh);
	for (i = 0; i < 5; i++)
		event_free(ev[i]);
	if (code == 0)
		log_info("daemon.exit", LOG_KV(KV("status", code)),
		    "exiting with status %d", code);
	else
		log_errx("daemon.exit", LOG_KV(KV("status", code)),
		    "exiting with status %d", code);
	return (code);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	switch (sig) {
	case SIGHUP:
		master_reload();
		break;
	case SIGTERM:
	case SIGINT:
		master_stop();
		break;
	case SIGUSR1:
		master_reopen();
		break;
	case SIGCHLD:
		process_reap();
		break;
	}
}
