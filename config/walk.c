/*
 * Holds a mapping of the file against what is known there: plain keys are rows
 * of the struct that they are for (common/schema.h), the others have a parser
 * each.  A key that is known nowhere is an error that says what may have been
 * meant.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config/cfg.h"
#include "config/spelling.h"

#define LISTED_MAX	6	/* with more keys, they are not listed */
#define KNOWN_MAX	256	/* keys of one map */

/* All keys of a map, dotted. */
struct known {
	const char	*path[KNOWN_MAX];
	size_t		 n;
};

static void	 walk(struct cfg *, const struct ynode *,
		    const struct cfg_map *, void *, const char *);
static int	 read_key(struct cfg *, const struct ynode *,
		    const struct cfg_map *, void *, const char *);
static const struct schema_row *row_find(const struct schema *, const char *,
		    size_t *);
static void	 read_plain(struct cfg *, const struct ynode *,
		    const struct schema_row *, void *);
static void	 read_number(struct cfg *, const struct ynode *,
		    const struct cfg_key *, const struct schema_row *, void *);
static void	 known_all(const struct cfg_map *, struct known *);
static void	 known_rows(const struct schema *, struct known *);
static const char *below(const char *, const char *);
static int	 is_map(const struct cfg_map *, const char *);
static void	 key_unknown(struct cfg *, const struct ynode *,
		    const struct cfg_map *, const char *);
static void	 key_nearest(const struct known *, const char *, const char *,
		    char *, size_t);
static unsigned	 key_elsewhere(const struct known *, const char *, char *,
		    size_t);
static int	 related(const char *, const char *);
static void	 key_list(const struct known *, const char *, char *, size_t);
static int	 first_of(const struct known *, size_t, const char *, char *,
		    size_t);

void
cfg_walk(struct cfg *c, const struct ynode *n, const struct cfg_map *map,
    void *base)
{
	walk(c, n, map, base, "");
}

/* prefix is the dotted path of n within the map, with a dot at its end. */
static void
walk(struct cfg *c, const struct ynode *n, const struct cfg_map *map,
    void *base, const char *prefix)
{
	const struct ynode	*child;
	char			 path[CFG_PATH_MAX];

	if (n->kind == YNODE_BAD || ynode_isnull(n))
		return;
	if (n->kind != YNODE_MAP) {
		cfg_expected(c, n, "a mapping of keys and values");
		return;
	}
	for (child = n->first; child != NULL; child = child->next) {
		if (child->repeated)
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s%s", prefix,
		    child->key) < sizeof(path) - 1 &&
		    strchr(child->key, '.') == NULL &&
		    read_key(c, child, map, base, path))
			continue;
		key_unknown(c, child, map, prefix);
	}
}

/* 1 when the key is known, whatever is wrong with its value. */
static int
read_key(struct cfg *c, const struct ynode *n, const struct cfg_map *map,
    void *base, const char *path)
{
	const struct schema_row	*row;
	const struct cfg_key	*k;
	char			 prefix[CFG_PATH_MAX + 1];
	size_t			 at = 0;

	for (k = map->keys; k != NULL && k->name != NULL; k++)
		if (strcmp(k->name, path) == 0) {
			if (n->kind != YNODE_BAD)
				k->parse(c, n, k, (char *)base + k->offset);
			return (1);
		}
	row = map->schema == NULL ? NULL : row_find(map->schema, path, &at);
	if (row != NULL) {
		if (n->kind != YNODE_BAD)
			read_plain(c, n, row, (char *)base + at);
		return (1);
	}
	if (!is_map(map, path))
		return (0);
	(void)snprintf(prefix, sizeof(prefix), "%s.", path);
	walk(c, n, map, base, prefix);
	return (1);
}

/* The row of a plain key; *at becomes the offset of its struct. */
static const struct schema_row *
row_find(const struct schema *s, const char *path, size_t *at)
{
	const struct schema_row	*r, *found;
	size_t			 i, inner = 0;

	for (i = 0; i < s->nrows; i++) {
		r = &s->rows[i];
		if (r->type == SCHEMA_STRUCT) {
			if ((found = row_find(r->sub, path, &inner)) == NULL)
				continue;
			*at = r->offset + inner;
			return (found);
		}
		if (r->form != FORM_NONE && r->key != NULL &&
		    strcmp(r->key, path) == 0)
			return (r);
	}
	return (NULL);
}

static void
read_plain(struct cfg *c, const struct ynode *n, const struct schema_row *r,
    void *base)
{
	const struct cfg_key	 k = { r->key, NULL, r->offset, r->min,
				    r->max };
	void			*dst = (char *)base + r->offset;

	switch (r->form) {
	case FORM_FLAG:
		cfg_bool(c, n, &k, dst);
		break;
	case FORM_TEXT:
		cfg_text(c, n, &k, dst);
		break;
	case FORM_PATH:
		cfg_path_near(c, n, &k, dst);
		break;
	default:
		read_number(c, n, &k, r, base);
	}
}

static void
read_number(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    const struct schema_row *r, void *base)
{
	uint64_t	 v = schema_get(r, base);

	if (r->form == FORM_NUMBER)
		cfg_number(c, n, k, &v);
	else if (r->form == FORM_SIZE)
		cfg_size(c, n, k, &v);
	else if (r->flags & SCHEMA_OFF)
		cfg_duration_off(c, n, k, &v);
	else
		cfg_duration(c, n, k, &v);
	schema_set(r, base, v);
}

/* -- what is known ------------------------------------------------------- */

static void
known_all(const struct cfg_map *map, struct known *all)
{
	const struct cfg_key	*k;

	all->n = 0;
	for (k = map->keys; k != NULL && k->name != NULL; k++)
		if (all->n < KNOWN_MAX)
			all->path[all->n++] = k->name;
	if (map->schema != NULL)
		known_rows(map->schema, all);
}

