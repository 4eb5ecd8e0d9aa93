/*
 * Counting the audit log: one pass, in memory that does not depend on how
 * large it is.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/rfc3339.h"
#include "ctl/audit_files.h"
#include "ctl/audit_read.h"
#include "ctl/audit_show.h"
#include "ctl/audit_stats.h"
#include "ctl/audit_tail.h"
#include "ctl/ctl.h"
#include "ctl/histogram.h"
#include "ctl/table.h"
#include "ctl/tally.h"
#include "ctl/units.h"

#define OPTION_ALL	1
#define BAD_SHOWN	20	/* lines that are none, told by number */

/* What is counted by name. */
enum { BY_ACTION, BY_AUTH, BY_STATUS, BY_METHOD, BY_TOOL, BY_CLIENT,
    BY_UPSTREAM, BY_REASON, KINDS };

static const struct {
	const char	*json;
	const char	*title;
} kinds[KINDS] = {
	[BY_ACTION] = { "action", "ACTION" },
	[BY_AUTH] = { "auth_result", "AUTH RESULT" },
	[BY_STATUS] = { "status", "STATUS" },
	[BY_METHOD] = { "method", "METHOD" },
	[BY_TOOL] = { "tool", "TOOL" },
	[BY_CLIENT] = { "client", "CLIENT" },
	[BY_UPSTREAM] = { "upstream", "UPSTREAM" },
	[BY_REASON] = { "reason", "WHY NOT" }
};

struct stats {
	struct audit_filter	 filter;
	struct audit_files	 files;
	int			 all;
	uint64_t		 most;	/* names of a kind */
	uint64_t		 lines;
	uint64_t		 requests;
	uint64_t		 events;
	uint64_t		 bad;
	int64_t			 first;
	int64_t			 last;
	struct tally		*by[KINDS];
	struct histogram	 latency;	/* milliseconds */
};

static void	 options(int, char *[], struct stats *);
static int	 count(struct stats *);
static int	 count_file(struct stats *, const char *);
static void	 count_bad(struct stats *, const char *, uint64_t,
		    const char *);
static void	 count_line(struct stats *, const struct audit_entry *);
static void	 by(struct stats *, int, const char *, uint64_t, uint64_t);
static void	 print_text(const struct stats *);
static void	 print_kind(const struct stats *, int);
static char	*moment(int64_t, char[RFC3339_STRLEN]);
static void	 print_json(const struct stats *);
static void	 json_kind(const struct stats *, int);
static void	 json_string(const char *);

int
audit_stats(int argc, char *argv[])
{
	struct stats	*s;
	int		 code, i;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		err(CTL_INTERNAL, NULL);
	for (i = 0; i < KINDS; i++)
		if ((s->by[i] = tally_new()) == NULL)
			err(CTL_INTERNAL, NULL);
	options(argc, argv, s);
	code = audit_files_find(&s->files, s->all, argv + optind);
	if (code == 0)
		code = count(s);
	for (i = 0; i < KINDS; i++)
		tally_free(s->by[i]);
	audit_files_free(&s->files);
	free(s);
	return (ctl_flush() == 0 ? code : CTL_IO);
}

static void
options(int argc, char *argv[], struct stats *s)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		AUDIT_FILTER_LONGOPTS,
		{ "all", no_argument, NULL, OPTION_ALL },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch;

	audit_filter_init(&s->filter);
	s->most = 10;
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "n:", longopts,
	    NULL)) != -1)
		if (ch == OPTION_ALL)
			s->all = 1;
		else if (ch == 'n' && audit_tail_number(optarg, &s->most) ==
		    0)
			;
		else if (ctl_option(ch) == -1 &&
		    audit_filter_option(&s->filter, ch, optarg) == -1)
			ctl_usage(AUDIT_STATS_USAGE);
}

