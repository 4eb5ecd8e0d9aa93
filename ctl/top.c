/*
 * Looking at the gateway's counters once a second, and keys between.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mono.h"
#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/screen.h"
#include "ctl/text.h"
#include "ctl/top.h"
#include "ctl/top_view.h"

#define OPTION_ONCE	1
#define OPTION_INTERVAL	2
#define WAIT		2	/* seconds for an answer */
#define FIRST		0.3	/* seconds until the second look */
#define PLAIN_COLUMNS	132	/* where there is no terminal */
#define PLAIN_LINES	21	/* of each kind */

struct top {
	double			 interval;
	int			 once;
	struct control_answer	 before;
	struct control_answer	 now;
	uint64_t		 at;	/* when now was asked for */
	uint64_t		 next;	/* when to ask again */
	struct top_view		 view;
	char			 trouble[256];	/* why there is no news */
	int			 typing;	/* the filter */
	int			 lines;	/* rows on the screen, as drawn */
};

static void	 options(int, char *[], struct top *);
static int	 look(struct top *);
static int	 once(struct top *);
static void	 pause_for(double);
static int	 interactive(struct top *);
static int	 draw(struct top *);
static void	 foot(const struct top *, FILE *, int);
static int	 wait_ms(const struct top *);
static int	 key(struct top *, int);
static void	 key_filter(struct top *, int);
static void	 key_scroll(struct top *, int);
static void	 turn(struct top *, int);
static void	 choose(struct top *, enum top_kind);

int
top(int argc, char *argv[])
{
	struct top	 t;
	int		 code;

	options(argc, argv, &t);
	if (t.once || ctl_options.json || !isatty(STDIN_FILENO) ||
	    !isatty(STDOUT_FILENO))
		code = once(&t);
	else
		code = interactive(&t);
	control_free(&t.before);
	control_free(&t.now);
	return (ctl_flush() == 0 ? code : CTL_IO);
}

static void
options(int argc, char *argv[], struct top *t)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		{ "once", no_argument, NULL, OPTION_ONCE },
		{ "interval", required_argument, NULL, OPTION_INTERVAL },
		{ NULL, 0, NULL, 0 }
	};
	char				*end;
	int				 ch;

	memset(t, 0, sizeof(*t));
	t->interval = 1;
	t->view.kind = TOP_TOOL;
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (ch == OPTION_ONCE)
			t->once = 1;
		else if (ch == OPTION_INTERVAL) {
			t->interval = strtod(optarg, &end);
			if (*optarg < '0' || *optarg > '9' || *end != '\0' ||
			    !(t->interval >= 0.1 && t->interval <= 3600)) {
				warnx("--interval: expected 0.1 to 3600 "
				    "seconds");
				ctl_usage(TOP_USAGE);
			}
		} else if (ctl_option(ch) == -1)
			ctl_usage(TOP_USAGE);
	if (argc != optind)
		ctl_usage(TOP_USAGE);
}

/* 0, or the exit code, with the reason in trouble; then the last look stays
 * what it was. */
static int
look(struct top *t)
{
	struct control_answer	 a;
	enum control_error	 e;
	uint64_t		 at = mono_ms();

	e = control_ask("GET", "/v1/all", WAIT, &a);
	t->next = mono_ms() + (uint64_t)(t->interval * 1000);
	if (e != CONTROL_OK) {
		(void)strlcpy(t->trouble, a.why, sizeof(t->trouble));
		control_free(&a);
		return (control_code(e));
	}
	*t->trouble = '\0';
	control_free(&t->before);
	t->before = t->now;
	t->now = a;
	t->view.before = t->before.json;
	t->view.now = t->now.json;
	t->view.seconds = t->at == 0 ? 0 : (double)(at - t->at) / 1000;
	t->at = at;
	return (0);
}

/* For scripts, and where there is no terminal. */
static int
once(struct top *t)
{
	size_t	 kind;
	int	 code;

	if ((code = look(t)) == 0) {
		pause_for(t->interval);
		code = look(t);
	}
	if (code != 0) {
		warnx("%s", t->trouble);
		return (code);
	}
	if (ctl_options.json) {
		top_view_json(&t->view, stdout);
		return (CTL_OK);
	}
	top_view_head(&t->view, stdout, PLAIN_COLUMNS);
	for (kind = 0; kind < TOP_KINDS; kind++) {
		t->view.kind = (enum top_kind)kind;
		putchar('\n');
		top_view_rows(&t->view, stdout, PLAIN_COLUMNS, PLAIN_LINES,
		    0);
	}
	return (CTL_OK);
}

