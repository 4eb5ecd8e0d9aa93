/*
 * TLS to upstreams: a context for each that has a server with https.
 */
#ifndef UPSTREAM_UP_TLS_H
#define UPSTREAM_UP_TLS_H

#include "common/conf.h"

struct upstream;

/* Once, before the sandbox: fill in tls of each upstream that needs it, in
 * the order of the configuration.  Exits on failure. */
void	up_tls_setup(const struct worker_conf *, struct upstream *);

#endif
