/*
 * Numbers that every process keeps of itself, for the monitor to serve.  Each
 * has one slot in shared memory, which it alone writes and in which nothing is
 * locked: a counter is a plain load, add and store.  The master adds the slot
 * of a process that has ended to the past, so that nothing counts backwards.
 *
 * Numbers and bounded names only.  Whoever reads takes nothing in a slot for
 * true, since its writer may have been taken over: every index is checked and
 * every name is cut.
 */
#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_VERSION		1

/* Rows of tables; the last one that is written stands for all others. */
#define STATS_REQUESTS		1024
#define STATS_OPS		512
#define STATS_NAMES		128
#define STATS_NAME_MAX		64	/* with its NUL */
#define STATS_UPSTREAMS		1024	/* names that the master has numbered */
#define STATS_SERVERS		1024
#define STATS_URL_MAX		160	/* with its NUL */
#define STATS_REASONS		96	/* refusals (common/refusal_id.h) */
#define STATS_OTHER		0xffffU	/* of an upstream or server: surplus */
#define STATS_NO_UPSTREAM	0xfffeU

/* Upper bounds in milliseconds, of the OpenTelemetry conventions for MCP; the
 * last is infinity. */
#define STATS_BUCKETS		15
extern const uint32_t stats_bounds_ms[STATS_BUCKETS - 1];
/* The same for the gateway's own share and for the keeper, in microseconds. */
extern const uint32_t stats_bounds_us[STATS_BUCKETS - 1];

/* Counters without labels: stats.c has a row for each. */
enum stats_counter {
	/* clients */
	STATS_CONNECTIONS,	/* accepted */
	STATS_HANDED_OVER,	/* taken from an older generation */
	STATS_TLS_HANDSHAKES,
	STATS_TLS_RESUMED,
	STATS_TLS_FAILED,
	STATS_STREAMS,		/* event streams begun */
	STATS_BYTES_IN,		/* of bodies */
	STATS_BYTES_OUT,
	STATS_SESSIONS,		/* opened by an upstream */
	STATS_SESSIONS_REFUSED,	/* not known, or another's */
	STATS_LINES_SUPPRESSED,	/* requests of strangers without a line */
	/* credentials */
	STATS_TOKENS_CACHED,	/* judged before */
	STATS_TOKENS_JUDGED,
	STATS_TOKENS_WAITED,	/* for a key set */
	STATS_KEYS_CACHED,
	STATS_KEYS_ASKED,	/* of the keeper */
	/* upstreams */
	STATS_UP_CONNECTIONS,	/* opened */
	STATS_UP_REUSED,
	STATS_UP_FAILED,	/* could not be opened */
	STATS_UP_RETRIED,	/* sent again */
	/* the record */
	STATS_AUDIT_LINES,
	STATS_AUDIT_BYTES,
	STATS_AUDIT_FAILURES,
	STATS_AUDIT_LOST,	/* lines that could not be kept */
	STATS_SPANS,		/* made */
	STATS_SPANS_DROPPED,	/* by a worker: the fetcher did not keep up */
	/* the fetcher */
	STATS_JWKS_REFRESHES,
	STATS_JWKS_FAILURES,
	STATS_SPANS_EXPORTED,
	STATS_SPANS_REJECTED,	/* by the receiver */
	STATS_SPANS_LOST,	/* the receiver did not take them */
	STATS_EXPORTS,
	STATS_EXPORTS_FAILED,
	/* the keeper */
	STATS_CHECKS,
	STATS_CHECKS_BUSY,
	STATS_SIGNATURES,
	/* the master */
	STATS_RESPAWNS,
	STATS_RELOADS,
	STATS_RELOADS_REJECTED,
	STATS_PROTOCOL_ERRORS,	/* children that broke the protocol */
	STATS_LOG_DROPPED,	/* lines of children */
	STATS_COUNTERS
};

/* What is now, not since the start: of no use once the process has ended. */
enum stats_gauge {
	STATS_G_CONNECTIONS,	/* of clients, open */
	STATS_G_STREAMS,
	STATS_G_IN_FLIGHT,	/* requests */
	STATS_G_BUFFERED,	/* bytes, as limits.buffered counts them */
	STATS_G_UP_CONNECTIONS,
	STATS_G_TOKENS,		/* in the cache */
	STATS_G_AUDIT_KEPT,	/* lines that wait to be written */
	STATS_G_SPANS_QUEUED,	/* in the fetcher */
	STATS_G_KEEPER_QUEUED,
	STATS_GAUGES
};

