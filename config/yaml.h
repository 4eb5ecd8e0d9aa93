/*
 * A YAML text as a small tree that remembers where everything stood.  Built
 * from libyaml's events, so that what a configuration has no use for is
 * refused while it is read: anchors and aliases, tags, several documents,
 * repeated keys, depth and size beyond reason.  Used by the configuration
 * only; libyaml is not seen outside yaml.c.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stddef.h>

#define YTREE_DEPTH_MAX	32
#define YTREE_NODES_MAX	100000

enum ynode_kind {
	YNODE_SCALAR,
	YNODE_MAP,
	YNODE_LIST,
	YNODE_BAD		/* an error was told already: skip it */
};

struct ynode {
	enum ynode_kind	 kind;
	struct ynode	*parent;	/* NULL: the top */
	struct ynode	*next;		/* sibling, in the order of the file */
	struct ynode	*first;		/* children of a map or list */
	struct ynode	*last;
	size_t		 nchildren;
	size_t		 index;		/* place among its siblings */
	char		*key;		/* in a map: the name; else NULL */
	unsigned	 key_line;	/* all from 1; columns in characters */
	unsigned	 key_column;
	unsigned	 line;
	unsigned	 column;
	char		*text;		/* of a scalar, UTF-8, no NUL inside */
	int		 plain;		/* a scalar without quotes */
	int		 repeated;	/* its key came before: an error */
};

/* node: what the error is about, for its path, or NULL. */
typedef void (*ytree_error_cb)(void *, const struct ynode *node,
    unsigned line, unsigned column, const char *text);

/*
 * Parse one document.  Returns its top node, to be freed by ytree_free(), or
 * NULL when the text has no tree (syntax, encoding, limits, memory, nothing in
 * it).  Errors are told to the callback; some of them (aliases, tags,
 * repeated keys) leave a tree that is good enough to look for more.  NULL is
 * never returned without an error.
 */
struct ynode	*ytree_parse(const char *, size_t, ytree_error_cb, void *);
void		 ytree_free(struct ynode *);	/* wipes; NULL is fine */

/* The child of that name in a map (the first if it is repeated), or NULL;
 * NULL also when node is NULL or no map. */
const struct ynode *ynode_get(const struct ynode *, const char *key);
/* The node at a dotted path below this one, or NULL; n may be NULL. */
const struct ynode *ynode_at(const struct ynode *, const char *path);

/* 1 for a plain scalar that means null: nothing at all, ~ or null. */
int		 ynode_isnull(const struct ynode *);

#endif
