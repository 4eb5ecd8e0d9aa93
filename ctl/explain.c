/*
 * A request that could be, as the configuration decides.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/detail.h"
#include "common/json.h"
#include "common/resource.h"
#include "common/rfc3339.h"
#include "common/scopes.h"
#include "ctl/advice.h"
#include "ctl/checks.h"
#include "ctl/ctl.h"
#include "ctl/explain.h"
#include "ctl/explain_line.h"

#define SHOWN		200	/* bytes of a value */

enum { O_TOOL = 256, O_CLIENT, O_UPSTREAM, O_METHOD, O_ARGUMENTS,
    O_SCOPES };

/* What is asked; NULL: not said. */
struct asked {
	const char	*request_id;
	const char	*tool;
	const char	*client;
	const char	*upstream;
	const char	*method;
	const char	*arguments;
	const char	*scopes;
};

/* What is known of it meanwhile. */
struct judged {
	const struct worker_conf *w;
	const struct asked *asked;
	struct checks	 checks;
	ssize_t		 key;		/* index of the API key, or -1 */
	ssize_t		 upstream;	/* or -1 */
};

static void	 options(int, char *[], struct asked *);
static int	 take(struct asked *, int);
static int	 explain_request(const struct asked *);
static void	 add(struct judged *, const char *, enum check_outcome,
		    const struct detail *, const struct detail *,
		    const char *);
static void	 both(struct detail *, struct detail *);
static void	 check_route(struct judged *);
static void	 check_credential(struct judged *);
static void	 check_key(struct judged *);
static void	 check_audience(struct judged *);
static void	 check_scopes(struct judged *);
static void	 check_upstream(struct judged *);
static void	 check_envelope(struct judged *);
static void	 check_policy(struct judged *);
static void	 check_choose(struct judged *);
static const char *method_of(const struct asked *);
static void	 print(const struct judged *, int);
static void	 print_json(const struct judged *, int);

int
explain(int argc, char *argv[])
{
	struct asked	 a;

	options(argc, argv, &a);
	if (a.request_id != NULL)
		return (explain_line(a.request_id));
	return (explain_request(&a));
}

static void
options(int argc, char *argv[], struct asked *a)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "request-id", required_argument, NULL, 'i' },
		{ "tool", required_argument, NULL, O_TOOL },
		{ "client", required_argument, NULL, O_CLIENT },
		{ "upstream", required_argument, NULL, O_UPSTREAM },
		{ "method", required_argument, NULL, O_METHOD },
		{ "arguments", required_argument, NULL, O_ARGUMENTS },
		{ "scopes", required_argument, NULL, O_SCOPES },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch, asks = 0;

	memset(a, 0, sizeof(*a));
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "i:", longopts,
	    NULL)) != -1)
		if (take(a, ch) == 0)
			asks += ch != 'i';
		else if (ctl_option(ch) == -1)
			ctl_usage(EXPLAIN_USAGE);
	if (argc != optind || (a->request_id != NULL) == (asks > 0))
		ctl_usage(EXPLAIN_USAGE);
}

static int
take(struct asked *a, int ch)
{
	const char	**at;

	switch (ch) {
	case 'i':
		at = &a->request_id;
		break;
	case O_TOOL:
		at = &a->tool;
		break;
	case O_CLIENT:
		at = &a->client;
		break;
	case O_UPSTREAM:
		at = &a->upstream;
		break;
	case O_METHOD:
		at = &a->method;
		break;
	case O_ARGUMENTS:
		at = &a->arguments;
		break;
	case O_SCOPES:
		at = &a->scopes;
		break;
	default:
		return (-1);
	}
	if (*optarg == '\0' && ch != O_SCOPES)
		return (-1);
	*at = optarg;
	return (0);
}

static int
explain_request(const struct asked *a)
{
	struct judged	 j = { .asked = a, .key = -1, .upstream = -1 };
	struct config	*conf;
	int		 unknown = 0;
	size_t		 i;

	if ((conf = ctl_config(ctl_options.path)) == NULL)
		return (CTL_BAD_CONFIG);
	j.w = &conf->w;
	if (a->client != NULL && conf->w.auth_enabled)
		j.key = ctl_find_key(conf, a->client);
	check_route(&j);
	check_credential(&j);
	check_audience(&j);
	check_scopes(&j);
	check_upstream(&j);
	check_envelope(&j);
	check_policy(&j);
	check_choose(&j);
	for (i = 0; i < j.checks.n; i++)
		unknown |= j.checks.v[i].outcome == CHECK_UNKNOWN;
	if (ctl_options.json)
		print_json(&j, unknown);
	else
		print(&j, unknown);
	i = checks_failed(&j.checks) != NULL;
	checks_free(&j.checks);
	config_free(conf);
	return (ctl_flush() == -1 ? CTL_IO : i ? CTL_FAILED : CTL_OK);
}

