/*
 * Cross-origin requests of web pages (Fetch standard, CORS protocol).  The
 * gateway alone speaks of origins: it lets in those of allowed_origins, so it
 * answers their preflights itself, and what an upstream says of origins is
 * replaced.  For answer.c and forward.c.
 */
#ifndef REQUEST_CORS_H
#define REQUEST_CORS_H

#include "common/slice.h"
#include "worker/base/buf.h"
#include "worker/wire/http1.h"

/*
 * Append the fields that let a page of this (allowed) origin read an answer,
 * each ended by CRLF.  answer is the upstream's, whose exposed fields stay
 * exposed, or NULL.
 */
void	cors_put(struct buf *, struct slice origin,
	    const struct http1_head *answer);
/* Append what a preflight is to be told besides: methods, fields (those that
 * MCP has and those it asks for), for how long. */
void	cors_put_preflight(struct buf *, const struct http1_head *request);

#endif
