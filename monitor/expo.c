/*
 * The two formats differ in where _total and _info stand, in units, in how a
 * bound is written and in the last line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "monitor/expo.h"

static int	 ends(const char *, const char *);
static void	 put_name(struct expo *, const char *, const struct labels *);

void
expo_family(struct expo *e, enum expo_type type, const char *name,
    const char *help)
{
	static const char *const	 units[] = { "seconds", "bytes" };
	static const char *const	 types[] = { "counter", "gauge",
					    "histogram", "info" };
	const char			*suffix = "";
	size_t				 i;

	e->name = name;
	e->type = type;
	if (!e->open && type == EXPO_COUNTER)
		suffix = "_total";
	else if (!e->open && type == EXPO_INFO)
		suffix = "_info";
	evbuffer_add_printf(e->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name,
	    suffix, help, name, suffix, !e->open && type == EXPO_INFO ?
	    "gauge" : types[type]);
	for (i = 0; e->open && i < sizeof(units) / sizeof(units[0]); i++)
		if (ends(name, units[i]))
			evbuffer_add_printf(e->out, "# UNIT %s %s\n", name,
			    units[i]);
}

static int
ends(const char *name, const char *unit)
{
	size_t	 n = strlen(name), u = strlen(unit);

	return (n > u && name[n - u - 1] == '_' &&
	    strcmp(name + n - u, unit) == 0);
}

static void
put_name(struct expo *e, const char *suffix, const struct labels *l)
{
	evbuffer_add_printf(e->out, "%s%s", e->name, suffix);
	if (l != NULL && l->len > 0) {
		evbuffer_add(e->out, "{", 1);
		evbuffer_add(e->out, l->text, l->len);
		evbuffer_add(e->out, "}", 1);
	}
}

void
expo_number(struct expo *e, const struct labels *l, uint64_t n)
{
	put_name(e, e->type == EXPO_COUNTER ? "_total" :
	    e->type == EXPO_INFO ? "_info" : "", l);
	evbuffer_add_printf(e->out, " %" PRIu64 "\n", n);
}

void
expo_ms(struct expo *e, const struct labels *l, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	put_name(e, "", l);
	evbuffer_add_printf(e->out, " %" PRId64 ".%03" PRId64 "\n", ms / 1000,
	    ms % 1000);
}

/* What is counted is the sum of the buckets: the slot's own number may be of a
 * moment later. */
void
expo_hist(struct expo *e, const struct labels *l, const struct stats_hist *h,
    const uint32_t *bounds, double per)
{
	static const struct labels	 none;
	uint64_t			 sum = stats_get(&h->sum_us), n = 0;
	char				 le[32];
	size_t				 i;

	if (l == NULL)
		l = &none;
	for (i = 0; i < STATS_BUCKETS; i++) {
		n += stats_get(&h->bucket[i]);
		if (i == STATS_BUCKETS - 1)
			(void)strlcpy(le, "+Inf", sizeof(le));
		else
			(void)snprintf(le, sizeof(le), "%g", bounds[i] / per);
		if (e->open && strpbrk(le, ".eI") == NULL)
			(void)strlcat(le, ".0", sizeof(le));
		evbuffer_add_printf(e->out, "%s_bucket{%.*s%sle=\"%s\"} %"
		    PRIu64 "\n", e->name, (int)l->len, l->text,
		    l->len > 0 ? "," : "", le, n);
	}
	put_name(e, "_sum", l);
	evbuffer_add_printf(e->out, " %" PRIu64 ".%06" PRIu64 "\n",
	    sum / 1000000, sum % 1000000);
	put_name(e, "_count", l);
	evbuffer_add_printf(e->out, " %" PRIu64 "\n", n);
}

void
expo_end(struct expo *e)
{
	if (e->open)
		evbuffer_add_printf(e->out, "# EOF\n");
}
