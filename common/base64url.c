/*
 * base64url and base64, strict: two alphabets, one reading.
 */
#include "common/base64url.h"

/* Digits 62 and 63. */
static const char	 url_ends[2] = { '-', '_' };
static const char	 std_ends[2] = { '+', '/' };

static int	 value_of(unsigned char, const char *);
static char	 digit(uint32_t, const char *);
static ssize_t	 decode(const char *, size_t, uint8_t *, const char *);
static size_t	 encode(const uint8_t *, size_t, char *, const char *);

static int
value_of(unsigned char c, const char *ends)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	return (c == (unsigned char)ends[0] ? 62 :
	    c == (unsigned char)ends[1] ? 63 : -1);
}

int
base64url_ischar(unsigned char c)
{
	return (value_of(c, url_ends) != -1);
}

ssize_t
base64url_decode(const char *in, size_t len, uint8_t *out)
{
	return (decode(in, len, out, url_ends));
}

size_t
base64url_encode(const uint8_t *in, size_t len, char *out)
{
	return (encode(in, len, out, url_ends));
}

ssize_t
base64_decode(const char *in, size_t len, uint8_t *out)
{
	return (decode(in, len, out, std_ends));
}

size_t
base64_encode(const uint8_t *in, size_t len, char *out)
{
	return (encode(in, len, out, std_ends));
}

static ssize_t
decode(const char *in, size_t len, uint8_t *out, const char *ends)
{
	uint32_t	 bits = 0;
	size_t		 i, n = 0;
	unsigned	 have = 0;
	int		 v;

	if (len % 4 == 1)
		return (-1);
	for (i = 0; i < len; i++) {
		if ((v = value_of((unsigned char)in[i], ends)) == -1)
			return (-1);
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
			bits &= (1U << have) - 1;
		}
	}
	return (bits == 0 ? (ssize_t)n : -1);
}

static char
digit(uint32_t v, const char *ends)
{
	static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789";

	return (v < 62 ? digits[v] : ends[v - 62]);
}

static size_t
encode(const uint8_t *in, size_t len, char *out, const char *ends)
{
	uint32_t	 bits = 0;
	size_t		 i, n = 0;
	unsigned	 have = 0;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = digit(bits >> (have - 6) & 63, ends);
	}
	if (have > 0)
		out[n++] = digit(bits << (6 - have) & 63, ends);
	out[n] = '\0';
	return (n);
}
