/*
 * Telling the running gateway what to do.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/jtree.h"
#include "ctl/orders.h"
#include "ctl/reload.h"
#include "ctl/text.h"

#define PROBE_WAIT	2	/* seconds for a gateway that is well */

static int	 refused(const struct control_answer *);
static int	 by_signal(void);
static int	 order(const char *, const char *);

int
order_reload(int argc, char *argv[])
{
	struct control_answer	 a;
	enum control_error	 e;
	int			 code;

	ctl_no_arguments(argc, argv, RELOAD_USAGE);
	/* a monitor that hangs must not keep the file from being read */
	e = control_ask("GET", "/v1/status", PROBE_WAIT, &a);
	if (e != CONTROL_OK && e != CONTROL_DENIED) {
		warnx("%s", a.why);
		control_free(&a);
		return (by_signal());
	}
	control_free(&a);
	e = control_ask("POST", "/v1/reload", CONTROL_WAIT_RELOAD, &a);
	if (ctl_options.json && a.text != NULL)
		control_show(&a);
	if (e == CONTROL_REFUSED && a.status == 409)
		code = refused(&a);
	else if ((code = control_complain(e, &a)) == 0 && !ctl_options.json)
		printf("reloaded: generation %" PRId64 "\n",
		    jtree_int(a.json, "generation"));
	control_free(&a);
	return (ctl_flush() == 0 ? code : CTL_IO);
}

/* Each error has the line of the file that it is in. */
static int
refused(const struct control_answer *a)
{
	yajl_val	 v, list = jtree_get(a->json, "errors");
	char		 text[2048];
	size_t		 i;

	for (i = 0; i < jtree_count(list); i++) {
		v = jtree_at(list, i);
		(void)text_fit(YAJL_IS_STRING(v) ? v->u.string : "?",
		    sizeof(text), text, sizeof(text));
		warnx("%s", text);
	}
	warnx("reload refused: the gateway goes on with what it had");
	return (CTL_BAD_CONFIG);
}

static int
by_signal(void)
{
	struct config	*conf;
	pid_t		 pid = 0;
	enum reload	 r;

	if ((conf = ctl_config(ctl_options.path)) == NULL) {
		warnx("the gateway was not told to reload");
		return (CTL_BAD_CONFIG);
	}
	if ((r = reload_gateway(conf->pid_file, &pid)) == RELOAD_NOT_RUNNING)
		warnx("the gateway is not running (%s)", conf->pid_file);
	config_free(conf);
	if (r != RELOAD_SENT)
		return (r == RELOAD_FAILED ? CTL_FAILED : CTL_IO);
	if (ctl_options.json)
		printf("{\"ok\":null,\"signalled\":%d}\n", (int)pid);
	else
		printf("the file is right, and process %d was sent a SIGHUP; "
		    "its log says when it has reloaded\n", (int)pid);
	return (ctl_flush() == 0 ? CTL_OK : CTL_IO);
}

int
order_drain(int argc, char *argv[])
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "off", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch, off = 0;

	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (ch == 'o')
			off = 1;
		else if (ctl_option(ch) == -1)
			ctl_usage(DRAIN_USAGE);
	if (argc != optind)
		ctl_usage(DRAIN_USAGE);
	if (off)
		return (order("/v1/drain?off", "ready again"));
	return (order("/v1/drain", "draining: /readyz answers 503, so that "
	    "load balancers go elsewhere; what comes is served"));
}

int
order_log(int argc, char *argv[])
{
	static const char *const	 levels[] = { "debug", "info",
					    "warning", "error" };
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ NULL, 0, NULL, 0 }
	};
	char				 target[64], done[64];
	size_t				 i;
	int				 ch;

	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (ctl_option(ch) == -1)
			ctl_usage(LOG_USAGE);
	if (argc - optind != 1)
		ctl_usage(LOG_USAGE);
	for (i = 0; i < 4 && strcmp(argv[optind], levels[i]) != 0; i++)
		;
	if (i == 4) {
		warnx("expected debug, info, warning or error");
		ctl_usage(LOG_USAGE);
	}
	(void)snprintf(target, sizeof(target), "/v1/log?level=%s",
	    levels[i]);
	(void)snprintf(done, sizeof(done), "logging %s%s, until the next "
	    "reload or restart", levels[i], i < 3 ? " and above" : "s alone");
	return (order(target, done));
}

static int
order(const char *target, const char *done)
{
	struct control_answer	 a;
	int			 code;

	code = control_get("POST", target, CONTROL_WAIT, &a);
	if (code == 0 && !ctl_options.json) {
		printf("%s\n", done);
		code = ctl_flush() == 0 ? CTL_OK : CTL_IO;
	}
	control_free(&a);
	return (code);
}
