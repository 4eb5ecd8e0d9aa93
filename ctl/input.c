/*
 * Reading secrets.
 */
#include <bsd/readpassphrase.h>
#include <err.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/input.h"

static ssize_t	 read_all(char *, size_t);

int
input_secret(const char *prompt, char *buf, size_t size, size_t *len)
{
	ssize_t	 n;

	if (isatty(STDIN_FILENO)) {
		if (readpassphrase(prompt, buf, size,
		    RPP_ECHO_OFF | RPP_REQUIRE_TTY) == NULL) {
			warn("terminal");
			return (-1);
		}
		*len = strlen(buf);
		return (0);
	}
	if ((n = read_all(buf, size)) == -1) {
		warn("standard input");
		return (-1);
	}
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if (n > 0 && buf[n - 1] == '\r')
		n--;
	*len = (size_t)n;
	return (0);
}

/* By read(2): no buffer of stdio's is to keep a copy. */
static ssize_t
read_all(char *buf, size_t size)
{
	size_t	 got = 0;
	ssize_t	 n;

	while (got < size) {
		n = read(STDIN_FILENO, buf + got, size - got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return ((ssize_t)got);
}
