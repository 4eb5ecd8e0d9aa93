/*
 * Lists of checks.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "ctl/checks.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

#define SHOWN		480	/* columns of what was seen or wanted */

static void	 line(const char *, const char *);

/* In JSON they stay as they are. */
static const char *const outcomes[] = {
	[CHECK_OK] = "ok",
	[CHECK_FAILED] = "failed",
	[CHECK_UNKNOWN] = "unknown",
	[CHECK_NOT_REACHED] = "not_reached"
};

static const char *const marks[] = {
	[CHECK_OK] = "ok",
	[CHECK_FAILED] = "FAILED",
	[CHECK_UNKNOWN] = "?",
	[CHECK_NOT_REACHED] = "-"
};

void
checks_add(struct checks *l, const char *name, enum check_outcome outcome,
    const char *seen, const char *wanted, const char *advice)
{
	struct check	*c = &l->v[l->n];

	if (l->n == CHECKS_MAX)
		errx(CTL_INTERNAL, "too many checks");
	c->name = name;
	c->outcome = outcome;
	c->seen = strdup(seen == NULL ? "" : seen);
	c->wanted = strdup(wanted == NULL ? "" : wanted);
	c->advice = outcome == CHECK_FAILED ? advice : NULL;
	if (c->seen == NULL || c->wanted == NULL)
		errx(CTL_INTERNAL, "out of memory");
	l->n++;
}

const struct check *
checks_failed(const struct checks *l)
{
	size_t	 i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].outcome == CHECK_FAILED)
			return (&l->v[i]);
	return (NULL);
}

void
checks_print(const struct checks *l)
{
	const struct check	*c;

	for (c = l->v; c < l->v + l->n; c++) {
		printf("%-7s %-*s", marks[c->outcome],
		    c->seen[0] == '\0' ? 0 : 11, c->name);
		line(c->outcome == CHECK_FAILED ? "got " : "", c->seen);
		if (c->outcome == CHECK_OK)
			continue;
		if (c->wanted[0] != '\0') {
			printf("%19s", " ");
			line("wanted ", c->wanted);
		}
		if (c->advice != NULL)
			printf("%19s change: %s\n", " ", c->advice);
	}
}

/* Values in it may be anybody's. */
static void
line(const char *before, const char *s)
{
	char	 buf[TEXT_SIZE(SHOWN)];

	if (*s == '\0') {
		printf("\n");
		return;
	}
	(void)text_fit(s, SHOWN, buf, sizeof(buf));
	printf(" %s%s\n", before, buf);
}

void
checks_json(const struct checks *l)
{
	const struct check	*c;

	printf("[");
	for (c = l->v; c < l->v + l->n; c++) {
		printf("%s{\"check\":\"%s\",\"outcome\":\"%s\"",
		    c == l->v ? "" : ",", c->name, outcomes[c->outcome]);
		json_put_member("seen", c->seen);
		json_put_member("wanted", c->wanted);
		json_put_member("advice", c->advice);
		printf("}");
	}
	printf("]");
}

void
checks_free(struct checks *l)
{
	while (l->n > 0) {
		l->n--;
		free(l->v[l->n].seen);
		free(l->v[l->n].wanted);
	}
}

void
json_put(struct slice s)
{
	char	*text;
	size_t	 n;

	if (s.p == NULL) {
		printf("null");
		return;
	}
	if ((text = malloc(6 * s.len + 1)) == NULL)
		errx(CTL_INTERNAL, "out of memory");
	n = json_escape(s, s.len, text);
	printf("\"%.*s\"", (int)n, text);
	free(text);
}

void
json_put_member(const char *name, const char *s)
{
	printf(",\"%s\":", name);
	json_put(slice_of(s));
}
