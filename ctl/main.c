/*
 * mcpgwctl: the operator's program.  Finds the command and, before it runs,
 * makes sure that the secrets it may hold stay in this process.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "ctl/audit_stats.h"
#include "ctl/audit_tail.h"
#include "ctl/command.h"
#include "ctl/ctl.h"
#include "ctl/explain.h"
#include "ctl/key_generate.h"
#include "ctl/key_list.h"
#include "ctl/key_revoke.h"
#include "ctl/key_verify.h"
#include "ctl/orders.h"
#include "ctl/status.h"
#include "ctl/text.h"
#include "ctl/token_explain.h"
#include "ctl/top.h"

#define ROW(group, verb, json, run, text, help, options) \
	{ group, verb, json, run, text, help, options }

static const struct command	 commands[] = {
	ROW("key", "generate", 1, key_generate, KEY_GENERATE_USAGE,
	    "make a new API key", KEY_GENERATE_OPTIONS),
	ROW("key", "list", 1, key_list, KEY_LIST_USAGE,
	    "show the configured API keys", NULL),
	ROW("key", "revoke", 1, key_revoke, KEY_REVOKE_USAGE,
	    "remove an API key and reload", KEY_REVOKE_OPTIONS),
	ROW("key", "verify", 1, key_verify, KEY_VERIFY_USAGE,
	    "say which API key is on standard input", NULL),
	ROW("explain", NULL, 1, explain, EXPLAIN_USAGE,
	    "say why a request was refused, or would be", EXPLAIN_OPTIONS),
	ROW("token", "explain", 1, token_explain, TOKEN_EXPLAIN_USAGE,
	    "say what the gateway makes of the token on standard input",
	    TOKEN_EXPLAIN_OPTIONS),
	ROW("status", NULL, 1, status, STATUS_USAGE,
	    "how the running gateway is", NULL),
	ROW("workers", NULL, 1, workers, WORKERS_USAGE,
	    "its processes", NULL),
	ROW("upstreams", NULL, 1, upstreams, UPSTREAMS_USAGE,
	    "its upstreams and their servers", NULL),
	ROW("jwks", NULL, 1, jwks, JWKS_USAGE,
	    "its key sets, and what of them was skipped", NULL),
	ROW("sessions", NULL, 1, sessions, SESSIONS_USAGE,
	    "how many sessions were opened", NULL),
	ROW("top", NULL, 1, top, TOP_USAGE,
	    "what it does, as it does it", TOP_OPTIONS),
	ROW("reload", NULL, 1, order_reload, RELOAD_USAGE,
	    "read the configuration again, and say what came of it", NULL),
	ROW("drain", NULL, 1, order_drain, DRAIN_USAGE,
	    "tell load balancers to go elsewhere", DRAIN_OPTIONS),
	ROW("log", NULL, 1, order_log, LOG_USAGE,
	    "log more or less", LOG_OPTIONS),
	ROW("audit", "tail", 1, audit_tail, AUDIT_TAIL_USAGE,
	    "the last lines of the audit log", AUDIT_TAIL_OPTIONS),
	ROW("audit", "follow", 1, audit_follow, AUDIT_FOLLOW_USAGE,
	    "its lines as they come", AUDIT_FOLLOW_OPTIONS),
	ROW("audit", "stats", 1, audit_stats, AUDIT_STATS_USAGE,
	    "its lines, counted", AUDIT_STATS_OPTIONS)
};

#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int	 globals(int, char *[]);
static int	 wants_help(char *const[]);
static int	 help(char *const[]);
static int	 run(int, char *[]);
static void	 guard_stdio(void);
static void	 guard_memory(void);

int
main(int argc, char *argv[])
{
	int	 helps;

	/* pgrep mcpgw is to print the daemon alone */
	proctitle_comm("gwctl");
	guard_stdio();
	guard_memory();
	/* a closed pipe is an error of write(2), which is told */
	signal(SIGPIPE, SIG_IGN);
	log_init("mcpgwctl", 1, 0);
	text_init();
	helps = globals(argc, argv);
	argc -= optind;
	argv += optind;
	if (argc > 0 && strcmp(argv[0], "help") == 0)
		return (help(argv + 1));
	if (helps || wants_help(argv))
		return (help(argv));
	return (run(argc, argv));
}

/* What stands before the command.  Is it to be helped with? */
static int
globals(int argc, char *argv[])
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch, helps = 0;

	while ((ch = getopt_long(argc, argv, "+" CTL_SHORTOPTS "hV",
	    longopts, NULL)) != -1)
		switch (ch) {
		case 'h':
			helps = 1;
			break;
		case 'V':
			printf("mcpgwctl %s\n", VERSION);
			exit(ctl_flush() == 0 ? CTL_OK : CTL_IO);
		default:
			if (ctl_option(ch) == -1)
				command_unknown(commands, NCOMMANDS,
				    argv + argc);
		}
	return (helps);
}

/* Commands need not know of it. */
static int
wants_help(char *const words[])
{
	for (; *words != NULL && strcmp(*words, "--") != 0; words++)
		if (strcmp(*words, "-h") == 0 ||
		    strcmp(*words, "--help") == 0)
			return (1);
	return (0);
}

static int
help(char *const words[])
{
	const struct command	*c;
	size_t			 used;

	if ((c = command_find(commands, NCOMMANDS, words, &used)) != NULL)
		command_help(c);
	else if (words[0] == NULL || *words[0] == '-')
		command_help_all(commands, NCOMMANDS);
	else if ((words[1] != NULL && *words[1] != '-') ||
	    command_help_group(commands, NCOMMANDS, words[0]) == -1)
		command_unknown(commands, NCOMMANDS, words);
	return (ctl_flush() == 0 ? CTL_OK : CTL_IO);
}

static int
run(int argc, char *argv[])
{
	const struct command	*c;
	size_t			 used;

	c = command_find(commands, NCOMMANDS, argv, &used);
	if (c == NULL)
		command_unknown(commands, NCOMMANDS, argv);
	ctl_options.takes_json = c->json;
	if (ctl_options.json && ctl_option('j') == -1)
		ctl_usage(c->usage);
	argc -= (int)used - 1;
	argv += used - 1;
	/* getopt's messages begin with this; it starts anew */
	argv[0] = program_invocation_short_name;
	optind = 0;
	return (c->run(argc, argv));
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
