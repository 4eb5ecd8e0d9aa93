/*
 * Taking one entry of auth.keys out of the text of mcpgw.yaml, and leaving
 * every other byte as it is: comments, order, spaces, ends of lines.  Works
 * on whole lines, guided by the positions that config/yaml.h tells, and then
 * compares the trees of both texts; what it is not sure of it refuses.  Pure
 * functions on memory.
 */
#ifndef CTL_YAML_EDIT_H
#define CTL_YAML_EDIT_H

#include <stddef.h>

struct yaml_cut {
	char		*text;	/* the new one, with a NUL behind it */
	size_t		 len;
	size_t		 from;	/* bytes of the old text that are gone: */
	size_t		 to;	/* whole lines */
	unsigned	 line;	/* the first of them, from 1; 0: not found */
	size_t		 at;	/* where the old text got YAML_CUT_EMPTY,
				 * when the last key went; or 0 */
};

#define YAML_CUT_EMPTY	" []"

/*
 * Take out the entry with that id.  NULL, and what was made is to be freed;
 * or in words why it has to be done by hand, with line set if there is such
 * an entry, and nothing to be freed.
 */
const char *yaml_cut_key(const char *text, size_t len, const char *id,
	    struct yaml_cut *);
void	yaml_cut_free(struct yaml_cut *);	/* wipes */

/* Where the line that begins at pos ends, behind its line break, by the
 * breaks that YAML 1.1 knows; len at the end of the text. */
size_t	yaml_line_next(const char *text, size_t len, size_t pos);

#endif
