/*
 * What follows from the rows of a struct.  The reader takes nothing on trust,
 * for a child checks even its own master: a bug there should stop a child at
 * start-up, not give it a limit of zero or a header with a line break in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

#define FNV_START	0x811c9dc5U
#define FNV_PRIME	0x01000193U

static uint32_t	 layout(const struct schema *, uint32_t);
static uint32_t	 mix(uint32_t, uint64_t);
static void	 put(const struct schema *, const void *, struct wbuf *);
static void	 put_row(const struct schema_row *, const void *,
		    struct wbuf *);
static void	 put_number(const struct schema_row *, const void *,
		    struct wbuf *);
static void	 put_many(const struct schema_row *, const void *,
		    struct wbuf *);
static void	 get(const struct schema *, void *, struct rbuf *);
static void	 get_row(const struct schema_row *, void *, struct rbuf *);
static void	 get_number(const struct schema_row *, void *, struct rbuf *);
static void	 get_many(const struct schema_row *, void *, struct rbuf *);
static void	 get_bytes(const struct schema_row *, void *, struct rbuf *);
static int	 row_good(const struct schema_row *, const void *);
static int	 number_good(const struct schema_row *, uint64_t);
static int	 string_good(const struct schema_row *, const char *);
static int	 strings_good(const struct schema_row *, const void *);
static int	 array_good(const struct schema_row *, const void *);
static int	 row_equal(const struct schema_row *, const void *,
		    const void *);
static int	 strings_equal(char *const *, char *const *, size_t);
static void	 clear(const struct schema *, void *);
static void	 row_clear(const struct schema_row *, void *);
static void	 string_free(const struct schema_row *, char *);

/* Members, read and to be written. */
#define MEMBER(r, base)	((const void *)((const char *)(base) + (r)->offset))
#define PLACE(r, base)	((void *)((char *)(base) + (r)->offset))
#define COUNT(r, base)							\
	(*(const size_t *)(const void *)((const char *)(base) + (r)->count))
#define USED(r, base)							\
	(*(uint32_t *)(void *)((char *)(base) + (r)->used))

#define FOREACH_ROW(r, s)						\
	for ((r) = (s)->rows; (r) < (s)->rows + (s)->nrows; (r)++)

/* -- numbers ------------------------------------------------------------- */

static int
is_number(const struct schema_row *r)
{
	return (r->type <= SCHEMA_I64);
}

uint64_t
schema_get(const struct schema_row *r, const void *base)
{
	const void	*p = MEMBER(r, base);

	switch (r->type) {
	case SCHEMA_FLAG:
		return (*(const int *)p != 0);
	case SCHEMA_INT:
		return ((uint64_t)*(const int *)p);
	case SCHEMA_U8:
		return (*(const uint8_t *)p);
	case SCHEMA_U16:
		return (*(const uint16_t *)p);
	case SCHEMA_U32:
		return (*(const uint32_t *)p);
	case SCHEMA_U64:
		return (*(const uint64_t *)p);
	case SCHEMA_I64:
		return ((uint64_t)*(const int64_t *)p);
	default:
		return (0);
	}
}

void
schema_set(const struct schema_row *r, void *base, uint64_t v)
{
	void	*p = PLACE(r, base);

	switch (r->type) {
	case SCHEMA_FLAG:
		*(int *)p = v != 0;
		break;
	case SCHEMA_INT:
		*(int *)p = (int)v;
		break;
	case SCHEMA_U8:
		*(uint8_t *)p = (uint8_t)v;
		break;
	case SCHEMA_U16:
		*(uint16_t *)p = (uint16_t)v;
		break;
	case SCHEMA_U32:
		*(uint32_t *)p = (uint32_t)v;
		break;
	case SCHEMA_U64:
		*(uint64_t *)p = v;
		break;
	case SCHEMA_I64:
		*(int64_t *)p = (int64_t)v;
		break;
	default:
		break;
	}
}

void
schema_defaults(const struct schema *s, void *base)
{
	const struct schema_row	*r;

	memset(base, 0, s->size);
	FOREACH_ROW(r, s) {
		if (is_number(r))
			schema_set(r, base, r->def);
		else if (r->type == SCHEMA_STRUCT)
			schema_defaults(r->sub, PLACE(r, base));
	}
}

