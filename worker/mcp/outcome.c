/*
 * Looks for the members error, error.code and result.isError of a message, a
 * byte at a time.
 */
#include <string.h>

#include "worker/mcp/outcome.h"

#define FIELD		"data:"
#define CODE_MAX	(1LL << 53)

enum { AT_OTHER, AT_ERROR, AT_RESULT };
enum { IN_OTHER, IN_CODE, IN_IS_ERROR };

static void	 stream_byte(struct outcome *, char);
static void	 json_byte(struct outcome *, char);
static void	 string_byte(struct outcome *, char);
static void	 open_any(struct outcome *, int);
static void	 close_any(struct outcome *);
static void	 named(struct outcome *);
static void	 value(struct outcome *, char);
static void	 message_end(struct outcome *);
static void	 message_begin(struct outcome *);

void
outcome_begin(struct outcome *o, int events)
{
	memset(o, 0, sizeof(*o));
	o->events = events != 0;
}

void
outcome_feed(struct outcome *o, struct slice s)
{
	size_t	 i;

	if (o->events)
		for (i = 0; i < s.len; i++)
			stream_byte(o, s.p[i]);
	else
		for (i = 0; i < s.len; i++)
			json_byte(o, s.p[i]);
}

/* Lines end with CR, LF or both; an empty one ends an event (WHATWG HTML,
 * parsing an event stream). */
static void
stream_byte(struct outcome *o, char c)
{
	int	 empty = o->line == 0 && !o->skip;

	if (c == '\n' && o->after_cr) {
		o->after_cr = 0;
		return;
	}
	o->after_cr = c == '\r';
	if (c == '\r' || c == '\n') {
		if (empty)
			message_begin(o);
		o->line = o->skip = 0;
		return;
	}
	if (o->skip)
		return;
	if (o->line < sizeof(FIELD) - 1) {
		if (c != FIELD[o->line]) {
			o->skip = 1;
			return;
		}
		o->line++;
		o->first = 1;
		return;
	}
	if (!o->first || c != ' ')
		json_byte(o, c);
	o->first = 0;
}

/* The next event's. */
static void
message_begin(struct outcome *o)
{
	o->in_string = o->escaped = o->naming = o->number = 0;
	o->depth = 0;
	o->m_failed = o->m_result = o->m_coded = o->m_tool_error = 0;
}

static void
json_byte(struct outcome *o, char c)
{
	if (o->in_string) {
		string_byte(o, c);
		return;
	}
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		o->number = 0;
		return;
	case '"':
		o->in_string = 1;
		o->nname = 0;
		value(o, c);
		return;
	case '{':
	case '[':
		open_any(o, c == '[');
		return;
	case '}':
	case ']':
		close_any(o);
		return;
	case ',':
		o->number = 0;
		if (o->depth > 0 && o->depth <= 2)
			o->naming = (o->is_array >> (o->depth - 1) & 1) == 0;
		return;
	case ':':
		if (o->naming)
			named(o);
		o->naming = 0;
		return;
	default:
		value(o, c);
	}
}

static void
string_byte(struct outcome *o, char c)
{
	if (o->escaped)
		o->escaped = 0;
	else if (c == '\\')
		o->escaped = 1;
	else if (c == '"') {
		o->in_string = 0;
		return;
	}
	if (!o->naming)
		return;
	/* one that is longer is none of ours */
	if (o->nname < sizeof(o->name))
		o->name[o->nname] = c;
	if (o->nname <= sizeof(o->name))
		o->nname++;
}

static void
open_any(struct outcome *o, int array)
{
	if (o->depth == 1)
		value(o, '{');
	o->number = 0;
	o->depth++;
	if (o->depth > 2) {
		o->naming = 0;
		return;
	}
	o->is_array &= ~(1U << (o->depth - 1)) & 3U;
	o->is_array |= (array ? 1U : 0U) << (o->depth - 1) & 3U;
	o->naming = !array;
	if (o->depth == 1)
		o->at_top = AT_OTHER;
	o->at_inner = IN_OTHER;
}

static void
close_any(struct outcome *o)
{
	o->number = o->naming = 0;
	if (o->depth > 0 && --o->depth == 0)
		message_end(o);
}

static int
name_is(const struct outcome *o, const char *s)
{
	return (o->nname == strlen(s) && memcmp(o->name, s, o->nname) == 0);
}

static void
named(struct outcome *o)
{
	if (o->depth == 1)
		o->at_top = name_is(o, "error") ? AT_ERROR :
		    name_is(o, "result") ? AT_RESULT : AT_OTHER;
	else if (o->depth == 2)
		o->at_inner = o->at_top == AT_ERROR && name_is(o, "code") ?
		    IN_CODE : o->at_top == AT_RESULT &&
		    name_is(o, "isError") ? IN_IS_ERROR : IN_OTHER;
}

/* A value begins with this byte, or goes on with it. */
static void
value(struct outcome *o, char c)
{
	if (o->naming || o->depth == 0)
		return;
	if (o->depth == 1) {
		if (o->at_top == AT_ERROR && c == '{')
			o->m_failed = 1;
		else if (o->at_top == AT_RESULT)
			o->m_result = 1;
		return;
	}
	if (o->depth != 2)
		return;
	if (o->at_inner == IN_IS_ERROR && c == 't')
		o->m_tool_error = 1;
	if (o->at_inner != IN_CODE)
		return;
	if (!o->number && (c == '-' || (c >= '0' && c <= '9')) &&
	    !o->m_coded) {
		o->number = o->m_coded = 1;
		o->negative = c == '-';
		o->m_code = c == '-' ? 0 : c - '0';
	} else if (o->number && c >= '0' && c <= '9') {
		if (o->m_code < CODE_MAX / 10)
			o->m_code = o->m_code * 10 + (c - '0');
	} else if (o->number) {
		/* a fraction is no code */
		o->number = o->m_coded = 0;
		o->at_inner = IN_OTHER;
	}
}

static void
message_end(struct outcome *o)
{
	if (!o->m_failed && !o->m_result)
		return;
	o->answered = 1;
	o->failed = o->m_failed;
	o->coded = o->m_failed && o->m_coded;
	o->code = o->negative ? -o->m_code : o->m_code;
	o->tool_error = !o->m_failed && o->m_tool_error;
	o->m_failed = o->m_result = o->m_coded = o->m_tool_error = 0;
}
