/*
 * Logging: to stderr, to syslog(3), or (in a child) to whoever the sink is.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_fold.h"
#include "common/mono.h"

static char	 name[32] = "mcpgw";
static int	 to_stderr = 1;
static int	 err_fd = STDERR_FILENO;
static int	 journal;	/* is what stderr is */
static int	 level = LOG_INFO;
static enum log_format format = LOG_FORMAT_TEXT;
static log_sink	 sink;
static void	*sink_arg;

static void	 vlog(int, const char *, const struct log_pair *, int,
		    const char *, va_list)
		    __attribute__((format(printf, 5, 0)));
static void	 add(struct log_record *, const struct log_pair *);
static void	 say(const char *, const struct log_record *);
static void	 write_line(const char *, const struct log_record *);
static int	 is_journal(void);
static void	 last_words(void);
static const char *now(char *, size_t);

void
log_init(const char *proc, int use_stderr, int verbose)
{
	static int	 registered;

	log_setname(proc);
	to_stderr = 1;
	level = verbose ? LOG_DEBUG : LOG_INFO;
	format = LOG_FORMAT_TEXT;
	journal = is_journal();
	if (!use_stderr)
		log_to_syslog();
	tzset();
	if (!registered)
		registered = atexit(last_words) == 0;
}

/* As systemd.exec(5) says under $JOURNAL_STREAM: "device:inode". */
static int
is_journal(void)
{
	const char	*stream = getenv("JOURNAL_STREAM");
	struct stat	 st;
	char		 mine[64];

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return (0);
	snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return (strcmp(stream, mine) == 0);
}

void
log_to_syslog(void)
{
	to_stderr = 0;
	openlog("mcpgw", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_set_stderr(int fd)
{
	err_fd = fd;
}

void
log_setname(const char *proc)
{
	snprintf(name, sizeof(name), "%s", proc);
}

const char *
log_name(void)
{
	return (name);
}

void
log_set_level(int pri)
{
	level = pri;
}

int
log_level(void)
{
	return (level);
}

int
log_verbose(void)
{
	return (level >= LOG_DEBUG);
}

void
log_set_format(enum log_format f)
{
	format = f;
}

void
log_set_sink(log_sink s, void *arg)
{
	sink = s;
	sink_arg = arg;
}

void
log_relay(const char *from, const struct log_record *r)
{
	if (r->pri <= level)
		say(from, r);
}

struct log_pair
log_pair_str(const char *key, const char *value)
{
	struct log_pair	 p = { key, value != NULL ? value : "", 0, 0 };

	return (p);
}

struct log_pair
log_pair_int(const char *key, long long value)
{
	struct log_pair	 p = { key, NULL, (uint64_t)value, value < 0 };

	if (value < 0)
		p.number = 0 - (uint64_t)value;
	return (p);
}

struct log_pair
log_pair_num(const char *key, unsigned long long value)
{
	struct log_pair	 p = { key, NULL, value, 0 };

	return (p);
}

static void
vlog(int pri, const char *event, const struct log_pair *pairs, int error,
    const char *fmt, va_list ap)
{
	struct log_record	 r;
	int			 saved = errno;

	if (pri > level)
		return;
	log_record_init(&r, pri, event);
	log_record_text(&r, fmt, ap);
	for (; pairs != NULL && pairs->key != NULL; pairs++)
		add(&r, pairs);
	if (error != 0) {
		log_record_append(&r, ": ");
		log_record_append(&r, strerror(error));
		(void)log_record_add(&r, "error", strerror(error), 0);
	}
	if (sink != NULL)
		sink(sink_arg, &r);
	else
		say(name, &r);
	errno = saved;
}

static void
add(struct log_record *r, const struct log_pair *p)
{
	char	 digits[24];

	if (p->key[0] == '\0')
		return;
	if (p->string == NULL)
		snprintf(digits, sizeof(digits), "%s%llu",
		    p->negative ? "-" : "", (unsigned long long)p->number);
	(void)log_record_add(r, p->key,
	    p->string != NULL ? p->string : digits, p->string == NULL);
}

void
log_tick(void)
{
	log_fold_end(mono_ms(), write_line);
}

static void
last_words(void)
{
	log_fold_end(UINT64_MAX, write_line);
}

static void
say(const char *from, const struct log_record *r)
{
	if (log_fold(from, r, mono_ms(), write_line))
		write_line(from, r);
}

static void
write_line(const char *from, const struct log_record *r)
{
	char		 line[LOG_LINE_MAX], when[32];
	struct log_head	 h = { .process = from };
	ssize_t		 w;
	size_t		 n;

	h.journal = to_stderr && journal;
	if ((to_stderr && !journal) || format == LOG_FORMAT_JSON)
		h.when = now(when, sizeof(when));
	n = format == LOG_FORMAT_JSON ? log_record_json(r, &h, line) :
	    log_record_line(r, &h, line);
	if (!to_stderr) {
		syslog(r->pri, "%.*s", (int)n - 1, line);
		return;
	}
	/* one write: lines of several processes do not mix */
	w = write(err_fd, line, n);
	(void)w;
}

static const char *
now(char *when, size_t size)
{
	struct timespec	 ts;
	struct tm	 tm;
	size_t		 n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(when, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, size - n, ".%03ldZ", ts.tv_nsec / 1000000);
	return (when);
}

void
log_debug(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_DEBUG, event, pairs, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_INFO, event, pairs, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_WARNING, event, pairs, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_WARNING, event, pairs, 0, fmt, ap);
	va_end(ap);
}

void
log_err(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_ERR, event, pairs, errno, fmt, ap);
	va_end(ap);
}

void
log_errx(const char *event, const struct log_pair *pairs, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_ERR, event, pairs, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_CRIT, "process.fatal", NULL, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_CRIT, "process.fatal", NULL, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
