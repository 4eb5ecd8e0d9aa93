/*
 * mcpgwctl: the operator's program.  Finds the command and, before it runs,
 * makes sure that the secrets it may hold stay in this process.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "ctl/ctl.h"
#include "ctl/key_generate.h"
#include "ctl/key_list.h"
#include "ctl/key_revoke.h"
#include "ctl/key_verify.h"

static const struct command {
	const char	*name;
	int		 (*run)(int, char *[]);
	const char	*usage;
} key_commands[] = {
	{ "generate", key_generate, KEY_GENERATE_USAGE },
	{ "list", key_list, KEY_LIST_USAGE },
	{ "revoke", key_revoke, KEY_REVOKE_USAGE },
	{ "verify", key_verify, KEY_VERIFY_USAGE }
};

#define NCOMMANDS	(sizeof(key_commands) / sizeof(key_commands[0]))

static void	 usage(void) __attribute__((noreturn));
static void	 guard_stdio(void);
static void	 guard_memory(void);

int
main(int argc, char *argv[])
{
	size_t	 i;

	/* pgrep mcpgw is to print the daemon alone */
	proctitle_comm("gwctl");
	guard_stdio();
	guard_memory();
	/* a closed pipe is an error of write(2), which is told */
	signal(SIGPIPE, SIG_IGN);
	log_init("mcpgwctl", 1, 0);
	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		printf("mcpgwctl %s\n", VERSION);
		return (ctl_flush() == 0 ? CTL_OK : CTL_FAILED);
	}
	if (argc < 3 || strcmp(argv[1], "key") != 0)
		usage();
	for (i = 0; i < NCOMMANDS; i++)
		if (strcmp(argv[2], key_commands[i].name) == 0)
			break;
	if (i == NCOMMANDS)
		usage();
	/* getopt's messages begin with this */
	argv[2] = program_invocation_short_name;
	return (key_commands[i].run(argc - 2, argv + 2));
}

static void
usage(void)
{
	size_t	 i;

	for (i = 0; i < NCOMMANDS; i++)
		fprintf(stderr, "%s mcpgwctl %s\n",
		    i == 0 ? "usage:" : "      ", key_commands[i].usage);
	_exit(CTL_USAGE);
}

/* Descriptors 0 to 2 must be open: nothing else may get their numbers.  For
 * reading only, so that what is written to a closed standard output is an
 * error and no key is lost in there. */
static void
guard_stdio(void)
{
	int	 fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd != -1 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* No core file, and no look into the memory by others of the same user. */
static void
guard_memory(void)
{
	static const struct rlimit	 none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		err(CTL_FAILED, "setrlimit");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err(CTL_FAILED, "prctl");
}
