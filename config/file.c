/*
 * The files of the configuration.  The master reads them as root, on SIGHUP
 * in the middle of its work, so nothing here may block or grow.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/cfg.h"

#define PEM_BEGIN	"-----BEGIN CERTIFICATE-----"
#define PEM_END		"-----END CERTIFICATE-----"

static const char	*open_to_all(const char *, const struct stat *,
			    enum cfg_secrecy);
static char		*read_all(int, size_t, size_t *, const char **);
static const char	*pem_body(const char *, const char *);

char *
cfg_file_read(const char *path, enum cfg_secrecy secrecy, size_t max,
    size_t *len, const char **reason)
{
	struct stat	 st;
	char		*text;
	int		 fd;

	*reason = NULL;
	/* O_NONBLOCK: a FIFO must not hold us up before fstat() sees it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1) {
		*reason = strerror(errno);
		return (NULL);
	}
	text = NULL;
	if (fstat(fd, &st) == -1)
		*reason = strerror(errno);
	else if (S_ISDIR(st.st_mode))
		*reason = "it is a directory";
	else if (!S_ISREG(st.st_mode))
		*reason = "it is not a regular file";
	else if ((*reason = open_to_all(path, &st, secrecy)) == NULL)
		text = read_all(fd, max, len, reason);
	(void)close(fd);
	return (text);
}

const char *
cfg_file_shown(const char *path)
{
	struct stat	 st;

	return (stat(path, &st) == -1 ? strerror(errno) :
	    open_to_all(path, &st, CFG_SECRET));
}

/* NULL, or what to do about it.  Groups are the operator's affair: some are
 * there to share just this. */
static const char *
open_to_all(const char *path, const struct stat *st, enum cfg_secrecy secrecy)
{
	static char	 text[512];
	char		 quoted[300];

	cfg_quote(path, quoted, sizeof(quoted));
	if ((st->st_mode & S_IWOTH) != 0)
		(void)snprintf(text, sizeof(text), "everybody may write to "
		    "it; run: chmod %s %s",
		    secrecy == CFG_SECRET ? "o=" : "o-w", quoted);
	else if (secrecy == CFG_SECRET && (st->st_mode & S_IROTH) != 0)
		(void)snprintf(text, sizeof(text), "everybody may read it, "
		    "and it holds a secret; run: chmod o= %s", quoted);
	else
		return (NULL);
	return (text);
}

/* The master has no TLS library to ask, so this looks at the form alone:
 * base64 of something that begins as a certificate does. */
const char *
cfg_ca_check(const char *text, size_t len)
{
	const char	*begin, *end, *reason;
	unsigned	 n;

	if (strlen(text) != len)
		return ("it has a NUL byte");
	/* It goes to a process that talks to the world. */
	if (strstr(text, "PRIVATE KEY-----") != NULL)
		return ("it holds a private key, which must not be there");
	n = 0;
	while ((begin = strstr(text, PEM_BEGIN)) != NULL) {
		begin += strlen(PEM_BEGIN);
		if ((end = strstr(begin, PEM_END)) == NULL)
			return ("a certificate has no end line");
		if ((reason = pem_body(begin, end)) != NULL)
			return (reason);
		text = end + strlen(PEM_END);
		n++;
	}
	return (n > 0 ? NULL : "it holds no certificate");
}

static char *
read_all(int fd, size_t max, size_t *len, const char **reason)
{
	char	*text;
	size_t	 got;
	ssize_t	 n;

	/* One byte more than allowed tells a file that is too large, one
	 * more ends the text. */
	if ((text = malloc(max + 2)) == NULL) {
		*reason = "out of memory";
		return (NULL);
	}
	got = 0;
	do {
		n = read(fd, text + got, max + 1 - got);
		if (n > 0)
			got += (size_t)n;
	} while (got <= max && (n > 0 || (n == -1 && errno == EINTR)));
	if (n == -1)
		*reason = strerror(errno);
	else if (got > max)
		*reason = "it is too large";
	else {
		text[got] = '\0';
		*len = got;
		return (text);
	}
	explicit_bzero(text, got);
	free(text);
	return (NULL);
}

static const char *
pem_body(const char *p, const char *end)
{
	static const char	 base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/";
	size_t			 n, pad;

	n = pad = 0;
	for (; p < end; p++) {
		if (*p == '\n' || *p == '\r' || *p == ' ' || *p == '\t')
			continue;
		if (*p == '=')
			pad++;
		else if (pad > 0 || strchr(base64, *p) == NULL)
			return ("a certificate is not base64");
		/* 'M' is how an ASN.1 SEQUENCE of any length begins. */
		else if (n++ == 0 && *p != 'M')
			return ("a certificate does not begin as one");
	}
	if (n < 64 || pad > 2 || (n + pad) % 4 != 0)
		return ("a certificate is cut short");
	return (NULL);
}
