/*
 * One event of the log: what log_info() and its kin make of their arguments,
 * what travels in MSG_LOG, and what becomes a line.  All bytes of it are
 * harmless: control characters and what is not UTF-8 are escaped as \xNN when
 * they are put in, so nothing in it can begin a line, and both spellings need
 * to quote " and \ alone.
 */
#ifndef COMMON_LOG_RECORD_H
#define COMMON_LOG_RECORD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_EVENT_MAX	40	/* sizes, with a NUL */
#define LOG_KEY_MAX	24
#define LOG_VALUE_MAX	256
#define LOG_TEXT_MAX	1024	/* of the message */
#define LOG_PAIRS_MAX	12
#define LOG_LINE_MAX	4096	/* as written, with its end; PIPE_BUF */

struct log_field {
	char	 key[LOG_KEY_MAX];
	uint8_t	 number;	/* value is one, in decimal */
	char	 value[LOG_VALUE_MAX];
};

/* Unused bytes are zero, so that records can be compared. */
struct log_record {
	int	 pri;		/* syslog(3)'s, LOG_CRIT to LOG_DEBUG */
	uint8_t	 cut;		/* something did not fit */
	uint8_t	 n;
	char	 event[LOG_EVENT_MAX];	/* "child.exited" */
	char	 text[LOG_TEXT_MAX];	/* the message, in words */
	struct log_field field[LOG_PAIRS_MAX];
};

/* What stands before the event in a line. */
struct log_head {
	const char	*process;	/* who says it */
	const char	*when;		/* RFC 3339 in ms, or NULL: none */
	int		 journal;	/* begin with "<3>", as it reads it */
};

/* Empty but for the priority and the event, which log_record_event_ok(). */
void	log_record_init(struct log_record *, int pri, const char *event);
/* Put the message in, formatted and escaped; cut where it is too long, never
 * inside of a character. */
void	log_record_text(struct log_record *, const char *, va_list)
	    __attribute__((format(printf, 2, 0)));
/* The same, of a text. */
void	log_record_words(struct log_record *, const char *);
/* Append to the message, at the cost of its end where there is no room. */
void	log_record_append(struct log_record *, const char *);
/*
 * Add a pair; the value is escaped, and cut as the message is.  number: the
 * value is a decimal number.  -1, and nothing is added: no more than
 * LOG_PAIRS_MAX, or the key is there already, is no key (a to z, digits, _),
 * or is one that lines have of themselves (log_record_reserved()); or it is
 * no number.
 */
int	log_record_add(struct log_record *, const char *key,
	    const char *value, int number);
/* Say how often it was repeated: the pair count, in place of the last one
 * where there is no room. */
void	log_record_count(struct log_record *, unsigned);
/* Two or more lower-case words with dots between them, of less than
 * LOG_EVENT_MAX bytes? */
int	log_record_event_ok(const char *);

/*
 * Write a record as a line, with its newline and a NUL, of at most
 * LOG_LINE_MAX bytes; returns the length.  Pairs that do not fit are left
 * out, and the line says truncated=1.
 *
 * Text: [when level ]process: message event=E key=value ...; values that hold
 * anything but visible characters, or " \ or =, are quoted as in JSON.  The
 * words " event=" are in each line once: in a message or value = is escaped
 * there.
 */
size_t	log_record_line(const struct log_record *, const struct log_head *,
	    char[LOG_LINE_MAX]);
/* JSON: {"ts","level","process","event","msg", pairs...}. */
size_t	log_record_json(const struct log_record *, const struct log_head *,
	    char[LOG_LINE_MAX]);

/* Priorities that a log can be limited to, LOG_ERR, LOG_WARNING, LOG_INFO or
 * LOG_DEBUG, as "error", "warning", "info" or "debug". */
const char *log_level_name(int pri);
int	log_level_parse(const char *);	/* -1: none of them */

#endif