static void
add(struct judged *j, const char *name, enum check_outcome outcome,
    const struct detail *seen, const struct detail *wanted,
    const char *advice)
{
	checks_add(&j->checks, name, outcome, seen->p, wanted->p, advice);
}

static void
both(struct detail *seen, struct detail *wanted)
{
	detail_init(seen, DETAIL_MAX, SHOWN);
	detail_init(wanted, DETAIL_MAX, SHOWN);
}

static void
check_route(struct judged *j)
{
	const struct worker_conf	*w = j->w;
	const char			*name = j->asked->upstream;
	struct detail			 seen, wanted;
	size_t				 i;

	both(&seen, &wanted);
	if (name == NULL) {
		j->upstream = (ssize_t)w->default_upstream;
		detail_puts(&seen, "/mcp, for the default upstream ");
		name = w->upstreams[j->upstream].name;
	} else
		detail_puts(&seen, "/mcp/ and the upstream ");
	detail_quote(&seen, slice_of(name));
	for (i = 0; i < w->nupstreams; i++)
		if (strcmp(w->upstreams[i].name, name) == 0)
			j->upstream = (ssize_t)i;
	add(j, "route", CHECK_OK, &seen, &wanted, NULL);
}

static void
check_credential(struct judged *j)
{
	const struct worker_conf	*w = j->w;
	const char			*client = j->asked->client;
	struct detail			 seen, wanted;

	if (j->key != -1) {
		check_key(j);
		return;
	}
	both(&seen, &wanted);
	if (!w->auth_enabled) {
		detail_puts(&seen, "none is asked for: auth.enabled is false");
		add(j, "credential", CHECK_OK, &seen, &wanted, NULL);
		return;
	}
	if (client != NULL) {
		detail_puts(&seen, "client ");
		detail_quote(&seen, slice_of(client));
	}
	if (w->oauth.enabled) {
		detail_puts(&wanted, "a token of ");
		detail_quote(&wanted, slice_of(w->oauth.issuer));
	}
	if (w->nkeys > 0)
		detail_printf(&wanted, "%san API key, of %zu",
		    w->oauth.enabled ? ", or " : "", w->nkeys);
	/* any client of the authorization server's may come */
	add(j, "credential", client == NULL ? CHECK_UNKNOWN :
	    w->oauth.enabled ? CHECK_OK : CHECK_FAILED, &seen, &wanted,
	    "use the id of a key in auth.keys, or enable auth.oauth");
}

static void
check_key(struct judged *j)
{
	const struct conf_key	*k = &j->w->keys[j->key];
	struct detail		 seen, wanted;
	char			 t[RFC3339_STRLEN];
	int			 dead;

	both(&seen, &wanted);
	dead = k->expires != 0 && k->expires <= ctl_now();
	detail_puts(&seen, "API key ");
	detail_quote(&seen, slice_of(k->id));
	if (k->expires != 0)
		detail_printf(&seen, ", which expire%s %s", dead ? "d" : "s",
		    rfc3339_format(k->expires, t));
	detail_puts(&wanted, "one that has not expired");
	add(j, "credential", dead ? CHECK_FAILED : CHECK_OK, &seen, &wanted,
	    advice_of_token("key_expired"));
}

/* Of a token nothing is known here: what it must have. */
static void
check_audience(struct judged *j)
{
	const struct conf_oauth	*o = &j->w->oauth;
	struct detail		 seen, wanted;
	char			*own;
	size_t			 i;

	if (!o->enabled || j->key != -1)
		return;
	both(&seen, &wanted);
	detail_puts(&seen, "no token (mcpgwctl token explain takes one)");
	for (i = 0; i < o->audiences.n; i++)
		detail_item(&wanted, slice_of(o->audiences.v[i]));
	if (o->accept_resource) {
		detail_item(&wanted, slice_of(o->public_url));
		if (j->upstream != -1 && (own = resource_of(o->public_url,
		    j->w->upstreams[j->upstream].name)) != NULL) {
			detail_item(&wanted, slice_of(own));
			free(own);
		}
	}
	add(j, "aud", CHECK_UNKNOWN, &seen, &wanted, NULL);
}

