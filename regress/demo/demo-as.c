/*
 * A small OAuth 2.1 authorization server for the demo and for tests: one
 * client, the client_credentials grant, JWT access tokens, their keys, and
 * metadata.  It believes whatever audience and scope the client asks for, so
 * that tokens which a gateway must refuse are easy to get; it therefore
 * listens on loopback only.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "regress/demo/access_token.h"
#include "regress/demo/client_auth.h"
#include "regress/demo/form.h"
#include "regress/demo/json_out.h"
#include "regress/demo/keys.h"
#include "regress/demo/server.h"

#define FORM_MAX	(16 * 1024)
#define LIFETIME	3600		/* seconds, when not asked */
#define LIFETIME_MAX	86400
#define TEXT_MAX	1024		/* a scope or an audience */

/* One answer to a client that asked for a token. */
struct grant {
	struct access_token	 token;
	const struct key	*key;
	long long		 lifetime;
};

static struct server	 server;
static const char	*audience = "mcpgw-prod";
static const char	*issuer;
static char		 own_issuer[sizeof(server.url) + 1];

static void	 usage(void) __attribute__((noreturn));
static void	 on_token(struct evhttp_request *, void *);
static void	 on_jwks(struct evhttp_request *, void *);
static void	 on_metadata(struct evhttp_request *, void *);
static void	 on_rotate(struct evhttp_request *, void *);
static void	 on_other(struct evhttp_request *, void *);
static void	 token(struct evhttp_request *, const struct form *);
static int	 read_form(struct evhttp_request *, struct form *);
static const char *grant_read(struct grant *, const struct form *,
		    const char **);
static const char *grant_audience(struct grant *, const struct form *);
static const char *grant_scope(struct grant *, const struct form *);
static const char *grant_lifetime(struct grant *, const struct form *);
static int	 is_text(const char *);
static int	 is_scope(const char *);
static void	 answer(struct evhttp_request *, const struct grant *);
static void	 answer_jwks(struct evhttp_request *);
static void	 refuse(struct evhttp_request *, int, const char *,
		    const char *);
static void	 no_store(struct evhttp_request *);
static int	 asks_keep(struct evhttp_request *);
static void	 url(yajl_gen, const char *, const char *);
static void	 list(yajl_gen, const char *, const char *, const char *);

int
main(int argc, char *argv[])
{
	const char	*address = "127.0.0.1:0";
	int		 ch;

	while ((ch = getopt(argc, argv, "a:i:l:")) != -1) {
		switch (ch) {
		case 'a':
			audience = optarg;
			break;
		case 'i':
			issuer = optarg;
			break;
		case 'l':
			address = optarg;
			break;
		default:
			usage();
		}
	}
	if (argc != optind)
		usage();
	if (!is_text(audience) || (issuer != NULL && !is_text(issuer)))
		errx(1, "issuer and audience are printable ASCII, no spaces");
	keys_rotate(0);
	server_open(&server, address, FORM_MAX);
	snprintf(own_issuer, sizeof(own_issuer), "%s/", server.url);
	if (issuer == NULL)
		issuer = own_issuer;
	evhttp_set_cb(server.http, "/oauth/token", on_token, NULL);
	evhttp_set_cb(server.http, "/.well-known/jwks.json", on_jwks, NULL);
	evhttp_set_cb(server.http, "/.well-known/oauth-authorization-server",
	    on_metadata, NULL);
	evhttp_set_cb(server.http, "/.well-known/openid-configuration",
	    on_metadata, NULL);
	evhttp_set_cb(server.http, "/admin/rotate", on_rotate, NULL);
	evhttp_set_gencb(server.http, on_other, NULL);
	server_run(&server);
	server_close(&server);
	keys_free();
	return (0);
}

static void
usage(void)
{
	fprintf(stderr, "usage: demo-as [-a audience] [-i issuer] "
	    "[-l address:port]\n");
	exit(2);
}

static void
on_token(struct evhttp_request *req, void *arg)
{
	struct form	 form;

	(void)arg;
	if (!server_allow(req, EVHTTP_REQ_POST, "POST"))
		return;
	if (!server_is_type(server_field(req, "Content-Type"),
	    "application/x-www-form-urlencoded"))
		refuse(req, 400, "invalid_request",
		    "Content-Type is not application/x-www-form-urlencoded");
	else if (read_form(req, &form) == -1)
		refuse(req, 400, "invalid_request", "malformed form");
	else {
		token(req, &form);
		form_clear(&form);
	}
}

