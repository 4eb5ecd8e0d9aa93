/*
 * HTTP/1.1 message syntax and framing (RFC 9112), strict, incremental and
 * without allocation.  It reads both requests of clients and responses of
 * upstreams, equally strictly but for a 204's framing and the padding of chunk
 * sizes: what two readers could understand in two ways is refused.  Nothing
 * here does I/O.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include <stddef.h>
#include <stdint.h>

#include "common/field.h"
#include "common/slice.h"

#define HTTP1_FIELDS_MAX	100

enum http1_body {
	HTTP1_BODY_NONE,
	HTTP1_BODY_LENGTH,
	HTTP1_BODY_CHUNKED,
	HTTP1_BODY_CLOSE	/* responses only: until the connection ends */
};

struct http1_field {
	struct slice	 name;
	struct slice	 value;		/* without surrounding OWS */
	enum http1_name	 id;
	unsigned	 flags;		/* FIELD_... */
	int		 connection;	/* named in Connection: hop-by-hop */
};

struct http1_head {
	/* a request's line (RFC 9112 section 3) */
	struct slice	 method;
	struct slice	 target;	/* as sent */
	struct slice	 path;		/* of the target, without query; for
					 * "*" the target */
	struct slice	 query;		/* without '?'; p NULL when absent */
	/* a response's line (section 4) */
	int		 status;
	/* both */
	int		 minor;		/* HTTP/1.minor: 0 or 1 */
	struct http1_field field[HTTP1_FIELDS_MAX];
	size_t		 nfield;
	short		 first[HTTP1_NAME_MAX];	/* index of first, or -1 */
	short		 count[HTTP1_NAME_MAX];
	enum http1_body	 body;
	uint64_t	 content_length;	/* for HTTP1_BODY_LENGTH */
	int		 keepalive;	/* the sender lets it persist */
	int		 expect_continue;
};

/* Where a scan for the end of a head stands; zero it for each message. */
struct http1_scan {
	size_t	 pos;		/* bytes looked at */
	size_t	 line;		/* start of the current line */
	size_t	 nlines;	/* complete lines so far */
	size_t	 seen;		/* bytes of a request line without its end */
	int	 begun;		/* http1_begins() has seen a request line */
};

enum http1_more { HTTP1_MORE = 0, HTTP1_DONE = 1, HTTP1_BAD = -1 };

/*
 * Look for the end of a head (the empty line) in buf, resuming where the last
 * call stopped.  HTTP1_DONE: *headlen bytes, the empty line included.
 * HTTP1_BAD: *status is 400 (bare LF or CR, NUL, a line that begins with
 * space: anything that can be seen without the whole head) or 431 (longer
 * than max, or too many lines) or 414 (request line alone beyond max);
 * *why is static text.  One empty line before a request line is skipped
 * (section 2.2) and counted in *headlen.
 */
enum http1_more http1_scan_head(struct http1_scan *, const char *buf,
    size_t len, size_t max, size_t *headlen, int *status, const char **why);

/*
 * Can what http1_scan_head() wants more of become a request?  So that other
 * protocols are told at once.  0, or the status to answer and close with, 400;
 * *why is static text.
 */
int	http1_begins(struct http1_scan *, const char *buf, size_t len,
	    const char **why);

/*
 * Parse a whole request head.  Slices point into buf.  Returns 0, or the
 * status to answer and close with: 400, 431 (more than HTTP1_FIELDS_MAX),
 * 417 (an Expect other than 100-continue), 501 (a transfer coding other than
 * chunked, CONNECT), 505; *why is static text.
 * Refused with 400 among others: both Content-Length and Transfer-Encoding,
 * repeated or malformed Content-Length, Transfer-Encoding in HTTP/1.0,
 * obs-fold, space before the colon, invalid field name or value bytes, missing
 * or repeated Host in HTTP/1.1 or a Host that is no host, invalid target (raw
 * bytes outside VCHAR, fragment).  Upgrade is ignored.
 * Absolute-form targets give path and query of the URI (its authority wins
 * over Host, but must equal it).
 */
int	http1_parse_request(struct http1_head *, const char *buf,
	    size_t headlen, const char **why);

/*
 * Parse a whole response head, the answer to a request with this method.
 * Returns 0, or -1 (*why) when it is malformed or ambiguous.  body follows
 * RFC 9112 section 6.3 (1xx, 204, 304 and answers to HEAD have none).  A 204
 * that declares one all the same (section 6.1 forbids it) has none either, but
 * keepalive is 0.
 */
int	http1_parse_response(struct http1_head *, const char *buf,
	    size_t headlen, struct slice method, const char **why);

/* The value of the first field with this id; p is NULL when there is none. */
struct slice http1_value(const struct http1_head *, enum http1_name);

/* Is its Content-Type text/event-stream, with or without parameters? */
int	http1_is_event_stream(const struct http1_head *);

/* Does a comma-separated list value contain this token (case ignored)? */
int	http1_list_has(struct slice list, const char *token);
/* Take the next item (without surrounding OWS; may be empty) off a list; 0
 * when none is left. */
int	http1_list_next(struct slice *list, struct slice *item);
/* 1 for the characters of a token (RFC 9110 section 5.6.2). */
int	http1_is_tchar(unsigned char);

/* Chunked coding (RFC 9112 section 7.1); zero it for each body.  With lax set
 * sizes are taken as some servers write them: filled up with zeros in front,
 * or with spaces or tabs behind. */
struct http1_chunk {
	int	 lax;
	int	 state;
	uint64_t left;		/* of the current chunk */
	unsigned digits;
	size_t	 overhead;	/* bytes of extensions and trailers so far */
	size_t	 line;
};

/*
 * Decode the next run.  Consumes *used bytes of in; *data is a view of
 * decoded bytes inside in (its len may be 0).  HTTP1_MORE: call again with
 * what follows in + *used (when in is not used up, at once).  HTTP1_DONE: the
 * last chunk and the trailers are consumed (trailers are dropped).  HTTP1_BAD:
 * malformed (a trailer that is no field, too), a size beyond 2^53, or more
 * than 16 KiB of extensions and trailers in all.
 */
enum http1_more http1_chunk_decode(struct http1_chunk *, const char *in,
    size_t len, size_t *used, struct slice *data, const char **why);

#endif
