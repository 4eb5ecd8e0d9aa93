/*
 * application/x-www-form-urlencoded.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "regress/demo/form.h"

static int	 field_add(struct form *, const char *, size_t, char **);
static int	 hex(char);

int
form_parse(struct form *f, const char *text, size_t len)
{
	const char	*end = text + len, *amp;
	char		*room;

	memset(f, 0, sizeof(*f));
	/* decoding only shortens; each field ends in a NUL instead of & */
	f->size = len + 2;
	if ((f->buf = calloc(1, f->size)) == NULL)
		err(1, NULL);
	room = f->buf;
	while (text < end) {
		amp = memchr(text, '&', (size_t)(end - text));
		if (amp == NULL)
			amp = end;
		if (amp != text &&
		    field_add(f, text, (size_t)(amp - text), &room) == -1)
			return (-1);
		text = amp + 1;
	}
	return (0);
}

size_t
form_get(const struct form *f, const char *name, const char **value)
{
	size_t	 i, n = 0;

	if (value != NULL)
		*value = NULL;
	for (i = 0; i < f->n; i++) {
		if (strcmp(f->field[i].name, name) != 0)
			continue;
		n++;
		if (value != NULL && *value == NULL &&
		    f->field[i].value[0] != '\0')
			*value = f->field[i].value;
	}
	return (n);
}

void
form_clear(struct form *f)
{
	if (f->buf != NULL)
		explicit_bzero(f->buf, f->size);
	free(f->buf);
	memset(f, 0, sizeof(*f));
}

int
form_decode(const char *src, size_t len, char *dst)
{
	size_t	 i;
	int	 c;

	for (i = 0; i < len; i++) {
		c = (unsigned char)src[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (len - i < 3 || hex(src[i + 1]) == -1 ||
			    hex(src[i + 2]) == -1)
				return (-1);
			c = hex(src[i + 1]) << 4 | hex(src[i + 2]);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return (-1);
		*dst++ = (char)c;
	}
	*dst = '\0';
	return (0);
}

/* One name=value; room moves on behind what was decoded. */
static int
field_add(struct form *f, const char *p, size_t len, char **room)
{
	const char	*eq;
	size_t		 namelen;
	char		*name, *value;

	eq = memchr(p, '=', len);
	namelen = eq == NULL ? len : (size_t)(eq - p);
	if (namelen == 0 || f->n == FORM_FIELDS_MAX)
		return (-1);
	name = *room;
	if (form_decode(p, namelen, name) == -1)
		return (-1);
	value = name + strlen(name);
	if (eq != NULL) {
		value++;
		if (form_decode(eq + 1, len - namelen - 1, value) == -1)
			return (-1);
	}
	*room = value + strlen(value) + 1;
	f->field[f->n].name = name;
	f->field[f->n].value = value;
	f->n++;
	return (0);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}
