/*
 * Slots of numbers: writing, reading, adding up.
 */
#include <stdio.h>
#include <string.h>

#include "common/stats.h"

#define TAKEN		(1ULL << 63)	/* so that no key is 0 */
#define OTHERS		0xffU		/* a part of a key: surplus */
#define CODES_MAX	48	/* rows of a table for what one upstream has
				 * as codes: it is free to make them up */
#define MEMOS		256	/* keys whose rows are remembered */

/* row_of() finds their keys there */
_Static_assert(offsetof(struct stats_request, key) == 0, "key first");
_Static_assert(offsetof(struct stats_op, key) == 0, "key first");

static struct stats_slot	 nowhere;
struct stats_slot		*stats = &nowhere;

/* Where our keys are, so that a table that is full costs no search for each
 * request.  A row stays where it is. */
static struct {
	uint64_t		 key;
	struct stats_request	*row;
} request_memo[MEMOS];
static struct {
	const struct stats_op	*table;
	uint64_t		 key;
	struct stats_op		*row;
} op_memo[MEMOS];

const uint32_t stats_bounds_ms[STATS_BUCKETS - 1] = { 10, 20, 50, 100, 200,
	500, 1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000 };
const uint32_t stats_bounds_us[STATS_BUCKETS - 1] = { 10, 20, 50, 100, 200,
	500, 1000, 2000, 5000, 10000, 50000, 100000, 500000, 1000000 };

const struct stats_text stats_counter_text[STATS_COUNTERS] = {
[STATS_CONNECTIONS] = { "connections", "Connections of clients accepted." },
[STATS_HANDED_OVER] = { "connections_handed_over",
    "Connections taken over from an older generation." },
[STATS_TLS_HANDSHAKES] = { "tls_handshakes",
    "TLS handshakes with clients that were completed." },
[STATS_TLS_RESUMED] = { "tls_handshakes_resumed",
    "TLS handshakes with clients that resumed a session." },
[STATS_TLS_FAILED] = { "tls_handshakes_failed",
    "TLS handshakes with clients that failed." },
[STATS_STREAMS] = { "streams_opened", "Event streams begun to clients." },
[STATS_BYTES_IN] = { "request_bytes", "Bytes of request bodies." },
[STATS_BYTES_OUT] = { "response_bytes", "Bytes of response bodies." },
[STATS_SESSIONS] = { "sessions_opened", "MCP sessions that were opened." },
[STATS_SESSIONS_REFUSED] = { "sessions_refused",
    "Requests with a session that is unknown or another's." },
[STATS_LINES_SUPPRESSED] = { "audit_suppressed",
    "Refused requests counted in a line of others." },
[STATS_TOKENS_CACHED] = { "token_cache_hits",
    "Access tokens that had been judged before." },
[STATS_TOKENS_JUDGED] = { "tokens_judged", "Access tokens that were judged." },
[STATS_TOKENS_WAITED] = { "tokens_waited",
    "Access tokens that waited for a key set." },
[STATS_KEYS_CACHED] = { "api_key_cache_hits",
    "API keys that had been checked before." },
[STATS_KEYS_ASKED] = { "api_keys_asked", "API keys that the keeper checked." },
[STATS_UP_CONNECTIONS] = { "upstream_connections",
    "Connections to upstreams opened." },
[STATS_UP_REUSED] = { "upstream_connections_reused",
    "Exchanges on a connection that was open already." },
[STATS_UP_FAILED] = { "upstream_connections_failed",
    "Connections to upstreams that could not be opened." },
[STATS_UP_RETRIED] = { "upstream_retries",
    "Requests that were sent again, unread by the first server." },
[STATS_AUDIT_LINES] = { "audit_lines", "Lines written to the audit log." },
[STATS_AUDIT_BYTES] = { "audit_bytes", "Bytes written to the audit log." },
[STATS_AUDIT_FAILURES] = { "audit_failures",
    "Writes to the audit log that failed." },
[STATS_AUDIT_LOST] = { "audit_lost",
    "Lines of the audit log that could not be kept." },
[STATS_SPANS] = { "spans", "Spans of sampled requests." },
[STATS_SPANS_DROPPED] = { "spans_dropped",
    "Spans that workers dropped: the fetcher did not keep up." },
[STATS_JWKS_REFRESHES] = { "jwks_refreshes", "Key sets fetched." },
[STATS_JWKS_FAILURES] = { "jwks_failures",
    "Attempts to fetch a key set that failed." },
[STATS_SPANS_EXPORTED] = { "spans_exported",
    "Spans that the telemetry endpoint took." },
[STATS_SPANS_REJECTED] = { "spans_rejected",
    "Spans that the telemetry endpoint rejected." },
[STATS_SPANS_LOST] = { "spans_lost",
    "Spans dropped since the telemetry endpoint did not take them." },
[STATS_EXPORTS] = { "exports", "Batches sent to the telemetry endpoint." },
[STATS_EXPORTS_FAILED] = { "exports_failed",
    "Attempts to send a batch that failed." },
[STATS_CHECKS] = { "keeper_checks", "API keys hashed by the keeper." },
[STATS_CHECKS_BUSY] = { "keeper_busy",
    "API keys that the keeper had no time for." },
[STATS_SIGNATURES] = { "keeper_signatures",
    "TLS signatures made by the keeper." },
[STATS_RESPAWNS] = { "respawns", "Processes started in place of dead ones." },
[STATS_RELOADS] = { "reloads", "Reloads that took effect." },
[STATS_RELOADS_REJECTED] = { "reloads_rejected",
    "Reloads whose configuration was rejected." },
[STATS_PROTOCOL_ERRORS] = { "protocol_errors",
    "Processes killed for breaking the protocol." },
[STATS_LOG_DROPPED] = { "log_dropped",
    "Log lines of processes dropped for their number." }
};