/* -- packing ------------------------------------------------------------- */

/* FNV-1a over what decides how the bytes are to be read. */
static uint32_t
layout(const struct schema *s, uint32_t h)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s) {
		if (r->flags & SCHEMA_LOCAL)
			continue;
		h = mix(mix(mix(h, r->type), r->offset), r->count);
		if (r->sub != NULL)
			h = layout(r->sub, h);
	}
	return (mix(h, s->size));
}

static uint32_t
mix(uint32_t h, uint64_t v)
{
	int	 i;

	for (i = 0; i < 8; i++, v >>= 8)
		h = (h ^ (v & 0xff)) * FNV_PRIME;
	return (h);
}

void
schema_pack(const struct schema *s, const void *base, struct wbuf *b)
{
	wire_put_u32(b, layout(s, FNV_START));
	put(s, base, b);
}

static void
put(const struct schema *s, const void *base, struct wbuf *b)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s)
		if ((r->flags & SCHEMA_LOCAL) == 0)
			put_row(r, base, b);
}

static void
put_row(const struct schema_row *r, const void *base, struct wbuf *b)
{
	const void	*p = MEMBER(r, base);
	uint32_t	 used;

	switch (r->type) {
	case SCHEMA_STR:
		wire_put_str(b, *(char *const *)p);
		break;
	case SCHEMA_TEXT:
		wire_put_str(b, p);
		break;
	case SCHEMA_BYTES:
		wire_put_bytes(b, p, r->count);
		break;
	case SCHEMA_OCTETS:
		memcpy(&used, (const char *)base + r->used, sizeof(used));
		wire_put_bytes(b, p, used);
		break;
	case SCHEMA_STRINGS:
	case SCHEMA_ARRAY:
		put_many(r, base, b);
		break;
	case SCHEMA_STRUCT:
		put(r->sub, p, b);
		break;
	default:
		put_number(r, base, b);
	}
}

static void
put_number(const struct schema_row *r, const void *base, struct wbuf *b)
{
	uint64_t	 v = schema_get(r, base);

	switch (r->type) {
	case SCHEMA_FLAG:
	case SCHEMA_U8:
		wire_put_u8(b, (uint8_t)v);
		break;
	case SCHEMA_U16:
		wire_put_u16(b, (uint16_t)v);
		break;
	case SCHEMA_INT:
	case SCHEMA_U32:
		wire_put_u32(b, (uint32_t)v);
		break;
	default:
		wire_put_u64(b, v);
	}
}

static void
put_many(const struct schema_row *r, const void *base, struct wbuf *b)
{
	const void	*v = *(void *const *)MEMBER(r, base);
	size_t		 i, n = COUNT(r, base);

	wire_put_u32(b, (uint32_t)n);
	for (i = 0; i < n; i++) {
		if (r->type == SCHEMA_STRINGS)
			wire_put_str(b, ((char *const *)v)[i]);
		else
			put(r->sub, (const char *)v + i * r->sub->size, b);
	}
}

/* -- unpacking ----------------------------------------------------------- */

void *
schema_unpack(const struct schema *s, const void *data, size_t len)
{
	struct rbuf	 b;
	void		*base;
	int		 saved = errno;

	if ((base = calloc(1, s->size)) != NULL) {
		rbuf_init(&b, data, len);
		if (wire_get_u32(&b) != layout(s, FNV_START))
			b.failed = 1;
		get(s, base, &b);
		if (wire_end(&b) == -1 || schema_check(s, base) != NULL) {
			schema_free(s, base);
			base = NULL;
		}
	}
	errno = saved;
	return (base);
}

static void
get(const struct schema *s, void *base, struct rbuf *b)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s)
		if ((r->flags & SCHEMA_LOCAL) == 0 && !b->failed)
			get_row(r, base, b);
}

