/*
 * Picks members of an object while its text is judged.
 */
#include "common/json.h"

struct pick {
	struct json_member *m;
	size_t		 n;
	struct json_member *at;		/* whose value comes next, or NULL */
	unsigned	 depth;
	int		 object;
};

static void	 on_event(void *, enum json_event, struct slice);
static struct json_member *find(struct pick *, struct slice);

static const enum json_type types[] = {
	[JSON_NULL] = JSON_T_NULL,
	[JSON_BOOLEAN] = JSON_T_BOOLEAN,
	[JSON_NUMBER] = JSON_T_NUMBER,
	[JSON_STRING] = JSON_T_STRING,
	[JSON_OBJECT] = JSON_T_OBJECT,
	[JSON_ARRAY] = JSON_T_ARRAY
};

enum json_error
json_members(const char *text, size_t len, struct json_member *m, size_t n)
{
	struct pick	 p = { m, n, NULL, 0, 0 };
	enum json_error	 e;
	size_t		 i;

	for (i = 0; i < n; i++) {
		m[i].type = JSON_T_ABSENT;
		m[i].raw = (struct slice){ NULL, 0 };
	}
	if ((e = json_walk(text, len, on_event, &p)) != JSON_OK)
		return (e);
	return (p.object ? JSON_OK : JSON_SYNTAX);
}

static void
on_event(void *arg, enum json_event event, struct slice raw)
{
	struct pick	*p = arg;

	if (event == JSON_END) {
		p->depth--;
		/* a value of many parts ends here */
		if (p->depth == 1 && p->at != NULL) {
			p->at->raw.len = (size_t)(raw.p + 1 - p->at->raw.p);
			p->at = NULL;
		}
		return;
	}
	if (event == JSON_NAME) {
		if (p->depth == 1)
			p->at = find(p, raw);
		return;
	}
	if (p->depth == 0)
		p->object = event == JSON_OBJECT;
	if (p->depth == 1 && p->at != NULL) {
		p->at->type = types[event];
		p->at->raw = raw;
		if (event != JSON_OBJECT && event != JSON_ARRAY)
			p->at = NULL;
	}
	if (event == JSON_OBJECT || event == JSON_ARRAY)
		p->depth++;
}

static struct json_member *
find(struct pick *p, struct slice name)
{
	size_t	 i;

	for (i = 0; i < p->n; i++)
		if ((name.len == 0 || *name.p == *p->m[i].name ||
		    *name.p == '\\') && json_string_is(name, p->m[i].name))
			return (&p->m[i]);
	return (NULL);
}
