/*
 * One request of a client: what is known of it, from its head to its line in
 * the audit log.  It knows its client as the place where its answer goes.
 */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "common/auth_result.h"
#include "common/conf.h"
#include "common/proto.h"
#include "common/slice.h"
#include "worker/base/buf.h"
#include "worker/base/refusal.h"
#include "worker/base/timeq.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/glance.h"
#include "worker/mcp/rpc.h"
#include "worker/mcp/rules.h"
#include "worker/record/audit.h"
#include "worker/record/trace.h"
#include "worker/request/client.h"
#include "worker/request/route.h"
#include "worker/who/waiter.h"
#include "worker/wire/http1.h"
#include "worker/wire/http1_keep.h"

struct exchange;
struct share;
struct spans;
struct session_owner;
struct sse;

#define REQUEST_ID_LEN	32	/* hexadecimal digits */

enum request_state {
	REQ_AUTH,	/* waits for a key set, or for the keeper */
	REQ_BODY,	/* its body is being read */
	REQ_FORWARD	/* an exchange is under way */
};

enum request_method {
	METHOD_POST, METHOD_GET, METHOD_DELETE, METHOD_OPTIONS,
	METHOD_OTHER,	/* known and served nowhere on MCP routes */
	METHOD_UNKNOWN
};

/* Bytes kept in a request's text buffer; len 0 and set 0: unknown. */
struct text {
	uint32_t	 off;
	uint32_t	 len;
	int		 set;
};

/* Why it is refused, and what the row does not say. */
struct refused {
	const struct refusal *row;	/* NULL: it is not */
	const char	*text;		/* static text */
	int		 status;
	struct text	 data;		/* JSON; with its NUL, if it is set */
	struct text	 fields;	/* the same, of the upstream's */
};

