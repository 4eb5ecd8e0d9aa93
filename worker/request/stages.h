/*
 * The way of a request: stages, one after the other, as a table.  Each lets it
 * go on, waits for something, or answers.  What happens to it once an upstream
 * has it is in relay.c.
 */
#ifndef REQUEST_STAGES_H
#define REQUEST_STAGES_H

#include <stddef.h>

#include "common/conf.h"
#include "worker/request/client.h"
#include "worker/wire/http1.h"

struct request;

/* Once. */
void	stages_setup(const struct worker_conf *);

/* From those who speak with clients.  The request may have ended when one of
 * these returns. */
void	stages_begin(struct client *, const struct http1_head *);
/* What is no request, by the status that http1.h gives it; why: static text. */
void	stages_malformed(struct client *, int status, const char *why);
/* A client that speaks HTTP without TLS, which it must not: told so in plain
 * text; nobody reads what it wants, and there is no line of it. */
void	stages_plain(struct client *);
/* Its body, if it has one, is here: go on. */
void	stages_whole(struct request *);
void	stages_body_late(struct request *);
/* 503: a newer generation is to judge it, or the gateway stops. */
void	stages_late(struct request *);
/* The worker leaves: end a stream cleanly, refuse what has no answer yet
 * (not if streams_only). */
void	stages_end(struct request *, int streams_only);

/* It holds a connection that others wait for: no more of its body is read, or
 * its answer ends. */
void	stages_give_way(struct request *);

#endif
