/*
 * Names for the record.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>

#include "common/identity.h"

#define HASH_BYTES	16	/* of the hash that are shown */

static int	 hash(const struct identity *, const char *, uint8_t[32]);

int
identity_init(struct identity *id, const struct worker_conf *c)
{
	static const char	 purpose[] = "mcpgw audit.identity";
	unsigned		 n = 0;

	memset(id, 0, sizeof(*id));
	id->mode = c->identity;
	id->keyed = c->session_secret_set;
	/* a key of its own: what is said here helps nobody with sessions */
	if (id->keyed && (HMAC(EVP_sha256(), c->session_secret,
	    sizeof(c->session_secret), (const unsigned char *)purpose,
	    sizeof(purpose) - 1, id->key, &n) == NULL ||
	    n != sizeof(id->key)))
		return (-1);
	return (0);
}

size_t
identity_name(const struct identity *id, const char *s,
    char out[IDENTITY_MAX + 1])
{
	static const char	 hex[] = "0123456789abcdef";
	uint8_t			 h[32];
	size_t			 i, n;

	out[0] = '\0';
	if (s == NULL || *s == '\0' || id->mode == CONF_IDENTITY_NONE)
		return (0);
	if (id->mode == CONF_IDENTITY_FULL) {
		n = strnlen(s, IDENTITY_MAX);
		memcpy(out, s, n);
		out[n] = '\0';
		return (n);
	}
	if (hash(id, s, h) == -1)
		return (0);
	n = strlcpy(out, id->keyed ? "hmac-sha256:" : "sha256:",
	    IDENTITY_MAX);
	for (i = 0; i < HASH_BYTES; i++) {
		out[n++] = hex[h[i] >> 4];
		out[n++] = hex[h[i] & 15];
	}
	out[n] = '\0';
	return (n);
}

static int
hash(const struct identity *id, const char *s, uint8_t out[32])
{
	unsigned	 n = 0;
	size_t		 len = 0;

	if (id->keyed)
		return (HMAC(EVP_sha256(), id->key, sizeof(id->key),
		    (const unsigned char *)s, strlen(s), out, &n) != NULL &&
		    n == 32 ? 0 : -1);
	return (EVP_Q_digest(NULL, "SHA256", NULL, s, strlen(s), out,
	    &len) == 1 && len == 32 ? 0 : -1);
}
