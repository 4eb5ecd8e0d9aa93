/*
 * A new key: the secret goes to standard output and nowhere else, the entry
 * that lets it in behind it.  Everything that is said about them goes to
 * standard error, so that the output can be taken apart by programs.
 */
#include <sys/random.h>

#include <ctype.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/api_key.h"
#include "common/argon2id.h"
#include "common/phc.h"
#include "common/rfc3339.h"
#include "config/duration.h"
#include "ctl/ctl.h"
#include "ctl/key_generate.h"

/* What RFC 9106, section 4, and the manual recommend. */
#define HASH_MEMORY	65536	/* KiB */
#define HASH_PASSES	3
#define HASH_LANES	2
#define HASH_SALT	16
#define HASH_LEN	32

#define SCOPE_MAX	256	/* as the configuration takes them */
#define SCOPES_MAX	4000
#define LAST_SECOND	253402300799LL	/* of the year 9999 */

static int	 options(int, char *[], struct conf_key *);
static int	 expiry(const char *, struct conf_key *);
static int	 scope_ok(const char *, size_t);
static int	 scope_given(const char *, const char *, size_t);
static size_t	 put_text(const struct conf_key *, const char *, const char *,
		    const char *, char *);
static size_t	 put_json(const struct conf_key *, const char *, const char *,
		    const char *, char *, size_t);
static int	 make_hash(const char *, char[PHC_STRLEN]);
static int	 issue(const struct conf_key *);
static void	 explain(const struct conf_key *);
static int	 needs_quotes(const char *);
static void	 entry_scopes(FILE *, const char *);
static void	 put_scopes(FILE *, const char *);

int
key_generate(int argc, char *argv[])
{
	struct conf_key	 key;
	int		 code;

	memset(&key, 0, sizeof(key));
	if (options(argc, argv, &key) == -1)
		code = CTL_USAGE;
	else {
		code = issue(&key) == 0 ? CTL_OK : CTL_FAILED;
		ctl_wipe_stack();
		if (code == CTL_OK)
			explain(&key);
	}
	free(key.scopes);
	return (code);
}

