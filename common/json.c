/*
 * The strict pass over JSON texts.  One loop, a stack of JSON_DEPTH_MAX
 * levels, and a table of the member names of all open and closed objects, so
 * that a name that comes twice in one object is found in constant time.
 */
#include <sys/random.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/block.h"
#include "common/json.h"

#define FEW	16		/* names that are compared one by one */
#define NONE	0xffffffffU	/* no character */
#define SMALL	32		/* names that need no memory from the heap */

struct name {
	uint32_t	 hash;		/* among few: 1 if it has an escape */
	uint32_t	 object;	/* number of its object; 0: free */
	uint32_t	 off;		/* of the raw name in the text */
	uint32_t	 len;
};

struct check {
	const unsigned char *p;		/* start of the text */
	size_t		 len;
	size_t		 pos;
	struct name	 few[FEW];	/* in order, while there is no table */
	struct name	 small[SMALL * 2];
	struct name	*table;		/* small, or from the heap; or NULL */
	size_t		 size;		/* a power of two */
	size_t		 used;
	uint32_t	 objects;	/* begun so far */
	unsigned	 depth;
	unsigned	 strict;	/* as deep as that: json_walk_lax() */
	int		 escaped;	/* the last string has an escape */
	uint32_t	 open[JSON_DEPTH_MAX];	/* object number; 0: array */
	json_cb		 cb;		/* or NULL */
	void		*arg;
};

/* A walk over an unescaped name. */
struct bytes {
	const unsigned char *p;
	size_t		 i;
	size_t		 len;
	unsigned char	 ch[5];		/* as of next_char() */
	unsigned	 k;		/* of ch used up */
};

static uint64_t	 seed = 0x9e3779b97f4a7c15ULL;

static enum json_error check_text(struct check *);
static enum json_error check_value(struct check *, int *);
static enum json_error check_after(struct check *, int *);
static enum json_error check_name(struct check *);
static enum json_error check_string(struct check *, size_t *, size_t *);
static enum json_error check_escape(struct check *);
static enum json_error check_utf8(struct check *);
static enum json_error check_number(struct check *);
static enum json_error check_literal(struct check *, const char *);
static void	 tell(struct check *, enum json_event, size_t, size_t);
static size_t	 plain(const unsigned char *, size_t);
static size_t	 copy_plain(const unsigned char *, size_t, char *);
static unsigned	 unseen(const unsigned char *, size_t);
static enum json_error name_add(struct check *, size_t, size_t);
static enum json_error few_add(struct check *, const struct name *);
static void	 few_hash(struct check *);
static enum json_error names_grow(struct check *);
static enum json_error table_add(struct check *, const struct name *);
static uint32_t	 name_hash(const struct check *, const struct name *, int);
static int	 name_same(const struct check *, const struct name *,
		    const struct name *);
static void	 skip_space(struct check *);
static int	 hex4(const unsigned char *);
static size_t	 put_utf8(uint32_t, unsigned char *);
static size_t	 next_char(const unsigned char *, size_t, unsigned char *);
static int	 next_byte(struct bytes *);
static size_t	 word(const unsigned char *, size_t, size_t, uint64_t *);
static size_t	 word_escaped(struct bytes *, uint64_t *);
static uint64_t	 mix(uint64_t, uint64_t);
static size_t	 utf8_len(const unsigned char *, size_t);

void
json_seed(void)
{
	uint64_t	 s;

	if (getrandom(&s, sizeof(s), 0) == sizeof(s))
		seed = s | 1;
}

const char *
json_strerror(enum json_error e)
{
	switch (e) {
	case JSON_OK:
		return ("no error");
	case JSON_SYNTAX:
		return ("not JSON");
	case JSON_UTF8:
		return ("invalid UTF-8 in JSON");
	case JSON_SURROGATE:
		return ("lone surrogate escape in JSON");
	case JSON_DEPTH:
		return ("JSON nested too deeply");
	case JSON_DUPLICATE:
		return ("duplicate member name in JSON");
	case JSON_TOO_MANY:
		return ("too many members in JSON");
	case JSON_MEMORY:
		return ("out of memory");
	}
	return ("not JSON");
}

