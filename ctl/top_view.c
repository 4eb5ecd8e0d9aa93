/*
 * The lines of mcpgwctl top.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "ctl/jtree.h"
#include "ctl/text.h"
#include "ctl/top_view.h"
#include "ctl/units.h"

#define NAME_LEAST	16	/* columns of a name, at least */
#define CELL		9	/* of any other, with a blank before it */
#define LINE_MAX	1024
#define REFUSALS	5

/* The columns behind the name, and which go first where there is no room for
 * all of them: those with the largest number. */
static const struct {
	const char	*title;
	int		 drop;
} cells[] = {
	{ "REQ/S", 0 }, { "ERR/S", 1 }, { "DENIED/S", 2 }, { "P50", 5 },
	{ "P95", 3 }, { "P99", 4 }, { "IN/S", 8 }, { "OUT/S", 7 },
	{ "TOTAL", 6 }
};
#define CELLS		(sizeof(cells) / sizeof(cells[0]))

static const char *const sort_names[TOP_SORTS] = {
	[TOP_BY_REQUESTS] = "requests", [TOP_BY_ERRORS] = "errors",
	[TOP_BY_DENIED] = "denied", [TOP_BY_P95] = "p95",
	[TOP_BY_BYTES] = "bytes", [TOP_BY_TOTAL] = "total",
	[TOP_BY_NAME] = "name"
};

static void	 line(FILE *, int, const char *, ...)
		    __attribute__((format(printf, 3, 4)));
static void	 head_rates(const struct top_view *, FILE *, int);
static void	 head_alarm(const struct top_view *, FILE *, int);
static void	 head_refusals(const struct top_view *, FILE *, int);
static int	 compare(const void *, const void *, void *);
static double	 sort_value(const struct top_row *, enum top_sort);
static size_t	 choose(const struct top_view *, struct top_rows *);
static void	 print_title(const struct top_view *, FILE *, int, int);
static void	 print_row(const struct top_row *, FILE *, int);
static char	*cell(const struct top_row *, size_t, char[UNITS_LEN]);
static char	*time_cell(double, char[UNITS_LEN]);
static void	 json_row(const struct top_row *, FILE *);
static void	 json_text(FILE *, const char *, const char *);
static void	 json_seconds(FILE *, const char *, double);

const char *
top_sort_name(enum top_sort sort)
{
	return (sort_names[sort]);
}

/* One line, fit for the terminal. */
static void
line(FILE *f, int columns, const char *fmt, ...)
{
	char	 text[LINE_MAX], fit[4 * LINE_MAX];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)text_fit(text, columns, fit, sizeof(fit));
	fprintf(f, "%s\n", fit);
}

/* -- the head ------------------------------------------------------------ */

void
top_view_head(const struct top_view *v, FILE *f, int columns)
{
	yajl_val	 s = jtree_get(v->now, "status");
	char		 up[UNITS_LEN];

	line(f, columns, "mcpgw %s, up %s; generation %" PRId64 ", %" PRId64
	    " workers; %" PRId64 " connections, %" PRId64 " streams",
	    jtree_str(s, "version"), units_span(jtree_num(s, "uptime_s"),
	    up), jtree_int(s, "generation"), jtree_int(s, "workers"),
	    jtree_int(s, "connections"), jtree_int(s, "streams"));
	head_rates(v, f, columns);
	head_alarm(v, f, columns);
	head_refusals(v, f, columns);
}

static void
head_rates(const struct top_view *v, FILE *f, int columns)
{
	struct top_row	 r;
	char		 b[8][UNITS_LEN];

	top_total(v->before, v->now, v->seconds, &r);
	line(f, columns, "%s requests/s, %s errors/s, %s denied/s; in %s/s, "
	    "out %s/s", units_rate(r.requests, b[0]),
	    units_rate(r.errors, b[1]), units_rate(r.denied, b[2]),
	    units_bytes(r.in, b[3]), units_bytes(r.out, b[4]));
	line(f, columns, "p50 %s, p95 %s, p99 %s; %s", time_cell(r.p50, b[5]),
	    time_cell(r.p95, b[6]), time_cell(r.p99, b[7]),
	    jtree_str(jtree_get(v->now, "status"), "now"));
}

