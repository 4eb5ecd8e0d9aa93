/*
 * A key is revoked by taking its entry out of the configuration, and nothing
 * else, and by a reload.  In doubt nothing is changed, and it is said what to
 * do by hand.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "ctl/ctl.h"
#include "ctl/key_revoke.h"
#include "ctl/reload.h"
#include "ctl/replace.h"
#include "ctl/yaml_edit.h"

struct options {
	const char	*path;
	const char	*id;
	int		 dry;
	int		 force;
};

static void	 options(int, char *[], struct options *);
static int	 take_out(const struct options *, struct replace *);
static void	 by_hand(const struct options *, unsigned, const char *);
static int	 apply(const struct options *, struct replace *,
		    const struct config *, const struct yaml_cut *);
static int	 opens(const struct options *, const struct config *,
		    const struct config *);
static void	 show(const struct replace *, const struct yaml_cut *,
		    const char *);
static void	 report(const char *, const char *, const char *, ...)
		    __attribute__((format(printf, 3, 4)));
static void	 show_lines(const char *, const char *, size_t, size_t);
static int	 put(const struct options *, struct replace *,
		    const struct yaml_cut *);
static int	 reload(const struct options *, const char *);

int
key_revoke(int argc, char *argv[])
{
	struct options	 o;
	struct replace	 r;
	int		 code;

	options(argc, argv, &o);
	code = replace_open(&r, o.path, CONFIG_FILE_MAX) == -1 ?
	    CTL_FAILED : take_out(&o, &r);
	replace_close(&r);
	if (ctl_flush() == -1)
		code = CTL_FAILED;
	return (code);
}

static void
options(int argc, char *argv[], struct options *o)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "dry-run", no_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'F' },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch;

	memset(o, 0, sizeof(*o));
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "n", longopts,
	    NULL)) != -1)
		switch (ch) {
		case 'F':
			o->force = 1;
			break;
		case 'n':
			o->dry = 1;
			break;
		default:
			if (ctl_option(ch) == -1)
				ctl_usage(KEY_REVOKE_USAGE);
		}
	if (argc - optind != 1)
		ctl_usage(KEY_REVOKE_USAGE);
	o->path = ctl_options.path;
	o->id = argv[optind];
}

static int
take_out(const struct options *o, struct replace *r)
{
	struct config	*old;
	struct yaml_cut	 c;
	const char	*why;
	int		 code = CTL_FAILED;

	/* of the very text that is edited, whatever happens to the file */
	old = config_parse(o->path, r->text, r->len, ctl_complain, NULL);
	if (old == NULL)
		return (CTL_FAILED);
	if (!config_key_id_ok(o->id))
		warnx("expected the id of a key, as mcpgwctl key list shows "
		    "it");
	else if (ctl_find_key(old, o->id) == -1)
		warnx("%s: no key has the id %s", o->path, o->id);
	else if ((why = yaml_cut_key(r->text, r->len, o->id, &c)) != NULL)
		by_hand(o, c.line, why);
	else {
		code = apply(o, r, old, &c);
		yaml_cut_free(&c);
	}
	config_free(old);
	return (code);
}

static void
by_hand(const struct options *o, unsigned line, const char *why)
{
	warnx("%s:%u: the entry cannot be taken out safely: %s", o->path,
	    line, why);
	warnx("nothing was changed; remove the entry of %s there by hand, "
	    "check with mcpgw -n, and reload: kill -HUP \"$(pgrep mcpgw)\"",
	    o->id);
}

static int
apply(const struct options *o, struct replace *r, const struct config *old,
    const struct yaml_cut *c)
{
	struct config	*neu;
	int		 code = CTL_FAILED;

	/* as the gateway will read it, with the files that it names */
	neu = config_load_text(o->path, c->text, c->len, ctl_complain, NULL);
	if (neu == NULL) {
		warnx("nothing was changed: without %s the configuration "
		    "would have these errors", o->id);
		return (CTL_FAILED);
	}
	if (o->dry)
		show(r, c, o->id);
	if (opens(o, old, neu))
		;
	else if (o->dry)
		code = CTL_OK;
	else if (put(o, r, c) == 0)
		code = reload(o, neu->pid_file);
	config_free(neu);
	return (code);
}

