/*
 * Builds audit lines and writes them in batches.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/stats.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/record/audit.h"

#define KEPT_MAX	(8 * 1024 * 1024)	/* while it cannot be written */
#define LINE_MAX_BYTES	(16 * 6 * AUDIT_VALUE_MAX + 1024)

#define ALL		AUDIT_VALUE_MAX

#define ACTION		",\"action\":"
#define ERROR		",\"error\":"
#define CUT_OFF		"the audit log could not be written"
#define WAITS		4		/* for a pipe, in one flush */
#define WAIT_MS		100
#define CUT_OFF_BYTES	(sizeof(ACTION ERROR CUT_OFF) + 16)

/* what is copied is mostly of a length that the compiler knows */
#define INLINE		static inline __attribute__((always_inline))

static struct buf	 batch;
static struct buf	 promises;	/* a byte for each line of it: 1: its
					 * answer waits for it */
static uint64_t		 written;	/* lines */
static int		 audit_fd = -1;
static const struct shm	*shm;
static void		(*tell_failed)(int);
static int		 broken;	/* our own write failed */
static uint64_t		 lost;		/* lines that could not be kept */

static ssize_t	 write_all(const char *, size_t);
static void	 lines_written(size_t, size_t);
static int	 kept(void);
static void	 count_lost(uint64_t);
static char	*cut_off_line(char *, struct slice);
INLINE char	*put_raw(char *, struct slice);
INLINE char	*put_always(char *, struct slice, struct slice, size_t);
INLINE char	*put_value(char *, struct slice, struct slice, size_t);
INLINE char	*put_plain(char *, struct slice, struct slice);
INLINE char	*put_number(char *, struct slice, uint64_t);
static char	*put_string(char *, struct slice, size_t);
static char	*put_digits(char *, uint64_t);
static char	*put_time(char *);

void
audit_setup(int fd, const struct shm *s, void (*failed)(int))
{
	audit_fd = fd;
	shm = s;
	tell_failed = failed;
}

void
audit_set_fd(int fd)
{
	audit_flush();
	close(audit_fd);
	audit_fd = fd;
}

int
audit_broken(void)
{
	return (broken || atomic_load_explicit(&shm->audit_broken,
	    memory_order_relaxed) != 0);
}

int
audit_add(const struct audit_entry *e)
{
	const char	 promise = !e->told;
	const size_t	 most = e->brief ? AUDIT_BRIEF_MAX : AUDIT_VALUE_MAX;
	char		*p, *line;

	if (batch.len > KEPT_MAX ||
	    (line = buf_room(&batch, LINE_MAX_BYTES)) == NULL ||
	    buf_append(&promises, &promise, 1) == -1) {
		/* who counts goes on counting */
		count_lost(e->suppressed == 0);
		return (-1);
	}
	p = put_raw(line, slice_of("{\"ts\":\""));
	p = put_time(p);
	p = put_always(p, slice_of("\",\"session_id\":"), e->session_id, most);
	p = put_always(p, slice_of(",\"method\":"), e->method, most);
	p = put_plain(p, slice_of(ACTION), slice_of(audit_action_name(
	    e->action)));
	if (e->has_auth)
		p = put_plain(p, slice_of(",\"auth_result\":"),
		    slice_of(auth_result_name(e->auth)));
	else
		p = put_raw(p, slice_of(",\"auth_result\":null"));
	p = put_always(p, slice_of(",\"oauth_client_id\":"), e->client_id,
	    most);
	p = put_always(p, slice_of(",\"scopes\":"), e->scopes, most);
	p = put_number(p, slice_of(",\"latency_ms\":"), e->latency_ms);
	p = put_plain(p, slice_of(",\"request_id\":"), e->request_id);
	p = put_plain(p, slice_of(",\"trace_id\":"), e->trace_id);
	p = put_plain(p, slice_of(",\"client_ip\":"), e->client_ip);
	p = put_value(p, slice_of(",\"tool\":"), e->tool, most);
	p = put_value(p, slice_of(",\"upstream\":"), e->upstream, ALL);
	p = put_value(p, slice_of(",\"auth_key_id\":"), e->key_id, ALL);
	p = put_value(p, slice_of(",\"subject\":"), e->subject, most);
	p = put_value(p, slice_of(",\"actor\":"), e->actor, most);
	p = put_value(p, slice_of(",\"jti\":"), e->jti, most);
	if (e->status != 0)
		p = put_number(p, slice_of(",\"status\":"),
		    (uint64_t)e->status);
	if (e->suppressed == 0) {
		p = put_number(p, slice_of(",\"bytes_in\":"), e->bytes_in);
		p = put_number(p, slice_of(",\"bytes_out\":"), e->bytes_out);
	} else
		p = put_number(p, slice_of(",\"suppressed\":"),
		    e->suppressed);
	p = put_plain(p, slice_of(",\"transport\":"), e->transport);
	p = put_plain(p, slice_of(",\"stage\":"), e->stage);
	p = put_value(p, slice_of(ERROR), e->error, ALL);
	p = put_raw(p, slice_of("}\n"));
	buf_added(&batch, (size_t)(p - line));
	return (0);
}

