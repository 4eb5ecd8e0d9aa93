/*
 * Every key that mcpgw.yaml may have.  Plain ones are rows of the struct that
 * they are for, here or in common/conf.c; those whose values have a parser of
 * their own are listed below.  A new plain key is a row and a paragraph in
 * mcpgw.yaml(5).
 */
#include <syslog.h>

#include "config/cfg.h"

#define AT(field)	offsetof(struct config, field)
#define SECOND		1000ULL
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define KiB		1024ULL
#define MiB		(1024 * KiB)
#define GiB		(1024 * MiB)

static const struct schema_row files_rows[] = {
#define S struct config_files
	ROW_STR(S, ca, NULL, FORM_NONE, SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, cert, NULL, FORM_NONE, SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, key, NULL, FORM_NONE, SCHEMA_ABSENT, CFG_FILE_MAX),
#undef S
};

static const struct schema files_schema =
	SCHEMA_OF(config_files, files_rows, NULL);

static const struct schema_row config_rows[] = {
#define S struct config
	ROW_STR(S, listen, "listen", FORM_NONE, 0, CONF_STR_MAX),
	ROW_NUMBER(S, workers, U32, "workers", 0, 1, CFG_WORKERS_MAX, 0),
	ROW_STR(S, user, "user", FORM_NONE, 0, CONF_STR_MAX),
	ROW_STR(S, pid_file, "pid_file", FORM_NONE, SCHEMA_EMPTY,
	    CFG_FILE_MAX),
	ROW_STR(S, admin_listen, "admin.listen", FORM_NONE, SCHEMA_ABSENT,
	    CONF_STR_MAX),
	ROW_STR(S, admin_token_file, "admin.token_file", FORM_PATH,
	    SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, control_socket, "control.socket", FORM_NONE, SCHEMA_EMPTY,
	    CFG_FILE_MAX),
	ROW_STR(S, control_group, "control.group", FORM_NONE, SCHEMA_ABSENT,
	    CONF_STR_MAX),
	ROW_STR(S, default_upstream, "default_upstream", FORM_NONE,
	    SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, audit_path, "audit.path", FORM_NONE, 0, CFG_FILE_MAX),
	ROW_FLAG(S, log_json, "log.format", 0),
	ROW_NUMBER(S, log_level, U32, "log.level", 0, LOG_ERR, LOG_DEBUG,
	    LOG_INFO),
	ROW_STR(S, ca_file, "auth.oauth.ca_file", FORM_PATH, SCHEMA_ABSENT,
	    CFG_FILE_MAX),
	ROW_ARRAY(S, up_files, nup_files, NULL, 0, CONF_UPSTREAMS_MAX,
	    &files_schema),
	ROW_STR(S, session_secret, "session.secret", FORM_NONE,
	    SCHEMA_ABSENT | SCHEMA_SECRET, CONF_STR_MAX),
	ROW_STR(S, session_secret_file, "session.secret_file", FORM_PATH,
	    SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, tls_cert_file, "tls.cert_file", FORM_PATH, SCHEMA_ABSENT,
	    CFG_FILE_MAX),
	ROW_STR(S, tls_key_file, "tls.key_file", FORM_PATH, SCHEMA_ABSENT,
	    CFG_FILE_MAX),
	ROW_STR(S, tls_client_ca_file, "tls.client_ca", FORM_PATH,
	    SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, telemetry_headers_file, "telemetry.customer.headers_file",
	    FORM_PATH, SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_STR(S, telemetry_ca_file, "telemetry.customer.ca_file", FORM_PATH,
	    SCHEMA_ABSENT, CFG_FILE_MAX),
	ROW_SIZE(S, argon2_memory, "auth.argon2.max_memory", 8 * KiB, GiB,
	    64 * MiB),
	ROW_NUMBER(S, argon2_passes, U64, "auth.argon2.max_passes", 0, 1,
	    1000, 16),
	ROW_NUMBER(S, argon2_lanes, U64, "auth.argon2.max_lanes", 0, 1, 255,
	    16),
	ROW_STRUCT(S, f, &fetcher_conf_schema),
	ROW_STRUCT(S, m, &monitor_conf_schema),
	ROW_STRUCT(S, k, &keeper_conf_schema),
	ROW_STRUCT(S, w, &worker_conf_schema),
#undef S
};

const struct schema config_schema = SCHEMA_OF(config, config_rows, NULL);

static const struct cfg_key keys[] = {
	{ "listen", cfg_listen, 0, 0, 0 },
	{ "user", cfg_user, AT(user), 0, 0 },
	{ "pid_file", cfg_path_off, AT(pid_file), 0, 0 },
	{ "admin.listen", cfg_admin_listen, 0, 0, 0 },
	{ "control.socket", cfg_socket, AT(control_socket), 0, 0 },
	{ "control.group", cfg_group, 0, 0, 0 },
	{ "mcp.revisions", cfg_revisions, AT(w.revisions), 0, 0 },
	{ "session.secret", cfg_secret, AT(session_secret), 0, 0 },
	{ "upstreams", cfg_upstreams, AT(w), 0, 0 },
	{ "default_upstream", cfg_name, AT(default_upstream), 0, 0 },
	{ "audit.path", cfg_path, AT(audit_path), 0, 0 },
	{ "audit.on_failure", cfg_on_failure, AT(w.audit_allow), 0, 0 },
	{ "audit.identity", cfg_identity, AT(w.identity), 0, 0 },
	{ "audit.refusals_per_second", cfg_number_off, AT(w.refusals), 1,
	    1000000 },
	{ "telemetry.customer.endpoint", cfg_otlp_endpoint,
	    AT(f.telemetry.endpoint), 0, 0 },
	{ "telemetry.customer.resource_attrs", cfg_resource_attrs,
	    AT(f.telemetry), 0, 0 },
	{ "telemetry.customer.sample_ratio", cfg_sample_ratio, AT(w.sample),
	    0, 0 },
	{ "log.format", cfg_log_format, AT(log_json), 0, 0 },
	{ "log.level", cfg_log_level, AT(log_level), 0, 0 },
	{ "allowed_origins", cfg_origins, AT(w), 0, 0 },
	{ "allowed_hosts", cfg_hosts, AT(w), 0, 0 },
	{ "trusted_proxies", cfg_proxies, AT(w), 0, 0 },
	{ "proxy_protocol.trusted_cidrs", cfg_proxy_peers, AT(w), 0, 0 },
	{ "auth.keys", cfg_keys, 0, 0, 0 },
	{ "auth.header", cfg_header, AT(w.key_header), 0, 0 },
	{ "auth.scheme", cfg_scheme, AT(w.key_scheme), 0, 0 },
	{ "auth.oauth.issuer", cfg_issuer, AT(w.oauth.issuer), 0, 0 },
	{ "auth.oauth.audience", cfg_audience, AT(w.oauth.audiences), 0,
	    CFG_URL_MAX },
	{ "auth.oauth.audience_claims", cfg_claims,
	    AT(w.oauth.audience_claims), 0, 0 },
	{ "auth.oauth.client_claims", cfg_claims, AT(w.oauth.client_claims),
	    0, 0 },
	{ "auth.oauth.scope_claims", cfg_claims, AT(w.oauth.scope_claims), 0,
	    0 },
	{ "auth.oauth.require_typ", cfg_typ, AT(w.oauth.typ), 0, 0 },
	{ "auth.oauth.jwks_url", cfg_jwks_url, AT(f.jwks_url), 0, 0 },
	{ "auth.oauth.required_scopes", cfg_scopes, AT(w.oauth), 0, 0 },
	{ "auth.oauth.public_url", cfg_public_url, AT(w.oauth.public_url), 0,
	    0 },
	{ "auth.oauth.metadata_path", cfg_metadata_path,
	    AT(w.oauth.metadata_path), 0, 0 },
	{ "auth.oauth.resource_documentation", cfg_page_url,
	    AT(w.oauth.resource_documentation), 0, 0 },
	{ "auth.oauth.resource_policy_uri", cfg_page_url,
	    AT(w.oauth.resource_policy_uri), 0, 0 },
	{ "auth.oauth.resource_tos_uri", cfg_page_url,
	    AT(w.oauth.resource_tos_uri), 0, 0 },
	{ NULL, NULL, 0, 0, 0 }
};

const struct cfg_map cfg_root = { &config_schema, keys };
