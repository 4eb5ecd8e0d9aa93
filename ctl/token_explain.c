/*
 * The checks of a token, shown.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/identity.h"
#include "common/jwk.h"
#include "common/jwt.h"
#include "common/rfc3339.h"
#include "ctl/advice.h"
#include "ctl/checks.h"
#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/input.h"
#include "ctl/jtree.h"
#include "ctl/token_explain.h"

/* The longest token, what may stand before it, and room to see that it is
 * longer. */
#define INPUT_MAX	(2 * JWT_TOKEN_MAX)

/* What is known of it in the end. */
struct judged {
	const struct config *conf;
	const char	*key_file;	/* or NULL */
	struct checks	 checks;
	enum auth_result result;
	struct jwt_policy policy;
	struct jwt_claims *claims;	/* or NULL */
	struct jwk_set	*keys;		/* or NULL */
	int64_t		 generation;	/* the gateway's, whose keys they are */
	int		 code;		/* that of why there are no keys */
};

static struct slice bare(const char *, size_t);
static int	 explain(const struct config *, const char *, struct slice);
static int	 is_token(struct judged *, struct slice);
static void	 get_keys(struct judged *);
static int	 keys_of_file(struct judged *);
static int	 keys_of_gateway(struct judged *);
static void	 on_skipped(void *, const struct jwk_skip *);
static void	 judge(struct judged *, struct slice);
static void	 print(const struct judged *);
static void	 print_json(const struct judged *);
static const char *result_of(const struct judged *);
static void	 put_upstreams(const struct judged *, const char *);

int
token_explain(int argc, char *argv[])
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "keys", required_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 }
	};
	static char			 raw[INPUT_MAX];
	const char			*keys = NULL;
	struct config			*conf;
	size_t				 len;
	int				 ch, code = CTL_IO;

	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "k:", longopts,
	    NULL)) != -1)
		if (ch == 'k')
			keys = optarg;
		else if (ctl_option(ch) == -1)
			ctl_usage(TOKEN_EXPLAIN_USAGE);
	if (argc != optind) {
		warnx("the token is read from standard input, not from the "
		    "arguments, where others see it");
		ctl_usage(TOKEN_EXPLAIN_USAGE);
	}
	if (input_secret("Token: ", raw, sizeof(raw), &len) == 0) {
		code = CTL_BAD_CONFIG;
		if ((conf = ctl_config(ctl_options.path)) != NULL)
			code = explain(conf, keys, bare(raw, len));
		config_free(conf);
	}
	explicit_bzero(raw, sizeof(raw));
	ctl_wipe_stack();
	return (code);
}

/* Without what is copied along with it: blanks, and the header field. */
static struct slice
bare(const char *p, size_t len)
{
	static const char *const before[] = { "Authorization:", "Bearer" };
	struct slice		 s = slice_trim((struct slice){ p, len });
	size_t			 i, n;

	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		n = strlen(before[i]);
		if (s.len > n && strncasecmp(s.p, before[i], n) == 0 &&
		    s.p[n] == ' ')
			s = slice_trim((struct slice){ s.p + n, s.len - n });
	}
	return (s);
}

static int
explain(const struct config *conf, const char *key_file, struct slice token)
{
	struct judged	*j;
	int		 code;

	if ((j = calloc(1, sizeof(*j))) == NULL)
		errx(CTL_INTERNAL, "out of memory");
	j->conf = conf;
	j->key_file = key_file;
	j->result = AUTH_INVALID;
	if (is_token(j, token)) {
		get_keys(j);
		judge(j, token);
	}
	code = checks_failed(&j->checks) != NULL ? CTL_FAILED :
	    j->result == AUTH_OK ? CTL_OK : j->code;
	if (ctl_options.json)
		print_json(j);
	else
		print(j);
	if (ctl_flush() == -1)
		code = CTL_IO;
	checks_free(&j->checks);
	jwk_set_free(j->keys);
	jwt_claims_free(j->claims);
	free(j);
	return (code);
}

/* Does the gateway look at it as a token at all? */
static int
is_token(struct judged *j, struct slice token)
{
	const struct worker_conf	*w = &j->conf->w;
	char				 seen[64];
	int				 form = jwt_form_is(token);

	if (!w->auth_enabled) {
		checks_add(&j->checks, "oauth", CHECK_OK, "authentication is "
		    "off: everybody is let in, whatever the token", "", NULL);
		j->result = AUTH_OK;
		return (0);
	}
	checks_add(&j->checks, "oauth", w->oauth.enabled ? CHECK_OK :
	    CHECK_FAILED, w->oauth.enabled ? "enabled" :
	    "off: only API keys are taken", "auth.oauth.enabled: true",
	    advice_of_token("oauth"));
	if (!w->oauth.enabled)
		return (0);
	(void)snprintf(seen, sizeof(seen), "%zu bytes, %s", token.len, form ?
	    "three segments" : "not of that shape");
	checks_add(&j->checks, "shape", form ? CHECK_OK : CHECK_FAILED, seen,
	    "100 bytes or more, three segments of base64url; all else is "
	    "taken for an API key", advice_of_token("shape"));
	return (form);
}

static void
get_keys(struct judged *j)
{
	j->code = j->key_file != NULL ? keys_of_file(j) : keys_of_gateway(j);
}