struct request {
	struct waiter	 wait;		/* while REQ_AUTH */
	struct timer	 timer;		/* of ask.c */
	struct client	*client;
	struct exchange	*ex;
	struct sse	*sse;		/* while an event stream passes */
	struct timer	 beat;		/* its keep-alive comments */
	struct timer	 total;		/* timeouts.stream_total */
	struct timer	 life;		/* its credential's */
	int64_t		 until;		/* ms since the epoch, when that ends;
					 * 0: never */
	int		 signed_by;	/* a token's key: jwk.id */
	uint8_t		 signer[32];
	enum request_state state;
	unsigned	 stage;		/* where it is; STAGE_MAX: before them
					 * all, since it cannot be read */
	enum route	 route;
	enum request_method method;
	uint64_t	 began;		/* ms, monotonic */
	uint64_t	 began_us;	/* the same in us */
	uint64_t	 away;		/* us, in exchanges that have ended */
	/* to be called when it ends, or NULL */
	void		 (*ended)(struct request *);
	size_t		 upstream;	/* SIZE_MAX: none of that name */
	size_t		 server;	/* of it */
	int		 pinned;	/* its session is that server's */
	unsigned	 redirects;	/* that were followed */
	struct buf	 body;
	struct rpc	 rpc;		/* what it says, until it is sent */
	/* for the upstream */
	struct http1_kept kept;		/* its head, without credential */
	struct text	 target;	/* instead of the server's */
	struct trace	 trace;
	struct spans	*spans;		/* of spans.c: it is told of, or NULL */
	int		 minor;		/* of its HTTP/1 */
	struct text	 tracestate;	/* instead of the head's */
	size_t		 meta_parent;	/* where params._meta.traceparent is in
					 * the body; 0: nowhere */
	int		 uncoded;	/* its answer may not be coded */
	int		 unversioned;	/* without MCP-Protocol-Version */
	/* the answer on its way out */
	int		 head_only;	/* HEAD: no body in the answer */
	int		 answering;	/* the answer's head is queued */
	int		 lasting;	/* it may be kept: for 5 minutes */
	int		 answered;	/* the event with the response came */
	int		 ending;	/* its stream ends with this event */
	int		 streaming;	/* it is one, and counted */
	int		 glancing;	/* the answer can be read */
	struct glance	 glance;	/* what it says of success */
	int		 extensible;	/* events may be added to the stream */
	/* for the audit log */
	int		 mcp;		/* on an MCP route: has a line */
	int		 recorded;
	int		 unrecordable;	/* refused since the log is broken */
	int		 admitted;	/* no stranger's: it has its own line */
	struct refused	 refused;	/* its body is only noted */
	struct rules_revision revision;	/* what its field says */
	int		 stateless;	/* of a revision without sessions */
	/* what the answer says of revisions */
	enum accord	 accord;
	struct text	 proposed;	/* by initialize */
	struct filter_chain *chain;	/* that its answer passes, or NULL */
	struct http1_kept held_head;	/* of an answer that is held whole */
	int		 held_status;
	struct buf	 hold;		/* of the answer to ask.c's question */
	int		 answer_held;	/* the response is in the chain */
	int		 disagreed;	/* it was replaced by an error */
	/* the question that is put in a refused request's place (ask.c) */
	int		 asking;
	const struct refusal *ask_why;
	int		 ask_stream;	/* its answer is an event stream */
	int		 ask_status;
	int		 listening;	/* to subscriptions: a stream */
	enum audit_action action;
	int		 has_auth;
	enum auth_result auth;
	int		 status;
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	const char	*transport;	/* static text, or NULL */
	const char	*error;		/* static text, or NULL */
	struct buf	 text;
	struct text	 why;		/* a credential was refused */
	struct text	 session_id;
	struct text	 rpc_method;
	unsigned	 method_number;	/* of it, in common/mcp_methods.h */
	struct text	 rpc_id;	/* raw JSON */
	struct text	 tool;
	struct text	 client_id;	/* whole, as are the next three */
	struct text	 sub;
	struct text	 token;		/* its digest, when it names nobody */
	struct text	 key_id;
	const uint8_t	*key_mark;	/* with key_id; the configuration's */
	struct text	 scopes;
	struct text	 subject;	/* as the record is to say it; so */
	struct text	 actor;
	struct text	 jti;
	struct text	 client_ip;
	struct proto_addr addr;		/* the same */
	struct share	*share;		/* of it; or NULL */
	size_t		 counted;	/* bytes, in it */
	int		 standing;	/* a stream, counted in it */
	struct text	 origin;	/* when it is one that is allowed */
	struct text	 name;		/* after /mcp/, if it could be one */
	/* what fields said that the body must say too */
	struct text	 mcp_version;
	struct text	 mcp_method;
	struct text	 mcp_name;
	char		 id[REQUEST_ID_LEN + 1];
};

/* Once.  ended is called for each, last of all; or NULL. */
void	request_setup(const struct worker_conf *,
	    void (*ended)(struct request *));

/* An id for an answer that no request was read for: REQUEST_ID_LEN digits and
 * a NUL. */
void	request_make_id(char *);

/* One that is being read (REQ_BODY); NULL: memory is gone. */
struct request *request_new(struct client *);
/* The connection is being closed; the request is recorded and freed. */
void	request_client_gone(struct request *);
/* It does not wait for a verdict any more, if it did. */
void	request_unwait(struct request *);

/* A newer generation serves.  May this one still judge it, since nobody has
 * said who it is? */
int	request_unsettled(const struct request *);
/* Let it go as if its head had not been read; there is no line of it.  1, or
 * 0: it was judged already. */
int	request_unbegin(struct request *);
/* For the modules that build answers. */
/* Keep a copy (nothing when s.p is NULL): for the log, cut; or whole. */
void	request_set_text(struct request *, struct text *, struct slice s);
void	request_keep_text(struct request *, struct text *, struct slice s);
struct slice request_text(const struct request *, struct text);
/* Whose sessions it opens and uses: slices until the next text is kept. */
void	request_owner(const struct request *, struct session_owner *);
/* The whole answer is queued, or (early) all that will be of it, and this is
 * its last word: record and let go. */
void	request_finish(struct request *, int early);
/* Record now, before the answer ends. */
void	request_record(struct request *);
/* What the answer says of an error, as common/stats.h has it; 0: nothing. */
unsigned request_said(const struct request *);
/* The same, for its response may be in what passes next. */
void	request_answered(struct request *);

#endif
