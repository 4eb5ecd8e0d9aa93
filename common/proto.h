/*
 * The catalogue of messages: every message, who sends it to whom, how large
 * it may be and whether it carries a descriptor.  proto_check() is called
 * on every message before its contents are looked at; a message from anyone
 * else, in the wrong size or without its descriptor is a broken rule and
 * kills its sender.
 *
 * What travels in a body is packed and unpacked side by side in proto.c.
 */
#ifndef COMMON_PROTO_H
#define COMMON_PROTO_H

#include <sys/types.h>

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#include "common/imsg.h"
#include "common/log_record.h"

#define PROTO_VERSION		1
#define PROTO_CHANNEL_FD	3	/* where a child finds its channel */

enum proto_role {
	ROLE_MASTER,
	ROLE_FETCHER,
	ROLE_KEEPER,
	ROLE_WORKER,
	ROLE_MONITOR,
	ROLE_MAX
};

/* Why a worker is to leave. */
enum proto_drain {
	DRAIN_STOP,		/* the daemon stops */
	DRAIN_HANDOVER,		/* a newer generation serves: hand idle
				 * connections over */
	DRAIN_KEPT		/* the daemon stops, and somebody keeps the
				 * listen socket for the next one */
};

enum proto_type {
	/* master to any child, first message; struct proto_hello */
	MSG_HELLO = 1,
	/* child to master: u32 PROTO_VERSION, its answer to MSG_HELLO */
	MSG_HELLO_ACK,
	/* child to master: u8 syslog priority, LOG_CRIT to LOG_DEBUG, u8 cut,
	 * str event, str text, u8 count, count times (str key, u8 number, str
	 * value); struct log_record, and nothing that is not one */
	MSG_LOG,
	/* child to master: empty; set up, sandboxed, and config understood.
	 * From a worker: it will serve as soon as it gets MSG_START. */
	MSG_READY,

	/* master to fetcher: u32 generation; fd: struct fetcher_conf */
	MSG_FETCH_CONFIG,
	/* fetcher to master: u32 generation, u8 ok, str reason.  The key set
	 * of that generation is there (or needs none), or why it is not. */
	MSG_PRIMED,
	/* master to fetcher and keeper: u32 generation; nobody needs it any
	 * more */
	MSG_RETIRE,
	/* master to fetcher and keeper: u32 generation, u32 worker id; fd:
	 * channel to that worker.  master to worker: u32 role, u32 0; fd: its
	 * channel to the fetcher or keeper (again when a new one replaces a
	 * dead one). */
	MSG_PEER,
	/* fetcher to master and to workers: u32 generation; fd: packed key set
	 * (common/jwk.h).  master to fetcher: the last good set of a
	 * generation, from before a crash of the fetcher.  master to monitor:
	 * that of the generation that serves. */
	MSG_KEYS,
	/* worker to fetcher: empty; a kid is unknown, please fetch */
	MSG_KEYS_WANTED,
	/* worker to fetcher: struct span_tree of common/span.h, to be sent to
	 * whoever collects traces */
	MSG_SPAN,
	/* fetcher to worker: u8 ok, u64 CLOCK_MONOTONIC ms at which the fetch
	 * began; after its MSG_KEYS where the set changed */
	MSG_FETCH_DONE,
	/* fetcher to worker: u32 index of the server (servers of all
	 * upstreams, one after the other), u8 count, count times
	 * (u8 family 4 or 6, bytes address 4 or 16); count 0: no such name */
	MSG_ADDRS,

	/* master to keeper: u32 generation; fd: struct keeper_conf */
	MSG_KEEP_CONFIG,
	/* worker to keeper: u64 id of its own making, u64 the source that
	 * asks, bytes the API key, 1 to API_KEY_MAX */
	MSG_KEY_CHECK,
	/* keeper to worker: u64 the id, u8 enum key_verdict, u32 index in
	 * auth.keys (0 unless KEY_OK) */
	MSG_KEY_RESULT,

	/* worker to keeper: u64 id of its own making, u32 number of the key,
	 * u16 SignatureScheme (RFC 8446 section 4.2.3), bytes that TLS wants
	 * signed, 1 to PROTO_TBS_MAX */
	MSG_SIGN,
	/* keeper to worker: u64 the id, bytes signature; none: refused */
	MSG_SIGNATURE,

