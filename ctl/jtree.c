/*
 * Looking things up in JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "ctl/jtree.h"

yajl_val
jtree_parse(const char *text, size_t len)
{
	/* a NUL inside is no JSON, so that the text ends where yajl ends */
	if (json_check(text, len) != JSON_OK)
		return (NULL);
	return (yajl_tree_parse(text, NULL, 0));
}

yajl_val
jtree_get(yajl_val v, const char *name)
{
	size_t	 i;

	if (!YAJL_IS_OBJECT(v))
		return (NULL);
	for (i = 0; i < v->u.object.len; i++)
		if (strcmp(v->u.object.keys[i], name) == 0)
			return (v->u.object.values[i]);
	return (NULL);
}

const char *
jtree_str(yajl_val v, const char *name)
{
	v = jtree_get(v, name);
	return (YAJL_IS_STRING(v) ? v->u.string : "");
}

int64_t
jtree_int(yajl_val v, const char *name)
{
	v = jtree_get(v, name);
	return (YAJL_IS_INTEGER(v) ? v->u.number.i : 0);
}

double
jtree_num(yajl_val v, const char *name)
{
	v = jtree_get(v, name);
	return (YAJL_IS_NUMBER(v) ? strtod(v->u.number.r, NULL) : 0);
}

int
jtree_bool(yajl_val v, const char *name)
{
	v = jtree_get(v, name);
	return (YAJL_IS_TRUE(v));
}

size_t
jtree_count(yajl_val array)
{
	return (YAJL_IS_ARRAY(array) ? array->u.array.len : 0);
}

yajl_val
jtree_at(yajl_val array, size_t i)
{
	return (i < jtree_count(array) ? array->u.array.values[i] : NULL);
}
