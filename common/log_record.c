/*
 * Events of the log: filling them in, and their spellings.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/log_record.h"

#define NUMBER_MAX	20	/* digits */
#define ESCAPED		4	/* bytes of \xNN */
#define MARK		" event="
/* kept free for the end of a line: truncated, the closing brace, \n */
#define RESERVE		32

/* Appends to a line, and remembers that something had no room. */
struct out {
	char	*data;
	size_t	 len;
	size_t	 max;
	int	 full;
};

static void	 escape(char *, size_t, const char *, int *);
static size_t	 printable(const unsigned char *);
static int	 turns(uint32_t);
static void	 whole(char *, size_t);
static int	 key_ok(const char *);
static int	 number_ok(const char *);
static void	 put(struct out *, const char *, size_t);
static void	 put_str(struct out *, const char *);
static void	 put_message(struct out *, const char *);
static void	 put_json(struct out *, const char *, int);
static void	 put_member(struct out *, const char *, const char *);
static void	 put_value(struct out *, const struct log_field *);
static size_t	 end(struct out *, int, const char *, const char *);
static const char *level_word(int);
static const char *level_json(int);

void
log_record_init(struct log_record *r, int pri, const char *event)
{
	memset(r, 0, sizeof(*r));
	r->pri = pri;
	strncpy(r->event, event, sizeof(r->event) - 1);
}

void
log_record_text(struct log_record *r, const char *fmt, va_list ap)
{
	char	 raw[LOG_TEXT_MAX];

	if (vsnprintf(raw, sizeof(raw), fmt, ap) >= (int)sizeof(raw)) {
		whole(raw, sizeof(raw) - 1);
		r->cut = 1;
	}
	log_record_words(r, raw);
}

void
log_record_words(struct log_record *r, const char *words)
{
	int	 cut = 0;

	escape(r->text, sizeof(r->text), words, &cut);
	r->cut |= (uint8_t)cut;
}

void
log_record_append(struct log_record *r, const char *more)
{
	size_t	 n = strlen(r->text), len = strlen(more);
	size_t	 room = sizeof(r->text) - 1 - len;

	if (n > room) {
		memset(r->text + room, 0, n - room);
		whole(r->text, room);
		r->cut = 1;
	}
	memcpy(r->text + strlen(r->text), more, len);
}

int
log_record_add(struct log_record *r, const char *key, const char *value,
    int number)
{
	struct log_field	*f = &r->field[r->n];
	int			 cut = 0;
	size_t			 i;

	if (r->n >= LOG_PAIRS_MAX || !key_ok(key) ||
	    (number && !number_ok(value)))
		return (-1);
	for (i = 0; i < r->n; i++)
		if (strcmp(r->field[i].key, key) == 0)
			return (-1);
	memcpy(f->key, key, strlen(key));
	f->number = (uint8_t)(number != 0);
	escape(f->value, sizeof(f->value), value, &cut);
	r->cut |= (uint8_t)cut;
	r->n++;
	return (0);
}

void
log_record_count(struct log_record *r, unsigned n)
{
	struct log_field	*f;

	if (r->n == LOG_PAIRS_MAX) {
		r->n--;
		r->cut = 1;
	}
	f = &r->field[r->n++];
	memset(f, 0, sizeof(*f));
	f->number = 1;
	memcpy(f->key, "count", sizeof("count"));
	snprintf(f->value, sizeof(f->value), "%u", n);
}

