/*
 * Logging: to stderr, to syslog(3), or (in a child) to whoever the sink is.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

static char	 name[32] = "mcpgw";
static int	 to_stderr = 1;
static int	 err_fd = STDERR_FILENO;
static int	 verbose;
static log_sink	 sink;
static void	*sink_arg;

static void	 vlog(int, int, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));
static void	 escape(char *, size_t, const char *);
static size_t	 printable(const unsigned char *);
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
	const unsigned char	*p = (const unsigned char *)in;
	size_t			 len, n = 0;

	while (*p != '\0' && n + 5 < size) {
		if ((len = printable(p)) > 0) {
			memcpy(out + n, p, len);
			n += len;
			p += len;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[*p >> 4];
		out[n++] = hex[*p++ & 15];
	}
	out[n] = '\0';
}

/* Length of the UTF-8 character at p; 0 when it is none, or a control
 * character (C1 too: terminals obey them). */
static size_t
printable(const unsigned char *p)
{
	static const uint32_t	 least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	uint32_t		 c = *p;
	size_t			 i, len;

	if (c < 0x80)
		return (c >= 0x20 && c != 0x7f);
	len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4)
		return (0);
	c &= 0x7fU >> len;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)	/* the final NUL too */
			return (0);
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return (0);
	return (len);
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
	w = write(err_fd, line, (size_t)n);
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
