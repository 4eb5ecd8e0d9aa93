/*
 * Stages of a request, up to the one that refused it.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "common/stage.h"
#include "ctl/advice.h"
#include "ctl/audit_entry.h"
#include "ctl/audit_files.h"
#include "ctl/audit_read.h"
#include "ctl/checks.h"
#include "ctl/ctl.h"
#include "ctl/explain_line.h"
#include "ctl/text.h"

#define VALUE		512	/* bytes of a value that is shown */

/* Why it ended, taken apart. */
struct ending {
	char		 action[32];
	char		 auth[32];
	char		 stage[32];	/* "": the line says none */
	char		 error[VALUE];
	const char	*seen;		/* of error, "" when there is none */
	const char	*wanted;	/* the same */
	const char	*advice;	/* or NULL */
	int		 allowed;
};

static int	 find(const struct audit_files *, const char *,
		    struct audit_reader *, struct slice *,
		    struct audit_entry *);
static int	 matches(const char *, struct slice, struct audit_entry *);
static void	 take_apart(const struct audit_entry *, struct ending *);
static void	 take_error(struct ending *);
static char	*find_wanted(char *);
static void	 add_stages(const struct ending *, struct checks *);
static int	 show(const char *, struct slice, const struct audit_entry *);
static void	 print(const struct audit_entry *, const struct ending *,
		    const struct checks *);
static void	 put(const char *, const struct audit_entry *,
		    enum audit_field);
static void	 print_json(const char *, struct slice, const struct ending *,
		    const struct checks *);

int
explain_line(const char *id)
{
	static char		*none[] = { NULL };
	struct audit_files	 files;
	struct audit_reader	 r;
	struct audit_entry	 e;
	struct slice		 line;
	int			 code, i;

	if ((code = audit_files_find(&files, 1, none)) != 0) {
		audit_files_free(&files);
		return (code);
	}
	if ((i = find(&files, id, &r, &line, &e)) >= 0) {
		code = show(files.path[i], line, &e);
		audit_close(&r);
	} else if (i == -1) {
		warnx("no line of %s in the audit log: %s, and what rotation "
		    "has left of it; what a flood refused has none",
		    ctl_shown(id), files.path[files.n - 1]);
		code = CTL_FAILED;
	} else
		code = CTL_IO;
	audit_files_free(&files);
	return (ctl_flush() == 0 ? code : CTL_IO);
}

/* In the newest file first.  The file, whose reader is open and whose line is
 * good until it is closed; -1 it is in none, -2 after telling that not all
 * could be read. */
static int
find(const struct audit_files *f, const char *id, struct audit_reader *r,
    struct slice *line, struct audit_entry *e)
{
	enum audit_read	 got;
	size_t		 i;
	int		 failed = 0;

	for (i = f->n; i-- > 0;) {
		if (audit_open(r, f->path[i]) == -1) {
			warn("%s", f->path[i]);
			failed = 1;
			continue;
		}
		while ((got = audit_next(r, line)) == AUDIT_LINE ||
		    got == AUDIT_LONG)
			if (got == AUDIT_LINE && matches(id, *line, e))
				return ((int)i);
		if (got == AUDIT_FAILED) {
			warnx("%s: %s", f->path[i], r->why);
			failed = 1;
		}
		audit_close(r);
	}
	return (failed ? -2 : -1);
}

static int
matches(const char *id, struct slice line, struct audit_entry *e)
{
	char	 text[VALUE];

	/* most lines need not be taken apart */
	return (memmem(line.p, line.len, id, strlen(id)) != NULL &&
	    audit_entry_read(e, line) == NULL && strcmp(audit_entry_text(e,
	    AUDIT_REQUEST_ID, text, sizeof(text)), id) == 0);
}

static int
show(const char *path, struct slice line, const struct audit_entry *e)
{
	struct ending	 end;
	struct checks	 checks = { .n = 0 };

	take_apart(e, &end);
	add_stages(&end, &checks);
	if (ctl_options.json)
		print_json(path, line, &end, &checks);
	else
		print(e, &end, &checks);
	checks_free(&checks);
	return (end.allowed ? CTL_OK : CTL_FAILED);
}

static void
take_apart(const struct audit_entry *e, struct ending *end)
{
	memset(end, 0, sizeof(*end));
	(void)audit_entry_text(e, AUDIT_ACTION, end->action,
	    sizeof(end->action));
	(void)audit_entry_text(e, AUDIT_AUTH_RESULT, end->auth,
	    sizeof(end->auth));
	(void)audit_entry_text(e, AUDIT_STAGE, end->stage,
	    sizeof(end->stage));
	(void)audit_entry_text(e, AUDIT_ERROR_TEXT, end->error,
	    sizeof(end->error));
	end->allowed = strcmp(end->action, "allow") == 0;
	end->seen = end->error;
	end->wanted = "";
	if (end->allowed)
		return;
	/* of a gateway that did not say it yet */
	if (end->stage[0] == '\0' && end->auth[0] != '\0' &&
	    strcmp(end->auth, "ok") != 0)
		(void)strlcpy(end->stage, "credential", sizeof(end->stage));
	end->advice = advice_of_stage(end->stage);
	if (strcmp(end->stage, "credential") == 0)
		take_error(end);
}