enum json_error
json_check(const char *text, size_t len)
{
	return (json_walk(text, len, NULL, NULL));
}

enum json_error
json_walk(const char *text, size_t len, json_cb cb, void *arg)
{
	return (json_walk_lax(text, len, JSON_DEPTH_MAX, cb, arg));
}

enum json_error
json_walk_lax(const char *text, size_t len, unsigned strict, json_cb cb,
    void *arg)
{
	struct check	 c;
	enum json_error	 e;

	if (len > UINT32_MAX)
		return (JSON_SYNTAX);
	c.p = (const unsigned char *)text;
	c.len = len;
	c.pos = 0;
	c.table = NULL;
	c.size = 0;
	c.used = 0;
	c.objects = 0;
	c.depth = 0;
	c.strict = strict;
	c.cb = cb;
	c.arg = arg;
	e = check_text(&c);
	if (c.table != c.small)
		free(c.table);
	return (e);
}

static void
skip_space(struct check *c)
{
	while (c->pos < c->len && (c->p[c->pos] == ' ' ||
	    c->p[c->pos] == '\t' || c->p[c->pos] == '\n' ||
	    c->p[c->pos] == '\r'))
		c->pos++;
}

static void
tell(struct check *c, enum json_event event, size_t off, size_t len)
{
	if (c->cb != NULL)
		c->cb(c->arg, event, (struct slice){
		    (const char *)c->p + off, len });
}

static enum json_error
check_text(struct check *c)
{
	enum json_error	 e;
	int		 opened;

	for (;;) {
		skip_space(c);
		if ((e = check_value(c, &opened)) != JSON_OK)
			return (e);
		if (opened)
			continue;
		/* a value ended: commas and closing brackets */
		for (;;) {
			if (c->depth == 0) {
				skip_space(c);
				return (c->pos == c->len ? JSON_OK :
				    JSON_SYNTAX);
			}
			if ((e = check_after(c, &opened)) != JSON_OK)
				return (e);
			if (opened)
				break;
		}
	}
}

/* One value; *opened: it was '{' or '[' and what follows is its first. */
static enum json_error
check_value(struct check *c, int *opened)
{
	enum json_error	 e;
	size_t		 off, len;
	unsigned char	 ch;

	*opened = 0;
	if (c->pos >= c->len)
		return (JSON_SYNTAX);
	ch = c->p[c->pos];
	if (ch == '"') {
		if ((e = check_string(c, &off, &len)) == JSON_OK)
			tell(c, JSON_STRING, off, len);
		return (e);
	}
	if (ch == 't')
		return (check_literal(c, "true"));
	if (ch == 'f')
		return (check_literal(c, "false"));
	if (ch == 'n')
		return (check_literal(c, "null"));
	if (ch != '{' && ch != '[')
		return (check_number(c));
	if (c->depth == JSON_DEPTH_MAX)
		return (JSON_DEPTH);
	c->open[c->depth++] = ch == '{' ? ++c->objects : 0;
	tell(c, ch == '{' ? JSON_OBJECT : JSON_ARRAY, c->pos, 1);
	c->pos++;
	skip_space(c);
	if (c->pos < c->len && c->p[c->pos] == (ch == '{' ? '}' : ']')) {
		tell(c, JSON_END, c->pos, 1);
		c->pos++;
		c->depth--;
		return (JSON_OK);
	}
	*opened = 1;
	return (ch == '{' ? check_name(c) : JSON_OK);
}

/* Behind a value inside something: *another value follows, or it closed. */
static enum json_error
check_after(struct check *c, int *another)
{
	uint32_t	 object = c->open[c->depth - 1];

	*another = 0;
	skip_space(c);
	if (c->pos >= c->len)
		return (JSON_SYNTAX);
	if (c->p[c->pos] == ',') {
		c->pos++;
		*another = 1;
		if (object == 0)
			return (JSON_OK);
		skip_space(c);
		return (check_name(c));
	}
	if (c->p[c->pos] != (object != 0 ? '}' : ']'))
		return (JSON_SYNTAX);
	tell(c, JSON_END, c->pos, 1);
	c->pos++;
	c->depth--;
	return (JSON_OK);
}