/* Escape into a zeroed buffer; *cut is set when not all of it fits. */
static void
escape(char *out, size_t size, const char *in, int *cut)
{
	static const char	 hex[] = "0123456789abcdef";
	const unsigned char	*p = (const unsigned char *)in;
	size_t			 len, n = 0;

	for (; *p != '\0'; p += len > 0 ? len : 1) {
		len = printable(p);
		if (n + (len > 0 ? len : ESCAPED) >= size) {
			*cut = 1;
			break;
		}
		if (len > 0) {
			memcpy(out + n, p, len);
			n += len;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[*p >> 4];
		out[n++] = hex[*p & 15];
	}
	out[n] = '\0';
}

/* Is all that stands behind it shown in another direction, or line? */
static int
turns(uint32_t c)
{
	return (c == 0x61c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

/* Length of the UTF-8 character at p; 0 when it is none, or a control
 * character (C1 too: terminals obey them). */
static size_t
printable(const unsigned char *p)
{
	static const uint32_t	 least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	uint32_t		 c = *p;
	size_t			 i, len;

	if (c < 0x80)
		return (c >= 0x20 && c != 0x7f);
	len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4)
		return (0);
	c &= 0x7fU >> len;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)	/* the final NUL too */
			return (0);
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return (0);
	return (turns(c) ? 0 : len);
}

/* A string that was cut at n: without the part of a character at its end. */
static void
whole(char *s, size_t n)
{
	unsigned char	 c;
	size_t		 k = n, tail = 0;

	while (k > 0 && tail < 3 && ((unsigned char)s[k - 1] & 0xc0) == 0x80) {
		k--;
		tail++;
	}
	if (k == 0)
		return;
	c = (unsigned char)s[k - 1];
	if (c >= 0xc0 && tail + 1 < (c >= 0xf0 ? 4U : c >= 0xe0 ? 3U : 2U))
		memset(s + k - 1, 0, n - k + 1);
}

int
log_record_event_ok(const char *event)
{
	const char	*p;
	int		 dots = 0;

	for (p = event; *p != '\0'; p++) {
		if (*p == '.') {
			if (p == event || p[-1] == '.' || p[1] == '\0')
				return (0);
			dots++;
		} else if (!((*p >= 'a' && *p <= 'z') || *p == '_' ||
		    (*p >= '0' && *p <= '9')))
			return (0);
	}
	return (dots > 0 && p - event < LOG_EVENT_MAX);
}

/* What a line has of itself is not to be there twice. */
static int
key_ok(const char *key)
{
	static const char *const taken[] = { "ts", "level", "process",
			    "event", "msg", "count", "truncated" };
	const char	*p;
	size_t		 i;

	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(key, taken[i]) == 0)
			return (0);
	for (p = key; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || *p == '_' ||
		    (*p >= '0' && *p <= '9' && p > key)))
			return (0);
	return (p > key && p - key < LOG_KEY_MAX);
}

/* As JSON writes integers. */
static int
number_ok(const char *s)
{
	size_t	 n;

	s += *s == '-';
	n = strspn(s, "0123456789");
	return (n > 0 && n <= NUMBER_MAX && s[n] == '\0' &&
	    (*s != '0' || n == 1));
}

size_t
log_record_line(const struct log_record *r, const struct log_head *h,
    char line[LOG_LINE_MAX])
{
	struct out	 o = { line, 0, LOG_LINE_MAX - RESERVE, 0 };
	char		 pri[8];
	size_t		 i, before;

	if (h->journal) {
		snprintf(pri, sizeof(pri), "<%d>", r->pri);
		put_str(&o, pri);
	}
	if (h->when != NULL) {
		put_str(&o, h->when);
		put_str(&o, level_word(r->pri));
	}
	put_str(&o, h->process);
	put_str(&o, ":");
	put_message(&o, r->text);
	put_str(&o, MARK);
	put_str(&o, r->event);
	for (i = 0; i < r->n && !o.full; i++) {
		before = o.len;
		put_str(&o, " ");
		put_str(&o, r->field[i].key);
		put_str(&o, "=");
		put_value(&o, &r->field[i]);
		if (o.full)
			o.len = before;
	}
	return (end(&o, r->cut, " truncated=1", "\n"));
}