const struct stats_text stats_gauge_text[STATS_GAUGES] = {
[STATS_G_CONNECTIONS] = { "connections_open", "Connections of clients." },
[STATS_G_STREAMS] = { "streams_open", "Event streams to clients." },
[STATS_G_IN_FLIGHT] = { "requests_in_flight", "Requests being served." },
[STATS_G_BUFFERED] = { "buffered_bytes",
    "Bytes that count for limits.buffered." },
[STATS_G_UP_CONNECTIONS] = { "upstream_connections_open",
    "Connections to upstreams." },
[STATS_G_TOKENS] = { "token_cache_entries", "Access tokens remembered." },
[STATS_G_AUDIT_KEPT] = { "audit_pending_lines",
    "Lines that wait to be written to the audit log." },
[STATS_G_SPANS_QUEUED] = { "spans_queued", "Spans that wait to be sent." },
[STATS_G_KEEPER_QUEUED] = { "keeper_queue",
    "API keys that wait to be hashed, or are." }
};

static void	 time_in(struct stats_hist *, uint64_t, uint64_t,
		    const uint32_t *);
static void	 merge_hist(struct stats_hist *, const struct stats_hist *);
static void	 merge_ops(struct stats_op *, const struct stats_op *);
static void	 merge_names(struct stats_name *, const struct stats_name *);
static uint64_t	 pack(const struct stats_key *);
static void	*row_of(void *, size_t, size_t, uint64_t, uint64_t);
static struct stats_request *request_of(struct stats_request *, uint64_t);
static struct stats_op *op_of(struct stats_op *, uint64_t);
static uint64_t	 op_bounded(const struct stats_op *, uint64_t);
static uint64_t	 op_key(unsigned, unsigned, unsigned);
static size_t	 spread(uint64_t, size_t);
static size_t	 cut(const char *, size_t);

void
stats_time_ms(struct stats_hist *h, uint64_t us)
{
	time_in(h, us, us / 1000 + (us % 1000 != 0), stats_bounds_ms);
}