static enum json_error
check_name(struct check *c)
{
	enum json_error	 e;
	size_t		 off, len;

	if (c->pos >= c->len || c->p[c->pos] != '"')
		return (JSON_SYNTAX);
	if ((e = check_string(c, &off, &len)) != JSON_OK ||
	    (c->depth <= c->strict &&
	    (e = name_add(c, off, len)) != JSON_OK))
		return (e);
	skip_space(c);
	if (c->pos >= c->len || c->p[c->pos] != ':')
		return (JSON_SYNTAX);
	c->pos++;
	tell(c, JSON_NAME, off, len);
	return (JSON_OK);
}

static enum json_error
check_literal(struct check *c, const char *word)
{
	size_t	 n = strlen(word);

	if (c->len - c->pos < n || memcmp(c->p + c->pos, word, n) != 0)
		return (JSON_SYNTAX);
	tell(c, *word == 'n' ? JSON_NULL : JSON_BOOLEAN, c->pos, n);
	c->pos += n;
	return (JSON_OK);
}

static enum json_error
check_number(struct check *c)
{
	const unsigned char	*p = c->p, *end = c->p + c->len, *digits;
	size_t			 off;

	p += c->pos;
	if (p < end && *p == '-')
		p++;
	digits = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if (p == digits || (*digits == '0' && p - digits > 1))
		return (JSON_SYNTAX);
	if (p < end && *p == '.') {
		for (digits = ++p; p < end && *p >= '0' && *p <= '9'; p++)
			;
		if (p == digits)
			return (JSON_SYNTAX);
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		if (++p < end && (*p == '+' || *p == '-'))
			p++;
		for (digits = p; p < end && *p >= '0' && *p <= '9'; p++)
			;
		if (p == digits)
			return (JSON_SYNTAX);
	}
	off = c->pos;
	c->pos = (size_t)(p - c->p);
	tell(c, JSON_NUMBER, off, c->pos - off);
	return (JSON_OK);
}

/* How many of the next bytes are a string's and mean but themselves. */
static size_t
plain(const unsigned char *p, size_t len)
{
	size_t	 n = 0, k;
	block	 b;

	for (; len - n >= BLOCK; n += BLOCK) {
		b = block_load(p + n);
		k = block_first((block)((b == '"') | (b == '\\') |
		    (b < 0x20) | (b >= 0x80)));
		if (k < BLOCK)
			return (n + k);
	}
	while (n < len && p[n] != '"' && p[n] != '\\' && p[n] >= 0x20 &&
	    p[n] < 0x80)
		n++;
	return (n);
}

/* The string at pos; *off and *len are what is between the quotes. */
static enum json_error
check_string(struct check *c, size_t *off, size_t *len)
{
	enum json_error	 e;
	unsigned char	 ch;

	*off = ++c->pos;
	c->escaped = 0;
	for (;;) {
		c->pos += plain(c->p + c->pos, c->len - c->pos);
		if (c->pos == c->len)
			return (JSON_SYNTAX);
		ch = c->p[c->pos];
		if (ch == '"') {
			*len = c->pos++ - *off;
			return (JSON_OK);
		}
		if (ch < 0x20)
			return (JSON_SYNTAX);
		c->escaped |= ch == '\\';
		e = ch == '\\' ? check_escape(c) : check_utf8(c);
		if (e != JSON_OK)
			return (e);
	}
}

static int
hex4(const unsigned char *p)
{
	int	 i, v = 0;

	for (i = 0; i < 4; i++) {
		v <<= 4;
		if (p[i] >= '0' && p[i] <= '9')
			v |= p[i] - '0';
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			v |= (p[i] | 0x20) - 'a' + 10;
		else
			return (-1);
	}
	return (v);
}

static enum json_error
check_escape(struct check *c)
{
	const unsigned char	*p = c->p + c->pos;
	size_t			 left = c->len - c->pos;
	int			 v;

	if (left < 2)
		return (JSON_SYNTAX);
	if (p[1] != 'u') {
		if (strchr("\"\\/bfnrt", p[1]) == NULL || p[1] == '\0')
			return (JSON_SYNTAX);
		c->pos += 2;
		return (JSON_OK);
	}
	if (left < 6 || (v = hex4(p + 2)) == -1)
		return (JSON_SYNTAX);
	c->pos += 6;
	if (v < 0xd800 || v > 0xdfff)
		return (JSON_OK);
	/* a high surrogate with its low one, or nothing */
	if (v > 0xdbff || left < 12 || p[6] != '\\' || p[7] != 'u' ||
	    (v = hex4(p + 8)) < 0xdc00 || v > 0xdfff)
		return (c->depth > c->strict ? JSON_OK :
		    JSON_SURROGATE);
	c->pos += 6;
	return (JSON_OK);
}

