/*
 * The protected resource metadata document (RFC 9728): made once from the
 * configuration, served at metadata_path and at its path-inserted form.
 */
#ifndef WORKER_METADATA_H
#define WORKER_METADATA_H

#include "common/conf.h"
#include "common/slice.h"

void	metadata_setup(const struct conf_oauth *);
/* 1 when OAuth is on and the document lives at this path. */
int	metadata_match(struct slice path);
struct slice metadata_document(void);
/* Where the document is, for challenges: the origin of public_url and
 * metadata_path. */
const char *metadata_url(void);
/* Scheme and authority of public_url. */
struct slice metadata_origin(void);

#endif
