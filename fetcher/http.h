/*
 * HTTP GETs by libcurl's multi interface on libevent, within limits: https,
 * or http to this host only; no redirects to another origin; bounded size and
 * time; certificates verified.
 */
#ifndef FETCHER_HTTP_H
#define FETCHER_HTTP_H

#include <event2/event.h>
#include <stddef.h>

struct http_get;

struct http_reply {
	int		 ok;		/* 200 and a whole body */
	const char	*error;		/* why not, for a person */
	const char	*content_type;	/* or NULL */
	const char	*body;		/* valid during the callback */
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
/* No callback follows. */
void	http_cancel(struct http_get *);

#endif
