/*
 * A small authorization server for the demo and the tests: client_credentials
 * (RFC 6749 section 4.4), JWT access tokens (RFC 9068), JWKS, metadata (RFC
 * 8414), and key rotation on demand.
 */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base64url.h"
#include "regress/demo/serve.h"

#define CLIENT_ID	"demo-client"
#define CLIENT_SECRET	"demo-secret"
#define KEYS_MAX	16
#define TEXT_MAX	4096

enum kind { RS256, ES256 };

struct key {
	enum kind	 kind;
	EVP_PKEY	*pkey;
	char		 kid[32];
};

static struct key	 keys[KEYS_MAX];	/* newest first */
static size_t		 nkeys;
static unsigned		 serial;
static const char	*audience = "mcpgw-prod";
static const char	*issuer;
static char		*url;

static void	 add_key(enum kind);
static void	 rotate(int);
static char	*number64(const struct key *, const char *, size_t);
static size_t	 jwk_json(const struct key *, char *, size_t);
static void	 on_jwks(struct evhttp_request *, void *);
static void	 on_metadata(struct evhttp_request *, void *);
static void	 on_rotate(struct evhttp_request *, void *);
static void	 on_token(struct evhttp_request *, void *);
static int	 client_ok(struct evhttp_request *, struct evkeyvalq *);
static char	*mint(const struct key *, const char *, const char *, long);
static size_t	 sign(const struct key *, const char *, size_t, uint8_t *);
static void	 oauth_error(struct evhttp_request *, int, const char *,
		    const char *);
static int	 plain(const char *);

int
main(int argc, char *argv[])
{
	struct event_base	*base;
	struct evhttp		*http;
	const char		*where = "127.0.0.1:0";
	char			*own_issuer;
	int			 ch;

	while ((ch = getopt(argc, argv, "a:i:l:")) != -1) {
		switch (ch) {
		case 'a':
			audience = optarg;
			break;
		case 'i':
			issuer = optarg;
			break;
		case 'l':
			where = optarg;
			break;
		default:
			fprintf(stderr, "usage: demo-as [-a audience] "
			    "[-i issuer] [-l address:port]\n");
			return (1);
		}
	}
	rotate(0);
	if ((base = event_base_new()) == NULL)
		errx(1, "event_base_new");
	http = serve_listen(base, where, &url);
	if (asprintf(&own_issuer, "%s/", url) == -1)
		err(1, NULL);
	if (issuer == NULL)
		issuer = own_issuer;
	evhttp_set_cb(http, "/oauth/token", on_token, NULL);
	evhttp_set_cb(http, "/.well-known/jwks.json", on_jwks, NULL);
	evhttp_set_cb(http, "/.well-known/oauth-authorization-server",
	    on_metadata, NULL);
	evhttp_set_cb(http, "/.well-known/openid-configuration", on_metadata,
	    NULL);
	evhttp_set_cb(http, "/admin/rotate", on_rotate, NULL);
	serve_loop(base);
	evhttp_free(http);
	event_base_free(base);
	rotate(-1);
	free(own_issuer);
	free(url);
	return (0);
}

static void
add_key(enum kind kind)
{
	struct key	*k = &keys[nkeys++];

	k->kind = kind;
	k->pkey = kind == RS256 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	if (k->pkey == NULL)
		errx(1, "cannot make a key");
	snprintf(k->kid, sizeof(k->kid), "%s-%u",
	    kind == RS256 ? "rsa" : "ec", serial);
}

/* New keys in front; the old ones go unless keep.  keep -1: all go. */
static void
rotate(int keep)
{
	struct key	 old[KEYS_MAX];
	size_t		 n = nkeys, i;

	memcpy(old, keys, sizeof(old));
	nkeys = 0;
	if (keep >= 0) {
		serial++;
		add_key(RS256);
		add_key(ES256);
	}
	for (i = 0; i < n; i++) {
		if (keep == 1 && nkeys < KEYS_MAX)
			keys[nkeys++] = old[i];
		else
			EVP_PKEY_free(old[i].pkey);
	}
}

/* A BIGNUM parameter of a key, in base64url, padded to size bytes. */
static char *
number64(const struct key *k, const char *name, size_t size)
{
	BIGNUM	*bn = NULL;
	uint8_t	 raw[512];
	char	*text;
	int	 n;

	if (EVP_PKEY_get_bn_param(k->pkey, name, &bn) != 1)
		errx(1, "key has no %s", name);
	n = BN_num_bytes(bn);
	if (size == 0)
		size = (size_t)n;
	if ((text = malloc(size * 2 + 8)) == NULL || size > sizeof(raw) ||
	    BN_bn2binpad(bn, raw, (int)size) == -1)
		errx(1, "key is too large");
	base64url_encode(raw, size, text);
	BN_free(bn);
	return (text);
}

