/*
 * TLS connections (1.2 and 1.3, OpenSSL 3).  On the listener there is one
 * context for all, made here; those for upstreams are made by up_tls.c.
 * Private keys are the keeper's, and a handshake that waits for a signature
 * holds up nobody.
 */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

struct tls;
struct ssl_ctx_st;

/* The last session with a server, that the next connection may resume.  All
 * zero at first; one for each server and context. */
struct tls_resume {
	struct ssl_session_st *session;	/* or NULL */
	uint64_t	 until;		/* ms, monotonic */
};

/* Once, before the sandbox.  cert: PEM, the server's certificate and what
 * leads to its root; NULL: no TLS.  client_ca: PEM, who signs certificates
 * that every client must then show; or NULL: then sessions may be resumed, by
 * tickets sealed with ticket_secret.  Exits on failure. */
void	tls_setup(const char *cert, const char *client_ca,
	    const uint8_t ticket_secret[CONF_SECRET_LEN]);
int	tls_on(void);

/* For an accepted connection; fd stays the caller's.  ready is called when a
 * handshake that waited for the keeper can go on.  NULL: no memory. */
struct tls *tls_new(int fd, void (*ready)(void *), void *);
/* For a connection to a server, which must have a certificate for this name
 * or address; resumes what lies in the last argument but two and leaves there
 * what can be resumed (it outlives the connection). */
struct tls *tls_new_client(struct ssl_ctx_st *, int fd, const char *host,
	    struct tls_resume *, void (*ready)(void *), void *);
/* Connections of this context to servers leave their sessions. */
void	tls_keep_sessions(struct ssl_ctx_st *);
/* Ends what is under way, sends nothing.  NULL is fine. */
void	tls_free(struct tls *);

/* Go on with the handshake: 1 done, 0 it waits for the client or the keeper,
 * -1 failed (of a client's it is logged, not too often). */
int	tls_handshake(struct tls *);
/* Why the handshake failed; valid as long as the connection. */
const char *tls_error(const struct tls *);
/* Was it spared most of the handshake?  1 or 0. */
int	tls_resumed(const struct tls *);
/* As read(2) and write(2) on a non-blocking descriptor. */
ssize_t	tls_read(struct tls *, void *, size_t);
ssize_t	tls_write(struct tls *, const void *, size_t);
/* Say that nothing more comes (RFC 8446 section 6.1), if that can be said
 * at once. */
void	tls_end(struct tls *);

#endif
