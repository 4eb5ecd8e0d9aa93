/*
 * The heart of the master: generations of workers, their fetcher, reload and
 * the end.  One configuration is one generation.
 */
#ifndef DAEMON_MASTER_H
#define DAEMON_MASTER_H

#include <event2/event.h>

#include "common/proto.h"
#include "config/config.h"

struct master_options {
	const char	*config_path;
	const char	*self;		/* path of our executable */
	struct proto_hello hello;	/* ids, chroot, level of the log */
	int		 verbose;	/* debug, whatever log.level says */
	int		 listen_fd;	/* taken over */
	int		 listen_kept;	/* for the next master, by ours */
	/* serving (0), or the exit code when the start failed; called once */
	void		(*started)(int);
};

/* Start with a configuration (taken over).  Returns when the daemon is to
 * end, with its exit code: 0, 1, or 78 (EX_CONFIG). */
int	master_run(struct event_base *, const struct master_options *,
	    struct config *);

/* From signals. */
void	master_reload(void);
void	master_stop(void);
void	master_reopen(void);

/* From an operator: what all processes log from now on, LOG_ERR to LOG_DEBUG;
 * until the next reload. */
void	master_log_level(int pri);

#endif
