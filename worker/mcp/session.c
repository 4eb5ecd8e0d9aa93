/*
 * HMAC-SHA256 under the configured secret.  Lengths go before all values, so
 * that no two identities have the same bytes.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/log.h"
#include "worker/mcp/session.h"

#define FORMAT		1
#define SERVER_LEN	8
#define MAC_LEN		32
#define HEADER_LEN	(1 + SERVER_LEN + MAC_LEN)
#define CODED_LEN	((HEADER_LEN * 4 + 2) / 3)

/* Who: one byte in the MAC. */
enum { NOBODY, TOKEN, API_KEY, ONE_TOKEN };

static const struct worker_conf	*conf;
static EVP_MAC			*hmac;
static EVP_MAC_CTX		*keyed;
static uint8_t			(**server_ids)[SERVER_LEN];
static char			 pseudonym[64];

static EVP_MAC_CTX *begin(const char *);
static void	 add(EVP_MAC_CTX *, const void *, size_t, int *);
static int	 end(EVP_MAC_CTX *, int, uint8_t[MAC_LEN]);
static int	 mac_of(const struct session_owner *, size_t, struct slice,
		    const uint8_t[SERVER_LEN], uint8_t[MAC_LEN]);
static void	 forget(void);
static void	 name_gateway(void);
static void	 server_id(const struct conf_upstream *,
		    const struct conf_server *, uint8_t[SERVER_LEN]);

void
session_setup(const struct worker_conf *c)
{
	OSSL_PARAM	 params[2] = { OSSL_PARAM_construct_utf8_string(
			    "digest", (char *)(uintptr_t)"SHA256", 0),
			    OSSL_PARAM_construct_end() };
	size_t		 i, j;

	forget();
	conf = c;
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	keyed = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	if (keyed == NULL || EVP_MAC_init(keyed, c->session_secret,
	    sizeof(c->session_secret), params) != 1 ||
	    (server_ids = calloc(c->nupstreams, sizeof(*server_ids))) == NULL)
		fatalx("session_setup");
	for (i = 0; i < c->nupstreams; i++) {
		server_ids[i] = calloc(c->upstreams[i].nservers, SERVER_LEN);
		if (server_ids[i] == NULL)
			fatalx("session_setup");
		for (j = 0; j < c->upstreams[i].nservers; j++)
			server_id(&c->upstreams[i],
			    &c->upstreams[i].servers[j], server_ids[i][j]);
	}
	name_gateway();
}

/* What an earlier configuration had. */
static void
forget(void)
{
	size_t	 i;

	for (i = 0; conf != NULL && i < conf->nupstreams; i++)
		free(server_ids[i]);
	free(server_ids);
	EVP_MAC_CTX_free(keyed);
	EVP_MAC_free(hmac);
}

/* By its upstreams, too: of two that stand one behind the other and have the
 * same secret, each leads elsewhere. */
static void
name_gateway(void)
{
	EVP_MAC_CTX	*m = begin("via");
	uint8_t		 mac[MAC_LEN];
	size_t		 i;
	int		 ok = m != NULL;

	for (i = 0; i < conf->nupstreams; i++)
		add(m, server_ids[i], conf->upstreams[i].nservers *
		    SERVER_LEN, &ok);
	if (end(m, ok, mac) == -1)
		fatalx("session_setup");
	(void)snprintf(pseudonym, sizeof(pseudonym),
	    "mcpgw-%02x%02x%02x%02x%02x%02x%02x%02x", mac[0], mac[1], mac[2],
	    mac[3], mac[4], mac[5], mac[6], mac[7]);
}

const char *
session_pseudonym(void)
{
	return (pseudonym);
}

/* By its URL: the same in every generation, whatever its place in the list. */
static void
server_id(const struct conf_upstream *u, const struct conf_server *s,
    uint8_t id[SERVER_LEN])
{
	EVP_MAC_CTX	*m = begin("server");
	uint8_t		 mac[MAC_LEN];
	int		 ok = m != NULL;

	add(m, u->name, strlen(u->name), &ok);
	add(m, s->tls ? "https" : "http", s->tls ? 5 : 4, &ok);
	add(m, s->authority, strlen(s->authority), &ok);
	add(m, s->path, strlen(s->path), &ok);
	if (s->query != NULL)
		add(m, s->query, strlen(s->query), &ok);
	if (end(m, ok, mac) == -1)
		fatalx("session_setup");
	memcpy(id, mac, SERVER_LEN);
}

int
session_open(const struct session_owner *owner, size_t upstream,
    struct slice v, struct slice *id, size_t *server)
{
	const struct conf_upstream *u = &conf->upstreams[upstream];
	uint8_t		 header[HEADER_LEN + 2], mac[MAC_LEN];
	size_t		 i;