/* The last key goes and OAuth is off: the manual says what follows. */
static int
opens(const struct options *o, const struct config *old,
    const struct config *neu)
{
	if (!old->w.auth_enabled || neu->w.auth_enabled)
		return (0);
	warnx("%s%s is the last key and OAuth is off: without it the gateway "
	    "is UNAUTHENTICATED and lets in everybody", o->force ?
	    "warning: " : "", o->id);
	if (o->force)
		return (0);
	warnx("nothing was changed; put another key in first, stop the "
	    "gateway, or say --force");
	return (1);
}

static void
show(const struct replace *r, const struct yaml_cut *c, const char *id)
{
	size_t	 end, start;

	if (ctl_options.json) {
		report(r->path, id, "\"removed\":false,\"line\":%u", c->line);
		return;
	}
	printf("%s:%u\n", r->path, c->line);
	if (c->at != 0) {
		for (start = c->at; start > 0 && r->text[start - 1] != '\n' &&
		    r->text[start - 1] != '\r'; start--)
			;
		end = yaml_line_next(r->text, r->len, c->at);
		show_lines("-", r->text, start, end);
		show_lines("+", c->text, start, end + strlen(YAML_CUT_EMPTY));
	}
	show_lines("-", r->text, c->from, c->to);
}

/* A hash is not for the screen. */
static void
show_lines(const char *mark, const char *text, size_t from, size_t to)
{
	const char	*hide, *line;
	size_t		 len, next;

	for (; from < to; from = next) {
		next = yaml_line_next(text, to, from);
		line = text + from;
		len = next - from;
		while (len > 0 && strchr("\r\n", line[len - 1]) != NULL)
			len--;
		if ((hide = memmem(line, len, "argon2id$", 9)) != NULL)
			len = (size_t)(hide - line) + 9;
		printf("%s%.*s%s\n", mark, (int)len, line,
		    hide != NULL ? "..." : "");
	}
}

static int
put(const struct options *o, struct replace *r, const struct yaml_cut *c)
{
	if (replace_write(r, c->text, c->len) == -1 ||
	    replace_commit(r) == -1)
		return (-1);
	if (!ctl_options.json)
		printf("%s: the entry of %s is removed\n", o->path, o->id);
	return (0);
}

/* An object of JSON, about the entry of that id. */
static void
report(const char *path, const char *id, const char *fmt, ...)
{
	char	 file[6 * PATH_MAX];
	va_list	 ap;

	printf("{\"file\":\"%.*s\",\"id\":\"%s\",",
	    (int)json_escape(slice_of(path), PATH_MAX, file), file, id);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("}\n");
}

static int
reload(const struct options *o, const char *pid_file)
{
	pid_t	 pid = 0;

	switch (reload_gateway(pid_file, &pid)) {
	case RELOAD_SENT:
		if (ctl_options.json)
			report(o->path, o->id, "\"removed\":true,"
			    "\"reload\":\"sent\",\"pid\":%d", (int)pid);
		else
			printf("the gateway, process %d, was told to reload; "
			    "its log says when it has\n", (int)pid);
		return (CTL_OK);
	case RELOAD_NOT_RUNNING:
		if (ctl_options.json)
			report(o->path, o->id, "\"removed\":true,"
			    "\"reload\":\"not running\",\"pid\":null");
		else
			printf("the gateway is not running (%s): nothing to "
			    "reload\n", pid_file);
		return (CTL_OK);
	case RELOAD_FAILED:
		if (ctl_options.json)
			report(o->path, o->id, "\"removed\":true,"
			    "\"reload\":\"failed\",\"pid\":null");
		break;
	}
	warnx("%s is STILL IN FORCE in the running gateway; reload it: "
	    "kill -HUP \"$(pgrep mcpgw)\"", o->id);
	return (CTL_FAILED);
}
