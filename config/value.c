/*
 * The values of keys: booleans, numbers, times, sizes, strings, lists.  Each
 * parser writes to its destination only what it accepts.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log_record.h"
#include "config/cfg.h"
#include "config/duration.h"

#define NAME_MAX_LEN	64	/* an upstream's name */
#define USER_MAX_LEN	32

static int	 scope_ok(const char *);
static int	 scope_repeated(struct cfg *, const struct ynode *);
static int	 text_ok(const char *);
static int	 path_ok(struct cfg *, const struct ynode *, const char *);
static void	 number_get(struct cfg *, const struct ynode *,
		    const struct cfg_key *, const char *, uint64_t *);
static void	 duration_get(struct cfg *, const struct ynode *,
		    const struct cfg_key *, const char *, uint64_t *);

void
cfg_bool(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	/* YAML 1.1 took these and 1.2 does not: no guessing. */
	static const char	*others[] = { "true", "yes", "on", "y", "1",
	    "false", "no", "off", "n", "0" };
	const char		*s;
	size_t			 i;

	(void)k;
	if ((s = cfg_scalar(c, n, "true or false")) == NULL)
		return;
	if (n->plain && (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)) {
		*(int *)dst = *s == 't';
		return;
	}
	for (i = 0; i < 10; i++)
		if (strcasecmp(s, others[i]) == 0)
			break;
	if (i < 10)
		cfg_expected(c, n, "true or false (write %s%s)",
		    i < 5 ? "true" : "false",
		    n->plain ? "" : " without quotes");
	else
		cfg_expected(c, n, "true or false");
}

void
cfg_number(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	number_get(c, n, k, "", dst);
}

void
cfg_number_off(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	if (n->kind == YNODE_SCALAR && strcmp(n->text, "off") == 0)
		*(uint64_t *)dst = 0;
	else
		number_get(c, n, k, ", or off", dst);
}

static void
number_get(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    const char *or_off, uint64_t *dst)
{
	const char	*s;
	uint64_t	 v;

	if ((s = cfg_scalar(c, n, "a number")) == NULL)
		return;
	if (!n->plain || number_parse(s, &v) != QUANTITY_OK || v < k->min ||
	    v > k->max)
		cfg_expected(c, n, "a number from %" PRIu64 " to %" PRIu64
		    "%s%s", k->min, k->max, n->plain ? "" : " without quotes",
		    or_off);
	else
		*dst = v;
}

void
cfg_duration(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	duration_get(c, n, k, "", dst);
}

void
cfg_duration_off(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	if (n->kind == YNODE_SCALAR && strcmp(n->text, "off") == 0)
		*(uint64_t *)dst = 0;
	else
		duration_get(c, n, k, ", or off", dst);
}

void
cfg_size(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	enum quantity_error	 error;
	char			 min[QUANTITY_STRLEN], max[QUANTITY_STRLEN];
	const char		*s;
	uint64_t		 v;

	if ((s = cfg_scalar(c, n, "a size such as 16KiB or 4MiB")) == NULL)
		return;
	error = size_parse(s, &v);
	if (error == QUANTITY_FORM)
		cfg_expected(c, n, "a size such as 16KiB, 4MiB, 1GiB or a "
		    "number of bytes");
	else if (error != QUANTITY_OK || v < k->min || v > k->max)
		cfg_expected(c, n, "a size from %s to %s",
		    size_format(k->min, min), size_format(k->max, max));
	else
		*(uint64_t *)dst = v;
}

void
cfg_text(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	if ((s = cfg_scalar(c, n, "a string")) == NULL)
		return;
	if (*s == '\0')
		cfg_expected(c, n, "a string that is not empty");
	else if (strlen(s) > k->max)
		cfg_expected(c, n, "at most %" PRIu64 " bytes", k->max);
	else if (!text_ok(s))
		cfg_expected(c, n, "a string without control characters");
	else
		cfg_copy(c, dst, s);
}

void
cfg_name(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of an upstream")) == NULL)
		return;
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_-");
	if (len == 0 || len > NAME_MAX_LEN || s[len] != '\0')
		cfg_expected(c, n, "a name of 1 to %d letters, digits, _ "
		    "and -", NAME_MAX_LEN);
	else
		cfg_copy(c, dst, s);
}