/* What wants somebody's eye. */
static void
head_alarm(const struct top_view *v, FILE *f, int columns)
{
	yajl_val	 s = jtree_get(v->now, "status");
	yajl_val	 list = jtree_get(v->now, "upstreams"), servers;
	size_t		 i, j;

	if (jtree_bool(jtree_get(s, "audit"), "broken"))
		line(f, columns, "THE AUDIT LOG CANNOT BE WRITTEN");
	if (jtree_bool(s, "draining"))
		line(f, columns, "DRAINING: /readyz answers 503");
	for (i = 0; i < jtree_count(list); i++) {
		servers = jtree_get(jtree_at(list, i), "servers");
		for (j = 0; j < jtree_count(servers); j++)
			if (!jtree_bool(jtree_at(servers, j), "up"))
				line(f, columns, "DOWN: %s, %s",
				    jtree_str(jtree_at(list, i), "name"),
				    jtree_str(jtree_at(servers, j), "url"));
	}
}

static void
head_refusals(const struct top_view *v, FILE *f, int columns)
{
	yajl_val	 list = jtree_get(v->now, "refusals");
	char		 text[LINE_MAX] = "refused since start:", one[128];
	size_t		 i;

	for (i = 0; i < jtree_count(list) && i < REFUSALS; i++) {
		(void)snprintf(one, sizeof(one), "%s %.80s %" PRId64,
		    i > 0 ? "," : "", jtree_str(jtree_at(list, i), "reason"),
		    jtree_int(jtree_at(list, i), "count"));
		(void)strlcat(text, one, sizeof(text));
	}
	if (i > 0)
		line(f, columns, "%s", text);
}

/* -- the rows ------------------------------------------------------------ */

void
top_view_rows(struct top_view *v, FILE *f, int columns, int lines,
    int screen)
{
	struct top_rows	 rows;
	size_t		 i;

	top_rows(v->before, v->now, v->seconds, v->kind, &rows);
	v->rows = choose(v, &rows);
	qsort_r(rows.row, v->rows, sizeof(*rows.row), compare, &v->sort);
	if (v->skip >= v->rows)
		v->skip = v->rows > 0 ? v->rows - 1 : 0;
	print_title(v, f, columns, screen);
	for (i = v->skip; i < v->rows && --lines > 0; i++)
		print_row(&rows.row[i], f, columns);
	free(rows.row);
}

/* Those that fit the filter come first; how many they are. */
static size_t
choose(const struct top_view *v, struct top_rows *rows)
{
	size_t	 i, n = 0;

	for (i = 0; i < rows->n; i++)
		if (strcasestr(rows->row[i].name, v->filter) != NULL ||
		    strcasestr(rows->row[i].upstream, v->filter) != NULL)
			rows->row[n++] = rows->row[i];
	return (n);
}

/* The largest first; by name among equals, so that rows do not dance. */
static int
compare(const void *a, const void *b, void *sort)
{
	const struct top_row	*x = a, *y = b;
	enum top_sort		 s = *(enum top_sort *)sort;
	double			 m = sort_value(x, s), n = sort_value(y, s);

	if (m != n)
		return (m > n ? -1 : 1);
	if (s != TOP_BY_NAME && x->total != y->total)
		return (x->total > y->total ? -1 : 1);
	m = strcmp(x->name, y->name);
	return (m != 0 ? (int)m : strcmp(x->upstream, y->upstream));
}

static double
sort_value(const struct top_row *r, enum top_sort s)
{
	switch (s) {
	case TOP_BY_REQUESTS:
		return (r->requests);
	case TOP_BY_ERRORS:
		return (r->errors);
	case TOP_BY_DENIED:
		return (r->denied);
	case TOP_BY_P95:
		return (r->p95);
	case TOP_BY_BYTES:
		return (r->in + r->out);
	case TOP_BY_TOTAL:
		return ((double)r->total);
	default:
		return (0);
	}
}

/* How many of the columns behind the name there is room for. */
static int
room_for(int columns)
{
	int	 n = (columns - NAME_LEAST) / CELL;

	return (n < 0 ? 0 : n > (int)CELLS ? (int)CELLS : n);
}

static int
name_width(int columns)
{
	int	 n = columns - room_for(columns) * CELL;

	return (n > 60 ? 60 : n < 1 ? 1 : n);
}

