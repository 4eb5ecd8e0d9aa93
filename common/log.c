/*
 * Logging: to stderr, to syslog(3), or (in a child) to whoever the sink is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

static char	 name[32] = "mcpgw";
static int	 to_stderr = 1;
static int	 verbose;
static log_sink	 sink;
static void	*sink_arg;

static void	 vlog(int, int, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));
static void	 escape(char *, size_t, const char *);
static void	 write_line(const char *, int, const char *);
static const char *level(int);

void
log_init(const char *proc, int use_stderr, int v)
{
	log_setname(proc);
	to_stderr = use_stderr;
	verbose = v;
	if (!to_stderr)
		openlog("mcpgw", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	tzset();
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

int
log_verbose(void)
{
	return (verbose);
}

void
log_set_sink(log_sink s, void *arg)
{
	sink = s;
	sink_arg = arg;
}

void
log_relay(const char *from, int pri, const char *text)
{
	char	 line[LOG_LINE_MAX];

	if (pri == LOG_DEBUG && !verbose)
		return;
	escape(line, sizeof(line), text);
	write_line(from, pri, line);
}

static void
vlog(int pri, int error, const char *fmt, va_list ap)
{
	char	 text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	size_t	 n;
	int	 saved = errno;

	if (pri == LOG_DEBUG && !verbose)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (error != 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(error));
	escape(line, sizeof(line), text);
	if (sink != NULL)
		sink(sink_arg, pri, line);
	else
		write_line(name, pri, line);
	errno = saved;
}

/* One call is one line, whatever came in with its arguments. */
static void
escape(char *out, size_t size, const char *in)
{
	static const char	 hex[] = "0123456789abcdef";
	size_t			 n = 0;
	unsigned char		 c;

	for (; *in != '\0' && n + 5 < size; in++) {
		c = (unsigned char)*in;
		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
}

static void
write_line(const char *from, int pri, const char *text)
{
	char		 line[LOG_LINE_MAX + 128], when[32];
	struct timespec	 ts;
	struct tm	 tm;
	ssize_t		 w;
	int		 n;

	if (!to_stderr) {
		syslog(pri, "%s: %s", from, text);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "%s.%03ldZ %s %s: %s\n", when,
	    ts.tv_nsec / 1000000, level(pri), from, text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	/* one write: lines of several processes do not mix */
	w = write(STDERR_FILENO, line, (size_t)n);
	(void)w;
}

static const char *
level(int pri)
{
	switch (pri) {
	case LOG_DEBUG:
		return ("debug");
	case LOG_INFO:
		return ("info");
	case LOG_WARNING:
		return ("warn");
	case LOG_ERR:
		return ("error");
	default:
		return ("fatal");
	}
}

void
log_debug(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_WARNING, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_WARNING, 0, fmt, ap);
	va_end(ap);
}

void
log_errx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_ERR, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_CRIT, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vlog(LOG_CRIT, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
