/*
 * JWT access tokens: RFC 9068 section 2, RFC 7515 section 3.1.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base64url.h"
#include "regress/demo/access_token.h"
#include "regress/demo/json_out.h"

static yajl_gen	 header(const struct key *);
static yajl_gen	 claims(const struct access_token *);
static char	*put(char *, yajl_gen);

char *
access_token_sign(const struct access_token *t, const struct key *k)
{
	yajl_gen	 h = header(k), c = claims(t);
	char		*text, *p;
	uint8_t		 sig[KEYS_SIG_MAX];
	size_t		 hlen, clen;
	ssize_t		 n;

	json_out_text(h, &hlen);
	json_out_text(c, &clen);
	if ((text = malloc((hlen + clen + sizeof(sig)) * 4 / 3 + 16)) == NULL)
		err(1, NULL);
	p = put(text, h);
	*p++ = '.';
	p = put(p, c);
	if ((n = keys_sign(k, text, (size_t)(p - text), sig)) == -1) {
		free(text);
		return (NULL);
	}
	*p++ = '.';
	base64url_encode(sig, (size_t)n, p);
	return (text);
}

static yajl_gen
header(const struct key *k)
{
	yajl_gen	 g = json_out_new();

	json_out_map(g, NULL);
	json_out_str(g, "alg", keys_alg(k));
	json_out_str(g, "typ", "at+jwt");
	json_out_str(g, "kid", keys_kid(k));
	json_out_map_end(g);
	return (g);
}

static yajl_gen
claims(const struct access_token *t)
{
	yajl_gen	 g = json_out_new();
	uint8_t		 r[16];
	char		 jti[sizeof(r) * 2];
	size_t		 i;

	if (getentropy(r, sizeof(r)) == -1)
		err(1, "getentropy");
	base64url_encode(r, sizeof(r), jti);
	json_out_map(g, NULL);
	json_out_str(g, "iss", t->issuer);
	json_out_str(g, "sub", t->client_id);
	if (t->naud == 1) {
		json_out_str(g, "aud", t->aud[0]);
	} else {
		json_out_array(g, "aud");
		for (i = 0; i < t->naud; i++)
			json_out_str(g, NULL, t->aud[i]);
		json_out_array_end(g);
	}
	json_out_str(g, "client_id", t->client_id);
	json_out_int(g, "iat", t->iat);
	json_out_int(g, "exp", t->exp);
	json_out_str(g, "jti", jti);
	if (t->scope != NULL)
		json_out_str(g, "scope", t->scope);
	json_out_map_end(g);
	return (g);
}

/* Append in base64url, free g; returns the new end. */
static char *
put(char *p, yajl_gen g)
{
	const char	*text;
	size_t		 len;

	text = json_out_text(g, &len);
	p += base64url_encode((const uint8_t *)text, len, p);
	yajl_gen_free(g);
	return (p);
}
