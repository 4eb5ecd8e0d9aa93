/*
 * Writing JSON: yajl_gen with fewer words.  Used by both servers of the demo.
 * Every function adds one member (key, value), or one element of an array
 * when key is NULL.  Text must be UTF-8 that was checked before, or our own.
 * Misuse and lack of memory end the program.
 */
#ifndef DEMO_JSON_OUT_H
#define DEMO_JSON_OUT_H

#include <stddef.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

/* A new text.  The caller frees it with yajl_gen_free(). */
yajl_gen json_out_new(void);
/* What was written so far, NUL-terminated; lives as long as the yajl_gen. */
const char *json_out_text(yajl_gen, size_t *len);

void	json_out_map(yajl_gen, const char *key);
void	json_out_map_end(yajl_gen);
void	json_out_array(yajl_gen, const char *key);
void	json_out_array_end(yajl_gen);
void	json_out_str(yajl_gen, const char *key, const char *);
/* A string of bytes from outside: all but printable ASCII and line
 * breaks becomes '?'. */
void	json_out_ascii(yajl_gen, const char *key, const char *);
void	json_out_int(yajl_gen, const char *key, long long);
void	json_out_bool(yajl_gen, const char *key, int);
/* JSON that is already written. */
void	json_out_raw(yajl_gen, const char *key, const char *json);
/* A string or a number as it was read; anything else becomes null. */
void	json_out_scalar(yajl_gen, const char *key, yajl_val);

#endif