void
cfg_path(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "an absolute path")) == NULL ||
	    !path_ok(c, n, s))
		return;
	if (*s != '/' || s[strlen(s) - 1] == '/')
		cfg_expected(c, n, "an absolute path of a file");
	else
		cfg_copy(c, dst, s);
}

void
cfg_path_off(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	if ((s = cfg_scalar(c, n, "an absolute path, or off")) == NULL)
		return;
	if (strcmp(s, "off") == 0)
		cfg_copy(c, dst, "");
	else
		cfg_path(c, n, k, dst);
}

/* A relative path counts from the configuration file's directory, wherever
 * the daemon was started. */
void
cfg_path_near(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s, *slash;
	char		*full;

	(void)k;
	if ((s = cfg_scalar(c, n, "the path of a file")) == NULL ||
	    !path_ok(c, n, s))
		return;
	slash = strrchr(c->name, '/');
	if (*s == '/' || slash == NULL)
		cfg_copy(c, dst, s);
	else if (asprintf(&full, "%.*s/%s", (int)(slash - c->name), c->name,
	    s) == -1)
		cfg_nomem(c);
	else
		*(char **)dst = full;
}

void
cfg_user(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of a user")) == NULL)
		return;
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_.-");
	if (len == 0 || len > USER_MAX_LEN || s[len] != '\0' || *s == '-' ||
	    *s == '.' || strspn(s, "0123456789") == len)
		cfg_expected(c, n, "the name of a user");
	else if (strcmp(s, "root") == 0)
		cfg_expected(c, n, "a user with no rights of its own");
	else
		cfg_copy(c, dst, s);
}

void
cfg_on_failure(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "deny or allow")) == NULL)
		return;
	if (strcmp(s, "deny") == 0)
		*(int *)dst = 0;
	else if (strcmp(s, "allow") == 0)
		*(int *)dst = 1;
	else
		cfg_expected(c, n, "deny or allow");
}

void
cfg_log_format(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "text or json")) == NULL)
		return;
	if (strcmp(s, "text") == 0)
		*(int *)dst = 0;
	else if (strcmp(s, "json") == 0)
		*(int *)dst = 1;
	else
		cfg_expected(c, n, "text or json");
}

void
cfg_log_level(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	static const char	 levels[] = "error, warning, info or debug";
	const char		*s;
	int			 pri;

	(void)k;
	if ((s = cfg_scalar(c, n, levels)) == NULL)
		return;
	if ((pri = log_level_parse(s)) == -1)
		cfg_expected(c, n, "%s", levels);
	else
		*(uint32_t *)dst = (uint32_t)pri;
}

void
cfg_identity(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	static const char *const names[CONF_IDENTITY_MAX] = {
		[CONF_IDENTITY_FULL] = "full",
		[CONF_IDENTITY_HASHED] = "hashed",
		[CONF_IDENTITY_NONE] = "none"
	};
	const char	*s;
	uint32_t	 i;

	(void)k;
	if ((s = cfg_scalar(c, n, "full, hashed or none")) == NULL)
		return;
	for (i = 0; i < CONF_IDENTITY_MAX; i++)
		if (strcmp(s, names[i]) == 0) {
			*(uint32_t *)dst = i;
			return;
		}
	cfg_expected(c, n, "full, hashed or none");
}

void
cfg_revisions(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const struct ynode	*item;
	const char		*s;
	uint32_t		 bits = 0;
	size_t			 i;

	(void)k;
	if (cfg_list(c, n, CONF_LIST_MAX, "a list of revisions of MCP") == 0) {
		if (ynode_isnull(n) || n->kind == YNODE_LIST)
			cfg_expected(c, n, "at least one revision of MCP");
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if ((s = cfg_scalar(c, item, "a revision of MCP")) == NULL)
			continue;
		for (i = 0; i < CONF_REVISIONS; i++)
			if (strcmp(s, conf_revisions[i]) == 0)
				break;
		if (i < CONF_REVISIONS)
			bits |= 1U << i;
		else
			cfg_expected(c, item, "2025-03-26, 2025-06-18, "
			    "2025-11-25 or 2026-07-28");
	}
	if (bits != 0)
		*(uint32_t *)dst = bits;
}

