/*
 * telemetry.customer: where spans go.  What the file leaves unsaid is looked
 * for in the environment, under the names that all of OpenTelemetry goes by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/cfg.h"
#include "config/duration.h"

#define BLOCK		"telemetry.customer."
#define TRACES_PATH	"/v1/traces"
#define ATTR_NAME_MAX	256
#define ATTR_VALUE_MAX	1024
#define HEADERS_MAX	(64 * 1024)	/* bytes of headers_file */
#define HEADER_VALUE_MAX 4000

/* Where a URL came from says what its path means. */
enum url_form {
	URL_FILE,	/* a path stands for itself */
	URL_BASE,	/* of all signals: that of traces is added */
	URL_WHOLE	/* is what it is */
};

static const char *environment(const struct cfg *, const char *, const char *);
static void	 env_error(struct cfg *, const char *, const char *);
static char	*endpoint_make(struct cfg *, const char *, enum url_form,
		    const char **);
static int	 ratio_parse(const char *, uint64_t *);
static const char *attr_wrong(const char *, const char *);
static void	 field_add(struct cfg *, struct conf_field **, size_t *,
		    size_t, const char *, const char *);
static void	 env_endpoint(struct cfg *, struct conf_telemetry *);
static void	 env_sampler(struct cfg *);
static void	 env_pairs(struct cfg *, const char *, const char *,
		    const char *(*)(struct cfg *, char *, char *));
static void	 env_name(struct cfg *, struct conf_telemetry *,
		    const char *);
static const char *env_attr(struct cfg *, char *, char *);
static const char *env_header(struct cfg *, char *, char *);
static int	 percent_decode(char *);
static char	*trim(char *);
static void	 headers_read(struct cfg *);
static const char *headers_take(struct cfg *, char *, unsigned *);
static const char *header_wrong(const char *, const char *);
static void	 ca_read(struct cfg *);
static int	 in_clear(const char *);

void
cfg_otlp_endpoint(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	const char	*s, *why;
	char		*url;

	(void)k;
	if ((s = cfg_scalar(c, n, "the URL of an OTLP receiver")) == NULL)
		return;
	if ((url = endpoint_make(c, s, URL_FILE, &why)) != NULL)
		*(char **)dst = url;
	else if (why != NULL)
		cfg_expected(c, n, "http[s]://HOST[:PORT][/PATH] or HOST:PORT "
		    "(%s)", why);
}

/* NULL with a reason, or (told) without one. */
static char *
endpoint_make(struct cfg *c, const char *s, enum url_form form,
    const char **why)
{
	struct cfg_url	 u;
	const char	*more = "";
	char		 text[CFG_URL_MAX + 16], authority[300], *url = NULL;

	if ((size_t)snprintf(text, sizeof(text), "%s%s", strstr(s, "://") ==
	    NULL ? "http://" : "", s) > CFG_URL_MAX) {
		*why = "it is too long";
		return (NULL);
	}
	if ((*why = cfg_url_parse(text, &u)) != NULL)
		return (NULL);
	if (strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0)
		*why = "it is neither http nor https";
	else if (u.has_query || u.has_fragment)
		*why = "it has a query or a fragment";
	if (*why != NULL)
		return (NULL);
	/* the slash that people leave at the end is no path */
	if (form != URL_WHOLE)
		while (u.path_len > 0 && u.path[u.path_len - 1] == '/')
			u.path_len--;
	if (form == URL_BASE || (form == URL_FILE && u.path_len == 0))
		more = TRACES_PATH;
	else if (u.path_len == 0)
		more = "/";
	if (asprintf(&url, "%s://%s%.*s%s", u.scheme, cfg_url_authority(&u,
	    authority, sizeof(authority)), (int)u.path_len, u.path,
	    more) == -1) {
		cfg_nomem(c);
		return (NULL);
	}
	return (url);
}

void
cfg_sample_ratio(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "a number from 0 to 1")) == NULL)
		return;
	if (!n->plain || ratio_parse(s, dst) == -1)
		cfg_expected(c, n, "a number from 0 to 1, such as 0.01%s",
		    n->plain ? "" : ", without quotes");
}

/* Digits, and after a point up to 12 more. */
static int
ratio_parse(const char *s, uint64_t *v)
{
	size_t	 whole = strspn(s, "0123456789"), part = 0;
	double	 ratio;

	if (s[whole] == '.')
		part = 1 + strspn(s + whole + 1, "0123456789");
	if (whole == 0 || whole > 3 || part == 1 || part > 13 ||
	    s[whole + part] != '\0')
		return (-1);
	if ((ratio = strtod(s, NULL)) > 1)
		return (-1);
	*v = (uint64_t)(ratio * (double)CONF_SAMPLE_ALL);
	return (0);
}

