/*
 * The configured keys as a table, or as one JSON object a line.  The hashes
 * are left out: whoever has one can try keys against it.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "common/rfc3339.h"
#include "ctl/ctl.h"
#include "ctl/key_list.h"

#define COLUMNS		6
#define SCOPES_COLUMN	2

/* One row; what a key does not have is "-". */
struct row {
	const char	*cell[COLUMNS];
	char		 created[RFC3339_STRLEN];
	char		 expires[RFC3339_STRLEN];
	char		 state[CTL_STATE_LEN];
};

static const struct row	 heads = {
	{ "ID", "PREFIX", "SCOPES", "CREATED", "EXPIRES", "STATE" },
	"", "", ""
};

static void	 table(const struct config *, int64_t);
static void	 row_of(const struct config *, size_t, int64_t, struct row *);
static void	 row_widen(const struct row *, int[COLUMNS]);
static void	 row_print(const struct row *, const int[COLUMNS]);
static const char *time_or_dash(int64_t, char[RFC3339_STRLEN]);
static void	 lines(const struct config *, int64_t);
static void	 json_scopes(const char *);
static void	 json_time(const char *, int64_t);

int
key_list(int argc, char *argv[])
{
	struct config	*conf;

	ctl_no_arguments(argc, argv, KEY_LIST_USAGE);
	if ((conf = ctl_config(ctl_options.path)) == NULL)
		return (CTL_FAILED);
	if (ctl_options.json)
		lines(conf, ctl_now());
	else if (conf->w.nkeys == 0)
		warnx("%s: no keys", ctl_options.path);
	else
		table(conf, ctl_now());
	config_free(conf);
	return (ctl_flush() == 0 ? CTL_OK : CTL_FAILED);
}

/* Twice over the keys: once for the widths. */
static void
table(const struct config *conf, int64_t now)
{
	struct row	 row;
	size_t		 i;
	int		 width[COLUMNS] = { 0 };

	row_widen(&heads, width);
	for (i = 0; i < conf->w.nkeys; i++) {
		row_of(conf, i, now, &row);
		row_widen(&row, width);
	}
	row_print(&heads, width);
	for (i = 0; i < conf->w.nkeys; i++) {
		row_of(conf, i, now, &row);
		row_print(&row, width);
	}
}

static void
row_of(const struct config *conf, size_t i, int64_t now, struct row *r)
{
	const struct conf_key	*key = &conf->w.keys[i];
	const char		*prefix = conf->k.keys[i].prefix;

	r->cell[0] = key->id;
	r->cell[1] = *prefix == '\0' ? "-" : prefix;
	r->cell[2] = *key->scopes == '\0' ? "-" : key->scopes;
	r->cell[3] = time_or_dash(key->created, r->created);
	r->cell[4] = time_or_dash(key->expires, r->expires);
	r->cell[5] = ctl_state(key->expires, now, r->state);
}

static void
row_widen(const struct row *r, int width[COLUMNS])
{
	size_t	 i;

	for (i = 0; i < COLUMNS; i++)
		if ((int)strlen(r->cell[i]) > width[i])
			width[i] = (int)strlen(r->cell[i]);
}

/* Scopes are joined by commas here, so that every column is one word (but
 * the last). */
static void
row_print(const struct row *r, const int width[COLUMNS])
{
	const char	*p;
	int		 i;

	for (i = 0; i < COLUMNS - 1; i++) {
		if (i != SCOPES_COLUMN) {
			printf("%-*s  ", width[i], r->cell[i]);
			continue;
		}
		for (p = r->cell[i]; *p != '\0'; p++)
			putchar(*p == ' ' ? ',' : *p);
		printf("%*s", width[i] - (int)strlen(r->cell[i]) + 2, "");
	}
	printf("%s\n", r->cell[i]);
}

static const char *
time_or_dash(int64_t t, char buf[RFC3339_STRLEN])
{
	return (t == 0 ? "-" : rfc3339_format(t, buf));
}

static void
lines(const struct config *conf, int64_t now)
{
	size_t	 i;

	for (i = 0; i < conf->w.nkeys; i++)
		key_json(conf, i, now);
}

/* Ids, prefixes and scopes were checked: none of them holds a character that
 * JSON would have escaped. */
void
key_json(const struct config *conf, size_t i, int64_t now)
{
	const struct conf_key	*key = &conf->w.keys[i];
	const char		*prefix = conf->k.keys[i].prefix;

	printf("{\"id\":\"%s\",\"prefix\":", key->id);
	if (*prefix == '\0')
		printf("null");
	else
		printf("\"%s\"", prefix);
	json_scopes(key->scopes);
	json_time("created_at", key->created);
	json_time("expires_at", key->expires);
	printf(",\"state\":\"%s\"}\n",
	    key->expires != 0 && key->expires <= now ? "expired" : "valid");
}

static void
json_scopes(const char *s)
{
	const char	*sep = "";
	size_t		 n;

	printf(",\"scopes\":[");
	for (; *s != '\0'; s += n, s += *s == ' ') {
		n = strcspn(s, " ");
		printf("%s\"%.*s\"", sep, (int)n, s);
		sep = ",";
	}
	printf("]");
}

static void
json_time(const char *name, int64_t t)
{
	char	 buf[RFC3339_STRLEN];

	if (t == 0)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":\"%s\"", name, rfc3339_format(t, buf));
}