void
stats_time_us(struct stats_hist *h, uint64_t us)
{
	time_in(h, us, us, stats_bounds_us);
}

static void
time_in(struct stats_hist *h, uint64_t us, uint64_t v, const uint32_t *bounds)
{
	size_t	 i;

	for (i = 0; i < STATS_BUCKETS - 1; i++)
		if (v <= bounds[i])
			break;
	stats_bump(&h->bucket[i], 1);
	stats_bump(&h->sum_us, us);
	stats_bump(&h->n, 1);
}

/* Where to begin to look for it in a table of n rows. */
static size_t
spread(uint64_t key, size_t n)
{
	return ((size_t)((key * 0x9e3779b97f4a7c15ULL) >> 40) % n);
}

static uint64_t
pack(const struct stats_key *k)
{
	return (TAKEN | (uint64_t)k->upstream << 32 |
	    (uint64_t)k->method << 24 | (uint64_t)k->action << 16 |
	    (uint64_t)k->auth << 8 | k->revision);
}

int
stats_key_get(uint64_t v, struct stats_key *k)
{
	if ((v & TAKEN) == 0)
		return (-1);
	k->upstream = (uint16_t)(v >> 32);
	k->method = (uint8_t)(v >> 24);
	k->action = (uint8_t)(v >> 16);
	k->auth = (uint8_t)(v >> 8);
	k->revision = (uint8_t)v;
	return (0);
}

void
stats_count_request(const struct stats_key *k)
{
	uint64_t		 key = pack(k);
	size_t			 at = spread(key, MEMOS);
	struct stats_request	*row = request_memo[at].row;

	if (row == NULL || request_memo[at].key != key) {
		row = request_of(stats->requests, key);
		request_memo[at].key = key;
		request_memo[at].row = row;
	}
	stats_bump(&row->n, 1);
}

/* The row of a key in a table of n rows, which begin with their keys; the
 * last one, which gets the key others, where there is no room. */
static void *
row_of(void *table, size_t size, size_t n, uint64_t key, uint64_t others)
{
	const size_t	 last = n - 1;
	size_t		 i, at = spread(key, last);
	stats_number	*have;
	uint64_t	 v;

	for (i = 0; i < last; i++) {
		have = (stats_number *)(void *)((char *)table + at * size);
		v = stats_get(have);
		if (v == 0)
			atomic_store_explicit(have, key,
			    memory_order_relaxed);
		if (v == 0 || v == key)
			return (have);
		if (++at == last)
			at = 0;
	}
	have = (stats_number *)(void *)((char *)table + last * size);
	atomic_store_explicit(have, others, memory_order_relaxed);
	return (have);
}

static struct stats_request *
request_of(struct stats_request *t, uint64_t key)
{
	static const struct stats_key	 others = { STATS_OTHER, OTHERS,
					    OTHERS, OTHERS, OTHERS };

	return (row_of(t, sizeof(*t), STATS_REQUESTS, key, pack(&others)));
}

static uint64_t
op_key(unsigned upstream, unsigned method, unsigned error)
{
	return (TAKEN | (uint64_t)(upstream & 0xffff) << 32 |
	    (uint64_t)(method & 0xff) << 24 | (error & 0xffff));
}

int
stats_op_get(uint64_t v, unsigned *upstream, unsigned *method,
    unsigned *error)
{
	if ((v & TAKEN) == 0)
		return (-1);
	*upstream = (uint16_t)(v >> 32);
	*method = (uint8_t)(v >> 24);
	*error = (uint16_t)v;
	return (0);
}

struct stats_op *
stats_op(struct stats_op t[STATS_OPS], unsigned upstream, unsigned method,
    unsigned error)
{
	uint64_t	 key = op_key(upstream, method, error);
	size_t		 at = spread(key, MEMOS);

	if (op_memo[at].table == t && op_memo[at].key == key)
		return (op_memo[at].row);
	op_memo[at].table = t;
	op_memo[at].key = key;
	op_memo[at].row = op_of(t, op_bounded(t, key));
	return (op_memo[at].row);
}