static void
pause_for(double seconds)
{
	struct timespec	 ts;

	ts.tv_sec = (time_t)seconds;
	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static int
interactive(struct top *t)
{
	int	 code, ms;

	/* what is wrong from the begin is told as anywhere */
	if ((code = look(t)) != 0) {
		warnx("%s", t->trouble);
		return (code);
	}
	/* the first rates come soon */
	if (t->interval > FIRST)
		t->next = t->at + (uint64_t)(FIRST * 1000);
	if (screen_open() == -1) {
		warn("terminal");
		return (CTL_IO);
	}
	do {
		if (mono_ms() >= t->next)
			(void)look(t);
		if (draw(t) == -1) {
			code = CTL_IO;
			break;
		}
		ms = wait_ms(t);
	} while (key(t, screen_key(ms)) == 0);
	screen_close();
	return (code);
}

static int
wait_ms(const struct top *t)
{
	uint64_t	 now = mono_ms();

	return (now < t->next ? (int)(t->next - now) : 0);
}

/* The last column is left free: terminals differ about what is behind it. */
static int
draw(struct top *t)
{
	char	*text = NULL;
	size_t	 i, len = 0;
	FILE	*f;
	int	 columns, lines, used, ret;

	screen_size(&columns, &lines);
	columns--;
	if ((f = open_memstream(&text, &len)) == NULL)
		return (-1);
	top_view_head(&t->view, f, columns);
	fputc('\n', f);
	fflush(f);
	for (used = 2, i = 0; i < len; i++)
		used += text[i] == '\n';
	t->lines = lines > used ? lines - used : 1;
	top_view_rows(&t->view, f, columns, t->lines + 1, 1);
	foot(t, f, columns);
	if (fclose(f) != 0) {
		free(text);
		return (-1);
	}
	/* a screen that is too small shows the top of it */
	for (used = 0, i = 0; i < len && used < lines; i++)
		used += text[i] == '\n';
	ret = screen_draw(text, i);
	free(text);
	return (ret);
}

static void
foot(const struct top *t, FILE *f, int columns)
{
	char	 text[512], fit[2048];

	if (*t->trouble != '\0')
		(void)snprintf(text, sizeof(text), "no news: %s",
		    t->trouble);
	else if (t->typing)
		(void)snprintf(text, sizeof(text), "filter: %s_",
		    t->view.filter);
	else
		(void)snprintf(text, sizeof(text), "%zu rows by %s%s%s; "
		    "u t c m view, s sort, / filter, q quit", t->view.rows,
		    top_sort_name(t->view.sort),
		    *t->view.filter != '\0' ? ", with " : "",
		    t->view.filter);
	(void)text_fit(text, columns, fit, sizeof(fit));
	fprintf(f, "%s", fit);
}

/* 0 to go on. */
static int
key(struct top *t, int k)
{
	if (k == KEY_GONE)
		return (-1);
	if (t->typing) {
		key_filter(t, k);
		return (0);
	}
	switch (k) {
	case 'q':
	case 'Q':
		return (-1);
	case 'u':
		choose(t, TOP_UPSTREAM);
		break;
	case 't':
		choose(t, TOP_TOOL);
		break;
	case 'c':
		choose(t, TOP_CLIENT);
		break;
	case 'm':
		choose(t, TOP_METHOD);
		break;
	case KEY_RIGHT:
		choose(t, (enum top_kind)((t->view.kind + 1) % TOP_KINDS));
		break;
	case KEY_LEFT:
		choose(t, (enum top_kind)((t->view.kind + TOP_KINDS - 1) %
		    TOP_KINDS));
		break;
	case 's':
		turn(t, 1);
		break;
	case 'S':
		turn(t, TOP_SORTS - 1);
		break;
	case '/':
		t->typing = 1;
		break;
	case KEY_ESCAPE:
		*t->view.filter = '\0';
		break;
	default:
		key_scroll(t, k);
	}
	return (0);
}

static void
choose(struct top *t, enum top_kind kind)
{
	t->view.kind = kind;
	t->view.skip = 0;
}

static void
turn(struct top *t, int by)
{
	t->view.sort = (enum top_sort)(((int)t->view.sort + by) % TOP_SORTS);
	t->view.skip = 0;
}

/* Enter keeps it, Escape drops it. */
static void
key_filter(struct top *t, int k)
{
	char	*s = t->view.filter;
	size_t	 len = strlen(s);

	t->view.skip = 0;
	if (k == '\r' || k == '\n')
		t->typing = 0;
	else if (k == KEY_ESCAPE) {
		t->typing = 0;
		*s = '\0';
	} else if ((k == 0x7f || k == '\b') && len > 0) {
		/* all bytes of a character */
		do
			s[--len] = '\0';
		while (len > 0 && (s[len] & 0xc0) == 0x80);
	} else if (k == 'U' - '@')
		*s = '\0';
	else if (k >= ' ' && k < 256 && k != 0x7f &&
	    len + 1 < sizeof(t->view.filter)) {
		s[len] = (char)k;
		s[len + 1] = '\0';
	}
}

static void
key_scroll(struct top *t, int k)
{
	size_t	*skip = &t->view.skip, page = (size_t)t->lines;

	switch (k) {
	case KEY_UP:
		*skip -= *skip > 0;
		break;
	case KEY_DOWN:
		*skip += *skip + 1 < t->view.rows;
		break;
	case KEY_PAGE_UP:
		*skip -= *skip < page ? *skip : page;
		break;
	case KEY_PAGE_DOWN:
		/* top_view_rows() stops at the last */
		*skip += page;
		break;
	case KEY_HOME:
		*skip = 0;
		break;
	case KEY_END:
		*skip = t->view.rows > page ? t->view.rows - page : 0;
		break;
	default:
		break;
	}
}
