/*
 * Tickets by which clients resume a TLS session (RFC 5077 for TLS 1.2, RFC
 * 8446 section 4.6.1 for 1.3).  What a ticket holds is sealed with keys made of
 * a secret that the master draws anew for each generation, so no session
 * outlives the configuration that judged it, and of the hour, so that a key
 * which is found opens two hours at most.  All workers of a generation have the
 * same keys.
 */
#ifndef WIRE_TLS_TICKET_H
#define WIRE_TLS_TICKET_H

#include <openssl/ssl.h>

#include <stdint.h>

#include "common/conf.h"

/* Once, before the sandbox, for the context of the listener, which lives in
 * libctx.  Exits on failure. */
void	tls_ticket_setup(SSL_CTX *, OSSL_LIB_CTX *,
	    const uint8_t secret[CONF_SECRET_LEN]);

#endif
