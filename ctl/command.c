/*
 * Finding a command and telling of it.
 */
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/spelling.h"
#include "ctl/command.h"
#include "ctl/ctl.h"

#define NAME_WIDTH	16

static const char	 options[] =
"Before or after the command:\n"
"  -f, --file file      the configuration, " CTL_CONFIG " by default\n"
"  -s, --socket path    the gateway's control socket, else the\n"
"                       configuration's control.socket\n"
"  -j, --json           print JSON\n"
"  -h, --help           say this, or how a command is used\n"
"  -V, --version        print the version\n";

static int	 is_named(const struct command *, const char *, const char *);
static void	 line(const struct command *);
static int	 has_group(const struct command *, size_t, const char *);
static const char *meant(const struct command *, size_t, const char *,
		    const char *);

const struct command *
command_find(const struct command *c, size_t n, char *const words[],
    size_t *used)
{
	size_t	 i;

	for (i = 0; words[0] != NULL && i < n; i++)
		if (is_named(&c[i], words[0], words[1])) {
			*used = c[i].verb == NULL ? 1 : 2;
			return (&c[i]);
		}
	return (NULL);
}

/* verb may be NULL. */
static int
is_named(const struct command *c, const char *group, const char *verb)
{
	if (strcmp(c->group, group) != 0)
		return (0);
	return (c->verb == NULL ||
	    (verb != NULL && strcmp(c->verb, verb) == 0));
}

void
command_help_all(const struct command *c, size_t n)
{
	size_t	 i;

	printf("usage: mcpgwctl [-f file] [-s socket] [--json] command "
	    "[argument ...]\n\n");
	for (i = 0; i < n; i++)
		line(&c[i]);
	printf("  %-*s %s\n\n%s", NAME_WIDTH, "help", "say this, or with "
	    "the words of a command how it is used", options);
}

static void
line(const struct command *c)
{
	char	 name[64];

	(void)snprintf(name, sizeof(name), "%s%s%s", c->group,
	    c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "");
	printf("  %-*s %s\n", NAME_WIDTH, name, c->help);
}

int
command_help_group(const struct command *c, size_t n, const char *group)
{
	size_t	 i;

	if (!has_group(c, n, group))
		return (-1);
	printf("usage: mcpgwctl %s verb [argument ...]\n\n", group);
	for (i = 0; i < n; i++)
		if (strcmp(c[i].group, group) == 0)
			line(&c[i]);
	printf("\nSee mcpgwctl %s verb --help.\n", group);
	return (0);
}

static int
has_group(const struct command *c, size_t n, const char *group)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (strcmp(c[i].group, group) == 0)
			return (1);
	return (0);
}

void
command_help(const struct command *c)
{
	printf("usage: mcpgwctl %s\n\n%s%s%s: %s.\n", c->usage, c->group,
	    c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "",
	    c->help);
	if (c->options != NULL)
		printf("\n%s", c->options);
	printf("\nThe manual page mcpgwctl(8) says more.\n");
}

void
command_unknown(const struct command *c, size_t n, char *const words[])
{
	const char	*group = words[0], *like = NULL, *sep = "usage:";
	size_t		 i;

	if (group != NULL && !has_group(c, n, group)) {
		like = meant(c, n, group, NULL);
		warnx("there is no command %s%s%s%s", ctl_shown(group),
		    like != NULL ? "; did you mean \"" : "",
		    like != NULL ? like : "", like != NULL ? "\"?" : "");
		group = like;
	} else if (group != NULL && words[1] != NULL) {
		like = meant(c, n, words[1], group);
		warnx("there is no command %s %s%s%s%s", group,
		    ctl_shown(words[1]),
		    like != NULL ? "; did you mean \"" : "",
		    like != NULL ? like : "", like != NULL ? "\"?" : "");
	}
	/* all of them only for who says nothing */
	for (i = 0; i < n && (words[0] == NULL || group != NULL); i++)
		if (group == NULL || strcmp(c[i].group, group) == 0) {
			fprintf(stderr, "%s mcpgwctl %s\n", sep, c[i].usage);
			sep = "      ";
		}
	fprintf(stderr, "%s mcpgwctl help\n", sep);
	exit(CTL_USAGE);
}

/* The group, or the group's verb, that is spelled most like word; or NULL. */
static const char *
meant(const struct command *c, size_t n, const char *word,
    const char *group)
{
	const char	*name, *best = NULL;
	unsigned	 d, least = UINT_MAX;
	size_t		 i;

	for (i = 0; i < n; i++) {
		name = group == NULL ? c[i].group : c[i].verb;
		if (group != NULL && strcmp(c[i].group, group) != 0)
			continue;
		if (name != NULL &&
		    (d = spelling_distance(word, name)) < least) {
			least = d;
			best = name;
		}
	}
	return (best);
}