/* "CHECK: got SEEN, wanted WANTED", or a sentence about a claim or a key. */
static void
take_error(struct ending *end)
{
	static char	 check[VALUE];
	const char	*advice;
	char		*got, *wanted;
	int		 is_key = strncmp(end->error, "the key's ", 10) == 0;

	if (is_key)
		end->advice = advice_of_token("key_expired");
	else if (strncmp(end->error, "not an API key", 14) == 0)
		end->advice = advice_of_token("shape");
	else if ((got = strstr(end->error, ": got ")) != NULL) {
		(void)strlcpy(check, end->error, sizeof(check));
		check[got - end->error] = '\0';
		advice = advice_of_token(check);
		if (advice == NULL || (wanted = find_wanted(got)) == NULL)
			return;
		end->advice = advice;
		end->wanted = wanted;
		/* the check stays before what was seen */
		memmove(got + 2, got + 6, strlen(got + 6) + 1);
	} else if (strcmp(end->auth, "invalid") == 0 && end->error[0] !=
	    '\0' && strstr(end->error, " is ") != NULL)
		end->advice = advice_of_token("claims");
}

/* What is wanted, cut off from what was seen; quotes are of values. */
static char *
find_wanted(char *p)
{
	static const char	 sep[] = ", wanted ";
	static char		 wanted[VALUE];
	int			 quoted = 0;

	for (; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0' && quoted)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && strncmp(p, sep, sizeof(sep) - 1) == 0) {
			(void)strlcpy(wanted, p + sizeof(sep) - 1,
			    sizeof(wanted));
			*p = '\0';
			return (wanted);
		}
	}
	return (NULL);
}

/* "head" is no stage of its own but stands before them. */
static void
add_stages(const struct ending *end, struct checks *l)
{
	const char	*name = STAGE_HEAD_NAME;
	size_t		 i;
	int		 over = 0, known = end->allowed;

	for (i = 0; i < STAGE_MAX; i++)
		known |= strcmp(end->stage, stage_name(i)) == 0;
	known |= strcmp(end->stage, STAGE_HEAD_NAME) == 0;
	if (!known) {
		checks_add(l, "unknown", CHECK_FAILED, end->error, "", NULL);
		return;
	}
	for (i = 0; name != NULL; name = stage_name(i++)) {
		if (!end->allowed && strcmp(end->stage, name) == 0) {
			checks_add(l, name, CHECK_FAILED, end->seen,
			    end->wanted, end->advice);
			over = 1;
		} else
			checks_add(l, name, over ? CHECK_NOT_REACHED :
			    CHECK_OK, "", "", NULL);
	}
}

static void
print(const struct audit_entry *e, const struct ending *end,
    const struct checks *l)
{
	const struct check	*c = checks_failed(l);

	put("time", e, AUDIT_TS);
	put("request", e, AUDIT_REQUEST_ID);
	put("method", e, AUDIT_METHOD);
	put("tool", e, AUDIT_TOOL);
	put("upstream", e, AUDIT_UPSTREAM);
	put("client", e, AUDIT_CLIENT);
	put("key", e, AUDIT_KEY_ID);
	put("address", e, AUDIT_CLIENT_IP);
	put("auth_result", e, AUDIT_AUTH_RESULT);
	put("status", e, AUDIT_STATUS);
	printf("\n");
	checks_print(l);
	printf("\n%s", end->allowed ? "allowed" :
	    strcmp(end->action, "aborted") == 0 ? "aborted" : "refused");
	if (c != NULL)
		printf(": %s", c->name);
	printf("\n");
}

static void
put(const char *name, const struct audit_entry *e, enum audit_field f)
{
	char	 text[VALUE], buf[TEXT_SIZE(VALUE)];

	if (*audit_entry_text(e, f, text, sizeof(text)) == '\0')
		return;
	(void)text_fit(text, VALUE, buf, sizeof(buf));
	printf("%-12s %s\n", name, buf);
}

/* The line is an object of JSON, or it would not have been found. */
static void
print_json(const char *path, struct slice line, const struct ending *end,
    const struct checks *l)
{
	const struct check	*c = checks_failed(l);

	printf("{\"allowed\":%s", end->allowed ? "true" : "false");
	json_put_member("failed", c == NULL ? NULL : c->name);
	json_put_member("file", path);
	printf(",\"line\":");
	text_json(line);
	printf(",\"checks\":");
	checks_json(l);
	printf("}\n");
}