/* What could be counted is printed, whatever else was wrong. */
static int
count(struct stats *s)
{
	size_t	 i;
	int	 code = CTL_OK;

	for (i = 0; i < s->files.n; i++)
		if (count_file(s, s->files.path[i]) == -1)
			code = CTL_IO;
	if (s->bad > BAD_SHOWN)
		warnx("%" PRIu64 " more lines are none of an audit log",
		    s->bad - BAD_SHOWN);
	for (i = 0; i < KINDS; i++)
		tally_sort(s->by[i]);
	if (ctl_options.json)
		print_json(s);
	else
		print_text(s);
	return (code);
}

static int
count_file(struct stats *s, const char *path)
{
	struct audit_reader	 r;
	struct audit_entry	 e;
	struct slice		 line;
	enum audit_read		 got;
	const char		*wrong;

	if (audit_open(&r, path) == -1) {
		warn("%s", path);
		return (-1);
	}
	while ((got = audit_next(&r, &line)) == AUDIT_LINE ||
	    got == AUDIT_LONG)
		if (got == AUDIT_LONG)
			count_bad(s, path, r.line, "longer than a line can "
			    "be");
		else if ((wrong = audit_entry_read(&e, line)) != NULL)
			count_bad(s, path, r.line, wrong);
		else if (audit_filter_fits(&s->filter, &e))
			count_line(s, &e);
	/* it may be that it is being written */
	if (got == AUDIT_TORN)
		audit_show_bad(path, r.line, "not whole; left out");
	if (got == AUDIT_FAILED)
		audit_show_bad(path, r.line, r.why);
	audit_close(&r);
	return (got == AUDIT_FAILED ? -1 : 0);
}

static void
count_bad(struct stats *s, const char *path, uint64_t line, const char *why)
{
	if (s->bad++ < BAD_SHOWN)
		audit_show_bad(path, line, why);
}

static void
count_line(struct stats *s, const struct audit_entry *e)
{
	uint64_t	 bad, n = audit_entry_requests(e);
	char		 text[512];

	if (s->lines++ == 0 || e->ms < s->first)
		s->first = e->ms;
	if (s->lines == 1 || e->ms > s->last)
		s->last = e->ms;
	if (n == 0) {
		s->events++;
		return;
	}
	s->requests += n;
	(void)audit_entry_text(e, AUDIT_ACTION, text, sizeof(text));
	bad = strcmp(text, "allow") == 0 ? 0 : n;
	by(s, BY_ACTION, text, n, bad);
#define BY(kind, field) \
	by(s, kind, audit_entry_text(e, field, text, sizeof(text)), n, bad)
	BY(BY_AUTH, AUDIT_AUTH_RESULT);
	BY(BY_STATUS, AUDIT_STATUS);
	BY(BY_METHOD, AUDIT_METHOD);
	BY(BY_TOOL, AUDIT_TOOL);
	BY(BY_UPSTREAM, AUDIT_UPSTREAM);
#undef BY
	by(s, BY_CLIENT, audit_entry_client(e, text, sizeof(text)), n, bad);
	if (bad > 0)
		by(s, BY_REASON, audit_entry_reason(e, text, sizeof(text)),
		    n, bad);
	if (audit_entry_number(e, AUDIT_SUPPRESSED) == 0)
		histogram_add(&s->latency, audit_entry_number(e,
		    AUDIT_LATENCY), 1);
}

static void
by(struct stats *s, int kind, const char *name, uint64_t n, uint64_t bad)
{
	if (*name != '\0')
		tally_add(s->by[kind], name, n, bad);
}

/* -- for people ---------------------------------------------------------- */

static void
print_text(const struct stats *s)
{
	char	 t[RFC3339_STRLEN], buf[4][UNITS_LEN];
	int	 i;

	printf("%" PRIu64 " requests in %" PRIu64 " lines", s->requests,
	    s->lines);
	if (s->events > 0)
		printf(", %" PRIu64 " of them events", s->events);
	if (s->bad > 0)
		printf("; %" PRIu64 " lines are none", s->bad);
	putchar('\n');
	if (s->lines == 0)
		return;
	printf("from %s", moment(s->first, t));
	printf(" to %s (%s)\n", moment(s->last, t),
	    units_span((double)(s->last - s->first) / 1000, buf[0]));
#define AT(share, b)	units_latency((double)histogram_at(&s->latency, \
	    share) / 1000, b)
	printf("latency: p50 %s, p95 %s, p99 %s, most %s\n",
	    AT(0.5, buf[0]), AT(0.95, buf[1]), AT(0.99, buf[2]),
	    AT(1, buf[3]));
