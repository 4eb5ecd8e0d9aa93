/*
 * Watching an event stream.  Lines are told apart by CR, LF and CRLF; the
 * data of an event goes through a scanner that looks at the top level of a
 * JSON object only and keeps nothing but a name, so that an event may be of
 * any size.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/block.h"
#include "worker/wire/sse.h"

#define NAME_MAX_LEN	40	/* more than "\u0072..." for each letter of a
				 * name that we look for */

typedef int8_t signed_block __attribute__((vector_size(BLOCK)));

enum line { L_FIELD, L_DATA, L_OTHER };

struct sse {
	/* the line */
	enum line	 line;
	unsigned	 nfield;	/* bytes of a field's name seen */
	unsigned	 fields;	/* those it may be, a bit each */
	int		 cr;		/* the last byte was CR */
	int		 crlf;		/* there was a CRLF */
	int		 named;		/* nothing but CR behind a string */
	int		 empty;		/* nothing on this line yet */
	int		 comment;	/* the line begins with a colon */
	int		 space;		/* a space after the colon may follow */
	int		 fore;		/* nothing of its data yet */
	unsigned	 bom;		/* of a leading mark, seen; over: 3 */
	int		 begun;		/* a byte was fed */
	unsigned	 late;		/* of a mark to be dropped: 1 + how many
					 * bytes of it came; 0: none may */
	/* the event */
	int		 any;		/* it has a line already */
	int		 has_data;
	/* ends of lines that some readers know */
	unsigned	 odd;		/* bytes of one seen: of LS and PS */
	int		 odd_text;	/* one was in a string of this event */
	int		 behind;	/* its data so far ends in a string */
	int		 doubt;		/* what follows may be the response, */
	int		 told;		/* and it was said */
	/* the JSON of its data */
	unsigned	 depth;
	unsigned	 arrays;	/* of it, outside of any object */
	int		 in_string;
	int		 escaped;
	int		 expect_name;	/* at the top level, a name is next */
	int		 naming;	/* inside that name */
	char		 name[NAME_MAX_LEN];
	unsigned	 nname;
	int		 is_object;
	int		 has_answer;	/* result or error */
	int		 passing;	/* some may have the response by now */
};

/* The fields that there are (section 9.2.6); data is the first. */
static const char *const fields[] = { "data", "event", "id", "retry" };

#define NFIELDS	(sizeof(fields) / sizeof(fields[0]))

/* U+FEFF, which may begin a stream and says nothing. */
static const char	 mark[] = "\xef\xbb\xbf";

static int	 fresh(const struct sse *);
static size_t	 quiet_run(struct sse *, const char *, size_t);
static size_t	 telling(const char *, size_t);
static int	 tells(const char *, size_t);
static size_t	 last_end(const char *, size_t);
static size_t	 line_run(struct sse *, const char *, size_t);
static size_t	 inert(const char *, size_t);
static int	 ends_line(unsigned char);
static void	 odd_byte(struct sse *, unsigned char);
static void	 lone_cr(struct sse *, char);
static int	 line_end(struct sse *);
static int	 mark_byte(struct sse *, char);
static void	 line_byte(struct sse *, char);
static void	 field_byte(struct sse *, char);
static void	 data_byte(struct sse *, char);
static int	 follows(const struct sse *, char);
static int	 folds_to(struct slice, const char *);
static int	 is_answer(struct slice, const char *);
static void	 name_end(struct sse *);
static unsigned	 name_plain(char *, unsigned);
static void	 event_begin(struct sse *);

struct sse *
sse_new(void)
{
	struct sse	*s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->empty = 1;
		event_begin(s);
	}
	return (s);
}

void
sse_free(struct sse *s)
{
	free(s);
}

int
sse_at_boundary(const struct sse *s)
{
	/* where lines end in CRLF, its second half is on its way */
	return (!s->any && s->empty && !(s->cr && s->crlf));
}

int
sse_answered(const struct sse *s)
{
	return (s->passing);
}

void
sse_inserted(struct sse *s)
{
	if (s->begun || s->late > 0)
		return;
	s->bom = 3;
	s->late = 1;
}

size_t
sse_late_mark(struct sse *s, struct slice in, struct slice *owed)
{
	size_t	 n, before;

	*owed = (struct slice){ mark, 0 };
	if (s->late == 0)
		return (0);
	before = s->late - 1;
	for (n = 0; n < in.len && before + n < sizeof(mark) - 1; n++)
		if (in.p[n] != mark[before + n]) {
			owed->len = before;
			s->late = 0;
			return (0);
		}
	s->late += (unsigned)n;
	if (s->late == sizeof(mark)) {
		s->late = 0;
		s->begun = 1;
	}
	return (n);
}

