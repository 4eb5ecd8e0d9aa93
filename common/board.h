/*
 * What the master tells about itself, its children and its configuration: one
 * page of shared memory that it alone writes and the monitor reads.  A reader
 * copies what it needs and looks at turn before and after: odd, or not the
 * same, and it was being written.
 */
#ifndef COMMON_BOARD_H
#define COMMON_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/stats.h"

#define BOARD_PROCESSES		2560	/* as many as can be alive */
#define BOARD_GENERATIONS	24
#define BOARD_PATH_MAX		256
#define BOARD_TEXT_MAX		1024

enum board_state {
	BOARD_STARTING, BOARD_READY, BOARD_DRAINING, BOARD_DRAINED,
	BOARD_STATES
};

struct board_process {
	uint32_t	 role;		/* enum proto_role */
	uint32_t	 instance;
	uint32_t	 generation;
	uint32_t	 pid;
	uint32_t	 slot;		/* number of its slot */
	uint32_t	 state;		/* enum board_state */
	int64_t		 started;	/* ms since the epoch, like all here */
};

struct board_generation {
	uint32_t	 id;
	uint32_t	 state;		/* enum gen_state of daemon/ */
	uint32_t	 workers;	/* alive, and of those: */
	uint32_t	 ready;
	uint32_t	 drained;
	int64_t		 since;
};

struct board_upstream {
	char		 name[STATS_NAME_MAX];
};

struct board_server {
	uint32_t	 upstream;	/* number of its upstream */
	uint32_t	 serving;	/* the serving generation has it */
	char		 url[STATS_URL_MAX];	/* scheme and authority */
};

struct board {
	_Atomic uint32_t turn;
	uint32_t	 version;	/* STATS_VERSION */
	int64_t		 started;
	uint32_t	 pid;
	uint32_t	 serving;	/* generation; 0: none yet */
	uint32_t	 log_level;	/* of syslog */
	uint32_t	 draining;	/* /readyz says 503, as asked for */
	uint32_t	 audit_broken;
	int64_t		 audit_size;	/* bytes of the file, when looked at */
	char		 audit_path[BOARD_PATH_MAX];
	char		 config_path[BOARD_PATH_MAX];
	char		 config_digest[65];	/* SHA-256, of the one that
						 * serves */
	int64_t		 config_loaded;
	int64_t		 reload_at;	/* of the last reload; 0: none */
	char		 reload_error[BOARD_TEXT_MAX];	/* its first; or "" */
	uint32_t	 telemetry;	/* spans are exported */
	uint32_t	 ngenerations;
	uint32_t	 nprocesses;
	uint32_t	 nupstreams;	/* ever numbered */
	uint32_t	 nservers;
	uint32_t	 nlive;
	uint32_t	 live[BOARD_PROCESSES];	/* slots that count */
	struct board_generation generations[BOARD_GENERATIONS];
	struct board_process processes[BOARD_PROCESSES];
	struct board_upstream upstreams[STATS_UPSTREAMS];
	struct board_server servers[STATS_SERVERS];
	/* all slots of processes that have ended */
	struct stats_slot past;
};

#endif