	/* master to worker: u32 generation; fd: struct worker_conf */
	MSG_WORKER_CONFIG,
	/* master to worker: the listen socket */
	MSG_LISTEN,
	/* master to worker: the audit log, O_WRONLY | O_APPEND; again after
	 * SIGUSR1 */
	MSG_AUDIT_FD,
	/* master to worker: shared state, struct shm of common/shm.h */
	MSG_SHM,
	/* master to worker: empty; accept connections */
	MSG_START,
	/* master to worker: u8 enum proto_drain, u64 ms until drain_timeout */
	MSG_DRAIN,
	/* master to worker that drains: a bit for each of its auth.keys, eight
	 * to a byte from the lowest on; set: the newest generation has no such
	 * key */
	MSG_KEYS_LOST,
	/* the same, of all tokens: the newest generation judges them
	 * otherwise */
	MSG_TOKENS_LOST,
	/* worker to master: empty; it no longer accepts */
	MSG_DRAINING,
	/* worker to master, and master to a worker of the newest generation:
	 * an idle client connection; fd: the socket; u8 4 or 6, 16 bytes: the
	 * client's address (the first 4 of them, the others 0; or all), or 0
	 * and 0: a PROXY protocol header is still to come; bytes unparsed
	 * input */
	MSG_CONN,
	/* worker to master: u32 errno; a write to the audit log failed */
	MSG_AUDIT_FAILED,
	/* master to worker: empty; the audit log can be written again */
	MSG_AUDIT_GO,

	/* worker to master: u32 type, u32 role; what came last of that type
	 * was lost or is worn out, please send another: MSG_AUDIT_FD (role 0),
	 * or MSG_PEER, a channel to that role */
	MSG_AGAIN,

	/* master to any child, after MSG_HELLO; fd: its slot of numbers, struct
	 * stats_slot of common/stats.h */
	MSG_STATS,
	/* master to monitor: u32 generation; fd: struct monitor_conf */
	MSG_MONITOR_CONFIG,
	/* master to monitor: u32 enum proto_door; fd: a socket that listens */
	MSG_DOOR,
	/* master to monitor: the board, struct board of common/board.h */
	MSG_BOARD,
	/* master to monitor: u32 number of a slot; fd: that slot.  Then its
	 * end: u32 the number. */
	MSG_SLOT,
	MSG_SLOT_GONE,
	/* monitor to master: u64 id of its own making, u8 enum control_verb,
	 * u8 argument of it; what an operator asks for */
	MSG_CONTROL,
	/* master to monitor: u64 the id, u8 ok, u32 generation that serves,
	 * str what was wrong, a line each */
	MSG_CONTROL_RESULT,

	/* master to any child: empty; do you live? */
	MSG_PING,
	/* child to master: empty; the answer, each once */
	MSG_PONG,

	/* master to any child: u8 the least priority to log from now on,
	 * LOG_ERR to LOG_DEBUG */
	MSG_LOG_LEVEL,

	MSG_MAX
};

#define PROTO_TEXT_MAX	1024	/* reason of MSG_PRIMED */
#define PROTO_ADDRS_MAX	16
#define PROTO_CONN_MAX	(IMSG_BODY_MAX - 17)	/* input in MSG_CONN */
#define PROTO_TBS_MAX	1024	/* bytes to be signed */
#define PROTO_SIGNATURE_MAX 1024	/* of RSA with 8192 bits */
#define PROTO_RESULT_MAX 8192	/* text of MSG_CONTROL_RESULT */

/* What the keeper says of an API key. */
enum key_verdict {
	KEY_WRONG = 0,		/* none of the configured */
	KEY_OK,
	KEY_BUSY,		/* too much to do for everybody */
	KEY_SHARE,		/* too much asked by this source */
	KEY_FAILED,		/* could not be computed: no verdict */
	KEY_VERDICT_MAX
};

/* Where the monitor is asked. */
enum proto_door {
	DOOR_CONTROL,		/* control.socket */
	DOOR_ADMIN,		/* admin.listen */
	DOOR_MAX
};

/* What an operator may ask of the master. */
enum control_verb {
	CONTROL_RELOAD,		/* argument 0 */
	CONTROL_DRAIN,		/* 1 begin, 0 end */
	CONTROL_LOG,		/* a priority of syslog, LOG_ERR to LOG_DEBUG */
	CONTROL_MAX
};

struct proto_hello {
	uint32_t version;
	uint32_t role;		/* enum proto_role: what you are */
	uint32_t instance;	/* worker number, from 0 */
	uint32_t generation;
	uint8_t	 level;		/* of the log: LOG_ERR to LOG_DEBUG */
	uint8_t	 drop;		/* 1: chroot and set ids (master is root) */
	uid_t	 uid;
	gid_t	 gid;
	char	 chroot_dir[256];
};

