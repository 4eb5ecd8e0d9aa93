/*
 * base64url and base64, strict: two alphabets, one reading.
 */
#include "common/base64url.h"
#include "common/block.h"

/* Digits 62 and 63. */
static const char	 url_ends[2] = { '-', '_' };
static const char	 std_ends[2] = { '+', '/' };

static inline int value_of(char, const int8_t *);
static inline int block_ok(const char *);
static size_t	 decode_blocks(const char *, size_t, uint8_t *,
		    const char *);
static inline uint64_t pack(uint64_t);
static char	 digit(uint32_t, const char *);
static ssize_t	 decode(const char *, size_t, uint8_t *, const int8_t *,
		    const char *);
static size_t	 encode(const uint8_t *, size_t, char *, const char *);

/* What each ASCII character stands for; -1 nothing. */
static const int8_t	 url_values[128] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
	-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, 63,
	-1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1
};
static const int8_t	 std_values[128] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
	-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
	-1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1
};

/* Negative for what is no digit. */
static inline int
value_of(char c, const int8_t *values)
{
	int	 u = (unsigned char)c;

	return (values[u & 127] | -(u >> 7));
}

/* Of a token there are hundreds, and every request brings one. */
size_t
base64url_span(const char *in, size_t len)
{
	size_t	 i = 0;

	while (len - i >= BLOCK && block_ok(in + i))
		i += BLOCK;
	while (i < len && value_of(in[i], url_values) >= 0)
		i++;
	return (i);
}

/* Are they all base64url's? */
static inline int
block_ok(const char *in)
{
	block	 c = block_load(in);
	block	 letter = (c | 0x20) - 'a', digits = c - '0';

	return (!block_any((block)((letter >= 26) & (digits >= 10) &
	    (c != '-') & (c != '_'))));
}

ssize_t
base64url_decode(const char *in, size_t len, uint8_t *out)
{
	return (decode(in, len, out, url_values, url_ends));
}

size_t
base64url_encode(const uint8_t *in, size_t len, char *out)
{
	return (encode(in, len, out, url_ends));
}

ssize_t
base64_decode(const char *in, size_t len, uint8_t *out)
{
	return (decode(in, len, out, std_values, std_ends));
}

size_t
base64_encode(const uint8_t *in, size_t len, char *out)
{
	return (encode(in, len, out, std_ends));
}

static ssize_t
decode(const char *in, size_t len, uint8_t *out, const int8_t *values,
    const char *ends)
{
	uint32_t	 bits = 0, be;
	size_t		 i, k, n, rest = len % 4;
	int		 a, b, c, d, v, any = 0;

	if (rest == 1)
		return (-1);
	i = decode_blocks(in, len, out, ends);
	n = i / 4 * 3;
	for (; i < len - rest; i += 4, n += 3) {
		a = value_of(in[i], values);
		b = value_of(in[i + 1], values);
		c = value_of(in[i + 2], values);
		d = value_of(in[i + 3], values);
		any |= a | b | c | d;
		be = htobe32((uint32_t)(a & 63) << 26 |
		    (uint32_t)(b & 63) << 20 | (uint32_t)(c & 63) << 14 |
		    (uint32_t)(d & 63) << 8);
		/* the fourth byte is overwritten, or behind the last */
		memcpy(out + n, &be, sizeof(be));
	}
	for (k = 0, bits = 0; k < rest; k++) {
		v = value_of(in[i + k], values);
		any |= v;
		bits |= ((uint32_t)v & 63) << (18 - 6 * k);
	}
	/* 2 characters are 8 bits and 4 too many, 3 are 16 and 2 */
	for (k = 1; k < rest; k++, bits <<= 8)
		out[n++] = (uint8_t)(bits >> 16);
	return (any < 0 || (bits & 0xffffff) != 0 ? -1 : (ssize_t)n);
}

/* As many whole blocks as are good, but for the last bytes.  Returns how many
 * characters that were. */
static size_t
decode_blocks(const char *in, size_t len, uint8_t *out, const char *ends)
{
	block		 c, upper, lower, digits, end0, end1, v;
	uint64_t	 half[2];
	size_t		 i, k;

	/* eight bytes are written where six count */
	for (i = 0; len - i >= BLOCK + 4; i += BLOCK) {
		c = block_load(in + i);
		upper = (block)((block)(c - 'A') < 26);
		lower = (block)((block)(c - 'a') < 26);
		digits = (block)((block)(c - '0') < 10);
		end0 = (block)(c == (uint8_t)ends[0]);
		end1 = (block)(c == (uint8_t)ends[1]);
		if (block_any(~(upper | lower | digits | end0 | end1)))
			break;
		v = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) |
		    (digits & (c - '0' + 52)) | (end0 & 62) | (end1 & 63);
		memcpy(half, &v, sizeof(half));
		for (k = 0; k < 2; k++) {
			half[k] = htobe64(pack(be64toh(half[k])) << 16);
			memcpy(out + i / 4 * 3 + k * 6, &half[k], 8);
		}
	}
	return (i);
}

/* Eight values of six bits, a byte each, to 48 bits. */
static inline uint64_t
pack(uint64_t v)
{
	v = (v & 0x3f003f003f003f00) >> 2 | (v & 0x003f003f003f003f);
	v = (v & 0x0fff00000fff0000) >> 4 | (v & 0x00000fff00000fff);
	return ((v & 0x00ffffff00000000) >> 8 | (v & 0x00ffffff));
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