static void
get_row(const struct schema_row *r, void *base, struct rbuf *b)
{
	switch (r->type) {
	case SCHEMA_STR:
		*(char **)PLACE(r, base) = wire_get_str(b, r->max);
		break;
	case SCHEMA_TEXT:
		wire_get_cstr(b, PLACE(r, base), r->count);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_OCTETS:
		get_bytes(r, base, b);
		break;
	case SCHEMA_STRINGS:
	case SCHEMA_ARRAY:
		get_many(r, base, b);
		break;
	case SCHEMA_STRUCT:
		get(r->sub, PLACE(r, base), b);
		break;
	default:
		get_number(r, base, b);
	}
}

static void
get_number(const struct schema_row *r, void *base, struct rbuf *b)
{
	uint64_t	 v;

	switch (r->type) {
	case SCHEMA_FLAG:
		if ((v = wire_get_u8(b)) > 1)
			b->failed = 1;
		break;
	case SCHEMA_U8:
		v = wire_get_u8(b);
		break;
	case SCHEMA_U16:
		v = wire_get_u16(b);
		break;
	case SCHEMA_INT:
	case SCHEMA_U32:
		v = wire_get_u32(b);
		break;
	default:
		v = wire_get_u64(b);
	}
	schema_set(r, base, v);
}

static void
get_bytes(const struct schema_row *r, void *base, struct rbuf *b)
{
	const uint8_t	*p;
	size_t		 len;

	if ((p = wire_get_bytes(b, r->count, &len)) == NULL)
		return;
	memcpy(PLACE(r, base), p, len);
	if (r->type == SCHEMA_OCTETS)
		USED(r, base) = (uint32_t)len;
	else if (len != r->count)
		b->failed = 1;
}

/* The count grows with what was read, so that whatever fails, clearing frees
 * what is there and no more. */
static void
get_many(const struct schema_row *r, void *base, struct rbuf *b)
{
	size_t	 width = r->type == SCHEMA_STRINGS ? sizeof(char *) :
		    r->sub->size;
	size_t	*count = (size_t *)(void *)((char *)base + r->count);
	size_t	 i, n = wire_get_count(b, (uint32_t)r->max);
	char	*v;

	if (n == 0 || b->failed)
		return;
	if ((v = calloc(n, width)) == NULL) {
		b->failed = 1;
		return;
	}
	*(void **)PLACE(r, base) = v;
	for (i = 0; i < n && !b->failed; i++) {
		*count = i + 1;
		if (r->type == SCHEMA_STRINGS)
			((char **)(void *)v)[i] = wire_get_str(b,
			    r->used);
		else
			get(r->sub, v + i * width, b);
	}
}

/* -- checking ------------------------------------------------------------ */

const char *
schema_check(const struct schema *s, const void *base)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s)
		if (!row_good(r, base))
			return (r->key != NULL ? r->key : s->name);
	return (s->sane == NULL || s->sane(base) ? NULL : s->name);
}

static int
row_good(const struct schema_row *r, const void *base)
{
	uint32_t	 used;

	switch (r->type) {
	case SCHEMA_STR:
		return (string_good(r, *(char *const *)MEMBER(r, base)));
	case SCHEMA_TEXT:
		return (string_good(r, MEMBER(r, base)));
	case SCHEMA_BYTES:
		return (1);
	case SCHEMA_OCTETS:
		memcpy(&used, (const char *)base + r->used, sizeof(used));
		return (used >= r->min && used <= r->max);
	case SCHEMA_STRINGS:
		return (strings_good(r, base));
	case SCHEMA_ARRAY:
		return (array_good(r, base));
	case SCHEMA_STRUCT:
		return (schema_check(r->sub, MEMBER(r, base)) == NULL);
	default:
		return (number_good(r, schema_get(r, base)));
	}
}

static int
number_good(const struct schema_row *r, uint64_t v)
{
	if ((r->type == SCHEMA_I64 || r->type == SCHEMA_INT) && (int64_t)v < 0)
		return (0);
	return ((v >= r->min && v <= r->max) ||
	    (v == 0 && (r->flags & SCHEMA_OFF)));
}

static int
string_good(const struct schema_row *r, const char *s)
{
	unsigned char	 c;

	if (s == NULL)
		return ((r->flags & SCHEMA_ABSENT) != 0);
	if (*s == '\0')
		return ((r->flags & SCHEMA_EMPTY) != 0);
	for (; (c = (unsigned char)*s) != '\0'; s++)
		if (((r->flags & SCHEMA_VISIBLE) && (c <= 0x20 || c >= 0x7f)) ||
		    ((r->flags & SCHEMA_LINE) && (c < 0x20 || c == 0x7f)))
			return (0);
	return (1);
}