int
audit_flush(void)
{
	ssize_t	 n;

	if (batch.len == 0)
		return (0);
	if (audit_broken())
		return (kept());
	if ((n = write_all(buf_data(&batch), batch.len)) ==
	    (ssize_t)batch.len) {
		lines_written(promises.len, batch.len);
		buf_drop(&batch, batch.len);
		if (batch.cap > 64 * 1024)
			buf_free(&batch);
		return (0);
	}
	broken = 1;
	stats_inc(STATS_AUDIT_FAILURES);
	/*
	 * Lines that are whole in the file stay; the torn one is cut off by
	 * the master and comes again with the rest.
	 */
	if (n > 0) {
		char	*end, *start = buf_data(&batch);
		size_t	 lines = 0;

		while ((end = memchr(start, '\n', (size_t)n)) != NULL) {
			lines++;
			n -= end + 1 - start;
			start = end + 1;
		}
		lines_written(lines, (size_t)(start - buf_data(&batch)));
		buf_drop(&batch, (size_t)(start - buf_data(&batch)));
		n = 0;
	}
	tell_failed(n == -1 ? errno : ENOSPC);
	return (kept());
}

/* Lines wait for better times: -1. */
static int
kept(void)
{
	stats_gauge_set(STATS_G_AUDIT_KEPT, promises.len);
	if (stats_get(&stats->audit_since) == 0)
		atomic_store_explicit(&stats->audit_since,
		    (uint64_t)clock_wall(), memory_order_relaxed);
	return (-1);
}

static void
count_lost(uint64_t n)
{
	lost += n;
	stats_add(STATS_AUDIT_LOST, n);
}

/* As write(2).  A pipe's reader gets a moment to catch up, but not our time for
 * good: it would be everybody's. */