static int
options(int argc, char *argv[], struct conf_key *key)
{
	static const struct option	 longopts[] = {
		{ "label", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "expires", required_argument, NULL, 'e' },
		{ "scopes", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	const char			*time = NULL, *scopes = "";
	int				 ch;

	while ((ch = getopt_long(argc, argv, "e:jl:s:", longopts, NULL)) != -1)
		switch (ch) {
		case 'e':
			time = optarg;
			break;
		case 'l':
			key->id = optarg;
			break;
		case 'j':
			ctl_options.json = 1;
			break;
		case 's':
			scopes = optarg;
			break;
		default:
			ctl_usage(KEY_GENERATE_USAGE);
		}
	if (argc != optind || key->id == NULL)
		ctl_usage(KEY_GENERATE_USAGE);
	if (!config_key_id_ok(key->id)) {
		warnx("--label: expected 1 to 64 letters, digits and ._@-, "
		    "a letter or digit first");
		return (-1);
	}
	key->created = ctl_now();
	if (time != NULL && expiry(time, key) == -1)
		return (-1);
	return ((key->scopes = key_scopes(scopes)) == NULL ? -1 : 0);
}

static int
expiry(const char *s, struct conf_key *key)
{
	uint64_t	 ms;

	if (duration_parse(s, &ms) != QUANTITY_OK || ms < 1000) {
		warnx("--expires: expected a whole number and one of ms, s, "
		    "m, h, at least 1s, such as 2160h");
		return (-1);
	}
	if (ms / 1000 > (uint64_t)(LAST_SECOND - key->created)) {
		warnx("--expires: that is after the year 9999; leave it out "
		    "for a key that does not expire");
		return (-1);
	}
	key->expires = key->created + (int64_t)(ms / 1000);
	return (0);
}

char *
key_scopes(const char *list)
{
	static const char	 sep[] = ", ";
	char			*out;
	size_t			 len;

	if ((out = calloc(1, strlen(list) + 1)) == NULL)
		err(CTL_FAILED, NULL);
	for (list += strspn(list, sep); *list != '\0';
	    list += len, list += strspn(list, sep)) {
		len = strcspn(list, sep);
		if (!scope_ok(list, len))
			warnx("--scopes: expected scopes of 1 to %d visible "
			    "ASCII characters, none of them \" or \\",
			    SCOPE_MAX);
		else if (scope_given(out, list, len))
			warnx("--scopes: %.*s is there twice", (int)len,
			    list);
		else if (strlen(out) + len + 1 > SCOPES_MAX)
			warnx("--scopes: expected at most %d bytes in all",
			    SCOPES_MAX);
		else {
			if (*out != '\0')
				strcat(out, " ");
			strncat(out, list, len);
			continue;
		}
		free(out);
		return (NULL);
	}
	return (out);
}

static int
scope_ok(const char *s, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\')
			return (0);
	return (len > 0 && len <= SCOPE_MAX);
}

static int
scope_given(const char *joined, const char *s, size_t len)
{
	size_t	 n;

	for (; *joined != '\0'; joined += n, joined += *joined == ' ') {
		n = strcspn(joined, " ");
		if (n == len && memcmp(joined, s, len) == 0)
			return (1);
	}
	return (0);
}

/* Make the key, hash it, print both.  Every copy is wiped. */
static int
issue(const struct conf_key *key)
{
	char	 raw[API_KEY_LEN + 1], prefix[API_KEY_PREFIX_LEN + 1];
	char	 hash[PHC_STRLEN], out[API_KEY_LEN + 2 + KEY_ENTRY_MAX];
	size_t	 len = 0;
	int	 ret = -1;

	api_key_make(raw);
	if (api_key_form(raw, API_KEY_LEN, prefix) != API_KEY_OURS)
		errx(CTL_FAILED, "made a key that is none");
	if (make_hash(raw, hash) == -1)
		warnx("argon2id: cannot be computed; it needs %d MiB of "
		    "memory", HASH_MEMORY / 1024);
	else {
		len = ctl_options.json ?
		    put_json(key, raw, prefix, hash, out, sizeof(out)) :
		    put_text(key, raw, prefix, hash, out);
		if (len == 0)
			warnx("the entry is too large");
		else if ((ret = ctl_write(STDOUT_FILENO, out, len)) == -1)
			warn("standard output: not all of it was written; "
			    "throw away what was");
	}
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(out, sizeof(out));
	return (ret);
}

/* How long it is; 0: too long. */
static size_t
put_text(const struct conf_key *key, const char *raw, const char *prefix,
    const char *hash, char *out)
{
	size_t	 len;

	memcpy(out, raw, API_KEY_LEN);
	memcpy(out + API_KEY_LEN, "\n\n", 2);
	len = key_entry(key, prefix, hash, out + API_KEY_LEN + 2,
	    KEY_ENTRY_MAX);
	return (len == 0 ? 0 : API_KEY_LEN + 2 + len);
}

/* Nothing in it has to be escaped.  The key goes past stdio, which would keep
 * a copy. */
static size_t
put_json(const struct conf_key *key, const char *raw, const char *prefix,
    const char *hash, char *out, size_t size)
{
	static const char	 head[] = "{\"key\":\"";
	char			 t[RFC3339_STRLEN];
	size_t			 at = sizeof(head) - 1 + API_KEY_LEN;
	FILE			*f;
	long			 len;

	memcpy(out, head, sizeof(head) - 1);
	memcpy(out + sizeof(head) - 1, raw, API_KEY_LEN);
	if ((f = fmemopen(out + at, size - at, "w")) == NULL)
		return (0);
	fprintf(f, "\",\"entry\":{\"id\":\"%s\",\"prefix\":\"%s\","
	    "\"hash\":\"%s\",\"scopes\":[", key->id, prefix, hash);
	put_scopes(f, key->scopes);
	fprintf(f, "],\"created_at\":\"%s\",\"expires_at\":",
	    rfc3339_format(key->created, t));
	if (key->expires == 0)
		fprintf(f, "null}}\n");
	else
		fprintf(f, "\"%s\"}}\n", rfc3339_format(key->expires, t));
	len = fflush(f) == 0 && !ferror(f) ? ftell(f) : -1;
	if (fclose(f) != 0 || len <= 0 || (size_t)len >= size - at)
		return (0);
	return (at + (size_t)len);
}

static int
make_hash(const char *raw, char out[PHC_STRLEN])
{
	struct phc	 h;
	int		 ret;

	memset(&h, 0, sizeof(h));
	h.memory = HASH_MEMORY;
	h.passes = HASH_PASSES;
	h.lanes = HASH_LANES;
	h.salt_len = HASH_SALT;
	h.hash_len = HASH_LEN;
	if (getrandom(h.salt, HASH_SALT, 0) != HASH_SALT)
		err(CTL_FAILED, "getrandom");
	if ((ret = argon2id_make(&h, (const uint8_t *)raw, API_KEY_LEN)) == 0)
		phc_format(&h, out);
	argon2id_rest();
	explicit_bzero(&h, sizeof(h));
	return (ret);
}

size_t
key_entry(const struct conf_key *key, const char *prefix, const char *hash,
    char *buf, size_t size)
{
	const char	*q = needs_quotes(key->id) ? "\"" : "";
	char		 t[RFC3339_STRLEN];
	FILE		*f;
	long		 len;

	if ((f = fmemopen(buf, size, "w")) == NULL)
		return (0);
	fprintf(f, "    - id: %s%s%s\n", q, key->id, q);
	fprintf(f, "      prefix: \"%s\"\n", prefix);
	fprintf(f, "      hash: \"%s\"\n", hash);
	entry_scopes(f, key->scopes);
	fprintf(f, "      created_at: %s\n", rfc3339_format(key->created, t));
	if (key->expires != 0)
		fprintf(f, "      expires_at: %s\n",
		    rfc3339_format(key->expires, t));
	len = fflush(f) == 0 && !ferror(f) ? ftell(f) : -1;
	if (fclose(f) != 0 || len <= 0 || (size_t)len >= size)
		return (0);
	return ((size_t)len);
}

/* No scope holds what would have to be escaped between quotes. */
static void
entry_scopes(FILE *f, const char *scopes)
{
	fputs("      scopes: [", f);
	put_scopes(f, scopes);
	fputs("]\n", f);
}

/* Between quotes, with commas between them. */
static void
put_scopes(FILE *f, const char *scopes)
{
	const char	*sep = "";
	size_t		 n;

	for (; *scopes != '\0'; scopes += n, scopes += *scopes == ' ') {
		n = strcspn(scopes, " ");
		fprintf(f, "%s\"%.*s\"", sep, (int)n, scopes);
		sep = ", ";
	}
}

/* What some reader of YAML would take for a number, a date or a word of its
 * own. */
static int
needs_quotes(const char *id)
{
	static const char	*words[] = { "false", "n", "no", "null",
				    "off", "on", "true", "y", "yes" };
	size_t			 i;

	if (!isalpha((unsigned char)id[0]))
		return (1);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(id, words[i]) == 0)
			return (1);
	return (0);
}

static void
explain(const struct conf_key *key)
{
	char	 t[RFC3339_STRLEN];

	fprintf(stderr, "\n%s is the key.  It is shown once and stored "
	    "nowhere: give it to\nits user by a safe way.  The %s goes below "
	    "auth.keys in mcpgw.yaml, and a\nreload (mcpgwctl reload) puts "
	    "it in force.\n", ctl_options.json ? "\"key\"" :
	    "The first line", ctl_options.json ? "entry" : "rest");
	if (key->expires == 0)
		fprintf(stderr, "The key does not expire (--expires).\n");
	else
		fprintf(stderr, "The key expires at %s.\n",
		    rfc3339_format(key->expires, t));
	if (*key->scopes == '\0')
		fprintf(stderr, "The key has no scopes (--scopes): it is "
		    "refused where auth.oauth.required_scopes\nnames any.\n");
}