static int
strings_good(const struct schema_row *r, const void *base)
{
	char *const	*v = *(char **const *)MEMBER(r, base);
	size_t		 i, n = COUNT(r, base);

	for (i = 0; i < n; i++)
		if (!string_good(r, v[i]))
			return (0);
	return (n >= r->min && n <= r->max);
}

static int
array_good(const struct schema_row *r, const void *base)
{
	const char	*v = *(void *const *)MEMBER(r, base);
	size_t		 i, n = COUNT(r, base);

	for (i = 0; i < n; i++)
		if (schema_check(r->sub, v + i * r->sub->size) != NULL)
			return (0);
	return (n >= r->min && n <= r->max);
}

/* -- comparing ----------------------------------------------------------- */

int
schema_equal(const struct schema *s, const void *a, const void *b)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s)
		if (!row_equal(r, a, b))
			return (0);
	return (1);
}

static int
row_equal(const struct schema_row *r, const void *a, const void *b)
{
	const void	*x = MEMBER(r, a), *y = MEMBER(r, b);
	const char	*v, *w;
	size_t		 i, n;

	switch (r->type) {
	case SCHEMA_STR:
		return (strings_equal(x, y, 1));
	case SCHEMA_TEXT:
		return (strcmp(x, y) == 0);
	case SCHEMA_BYTES:
	case SCHEMA_OCTETS:
		return (memcmp(x, y, r->count) == 0 &&
		    (r->type == SCHEMA_BYTES || memcmp((const char *)a +
		    r->used, (const char *)b + r->used,
		    sizeof(uint32_t)) == 0));
	case SCHEMA_STRUCT:
		return (schema_equal(r->sub, x, y));
	case SCHEMA_STRINGS:
	case SCHEMA_ARRAY:
		break;
	default:
		return (schema_get(r, a) == schema_get(r, b));
	}
	if ((n = COUNT(r, a)) != COUNT(r, b))
		return (0);
	v = *(void *const *)x;
	w = *(void *const *)y;
	if (r->type == SCHEMA_STRINGS)
		return (strings_equal((char *const *)(const void *)v,
		    (char *const *)(const void *)w, n));
	for (i = 0; i < n; i++)
		if (!schema_equal(r->sub, v + i * r->sub->size,
		    w + i * r->sub->size))
			return (0);
	return (1);
}

static int
strings_equal(char *const *a, char *const *b, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if ((a[i] == NULL) != (b[i] == NULL) ||
		    (a[i] != NULL && strcmp(a[i], b[i]) != 0))
			return (0);
	return (1);
}

/* -- clearing ------------------------------------------------------------ */

static void
clear(const struct schema *s, void *base)
{
	const struct schema_row	*r;

	FOREACH_ROW(r, s)
		row_clear(r, base);
	explicit_bzero(base, s->size);
}

static void
row_clear(const struct schema_row *r, void *base)
{
	void	*p = PLACE(r, base);
	char	*v;
	size_t	 i, n;

	if (r->type == SCHEMA_STR)
		string_free(r, *(char **)p);
	if (r->type == SCHEMA_STRUCT)
		clear(r->sub, p);
	if (r->type != SCHEMA_STRINGS && r->type != SCHEMA_ARRAY)
		return;
	v = *(void **)p;
	n = COUNT(r, base);
	for (i = 0; v != NULL && i < n; i++) {
		if (r->type == SCHEMA_STRINGS)
			string_free(r, ((char **)(void *)v)[i]);
		else
			clear(r->sub, v + i * r->sub->size);
	}
	free(v);
}

static void
string_free(const struct schema_row *r, char *s)
{
	if (s != NULL && (r->flags & SCHEMA_SECRET))
		explicit_bzero(s, strlen(s));
	free(s);
}

void
schema_free(const struct schema *s, void *base)
{
	if (base == NULL)
		return;
	clear(s, base);
	free(base);
}
