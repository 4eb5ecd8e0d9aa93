/*
 * What the board says of processes, generations and the configuration, for
 * the monitor to tell.
 */
#ifndef DAEMON_BOARD_H
#define DAEMON_BOARD_H

#include "daemon/generation.h"
#include "daemon/process.h"

/* Once: what does not change. */
void	board_setup(const char *config_path);
/* Number the upstreams and servers of a configuration, so that what is counted
 * of one name stays together in every generation.  Before it is packed. */
void	board_number(struct config *);
/* A process or a generation has changed. */
void	board_refresh(void);
/* This configuration serves from now on. */
void	board_serving(const struct generation *);
/* A reload has ended; error NULL: it took effect. */
void	board_reloaded(const char *error);
void	board_draining(int);
void	board_log_level(int);
void	board_audit(int broken, int64_t size);

#endif
