/*
 * What mcpgwctl can be told: the commands, how they are used, and what it
 * says about them.  The table is in main.c.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <stddef.h>

struct command {
	const char	*group;
	const char	*verb;		/* NULL: the group is the command */
	int		 json;		/* it knows --json */
	int		 (*run)(int, char *[]);	/* as for getopt(3); gives
					 * the exit code */
	const char	*usage;		/* from the group on */
	const char	*help;		/* one line, no full stop */
	const char	*options;	/* lines for --help, or NULL */
};

/* The command that the words begin with, and how many of them name it; NULL
 * when there is none. */
const struct command *command_find(const struct command *, size_t n,
	    char *const words[], size_t *used);

/* All of them, those of one group, or one; to standard output. */
void	command_help_all(const struct command *, size_t n);
/* -1 when there is no such group. */
int	command_help_group(const struct command *, size_t n,
	    const char *group);
void	command_help(const struct command *);

/* Say how to do it to standard error: words name no command, or there are
 * none.  Exits with CTL_USAGE. */
void	command_unknown(const struct command *, size_t n,
	    char *const words[]) __attribute__((noreturn));

#endif
