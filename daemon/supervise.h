/*
 * Keeping children alive: what each kind needs at its start, back-off when it
 * dies, channels between them, and a limit for those that should be gone.
 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

#include "daemon/generation.h"
#include "daemon/master.h"
#include "daemon/process.h"

void	supervise_setup(struct event_base *);
/* No child is started any more. */
void	supervise_stop(void);

/* The fetcher or the keeper, or NULL while there is none. */
struct process *supervise_service(enum proto_role);
/* Start the keeper, which gets every living generation and a channel to each
 * worker.  NULL (logged). */
struct process *supervise_keeper_start(void);
/* Start the monitor, which gets the doors and all numbers.  NULL (logged). */
struct process *supervise_monitor_start(void);
/* What it should know of the generation that serves: its part, and keys. */
void	supervise_monitor_config(const struct generation *);
void	supervise_monitor_keys(const struct generation *);
/* A slot was begun, or ended. */
void	supervise_monitor_slot(const struct slot *);
void	supervise_monitor_slot_gone(uint32_t number);
/* It said hello: it gets every living generation, what key sets are known,
 * and a channel to each worker. */
void	supervise_fetcher_up(struct process *);
/* Start another fetcher or keeper after a pause. */
void	supervise_service_again(const struct process *dead);
void	supervise_fetch_config(struct process *, struct generation *);
void	supervise_keep_config(struct process *, struct generation *);
/* Nobody needs this generation any more. */
void	supervise_retire(const struct generation *);

/* Start a worker and send it all it needs; NULL (logged). */
struct process *supervise_worker(struct generation *, uint32_t instance,
	    const struct master_options *, int shm_fd);
/* This worker needs another MSG_AUDIT_FD, or MSG_PEER of this role: it gets
 * that soon, unless it got one meanwhile. */
void	supervise_wanted(struct process *, enum proto_type, enum proto_role);
/* Start another in the dead one's place after a pause. */
void	supervise_worker_again(const struct process *dead,
	    struct generation *, const struct master_options *, int shm_fd);
/* It should be gone after ms; a little later it is killed. */
void	supervise_drain_limit(struct process *, uint64_t ms);
void	supervise_forget(const struct process *);

#endif
