/*
 * mcpgw.yaml: parsed by libyaml into a typed, validated struct config.  Only
 * the master has it; children get their parts (common/conf.h).
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <sys/socket.h>
#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

#define CONFIG_FILE_MAX		(4 * 1024 * 1024)
#define CONFIG_ERRORS_MAX	100
#define CONFIG_AUDIT_PATH	"/var/log/mcpgw/audit.jsonl"

/* The files of an upstream's tls, as paths. */
struct config_files {
	char		*ca;
	char		*cert;
	char		*key;
};

struct config {
	char		 digest[65];	/* SHA-256 of the file, hexadecimal */
	/* listen */
	char		*listen;	/* as written, or the default */
	struct sockaddr_storage listen_addr;
	socklen_t	 listen_len;
	int		 listen_any;	/* a wildcard address */
	/* process */
	unsigned	 workers;	/* default: sched_getaffinity and the
					 * cgroup's CPU quota */
	char		*user;
	char		*pid_file;
	/* admin, control: the monitor's doors */
	char		*admin_listen;	/* as written, or NULL: none */
	struct sockaddr_storage admin_addr;
	socklen_t	 admin_len;
	char		*admin_token_file;	/* or NULL */
	char		*control_socket;	/* path; "" when it is off */
	int		 control_set;	/* written in the file */
	char		*control_group;	/* or NULL */
	char		*default_upstream; /* as written, or NULL */
	/* audit */
	char		*audit_path;
	char		*ca_file;	/* or NULL */
	int		 public_url_set; /* written in the file */
	/* telemetry.customer; the contents are the fetcher's */
	char		*telemetry_headers_file;	/* or NULL */
	char		*telemetry_ca_file;
	int		 telemetry_exposed;	/* what headers_file says goes
						 * over a network in clear */
	struct config_files *up_files;	/* by the upstream's index */
	size_t		 nup_files;
	/* log */
	int		 log_json;
	uint32_t	 log_level;	/* LOG_ERR to LOG_DEBUG */
	/* session: what workers get of it is in w */
	char		*session_secret;
	char		*session_secret_file;
	/* tls; the contents are the workers' and the keeper's */
	char		*tls_cert_file;
	char		*tls_key_file;
	char		*tls_client_ca_file;
	/* auth.argon2: ceilings on what a hash may cost */
	uint64_t	 argon2_memory;	/* bytes */
	uint64_t	 argon2_passes;
	uint64_t	 argon2_lanes;
	/* what the fetcher gets, but for the hosts, and with the key set's
	 * URL and CA when OAuth is off, too */
	struct fetcher_conf f;
	/* what the monitor gets */
	struct monitor_conf m;
	/* everything the keeper needs, as it gets it */
	struct keeper_conf k;
	/* everything workers need, as they get it */
	struct worker_conf w;
};

extern const struct schema config_schema;

/* Called for every error, in the order of the file:
 * "FILE:LINE:COLUMN: key.path: expected ..." */
typedef void (*config_error_cb)(void *, const char *text);

/*
 * Read and check a configuration file.  NULL when it cannot be read or has
 * errors, after telling each of them (at most CONFIG_ERRORS_MAX) to the
 * callback; else a config to config_free().
 */
struct config *config_load(const char *path, config_error_cb, void *);
/* The same for text in memory; name stands for the file in messages, and
 * no file is opened: ca_file is not read and ca stays NULL. */
struct config *config_parse(const char *name, const char *, size_t,
    config_error_cb, void *);
/* As config_load() of a file that has this text: files that it names are
 * looked for beside path. */
struct config *config_load_text(const char *path, const char *, size_t,
    config_error_cb, void *);
void	config_free(struct config *);

/*
 * Make old win where a reload cannot change things: listen, public_url,
 * metadata_path, user, pid_file and the monitor's doors.  changed(arg, key) is
 * called for each key whose new value is put aside.  Returns 0, or -1 when
 * memory is gone; or when no audience is left (changed(arg, NULL) is called),
 * for a public_url that is to come with the restart is none yet.
 */
int	config_keep_fixed(struct config *neu, const struct config *old,
    void (*changed)(void *, const char *key), void *);

/* Sealed memfds with the children's parts (common/memfd.h); -1 with errno. */
int	config_worker_part(const struct config *);
int	config_fetcher_part(const struct config *);
int	config_keeper_part(const struct config *);
int	config_monitor_part(const struct config *);

/* Could this be the id of a key in auth.keys? */
int	config_key_id_ok(const char *);

#endif
