/*
 * What the files of the configuration share among themselves; nobody else
 * includes this.  config.c holds the interface, keys.c the tables of keys,
 * walk.c the walk along them; value.c, auth.c, claims.c, upstream.c and net.c
 * read values; tls.c, session.c and telemetry.c read files; check.c has what
 * several keys must agree on, error.c the errors, file.c the files, url.c
 * URLs, cpus.c the CPUs.
 */
#ifndef CONFIG_CFG_H
#define CONFIG_CFG_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/url.h"
#include "config/yaml.h"

#define CFG_URL_MAX	1024	/* bytes of any URL or audience */
#define CFG_SCOPE_MAX	256	/* bytes of one scope */
#define CFG_SCOPES_MAX	4096	/* bytes of all of them: they go in a header */
#define CFG_FILE_MAX	4096	/* bytes of a file's path */
#define CFG_PATH_MAX	256	/* bytes of a key's path in messages */
#define CFG_CA_MAX	(1024 * 1024)
#define CFG_WORKERS_MAX	256
#define CFG_PID_FILE	"/run/mcpgw.pid"
#define CFG_FIELD_MAX	64	/* bytes of a header field's name */

struct cfg_map;

struct cfg_error {
	unsigned	 line;		/* 0: of the file as a whole */
	unsigned	 column;
	size_t		 seq;
	char		*text;		/* with the key's path */
};

/* One reading of one file. */
struct cfg {
	const char		*name;	/* of the file, for messages */
	int			 files;	/* may open files named in the text */
	struct config		*conf;
	struct ynode		*root;
	const struct cfg_map	*map;	/* of the root: all that is known */
	struct cfg_error	*errors;
	size_t			 nerrors;
	size_t			 ndropped;	/* errors not kept */
	int			 nomem;
};

/* The node at a dotted path below the top, or NULL. */
static inline const struct ynode *
cfg_node(const struct cfg *c, const char *path)
{
	return (ynode_at(c->root, path));
}

struct cfg_key;
typedef void (*cfg_parse_fn)(struct cfg *, const struct ynode *,
    const struct cfg_key *, void *dst);

/* A key with a parser of its own, which checks the value, tells what is wrong
 * with it and writes to dst only what is right. */
struct cfg_key {
	const char		*name;		/* dotted; NULL ends a table */
	cfg_parse_fn		 parse;
	size_t			 offset;	/* of dst in the struct */
	uint64_t		 min;		/* of times, sizes, numbers */
	uint64_t		 max;
};

/* What a mapping of the file, with those in it, may hold. */
struct cfg_map {
	const struct schema	*schema;	/* plain keys; or NULL */
	const struct cfg_key	*keys;		/* and these, which go first */
};

