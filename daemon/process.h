/*
 * The master's children: starting them, their channels, their deaths.  What
 * their messages mean is master.c's affair.
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <sys/queue.h>
#include <sys/types.h>

#include <event2/event.h>
#include <stdint.h>

#include "common/imsg.h"
#include "common/proto.h"
#include "daemon/chance.h"
#include "daemon/slots.h"

struct process {
	TAILQ_ENTRY(process) link;
	enum proto_role	 role;
	uint32_t	 instance;
	uint32_t	 generation;	/* of a worker; 0 for the others */
	pid_t		 pid;
	struct channel	*channel;	/* NULL once it is dead or dying */
	struct slot	*slot;		/* of its numbers */
	uint64_t	 started;	/* CLOCK_MONOTONIC ms */
	int		 acked;		/* said hello */
	int		 ready;
	int		 draining;	/* was told to */
	int		 drained;	/* says it no longer accepts */
	int		 expected;	/* its death is our doing */
	/* how often its writes to the audit log failed, which can be written */
	int		 wants_go;	/* waits to be told so */
	unsigned	 lies;
	uint64_t	 lies_since;	/* ms */
	/* supervise.c's: what it asks for again */
	int		 wants_audit;
	int		 wants_peer[ROLE_MAX];
	/* liveness.c's, in seconds */
	int		 pinged;	/* a question is open */
	unsigned	 waited;	/* since when, or not yet started */
	unsigned	 silent;	/* of them, when it could answer */
	unsigned	 undrained;	/* the same, since told to drain */
	struct chance	 chance;
	unsigned	 dying;		/* since its channel was closed */
	/* how much it may log: a child that was taken over must not fill
	 * the disk of the system's log */
	uint64_t	 log_since;	/* ms; start of the current second */
	unsigned	 log_lines;	/* in it */
	unsigned	 log_dropped;
};

TAILQ_HEAD(process_list, process);

/* The pairs by which the log knows one. */
#define PROCESS_KV(p)							\
	KV("child", proto_role_name((p)->role)),			\
	KV_IF((p)->role == ROLE_WORKER, "worker", (p)->instance),	\
	KV_IF((p)->role == ROLE_WORKER, "generation", (p)->generation),	\
	KV("pid", (p)->pid)

/* Every message that proto_check() let through. */
typedef void (*process_message_cb)(struct process *, struct imsg *);
/* It was reaped; freed after the call.  status is waitpid(2)'s. */
typedef void (*process_gone_cb)(struct process *, int status);

/*
 * Once, at start-up: open the children's executables, so that an upgrade of
 * the files never mixes two versions.  self: the master's own path.  0, or
 * -1 (logged).
 */
int	process_setup(struct event_base *, const char *self,
	    const struct proto_hello *, process_message_cb, process_gone_cb);
/* Start one and say hello.  NULL (logged) when it could not be. */
struct process *process_start(enum proto_role, uint32_t instance,
	    uint32_t generation);
/* It broke a rule: log why, kill, forget its channel. */
void	process_broke(struct process *, const char *what, const char *why);
/* End it without ceremony; its death is expected. */
void	process_kill(struct process *);
/* RLIMIT_NOFILE was raised: raise it for the fetcher and the keeper, too,
 * which live on. */
void	process_raise_nofile(void);
/* What they may log from now on, LOG_ERR to LOG_DEBUG. */
void	process_log_level(int);
/* On SIGCHLD: reap whatever died, ours or (as PID 1) anybody's. */
void	process_reap(void);
struct process_list *process_all(void);
/* May it log another line now?  1, or 0: counted as dropped. */
int	process_may_log(struct process *);
/* Log how many lines were dropped, when the second is over in which they
 * were; once a second. */
void	process_tell_dropped(struct process *);
/* "worker 0 (g3)"; static storage. */
const char *process_name(const struct process *);

#endif
