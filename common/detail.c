/*
 * Texts of what was seen and wanted.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/detail.h"
#include "common/json.h"

#define CUT_MAX	256		/* bytes of a value in any detail */
#define DOTS	"..."
#define MORE	", " DOTS
#define QUOTES	(2 + sizeof(DOTS) - 1)

static void	 put(struct detail *, const char *, size_t);

void
detail_init(struct detail *d, size_t max, size_t cut)
{
	d->max = max < DETAIL_MAX ? max : DETAIL_MAX;
	d->cut = cut < CUT_MAX ? cut : CUT_MAX;
	d->len = 0;
	d->items = 0;
	d->full = 0;
	d->whole = 0;
	d->p[0] = '\0';
}

static void
put(struct detail *d, const char *s, size_t n)
{
	if (n > d->max - d->len) {
		n = d->max - d->len;
		d->full = 1;
	}
	memcpy(d->p + d->len, s, n);
	d->len += n;
	d->p[d->len] = '\0';
}

void
detail_puts(struct detail *d, const char *s)
{
	put(d, s, strlen(s));
}

void
detail_printf(struct detail *d, const char *fmt, ...)
{
	va_list	 ap;
	char	 text[DETAIL_MAX + 1];

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	detail_puts(d, text);
}

void
detail_quote(struct detail *d, struct slice s)
{
	char	 text[6 * CUT_MAX];
	size_t	 cut = s.len < d->cut ? s.len : d->cut, n;

	if (s.p == NULL) {
		detail_puts(d, "none");
		return;
	}
	if (d->max - d->len < QUOTES) {
		d->full = 1;
		return;
	}
	/* never in the middle of an escape */
	while ((n = json_escape(s, cut, text)) > d->max - d->len - QUOTES)
		cut /= 2;
	put(d, "\"", 1);
	put(d, text, n);
	put(d, "\"", 1);
	if (cut < s.len)
		detail_puts(d, DOTS);
}

void
detail_item(struct detail *d, struct slice s)
{
	size_t	 least = 2 + QUOTES + (s.len < 8 ? 6 * s.len : 48);
	size_t	 room = d->max - d->len;

	if (d->full)
		return;
	/* room for it, or much of it, and for the dots of the next */
	if (d->items > 0 && room < least + sizeof(MORE) - 1) {
		if (room >= sizeof(MORE) - 1)
			detail_puts(d, MORE);
		d->full = 1;
		return;
	}
	if (d->items++ > 0)
		detail_puts(d, ", ");
	detail_quote(d, s);
}
