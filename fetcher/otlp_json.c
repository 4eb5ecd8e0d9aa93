/*
 * What is in a span came from a worker, which may have been taken over: texts
 * are escaped and cut here, whatever they are.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "fetcher/otlp_json.h"

#define SCHEMA		"https://opentelemetry.io/schemas/1.41.0"
#define NAME_MAX_LEN	512	/* bytes of a span's name */
#define TEXT_MAX	256	/* of another text */
#define FLAGS_KNOWN	0x100	/* SpanFlags: it is known whether the parent */
#define FLAGS_REMOTE	0x200	/* is remote, and it is */

static char	*room(struct otlp_text *, size_t);
static void	 puts_raw(struct otlp_text *, const char *);
static void	 put_escaped(struct otlp_text *, struct slice, size_t);
static void	 put_attr(struct otlp_text *, const char *, struct slice,
		    size_t);
static void	 put_span(struct otlp_text *, const struct span_tree *,
		    const struct span *);
static void	 put_attrs(struct otlp_text *, const struct span *);
static void	 put_f(struct otlp_text *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static char *
room(struct otlp_text *t, size_t n)
{
	size_t	 cap = t->cap;
	char	*p;

	if (t->failed)
		return (NULL);
	if (n <= t->cap - t->len)
		return (t->p + t->len);
	while (cap - t->len < n)
		cap = cap == 0 ? 1024 : 2 * cap;
	if ((p = realloc(t->p, cap)) == NULL) {
		t->failed = 1;
		return (NULL);
	}
	t->p = p;
	t->cap = cap;
	return (p + t->len);
}

void
otlp_text_add(struct otlp_text *t, const char *s, size_t n)
{
	char	*p = room(t, n);

	if (p == NULL || n == 0)
		return;
	memcpy(p, s, n);
	t->len += n;
}

void
otlp_text_free(struct otlp_text *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}

static void
puts_raw(struct otlp_text *t, const char *s)
{
	otlp_text_add(t, s, strlen(s));
}

/* Short things. */
static void
put_f(struct otlp_text *t, const char *fmt, ...)
{
	char	 text[256];
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		t->failed = 1;
	else
		otlp_text_add(t, text, (size_t)n);
}

static void
put_escaped(struct otlp_text *t, struct slice s, size_t max)
{
	char	*p = room(t, 6 * max);

	if (p != NULL)
		t->len += json_escape(s, max, p);
}

static void
put_attr(struct otlp_text *t, const char *name, struct slice v, size_t max)
{
	puts_raw(t, "{\"key\":\"");
	put_escaped(t, slice_of(name), TEXT_MAX);
	puts_raw(t, "\",\"value\":{\"stringValue\":\"");
	put_escaped(t, v, max);
	puts_raw(t, "\"}}");
}

void
otlp_json_begin(struct otlp_text *t, const struct conf_telemetry *c,
    const char *instance)
{
	const struct conf_field	*f;
	int			 named = 0, versioned = 0;

	puts_raw(t, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	put_attr(t, "service.name", slice_of(c->service_name), TEXT_MAX);
	for (f = c->attrs; f < c->attrs + c->nattrs; f++) {
		named |= strcmp(f->name, "service.instance.id") == 0;
		versioned |= strcmp(f->name, "service.version") == 0;
		puts_raw(t, ",");
		put_attr(t, f->name, slice_of(f->value), 1024);
	}
	if (!versioned) {
		puts_raw(t, ",");
		put_attr(t, "service.version", slice_of(VERSION), TEXT_MAX);
	}
	if (!named) {
		puts_raw(t, ",");
		put_attr(t, "service.instance.id", slice_of(instance),
		    TEXT_MAX);
	}
	puts_raw(t, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"mcpgw\","
	    "\"version\":\"" VERSION "\"},\"spans\":[");
}

void
otlp_json_end(struct otlp_text *t)
{
	puts_raw(t, "],\"schemaUrl\":\"" SCHEMA "\"}],\"schemaUrl\":\"" SCHEMA
	    "\"}]}");
}

void
otlp_json_spans(struct otlp_text *t, const struct span_tree *tree)
{
	size_t	 i;

	for (i = 0; i < tree->n; i++) {
		if (i > 0)
			puts_raw(t, ",");
		put_span(t, tree, &tree->spans[i]);
	}
}

/* Numbers of 64 bits are strings, enumerations numbers. */
static void
put_span(struct otlp_text *t, const struct span_tree *tree,
    const struct span *s)
{
	put_f(t, "{\"traceId\":\"%.32s\",\"spanId\":\"%.16s\"", tree->trace,
	    s->id);
	if (tree->state.len > 0) {
		puts_raw(t, ",\"traceState\":\"");
		put_escaped(t, tree->state, SPAN_STATE_MAX);
		puts_raw(t, "\"");
	}
	if (s->has_parent)
		put_f(t, ",\"parentSpanId\":\"%.16s\"", s->parent);
	put_f(t, ",\"flags\":%u,\"name\":\"", tree->flags | FLAGS_KNOWN |
	    (s->remote ? FLAGS_REMOTE : 0U));
	put_escaped(t, s->name, NAME_MAX_LEN);
	put_f(t, "\",\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64 "\","
	    "\"endTimeUnixNano\":\"%" PRIu64 "\"", s->kind, s->begin, s->end);
	put_attrs(t, s);
	if (s->linked)
		put_f(t, ",\"links\":[{\"traceId\":\"%.32s\",\"spanId\":"
		    "\"%.16s\",\"flags\":%u}]", s->link_trace, s->link_id,
		    s->link_flags | FLAGS_KNOWN | FLAGS_REMOTE);
	puts_raw(t, ",\"status\":{");
	if (s->error && s->message.len > 0) {
		puts_raw(t, "\"message\":\"");
		put_escaped(t, s->message, TEXT_MAX);
		puts_raw(t, "\",");
	}
	puts_raw(t, s->error ? "\"code\":2}}" : "}}");
}

static void
put_attrs(struct otlp_text *t, const struct span *s)
{
	const struct span_attr	*a;

	puts_raw(t, ",\"attributes\":[");
	for (a = s->attrs; a < s->attrs + s->nattrs; a++) {
		if (a > s->attrs)
			puts_raw(t, ",");
		if (span_key_number(a->key))
			put_f(t, "{\"key\":\"%s\",\"value\":{\"intValue\":"
			    "\"%" PRIu64 "\"}}", span_key_name(a->key),
			    a->number & INT64_MAX);
		else
			put_attr(t, span_key_name(a->key), a->text, TEXT_MAX);
	}
	puts_raw(t, "]");
}
