/*
 * Writing JSON.  A key is NULL within an array; commas come by themselves.
 */
#ifndef MONITOR_JSON_OUT_H
#define MONITOR_JSON_OUT_H

#include <event2/buffer.h>
#include <stddef.h>
#include <stdint.h>

struct json_out {
	struct evbuffer	*out;
	int		 some;		/* the next value is not the first */
};

/* bracket: '{' or '[', and what closes it. */
void	json_open(struct json_out *, const char *key, char bracket);
void	json_close(struct json_out *, char bracket);

/* Bytes up to a NUL, or max of them, that may be anything. */
void	json_text(struct json_out *, const char *key, const char *,
	    size_t max);
void	json_string(struct json_out *, const char *key, const char *);
void	json_number(struct json_out *, const char *key, uint64_t);
void	json_boolean(struct json_out *, const char *key, int);
void	json_null(struct json_out *, const char *key);
/* Milliseconds and microseconds, as seconds. */
void	json_ms(struct json_out *, const char *key, int64_t);
void	json_us(struct json_out *, const char *key, uint64_t);
/* Milliseconds since the epoch as RFC 3339 has it; null when it is 0. */
void	json_time(struct json_out *, const char *key, int64_t ms);

#endif