void
cfg_resource_attrs(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	struct conf_telemetry	*t = dst;
	const struct ynode	*item;
	const char		*s, *why;

	(void)k;
	if (ynode_isnull(n))
		return;
	if (n->kind != YNODE_MAP || n->nchildren > CONF_ATTRS_MAX) {
		cfg_expected(c, n, "a mapping of at most %d attributes and "
		    "their values", CONF_ATTRS_MAX);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if (item->repeated ||
		    (s = cfg_scalar(c, item, "a string")) == NULL)
			continue;
		if (strcmp(item->key, "service.name") == 0)
			cfg_error(c, item, "expected the name of the service "
			    "in service_name");
		else if ((why = attr_wrong(item->key, s)) != NULL)
			cfg_error(c, item, "%s", why);
		else
			field_add(c, &t->attrs, &t->nattrs, CONF_ATTRS_MAX,
			    item->key, s);
	}
}

static const char *
attr_wrong(const char *name, const char *value)
{
	size_t	 i;

	for (i = 0; name[i] > 0x20 && name[i] < 0x7f; i++)
		;
	if (i == 0 || name[i] != '\0' || i > ATTR_NAME_MAX)
		return ("expected the name of an attribute: 1 to 256 visible "
		    "ASCII characters");
	for (i = 0; value[i] != '\0'; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			break;
	if (value[i] != '\0' || i > ATTR_VALUE_MAX)
		return ("expected a value of at most 1024 bytes without "
		    "control characters");
	return (NULL);
}

/* Unless there are max of them. */
static void
field_add(struct cfg *c, struct conf_field **v, size_t *n, size_t max,
    const char *name, const char *value)
{
	struct conf_field	*f;

	if (*n >= max)
		return;
	if (*v == NULL && (*v = calloc(max, sizeof(**v))) == NULL) {
		cfg_nomem(c);
		return;
	}
	f = &(*v)[(*n)++];
	cfg_copy(c, &f->name, name);
	cfg_copy(c, &f->value, value);
}

/* -- what the file does not say ------------------------------------------ */

void
cfg_check_telemetry(struct cfg *c)
{
	struct config		*conf = c->conf;
	struct conf_telemetry	*t = &conf->f.telemetry;
	const char		*name;

	if (!conf->w.traces)
		return;
	headers_read(c);
	ca_read(c);
	env_endpoint(c, t);
	env_sampler(c);
	if (t->service_name == NULL && (name = environment(c,
	    "OTEL_SERVICE_NAME", NULL)) != NULL)
		env_name(c, t, name);
	if (conf->telemetry_headers_file == NULL)
		env_pairs(c, "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
		    "OTEL_EXPORTER_OTLP_HEADERS", env_header);
	if (cfg_node(c, BLOCK "resource_attrs") == NULL)
		env_pairs(c, "OTEL_RESOURCE_ATTRIBUTES", NULL, env_attr);
	if (t->endpoint == NULL && cfg_node(c, BLOCK "endpoint") == NULL)
		cfg_missing(c, BLOCK "endpoint", NULL, "required when "
		    BLOCK "enabled is true");
	if (t->service_name == NULL)
		cfg_copy(c, &t->service_name, "mcpgw");
	conf->telemetry_exposed = t->nheaders > 0 && t->endpoint != NULL &&
	    in_clear(t->endpoint);
}

/* Another name that goes first, or NULL.  Only where files are read, too. */
static const char *
environment(const struct cfg *c, const char *first, const char *name)
{
	const char	*v = NULL;

	if (!c->files)
		return (NULL);
	if (first != NULL)
		v = secure_getenv(first);
	if ((v == NULL || *v == '\0') && name != NULL)
		v = secure_getenv(name);
	return (v != NULL && *v != '\0' ? v : NULL);
}

static void
env_error(struct cfg *c, const char *name, const char *why)
{
	cfg_error_at(c, NULL, 0, 0, "environment: %s: %s", name, why);
}

static void
env_endpoint(struct cfg *c, struct conf_telemetry *t)
{
	static const char	 own[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
				 all[] = "OTEL_EXPORTER_OTLP_ENDPOINT";
	const char		*s, *why = NULL;
	uint64_t		 ms;

	if ((s = environment(c, "OTEL_BSP_SCHEDULE_DELAY", NULL)) != NULL) {
		if (number_parse(s, &ms) != QUANTITY_OK || ms > 3600000)
			env_error(c, "OTEL_BSP_SCHEDULE_DELAY", "expected a "
			    "number of milliseconds");
		else
			t->delay_ms = ms;
	}
	if (cfg_node(c, BLOCK "endpoint") != NULL)
		return;
	if ((s = environment(c, own, NULL)) != NULL) {
		if ((t->endpoint = endpoint_make(c, s, URL_WHOLE,
		    &why)) == NULL && why != NULL)
			env_error(c, own, why);
	} else if ((s = environment(c, all, NULL)) != NULL) {
		if ((t->endpoint = endpoint_make(c, s, URL_BASE,
		    &why)) == NULL && why != NULL)
			env_error(c, all, why);
	}
}

static void
env_sampler(struct cfg *c)
{
	static const char	 name[] = "OTEL_TRACES_SAMPLER";
	struct worker_conf	*w = &c->conf->w;
	const char		*s = environment(c, name, NULL), *arg;

	if (s == NULL || cfg_node(c, BLOCK "sample_ratio") != NULL)
		return;
	w->sample_parent = strncmp(s, "parentbased_", 12) == 0;
	s += w->sample_parent ? 12 : 0;
	if (strcmp(s, "always_on") == 0)
		w->sample = CONF_SAMPLE_ALL;
	else if (strcmp(s, "always_off") == 0)
		w->sample = 0;
	else if (strcmp(s, "traceidratio") != 0)
		env_error(c, name, "expected always_on, always_off, "
		    "traceidratio, or one of them behind parentbased_");
	else if ((arg = environment(c, "OTEL_TRACES_SAMPLER_ARG",
	    NULL)) != NULL && ratio_parse(arg, &w->sample) == -1)
		env_error(c, "OTEL_TRACES_SAMPLER_ARG",
		    "expected a number from 0 to 1");
}

/* name=value,name=value: each is percent-encoded (W3C Baggage). */
static void
env_pairs(struct cfg *c, const char *first, const char *name,
    const char *(*take)(struct cfg *, char *, char *))
{
	const char	*s = environment(c, first, name), *why = NULL;
	char		*copy, *rest, *pair, *value;
	size_t		 len;

	if (s == NULL)
		return;
	if ((rest = copy = strdup(s)) == NULL) {
		cfg_nomem(c);
		return;
	}
	len = strlen(copy);
	while (why == NULL && (pair = strsep(&rest, ",")) != NULL) {
		if (*trim(pair) == '\0')
			continue;
		if ((value = strchr(pair, '=')) == NULL) {
			why = "expected name=value, separated by commas";
			break;
		}
		*value++ = '\0';
		pair = trim(pair);
		value = trim(value);
		if (percent_decode(pair) == -1 || percent_decode(value) == -1)
			why = "a % escape is broken";
		else
			why = take(c, pair, value);
	}
	if (why != NULL)
		env_error(c, environment(c, first, NULL) != NULL ? first :
		    name, why);
	freezero(copy, len);
}

static void
env_name(struct cfg *c, struct conf_telemetry *t, const char *name)
{
	if (strlen(name) > ATTR_NAME_MAX ||
	    attr_wrong("service.name", name) != NULL)
		env_error(c, "OTEL_SERVICE_NAME", "expected at most 256 bytes "
		    "without control characters");
	else if (*name != '\0')
		cfg_copy(c, &t->service_name, name);
}

static const char *
env_attr(struct cfg *c, char *name, char *value)
{
	struct conf_telemetry	*t = &c->conf->f.telemetry;
	const char		*why = attr_wrong(name, value);

	if (why != NULL)
		return (why);
	if (strcmp(name, "service.name") != 0)
		field_add(c, &t->attrs, &t->nattrs, CONF_ATTRS_MAX, name,
		    value);
	else if (t->service_name == NULL)
		env_name(c, t, value);
	return (NULL);
}

static const char *
env_header(struct cfg *c, char *name, char *value)
{
	struct conf_telemetry	*t = &c->conf->f.telemetry;
	const char		*why = header_wrong(name, value);

	if (why == NULL)
		field_add(c, &t->headers, &t->nheaders, CONF_FIELDS_MAX, name,
		    value);
	return (why);
}

static int
hex(char ch)
{
	const char	*digits = "0123456789abcdef", *p;

	if (ch >= 'A' && ch <= 'F')
		ch |= 0x20;
	return (ch == '\0' || (p = strchr(digits, ch)) == NULL ? -1 :
	    (int)(p - digits));
}

/* In place.  0, or -1. */
static int
percent_decode(char *s)
{
	char	*to = s;
	int	 v;

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (hex(s[1]) == -1 || hex(s[2]) == -1 ||
		    (v = hex(s[1]) << 4 | hex(s[2])) == 0)
			return (-1);
		*to++ = (char)v;
		s += 2;
	}
	*to = '\0';
	return (0);
}

/* Without the blanks around it, in place. */
static char *
trim(char *s)
{
	size_t	 len;

	s += strspn(s, " \t");
	len = strlen(s);
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t' ||
	    s[len - 1] == '\r'))
		s[--len] = '\0';
	return (s);
}