static enum json_error
check_utf8(struct check *c)
{
	size_t	 n = utf8_len(c->p + c->pos, c->len - c->pos);

	if (n == 0 && c->depth <= c->strict)
		return (JSON_UTF8);
	c->pos += n == 0 ? 1 : n;
	return (JSON_OK);
}

/* Length of the well-formed sequence at p (Unicode table 3-7), or 0. */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
	unsigned char	 lo = 0x80, hi = 0xbf;
	size_t		 n, i;

	if (left == 0)
		return (0);
	if (p[0] < 0x80)
		return (1);
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return (0);
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (left < n || p[1] < lo || p[1] > hi)
		return (0);
	for (i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return (0);
	return (n);
}

static size_t
put_utf8(uint32_t v, unsigned char *out)
{
	if (v < 0x80) {
		out[0] = (unsigned char)v;
		return (1);
	}
	if (v < 0x800) {
		out[0] = (unsigned char)(0xc0 | v >> 6);
		out[1] = (unsigned char)(0x80 | (v & 63));
		return (2);
	}
	if (v < 0x10000) {
		out[0] = (unsigned char)(0xe0 | v >> 12);
		out[1] = (unsigned char)(0x80 | (v >> 6 & 63));
		out[2] = (unsigned char)(0x80 | (v & 63));
		return (3);
	}
	out[0] = (unsigned char)(0xf0 | v >> 18);
	out[1] = (unsigned char)(0x80 | (v >> 12 & 63));
	out[2] = (unsigned char)(0x80 | (v >> 6 & 63));
	out[3] = (unsigned char)(0x80 | (v & 63));
	return (4);
}

/*
 * What stands at p[i] of a checked string: one byte, or an escape as UTF-8 in
 * out[0] to out[3], out[4] of them.  Returns how many bytes of the source it
 * took.
 */
static size_t
next_char(const unsigned char *p, size_t i, unsigned char *out)
{
	static const char	 from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char		*s;
	uint32_t		 v;

	out[4] = 1;
	if (p[i] != '\\') {
		out[0] = p[i];
		return (1);
	}
	if (p[i + 1] != 'u') {
		s = strchr(from, p[i + 1]);
		out[0] = s == NULL ? p[i + 1] : (unsigned char)to[s - from];
		return (2);
	}
	v = (uint32_t)hex4(p + i + 2);
	if (v < 0xd800 || v > 0xdbff) {
		out[4] = (unsigned char)put_utf8(v, out);
		return (6);
	}
	v = 0x10000 + ((v - 0xd800) << 10) +
	    ((uint32_t)hex4(p + i + 8) - 0xdc00);
	out[4] = (unsigned char)put_utf8(v, out);
	return (12);
}

size_t
json_unescape(struct slice in, char *out)
{
	const unsigned char	*p = (const unsigned char *)in.p;
	unsigned char		 ch[5];
	size_t			 i = 0, n = 0;

	while (i < in.len) {
		i += next_char(p, i, ch);
		memcpy(out + n, ch, ch[4]);
		n += ch[4];
	}
	return (n);
}

/* Over the unescaped bytes, eight at a time, from a secret start. */
static uint32_t
name_hash(const struct check *c, const struct name *name, int escaped)
{
	struct bytes	 b = { c->p + name->off, 0, name->len, { 0 }, 0 };
	uint64_t	 h, v;
	size_t		 n;

	h = mix(seed, name->object);
	do {
		if (escaped)
			n = word_escaped(&b, &v);
		else {
			n = word(b.p + b.i, name->len - b.i,
			    c->len - name->off - b.i, &v);
			b.i += n;
		}
		h = mix(h ^ v, seed + n);
	} while (n == 8);
	return ((uint32_t)(h ^ h >> 32));
}