struct stats_text {		/* of a row of the tables in stats.c */
	const char	*name;	/* of the metric, without mcpgw_ and _total */
	const char	*help;
};
extern const struct stats_text stats_counter_text[STATS_COUNTERS];
extern const struct stats_text stats_gauge_text[STATS_GAUGES];

typedef _Atomic uint64_t stats_number;

struct stats_hist {
	stats_number	 n;
	stats_number	 sum_us;
	stats_number	 bucket[STATS_BUCKETS];	/* each its own, not added up */
};

/* What a request is counted under.  Packed into one number, never 0. */
struct stats_key {
	uint16_t	 upstream;	/* the master's number */
	uint8_t		 method;	/* of common/mcp_methods.h */
	uint8_t		 action;	/* enum audit_action */
	uint8_t		 auth;		/* enum auth_result + 1; 0: none */
	uint8_t		 revision;	/* index in conf_revisions + 1; 0 */
};

struct stats_request {
	stats_number	 key;		/* 0: free */
	stats_number	 n;
};

/* error.type: 0 none; or one of these, or a status or code (stats_error). */
#define STATS_ERROR_TOOL	1U	/* "tool_error": isError is true */
#define STATS_ERROR_OTHER	2U	/* "_OTHER" */
#define STATS_ERROR_CANCELLED	3U	/* who asked left */
#define STATS_ERROR_UNREACHABLE	4U	/* of an upstream */
#define STATS_ERROR_TIMEOUT	5U
#define STATS_ERROR_MALFORMED	6U
#define STATS_ERROR_CROWDED	7U
#define STATS_ERROR_HTTP	0x4000U	/* + a status of HTTP */
#define STATS_ERROR_RPC		0x8000U	/* + 0 to 0x7fff: -32768 - -code */

struct stats_op {
	stats_number	 key;	/* 0: free; upstream, method, error */
	stats_number	 errors;	/* not refused for who asked */
	stats_number	 bytes_in;	/* of requests' bodies */
	stats_number	 bytes_out;	/* of answers' */
	struct stats_hist time;
};

/* A tool or a client, as often as it was met. */
struct stats_name {
	_Atomic uint32_t set;		/* the name stands */
	uint32_t	 upstream;	/* of a tool */
	char		 name[STATS_NAME_MAX];
	stats_number	 errors;	/* in the same way; */
	stats_number	 denied;	/* and what was */
	stats_number	 bytes_in;
	stats_number	 bytes_out;
	struct stats_hist time;
};

/* One server of an upstream, by the master's number. */
struct stats_server {
	stats_number	 requests;	/* that it was to serve */
	stats_number	 failures;	/* those that it gave no answer to */
	stats_number	 connections;	/* gauges */
	stats_number	 in_flight;
	stats_number	 down;		/* 1: is not tried */
};

struct stats_reason {
	stats_number	 n;
	stats_number	 last;		/* ms since the epoch */
};

/* What the fetcher says of key sets. */
#define STATS_JWKS		8	/* generations */
#define STATS_JWKS_KEYS		64
#define STATS_JWKS_SKIPPED	16

struct stats_jwk {
	char		 kid[STATS_NAME_MAX];
	char		 kty[8];
	char		 alg[16];
	char		 use[8];
};

struct stats_skipped {
	char		 kid[STATS_NAME_MAX];
	char		 why[STATS_NAME_MAX];
};

struct stats_jwks {
	uint32_t	 generation;	/* 0: free */
	uint32_t	 nkeys;		/* there may be more than are listed */
	uint32_t	 nskipped;
	uint32_t	 failing;	/* attempts since the last good one */
	char		 issuer[STATS_URL_MAX];
	char		 url[STATS_URL_MAX];
	int64_t		 fetched;	/* ms since the epoch; 0: never */
	int64_t		 next;		/* the same: when it is due */
	char		 error[STATS_URL_MAX];	/* the last one, or "" */
	struct stats_jwk keys[STATS_JWKS_KEYS];
	struct stats_skipped skipped[STATS_JWKS_SKIPPED];
};

