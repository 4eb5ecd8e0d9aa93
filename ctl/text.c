/*
 * Safe text, and its width.
 */
#include <locale.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "common/json.h"
#include "ctl/text.h"

static int	 one(const char *, size_t, wchar_t *, size_t *);
static int	 is_hidden(wchar_t);

static int	 utf8;		/* the terminal shows more than ASCII */

void
text_init(void)
{
	if (setlocale(LC_CTYPE, "") != NULL)
		utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int
text_fit(const char *s, int width, char *buf, size_t size)
{
	size_t	 at = 0, cut = 0, n;
	size_t	 len = strlen(s);
	wchar_t	 wc;
	int	 columns = 0, w, kept = 0;

	for (; len > 0; s += n, len -= n) {
		w = one(s, len, &wc, &n);
		/* where a "~" would fit if no more does */
		if (columns < width) {
			cut = at;
			kept = columns;
		}
		if (columns + w > width || at + n + 1 >= size)
			break;
		if (wc == L'?')
			buf[at++] = '?';
		else {
			memcpy(buf + at, s, n);
			at += n;
		}
		columns += w;
	}
	if (len > 0 && width > 0) {
		at = cut;
		columns = kept + 1;
		buf[at++] = '~';
	}
	buf[at] = '\0';
	return (columns);
}

int
text_width(const char *s)
{
	size_t	 n, len = strlen(s);
	wchar_t	 wc;
	int	 columns = 0;

	for (; len > 0; s += n, len -= n)
		columns += one(s, len, &wc, &n);
	return (columns);
}

/* The next character and its bytes; its columns.  "?" for what must not be
 * shown. */
static int
one(const char *s, size_t len, wchar_t *wc, size_t *n)
{
	mbstate_t	 st;
	int		 w;

	*n = 1;
	if ((unsigned char)*s < 0x80) {
		*wc = *s < ' ' || *s == 0x7f ? L'?' : (wchar_t)*s;
		return (1);
	}
	memset(&st, 0, sizeof(st));
	if (utf8 && (*n = mbrtowc(wc, s, len, &st)) <= 4 &&
	    (w = wcwidth(*wc)) > 0 && !is_hidden(*wc))
		return (w);
	if (*n == 0 || *n > 4)
		*n = 1;
	*wc = L'?';
	return (1);
}

/* Marks of writing direction have a width for some systems. */
static int
is_hidden(wchar_t wc)
{
	return ((wc >= 0x200b && wc <= 0x200f) ||
	    (wc >= 0x2028 && wc <= 0x202e) ||
	    (wc >= 0x2060 && wc <= 0x206f) || wc == 0x061c ||
	    wc == 0xfeff || (wc >= 0xe0000 && wc <= 0xe007f) ||
	    (wc >= 0x80 && wc < 0xa0) || !iswprint((wint_t)wc));
}

void
text_json(struct slice s)
{
	char		 out[6 * 4];
	unsigned char	 c;
	size_t		 n;

	for (; s.len > 0; s.p += n, s.len -= n) {
		c = (unsigned char)*s.p;
		n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (n > s.len)
			n = s.len;
		if (c < 0x20)
			putchar(c == '\n' ? c : ' ');
		else if (c < 0x7f)
			putchar(c);
		else
			fwrite(out, 1, json_escape((struct slice){ s.p, n }, n,
			    out), stdout);
	}
}

int
text_colours(void)
{
	const char	*no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0);
}