static void
on_jwks(struct evhttp_request *req, void *arg)
{
	(void)arg;
	if (server_allow(req, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD"))
		answer_jwks(req);
}

/* RFC 8414 section 2. */
static void
on_metadata(struct evhttp_request *req, void *arg)
{
	yajl_gen	 g;

	(void)arg;
	if (!server_allow(req, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD"))
		return;
	g = json_out_new();
	json_out_map(g, NULL);
	json_out_str(g, "issuer", issuer);
	url(g, "token_endpoint", "/oauth/token");
	url(g, "jwks_uri", "/.well-known/jwks.json");
	list(g, "scopes_supported", "mcp:read", "mcp:write");
	/* required, and without an authorization endpoint there are none */
	list(g, "response_types_supported", NULL, NULL);
	list(g, "grant_types_supported", "client_credentials", NULL);
	list(g, "token_endpoint_auth_methods_supported",
	    "client_secret_basic", "client_secret_post");
	json_out_map_end(g);
	server_json(req, 200, g);
}

static void
on_rotate(struct evhttp_request *req, void *arg)
{
	(void)arg;
	if (!server_allow(req, EVHTTP_REQ_POST, "POST"))
		return;
	keys_rotate(asks_keep(req));
	answer_jwks(req);
}

static void
on_other(struct evhttp_request *req, void *arg)
{
	(void)arg;
	server_empty(req, 404);
}

static void
token(struct evhttp_request *req, const struct form *form)
{
	struct grant	 grant;
	const char	*type, *error, *why;
	const char	*authorization = server_field(req, "Authorization");

	switch (client_auth_check(authorization, form)) {
	case CLIENT_AUTH_OK:
		break;
	case CLIENT_AUTH_TWICE:
		refuse(req, 400, "invalid_request",
		    "client authentication is repeated");
		return;
	default:
		/* RFC 6749 section 5.2: required when it was tried */
		if (authorization != NULL)
			server_add(req, "WWW-Authenticate",
			    "Basic realm=\"demo-as\"");
		refuse(req, 401, "invalid_client",
		    "unknown client or wrong secret");
		return;
	}
	if (form_get(form, "grant_type", &type) != 1 || type == NULL) {
		refuse(req, 400, "invalid_request", "want one grant_type");
		return;
	}
	if (strcmp(type, "client_credentials") != 0) {
		refuse(req, 400, "unsupported_grant_type",
		    "only client_credentials");
		return;
	}
	if ((error = grant_read(&grant, form, &why)) != NULL)
		refuse(req, 400, error, why);
	else
		answer(req, &grant);
}

static int
read_form(struct evhttp_request *req, struct form *form)
{
	struct evbuffer	*in = evhttp_request_get_input_buffer(req);
	size_t		 len = evbuffer_get_length(in);
	unsigned char	*text;
	int		 ret;

	if (len > FORM_MAX)
		return (-1);
	if ((text = evbuffer_pullup(in, -1)) == NULL && len > 0)
		errx(1, "no memory");
	ret = form_parse(form, len == 0 ? "" : (const char *)text, len);
	if (ret == -1)
		form_clear(form);
	if (len > 0)
		explicit_bzero(text, len);
	return (ret);
}

/* What is asked for; NULL, or an error code of RFC 6749 section 5.2. */
static const char *
grant_read(struct grant *g, const struct form *form, const char **why)
{
	const char	*alg;

	memset(g, 0, sizeof(*g));
	g->token.issuer = issuer;
	g->token.client_id = CLIENT_ID;
	if ((*why = grant_audience(g, form)) != NULL)
		return ("invalid_target");
	if ((*why = grant_scope(g, form)) != NULL)
		return ("invalid_scope");
	if ((*why = grant_lifetime(g, form)) != NULL)
		return ("invalid_request");
	*why = "alg is RS256 or ES256";
	if (form_get(form, "alg", &alg) > 1 ||
	    (g->key = keys_find(alg == NULL ? "RS256" : alg)) == NULL)
		return ("invalid_request");
	return (NULL);
}

/* audience, and resource of RFC 8707, which may be there several times. */
static const char *
grant_audience(struct grant *g, const struct form *form)
{
	const char	*value;
	size_t		 i;

	if (form_get(form, "audience", &value) > 1)
		return ("audience is repeated");
	if (value != NULL)
		g->token.aud[g->token.naud++] = value;
	for (i = 0; i < form->n; i++) {
		if (strcmp(form->field[i].name, "resource") != 0 ||
		    form->field[i].value[0] == '\0')
			continue;
		if (g->token.naud == ACCESS_TOKEN_AUD_MAX)
			return ("too many resources");
		g->token.aud[g->token.naud++] = form->field[i].value;
	}
	if (g->token.naud == 0)
		g->token.aud[g->token.naud++] = audience;
	for (i = 0; i < g->token.naud; i++) {
		if (!is_text(g->token.aud[i]))
			return ("malformed audience or resource");
	}
	return (NULL);
}

/* Whoever asks for no scope gets none. */
static const char *
grant_scope(struct grant *g, const struct form *form)
{
	if (form_get(form, "scope", &g->token.scope) > 1)
		return ("scope is repeated");
	if (g->token.scope != NULL && !is_scope(g->token.scope))
		return ("malformed scope");
	return (NULL);
}

/* Below zero the token has expired already: somebody tests that. */
static const char *
grant_lifetime(struct grant *g, const struct form *form)
{
	const char	*value, *why;
	long long	 now = time(NULL);

	if (form_get(form, "expires_in", &value) > 1)
		return ("expires_in is repeated");
	g->lifetime = LIFETIME;
	if (value != NULL) {
		g->lifetime = strtonum(value, -LIFETIME_MAX, LIFETIME_MAX,
		    &why);
		if (why != NULL)
			return ("expires_in is a number of seconds, "
			    "-86400 to 86400");
	}
	g->token.exp = now + g->lifetime;
	g->token.iat = now < g->token.exp ? now : g->token.exp;
	return (NULL);
}

/* Printable ASCII without spaces, not empty, not endless. */
static int
is_text(const char *s)
{
	size_t	 i;

	for (i = 0; s[i] != '\0'; i++) {
		if (i == TEXT_MAX || s[i] <= ' ' || s[i] > '~')
			return (0);
	}
	return (i > 0);
}

/* RFC 6749 section 3.3: tokens with one space between them. */
static int
is_scope(const char *s)
{
	size_t	 i;

	for (i = 0; s[i] != '\0'; i++) {
		if (i == TEXT_MAX || s[i] < ' ' || s[i] > '~' ||
		    s[i] == '"' || s[i] == '\\')
			return (0);
		if (s[i] == ' ' && (i == 0 || s[i + 1] == ' ' ||
		    s[i + 1] == '\0'))
			return (0);
	}
	return (i > 0);
}

/* RFC 6749 section 5.1. */
static void
answer(struct evhttp_request *req, const struct grant *g)
{
	yajl_gen	 out;
	char		*jwt;

	if ((jwt = access_token_sign(&g->token, g->key)) == NULL) {
		refuse(req, 500, "server_error", "cannot sign");
		return;
	}
	out = json_out_new();
	json_out_map(out, NULL);
	json_out_str(out, "access_token", jwt);
	json_out_str(out, "token_type", "Bearer");
	json_out_int(out, "expires_in", g->lifetime);
	if (g->token.scope != NULL)
		json_out_str(out, "scope", g->token.scope);
	json_out_map_end(out);
	free(jwt);
	no_store(req);
	server_json(req, 200, out);
}

static void
answer_jwks(struct evhttp_request *req)
{
	yajl_gen	 g = json_out_new();

	json_out_map(g, NULL);
	keys_write(g);
	json_out_map_end(g);
	server_json(req, 200, g);
}

static void
refuse(struct evhttp_request *req, int status, const char *error,
    const char *description)
{
	yajl_gen	 g = json_out_new();

	json_out_map(g, NULL);
	json_out_str(g, "error", error);
	json_out_str(g, "error_description", description);
	json_out_map_end(g);
	no_store(req);
	server_json(req, status, g);
}

static void
no_store(struct evhttp_request *req)
{
	server_add(req, "Cache-Control", "no-store");
	server_add(req, "Pragma", "no-cache");
}

/* ?keep=1 */
static int
asks_keep(struct evhttp_request *req)
{
	const struct evhttp_uri	*uri = evhttp_request_get_evhttp_uri(req);
	const char		*query, *keep = NULL;
	struct form		 form;
	int			 ret = 0;

	if ((query = evhttp_uri_get_query(uri)) == NULL)
		return (0);
	if (form_parse(&form, query, strlen(query)) == 0 &&
	    form_get(&form, "keep", &keep) > 0)
		ret = keep != NULL && strcmp(keep, "1") == 0;
	form_clear(&form);
	return (ret);
}

/* A path of ours as a URL. */
static void
url(yajl_gen g, const char *key, const char *path)
{
	char	 text[128];

	snprintf(text, sizeof(text), "%s%s", server.url, path);
	json_out_str(g, key, text);
}

/* An array of what is not NULL. */
static void
list(yajl_gen g, const char *key, const char *first, const char *second)
{
	json_out_array(g, key);
	if (first != NULL)
		json_out_str(g, NULL, first);
	if (second != NULL)
		json_out_str(g, NULL, second);
	json_out_array_end(g);
}
