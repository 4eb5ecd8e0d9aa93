/*
 * Children: fork and exec, channels, waitpid.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "daemon/process.h"

#define LOG_LINES_MAX	500	/* of one child, in a period */
#define LOG_PERIOD_MS	1000

static struct event_base	*base;
static struct proto_hello	 hello;
static process_message_cb	 on_message;
static process_gone_cb		 on_gone;
static struct process_list	 all = TAILQ_HEAD_INITIALIZER(all);
static int			 exe[ROLE_MAX];

static const char *const exe_name[ROLE_MAX] = {
	[ROLE_FETCHER] = "fetcher",
	[ROLE_KEEPER] = "keeper",
	[ROLE_WORKER] = "worker",
	[ROLE_MONITOR] = "monitor"
};

struct spawn {
	const char	*name;
	int		 exe;
	int		 fd;
	pid_t		 pid;
};

static int	 exe_open(const char *, const char *);
static void	 start_failed(enum proto_role);
static pid_t	 spawn(enum proto_role, int);
static void	*spawn_thread(void *);
static void	 spawn_child(const struct spawn *) __attribute__((noreturn));
static void	 process_message(struct channel *, struct imsg *, void *);
static struct process *process_find(pid_t);
static void	 process_died(pid_t, int);
static void	 tell_dropped(struct process *);

int
process_setup(struct event_base *b, const char *self,
    const struct proto_hello *h, process_message_cb message,
    process_gone_cb gone)
{
	int	 role;

	base = b;
	hello = *h;
	on_message = message;
	on_gone = gone;
	for (role = 0; role < ROLE_MAX; role++) {
		exe[role] = -1;
		if (exe_name[role] != NULL &&
		    (exe[role] = exe_open(self, exe_name[role])) == -1)
			return (-1);
	}
	return (0);
}

/*
 * Installed, the children are in LIBEXECDIR; in the build tree, beside us:
 * build/daemon/mcpgw finds build/worker/worker.
 */
static int
exe_open(const char *self, const char *name)
{
	char		 path[PATH_MAX];
	const char	*slash = strrchr(self, '/');
	int		 fd, n;

	if (slash != NULL && slash - self >= 7 &&
	    strncmp(slash - 7, "/daemon", 7) == 0)
		n = snprintf(path, sizeof(path), "%.*s/../%s/%s",
		    (int)(slash - self), self, name, name);
	else
		n = snprintf(path, sizeof(path), "%s/%s", LIBEXECDIR, name);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		log_errx("daemon.program_missing",
		    LOG_KV(KV("program", name)), "path of %s is too long",
		    name);
		return (-1);
	}
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		log_err("daemon.program_missing", LOG_KV(KV("program", name),
		    KV("file", path)), "%s", path);
	return (fd);
}

struct process *
process_start(enum proto_role role, uint32_t instance, uint32_t generation)
{
	struct proto_hello	 h = hello;
	struct process		*p;
	int			 sv[2];

	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->slot = slots_new()) == NULL || imsg_pair(sv) == -1) {
		start_failed(role);
		if (p != NULL && p->slot != NULL)
			slots_end(p->slot);
		free(p);
		return (NULL);
	}
	p->role = role;
	p->instance = instance;
	p->generation = generation;
	p->started = mono_ms();
	p->pid = spawn(role, sv[1]);
	close(sv[1]);
	if (p->pid == -1) {
		start_failed(role);
		close(sv[0]);
		slots_end(p->slot);
		free(p);
		return (NULL);
	}
	TAILQ_INSERT_TAIL(&all, p, link);
	if ((p->channel = channel_new(base, sv[0], process_message, p)) ==
	    NULL)
		fatalx("channel_new");
	h.role = role;
	h.instance = instance;
	h.generation = generation;
	proto_send_hello(p->channel, &h);
	proto_send_fd(p->channel, MSG_STATS, slots_take_fd(p->slot));
	log_debug("child.started", LOG_KV(PROCESS_KV(p)),
	    "%s (pid %d) started", process_name(p), (int)p->pid);
	return (p);
}