/* The key, or that of the upstream's other errors: one that answers with ever
 * new codes takes no rows from others. */
static uint64_t
op_bounded(const struct stats_op *t, uint64_t key)
{
	unsigned	 upstream, method, error, up, me, er;
	size_t		 i, n = 0;

	if (stats_op_get(key, &upstream, &method, &error) == -1 ||
	    (error & (STATS_ERROR_RPC | STATS_ERROR_HTTP)) == 0)
		return (key);
	for (i = 0; i < STATS_OPS - 1; i++) {
		if (stats_get(&t[i].key) == key)
			return (key);
		if (stats_op_get(stats_get(&t[i].key), &up, &me, &er) == 0 &&
		    up == upstream)
			n += (er & (STATS_ERROR_RPC | STATS_ERROR_HTTP)) != 0;
	}
	return (n < CODES_MAX ? key : op_key(upstream, method,
	    STATS_ERROR_OTHER));
}

static struct stats_op *
op_of(struct stats_op *t, uint64_t key)
{
	return (row_of(t, sizeof(*t), STATS_OPS, key, op_key(STATS_OTHER,
	    OTHERS, STATS_ERROR_OTHER)));
}

struct stats_name *
stats_name(struct stats_name t[STATS_NAMES], unsigned upstream,
    const char *name, size_t len, int add)
{
	const size_t	 last = STATS_NAMES - 1;
	size_t		 i, at;
	uint64_t	 hash = upstream;

	len = cut(name, len);
	for (i = 0; i < len; i++)
		hash = hash * 31 + (uint8_t)name[i];
	for (i = 0, at = spread(hash, last); i < last; i++,
	    at = at + 1 == last ? 0 : at + 1) {
		if (atomic_load_explicit(&t[at].set, memory_order_acquire) ==
		    0)
			break;
		if (t[at].upstream == upstream &&
		    strnlen(t[at].name, STATS_NAME_MAX) == len &&
		    memcmp(t[at].name, name, len) == 0)
			return (&t[at]);
	}
	if (i == last || !add || len == 0) {
		if (atomic_load(&t[last].set) == 0) {
			t[last].upstream = STATS_OTHER;
			memcpy(t[last].name, "other", sizeof("other"));
			atomic_store(&t[last].set, 1);
		}
		return (&t[last]);
	}
	t[at].upstream = upstream;
	memcpy(t[at].name, name, len);
	t[at].name[len] = '\0';
	atomic_store_explicit(&t[at].set, 1, memory_order_release);
	return (&t[at]);
}

/* How much of a name is kept: no part of a character, and nothing that would
 * make it another when it is read. */