static void
known_rows(const struct schema *s, struct known *all)
{
	const struct schema_row	*r;

	for (r = s->rows; r < s->rows + s->nrows; r++) {
		if (r->type == SCHEMA_STRUCT)
			known_rows(r->sub, all);
		else if (r->form != FORM_NONE && r->key != NULL &&
		    all->n < KNOWN_MAX)
			all->path[all->n++] = r->key;
	}
}

/* What follows a prefix; NULL when the path does not begin with it. */
static const char *
below(const char *path, const char *prefix)
{
	size_t	 n = strlen(prefix);

	return (strncmp(path, prefix, n) == 0 ? path + n : NULL);
}

/* Is it the path of a mapping with known keys? */
static int
is_map(const struct cfg_map *map, const char *path)
{
	struct known	 all;
	const char	*rest;
	size_t		 i;

	known_all(map, &all);
	for (i = 0; i < all.n; i++)
		if ((rest = below(all.path[i], path)) != NULL && *rest == '.')
			return (1);
	return (0);
}

/* The first component below prefix, where no path before it has the same. */
static int
first_of(const struct known *all, size_t i, const char *prefix, char *name,
    size_t size)
{
	const char	*rest, *other;
	size_t		 n, j;

	if ((rest = below(all->path[i], prefix)) == NULL)
		return (0);
	n = strcspn(rest, ".");
	for (j = 0; j < i; j++)
		if ((other = below(all->path[j], prefix)) != NULL &&
		    strcspn(other, ".") == n && memcmp(other, rest, n) == 0)
			return (0);
	(void)snprintf(name, size, "%.*s", (int)n, rest);
	return (1);
}

/* -- what may have been meant -------------------------------------------- */

/* Indentation is what people get wrong in YAML, so a key that is known in one
 * other place, further in or out, is sent there before its spelling is
 * doubted. */
static void
key_unknown(struct cfg *c, const struct ynode *n, const struct cfg_map *map,
    const char *prefix)
{
	struct known	 here, all;
	char		 name[300], text[CFG_PATH_MAX];
	char		 path[CFG_PATH_MAX], place[CFG_PATH_MAX];

	cfg_quote(n->key, name, sizeof(name));
	cfg_path_of(n, path, sizeof(path));
	known_all(map, &here);
	known_all(c->map, &all);
	if (key_elsewhere(&all, n->key, place, sizeof(place)) == 1 &&
	    related(path, place)) {
		cfg_error_at(c, n, n->key_line, n->key_column,
		    "unknown key %s; did you mean \"%s\"?", name, place);
		return;
	}
	key_nearest(&here, prefix, n->key, text, sizeof(text));
	if (*text != '\0') {
		cfg_error_at(c, n, n->key_line, n->key_column,
		    "unknown key %s; did you mean \"%s\"?", name, text);
		return;
	}
	key_list(&here, prefix, text, sizeof(text));
	cfg_error_at(c, n, n->key_line, n->key_column, "unknown key %s%s%s",
	    name, *text != '\0' ? "; expected one of " : "", text);
}

/* Of the keys right below prefix the one that is spelled most like it; or
 * "". */
static void
key_nearest(const struct known *all, const char *prefix, const char *key,
    char *best, size_t size)
{
	char		 name[CFG_PATH_MAX];
	unsigned	 d, least = UINT_MAX;
	size_t		 i;

	*best = '\0';
	for (i = 0; i < all->n; i++) {
		if (!first_of(all, i, prefix, name, sizeof(name)))
			continue;
		if ((d = spelling_distance(key, name)) < least) {
			least = d;
			(void)strlcpy(best, name, size);
		}
	}
}

/* In how many places the name is known, as a key or a mapping; the last one
 * goes to buf. */
static unsigned
key_elsewhere(const struct known *all, const char *key, char *buf,
    size_t size)
{
	char		 prefix[CFG_PATH_MAX], name[CFG_PATH_MAX];
	const char	*p;
	unsigned	 n = 0;
	size_t		 i, len;

	for (i = 0; i < all->n; i++)
		for (p = all->path[i]; p != NULL;
		    p = strchr(p, '.') == NULL ? NULL : strchr(p, '.') + 1) {
			len = (size_t)(p - all->path[i]);
			(void)snprintf(prefix, sizeof(prefix), "%.*s",
			    (int)len, all->path[i]);
			if (!first_of(all, i, prefix, name, sizeof(name)) ||
			    strcmp(name, key) != 0)
				continue;
			(void)strlcpy(buf, prefix, size);
			(void)strlcat(buf, name, size);
			n++;
		}
	return (n);
}

/* Is one key's mapping inside the other's (or the same)? */
static int
related(const char *a, const char *b)
{
	const char	*dot;
	size_t		 la, lb, least;

	la = (dot = strrchr(a, '.')) != NULL ? (size_t)(dot - a) + 1 : 0;
	lb = (dot = strrchr(b, '.')) != NULL ? (size_t)(dot - b) + 1 : 0;
	least = la < lb ? la : lb;
	return (strncmp(a, b, least) == 0);
}

/* The keys right below prefix, unless they are many. */
static void
key_list(const struct known *all, const char *prefix, char *buf, size_t size)
{
	char	 name[CFG_PATH_MAX];
	size_t	 i, n = 0;

	*buf = '\0';
	for (i = 0; i < all->n; i++) {
		if (!first_of(all, i, prefix, name, sizeof(name)))
			continue;
		if (n++ == LISTED_MAX) {
			*buf = '\0';
			return;
		}
		if (*buf != '\0')
			(void)strlcat(buf, ", ", size);
		(void)strlcat(buf, name, size);
	}
}