static void
event_begin(struct sse *s)
{
	s->any = 0;
	s->has_data = 0;
	s->odd_text = s->behind = 0;
	s->depth = s->arrays = 0;
	s->in_string = s->escaped = 0;
	s->expect_name = s->naming = 0;
	s->nname = 0;
	s->is_object = 0;
	s->has_answer = 0;
}

size_t
sse_feed(struct sse *s, struct slice in, int *response)
{
	size_t	 i, clear = 0;
	char	 c;

	*response = 0;
	s->begun |= in.len > 0;
	for (i = 0; i < in.len; i++) {
		/* what was found to be of no use once is not looked at twice */
		if (i >= clear && fresh(s)) {
			clear = i + telling(in.p + i, in.len - i);
			i += quiet_run(s, in.p + i, clear - i);
			if (i == in.len)
				break;
		}
		i += line_run(s, in.p + i, in.len - i);
		if (s->doubt && !s->told) {
			s->told = *response = 1;
			return (i);
		}
		if (i == in.len)
			break;
		c = in.p[i];
		if (c == '\n' && s->cr) {
			s->cr = 0;	/* the other half of CRLF */
			s->crlf = 1;
			s->named = 0;
			continue;
		}
		if (s->cr)
			lone_cr(s, c);
		s->cr = c == '\r';
		if (c != '\n' && c != '\r') {
			line_byte(s, c);
			if (!s->doubt || s->told)
				continue;
			s->told = *response = 1;
			return (i + 1);
		}
		s->odd = 0;
		/* the line end that is the last of this event: stop at it */
		if (s->empty && s->any && s->has_data && s->is_object &&
		    s->has_answer) {
			event_begin(s);
			s->passing = 0;
			*response = 1;
			return (i);
		}
		if (line_end(s))
			event_begin(s);
	}
	return (in.len);
}

/* Nothing of a line is there, nor of an event. */
static int
fresh(const struct sse *s)
{
	return (s->empty && !s->any && !s->cr && s->bom == 3);
}

/* Pass whole events in which there is no answer, without taking them apart.
 * Returns how many bytes that were. */
static size_t
quiet_run(struct sse *s, const char *p, size_t len)
{
	const char	*cr = p;
	size_t		 n = last_end(p, len);

	while (!s->crlf && (cr = memchr(cr, '\r',
	    (size_t)(p + n - cr))) != NULL)
		s->crlf = *++cr == '\n';
	return (n);
}

/* How many bytes come before the first that could be of a name by which an
 * answer is known, or an odd end of a line.  There is none without. */
static size_t
telling(const char *p, size_t len)
{
	size_t	 n = 0, k;
	block	 c, d, e, hit;

	for (; len - n >= BLOCK + 2; n += k + 1) {
		c = block_load(p + n);
		d = block_load(p + n + 1);
		e = block_load(p + n + 2);
		d |= 0x20;
		e |= 0x20;
		hit = (block)(((c == '"') & (((d == 'r') & (e == 'e')) |
		    ((d == 'e') & (e == 'r')))) |
		    ((c == '\\') & (d == 'u') & (e == '0')) |
		    ((c >= 0x0b) & (c <= 0x1e) & (c != '\r')) | (c == 0x85) |
		    ((c == 0xe2) & (d == 0xa0) & ((e & 0xfe) == 0xa8)));
		k = block_first(hit);
		if (k == BLOCK)
			k--;
		else if (tells(p + n + k, len - n - k))
			return (n + k);
	}
	while (n < len && !tells(p + n, len - n))
		n++;
	return (n);
}

/* Does "result" or "error" begin here, or an escape of a letter, or the end of
 * a line to some; or may one, for all that is known? */
static int
tells(const char *p, size_t len)
{
	static const struct slice	 names[] = {
		{ "\\u004", 5 }, { "\\u005", 5 }, { "\\u006", 5 },
		{ "\\u007", 5 }, { "\\u017", 5 },
		{ "\xe2\x80\xa8", 3 }, { "\xe2\x80\xa9", 3 }
	};
	size_t				 i;

	if (*p == '"')
		return (folds_to((struct slice){ p, len },
		    "\"result\"") != 0 ||
		    folds_to((struct slice){ p, len }, "\"error\"") != 0);
	if (*p != '\\' && *p != '\xe2')
		return (ends_line((unsigned char)*p));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (memcmp(p, names[i].p, len < names[i].len ? len :
		    names[i].len) == 0)
			return (1);
	return (0);
}

/* VT, FF, FS, GS, RS, and the last byte of NEL: to Python, for one. */
static int
ends_line(unsigned char c)
{
	return (c == 0x0b || c == 0x0c || (c >= 0x1c && c <= 0x1e) ||
	    c == 0x85);
}

/* Look for such an end of a line; in text it tells nothing as long as the
 * text is one. */