/* error.c */
/* An error at the node's value, with the node's path. */
void	cfg_error(struct cfg *, const struct ynode *, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* The same at a place of its own; node NULL: no path, line 0: no place. */
void	cfg_error_at(struct cfg *, const struct ynode *, unsigned line,
	    unsigned column, const char *, ...)
	    __attribute__((format(printf, 5, 6)));
/* "expected X, got Y": X is formatted, Y is the node, bounded and escaped,
 * or left out where it may hold a secret. */
void	cfg_expected(struct cfg *, const struct ynode *, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* A key that is not there: told at the key of the node, or without one at
 * its parent's key, or at the top. */
void	cfg_missing(struct cfg *, const char *path, const struct ynode *,
	    const char *, ...) __attribute__((format(printf, 4, 5)));
/* "auth.oauth.required_scopes[2]", escaped and cut; empty for the top. */
void	cfg_path_of(const struct ynode *, char *, size_t);
/* s, quoted, cut and escaped; returns buf. */
char	*cfg_quote(const char *s, char *buf, size_t size);
void	cfg_nomem(struct cfg *);
/* Hand the errors to the callback in the order of the file and free them;
 * returns how many there were. */
size_t	cfg_errors_tell(struct cfg *, config_error_cb, void *);

/* keys.c */
extern const struct cfg_map cfg_root;

/* walk.c */
/* Hold a mapping against what is known; values go to base and its offsets. */
void	cfg_walk(struct cfg *, const struct ynode *, const struct cfg_map *,
	    void *base);

/* value.c */
void	cfg_bool(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* int */
void	cfg_number(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* uint64_t */
void	cfg_number_off(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* the same, or "off": 0 */
void	cfg_duration(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* uint64_t, ms */
void	cfg_duration_off(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* the same, or "off": 0 */
void	cfg_size(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* uint64_t */
void	cfg_text(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *, at most max bytes */
void	cfg_name(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *, an upstream's name */
void	cfg_path_off(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* "off" is "" */
void	cfg_path(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *, absolute */
void	cfg_path_near(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char *, made absolute */
void	cfg_user(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char * */
void	cfg_on_failure(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* int */
void	cfg_log_format(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* int: is it JSON? */
void	cfg_log_level(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* uint32_t, syslog(3)'s */
void	cfg_identity(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* uint32_t */
void	cfg_revisions(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* uint32_t, bits */
void	cfg_scopes(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct conf_oauth */
/* Could it be the name of a header field? */
int	cfg_field_ok(const char *);
/* The text of a scalar; NULL after an error ("expected what"). */
const char *cfg_scalar(struct cfg *, const struct ynode *, const char *what);
/* The items of a list, 0 when it is null, empty or (after an error) wrong. */
size_t	cfg_list(struct cfg *, const struct ynode *, size_t max,
	    const char *what);
/* Copy to *dst, noting when memory is gone. */
void	cfg_copy(struct cfg *, char **dst, const char *);

/* claims.c */
void	cfg_audience(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct conf_strings */
void	cfg_claims(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct conf_strings */
void	cfg_typ(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct conf_strings */
void	cfg_check_claims(struct cfg *);	/* defaults, after the walk */
void	cfg_check_audience(struct cfg *);	/* then, with OAuth: is there
						 * one? */

/* auth.c */
void	cfg_keys(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct config */
void	cfg_header(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *; NULL: Authorization */
void	cfg_scheme(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char * */
/* What several keys must agree on, and their costs; after the walk. */
void	cfg_check_keys(struct cfg *);

/* tls.c; after the walk: these read files. */
void	cfg_check_tls(struct cfg *);
void	cfg_check_upstream_tls(struct cfg *);	/* after cfg_check_tls() */

/* session.c */
void	cfg_secret(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char * */
/* A file with a secret, at that key: its SHA-256, or an error. */
void	cfg_secret_file(struct cfg *, const char *key, const char *path,
	    uint8_t digest[CONF_SECRET_LEN]);
void	cfg_check_session(struct cfg *);	/* after the walk */

/* telemetry.c */
void	cfg_otlp_endpoint(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char * */
void	cfg_resource_attrs(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct conf_telemetry */
void	cfg_sample_ratio(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* uint64_t, of
						 * CONF_SAMPLE_ALL */
/* What the environment adds, and the files; after the walk. */
void	cfg_check_telemetry(struct cfg *);

/* upstream.c */
void	cfg_upstreams(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct worker_conf */
void	cfg_fill_upstreams(struct cfg *);	/* defaults, after the walk */

/* net.c */
void	cfg_listen(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct config */
void	cfg_origins(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct worker_conf */
void	cfg_host(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *; min 1: a port may be there */
void	cfg_hosts(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct worker_conf */
void	cfg_proxies(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct worker_conf */
void	cfg_proxy_peers(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* struct worker_conf */
void	cfg_check_proxy(struct cfg *);	/* after the walk */

/* admin.c */
void	cfg_admin_listen(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);
void	cfg_socket(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char *, "" for off */
void	cfg_group(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* struct config */
void	cfg_check_admin(struct cfg *);	/* after the walk and the defaults */
void	cfg_issuer(struct cfg *, const struct ynode *, const struct cfg_key *,
	    void *);			/* char * */
void	cfg_jwks_url(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char * */
void	cfg_public_url(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char * */
void	cfg_page_url(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char * */
void	cfg_metadata_path(struct cfg *, const struct ynode *,
	    const struct cfg_key *, void *);	/* char * */
/* 1 with the text and its parts, 0 after telling what is wrong. */
int	cfg_url_get(struct cfg *, const struct ynode *, const char *what,
	    const char **, struct cfg_url *);
/* Parse into listen, listen_addr, listen_len and listen_any; -1: no. */
int	cfg_listen_set(struct config *, const char *);
int	cfg_listen_parse(const char *, struct sockaddr_storage *, socklen_t *,
	    int *any);

/* check.c */
int	cfg_defaults(struct config *);	/* before the walk; -1: memory */
void	cfg_check(struct cfg *);	/* after it */

/* file.c */
enum cfg_secrecy {
	CFG_FOR_ALL,		/* others may read it, and may not write */
	CFG_SECRET		/* nor read */
};

/* The whole of a regular file of at most max bytes, NUL-terminated, to be
 * freed; NULL with a reason in words, valid until the next call: among others
 * that everybody may do with it what they may not. */
char	*cfg_file_read(const char *path, enum cfg_secrecy, size_t max,
	    size_t *len, const char **reason);
/* NULL, or that others may read a secret that is in this file. */
const char *cfg_file_shown(const char *path);
/* NULL when text holds one or more PEM certificates and nothing secret,
 * else what is wrong with it. */
const char *cfg_ca_check(const char *text, size_t len);

/* cpus.c */
/* CPUs that this process may use, by its affinity mask and by the cgroup
 * v2 quota of its own group and those above: 1 to CFG_WORKERS_MAX. */
unsigned cfg_cpus(void);
/* The quota alone: cgroup is a file like /proc/self/cgroup, root the mount
 * point of cgroup v2.  0 when there is no limit. */
unsigned cfg_cpus_quota(const char *cgroup, const char *root);

#endif