static void
print_title(const struct top_view *v, FILE *f, int columns, int screen)
{
	char	 name[32], *p, fit[TEXT_SIZE(60)];
	size_t	 i;
	int	 width = name_width(columns);

	(void)strlcpy(name, top_kind_name(v->kind), sizeof(name));
	for (p = name; *p != '\0'; p++)
		*p = (char)(*p - 'a' + 'A');
	(void)text_fit(name, width, fit, sizeof(fit));
	fprintf(f, "%s%-*s", screen ? "\033[7m" : "", width, fit);
	for (i = 0; i < CELLS; i++)
		if (cells[i].drop < room_for(columns))
			fprintf(f, "%*s", CELL, cells[i].title);
	fprintf(f, "%s\n", screen ? "\033[0m" : "");
}

static void
print_row(const struct top_row *r, FILE *f, int columns)
{
	char	 name[LINE_MAX], fit[TEXT_SIZE(60)], b[UNITS_LEN];
	size_t	 i;
	int	 n, width = name_width(columns);

	(void)snprintf(name, sizeof(name), "%s%s%s", r->name,
	    *r->upstream != '\0' ? "@" : "", r->upstream);
	n = text_fit(name, width, fit, sizeof(fit));
	fprintf(f, "%s%*s", fit, width - n, "");
	for (i = 0; i < CELLS; i++)
		if (cells[i].drop < room_for(columns))
			fprintf(f, "%*s", CELL, cell(r, i, b));
	fputc('\n', f);
}

static char *
cell(const struct top_row *r, size_t i, char buf[UNITS_LEN])
{
	switch (i) {
	case 0:
		return (units_rate(r->requests, buf));
	case 1:
		return (units_rate(r->errors, buf));
	case 2:
		return (units_rate(r->denied, buf));
	case 3:
		return (time_cell(r->p50, buf));
	case 4:
		return (time_cell(r->p95, buf));
	case 5:
		return (time_cell(r->p99, buf));
	case 6:
		return (units_bytes(r->in, buf));
	case 7:
		return (units_bytes(r->out, buf));
	default:
		return (units_rate((double)r->total, buf));
	}
}

static char *
time_cell(double seconds, char buf[UNITS_LEN])
{
	if (seconds < 0)
		(void)strlcpy(buf, "-", UNITS_LEN);
	else if (isinf(seconds))
		(void)strlcpy(buf, ">300s", UNITS_LEN);
	else
		(void)units_latency(seconds, buf);
	return (buf);
}

/* -- JSON ---------------------------------------------------------------- */

void
top_view_json(const struct top_view *v, FILE *f)
{
	struct top_rows	 rows;
	struct top_row	 total;
	size_t		 i, kind;

	fprintf(f, "{\"interval_s\":%.3f,", v->seconds);
	json_text(f, "now", jtree_str(jtree_get(v->now, "status"), "now"));
	top_total(v->before, v->now, v->seconds, &total);
	fprintf(f, ",\"total\":");
	json_row(&total, f);
	for (kind = 0; kind < TOP_KINDS; kind++) {
		top_rows(v->before, v->now, v->seconds, (enum top_kind)kind,
		    &rows);
		fprintf(f, ",\"%s\":[", top_kind_name((enum top_kind)kind));
		for (i = 0; i < rows.n; i++) {
			fputs(i > 0 ? "," : "", f);
			json_row(&rows.row[i], f);
		}
		fputc(']', f);
		free(rows.row);
	}
	fprintf(f, "}\n");
}

static void
json_row(const struct top_row *r, FILE *f)
{
	fputc('{', f);
	json_text(f, "name", r->name);
	if (*r->upstream != '\0') {
		fputc(',', f);
		json_text(f, "upstream", r->upstream);
	}
	fprintf(f, ",\"requests\":%" PRId64 ",\"requests_per_s\":%.3f,"
	    "\"errors_per_s\":%.3f,\"denied_per_s\":%.3f,"
	    "\"bytes_in_per_s\":%.3f,\"bytes_out_per_s\":%.3f", r->total,
	    r->requests, r->errors, r->denied, r->in, r->out);
	json_seconds(f, "p50_s", r->p50);
	json_seconds(f, "p95_s", r->p95);
	json_seconds(f, "p99_s", r->p99);
	fputc('}', f);
}

static void
json_text(FILE *f, const char *name, const char *value)
{
	char	 buf[6 * 256];

	fprintf(f, "\"%s\":\"%.*s\"", name, (int)json_escape(slice_of(value),
	    256, buf), buf);
}

static void
json_seconds(FILE *f, const char *name, double seconds)
{
	if (seconds < 0)
		fprintf(f, ",\"%s\":null", name);
	else
		fprintf(f, ",\"%s\":%.6f", name,
		    isinf(seconds) ? 300.0 : seconds);
}