static size_t
jwk_json(const struct key *k, char *out, size_t size)
{
	char	*a, *b;
	int	 n;

	if (k->kind == RS256) {
		a = number64(k, OSSL_PKEY_PARAM_RSA_N, 0);
		b = number64(k, OSSL_PKEY_PARAM_RSA_E, 0);
		n = snprintf(out, size, "{\"kty\":\"RSA\",\"use\":\"sig\","
		    "\"alg\":\"RS256\",\"kid\":\"%s\",\"n\":\"%s\","
		    "\"e\":\"%s\"}", k->kid, a, b);
	} else {
		a = number64(k, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		b = number64(k, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
		n = snprintf(out, size, "{\"kty\":\"EC\",\"use\":\"sig\","
		    "\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"%s\","
		    "\"x\":\"%s\",\"y\":\"%s\"}", k->kid, a, b);
	}
	free(a);
	free(b);
	if (n < 0 || (size_t)n >= size)
		errx(1, "JWKS is too large");
	return ((size_t)n);
}

static void
on_jwks(struct evhttp_request *req, void *arg)
{
	static char	 text[KEYS_MAX * 1024];
	size_t		 n, i;

	(void)arg;
	n = (size_t)snprintf(text, sizeof(text), "{\"keys\":[");
	for (i = 0; i < nkeys; i++) {
		if (i > 0)
			text[n++] = ',';
		n += jwk_json(&keys[i], text + n, sizeof(text) - n - 8);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "]}\n");
	serve_reply(req, 200, "application/json", text, n);
}

static void
on_metadata(struct evhttp_request *req, void *arg)
{
	char	 text[TEXT_MAX];
	int	 n;

	(void)arg;
	n = snprintf(text, sizeof(text), "{\"issuer\":\"%s\","
	    "\"token_endpoint\":\"%s/oauth/token\","
	    "\"jwks_uri\":\"%s/.well-known/jwks.json\","
	    "\"scopes_supported\":[\"mcp:read\",\"mcp:write\"],"
	    "\"response_types_supported\":[],"
	    "\"grant_types_supported\":[\"client_credentials\"],"
	    "\"token_endpoint_auth_methods_supported\":"
	    "[\"client_secret_post\",\"client_secret_basic\"]}\n",
	    issuer, url, url);
	serve_reply(req, 200, "application/json", text, (size_t)n);
}

static void
on_rotate(struct evhttp_request *req, void *arg)
{
	const char	*query;

	(void)arg;
	if (evhttp_request_get_command(req) != EVHTTP_REQ_POST) {
		serve_reply(req, 405, "text/plain", "POST only\n", 10);
		return;
	}
	query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	rotate(query != NULL && strcmp(query, "keep=1") == 0);
	serve_reply(req, 200, "text/plain", "rotated\n", 8);
}

static void
oauth_error(struct evhttp_request *req, int status, const char *error,
    const char *text)
{
	char	 body[512];
	int	 n;

	n = snprintf(body, sizeof(body), "{\"error\":\"%s\","
	    "\"error_description\":\"%s\"}\n", error, text);
	if (status == 401)
		evhttp_add_header(evhttp_request_get_output_headers(req),
		    "WWW-Authenticate", "Basic realm=\"demo-as\"");
	serve_reply(req, status, "application/json", body, (size_t)n);
}

/* Only what needs no escaping goes into a token. */
static int
plain(const char *s)
{
	return (strlen(s) < 512 && strpbrk(s, "\"\\") == NULL &&
	    strspn(s, " !#$%&'()*+,-./0123456789:;<=>?@"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
	    == strlen(s));
}

/* client_secret_post or client_secret_basic. */
static int
client_ok(struct evhttp_request *req, struct evkeyvalq *form)
{
	const char	*id = evhttp_find_header(form, "client_id");
	const char	*secret = evhttp_find_header(form, "client_secret");
	const char	*basic;

	basic = evhttp_find_header(evhttp_request_get_input_headers(req),
	    "Authorization");
	/* demo-client:demo-secret */
	if (basic != NULL && id == NULL)
		return (strcmp(basic,
		    "Basic ZGVtby1jbGllbnQ6ZGVtby1zZWNyZXQ=") == 0);
	return (id != NULL && secret != NULL && strcmp(id, CLIENT_ID) == 0 &&
	    strcmp(secret, CLIENT_SECRET) == 0);
}

static void
on_token(struct evhttp_request *req, void *arg)
{
	struct evkeyvalq	 form;
	const char		*grant, *aud, *scope, *alg, *expires;
	char			*body, *token, answer[TEXT_MAX];
	size_t			 len, i;
	long			 ttl = 3600;
	int			 n;

	(void)arg;
	body = serve_body(req, &len);
	if (evhttp_request_get_command(req) != EVHTTP_REQ_POST ||
	    evhttp_parse_query_str(body, &form) == -1) {
		free(body);
		oauth_error(req, 400, "invalid_request", "POST a form");
		return;
	}
	free(body);
	grant = evhttp_find_header(&form, "grant_type");
	scope = evhttp_find_header(&form, "scope");
	alg = evhttp_find_header(&form, "alg");
	expires = evhttp_find_header(&form, "expires_in");
	if ((aud = evhttp_find_header(&form, "audience")) == NULL &&
	    (aud = evhttp_find_header(&form, "resource")) == NULL)
		aud = audience;
	scope = scope == NULL ? "" : scope;
	if (expires != NULL)
		ttl = atol(expires);
	for (i = 0; i < nkeys; i++)
		if (keys[i].kind == (alg != NULL &&
		    strcmp(alg, "ES256") == 0 ? ES256 : RS256))
			break;
	if (!client_ok(req, &form))
		oauth_error(req, 401, "invalid_client", "who are you");
	else if (grant == NULL || strcmp(grant, "client_credentials") != 0)
		oauth_error(req, 400, "unsupported_grant_type",
		    "client_credentials only");
	else if (!plain(aud) || !plain(scope) || i == nkeys)
		oauth_error(req, 400, "invalid_request", "not plain text");
	else {
		token = mint(&keys[i], aud, scope, ttl);
		n = snprintf(answer, sizeof(answer), "{\"access_token\":"
		    "\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%ld,"
		    "\"scope\":\"%s\"}\n", token, ttl, scope);
		free(token);
		evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Cache-Control", "no-store");
		serve_reply(req, 200, "application/json", answer, (size_t)n);
	}
	evhttp_clear_headers(&form);
}

/* A JWT access token (RFC 9068 section 2). */
static char *
mint(const struct key *k, const char *aud, const char *scope, long ttl)
{
	char	 header[128], claims[2048], *token;
	uint8_t	 jti[12], sig[512];
	char	 id[32];
	time_t	 now = time(NULL);
	size_t	 n;
	int	 hlen, clen;

	if (RAND_bytes(jti, sizeof(jti)) != 1)
		errx(1, "RAND_bytes");
	base64url_encode(jti, sizeof(jti), id);
	hlen = snprintf(header, sizeof(header), "{\"typ\":\"at+jwt\","
	    "\"alg\":\"%s\",\"kid\":\"%s\"}",
	    k->kind == RS256 ? "RS256" : "ES256", k->kid);
	clen = snprintf(claims, sizeof(claims), "{\"iss\":\"%s\","
	    "\"aud\":\"%s\",\"sub\":\"%s\",\"client_id\":\"%s\","
	    "\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\",\"scope\":\"%s\"}",
	    issuer, aud, CLIENT_ID, CLIENT_ID, (long long)now,
	    (long long)now + ttl, id, scope);
	if (clen < 0 || (size_t)clen >= sizeof(claims) ||
	    (token = malloc(TEXT_MAX * 2)) == NULL)
		errx(1, "token is too large");
	n = base64url_encode((uint8_t *)header, (size_t)hlen, token);
	token[n++] = '.';
	n += base64url_encode((uint8_t *)claims, (size_t)clen, token + n);
	hlen = (int)sign(k, token, n, sig);
	token[n++] = '.';
	base64url_encode(sig, (size_t)hlen, token + n);
	return (token);
}

static size_t
sign(const struct key *k, const char *text, size_t len, uint8_t *out)
{
	const unsigned char	*p;
	unsigned char		 der[512];
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	ECDSA_SIG		*s;
	size_t			 n = sizeof(der);

	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
	    k->pkey) != 1 || EVP_DigestSign(ctx, der, &n,
	    (const unsigned char *)text, len) != 1)
		errx(1, "cannot sign");
	EVP_MD_CTX_free(ctx);
	if (k->kind == RS256) {
		memcpy(out, der, n);
		return (n);
	}
	p = der;
	if ((s = d2i_ECDSA_SIG(NULL, &p, (long)n)) == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(s), out, 32) == -1 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 32, 32) == -1)
		errx(1, "cannot sign");
	ECDSA_SIG_free(s);
	return (64);
}
