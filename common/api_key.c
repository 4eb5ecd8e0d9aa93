/*
 * Keys of our own: their form, and new ones.
 */
#include <sys/random.h>

#include <stdint.h>
#include <string.h>

#include "common/api_key.h"
#include "common/log.h"

#define HEAD		"mcpgw_live_"
#define HEAD_LEN	11
#define SECRET_LEN	43	/* 43 digits of base 62: 256.03 bits */
#define SUM_LEN		6
#define SECRET_AT	(HEAD_LEN + API_KEY_PREFIX_LEN + 1)
#define SUM_AT		(SECRET_AT + SECRET_LEN + 1)

_Static_assert(SUM_AT + SUM_LEN == API_KEY_LEN, "form of a key");

static const char	 digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz";

static int	 all_digits(const char *, size_t);
static uint32_t	 crc32(const char *, size_t);
static void	 checksum(const char *, char[SUM_LEN]);
static void	 random_digits(char *, size_t);

enum api_key_form
api_key_form(const char *s, size_t len, char prefix[API_KEY_PREFIX_LEN + 1])
{
	char	 sum[SUM_LEN];

	if (len < HEAD_LEN || memcmp(s, HEAD, HEAD_LEN) != 0)
		return (API_KEY_OPAQUE);
	if (len != API_KEY_LEN || s[SECRET_AT - 1] != '_' ||
	    s[SUM_AT - 1] != '_' ||
	    !all_digits(s + HEAD_LEN, API_KEY_PREFIX_LEN) ||
	    !all_digits(s + SECRET_AT, SECRET_LEN))
		return (API_KEY_BAD);
	checksum(s, sum);
	if (memcmp(sum, s + SUM_AT, SUM_LEN) != 0)
		return (API_KEY_BAD);
	memcpy(prefix, s + HEAD_LEN, API_KEY_PREFIX_LEN);
	prefix[API_KEY_PREFIX_LEN] = '\0';
	return (API_KEY_OURS);
}

void
api_key_make(char key[API_KEY_LEN + 1])
{
	memcpy(key, HEAD, HEAD_LEN);
	random_digits(key + HEAD_LEN, API_KEY_PREFIX_LEN);
	key[SECRET_AT - 1] = '_';
	random_digits(key + SECRET_AT, SECRET_LEN);
	key[SUM_AT - 1] = '_';
	checksum(key, key + SUM_AT);
	key[API_KEY_LEN] = '\0';
}

int
api_key_prefix_ok(const char *s)
{
	return (strlen(s) == API_KEY_PREFIX_LEN &&
	    all_digits(s, API_KEY_PREFIX_LEN));
}

static int
all_digits(const char *s, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (s[i] == '\0' || strchr(digits, s[i]) == NULL)
			return (0);
	return (1);
}

/* ISO 3309, as in zlib and Ethernet: others can check keys with what their
 * language brings. */
static uint32_t
crc32(const char *s, size_t n)
{
	uint32_t	 c = 0xffffffff;
	size_t		 i;
	int		 bit;

	for (i = 0; i < n; i++) {
		c ^= (unsigned char)s[i];
		for (bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return (~c);
}

/* Of everything before the last '_', most significant digit first. */
static void
checksum(const char *key, char sum[SUM_LEN])
{
	uint32_t	 c = crc32(key, SUM_AT - 1);
	size_t		 i;

	for (i = SUM_LEN; i > 0; i--) {
		sum[i - 1] = digits[c % 62];
		c /= 62;
	}
}

/* Every digit equally likely: bytes beyond a multiple of 62 are thrown
 * away. */
static void
random_digits(char *out, size_t n)
{
	uint8_t	 byte;

	while (n > 0) {
		if (getrandom(&byte, 1, 0) != 1)
			fatal("getrandom");
		if (byte >= 62 * 4)
			continue;
		*out++ = digits[byte % 62];
		n--;
	}
	explicit_bzero(&byte, sizeof(byte));
}