static void
odd_byte(struct sse *s, unsigned char c)
{
	static const unsigned char	 ls[] = { 0xe2, 0x80 };
	int				 end = ends_line(c);

	if (s->odd == 2)
		end |= (c & 0xfe) == 0xa8;
	s->odd = s->odd < 2 && c == ls[s->odd] ? s->odd + 1 : c == ls[0];
	if (!end)
		return;
	if (s->line == L_DATA && s->in_string)
		s->odd_text = 1;
	else
		s->doubt = 1;
}

/* Where the last event in here ends, if there is a whole one; else 0. */
static size_t
last_end(const char *p, size_t len)
{
	const char	*nl;

	while ((nl = memrchr(p, '\n', len)) != NULL) {
		len = (size_t)(nl - p);
		if ((len > 0 && nl[-1] == '\n') ||
		    (len > 1 && nl[-1] == '\r' && nl[-2] == '\n'))
			return (len + 1);
	}
	return (0);
}

/* Go on with a line whose field is known, up to its end or to a doubt that was
 * not told.  Returns how many bytes that were. */
static size_t
line_run(struct sse *s, const char *p, size_t len)
{
	size_t	 n = 0;

	if (s->empty || s->space || s->line == L_FIELD)
		return (0);
	for (;; n++) {
		if (s->doubt && !s->told)
			return (n);
		if (s->odd == 0 && (s->line == L_OTHER ||
		    (s->in_string && !s->escaped && !s->naming)))
			n += inert(p + n, len - n);
		if (n == len || p[n] == '\n' || p[n] == '\r')
			return (n);
		odd_byte(s, (unsigned char)p[n]);
		if (s->line == L_DATA)
			data_byte(s, p[n]);
	}
}

/* How many of the next bytes mean nothing inside of a string: most of a
 * stream are such. */
static size_t
inert(const char *p, size_t len)
{
	size_t	 n = 0, k;
	block	 c, odd, told;

	for (; len - n >= BLOCK; n += BLOCK) {
		c = block_load(p + n);
		/* a control character, or one that is not ASCII */
		odd = (block)((signed_block)c < 0x20);
		told = (block)((c == '"') | (c == '\\'));
		if (!block_any(odd | told))
			continue;
		k = block_first((block)(told | (c < 0x20) | (c == 0x85) |
		    (c == 0xe2)));
		if (k < BLOCK)
			return (n + k);
	}
	while (n < len && p[n] != '"' && p[n] != '\\' &&
	    (unsigned char)p[n] >= 0x20 && p[n] != '\x85' && p[n] != '\xe2')
		n++;
	return (n);
}

/*
 * This byte, no LF, follows a CR.  Those to whom only LF ends a line read on
 * in their JSON: it may be any, but all except a colon is behind the end of a
 * line no field.
 */
static void
lone_cr(struct sse *s, char c)
{
	s->named |= s->behind;
	if (s->named && c == ':')
		s->passing = 1;
	if (c != '\r')
		s->named = 0;
}

/* 1 when an event ended. */
static int
line_end(struct sse *s)
{
	int	 was_empty = s->empty;

	if (s->line == L_DATA) {
		/* no text goes on like this: some forget what came before,
		 * and what is text to us is a message to them */
		if (s->in_string || (s->has_answer && s->depth == 0))
			s->passing = 1;
		data_byte(s, '\n');
	}
	s->line = L_FIELD;
	s->nfield = 0;
	s->space = 0;
	s->bom = 3;
	s->empty = 1;
	/* a comment is no part of an event */
	if (!was_empty && !s->comment)
		s->any = 1;
	s->comment = 0;
	return (was_empty);
}

/* A byte order mark at the start of the stream is no part of its first line:
 * 1 for its bytes. */
static int
mark_byte(struct sse *s, char c)
{
	if (s->bom >= 3)
		return (0);
	if (c == mark[s->bom]) {
		if (++s->bom == 3)
			s->empty = 1;
		return (1);
	}
	/* a part of a mark is a part of a name that nobody knows */
	if (s->bom > 0) {
		s->line = L_OTHER;
		s->passing = 1;
	}
	s->bom = 3;
	return (0);
}

static void
line_byte(struct sse *s, char c)
{
	s->empty = 0;
	if (mark_byte(s, c))
		return;
	odd_byte(s, (unsigned char)c);
	switch (s->line) {
	case L_FIELD:
		field_byte(s, c);
		break;
	case L_DATA:
		if (s->space && c == ' ') {
			s->space = 0;
			break;
		}
		s->space = 0;
		data_byte(s, c);
		break;
	case L_OTHER:
		break;
	}
}

/* A byte of a field's name, or the colon behind it.  One that nobody knows may
 * be data's to those who ignore case, or spaces, or a mark that was coded
 * twice. */
