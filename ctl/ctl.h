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

/* Exit codes of every command. */
#define CTL_OK		0
#define CTL_FAILED	1
#define CTL_USAGE	2

/* "usage: mcpgwctl" and text to standard error; exits with CTL_USAGE. */
void	 ctl_usage(const char *text) __attribute__((noreturn));

/* The configuration, to config_free(); NULL after telling its errors. */
struct config *ctl_config(const char *path);
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
