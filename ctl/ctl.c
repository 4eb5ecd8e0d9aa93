/*
 * What the commands share.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define SHOWN_MAX	19	/* of a key no more than its prefix */
#define STACK_USED	65536
#define MINUTE		60
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)
#define SOON		(30 * DAY)

struct ctl_options	 ctl_options = { CTL_CONFIG, NULL, 0, 1 };

int
ctl_option(int ch)
{
	switch (ch) {
	case 'f':
		ctl_options.path = optarg;
		return (0);
	case 'j':
		if (!ctl_options.takes_json)
			warnx("this command does not print JSON");
		ctl_options.json = ctl_options.takes_json;
		return (ctl_options.json ? 0 : -1);
	case 's':
		ctl_options.socket = optarg;
		return (0);
	default:
		return (-1);
	}
}

void
ctl_no_arguments(int argc, char *argv[], const char *usage)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ NULL, 0, NULL, 0 }
	};
	int				 ch;

	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (ctl_option(ch) == -1)
			ctl_usage(usage);
	if (argc != optind)
		ctl_usage(usage);
}

void
ctl_usage(const char *text)
{
	fprintf(stderr, "usage: mcpgwctl %s\n", text);
	exit(CTL_USAGE);
}

struct config *
ctl_config(const char *path)
{
	return (config_load(path, ctl_complain, NULL));
}

const char *
ctl_shown(const char *s)
{
	static char	 buf[SHOWN_MAX + 4];
	size_t		 n;

	for (n = 0; n < SHOWN_MAX && s[n] != '\0'; n++)
		buf[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
	(void)strlcpy(buf + n, s[n] != '\0' ? "..." : "", sizeof(buf) - n);
	return (buf);
}

void
ctl_complain(void *arg, const char *text)
{
	(void)arg;
	warnx("%s", text);
}

ssize_t
ctl_find_key(const struct config *conf, const char *id)
{
	size_t	 i;

	for (i = 0; i < conf->w.nkeys; i++)
		if (strcmp(conf->w.keys[i].id, id) == 0)
			return ((ssize_t)i);
	return (-1);
}

int
ctl_write(int fd, const void *data, size_t len)
{
	const char	*p = data;
	struct stat	 st;
	ssize_t		 n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return (-1);
		}
		p += n;
		len -= (size_t)n;
	}
	if (fstat(fd, &st) == -1)
		return (-1);
	/* some file systems find out late that they are full */
	if (S_ISREG(st.st_mode) && fsync(fd) == -1)
		return (-1);
	return (0);
}

int
ctl_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return (0);
	warn("standard output");
	return (-1);
}

__attribute__((noinline)) void
ctl_wipe_stack(void)
{
	char	 below[STACK_USED];

	explicit_bzero(below, sizeof(below));
}

int64_t
ctl_now(void)
{
	return ((int64_t)time(NULL));
}

char *
ctl_state(int64_t expires, int64_t now, char buf[CTL_STATE_LEN])
{
	int64_t		 left = expires - now, n;
	const char	*unit;

	if (expires == 0 || left > SOON) {
		(void)snprintf(buf, CTL_STATE_LEN, "valid");
		return (buf);
	}
	if (left <= 0) {
		(void)snprintf(buf, CTL_STATE_LEN, "expired");
		return (buf);
	}
	if (left >= DAY) {
		n = left / DAY;
		unit = "day";
	} else if (left >= HOUR) {
		n = left / HOUR;
		unit = "hour";
	} else {
		n = left / MINUTE;
		unit = "minute";
	}
	(void)snprintf(buf, CTL_STATE_LEN, "in %" PRId64 " %s%s", n, unit,
	    n == 1 ? "" : "s");
	return (buf);
}
