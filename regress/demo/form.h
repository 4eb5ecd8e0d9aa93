/*
 * application/x-www-form-urlencoded, read strictly: what the token endpoint
 * is asked (RFC 6749 appendix B).  Holds a copy of a client's secret until
 * form_clear().
 */
#ifndef DEMO_FORM_H
#define DEMO_FORM_H

#include <stddef.h>

#define FORM_FIELDS_MAX	32

struct form {
	size_t	 n;
	char	*buf;		/* the decoded text, owned */
	size_t	 size;
	struct {
		char	*name, *value;	/* in buf */
	}	 field[FORM_FIELDS_MAX];
};

/* Returns 0, or -1 when the text is no form: a bad escape, a control
 * character, a field without a name, too many fields.  Then, too, call
 * form_clear(). */
int	form_parse(struct form *, const char *, size_t len);
/* How many fields have this name; value (may be NULL) gets the first that is
 * not empty, or NULL (RFC 6749 section 3.2: empty is as good as absent). */
size_t	form_get(const struct form *, const char *name, const char **value);
/* Wipe and free. */
void	form_clear(struct form *);

/* Decode one value of src in place of dst, which must hold len + 1 bytes.
 * Returns 0, or -1 as above. */
int	form_decode(const char *src, size_t len, char *dst);

#endif
