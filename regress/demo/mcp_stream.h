/*
 * Answers that take their time: event streams (the HTML standard's server-sent
 * events, as in MCP's Streamable HTTP), and the slow tool's answer as plain
 * JSON.  A stream ends when it is done, with its session, on cancellation, or
 * when the client leaves.
 */
#ifndef DEMO_MCP_STREAM_H
#define DEMO_MCP_STREAM_H

#include <event2/event.h>
#include <event2/http.h>
#include <yajl/yajl_gen.h>

struct session;

/* How the slow tool was called. */
struct slow_call {
	const char	*id;		/* JSON text */
	const char	*token;		/* progress token, JSON text or NULL */
	long long	 count;		/* events before the answer */
	long long	 interval_ms;	/* between them */
	long long	 size;		/* bytes that make each larger */
};

/* Once, before the first stream. */
void	stream_setup(struct event_base *);
/* Answer with one event, then the end.  The text is freed. */
void	stream_once(struct evhttp_request *, yajl_gen);
/* Answer the slow tool, as a stream (sse) or as JSON when it is done.
 * session may be NULL.  Returns 0, or -1 when there are too many streams:
 * then the request is still to be answered. */
int	stream_slow(struct evhttp_request *, struct session *, int sse,
	    const struct slow_call *);
/* A standalone stream: an event at once, then one every interval, numbered
 * from last + 1. */
int	stream_standalone(struct evhttp_request *, struct session *,
	    long long interval_ms, long long last);
/* The client no longer wants the answer to id (JSON text). */
void	stream_cancel(struct session *, const char *id);
void	stream_end_session(struct session *);
/* End all, before the server is closed. */
void	stream_end_all(void);

#endif
