/*
 * HTTP at the two doors, by libevent: who may ask, and within what limits.
 */
#ifndef MONITOR_DOOR_H
#define MONITOR_DOOR_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdint.h>

#include "common/proto.h"

/* One thing that can be asked for. */
struct route {
	const char	*path;
	enum evhttp_cmd_type method;
	int		 control;	/* on the control socket alone */
	int		 open;		/* without admin.token_file's token */
	/* answers, now or later, by door_answer() or door_error(); what: the
	 * next member */
	void		 (*run)(struct evhttp_request *, int what);
	int		 what;
};

/* The route of a path, without query; *other: there is one for another
 * method.  NULL: none. */
typedef const struct route *(*route_finder)(const char *path,
	    enum evhttp_cmd_type, int *other);

/* Once, before the sandbox. */
void	door_setup(struct event_base *, const struct proto_hello *,
	    route_finder);
/* A socket that listens, taken over.  0, or -1. */
int	door_open(uint32_t door, int fd);
/* struct monitor_conf; the descriptor stays the caller's.  0, or -1. */
int	door_config(int fd);

/* The whole answer, with a type and fields that keep browsers from doing more
 * with it.  body is emptied. */
void	door_answer(struct evhttp_request *, int status, const char *type,
	    struct evbuffer *body);
/* {"error": "..."}; text is ours, without quotes. */
void	door_error(struct evhttp_request *, int status, const char *text);
/* Its answer comes later (or no more is to come): it is not shown out for
 * others until then. */
void	door_hold(struct evhttp_request *, int on);
/* The query of a URL, or "". */
const char *door_query(struct evhttp_request *);

#endif