/* -- files --------------------------------------------------------------- */

/* It holds secrets: what is wrong is told by the number of its line. */
static void
headers_read(struct cfg *c)
{
	const char	*path = c->conf->telemetry_headers_file, *why;
	char		*text, quoted[300];
	unsigned	 line = 0;
	size_t		 len;

	if (!c->files || path == NULL)
		return;
	if ((text = cfg_file_read(path, CFG_SECRET, HEADERS_MAX, &len,
	    &why)) != NULL) {
		why = strlen(text) != len ? "it has a NUL byte" :
		    headers_take(c, text, &line);
		freezero(text, len);
	}
	if (why == NULL)
		return;
	cfg_quote(path, quoted, sizeof(quoted));
	if (line > 0)
		cfg_error(c, cfg_node(c, BLOCK "headers_file"), "expected a "
		    "file of header fields, got %s: line %u: %s", quoted,
		    line, why);
	else
		cfg_error(c, cfg_node(c, BLOCK "headers_file"), "expected a "
		    "file of header fields, got %s: %s", quoted, why);
}

/* Name: value, a field in each line; or a comment. */
static const char *
headers_take(struct cfg *c, char *text, unsigned *number)
{
	struct conf_telemetry	*t = &c->conf->f.telemetry;
	const char		*why;
	char			*line, *value, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL) {
		(*number)++;
		line = trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		if ((value = strchr(line, ':')) == NULL)
			return ("it is no header field");
		*value++ = '\0';
		value = trim(value);
		if ((why = header_wrong(line, value)) != NULL)
			return (why);
		if (t->nheaders == CONF_FIELDS_MAX)
			return ("there are too many fields");
		field_add(c, &t->headers, &t->nheaders, CONF_FIELDS_MAX, line,
		    value);
	}
	*number = 0;
	return (NULL);
}

