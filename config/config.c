/*
 * The configuration as the master sees it: read, compared with the one in
 * force, and cut into the children's parts.
 */
#include <openssl/evp.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memfd.h"
#include "common/wire.h"
#include "config/cfg.h"
#include "config/config.h"

/* What a reload leaves alone; key NULL: told by a comparison of its own. */
static const struct {
	const char	*key;
	size_t		 offset;
} fixed[] = {
#define AT(field)	offsetof(struct config, field)
	{ NULL, AT(listen) },
	{ NULL, AT(w.oauth.public_url) },
	{ "auth.oauth.metadata_path", AT(w.oauth.metadata_path) },
	{ "user", AT(user) },
	{ "pid_file", AT(pid_file) },
	{ "admin.listen", AT(admin_listen) },
	{ "control.socket", AT(control_socket) },
	{ "control.group", AT(control_group) }
#undef AT
};
#define FIXED	(sizeof(fixed) / sizeof(fixed[0]))

static struct config	*parse(const char *, const char *, size_t, int,
			    config_error_cb, void *);
static void		 unfit(const char *, const char *, const char *,
			    config_error_cb, void *);
static int		 has_secrets(const struct config *);
static int		 digest(const char *, size_t, char[65]);
static void		 tree_error(void *, const struct ynode *, unsigned,
			    unsigned, const char *);
static int		 same(const char *, const char *);
static int		 same_listen(const struct config *,
			    const struct config *);
static void		 swap(char **, char **);
static char		**fixed_at(struct config *, size_t);
static int		 copy_fixed(const struct config *, char *[FIXED]);
static int		 keep_audience(struct config *,
			    void (*)(void *, const char *), void *);
static int		 part_seal(const char *, struct wbuf *);

struct config *
config_load(const char *path, config_error_cb cb, void *arg)
{
	struct config	*conf;
	const char	*reason;
	char		*text;
	size_t		 len;

	text = cfg_file_read(path, CFG_FOR_ALL, CONFIG_FILE_MAX, &len, &reason);
	if (text == NULL) {
		unfit(path, "cannot be read", reason, cb, arg);
		return (NULL);
	}
	conf = parse(path, text, len, 1, cb, arg);
	explicit_bzero(text, len);
	free(text);
	if (conf != NULL && has_secrets(conf) &&
	    (reason = cfg_file_shown(path)) != NULL) {
		unfit(path, "is not safe", reason, cb, arg);
		config_free(conf);
		return (NULL);
	}
	return (conf);
}

/* The file as such. */
static void
unfit(const char *path, const char *what, const char *reason,
    config_error_cb cb, void *arg)
{
	struct cfg	 c;

	memset(&c, 0, sizeof(c));
	c.name = path;
	cfg_error_at(&c, NULL, 0, 0, "%s: %s", what, reason);
	(void)cfg_errors_tell(&c, cb, arg);
}

/* In itself; those of files that it names are theirs to keep. */
static int
has_secrets(const struct config *conf)
{
	size_t	 i;

	for (i = 0; i < conf->w.nupstreams; i++)
		if (conf->w.upstreams[i].nheaders > 0)
			return (1);
	return (conf->session_secret != NULL);
}

struct config *
config_parse(const char *name, const char *text, size_t len,
    config_error_cb cb, void *arg)
{
	return (parse(name, text, len, 0, cb, arg));
}

struct config *
config_load_text(const char *path, const char *text, size_t len,
    config_error_cb cb, void *arg)
{
	return (parse(path, text, len, 1, cb, arg));
}

void
config_free(struct config *conf)
{
	schema_free(&config_schema, conf);
}

int
config_keep_fixed(struct config *neu, const struct config *old,
    void (*changed)(void *, const char *), void *arg)
{
	char	*copy[FIXED];
	size_t	 i;

	if (copy_fixed(old, copy) == -1)
		return (-1);
	if (!same_listen(neu, old))
		changed(arg, "listen");
	if (neu->public_url_set != old->public_url_set ||
	    (neu->public_url_set && !same(neu->w.oauth.public_url,
	    old->w.oauth.public_url)))
		changed(arg, "auth.oauth.public_url");
	for (i = 0; i < FIXED; i++) {
		if (fixed[i].key != NULL && !same(*fixed_at(neu, i),
		    copy[i]) && (fixed_at(neu, i) != &neu->control_socket ||
		    neu->control_set || old->control_set))
			changed(arg, fixed[i].key);
		swap(fixed_at(neu, i), &copy[i]);
		free(copy[i]);
	}
	if (neu->k.threads != old->k.threads)
		changed(arg, "auth.argon2.threads");
	neu->k.threads = old->k.threads;
	neu->listen_addr = old->listen_addr;
	neu->listen_len = old->listen_len;
	neu->listen_any = old->listen_any;
	neu->admin_addr = old->admin_addr;
	neu->admin_len = old->admin_len;
	neu->public_url_set = old->public_url_set;
	neu->control_set = old->control_set;
	neu->m.group = old->m.group;
	neu->m.gid = old->m.gid;
	return (keep_audience(neu, changed, arg));
}

static char **
fixed_at(struct config *c, size_t i)
{
	return ((char **)(void *)((char *)c + fixed[i].offset));
}