#undef AT
	for (i = 0; i < KINDS; i++)
		if (s->by[i]->n > 0)
			print_kind(s, i);
}

static void
print_kind(const struct stats *s, int kind)
{
	struct column		 columns[] = {
		{ kinds[kind].title, 60, 0 }, { "REQUESTS", 20, 1 },
		{ "SHARE", 6, 1 }, { "NOT ALLOWED", 20, 1 }
	};
	const struct tally	*t = s->by[kind];
	const struct tally_row	*r;
	struct tally_row	 rest = t->other;
	struct table		 table;
	size_t			 i;

	table_init(&table, columns, 4);
	for (i = s->most < t->n ? s->most : t->n; i < t->n; i++) {
		rest.count += t->row[i].count;
		rest.bad += t->row[i].bad;
	}
	for (i = 0; i <= t->n && i <= s->most; i++) {
		r = i < t->n && i < s->most ? &t->row[i] : &rest;
		if (r->count == 0)
			break;
		table_add(&table, "%s", r->name != NULL ? r->name :
		    "(others)");
		table_add(&table, "%" PRIu64, r->count);
		table_add(&table, "%.1f%%", 100 * (double)r->count /
		    (double)s->requests);
		table_add(&table, "%" PRIu64, r->bad);
	}
	putchar('\n');
	table_print(&table, stdout, "");
	table_free(&table);
}

/* With milliseconds. */
static char *
moment(int64_t ms, char buf[RFC3339_STRLEN])
{
	size_t	 len;

	len = strlen(rfc3339_format(ms / 1000, buf));
	(void)snprintf(buf + len - 1, RFC3339_STRLEN - len, ".%03dZ",
	    (int)(ms % 1000));
	return (buf);
}

/* -- for programs -------------------------------------------------------- */

static void
print_json(const struct stats *s)
{
	char	 t[RFC3339_STRLEN];
	int	 i;

	printf("{\"lines\":%" PRIu64 ",\"requests\":%" PRIu64
	    ",\"events\":%" PRIu64 ",\"bad_lines\":%" PRIu64, s->lines,
	    s->requests, s->events, s->bad);
	if (s->lines == 0)
		printf(",\"first\":null,\"last\":null");
	else {
		printf(",\"first\":\"%s\"", moment(s->first, t));
		printf(",\"last\":\"%s\"", moment(s->last, t));
	}
	printf(",\"latency_ms\":{\"p50\":%" PRIu64 ",\"p95\":%" PRIu64
	    ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
	    histogram_at(&s->latency, 0.5), histogram_at(&s->latency, 0.95),
	    histogram_at(&s->latency, 0.99), s->latency.most);
	for (i = 0; i < KINDS; i++)
		json_kind(s, i);
	printf("}\n");
}

/* All names, the largest count first. */
static void
json_kind(const struct stats *s, int kind)
{
	const struct tally	*t = s->by[kind];
	size_t			 i;

	printf(",\"%s\":[", kinds[kind].json);
	for (i = 0; i < t->n; i++) {
		printf("%s{\"name\":", i > 0 ? "," : "");
		json_string(t->row[i].name);
		printf(",\"requests\":%" PRIu64 ",\"not_allowed\":%" PRIu64
		    "}", t->row[i].count, t->row[i].bad);
	}
	printf("],\"%s_others\":%" PRIu64, kinds[kind].json,
	    t->other.count);
}

static void
json_string(const char *s)
{
	char	 buf[6 * TALLY_NAME_MAX];

	printf("\"%.*s\"", (int)json_escape(slice_of(s), TALLY_NAME_MAX,
	    buf), buf);
}
