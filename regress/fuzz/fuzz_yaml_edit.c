/*
 * Taking the key "x" out of any bytes: either it says why not, or the new
 * text is the old one without some whole lines, perhaps with " []" put in,
 * and the key cannot be taken out again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/yaml_edit.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void	 check(const char *, size_t, const struct yaml_cut *);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*text = (const char *)data;
	struct yaml_cut	 again, c;

	if (yaml_cut_key(text, len, "x", &c) != NULL) {
		if (c.text != NULL)
			abort();
		return (0);
	}
	check(text, len, &c);
	/* another entry may have the same id: never as many as characters */
	if (yaml_cut_key(c.text, c.len, "x", &again) == NULL) {
		if (again.len >= c.len + strlen(YAML_CUT_EMPTY))
			abort();
		yaml_cut_free(&again);
	}
	yaml_cut_free(&c);
	return (0);
}

static void
check(const char *text, size_t len, const struct yaml_cut *c)
{
	size_t	 add = c->at != 0 ? strlen(YAML_CUT_EMPTY) : 0;

	if (c->from >= c->to || c->to > len || c->at > c->from ||
	    c->line == 0 || c->len != len - (c->to - c->from) + add)
		abort();
	if (memcmp(c->text, text, c->at) != 0 ||
	    memcmp(c->text + c->at, YAML_CUT_EMPTY, add) != 0 ||
	    memcmp(c->text + c->at + add, text + c->at,
	    c->from - c->at) != 0 || memcmp(c->text + c->from + add,
	    text + c->to, len - c->to) != 0)
		abort();
}
