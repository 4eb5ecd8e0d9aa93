/*
 * What the tests of the configuration share: texts to begin with, and the
 * errors of the last reading.
 */
#ifndef REGRESS_CONFIG_HELPER_H
#define REGRESS_CONFIG_HELPER_H

#define UP	"upstreams: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n"
#define OAUTH	UP "auth:\n enabled: true\n oauth:\n  enabled: true\n" \
		"  issuer: https://i/\n  audience: x\n" \
		"  jwks_url: https://i/k\n"

struct told {
	size_t	 count;
	size_t	 len;
	char	 text[65536];	/* one error a line */
};

static struct told	 told;

static inline void
tell(void *arg, const char *text)
{
	struct told	*t = arg;

	t->count++;
	t->len += (size_t)snprintf(t->text + t->len,
	    sizeof(t->text) - t->len, "%s\n", text);
	assert_true(t->len < sizeof(t->text));
}

static inline struct config *
parse(const char *text)
{
	memset(&told, 0, sizeof(told));
	return (config_parse("f", text, strlen(text), tell, &told));
}

static inline struct config *
parse_good(const char *text)
{
	struct config	*conf;

	if ((conf = parse(text)) == NULL)
		fail_msg("refused: %s\n%s", text, told.text);
	assert_int_equal(told.count, 0);
	return (conf);
}

/* The file has these errors and no others. */
static inline void
parse_bad(const char *text, const char *errors)
{
	struct config	*conf;

	if ((conf = parse(text)) != NULL) {
		config_free(conf);
		fail_msg("accepted: %s", text);
	}
	if (strcmp(told.text, errors) != 0)
		fail_msg("for:\n%sexpected:\n%sgot:\n%s", text, errors,
		    told.text);
}

#endif
