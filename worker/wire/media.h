/*
 * What an upstream's answer is, by its Content-Type (RFC 9110 section 8.3),
 * as clients of every kind would read it.
 */
#ifndef WIRE_MEDIA_H
#define WIRE_MEDIA_H

#include "worker/wire/http1.h"

enum media {
	MEDIA_NONE,	/* no Content-Type */
	MEDIA_JSON,
	MEDIA_STREAM,	/* text/event-stream */
	MEDIA_PAGE,	/* a browser shows it, and runs what is in it */
	MEDIA_OTHER,
	MEDIA_DOUBT	/* an event stream to some clients and not to others,
			 * or in a charset that hides what it says */
};

enum media media_of(const struct http1_head *);

#endif
