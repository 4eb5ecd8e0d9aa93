/*
 * One log for all processes.  The master writes to stderr (-d) or syslog(3);
 * a child has neither and hands every line to its sink, which sends it to
 * the master.  Until a sink is set a child writes to stderr.
 *
 * No secret, token or argument value may be passed to any of these.  Control
 * characters and what is not UTF-8 are escaped as \xNN, so one call is one
 * line whose text is at most LOG_LINE_MAX - 1 bytes; the rest is cut.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <syslog.h>

#define LOG_LINE_MAX	1024

typedef void (*log_sink)(void *, int, const char *);

/* proc: short name of this process, copied (at most 31 bytes).
 * to_stderr: 1 writes to stderr, 0 to syslog(3).  verbose: keep LOG_DEBUG. */
void	log_init(const char *proc, int to_stderr, int verbose);

/* Write to this descriptor instead of standard error (borrowed). */
void	log_set_stderr(int fd);
/* Change the name that log_init() set ("worker 0 (g3)"). */
void	log_setname(const char *proc);
const char *log_name(void);
int	log_verbose(void);

/* From now on lines go to sink(arg, priority, text), unformatted but escaped;
 * NULL goes back to stderr or syslog. */
void	log_set_sink(log_sink sink, void *arg);

/* Write a line on behalf of another process: name, syslog priority, text.
 * The text is escaped and cut again: it comes from a child. */
void	log_relay(const char *name, int pri, const char *text);

void	log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
/* log_warn and fatal append ": strerror(errno)"; the x forms do not. */
void	log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_errx(const char *, ...) __attribute__((format(printf, 1, 2)));
/* For our own bugs and for memory: log at LOG_CRIT, then exit(1). */
void	fatal(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	fatalx(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));

#endif
