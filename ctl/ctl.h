/*
 * What the commands of mcpgwctl share: reading the configuration, writing to
 * standard output so that nothing is lost silently, telling how a command is
 * used.  Used in ctl/ only.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define CTL_CONFIG	SYSCONFDIR "/mcpgw/mcpgw.yaml"

/* Exit codes of every command, as in sysexits(3). */
#define CTL_OK		0
#define CTL_FAILED	1	/* also: the answer is no */
#define CTL_USAGE	64
#define CTL_INTERNAL	70
#define CTL_IO		74
#define CTL_BAD_CONFIG	78

/* What may be said before the command and after it; main() takes the first,
 * a command the rest: its getopt_long(3) gets these beside its own, and gives
 * what it does not know itself to ctl_option(). */
struct ctl_options {
	const char	*path;		/* -f, or CTL_CONFIG */
	const char	*socket;	/* -s, or NULL */
	int		 json;
	int		 takes_json;	/* the command has such */
};

#define CTL_SHORTOPTS	"f:js:"
#define CTL_LONGOPTS \
	{ "file", required_argument, NULL, 'f' }, \
	{ "json", no_argument, NULL, 'j' }, \
	{ "socket", required_argument, NULL, 's' }

extern struct ctl_options ctl_options;

/* Takes what getopt_long(3) gave, or returns -1. */
int	 ctl_option(int ch);
/* For a command that takes no more than these, and no argument. */
void	 ctl_no_arguments(int argc, char *argv[], const char *usage);

/* "usage: mcpgwctl" and text to standard error; exits with CTL_USAGE. */
void	 ctl_usage(const char *text) __attribute__((noreturn));

/* The configuration, to config_free(); NULL after telling its errors. */
struct config *ctl_config(const char *path);
/* A word that came from outside, fit for a terminal: cut, and what is not
 * printable ASCII is "?".  Good until the next call. */
const char *ctl_shown(const char *);
/* Tells one error of the configuration; a config_error_cb. */
void	 ctl_complain(void *, const char *text);
/* The key of that id in auth.keys: its index, or -1. */
ssize_t	 ctl_find_key(const struct config *, const char *id);

/* Write all of it, unbuffered, and see it to the disk if it goes to a file.
 * 0, or -1 with errno. */
int	 ctl_write(int fd, const void *, size_t);
/* Is all that was printed really written?  0, or -1 after telling. */
int	 ctl_flush(void);

/* Wipe what functions that have returned left of secrets on the stack, such
 * as vector registers that the dynamic linker put there. */
void	 ctl_wipe_stack(void);

/* Seconds since the epoch. */
int64_t	 ctl_now(void);

#define CTL_STATE_LEN	64
/* "valid", "expired", or when it ends within 30 days "in N days" (or hours,
 * minutes); expires as in struct conf_key.  Returns buf. */
char	*ctl_state(int64_t expires, int64_t now, char buf[CTL_STATE_LEN]);

#endif
