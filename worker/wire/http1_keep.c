/*
 * One allocation holds the fields and all that they point to.
 */
#include <string.h>

#include "worker/wire/http1_keep.h"

static struct slice copy(char **, struct slice);

int
http1_keep(struct http1_kept *k, const struct http1_head *h,
    int (*wanted)(const struct http1_field *))
{
	struct http1_field	*to;
	size_t			 i, n = 0, text = h->query.len;
	uint8_t			 take[HTTP1_FIELDS_MAX];
	char			*p;

	for (i = 0; i < h->nfield; i++) {
		if ((take[i] = wanted(&h->field[i]) != 0) == 0)
			continue;
		n++;
		text += h->field[i].name.len + h->field[i].value.len;
	}
	http1_kept_free(k);
	if ((p = buf_room(&k->all, n * sizeof(*to) + text)) == NULL)
		return (-1);
	buf_added(&k->all, n * sizeof(*to) + text);
	to = (struct http1_field *)(void *)p;
	p += n * sizeof(*to);
	k->nfield = n;
	k->minor = h->minor;
	if (h->query.p != NULL)
		k->query = copy(&p, h->query);
	for (i = 0; i < h->nfield; i++) {
		if (!take[i])
			continue;
		*to = h->field[i];
		to->name = copy(&p, to->name);
		to->value = copy(&p, to->value);
		to++;
	}
	return (0);
}

static struct slice
copy(char **p, struct slice s)
{
	struct slice	 made = { *p, s.len };

	if (s.len > 0)
		memcpy(*p, s.p, s.len);
	*p += s.len;
	return (made);
}

const struct http1_head *
http1_kept_head(const struct http1_kept *k)
{
	static struct http1_head	 h;
	enum http1_name			 id;
	size_t				 i;

	memset(h.first, -1, sizeof(h.first));
	memset(h.count, 0, sizeof(h.count));
	h.query = k->query;
	h.minor = k->minor;
	if ((h.nfield = k->nfield) > 0)
		memcpy(h.field, buf_data(&k->all),
		    k->nfield * sizeof(h.field[0]));
	for (i = 0; i < h.nfield; i++) {
		id = h.field[i].id;
		if (h.count[id]++ == 0)
			h.first[id] = (short)i;
	}
	return (&h);
}

void
http1_kept_free(struct http1_kept *k)
{
	buf_wipe(&k->all);
	memset(k, 0, sizeof(*k));
}