static ssize_t
write_all(const char *p, size_t len)
{
	struct pollfd	 pfd = { .fd = audit_fd, .events = POLLOUT };
	size_t		 done = 0;
	ssize_t		 n;
	int		 waits = 0;

	while (done < len) {
		n = write(audit_fd, p + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			break;
		else if (errno == EAGAIN && waits++ < WAITS)
			poll(&pfd, 1, WAIT_MS);
		else if (errno != EINTR)
			break;
	}
	return (done > 0 ? (ssize_t)done : -1);
}

static void
lines_written(size_t n, size_t bytes)
{
	written += n;
	stats_add(STATS_AUDIT_LINES, n);
	stats_add(STATS_AUDIT_BYTES, bytes);
	buf_drop(&promises, n);
	stats_gauge_set(STATS_G_AUDIT_KEPT, promises.len);
	if (promises.len == 0)
		atomic_store_explicit(&stats->audit_since, 0,
		    memory_order_relaxed);
	if (promises.len == 0 && promises.cap > 64 * 1024)
		buf_free(&promises);
}

uint64_t
audit_added(void)
{
	return (written + promises.len);
}

uint64_t
audit_cut_off(void)
{
	struct buf	 told;
	char		*promise = buf_data(&promises), *end, *p, *room;
	const char	*line = buf_data(&batch);
	size_t		 i, len;

	/* of what was refused meanwhile much may be kept */
	if (memchr(promise, 1, promises.len) == NULL)
		return (written);
	memset(&told, 0, sizeof(told));
	for (i = 0; i < promises.len; i++, line += len) {
		end = memchr(line, '\n', batch.len);
		len = (size_t)(end + 1 - line);
		if ((room = buf_room(&told, len + CUT_OFF_BYTES)) == NULL) {
			/* rather than to say what is not so */
			count_lost(promises.len - i);
			promises.len = i;
			break;
		}
		p = promise[i] ? cut_off_line(room, (struct slice){ line,
		    len }) : put_raw(room, (struct slice){ line, len });
		promise[i] = 0;
		buf_added(&told, (size_t)(p - room));
	}
	buf_free(&batch);
	batch = told;
	return (written);
}

/* Names of members stand between quotes that no value can have unescaped. */
static char *
cut_off_line(char *p, struct slice line)
{
	const char	*action, *rest, *error, *end = line.p + line.len;

	action = memmem(line.p, line.len, ACTION, strlen(ACTION));
	rest = memchr(action + strlen(ACTION), ',', line.len);
	error = memmem(rest, (size_t)(end - rest), ERROR, strlen(ERROR));
	if (error == NULL)
		error = end - 2;	/* the brace and the newline */
	p = put_raw(p, (struct slice){ line.p, (size_t)(action - line.p) });
	p = put_raw(p, slice_of(ACTION "\"aborted\""));
	p = put_raw(p, (struct slice){ rest, (size_t)(error - rest) });
	return (put_raw(p, slice_of(ERROR "\"" CUT_OFF "\"}\n")));
}

void
audit_go(void)
{
	if (lost > 0) {
		log_warnx("record.lines_lost", LOG_KV(KV("lines", lost)),
		    "audit: %llu lines of refused requests were lost while "
		    "the log could not be written", (unsigned long long)lost);
		lost = 0;
	}
	broken = 0;
	audit_flush();
}

INLINE char *
put_raw(char *p, struct slice s)
{
	memcpy(p, s.p, s.len);
	return (p + s.len);
}

/* Of a value that is not known: null. */
INLINE char *
put_always(char *p, struct slice name, struct slice v, size_t most)
{
	p = put_raw(p, name);
	return (v.p == NULL ? put_raw(p, slice_of("null")) :
	    put_string(p, v, most));
}

/* Of one that is not known: nothing. */
INLINE char *
put_value(char *p, struct slice name, struct slice v, size_t most)
{
	return (v.p == NULL ? p : put_string(put_raw(p, name), v, most));
}

/* The same, of one of ours, which has nothing to escape. */
INLINE char *
put_plain(char *p, struct slice name, struct slice v)
{
	if (v.p == NULL)
		return (p);
	p = put_raw(p, name);
	*p++ = '"';
	p = put_raw(p, v);
	*p++ = '"';
	return (p);
}

INLINE char *
put_number(char *p, struct slice name, uint64_t v)
{
	return (put_digits(put_raw(p, name), v));
}

static char *
put_string(char *p, struct slice v, size_t most)
{
	*p++ = '"';
	p += json_escape(v, most, p);
	*p++ = '"';
	return (p);
}

static char *
put_digits(char *p, uint64_t v)
{
	char	 digits[20];
	int	 n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		*p++ = digits[--n];
	return (p);
}

/* RFC 3339 in UTC with milliseconds; the second part is made once a second. */
static char *
put_time(char *p)
{
	static char	 text[32];
	static time_t	 made = -1;
	struct tm	 tm;
	time_t		 now = (time_t)(clock_wall() / 1000);
	unsigned	 ms = (unsigned)(clock_wall() % 1000);

	if (now != made) {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		made = now;
	}
	p = put_raw(p, slice_of(text));
	*p++ = '.';
	*p++ = (char)('0' + ms / 100);
	*p++ = (char)('0' + ms / 10 % 10);
	*p++ = (char)('0' + ms % 10);
	*p++ = 'Z';
	return (p);
}
