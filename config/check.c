/*
 * Defaults, and what several keys must agree on.  The checks come after the
 * walk and keep quiet about a key whose value was already refused.
 */
#include <sys/socket.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/cfg.h"
#include "config/duration.h"

#define KEY_THREADS_MAX	4	/* by default */

static uint32_t	 key_threads(void);
static void	 check_auth(struct cfg *);
static void	 check_required(struct cfg *);
static void	 check_upstreams(struct cfg *);
static void	 check_limits(struct cfg *);
static void	 check_user(struct cfg *);
static void	 check_ca(struct cfg *);
static void	 fill_strings(struct cfg *);
static void	 fill_string(struct cfg *, char **, const char *);
static int	 given(const struct cfg *, const char *);

int
cfg_defaults(struct config *conf)
{
	schema_defaults(&config_schema, conf);
	if ((conf->listen = strdup("127.0.0.1:7332")) == NULL ||
	    cfg_listen_set(conf, conf->listen) == -1)
		return (-1);
	conf->workers = cfg_cpus();
	conf->k.threads = key_threads();
	conf->w.oauth.accept_resource = -1;	/* unset */
	return (0);
}

/* Fewer than the CPUs, so that hashing never has all of them. */
static uint32_t
key_threads(void)
{
	unsigned	 cpus = cfg_cpus();

	return (cpus <= 2 ? 1 : cpus > KEY_THREADS_MAX ? KEY_THREADS_MAX :
	    cpus - 1);
}

void
cfg_check(struct cfg *c)
{
	cfg_check_claims(c);
	check_auth(c);
	cfg_check_keys(c);
	cfg_check_tls(c);
	cfg_check_upstream_tls(c);
	cfg_check_session(c);
	cfg_fill_upstreams(c);
	check_upstreams(c);
	check_limits(c);
	cfg_check_proxy(c);
	check_user(c);
	check_ca(c);
	cfg_check_admin(c);
	cfg_check_telemetry(c);
	if (c->nerrors + c->ndropped > 0)
		return;
	fill_strings(c);
	/*
	 * With neither OAuth nor keys there is nobody to ask: the gateway is
	 * unauthenticated, as the manual says, whatever auth.enabled is.
	 */
	if (!c->conf->w.oauth.enabled && c->conf->w.nkeys == 0)
		c->conf->w.auth_enabled = 0;
	c->conf->k.remember = c->conf->w.key_cache_ttl > 0;
}

static void
check_auth(struct cfg *c)
{
	const struct ynode	*n, *on;
	const struct worker_conf *w = &c->conf->w;

	if (!w->oauth.enabled)
		return;
	n = cfg_node(c, "auth.enabled");
	on = cfg_node(c, "auth.oauth.enabled");
	/* Quiet when auth.enabled holds something else than false: that has
	 * its own error. */
	if (!w->auth_enabled && (n == NULL || (n->kind == YNODE_SCALAR &&
	    n->plain && strcmp(n->text, "false") == 0)))
		cfg_error(c, on, "auth.oauth.enabled: true requires "
		    "auth.enabled: true");
	check_required(c);
}

static void
check_required(struct cfg *c)
{
	if (!given(c, "auth.oauth.issuer"))
		cfg_missing(c, "auth.oauth.issuer", NULL, "required when "
		    "auth.oauth.enabled is true");
	cfg_check_audience(c);
	if (!given(c, "auth.oauth.jwks_url"))
		cfg_missing(c, "auth.oauth.jwks_url", NULL, "required when "
		    "auth.oauth.enabled is true");
}

static void
check_upstreams(struct cfg *c)
{
	const struct ynode	*list, *name;
	struct worker_conf	*w = &c->conf->w;
	size_t			 i;

	list = cfg_node(c, "upstreams");
	if (list == NULL) {
		cfg_missing(c, "upstreams", NULL, "required: a list of at "
		    "least one upstream, each with a name and a url");
		return;
	}
	if (ynode_isnull(list) || (list->kind == YNODE_LIST &&
	    list->nchildren == 0))
		cfg_expected(c, list, "at least one upstream, with a name "
		    "and a url");
	if (w->nupstreams == 0)
		return;
	if ((name = cfg_node(c, "default_upstream")) == NULL) {
		if (w->nupstreams > 1)
			cfg_missing(c, "default_upstream", list, "required "
			    "when there is more than one upstream");
		return;
	}
	if (c->conf->default_upstream == NULL)
		return;
	for (i = 0; i < w->nupstreams; i++) {
		if (w->upstreams[i].name == NULL)
			return;
		if (strcmp(w->upstreams[i].name,
		    c->conf->default_upstream) == 0) {
			w->default_upstream = i;
			return;
		}
	}
	cfg_expected(c, name, "the name of one of the upstreams");
}