/* The next eight bytes, or all that are left, as a number.  Returns how many
 * they are; behind them may be looked as far as room. */
static size_t
word(const unsigned char *p, size_t left, size_t room, uint64_t *v)
{
	size_t	 n = left < 8 ? left : 8;

	*v = 0;
	if (room >= 8)
		memcpy(v, p, 8);
	else
		memcpy(v, p, n);
	*v = le64toh(*v);
	if (n < 8)
		*v &= (1ULL << 8 * n) - 1;
	return (n);
}

/* The same of an escaped name. */
static size_t
word_escaped(struct bytes *b, uint64_t *v)
{
	size_t	 n;
	int	 x;

	*v = 0;
	for (n = 0; n < 8 && (x = next_byte(b)) != -1; n++)
		*v |= (uint64_t)x << 8 * n;
	return (n);
}

/* The halves of a product: with a secret factor, differences do not cancel. */
static uint64_t
mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ unsigned __int128	 v = (unsigned __int128)a * b;

	return ((uint64_t)v ^ (uint64_t)(v >> 64));
#else
	uint64_t	 al = a & 0xffffffff, ah = a >> 32;
	uint64_t	 bl = b & 0xffffffff, bh = b >> 32;
	uint64_t	 low = al * bl, mid = ah * bl + (low >> 32);
	uint64_t	 mid2 = al * bh + (mid & 0xffffffff);

	return ((mid2 << 32 | (low & 0xffffffff)) ^
	    (ah * bh + (mid >> 32) + (mid2 >> 32)));
#endif
}

/* The next byte of an unescaped name, or -1 at its end. */
static int
next_byte(struct bytes *b)
{
	if (b->k < b->ch[4])
		return (b->ch[b->k++]);
	if (b->i >= b->len)
		return (-1);
	b->i += next_char(b->p, b->i, b->ch);
	b->k = 1;
	return (b->ch[0]);
}

static int
name_same(const struct check *c, const struct name *one,
    const struct name *other)
{
	struct bytes	 a = { c->p + one->off, 0, one->len, { 0 }, 0 };
	struct bytes	 b = { c->p + other->off, 0, other->len, { 0 }, 0 };
	int		 x;

	do
		if ((x = next_byte(&a)) != next_byte(&b))
			return (0);
	while (x != -1);
	return (1);
}

int
json_string_is(struct slice in, const char *s)
{
	struct bytes	 b = { (const unsigned char *)in.p, 0, in.len, { 0 },
			    0 };
	int		 x;

	if (memchr(in.p, '\\', in.len) == NULL)
		return (slice_is(in, s));
	while ((x = next_byte(&b)) != -1 && x != '\0' &&
	    x == (unsigned char)*s)
		s++;
	return (x == -1 && *s == '\0');
}

/* Where there are few names in all, they are compared: cheaper than any hash.
 * Beyond that there is a table. */
static enum json_error
name_add(struct check *c, size_t off, size_t len)
{
	struct name	 n = {
		.object = c->open[c->depth - 1],
		.off = (uint32_t)off,
		.len = (uint32_t)len
	};
	enum json_error	 e;

	if (c->used < FEW)
		return (few_add(c, &n));
	if (c->used == JSON_MEMBERS_MAX)
		return (JSON_TOO_MANY);
	if (c->table == NULL)
		few_hash(c);
	if (c->used * 2 >= c->size && (e = names_grow(c)) != JSON_OK)
		return (e);
	n.hash = name_hash(c, &n, c->escaped);
	return (table_add(c, &n));
}

static enum json_error
few_add(struct check *c, const struct name *name)
{
	const unsigned char	*p = c->p + name->off;
	struct name		*n;

	for (n = c->few; n < c->few + c->used; n++) {
		if (n->object != name->object)
			continue;
		if (c->escaped || n->hash ? name_same(c, n, name) :
		    n->len == name->len &&
		    memcmp(c->p + n->off, p, n->len) == 0)
			return (JSON_DUPLICATE);
	}
	*n = *name;
	n->hash = (uint32_t)c->escaped;
	c->used++;
	return (JSON_OK);
}

