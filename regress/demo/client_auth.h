/*
 * Who asks for a token: the demo's one client, by HTTP Basic or by fields of
 * the form (RFC 6749 section 2.3.1).
 */
#ifndef DEMO_CLIENT_AUTH_H
#define DEMO_CLIENT_AUTH_H

#include "regress/demo/form.h"

#define CLIENT_ID	"demo-client"
#define CLIENT_SECRET	"demo-secret"

enum client_auth {
	CLIENT_AUTH_NO = 0,	/* unknown client, wrong secret, or neither */
	CLIENT_AUTH_TWICE,	/* more than one way at once */
	CLIENT_AUTH_OK
};

/* authorization: the request's Authorization field, or NULL. */
enum client_auth client_auth_check(const char *authorization,
	    const struct form *);

#endif
