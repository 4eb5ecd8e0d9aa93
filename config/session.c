/*
 * The secret by which sessions are bound to identities: from a file, from the
 * configuration, or made once by this process and kept across reloads.
 */
#include <sys/random.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "config/cfg.h"

#define SECRET_MIN	32	/* characters */
#define SECRET_MAX	4096

static const char *secret_check(const char *, size_t);
static void	 secret_digest(struct cfg *, const char *, size_t,
		    uint8_t[CONF_SECRET_LEN]);
static void	 secret_made(struct config *);

void
cfg_secret(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s, *why;

	(void)k;
	if ((s = cfg_scalar(c, n, "a secret")) == NULL)
		return;
	if ((why = secret_check(s, strlen(s))) != NULL)
		cfg_error(c, n, "expected a secret of %d to %d characters "
		    "(%s)", SECRET_MIN, SECRET_MAX, why);
	else
		cfg_copy(c, dst, s);
}

static const char *
secret_check(const char *s, size_t len)
{
	if (len < SECRET_MIN)
		return ("it is too short");
	if (len > SECRET_MAX)
		return ("it is too long");
	/* what somebody wrote instead of a secret */
	if (memcmp(s, s + 1, len - 1) == 0)
		return ("it is one character over and over");
	return (NULL);
}

void
cfg_check_session(struct cfg *c)
{
	struct config		*conf = c->conf;
	const struct ynode	*n = cfg_node(c, "session.secret_file");

	if (n != NULL && cfg_node(c, "session.secret") != NULL)
		cfg_error(c, n, "expected secret or secret_file, not both");
	else if (conf->session_secret != NULL)
		secret_digest(c, conf->session_secret,
		    strlen(conf->session_secret), conf->w.session_secret);
	else if (conf->session_secret_file != NULL)
		cfg_secret_file(c, "session.secret_file",
		    conf->session_secret_file, conf->w.session_secret);
	else
		secret_made(conf);
	conf->w.session_secret_set = conf->session_secret != NULL ||
	    conf->session_secret_file != NULL;
	/* another for each generation, whatever the file says */
	if (getrandom(conf->w.ticket_secret, CONF_SECRET_LEN, 0) !=
	    CONF_SECRET_LEN)
		fatal("getrandom");
}

void
cfg_secret_file(struct cfg *c, const char *key, const char *path,
    uint8_t digest[CONF_SECRET_LEN])
{
	const char	*why;
	char		*text, quoted[300];
	size_t		 len = 0, whole = 0;

	if (!c->files)
		return;
	if ((text = cfg_file_read(path, CFG_SECRET, SECRET_MAX + 2, &len,
	    &why)) != NULL) {
		whole = len;
		/* the line break that editors leave */
		while (len > 0 && (text[len - 1] == '\n' ||
		    text[len - 1] == '\r'))
			len--;
		why = secret_check(text, len);
	}
	if (why != NULL)
		cfg_error(c, cfg_node(c, key), "expected a file with a secret "
		    "of %d to %d bytes, got %s: %s", SECRET_MIN, SECRET_MAX,
		    cfg_quote(path, quoted, sizeof(quoted)), why);
	else
		secret_digest(c, text, len, digest);
	if (text != NULL)
		freezero(text, whole);
}

static void
secret_digest(struct cfg *c, const char *s, size_t len,
    uint8_t digest[CONF_SECRET_LEN])
{
	size_t	 n = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, s, len,
	    digest, &n) != 1 || n != CONF_SECRET_LEN)
		cfg_nomem(c);
}

static void
secret_made(struct config *conf)
{
	static uint8_t	 made[CONF_SECRET_LEN];
	static int	 done;

	if (!done && getrandom(made, sizeof(made), 0) != sizeof(made))
		fatal("getrandom");
	done = 1;
	memcpy(conf->w.session_secret, made, sizeof(made));
}
