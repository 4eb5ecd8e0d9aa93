/*
 * HTTP by libcurl's multi interface on libevent, within limits: bounded size
 * and time, certificates verified.  A GET is https, or http to this host only,
 * and follows no redirect to another origin; a POST goes where it is told to,
 * and no further.
 */
#ifndef FETCHER_HTTP_H
#define FETCHER_HTTP_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

struct http_get;

struct http_reply {
	int		 ok;		/* 200 and a whole body */
	const char	*error;		/* why not, for a person */
	const char	*content_type;	/* or NULL */
	const char	*body;		/* valid during the callback */
	size_t		 len;
	long		 status;	/* of HTTP; 0: there was no answer */
	int64_t		 retry_after;	/* seconds; 0: it does not say */
};

/* What is sent.  All of it is borrowed: body until the end, the rest for the
 * call. */
struct http_message {
	const char	*url;
	const char	*ca;		/* as for http_get() */
	size_t		 ca_len;
	const struct conf_field *headers;	/* secrets */
	size_t		 nheaders;
	const void	*body;		/* JSON in gzip */
	size_t		 len;
};

typedef void (*http_done_cb)(void *, const struct http_reply *);

/* Once, before the sandbox (libcurl and OpenSSL load what they need). */
void	http_setup(struct event_base *);
/*
 * Begin a GET.  ca: a PEM bundle to trust instead of the system's, or NULL
 * (borrowed until the end).  max: bytes of body.  ms: time for all of it.
 * NULL when it could not begin (memory); otherwise done is called once, never
 * from within.
 */
struct http_get *http_get(const char *url, const char *ca, size_t ca_len,
	    size_t max, long ms, http_done_cb, void *);
/* The same for a POST.  Its answer is ok with any status from 200 to 299. */
struct http_get *http_post(const struct http_message *, size_t max, long ms,
	    http_done_cb, void *);
/* No callback follows. */
void	http_cancel(struct http_get *);

#endif
