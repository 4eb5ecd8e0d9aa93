/*
 * yajl_gen with fewer words.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "regress/demo/json_out.h"

static void	 must(yajl_gen_status);
static void	 put(yajl_gen, const char *);
static void	 put_key(yajl_gen, const char *);

yajl_gen
json_out_new(void)
{
	yajl_gen	 g;

	if ((g = yajl_gen_alloc(NULL)) == NULL)
		errx(1, "no memory");
	return (g);
}

const char *
json_out_text(yajl_gen g, size_t *len)
{
	const unsigned char	*buf;

	must(yajl_gen_get_buf(g, &buf, len));
	return ((const char *)buf);
}

void
json_out_map(yajl_gen g, const char *key)
{
	put_key(g, key);
	must(yajl_gen_map_open(g));
}

void
json_out_map_end(yajl_gen g)
{
	must(yajl_gen_map_close(g));
}

void
json_out_array(yajl_gen g, const char *key)
{
	put_key(g, key);
	must(yajl_gen_array_open(g));
}

void
json_out_array_end(yajl_gen g)
{
	must(yajl_gen_array_close(g));
}

void
json_out_str(yajl_gen g, const char *key, const char *value)
{
	put_key(g, key);
	put(g, value);
}

void
json_out_ascii(yajl_gen g, const char *key, const char *value)
{
	char	*copy, *p;

	if ((copy = strdup(value)) == NULL)
		err(1, NULL);
	for (p = copy; *p != '\0'; p++) {
		if ((*p < 0x20 && *p != '\n') || *p > 0x7e)
			*p = '?';
	}
	json_out_str(g, key, copy);
	free(copy);
}

void
json_out_int(yajl_gen g, const char *key, long long value)
{
	put_key(g, key);
	must(yajl_gen_integer(g, value));
}

void
json_out_bool(yajl_gen g, const char *key, int value)
{
	put_key(g, key);
	must(yajl_gen_bool(g, value));
}

void
json_out_raw(yajl_gen g, const char *key, const char *json)
{
	put_key(g, key);
	/* yajl writes the text of a number as it is */
	must(yajl_gen_number(g, json, strlen(json)));
}

void
json_out_scalar(yajl_gen g, const char *key, yajl_val v)
{
	if (YAJL_IS_STRING(v))
		json_out_str(g, key, YAJL_GET_STRING(v));
	else if (YAJL_IS_NUMBER(v))
		json_out_raw(g, key, YAJL_GET_NUMBER(v));
	else
		json_out_raw(g, key, "null");
}

static void
must(yajl_gen_status status)
{
	if (status != yajl_gen_status_ok &&
	    status != yajl_gen_generation_complete)
		errx(1, "cannot write JSON (%d)", (int)status);
}

static void
put(yajl_gen g, const char *s)
{
	must(yajl_gen_string(g, (const unsigned char *)s, strlen(s)));
}

static void
put_key(yajl_gen g, const char *key)
{
	if (key != NULL)
		put(g, key);
}
