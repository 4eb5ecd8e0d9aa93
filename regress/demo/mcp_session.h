/*
 * The sessions of the demo's MCP server.  A bounded number: the one that was
 * used least recently makes room for a new one.
 */
#ifndef DEMO_MCP_SESSION_H
#define DEMO_MCP_SESSION_H

#define SESSION_ID_LEN	32

struct session {
	struct session	*next, *prev;
	char		 id[SESSION_ID_LEN + 1];
};

/* Never NULL.  Valid until session_end(). */
struct session *session_new(void);
/* The session with this id, or NULL. */
struct session *session_find(const char *id);
/* Forget it; its streams end first. */
void	session_end(struct session *);
void	session_end_all(void);

#endif