static void
field_byte(struct sse *s, char c)
{
	unsigned	 i, left = 0;

	if (s->nfield == 0) {
		s->fields = (1U << NFIELDS) - 1;
		s->comment = c == ':';
	}
	for (i = 0; i < NFIELDS; i++)
		if ((s->fields & 1U << i) != 0 &&
		    c == (fields[i][s->nfield] == '\0' ? ':' :
		    fields[i][s->nfield]))
			left |= 1U << i;
	s->nfield++;
	s->fields = left;
	if (left == 0 && !s->comment)
		s->passing = 1;
	if (left == 0 || c == ':')
		s->line = L_OTHER;
	if (left != 1 || c != ':')
		return;
	s->line = L_DATA;
	s->space = s->fore = 1;
	s->has_data = 1;
}

/* Just enough of JSON to see the member names of the outermost object, or of
 * those in the outermost arrays. */
static void
data_byte(struct sse *s, char c)
{
	if (s->fore && c != ' ' && c != '\t') {
		s->fore = 0;
		/* to those who take each line for itself, or have not seen
		 * those before it, a message may begin */
		if ((c == '{' || c == '[') && s->depth > 0)
			s->passing = 1;
	}
	if (s->in_string) {
		if (s->escaped)
			s->escaped = 0;
		else if (c == '\\')
			s->escaped = 1;
		else if (c == '"') {
			s->in_string = 0;
			s->behind = 1;
			if (s->naming)
				name_end(s);
			return;
		}
		if (s->naming && s->nname < NAME_MAX_LEN)
			s->name[s->nname++] = c;
		return;
	}
	if (s->odd_text && !follows(s, c))
		s->doubt = 1;
	if (c != ' ' && c != '\t' && c != '\n')
		s->behind = 0;
	switch (c) {
	case '"':
		s->in_string = 1;
		s->naming = s->expect_name;
		s->nname = 0;
		s->expect_name = 0;
		break;
	case '{':
	case '[':
		if (s->depth++ != s->arrays)
			break;
		if (c == '[')
			s->arrays++;
		else {
			s->is_object = 1;
			s->expect_name = 1;
		}
		break;
	case '}':
	case ']':
		if (s->depth > 0)
			s->depth--;
		if (s->arrays > s->depth)
			s->arrays = s->depth;
		break;
	case ',':
		s->expect_name = s->is_object && s->depth == s->arrays + 1;
		break;
	}
}

/* Can it come here, outside of a string?  If not, what was taken for text was
 * none. */
static int
follows(const struct sse *s, char c)
{
	if (c == ' ' || c == '\t' || c == '\n')
		return (1);
	if (s->behind)
		return (c == ',' || c == ':' || c == ']' || c == '}');
	return (c != '\0' && strchr("\"{}[],:+-.0123456789eEtrufalsn", c) !=
	    NULL);
}

/* Is it this name but for case?  To some clients it is the same then, and by
 * the simple folding of Unicode U+017F is an s.  1; -1: as far as it goes. */
static int
folds_to(struct slice s, const char *name)
{
	for (; *name != '\0'; name++) {
		if (s.len == 0)
			return (-1);
		if (*name == 's' && *s.p == '\xc5' && (s.len == 1 ||
		    s.p[1] == '\xbf')) {
			s.p += s.len > 1;
			s.len -= s.len > 1;
		} else if (*s.p != *name && (*s.p | 0x20) != *name)
			return (0);
		s.p++;
		s.len--;
	}
	return (1);
}

static void
name_end(struct sse *s)
{
	struct slice	 name = { s->name, name_plain(s->name, s->nname) };

	s->naming = 0;
	if (is_answer(name, "result") || is_answer(name, "error"))
		s->has_answer = 1;
}

static int
is_answer(struct slice name, const char *known)
{
	size_t	 n = strlen(known);

	return (name.len >= n && name.len <= n + 1 &&
	    folds_to(name, known) == 1 &&
	    (name.len == n || memchr(name.p, '\xc5', n) != NULL));
}

/*
 * Undo escapes of ASCII letters, in place: a name is the same however it is
 * spelled.  What else is escaped is in no name that we look for, so it need
 * only differ.  Returns the length.
 */
static unsigned
name_plain(char *p, unsigned len)
{
	unsigned	 i, k, n = 0, v;
	char		 c;

	for (i = 0; i < len; i++) {
		c = p[i];
		if (c == '\\') {
			v = 0;
			for (k = i + 2; k < len && k < i + 6 &&
			    isxdigit((unsigned char)p[k]); k++)
				v = v << 4 | (unsigned)(p[k] <= '9' ?
				    p[k] - '0' : (p[k] | 0x20) - 'a' + 10);
			if (i + 1 < len && p[i + 1] == 'u' && k == i + 6) {
				c = v > 0 && v < 0x80 ? (char)v :
				    v == 0x17f ? 's' : '\\';
				i += 5;
			} else
				i++;
		}
		p[n++] = c;
	}
	return (n);
}