struct proto_addr {
	int	 family;	/* AF_INET or AF_INET6 */
	uint8_t	 addr[16];
};

/* 0 when role from may send this message to role to and its length and
 * descriptor are as the catalogue says; else -1 and *why says what is
 * wrong (static text). */
int	proto_check(enum proto_role from, enum proto_role to,
	    const struct imsg *, const char **why);
const char *proto_name(uint32_t type);
const char *proto_role_name(enum proto_role);

/* Senders: 0 or -1 as channel_send().  Receivers: 0, or -1 when the body is
 * not exactly as the catalogue says; outputs are then unspecified. */
int	proto_send_hello(struct channel *, const struct proto_hello *);
int	proto_get_hello(const struct imsg *, struct proto_hello *);
int	proto_send_empty(struct channel *, enum proto_type);
int	proto_send_fd(struct channel *, enum proto_type, int fd);
int	proto_send_u32(struct channel *, enum proto_type, uint32_t, int fd);
int	proto_get_u32(const struct imsg *, uint32_t *);
int	proto_send_log(struct channel *, const struct log_record *);
int	proto_get_log(const struct imsg *, struct log_record *);
int	proto_send_log_level(struct channel *, int pri);
int	proto_get_log_level(const struct imsg *, int *pri);
int	proto_send_primed(struct channel *, uint32_t gen, int ok,
	    const char *reason);
int	proto_get_primed(const struct imsg *, uint32_t *gen, int *ok,
	    char reason[PROTO_TEXT_MAX]);
int	proto_send_peer(struct channel *, uint32_t gen, uint32_t id, int fd);
int	proto_get_peer(const struct imsg *, uint32_t *gen, uint32_t *id);
int	proto_send_fetch_done(struct channel *, int ok, uint64_t began_ms);
int	proto_get_fetch_done(const struct imsg *, int *ok, uint64_t *began_ms);
int	proto_send_addrs(struct channel *, uint32_t upstream,
	    const struct proto_addr *, size_t n);
int	proto_get_addrs(const struct imsg *, uint32_t *upstream,
	    struct proto_addr[PROTO_ADDRS_MAX], size_t *n);
int	proto_send_key_check(struct channel *, uint64_t id, uint64_t source,
	    const void *key, size_t len);
/* *key points into the message. */
int	proto_get_key_check(const struct imsg *, uint64_t *id,
	    uint64_t *source, const uint8_t **key, size_t *len);
int	proto_send_key_result(struct channel *, uint64_t id,
	    enum key_verdict, uint32_t index);
int	proto_get_key_result(const struct imsg *, uint64_t *id,
	    enum key_verdict *, uint32_t *index);
int	proto_send_sign(struct channel *, uint64_t id, uint32_t key,
	    uint16_t alg, const void *tbs, size_t len);
/* *tbs points into the message; so does *sig. */
int	proto_get_sign(const struct imsg *, uint64_t *id, uint32_t *key,
	    uint16_t *alg, const uint8_t **tbs, size_t *len);
int	proto_send_signature(struct channel *, uint64_t id, const void *sig,
	    size_t len);
int	proto_get_signature(const struct imsg *, uint64_t *id,
	    const uint8_t **sig, size_t *len);
int	proto_send_again(struct channel *, enum proto_type,
	    enum proto_role);
int	proto_get_again(const struct imsg *, enum proto_type *,
	    enum proto_role *);
int	proto_send_conn(struct channel *, const struct proto_addr *, int fd,
	    const void *input, size_t len);
/* *input points into the message. */
int	proto_get_conn(const struct imsg *, struct proto_addr *,
	    const uint8_t **input, size_t *len);
int	proto_send_drain(struct channel *, enum proto_drain, uint64_t ms);
int	proto_get_drain(const struct imsg *, enum proto_drain *, uint64_t *ms);
int	proto_send_keys_lost(struct channel *, const void *bits, size_t len);
int	proto_send_control(struct channel *, uint64_t id, enum control_verb,
	    uint8_t arg);
int	proto_get_control(const struct imsg *, uint64_t *id,
	    enum control_verb *, uint8_t *arg);
int	proto_send_control_result(struct channel *, uint64_t id, int ok,
	    uint32_t gen, const char *text);
int	proto_get_control_result(const struct imsg *, uint64_t *id, int *ok,
	    uint32_t *gen, char text[PROTO_RESULT_MAX]);

#endif
