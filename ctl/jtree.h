/*
 * JSON that the gateway sent, to be looked up: checked strictly by
 * common/json.h first, then kept as yajl's tree.  What is not there, or is of
 * another type, reads as empty, zero or false.
 */
#ifndef CTL_JTREE_H
#define CTL_JTREE_H

#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_tree.h>

/* The top value, to yajl_tree_free(), or NULL. */
yajl_val	 jtree_parse(const char *, size_t);

/* A member of an object; NULL when there is none (v may be NULL). */
yajl_val	 jtree_get(yajl_val v, const char *name);
const char	*jtree_str(yajl_val v, const char *name);
int64_t		 jtree_int(yajl_val v, const char *name);
double		 jtree_num(yajl_val v, const char *name);
int		 jtree_bool(yajl_val v, const char *name);
/* How many elements an array has, and one of them. */
size_t		 jtree_count(yajl_val array);
yajl_val	 jtree_at(yajl_val array, size_t i);

#endif