/* RFC 6749, section 3.3: scope-token. */
void
cfg_scopes(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_oauth	*o = dst;
	const struct ynode	*item;
	const char		*s;
	size_t			 total;

	(void)k;
	total = cfg_list(c, n, CONF_LIST_MAX, "a list of scopes");
	if (total == 0)
		return;
	if ((o->scopes = calloc(total, sizeof(*o->scopes))) == NULL) {
		cfg_nomem(c);
		return;
	}
	total = 0;
	for (item = n->first; item != NULL; item = item->next) {
		if ((s = cfg_scalar(c, item, "a scope")) == NULL)
			continue;
		if (!scope_ok(s)) {
			cfg_expected(c, item, "a scope: 1 to %d visible ASCII "
			    "characters, no space, \" or \\", CFG_SCOPE_MAX);
			continue;
		}
		total += strlen(s) + 1;
		if (!scope_repeated(c, item))
			cfg_copy(c, &o->scopes[o->nscopes++], s);
	}
	if (total > CFG_SCOPES_MAX)
		cfg_expected(c, n, "at most %d bytes of scopes in all",
		    CFG_SCOPES_MAX);
}

int
cfg_field_ok(const char *s)
{
	size_t	 len;

	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-");
	return (len > 0 && len <= CFG_FIELD_MAX && s[len] == '\0');
}

const char *
cfg_scalar(struct cfg *c, const struct ynode *n, const char *what)
{
	if (n->kind == YNODE_BAD)
		return (NULL);
	if (n->kind == YNODE_SCALAR && !ynode_isnull(n))
		return (n->text);
	cfg_expected(c, n, "%s", what);
	return (NULL);
}

size_t
cfg_list(struct cfg *c, const struct ynode *n, size_t max, const char *what)
{
	if (ynode_isnull(n))
		return (0);
	if (n->kind != YNODE_LIST)
		cfg_expected(c, n, "%s", what);
	else if (n->nchildren > max)
		cfg_error(c, n, "expected at most %zu entries, got %zu", max,
		    n->nchildren);
	else
		return (n->nchildren);
	return (0);
}

void
cfg_copy(struct cfg *c, char **dst, const char *s)
{
	if ((*dst = strdup(s)) == NULL)
		cfg_nomem(c);
}

static int
scope_ok(const char *s)
{
	size_t	 len;

	for (len = 0; s[len] != '\0'; len++)
		if (s[len] < 0x21 || s[len] > 0x7e || s[len] == '"' ||
		    s[len] == '\\')
			return (0);
	return (len > 0 && len <= CFG_SCOPE_MAX);
}

static int
scope_repeated(struct cfg *c, const struct ynode *n)
{
	const struct ynode	*item;

	for (item = n->parent->first; item != n; item = item->next)
		if (item->kind == YNODE_SCALAR &&
		    strcmp(item->text, n->text) == 0) {
			cfg_error(c, n, "listed twice; first at line %u",
			    item->line);
			return (1);
		}
	return (0);
}

static int
text_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return (0);
	return (1);
}

static int
path_ok(struct cfg *c, const struct ynode *n, const char *s)
{
	if (*s != '\0' && strlen(s) < PATH_MAX && text_ok(s))
		return (1);
	cfg_expected(c, n, "a path of 1 to %d bytes without control "
	    "characters", PATH_MAX - 1);
	return (0);
}

static void
duration_get(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    const char *extra, uint64_t *dst)
{
	enum quantity_error	 error;
	char			 min[QUANTITY_STRLEN], max[QUANTITY_STRLEN];
	const char		*s;
	uint64_t		 v;

	if ((s = cfg_scalar(c, n, "a duration such as 30s or 5m")) == NULL)
		return;
	error = duration_parse(s, &v);
	if (error == QUANTITY_NO_UNIT)
		cfg_expected(c, n, "a duration with its unit (ms, s, m or "
		    "h), such as 30s%s", extra);
	else if (error == QUANTITY_FORM)
		cfg_expected(c, n, "a duration such as 300ms, 30s, 5m or "
		    "2h%s", extra);
	else if (error != QUANTITY_OK || v < k->min || v > k->max)
		cfg_expected(c, n, "a duration from %s to %s%s",
		    k->min == 0 ? "0s" : duration_format(k->min, min),
		    duration_format(k->max, max), extra);
	else
		*dst = v;
}