size_t
log_record_json(const struct log_record *r, const struct log_head *h,
    char line[LOG_LINE_MAX])
{
	struct out	 o = { line, 0, LOG_LINE_MAX - RESERVE, 0 };
	char		 pri[8];
	size_t		 i, before;

	if (h->journal) {
		snprintf(pri, sizeof(pri), "<%d>", r->pri);
		put_str(&o, pri);
	}
	put_str(&o, "{\"ts\":");
	put_json(&o, h->when != NULL ? h->when : "", 0);
	put_member(&o, "level", level_json(r->pri));
	put_member(&o, "process", h->process);
	put_member(&o, "event", r->event);
	put_member(&o, "msg", r->text);
	for (i = 0; i < r->n && !o.full; i++) {
		before = o.len;
		if (r->field[i].number) {
			put_str(&o, ",\"");
			put_str(&o, r->field[i].key);
			put_str(&o, "\":");
			put_str(&o, r->field[i].value);
		} else
			put_member(&o, r->field[i].key, r->field[i].value);
		if (o.full)
			o.len = before;
	}
	return (end(&o, r->cut, ",\"truncated\":1", "}\n"));
}

static void
put(struct out *o, const char *s, size_t n)
{
	if (o->full || n > o->max - o->len) {
		o->full = 1;
		return;
	}
	memcpy(o->data + o->len, s, n);
	o->len += n;
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* Behind "process:"; the mark is to be found once. */
static void
put_message(struct out *o, const char *text)
{
	const char	*p;
	size_t		 n = strlen(MARK) - 1;

	/* the space belongs to what might look like the mark */
	if (strncmp(text, &MARK[1], n) == 0) {
		put_str(o, " event\\x3d");
		text += n;
	} else
		put_str(o, " ");
	while ((p = strstr(text, MARK)) != NULL) {
		put(o, text, (size_t)(p - text) + n);
		put_str(o, "\\x3d");
		text = p + n + 1;
	}
	put_str(o, text);
}

/* A JSON string; mark: what looks like MARK is spelt otherwise. */
static void
put_json(struct out *o, const char *s, int mark)
{
	const char	*p;
	size_t		 n = strlen(MARK) - 1;

	put_str(o, "\"");
	while (*s != '\0') {
		p = s + strcspn(s, mark ? "\"\\ " : "\"\\");
		put(o, s, (size_t)(p - s));
		s = p;
		if (*s == '\0')
			break;
		if (*s != ' ') {
			put_str(o, "\\");
			put(o, s++, 1);
		} else if (strncmp(s, MARK, n + 1) == 0) {
			put(o, s, n);
			put_str(o, "\\u003d");
			s += n + 1;
		} else
			put(o, s++, 1);
	}
	put_str(o, "\"");
}

/* Not the first one. */
static void
put_member(struct out *o, const char *key, const char *value)
{
	put_str(o, ",\"");
	put_str(o, key);
	put_str(o, "\":");
	put_json(o, value, 0);
}

static void
put_value(struct out *o, const struct log_field *f)
{
	const char	*p;

	if (f->value[0] != '\0') {
		for (p = f->value; *p != '\0'; p++)
			if (*p <= ' ' || *p == '"' || *p == '\\' || *p == '=')
				break;
		if (*p == '\0') {
			put_str(o, f->value);
			return;
		}
	}
	put_json(o, f->value, 1);
}

static size_t
end(struct out *o, int cut, const char *truncated, const char *last)
{
	cut |= o->full;
	o->max = LOG_LINE_MAX - 1;
	o->full = 0;
	if (cut)
		put_str(o, truncated);
	put_str(o, last);
	o->data[o->len] = '\0';
	return (o->len);
}

static const char *
level_word(int pri)
{
	switch (pri) {
	case LOG_DEBUG:
		return (" debug ");
	case LOG_INFO:
		return (" info ");
	case LOG_WARNING:
		return (" warn ");
	case LOG_ERR:
		return (" error ");
	default:
		return (" fatal ");
	}
}

/* What is fatal is an error to those who filter. */
static const char *
level_json(int pri)
{
	return (log_level_name(pri < LOG_ERR ? LOG_ERR : pri));
}

const char *
log_level_name(int pri)
{
	switch (pri) {
	case LOG_ERR:
		return ("error");
	case LOG_WARNING:
		return ("warning");
	case LOG_DEBUG:
		return ("debug");
	default:
		return ("info");
	}
}

int
log_level_parse(const char *name)
{
	static const int levels[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
			    LOG_DEBUG };
	size_t	 i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(name, log_level_name(levels[i])) == 0)
			return (levels[i]);
	return (-1);
}
