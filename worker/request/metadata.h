/*
 * Metadata of protected resources (RFC 9728): of the gateway as a whole, and
 * of each upstream by its name.  What a resource is called is resource.h's
 * affair, where its document is and what it says, ours.
 */
#ifndef REQUEST_METADATA_H
#define REQUEST_METADATA_H

#include "common/conf.h"
#include "common/slice.h"
#include "worker/base/buf.h"

/* Once; keeps pointers into the configuration. */
void	metadata_setup(const struct conf_oauth *);

/* Could it be an upstream's name?  Whether it is one is not said to those who
 * have no credential: what follows is the same for every such name. */
int	metadata_is_name(struct slice);

/* 1 when OAuth is on and a document lives at this path: metadata_path, or that
 * with the path of a resource appended (section 3.1).  *name is of length 0
 * for the gateway's own. */
int	metadata_find(struct slice path, struct slice *name);
/* Append the document of a name, or of the gateway (length 0).  0 or -1. */
int	metadata_put_document(struct buf *, struct slice name);
/* Append where that is, for challenges: at the origin of public_url.  The
 * gateway's own is at metadata_path. */
void	metadata_put_url(struct buf *, struct slice name);

/* Scheme and authority of public_url; of length 0 while OAuth is off. */
struct slice metadata_origin(void);

#endif