struct stats_slot {
	uint32_t	 version;
	uint32_t	 role;
	stats_number	 n[STATS_COUNTERS];
	stats_number	 g[STATS_GAUGES];
	struct stats_request requests[STATS_REQUESTS];
	struct stats_op	 server[STATS_OPS];	/* requests of clients */
	struct stats_op	 client[STATS_OPS];	/* exchanges with upstreams */
	struct stats_hist own;		/* of a request, in the gateway */
	struct stats_hist keeper;	/* until the keeper's verdict */
	stats_number	 audit_since;	/* ms since the epoch, when the first
					 * line was made that waits; 0 */
	struct stats_name tools[STATS_NAMES];
	struct stats_name clients[STATS_NAMES];
	struct stats_server servers[STATS_SERVERS];
	stats_number	 sessions[STATS_UPSTREAMS];	/* opened */
	struct stats_reason reasons[STATS_REASONS];
	/* the fetcher's: what is wrong with exporting, now; or "" */
	char		 export_error[STATS_URL_MAX];
	/* odd while it is being written */
	_Atomic uint32_t jwks_turn;
	struct stats_jwks jwks[STATS_JWKS];
};

/* Ours; before stats_attach() one that nobody sees. */
extern struct stats_slot *stats;

static inline void
stats_bump(stats_number *p, uint64_t n)
{
	atomic_store_explicit(p, atomic_load_explicit(p,
	    memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
stats_get(const stats_number *p)
{
	return (atomic_load_explicit(p, memory_order_relaxed));
}

static inline void
stats_inc(enum stats_counter c)
{
	stats_bump(&stats->n[c], 1);
}

static inline void
stats_add(enum stats_counter c, uint64_t n)
{
	stats_bump(&stats->n[c], n);
}

static inline void
stats_gauge_set(enum stats_gauge g, uint64_t v)
{
	atomic_store_explicit(&stats->g[g], v, memory_order_relaxed);
}

static inline void
stats_gauge_inc(enum stats_gauge g)
{
	stats_bump(&stats->g[g], 1);
}

static inline void
stats_gauge_dec(enum stats_gauge g)
{
	stats_bump(&stats->g[g], UINT64_MAX);
}

static inline void
stats_session(unsigned upstream)
{
	stats_inc(STATS_SESSIONS);
	if (upstream < STATS_UPSTREAMS)
		stats_bump(&stats->sessions[upstream], 1);
}

/* A time, in one of the two sets of bounds. */
void	stats_time_ms(struct stats_hist *, uint64_t us);
void	stats_time_us(struct stats_hist *, uint64_t us);

/* A row for counting, found or begun; the table's last one, with a key whose
 * parts are all "other", when it is full.  Of the codes that an upstream
 * answers with, only so many have a row each; the rest is its "_OTHER". */
void	stats_count_request(const struct stats_key *);
struct stats_op *stats_op(struct stats_op[STATS_OPS], unsigned upstream,
	    unsigned method, unsigned error);
/* Unless it is there, or (add) there is room for it, it counts with the others.
 * Names are cut, and end at a NUL. */
struct stats_name *stats_name(struct stats_name[STATS_NAMES],
	    unsigned upstream, const char *name, size_t len, int add);
/* error.type of a JSON-RPC error code, of a status of HTTP. */
unsigned stats_error_rpc(int64_t code);
unsigned stats_error_http(int status);
/* Its text: "", "tool_error", "timeout", "-32602", "503"; "_OTHER" of numbers
 * that are none. */
const char *stats_error_text(unsigned, char buf[16]);

/* For readers: the parts of keys, which may be beyond what they count.  0, or
 * -1: the row is free. */
int	stats_key_get(uint64_t, struct stats_key *);
int	stats_op_get(uint64_t, unsigned *upstream, unsigned *method,
	    unsigned *error);

/* Add all that counts, not what is only now, of one slot to another that is
 * ours alone. */
void	stats_merge(struct stats_slot *into, const struct stats_slot *);

/* Ours from now on: what was counted before is added. */
void	stats_attach(struct stats_slot *);

#endif