/* One body that can never be buffered would be refused for ever. */
static void
check_limits(struct cfg *c)
{
	const struct ynode	*n;
	const struct worker_conf *w = &c->conf->w;
	char			 size[QUANTITY_STRLEN];

	n = cfg_node(c, "limits.per_address.buffered");
	if (n != NULL && w->max_body > w->per_buffered)
		cfg_error(c, n, "expected at least limits.max_body, which is "
		    "%s", size_format(w->max_body, size));
	if (w->max_body <= w->buffered)
		return;
	if ((n = cfg_node(c, "limits.buffered")) == NULL)
		n = cfg_node(c, "limits.max_body");
	if (n != NULL)
		cfg_error(c, n, "expected limits.buffered to be at least "
		    "limits.max_body, which is %s", size_format(w->max_body,
		    size));
}

/* Asked for a user that the file names only: the default may not be there
 * yet when a package checks its sample. */
static void
check_user(struct cfg *c)
{
	const struct ynode	*n;
	const struct passwd	*pw;

	n = cfg_node(c, "user");
	if (!c->files || n == NULL || c->conf->user == NULL ||
	    geteuid() != 0)
		return;
	errno = 0;
	pw = getpwnam(c->conf->user);
	if (pw == NULL && (errno == 0 || errno == ENOENT))
		cfg_expected(c, n, "a user of this system");
	else if (pw != NULL && pw->pw_uid == 0)
		cfg_expected(c, n, "a user with no rights of its own");
}

static void
check_ca(struct cfg *c)
{
	const struct ynode	*n;
	const char		*reason;
	struct config		*conf = c->conf;
	char			 path[300];

	n = cfg_node(c, "auth.oauth.ca_file");
	if (!c->files || n == NULL || conf->ca_file == NULL ||
	    !conf->w.oauth.enabled)
		return;
	conf->f.ca = cfg_file_read(conf->ca_file, CFG_FOR_ALL, CFG_CA_MAX,
	    &conf->f.ca_len, &reason);
	if (conf->f.ca != NULL)
		reason = cfg_ca_check(conf->f.ca, conf->f.ca_len);
	if (reason != NULL)
		cfg_error(c, n, "expected a file of PEM certificates, got "
		    "%s: %s", cfg_quote(conf->ca_file, path, sizeof(path)),
		    reason);
}

static void
fill_strings(struct cfg *c)
{
	struct config	*conf = c->conf;
	char		*url;

	fill_string(c, &conf->user, "_mcpgw");
	fill_string(c, &conf->pid_file, CFG_PID_FILE);
	fill_string(c, &conf->audit_path, CONFIG_AUDIT_PATH);
	/* a field of its own holds a key alone: so does this one, if asked */
	if (cfg_node(c, "auth.header") != NULL && conf->w.key_header == NULL)
		fill_string(c, &conf->w.key_scheme, "");
	fill_string(c, &conf->w.oauth.metadata_path,
	    "/.well-known/oauth-protected-resource");
	conf->public_url_set = conf->w.oauth.public_url != NULL;
	if (conf->public_url_set)
		return;
	/* ":7332" alone would not make a URL. */
	if (asprintf(&url, "%s://%s%s/mcp",
	    conf->tls_cert_file != NULL ? "https" : "http",
	    *conf->listen == ':' ? "0.0.0.0" : "", conf->listen) == -1)
		cfg_nomem(c);
	else
		conf->w.oauth.public_url = url;
}

static void
fill_string(struct cfg *c, char **dst, const char *s)
{
	if (*dst == NULL)
		cfg_copy(c, dst, s);
}

/* Is the key in the file at all?  A null counts: it has its own error. */
static int
given(const struct cfg *c, const char *path)
{
	return (cfg_node(c, path) != NULL);
}
