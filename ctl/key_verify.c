/*
 * Which of the configured keys is this one?  Judged as the gateway would:
 * the same candidates in the same order, the same hash.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/api_key.h"
#include "common/argon2id.h"
#include "common/jwt_form.h"
#include "common/rfc3339.h"
#include "common/scopes.h"
#include "ctl/ctl.h"
#include "ctl/input.h"
#include "ctl/key_list.h"
#include "ctl/key_verify.h"

/* A key, what ends its line, a byte more that tells of a longer one, NUL. */
#define INPUT_MAX	(API_KEY_MAX + 4)

static int	 check_input(const char *, size_t);
static int	 verify(const char *, const char *, size_t);
static ssize_t	 match(const struct config *, const char *, size_t);
static int	 candidate(const struct config *, size_t, const char *);
static int	 prefix_known(const struct config *, const char *);
static int	 report(const struct config *, size_t);
static void	 show(const struct conf_key *, int64_t, int);
static void	 warn_shape(const struct config *, const char *, size_t);
static void	 warn_scopes(const struct config *, const char *);

int
key_verify(int argc, char *argv[])
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ NULL, 0, NULL, 0 }
	};
	char				 raw[INPUT_MAX];
	size_t				 len;
	int				 ch, code = CTL_FAILED;

	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (ctl_option(ch) == -1)
			ctl_usage(KEY_VERIFY_USAGE);
	/* a key among the arguments is known to all by now; its user should
	 * hear of it, but nothing here may repeat it */
	if (argc != optind) {
		warnx("the key is read from standard input, not from the "
		    "arguments, where others see it");
		ctl_usage(KEY_VERIFY_USAGE);
	}
	if (input_secret("Key: ", raw, sizeof(raw), &len) == 0 &&
	    check_input(raw, len) == 0)
		code = verify(ctl_options.path, raw, len);
	explicit_bzero(raw, sizeof(raw));
	ctl_wipe_stack();
	return (code);
}

/* What no client could send as a key. */
static int
check_input(const char *raw, size_t len)
{
	size_t	 i;

	if (len == 0) {
		warnx("no key on standard input");
		return (-1);
	}
	if (len > API_KEY_MAX) {
		warnx("no key is longer than %d bytes", API_KEY_MAX);
		return (-1);
	}
	for (i = 0; i < len; i++)
		if (raw[i] <= ' ' || raw[i] > '~') {
			warnx("expected one key on one line, without spaces "
			    "or control characters");
			return (-1);
		}
	return (0);
}

static int
verify(const char *path, const char *raw, size_t len)
{
	struct config	*conf;
	char		 prefix[API_KEY_PREFIX_LEN + 1];
	ssize_t		 i;
	int		 code = CTL_FAILED;

	if (api_key_form(raw, len, prefix) == API_KEY_BAD) {
		warnx("bad checksum: this begins as a key of mcpgw but is "
		    "mistyped, cut off or made up");
		return (CTL_FAILED);
	}
	if ((conf = ctl_config(path)) == NULL)
		return (CTL_FAILED);
	i = match(conf, raw, len);
	argon2id_rest();
	if (i >= 0) {
		code = report(conf, (size_t)i);
		warn_shape(conf, raw, len);
	} else if (i == -1)
		warnx("wrong: no key in %s is this one", path);
	config_free(conf);
	return (code);
}

/* The key's index; -1 none, -2 after telling that nobody knows. */
static ssize_t
match(const struct config *conf, const char *raw, size_t len)
{
	char	 prefix[API_KEY_PREFIX_LEN + 1] = "";
	size_t	 i;
	int	 r;

	/* one of ours whose prefix is not there may be listed without */
	if (api_key_form(raw, len, prefix) != API_KEY_OURS ||
	    !prefix_known(conf, prefix))
		prefix[0] = '\0';
	for (i = 0; i < conf->k.nkeys; i++) {
		if (!candidate(conf, i, prefix))
			continue;
		r = argon2id_matches(&conf->k.keys[i].hash,
		    (const uint8_t *)raw, len);
		if (r == 1)
			return ((ssize_t)i);
		if (r == -1) {
			warnx("the hash of %s cannot be computed: out of "
			    "memory", conf->w.keys[i].id);
			return (-2);
		}
	}
	return (-1);
}

static int
candidate(const struct config *conf, size_t i, const char *prefix)
{
	return (strcmp(conf->k.keys[i].prefix, prefix) == 0);
}

static int
prefix_known(const struct config *conf, const char *prefix)
{
	size_t	 i;

	for (i = 0; i < conf->k.nkeys; i++)
		if (candidate(conf, i, prefix))
			return (1);
	return (0);
}

static int
report(const struct config *conf, size_t i)
{
	const struct conf_key	*key = &conf->w.keys[i];
	int64_t			 now = ctl_now();
	int			 dead;

	dead = key->expires != 0 && key->expires <= now;
	if (ctl_options.json)
		key_json(conf, i, now);
	else
		show(key, now, dead);
	if (ctl_flush() == -1)
		return (CTL_FAILED);
	if (dead) {
		warnx("expired: the gateway refuses this key");
		return (CTL_FAILED);
	}
	warn_scopes(conf, key->scopes);
	return (CTL_OK);
}

static void
show(const struct conf_key *key, int64_t now, int dead)
{
	char	 state[CTL_STATE_LEN], t[RFC3339_STRLEN];

	(void)ctl_state(key->expires, now, state);
	printf("id: %s\n", key->id);
	printf("scopes: %s\n", *key->scopes == '\0' ? "none" : key->scopes);
	if (key->expires == 0)
		printf("expires: never\n");
	else
		printf("expires: %s%s%s%s\n", rfc3339_format(key->expires, t),
		    *state == 'i' ? " (" : "", *state == 'i' ? state : "",
		    *state == 'i' ? ")" : "");
	printf("state: %s\n", dead ? "expired" : "valid");
}

/* The key is right, and yet may be of no use. */
static void
warn_shape(const struct config *conf, const char *raw, size_t len)
{
	if (conf->w.oauth.enabled && jwt_form_is((struct slice){ raw, len }))
		warnx("note: the key has the shape of a JWT: with OAuth "
		    "enabled the gateway takes it for a token, and refuses "
		    "it");
}

static void
warn_scopes(const struct config *conf, const char *scopes)
{
	const struct conf_oauth	*o = &conf->w.oauth;
	size_t			 i;

	if (!conf->w.auth_enabled)
		warnx("note: authentication is off, all keys are let in");
	if (!conf->w.auth_enabled ||
	    scopes_has(slice_of(scopes), slice_of("*")))
		return;
	for (i = 0; i < o->nscopes; i++)
		if (!scopes_has(slice_of(scopes), slice_of(o->scopes[i])))
			warnx("note: the gateway refuses this key for want "
			    "of the required scope %s", o->scopes[i]);
}