static void
few_hash(struct check *c)
{
	struct name	*n;

	memset(c->small, 0, sizeof(c->small));
	c->table = c->small;
	c->size = SMALL * 2;
	c->used = 0;
	for (n = c->few; n < c->few + FEW; n++) {
		n->hash = name_hash(c, n, (int)n->hash);
		(void)table_add(c, n);
	}
}

static enum json_error
table_add(struct check *c, const struct name *name)
{
	const struct name	*n;
	size_t			 i;

	for (i = name->hash & (c->size - 1); c->table[i].object != 0;
	    i = (i + 1) & (c->size - 1)) {
		n = &c->table[i];
		if (n->object == name->object && n->hash == name->hash &&
		    name_same(c, n, name))
			return (JSON_DUPLICATE);
	}
	c->table[i] = *name;
	c->used++;
	return (JSON_OK);
}

static enum json_error
names_grow(struct check *c)
{
	struct name	*grown;
	size_t		 size = c->size * 4, i, k;

	if ((grown = calloc(size, sizeof(*grown))) == NULL)
		return (JSON_MEMORY);
	for (i = 0; i < c->size; i++) {
		if (c->table[i].object == 0)
			continue;
		k = c->table[i].hash & (size - 1);
		while (grown[k].object != 0)
			k = (k + 1) & (size - 1);
		grown[k] = c->table[i];
	}
	if (c->table != c->small)
		free(c->table);
	c->table = grown;
	c->size = size;
	return (JSON_OK);
}

size_t
json_escape(struct slice s, size_t max, char *out)
{
	static const char	 hex[] = "0123456789abcdef";
	const unsigned char	*p = (const unsigned char *)s.p;
	size_t			 i = 0, n = 0, k, len = s.len;
	unsigned		 c;

	if (len > max)
		len = max;
	for (;;) {
		k = copy_plain(p + i, len - i, out + n);
		i += k;
		n += k;
		if (i == len)
			break;
		k = utf8_len(p + i, s.len - i);
		if (k == 0) {
			memcpy(out + n, "\xef\xbf\xbd", 3);
			n += 3;
			i++;
			continue;
		}
		if (i + k > len)
			break;		/* cut before a character, not in it */
		if (k == 1 && (p[i] == '"' || p[i] == '\\')) {
			out[n++] = '\\';
			out[n++] = (char)p[i];
		} else if ((c = unseen(p + i, k)) != NONE) {
			out[n++] = '\\';
			out[n++] = 'u';
			out[n++] = hex[c >> 12];
			out[n++] = hex[c >> 8 & 15];
			out[n++] = hex[c >> 4 & 15];
			out[n++] = hex[c & 15];
		} else {
			memcpy(out + n, p + i, k);
			n += k;
		}
		i += k;
	}
	return (n);
}

/* The character of k bytes, when it is one that is not to be seen as it is, or
 * NONE: a control (C1, too: a terminal may obey), a line separator, or what
 * turns the direction of all that is shown behind it. */
static unsigned
unseen(const unsigned char *p, size_t k)
{
	unsigned	 c = p[0];

	if (k == 1)
		return (c < 0x20 || c == 0x7f ? c : NONE);
	if (k == 2) {
		c = (c & 0x1f) << 6 | (p[1] & 0x3fU);
		return (c < 0xa0 || c == 0x61c ? c : NONE);
	}
	if (k != 3)
		return (NONE);
	c = (c & 0x0f) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	return (c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) ? c : NONE);
}

/* Copy what can stand in a string as it is, up to what cannot.  Blocks are
 * copied whole: behind what counts, out may hold anything as far as len. */
static size_t
copy_plain(const unsigned char *p, size_t len, char *out)
{
	size_t	 n = 0, k;
	block	 b;

	for (; len - n >= BLOCK; n += BLOCK) {
		b = block_load(p + n);
		memcpy(out + n, &b, sizeof(b));
		k = block_first((block)((b == '"') | (b == '\\') |
		    (b < 0x20) | (b >= 0x7f)));
		if (k < BLOCK)
			return (n + k);
	}
	for (; n < len && p[n] >= 0x20 && p[n] < 0x7f && p[n] != '"' &&
	    p[n] != '\\'; n++)
		out[n] = (char)p[n];
	return (n);
}