	if (v.len <= CODED_LEN + 1 || v.p[CODED_LEN] != '.' ||
	    v.len > CODED_LEN + 1 + SESSION_ID_MAX ||
	    base64url_decode(v.p, CODED_LEN, header) != HEADER_LEN ||
	    header[0] != FORMAT)
		return (-1);
	id->p = v.p + CODED_LEN + 1;
	id->len = v.len - CODED_LEN - 1;
	if (mac_of(owner, upstream, *id, header + 1, mac) == -1 ||
	    CRYPTO_memcmp(mac, header + 1 + SERVER_LEN, MAC_LEN) != 0)
		return (-1);
	for (i = 0; i < u->nservers; i++)
		if (memcmp(server_ids[upstream][i], header + 1,
		    SERVER_LEN) == 0) {
			*server = i;
			return (0);
		}
	return (-1);
}

int
session_seal(const struct session_owner *owner, size_t upstream,
    struct slice id, size_t server, struct buf *out)
{
	uint8_t	 header[HEADER_LEN];
	char	 coded[CODED_LEN + 2];
	size_t	 i;

	if (id.len == 0 || id.len > SESSION_ID_MAX)
		return (-1);
	for (i = 0; i < id.len; i++)
		if (id.p[i] <= 0x20 || id.p[i] >= 0x7f)
			return (-1);
	header[0] = FORMAT;
	memcpy(header + 1, server_ids[upstream][server], SERVER_LEN);
	if (mac_of(owner, upstream, id, header + 1,
	    header + 1 + SERVER_LEN) == -1)
		return (-1);
	base64url_encode(header, sizeof(header), coded);
	buf_append(out, coded, CODED_LEN);
	buf_append(out, ".", 1);
	buf_append(out, id.p, id.len);
	return (buf_check(out));
}

/* Not of the token, which changes at every refresh; unless it names nobody,
 * for then it is all that tells its bearer from others. */
static int
mac_of(const struct session_owner *o, size_t upstream, struct slice id,
    const uint8_t server[SERVER_LEN], uint8_t mac[MAC_LEN])
{
	EVP_MAC_CTX	*m = begin("session");
	const char	*name = conf->upstreams[upstream].name;
	uint8_t		 who = o->key_mark != NULL ? API_KEY :
			    o->token.p != NULL ? ONE_TOKEN :
			    o->judged ? TOKEN : NOBODY;
	int		 ok = m != NULL;

	add(m, name, strlen(name), &ok);
	add(m, server, SERVER_LEN, &ok);
	add(m, id.p, id.len, &ok);
	add(m, &who, 1, &ok);
	if (who == API_KEY) {
		/* its id alone would be inherited with the name */
		add(m, o->key_id.p, o->key_id.len, &ok);
		add(m, o->key_mark, CONF_MARK_LEN, &ok);
	}
	if (who == ONE_TOKEN)
		add(m, o->token.p, o->token.len, &ok);
	if (who == TOKEN) {
		/* memory failed: it would be everybody's */
		if (o->client_id.len == 0 && o->sub.len == 0)
			ok = 0;
		add(m, conf->oauth.issuer, strlen(conf->oauth.issuer), &ok);
		add(m, o->client_id.p, o->client_id.len, &ok);
		add(m, o->sub.p, o->sub.len, &ok);
	}
	return (end(m, ok, mac));
}

/* A MAC that begins with what it is for. */
static EVP_MAC_CTX *
begin(const char *purpose)
{
	EVP_MAC_CTX	*m = EVP_MAC_CTX_dup(keyed);
	int		 ok = m != NULL;

	add(m, purpose, strlen(purpose), &ok);
	if (!ok) {
		EVP_MAC_CTX_free(m);
		return (NULL);
	}
	return (m);
}

static void
add(EVP_MAC_CTX *m, const void *p, size_t len, int *ok)
{
	uint8_t	 n[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		    (uint8_t)(len >> 8), (uint8_t)len };

	if (*ok && (EVP_MAC_update(m, n, sizeof(n)) != 1 ||
	    (len > 0 && EVP_MAC_update(m, p, len) != 1)))
		*ok = 0;
}

static int
end(EVP_MAC_CTX *m, int ok, uint8_t mac[MAC_LEN])
{
	size_t	 n = 0;

	if (ok && (EVP_MAC_final(m, mac, &n, MAC_LEN) != 1 || n != MAC_LEN))
		ok = 0;
	EVP_MAC_CTX_free(m);
	return (ok ? 0 : -1);
}