static const char *
header_wrong(const char *name, const char *value)
{
	static const char *const ours[] = { "Host", "Content-Type",
	    "Content-Length", "Content-Encoding", "Transfer-Encoding",
	    "Connection", "Expect", "Accept-Encoding" };
	size_t	 i;

	if (!cfg_field_ok(name))
		return ("its name is none of a header field");
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return ("the gateway sets this field itself");
	for (i = 0; value[i] != '\0'; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return ("its value has a control character");
	if (i == 0 || i > HEADER_VALUE_MAX)
		return ("its value is empty or too long");
	return (NULL);
}

static void
ca_read(struct cfg *c)
{
	static const char	 all[] = "OTEL_EXPORTER_OTLP_CERTIFICATE",
				 own[] =
				    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";
	struct config		*conf = c->conf;
	const char		*path = conf->telemetry_ca_file, *name;
	const char		*why;
	char			 quoted[300], text[600];
	size_t			 len;

	if (!c->files)
		return;
	name = environment(c, own, NULL) != NULL ? own : all;
	if (path != NULL)
		name = NULL;
	else if ((path = environment(c, name, NULL)) == NULL)
		return;
	conf->f.telemetry.ca = cfg_file_read(path, CFG_FOR_ALL,
	    CFG_CA_MAX, &len, &why);
	if (conf->f.telemetry.ca != NULL)
		why = cfg_ca_check(conf->f.telemetry.ca, len);
	if (why == NULL)
		return;
	(void)snprintf(text, sizeof(text), "expected a file of PEM "
	    "certificates, got %s: %s", cfg_quote(path, quoted,
	    sizeof(quoted)), why);
	if (name != NULL)
		env_error(c, name, text);
	else
		cfg_error(c, cfg_node(c, BLOCK "ca_file"), "%s", text);
}

static int
in_clear(const char *url)
{
	struct cfg_url	 u;

	return (cfg_url_parse(url, &u) == NULL &&
	    strcmp(u.scheme, "http") == 0 && !cfg_url_loopback(&u));
}
