/*
 * Sessions belong to who opened them.  The Mcp-Session-Id that a client sees
 * is the gateway's: the upstream's own id, the server that minted it, and a
 * MAC over both and the client's identity.  Everything is in it, so that any
 * worker of any generation, and any gateway with the same secret, can judge
 * it; nothing in it is secret.
 *
 *	base64url(version, server, MAC) "." the upstream's id
 */
#ifndef MCP_SESSION_H
#define MCP_SESSION_H

#include <stddef.h>

#include "common/conf.h"
#include "common/slice.h"
#include "worker/base/buf.h"

#define SESSION_ID_MAX	1024	/* bytes of an upstream's id */

/*
 * Whose a session is.  An API key is its id and its mark; a token that names
 * somebody is its client and subject, one that names nobody is itself alone
 * (a digest of it).  All unset with judged 0: no credentials are asked for, and
 * sessions are everybody's.
 */
struct session_owner {
	int		 judged;	/* a credential was, and was good */
	struct slice	 client_id;
	struct slice	 sub;
	struct slice	 token;		/* p NULL: it names somebody */
	struct slice	 key_id;
	const uint8_t	*key_mark;	/* CONF_MARK_LEN bytes; NULL: no key */
};

/* Keeps a pointer; exits on failure.  Another call takes its place. */
void	session_setup(const struct worker_conf *);

/*
 * Open what a client sent.  0, with the upstream's id (a part of the slice) and
 * the server's index; -1: no session of this owner at this upstream.
 */
int	session_open(const struct session_owner *, size_t upstream,
	    struct slice, struct slice *id, size_t *server);
/* Append the id that the client is to see.  0; -1: no memory, or not an id
 * (MCP, Session Management: visible ASCII). */
int	session_seal(const struct session_owner *, size_t upstream,
	    struct slice id, size_t server, struct buf *);

/* The name by which this gateway says in Via that a request came through it:
 * one for all workers, generations and replicas with the same secret and the
 * same upstreams, and for nobody to guess. */
const char *session_pseudonym(void);

#endif
