/*
 * base64url, strict.
 */
#include "common/base64url.h"

static int	 value_of(unsigned char);

static int
value_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	return (c == '-' ? 62 : c == '_' ? 63 : -1);
}

int
base64url_ischar(unsigned char c)
{
	return (value_of(c) != -1);
}

ssize_t
base64url_decode(const char *in, size_t len, uint8_t *out)
{
	uint32_t	 bits = 0;
	size_t		 i, n = 0;
	unsigned	 have = 0;
	int		 v;

	if (len % 4 == 1)
		return (-1);
	for (i = 0; i < len; i++) {
		if ((v = value_of((unsigned char)in[i])) == -1)
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

size_t
base64url_encode(const uint8_t *in, size_t len, char *out)
{
	static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t		 bits = 0;
	size_t			 i, n = 0;
	unsigned		 have = 0;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[n++] = digits[bits << (6 - have) & 63];
	out[n] = '\0';
	return (n);
}
