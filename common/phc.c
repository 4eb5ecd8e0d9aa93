/*
 * Encoded argon2id hashes, read strictly.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base64url.h"
#include "common/phc.h"

/* What is left to read. */
struct text {
	const char	*p;
	size_t		 len;
};

static int	 take(struct text *, const char *);
static int	 number(struct text *, uint32_t *);
static int	 bytes(struct text *, uint32_t, uint32_t, uint8_t *,
		    uint32_t *);
static const char *costs(struct text *, struct phc *);

const char *
phc_parse(const char *s, size_t len, struct phc *h)
{
	struct text	 t = { s, len };
	const char	*why;

	memset(h, 0, sizeof(*h));
	take(&t, "$");
	if (!take(&t, "argon2id$"))
		return ("argon2id$v=19$m=...,t=...,p=...$SALT$HASH");
	if (!take(&t, "v=19$"))
		return ("version 19 of argon2id: argon2id$v=19$...");
	if ((why = costs(&t, h)) == NULL &&
	    (!bytes(&t, PHC_SALT_MIN, PHC_SALT_MAX, h->salt, &h->salt_len) ||
	    !take(&t, "$")))
		why = "a salt of 8 to 64 bytes in base64 without padding";
	if (why == NULL && (!bytes(&t, PHC_HASH_MIN, PHC_HASH_MAX, h->hash,
	    &h->hash_len) || t.len > 0))
		why = "a hash of 16 to 64 bytes in base64 without padding, "
		    "and nothing behind it";
	if (why != NULL)
		explicit_bzero(h, sizeof(*h));
	return (why);
}

/* "m=65536,t=3,p=2$", in this order (as all implementations write it). */
static const char *
costs(struct text *t, struct phc *h)
{
	if (!take(t, "m=") || !number(t, &h->memory) || !take(t, ",t=") ||
	    !number(t, &h->passes) || !take(t, ",p=") ||
	    !number(t, &h->lanes) || !take(t, "$"))
		return ("costs as m=65536,t=3,p=2");
	if (h->lanes < 1 || h->lanes > PHC_LANES_MAX)
		return ("p, the lanes, to be at least 1");
	if (h->passes < 1)
		return ("t, the passes, to be at least 1");
	if (h->memory / 8 < h->lanes)
		return ("m, the memory, to be at least 8 KiB for each lane");
	return (NULL);
}

static int
take(struct text *t, const char *s)
{
	size_t	 n = strlen(s);

	if (t->len < n || memcmp(t->p, s, n) != 0)
		return (0);
	t->p += n;
	t->len -= n;
	return (1);
}

/* Decimal, 32 bits, no leading zero: one number has one spelling. */
static int
number(struct text *t, uint32_t *v)
{
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < t->len && t->p[i] >= '0' && t->p[i] <= '9'; i++)
		if ((n = n * 10 + (uint64_t)(t->p[i] - '0')) > UINT32_MAX)
			return (0);
	if (i == 0 || (i > 1 && t->p[0] == '0'))
		return (0);
	t->p += i;
	t->len -= i;
	*v = (uint32_t)n;
	return (1);
}

/* base64 up to the next '$' or the end. */
static int
bytes(struct text *t, uint32_t min, uint32_t max, uint8_t *out,
    uint32_t *len)
{
	uint8_t		 buf[PHC_HASH_MAX + 2];
	const char	*end = memchr(t->p, '$', t->len);
	size_t		 n = end == NULL ? t->len : (size_t)(end - t->p);
	ssize_t		 got;

	/* as long as the longest value, not a character more */
	if (n > ((size_t)max * 4 + 2) / 3 ||
	    (got = base64_decode(t->p, n, buf)) < (ssize_t)min)
		return (0);
	memcpy(out, buf, (size_t)got);
	explicit_bzero(buf, sizeof(buf));
	*len = (uint32_t)got;
	t->p += n;
	t->len -= n;
	return (1);
}

char *
phc_format(const struct phc *h, char buf[PHC_STRLEN])
{
	char	 salt[(PHC_SALT_MAX * 4 + 2) / 3 + 1];
	char	 hash[(PHC_HASH_MAX * 4 + 2) / 3 + 1];

	base64_encode(h->salt, h->salt_len, salt);
	base64_encode(h->hash, h->hash_len, hash);
	(void)snprintf(buf, PHC_STRLEN, "argon2id$v=19$m=%" PRIu32 ",t=%"
	    PRIu32 ",p=%" PRIu32 "$%s$%s", h->memory, h->passes, h->lanes,
	    salt, hash);
	return (buf);
}
