/*
 * Media types of a request: what its message is (Content-Type, RFC 9110 section
 * 8.3) and what its answer may be (Accept, section 12.5.1).
 */
#ifndef WIRE_MEDIATYPE_H
#define WIRE_MEDIATYPE_H

#include "common/slice.h"
#include "worker/wire/http1.h"

/*
 * application/json, in UTF-8 for every reader: parameters have no effect, so
 * they may be there, empty ones too, but charset says utf-8 if it is.  0 also
 * for what is malformed or could be split in two ways (a quoted value with a
 * semicolon, a comma or a backslash).
 */
int	mediatype_is_json(struct slice);

/*
 * What Accept should say to an upstream, which may know no ranges: NULL when
 * it may stay as the client wrote it, else (static text) those of the two
 * types of MCP that the client takes, where a range or the lack of a field
 * says so.
 */
const char *mediatype_accept(const struct http1_head *);

#endif