static void
start_failed(enum proto_role role)
{
	log_err("child.start_failed", LOG_KV(KV("child", exe_name[role])),
	    "cannot start a %s", exe_name[role]);
}

/*
 * A new process has the name of the thread that forked it until it execs.
 * The fork is a thread's, so that there is never a second process called
 * mcpgw for `kill -HUP "$(pgrep mcpgw)"` to find.
 */
static pid_t
spawn(enum proto_role role, int fd)
{
	struct spawn	 s = { exe_name[role], exe[role], fd, -1 };
	pthread_t	 t;
	sigset_t	 none, old;
	int		 error;

	/* from fork to exec no signal is for the child */
	sigfillset(&none);
	sigprocmask(SIG_BLOCK, &none, &old);
	error = pthread_create(&t, NULL, spawn_thread, &s);
	if (error == 0)
		pthread_join(t, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		errno = error;
	return (s.pid);
}

static void *
spawn_thread(void *arg)
{
	struct spawn	*s = arg;

	prctl(PR_SET_NAME, s->name);
	if ((s->pid = fork()) == 0)
		spawn_child(s);
	return (NULL);
}

/* Between fork and exec; descriptors other than these are close-on-exec. */
static void
spawn_child(const struct spawn *s)
{
	/* long enough for the title that the child will put there */
	char	 title[] = "child, not yet told what it is to be     ";
	char	*argv[] = { title, NULL };
	char	*envp[] = { NULL, NULL, NULL };

#ifdef SANITIZE
	char	*v;
	int	 n = 0;

	if ((v = getenv("ASAN_OPTIONS")) != NULL)
		envp[n++] = v - strlen("ASAN_OPTIONS=");
	if ((v = getenv("UBSAN_OPTIONS")) != NULL)
		envp[n++] = v - strlen("UBSAN_OPTIONS=");
#else
	int	 null;

	/* our standard error is our log: a child that was taken over could
	 * write lines of ours there (the sanitizers report nowhere else) */
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 ||
	    dup2(null, STDERR_FILENO) == -1)
		_exit(127);
#endif
	if (s->fd == PROTO_CHANNEL_FD) {
		if (fcntl(s->fd, F_SETFD, 0) == -1)
			_exit(127);
	} else if (dup2(s->fd, PROTO_CHANNEL_FD) == -1)
		_exit(127);
	fexecve(s->exe, argv, envp);
	_exit(127);
}

static void
process_message(struct channel *ch, struct imsg *m, void *arg)
{
	struct process	*p = arg;
	const char	*why;

	if (m == NULL) {
		/* its death is told by waitpid; a closed channel alone means
		 * that it must not live on */
		p->channel = NULL;
		channel_free(ch);
		if (!p->expected && !p->draining)
			kill(p->pid, SIGKILL);
		return;
	}
	if (m->lost) {
		if (process_may_log(p))
			log_warnx("child.descriptor_lost", LOG_KV(
			    PROCESS_KV(p), KV("message", proto_name(m->type))),
			    "%s: %s: no descriptor was free, it is lost",
			    process_name(p), proto_name(m->type));
		return;
	}
	if (proto_check(p->role, ROLE_MASTER, m, &why) == -1) {
		process_broke(p, proto_name(m->type), why);
		return;
	}
	if (!p->acked && m->type != MSG_HELLO_ACK && m->type != MSG_LOG) {
		process_broke(p, proto_name(m->type), "before hello");
		return;
	}
	on_message(p, m);
}

void
process_broke(struct process *p, const char *what, const char *why)
{
	log_warnx("child.broke_protocol", LOG_KV(PROCESS_KV(p),
	    KV("message", what), KV("reason", why)),
	    "%s broke the protocol: %s: %s; killed", process_name(p), what,
	    why);
	stats_inc(STATS_PROTOCOL_ERRORS);
	channel_free(p->channel);
	p->channel = NULL;
	kill(p->pid, SIGKILL);
}