static void
check_scopes(struct judged *j)
{
	const struct conf_oauth	*o = &j->w->oauth;
	const char		*has = j->asked->scopes;
	enum check_outcome	 outcome = CHECK_OK;
	struct detail		 seen, wanted;
	int			 all;
	size_t			 i;

	if (!j->w->auth_enabled)
		return;
	both(&seen, &wanted);
	if (j->key != -1)
		has = j->w->keys[j->key].scopes;
	all = j->key != -1 && scopes_has(slice_of(has), slice_of("*"));
	for (i = 0; i < o->nscopes; i++) {
		if (has == NULL)
			outcome = CHECK_UNKNOWN;
		else if (!all && !scopes_has(slice_of(has),
		    slice_of(o->scopes[i])))
			outcome = CHECK_FAILED;
		detail_item(&wanted, slice_of(o->scopes[i]));
	}
	if (o->nscopes == 0)
		detail_puts(&wanted, "none");
	detail_quote(&seen, slice_of(has == NULL || *has == '\0' ? NULL :
	    has));
	add(j, "scopes", outcome, &seen, &wanted, advice_of_token("scopes"));
}

static void
check_upstream(struct judged *j)
{
	struct detail	 seen, wanted;
	size_t		 i;

	both(&seen, &wanted);
	detail_quote(&seen, slice_of(j->upstream == -1 ? j->asked->upstream :
	    j->w->upstreams[j->upstream].name));
	for (i = 0; i < j->w->nupstreams; i++)
		detail_item(&wanted, slice_of(j->w->upstreams[i].name));
	add(j, "upstream", j->upstream == -1 ? CHECK_FAILED : CHECK_OK, &seen,
	    &wanted, advice_of_stage("upstream"));
}

static const char *
method_of(const struct asked *a)
{
	return (a->method != NULL ? a->method : a->tool != NULL ||
	    a->arguments != NULL ? "tools/call" : "tools/list");
}

/* As far as the message is known. */
static void
check_envelope(struct judged *j)
{
	const struct asked	*a = j->asked;
	size_t			 len = a->arguments == NULL ? 0 :
				    strlen(a->arguments);
	struct slice		 s = slice_trim((struct slice){ a->arguments,
				    len });
	enum json_error		 e = JSON_OK;
	struct detail		 seen, wanted;

	both(&seen, &wanted);
	detail_puts(&seen, "method ");
	detail_quote(&seen, slice_of(method_of(a)));
	if (a->tool != NULL) {
		detail_puts(&seen, ", name ");
		detail_quote(&seen, slice_of(a->tool));
	}
	if (len > 0 && (e = json_check(a->arguments, len)) == JSON_OK &&
	    s.p[0] != '{')
		e = JSON_SYNTAX;
	if (len > 0)
		detail_printf(&seen, ", arguments of %zu bytes%s%s", len,
		    e == JSON_OK ? "" : ": ", e == JSON_OK ? "" :
		    e == JSON_SYNTAX ? "no JSON object" : json_strerror(e));
	detail_printf(&wanted, "a JSON object, at most %llu bytes in all "
	    "(limits.max_body)", (unsigned long long)j->w->max_body);
	add(j, "envelope", e != JSON_OK || len > j->w->max_body ?
	    CHECK_FAILED : CHECK_OK, &seen, &wanted,
	    advice_of_stage("envelope"));
}

/* Rules will be looked at here. */
static void
check_policy(struct judged *j)
{
	checks_add(&j->checks, "policy", CHECK_OK, "no rules", "", NULL);
}

static void
check_choose(struct judged *j)
{
	const struct conf_upstream	*u;
	struct detail			 seen, wanted;
	size_t				 i;

	both(&seen, &wanted);
	if (j->upstream == -1) {
		add(j, "choose", CHECK_NOT_REACHED, &seen, &wanted, NULL);
		return;
	}
	u = &j->w->upstreams[j->upstream];
	detail_printf(&seen, "%zu server%s: ", u->nservers,
	    u->nservers == 1 ? "" : "s");
	for (i = 0; i < u->nservers; i++)
		detail_item(&seen, slice_of(u->servers[i].authority));
	add(j, "choose", CHECK_OK, &seen, &wanted, NULL);
}

static void
print(const struct judged *j, int unknown)
{
	const struct check	*c = checks_failed(&j->checks);

	checks_print(&j->checks);
	if (c != NULL)
		printf("\nrefused: %s\n", c->name);
	else if (unknown)
		printf("\nallowed, if what is wanted at \"?\" is there\n");
	else
		printf("\nallowed\n");
}

static void
print_json(const struct judged *j, int unknown)
{
	const struct check	*c = checks_failed(&j->checks);

	printf("{\"allowed\":%s", c != NULL ? "false" : unknown ? "null" :
	    "true");
	json_put_member("failed", c == NULL ? NULL : c->name);
	json_put_member("method", method_of(j->asked));
	json_put_member("upstream", j->upstream == -1 ? NULL :
	    j->w->upstreams[j->upstream].name);
	printf(",\"checks\":");
	checks_json(&j->checks);
	printf("}\n");
}