static int
keys_of_file(struct judged *j)
{
	const char	*why = NULL;
	char		*text;
	size_t		 n;
	FILE		*fp;

	if ((text = malloc(JWK_JSON_MAX + 1)) == NULL)
		errx(CTL_INTERNAL, "out of memory");
	if ((fp = fopen(j->key_file, "re")) == NULL) {
		warn("%s", j->key_file);
		free(text);
		return (CTL_IO);
	}
	n = fread(text, 1, JWK_JSON_MAX + 1, fp);
	if (ferror(fp))
		warn("%s", j->key_file);
	else if (n > JWK_JSON_MAX)
		warnx("%s: longer than %d bytes", j->key_file, JWK_JSON_MAX);
	else if ((j->keys = jwk_set_parse(text, n, on_skipped, NULL,
	    &why)) == NULL)
		warnx("%s: %s", j->key_file, why);
	(void)fclose(fp);
	free(text);
	return (j->keys == NULL ? CTL_IO : CTL_OK);
}

static int
keys_of_gateway(struct judged *j)
{
	struct control_answer	 a;
	enum control_error	 e;
	const char		*why = NULL;
	int			 code;

	e = control_ask("GET", "/v1/keys", CONTROL_WAIT, &a);
	if ((code = control_complain(e, &a)) == 0) {
		j->generation = jtree_int(a.json, "generation");
		j->keys = jwk_set_parse(a.text, a.len, on_skipped, NULL,
		    &why);
		if (j->keys == NULL) {
			warnx("the keys of the gateway: %s", why);
			code = CTL_IO;
		}
	} else
		warnx("without the gateway's keys the signature is not "
		    "judged; --keys takes a key set from a file");
	control_free(&a);
	return (code);
}

static void
on_skipped(void *arg, const struct jwk_skip *s)
{
	(void)arg;
	warnx("key %zu of the set is not usable: %s", s->index, s->why);
}

static void
judge(struct judged *j, struct slice token)
{
	static struct jwt_findings	 list;
	const struct worker_conf	*w = &j->conf->w;
	const struct jwt_finding	*f;
	struct jwt_report		 report = { .list = &list };
	struct timespec			 now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	jwt_policy_init(&j->policy, &w->oauth, w->upstreams, w->nupstreams);
	if (identity_init(&j->policy.identity, w) == -1)
		errx(CTL_INTERNAL, "libcrypto");
	j->result = jwt_verify(&j->policy, j->keys, token,
	    (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, &j->claims,
	    &report);
	for (f = list.v; f < list.v + list.n; f++)
		checks_add(&j->checks, f->check,
		    f->outcome == JWT_PASSED ? CHECK_OK :
		    f->outcome == JWT_FAILED ? CHECK_FAILED : CHECK_UNKNOWN,
		    f->seen.p, f->wanted.p, advice_of_token(f->check));
}

static void
print(const struct judged *j)
{
	const struct check	*c = checks_failed(&j->checks);
	const char		*known = result_of(j);

	checks_print(&j->checks);
	if (c != NULL && known == NULL)
		printf("\nrefused: %s (auth_result: not known); the signature "
		    "was not judged\n", c->name);
	else if (c != NULL)
		printf("\nrefused: %s (auth_result: %s); the client gets 401, "
		    "%s\n", c->name, known,
		    j->result == AUTH_INSUFFICIENT_SCOPE ?
		    "insufficient_scope" : "invalid_token");
	else if (j->result == AUTH_OK) {
		printf("\naccepted");
		put_upstreams(j, ", for upstream %s");
		printf("\n");
	} else
		printf("\nnot known: the signature was not judged\n");
}

/* NULL: without keys nobody knows which check is the first. */
static const char *
result_of(const struct judged *j)
{
	return (j->result == AUTH_UNAVAILABLE ? NULL :
	    auth_result_name(j->result));
}

/* The upstreams that its audience opens, when these are not all. */
static void
put_upstreams(const struct judged *j, const char *fmt)
{
	size_t	 i;

	if (j->claims == NULL || j->claims->open == NULL)
		return;
	for (i = 0; i < j->conf->w.nupstreams; i++)
		if (jwt_opens(j->claims, i))
			printf(fmt, j->conf->w.upstreams[i].name);
}

static void
print_json(const struct judged *j)
{
	const struct check	*c = checks_failed(&j->checks);
	const struct jwt_claims	*k = j->claims;
	const char		*sep = "";
	char			 t[RFC3339_STRLEN];
	size_t			 i;

	printf("{\"accepted\":%s,\"result\":", c != NULL ? "false" :
	    j->result == AUTH_OK ? "true" : "null");
	json_put(slice_of(result_of(j)));
	json_put_member("failed", c == NULL ? NULL : c->name);
	json_put_member("keys", j->keys == NULL ? NULL :
	    j->key_file != NULL ? "file" : "gateway");
	if (j->keys != NULL && j->key_file == NULL)
		printf(",\"generation\":%" PRId64, j->generation);
	printf(",\"checks\":");
	checks_json(&j->checks);
	if (k != NULL) {
		json_put_member("client_id", k->client_id[0] == '\0' ? NULL :
		    k->client_id);
		json_put_member("scopes", k->scopes);
		json_put_member("subject", k->subject);
		json_put_member("actor", k->actor);
		json_put_member("jti", k->jti);
		json_put_member("expires", k->exp >= 0 && k->exp <
		    253402300800 ? rfc3339_format(k->exp, t) : NULL);
		printf(",\"upstreams\":[");
		for (i = 0; i < j->conf->w.nupstreams; i++)
			if (jwt_opens(k, i)) {
				printf("%s\"%s\"", sep,
				    j->conf->w.upstreams[i].name);
				sep = ",";
			}
		printf("]");
	}
	printf("}\n");
}