void
process_kill(struct process *p)
{
	p->expected = 1;
	channel_free(p->channel);
	p->channel = NULL;
	kill(p->pid, SIGKILL);
}

void
process_raise_nofile(void)
{
	struct process	*p;
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	TAILQ_FOREACH(p, &all, link)
		if (p->role != ROLE_WORKER && prlimit(p->pid, RLIMIT_NOFILE,
		    &rl, NULL) == -1)
			log_warn("child.limit_failed", LOG_KV(PROCESS_KV(p)),
			    "%s: RLIMIT_NOFILE", process_name(p));
}

void
process_log_level(int pri)
{
	struct process	*p;

	hello.level = (uint8_t)pri;
	TAILQ_FOREACH(p, &all, link)
		if (p->channel != NULL)
			proto_send_log_level(p->channel, pri);
}

void
process_reap(void)
{
	struct process	*p;
	siginfo_t	 si;
	int		 status;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == -1 ||
		    si.si_pid == 0)
			return;
		/* its last words, while its pid is nobody else's */
		if ((p = process_find(si.si_pid)) != NULL)
			channel_drain(p->channel);
		if (waitpid(si.si_pid, &status, 0) == si.si_pid)
			process_died(si.si_pid, status);
	}
}

static struct process *
process_find(pid_t pid)
{
	struct process	*p;

	TAILQ_FOREACH(p, &all, link)
		if (p->pid == pid)
			break;
	return (p);
}

static void
process_died(pid_t pid, int status)
{
	struct process	*p = process_find(pid);

	if (p == NULL)
		return;		/* inherited, as PID 1 */
	if (p->log_dropped > 0)
		tell_dropped(p);
	if (WIFSIGNALED(status) && !p->expected)
		log_warnx("child.exited", LOG_KV(PROCESS_KV(p),
		    KV("signal", WTERMSIG(status))),
		    "%s (pid %d) terminated by signal %d (%s)",
		    process_name(p), (int)pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WIFEXITED(status) && (WEXITSTATUS(status) != 0 ||
	    (!p->draining && !p->expected)))
		log_warnx("child.exited", LOG_KV(PROCESS_KV(p),
		    KV("status", WEXITSTATUS(status))),
		    "%s (pid %d) exited with status %d",
		    process_name(p), (int)pid, WEXITSTATUS(status));
	TAILQ_REMOVE(&all, p, link);
	channel_free(p->channel);
	p->channel = NULL;
	slots_end(p->slot);
	p->slot = NULL;
	on_gone(p, status);
	free(p);
}

int
process_may_log(struct process *p)
{
	process_tell_dropped(p);
	if (p->log_lines < LOG_LINES_MAX) {
		p->log_lines++;
		return (1);
	}
	p->log_dropped++;
	stats_inc(STATS_LOG_DROPPED);
	return (0);
}

void
process_tell_dropped(struct process *p)
{
	uint64_t	 now = mono_ms();

	if (now - p->log_since < LOG_PERIOD_MS)
		return;
	p->log_since = now;
	p->log_lines = 0;
	if (p->log_dropped > 0)
		tell_dropped(p);
}

static void
tell_dropped(struct process *p)
{
	log_warnx("child.log_dropped", LOG_KV(PROCESS_KV(p),
	    KV("lines", p->log_dropped)), "%s: %u lines of its log were "
	    "dropped", process_name(p), p->log_dropped);
	p->log_dropped = 0;
}

struct process_list *
process_all(void)
{
	return (&all);
}

const char *
process_name(const struct process *p)
{
	static char	 name[48];

	if (p->role == ROLE_WORKER)
		snprintf(name, sizeof(name), "worker %u (g%u)", p->instance,
		    p->generation);
	else
		snprintf(name, sizeof(name), "%s", exe_name[p->role]);
	return (name);
}

