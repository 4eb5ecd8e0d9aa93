/*
 * One log for all processes.  The master writes to stderr (-d) or syslog(3);
 * a child has neither and hands every event to its sink, which sends it to
 * the master.  Until a sink is set a child writes to stderr.
 *
 * Every call names an event, which stays the same from version to version
 * (mcpgw-log(5) has them all; regress/tree compares), then its pairs, then
 * the message for people:
 *
 *	log_warnx("child.exited", LOG_KV(KV("pid", pid), KV("status", n)),
 *	    "%s exited with status %d", name, n);
 *
 * No secret, token or argument value may be passed to any of these.  What is
 * escaped, and what is cut: common/log_record.h.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "common/log_record.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* A key and its value; made by KV(), or KV_IF(), which makes none where its
 * condition does not hold. */
struct log_pair {
	const char	*key;		/* NULL: the last one; "": none */
	const char	*string;	/* or NULL: a number */
	uint64_t	 number;
	int		 negative;	/* it is -number */
};

/* value: a string (NULL is as ""), or any integer. */
#define KV(key, value) _Generic((value),				\
	char *: log_pair_str, const char *: log_pair_str,		\
	int: log_pair_int, long: log_pair_int, long long: log_pair_int,	\
	unsigned char: log_pair_num, unsigned short: log_pair_num,	\
	unsigned: log_pair_num, unsigned long: log_pair_num,		\
	unsigned long long: log_pair_num)(key, value)
#define KV_IF(condition, key, value)					\
	((condition) ? KV(key, value) : log_pair_num("", 0))
#define LOG_KV(...) ((const struct log_pair[]){ __VA_ARGS__, { .key = NULL } })

struct log_pair log_pair_str(const char *key, const char *);
struct log_pair log_pair_int(const char *key, long long);
struct log_pair log_pair_num(const char *key, unsigned long long);

typedef void (*log_sink)(void *, const struct log_record *);

/* proc: short name of this process, copied (at most 31 bytes).  Where stderr
 * is the journal's ($JOURNAL_STREAM) lines begin with a priority, as <3>, and
 * text without a time, which the journal has.
 * to_stderr: 1 writes to stderr, 0 to syslog(3).  verbose: keep LOG_DEBUG,
 * else the level is LOG_INFO.  The format is text. */
void	log_init(const char *proc, int to_stderr, int verbose);
/* From stderr to syslog(3). */
void	log_to_syslog(void);
/* Write to this descriptor instead of standard error (borrowed). */
void	log_set_stderr(int fd);
/* Change the name that log_init() set ("worker 0 (g3)"). */
void	log_setname(const char *proc);
const char *log_name(void);

/* LOG_ERR, LOG_WARNING, LOG_INFO or LOG_DEBUG: what is less is not said. */
void	log_set_level(int pri);
int	log_level(void);
int	log_verbose(void);		/* is LOG_DEBUG kept? */
void	log_set_format(enum log_format);

/* From now on events go to sink(arg, record); NULL goes back to stderr or
 * syslog. */
void	log_set_sink(log_sink sink, void *arg);
/* Write what another process, of that name, says. */
void	log_relay(const char *name, const struct log_record *);

/* Repeats are counted (common/log_fold.h).  Once a second: write the counts of
 * those whose time is over; at exit all are written. */
void	log_tick(void);

/* pairs: LOG_KV(...), or NULL. */
void	log_debug(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
void	log_info(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
/* log_warn, log_err and fatal append ": strerror(errno)" and the pair error;
 * the x forms do not. */
void	log_warn(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
void	log_warnx(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
/* What ends the daemon, or takes a part of its service away. */
void	log_err(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
void	log_errx(const char *event, const struct log_pair *pairs,
	    const char *, ...) __attribute__((format(printf, 3, 4)));
/* For our own bugs and for memory: log process.fatal at LOG_CRIT, then
 * exit(1). */
void	fatal(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	fatalx(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));

#endif
