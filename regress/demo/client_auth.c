/*
 * Client authentication at the token endpoint.
 */
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "regress/demo/client_auth.h"

#define BASIC_MAX	512	/* base64 of id:secret */

static int	 basic(const char *);
static int	 basic_pair(char *, size_t);
static int	 is_client(const char *, const char *);
static int	 same(const char *, const char *);

enum client_auth
client_auth_check(const char *authorization, const struct form *form)
{
	const char	*id, *secret;
	size_t		 nid, nsecret;

	nid = form_get(form, "client_id", &id);
	nsecret = form_get(form, "client_secret", &secret);
	if (nid > 1 || nsecret > 1 || (nsecret > 0 && authorization != NULL))
		return (CLIENT_AUTH_TWICE);
	if (authorization != NULL) {
		if (!basic(authorization) ||
		    (id != NULL && !same(id, CLIENT_ID)))
			return (CLIENT_AUTH_NO);
		return (CLIENT_AUTH_OK);
	}
	if (id == NULL || secret == NULL || !is_client(id, secret))
		return (CLIENT_AUTH_NO);
	return (CLIENT_AUTH_OK);
}

/* RFC 7617 section 2. */
static int
basic(const char *value)
{
	char	 plain[BASIC_MAX];
	size_t	 len;
	int	 n, ok = 0;

	if (strncasecmp(value, "Basic ", 6) != 0)
		return (0);
	value += 6 + strspn(value + 6, " ");
	len = strlen(value);
	if (len == 0 || len % 4 != 0 || len > BASIC_MAX)
		return (0);
	n = EVP_DecodeBlock((unsigned char *)plain,
	    (const unsigned char *)value, (int)len);
	/* what stands for padding has been counted */
	if (n > 0 && value[len - 1] == '=')
		n--;
	if (n > 0 && value[len - 2] == '=')
		n--;
	if (n > 0)
		ok = basic_pair(plain, (size_t)n);
	explicit_bzero(plain, sizeof(plain));
	return (ok);
}

/* id:secret, each encoded as in a form (RFC 6749 section 2.3.1). */
static int
basic_pair(char *plain, size_t len)
{
	char	*colon, id[BASIC_MAX], secret[BASIC_MAX];
	size_t	 idlen;
	int	 ok;

	if ((colon = memchr(plain, ':', len)) == NULL)
		return (0);
	idlen = (size_t)(colon - plain);
	ok = form_decode(plain, idlen, id) == 0 &&
	    form_decode(colon + 1, len - idlen - 1, secret) == 0 &&
	    is_client(id, secret);
	explicit_bzero(secret, sizeof(secret));
	return (ok);
}

static int
is_client(const char *id, const char *secret)
{
	return (same(id, CLIENT_ID) & same(secret, CLIENT_SECRET));
}

/* In a time that does not tell how much of it was right. */
static int
same(const char *a, const char *b)
{
	size_t	 len = strlen(b);

	return (strlen(a) == len && CRYPTO_memcmp(a, b, len) == 0);
}