/* 0, or -1: memory is gone. */
static int
copy_fixed(const struct config *c, char *copy[FIXED])
{
	const char	*s;
	size_t		 i;

	for (i = 0; i < FIXED; i++) {
		s = *(char *const *)(const void *)((const char *)c +
		    fixed[i].offset);
		copy[i] = s == NULL ? NULL : strdup(s);
		if (s == NULL || copy[i] != NULL)
			continue;
		while (i > 0)
			free(copy[--i]);
		return (-1);
	}
	return (0);
}

/* The listen address, which stands in for a public_url, is others' as well. */
static int
keep_audience(struct config *neu, void (*changed)(void *, const char *),
    void *arg)
{
	struct conf_oauth	*o = &neu->w.oauth;

	if (!o->enabled || neu->public_url_set)
		return (0);
	o->accept_resource = 0;
	if (o->audiences.n > 0)
		return (0);
	changed(arg, NULL);
	return (-1);
}

int
config_worker_part(const struct config *conf)
{
	struct wbuf	 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	worker_conf_pack(&conf->w, &b);
	return (part_seal("worker_conf", &b));
}

int
config_fetcher_part(const struct config *conf)
{
	struct fetcher_conf	 f;
	const struct conf_upstream *u;
	struct wbuf		 b;
	size_t			 i, j, n = 0;

	f = conf->f;
	for (i = 0; i < conf->w.nupstreams; i++)
		f.nhosts += conf->w.upstreams[i].nservers;
	f.hosts = calloc(f.nhosts, sizeof(*f.hosts));
	if (f.hosts == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	for (i = 0; i < conf->w.nupstreams; i++) {
		u = &conf->w.upstreams[i];
		for (j = 0; j < u->nservers; j++) {
			f.hosts[n].name = u->servers[j].host;
			f.hosts[n++].port = u->servers[j].port;
		}
	}
	if (conf->w.oauth.enabled) {
		f.oauth = 1;
		f.issuer = conf->w.oauth.issuer;
	} else {
		f.jwks_url = f.ca = NULL;
		f.ca_len = 0;
	}
	f.telemetry.enabled = conf->w.traces;
	wbuf_init(&b, CONF_PACKED_MAX);
	fetcher_conf_pack(&f, &b);
	/* The strings are the configuration's. */
	free(f.hosts);
	return (part_seal("fetcher_conf", &b));
}

int
config_monitor_part(const struct config *conf)
{
	struct wbuf	 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	monitor_conf_pack(&conf->m, &b);
	return (part_seal("monitor_conf", &b));
}

int
config_keeper_part(const struct config *conf)
{
	struct wbuf	 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	keeper_conf_pack(&conf->k, &b);
	return (part_seal("keeper_conf", &b));
}

static struct config *
parse(const char *name, const char *text, size_t len, int files,
    config_error_cb cb, void *arg)
{
	struct cfg	 c;
	int		 good;

	memset(&c, 0, sizeof(c));
	c.name = name;
	c.map = &cfg_root;
	c.files = files;
	if ((c.conf = calloc(1, sizeof(*c.conf))) == NULL ||
	    cfg_defaults(c.conf) == -1)
		cfg_nomem(&c);
	else if (len > CONFIG_FILE_MAX)
		cfg_error_at(&c, NULL, 0, 0, "cannot be read: too large");
	else if (digest(text, len, c.conf->digest) == -1)
		cfg_nomem(&c);
	else if ((c.root = ytree_parse(text, len, tree_error, &c)) != NULL) {
		cfg_walk(&c, c.root, &cfg_root, c.conf);
		if (c.root->kind == YNODE_MAP || ynode_isnull(c.root))
			cfg_check(&c);
	}
	/* Nothing may pass unread, even if its error went missing. */
	good = c.root != NULL;
	ytree_free(c.root);
	if (cfg_errors_tell(&c, cb, arg) > 0 || !good) {
		config_free(c.conf);
		return (NULL);
	}
	return (c.conf);
}

/* SHA-256, hexadecimal: which text it was. */
static int
digest(const char *text, size_t len, char hex[65])
{
	unsigned char	 md[EVP_MAX_MD_SIZE];
	size_t		 i, n = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, text, len, md, &n) != 1 ||
	    n != 32)
		return (-1);
	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", md[i]);
	return (0);
}

static void
tree_error(void *arg, const struct ynode *n, unsigned line, unsigned column,
    const char *text)
{
	cfg_error_at(arg, n, line, column, "%s", text);
}

/* Strings that may be NULL. */
static int
same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a == b);
	return (strcmp(a, b) == 0);
}

/* By address: localhost and 127.0.0.1 are no change worth a warning. */
static int
same_listen(const struct config *a, const struct config *b)
{
	return (a->listen_len == b->listen_len && memcmp(&a->listen_addr,
	    &b->listen_addr, a->listen_len) == 0);
}

static void
swap(char **a, char **b)
{
	char	*t;

	t = *a;
	*a = *b;
	*b = t;
}

/* Frees the buffer in any case. */
static int
part_seal(const char *name, struct wbuf *b)
{
	int	 fd, saved;

	if (b->failed) {
		wbuf_free(b);
		errno = EMSGSIZE;
		return (-1);
	}
	fd = memfd_seal(name, b->data, b->len);
	saved = errno;
	wbuf_free(b);
	errno = saved;
	return (fd);
}