static size_t
cut(const char *name, size_t len)
{
	size_t	 n = strnlen(name, len < STATS_NAME_MAX ? len :
		    STATS_NAME_MAX - 1);

	while (n > 0 && n < len && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	return (n);
}

unsigned
stats_error_rpc(int64_t code)
{
	if (code < -32768 || code > -1)
		return (STATS_ERROR_OTHER);
	return (STATS_ERROR_RPC | (unsigned)(code + 32768));
}

unsigned
stats_error_http(int status)
{
	if (status < 100 || status > 599)
		return (STATS_ERROR_OTHER);
	return (STATS_ERROR_HTTP | (unsigned)status);
}

const char *
stats_error_text(unsigned error, char buf[16])
{
	static const char *const	 words[] = {
		"", "tool_error", "_OTHER", "cancelled", "unreachable",
		"timeout", "malformed", "crowded"
	};

	if (error < sizeof(words) / sizeof(words[0]))
		return (words[error]);
	if ((error & STATS_ERROR_RPC) != 0)
		snprintf(buf, 16, "%d", (int)(error & 0x7fff) - 32768);
	else if ((error & STATS_ERROR_HTTP) != 0)
		snprintf(buf, 16, "%u", (error & 0x3ff) % 1000);
	else
		return ("_OTHER");
	return (buf);
}

static void
merge_hist(struct stats_hist *into, const struct stats_hist *h)
{
	size_t	 i;

	for (i = 0; i < STATS_BUCKETS; i++)
		stats_bump(&into->bucket[i], stats_get(&h->bucket[i]));
	stats_bump(&into->sum_us, stats_get(&h->sum_us));
	stats_bump(&into->n, stats_get(&h->n));
}

static void
merge_ops(struct stats_op *into, const struct stats_op *t)
{
	struct stats_op	*o;
	size_t		 i;

	for (i = 0; i < STATS_OPS; i++) {
		if ((stats_get(&t[i].key) & TAKEN) == 0)
			continue;
		o = op_of(into, stats_get(&t[i].key));
		stats_bump(&o->errors, stats_get(&t[i].errors));
		stats_bump(&o->bytes_in, stats_get(&t[i].bytes_in));
		stats_bump(&o->bytes_out, stats_get(&t[i].bytes_out));
		merge_hist(&o->time, &t[i].time);
	}
}

static void
merge_names(struct stats_name *into, const struct stats_name *t)
{
	struct stats_name	*o;
	char			 name[STATS_NAME_MAX];
	size_t			 i;

	for (i = 0; i < STATS_NAMES; i++) {
		if (atomic_load_explicit(&t[i].set, memory_order_acquire) ==
		    0)
			continue;
		/* a copy, since its writer may change it as we look */
		memcpy(name, t[i].name, sizeof(name));
		o = stats_name(into, t[i].upstream, name, strnlen(name,
		    sizeof(name)), i < STATS_NAMES - 1);
		stats_bump(&o->errors, stats_get(&t[i].errors));
		stats_bump(&o->denied, stats_get(&t[i].denied));
		stats_bump(&o->bytes_in, stats_get(&t[i].bytes_in));
		stats_bump(&o->bytes_out, stats_get(&t[i].bytes_out));
		merge_hist(&o->time, &t[i].time);
	}
}

void
stats_merge(struct stats_slot *into, const struct stats_slot *s)
{
	size_t	 i;

	for (i = 0; i < STATS_COUNTERS; i++)
		stats_bump(&into->n[i], stats_get(&s->n[i]));
	for (i = 0; i < STATS_REQUESTS; i++)
		if ((stats_get(&s->requests[i].key) & TAKEN) != 0)
			stats_bump(&request_of(into->requests,
			    stats_get(&s->requests[i].key))->n,
			    stats_get(&s->requests[i].n));
	merge_ops(into->server, s->server);
	merge_ops(into->client, s->client);
	merge_hist(&into->own, &s->own);
	merge_hist(&into->keeper, &s->keeper);
	merge_names(into->tools, s->tools);
	merge_names(into->clients, s->clients);
	for (i = 0; i < STATS_SERVERS; i++) {
		stats_bump(&into->servers[i].requests,
		    stats_get(&s->servers[i].requests));
		stats_bump(&into->servers[i].failures,
		    stats_get(&s->servers[i].failures));
	}
	for (i = 0; i < STATS_UPSTREAMS; i++)
		stats_bump(&into->sessions[i], stats_get(&s->sessions[i]));
	for (i = 0; i < STATS_REASONS; i++) {
		stats_bump(&into->reasons[i].n, stats_get(&s->reasons[i].n));
		if (stats_get(&s->reasons[i].last) >
		    stats_get(&into->reasons[i].last))
			atomic_store(&into->reasons[i].last,
			    stats_get(&s->reasons[i].last));
	}
}

void
stats_attach(struct stats_slot *slot)
{
	stats_merge(slot, stats);
	stats = slot;
	memset(request_memo, 0, sizeof(request_memo));
	memset(op_memo, 0, sizeof(op_memo));
}
