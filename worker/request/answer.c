/*
 * The gateway's own answers.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/stats.h"
#include "worker/base/state.h"
#include "worker/mcp/rpc.h"
#include "worker/request/answer.h"
#include "worker/request/cors.h"
#include "worker/request/metadata.h"
#include "worker/wire/http1_put.h"

#define MESSAGE_MAX	128	/* bytes of an error's message */
#define RPC_ERROR_MAX	2048	/* bytes of an error body */
#define ETAG_LEN	32	/* hexadecimal digits in it */

static const struct slice	 none = { NULL, 0 };
static const struct conf_oauth	*oauth;

static void	 answer_with(struct request *, int, const char *,
		    struct buf *, struct slice);
static void	 answer_send(struct request *, int, const char *,
		    const struct buf *, struct slice);
static void	 refused(struct request *, const struct refusal *,
		    const char *, const char *, struct slice);
static void	 put_refusal(struct buf *, const struct request *);
static void	 put_challenge(struct buf *, const struct request *,
		    const struct refusal *);
static void	 put_any_origin(struct buf *);
static void	 answer_document(struct request *, const struct http1_head *,
		    struct slice);
static int	 make_etag(struct slice, char *);
static int	 etag_listed(const struct http1_head *, const char *,
		    const char *, int);
static int	 etag_next(struct slice *, struct slice *, int *);
static int	 has_field(const struct http1_head *, const char *);

static void
answer_send(struct request *r, int status, const char *type,
    const struct buf *fields, struct slice body)
{
	struct client	*c = r->client;
	struct buf	*out;
	int		 failed;

	r->status = status;
	r->answering = 1;
	out = client_answer(c, status);
	if (type != NULL)
		http1_put_str(out, "Content-Type", type);
	http1_put_str(out, "Cache-Control", r->lasting ?
	    "public, max-age=300" : "no-store");
	http1_put_str(out, "X-Request-Id", r->id);
	http1_put_date(out);
	if (fields != NULL && fields->len > 0)
		buf_append(out, buf_data(fields), fields->len);
	if (r->origin.set)
		cors_put(out, request_text(r, r->origin), NULL);
	failed = client_fields_end(c, status != 204 && status != 304 ?
	    body.len : CLIENT_NO_BODY) == -1;
	if (!r->head_only)
		failed |= client_body(c, body) == -1;
	r->bytes_out = r->head_only ? 0 : body.len;
	stats_add(STATS_BYTES_OUT, r->bytes_out);
	if (failed) {
		client_abort(c);
		return;
	}
	request_finish(r, 0);
}

/* The same, unless its fields could not be put; they are freed. */
static void
answer_with(struct request *r, int status, const char *type,
    struct buf *fields, struct slice body)
{
	if (buf_check(fields) == -1)
		client_abort(r->client);
	else
		answer_send(r, status, type, fields, body);
	buf_free(fields);
}

void
answer_refuse(struct request *r, const struct refusal *f)
{
	refused(r, f, f->text, NULL, none);
}

void
answer_refuse_as(struct request *r, const struct refusal *f,
    const char *text)
{
	refused(r, f, text, NULL, none);
}

void
answer_refuse_data(struct request *r, const struct refusal *f,
    const char *data)
{
	refused(r, f, f->text, data, none);
}

void
answer_refuse_page(struct request *r, const struct refusal *f, int status,
    struct slice fields)
{
	if (r->refused.row == NULL)
		r->refused.status = status;
	refused(r, f, f->text, NULL, fields);
}

static void
refused(struct request *r, const struct refusal *row, const char *text,
    const char *data, struct slice fields)
{
	struct refused	*f = &r->refused;

	/* the first reason is the one that counts */
	if (f->row != NULL) {
		answer_refusal(r);
		return;
	}
	f->row = row;
	f->text = text;
	if (row->status != 0)
		f->status = row->status;
	if (data != NULL)
		request_keep_text(r, &f->data, (struct slice){ data,
		    strlen(data) + 1 });
	request_keep_text(r, &f->fields, fields);
	if ((data != NULL && !f->data.set) || (fields.p != NULL &&
	    !f->fields.set))
		client_abort(r->client);
	else
		answer_refusal(r);
}

void
answer_refusal(struct request *r)
{
	const struct refused	*f = &r->refused;
	struct slice		 id = request_text(r, r->rpc_id);
	struct slice		 data = request_text(r, f->data);
	struct buf		 fields = { 0 };
	char			 body[RPC_ERROR_MAX], text[6 * MESSAGE_MAX];
	int			 n, len;

	len = (int)json_escape(slice_of(f->text), MESSAGE_MAX, text);
	if (id.p == NULL && r->revision.null_id)
		id = slice_of("null");
	n = snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",%s%.*s%s"
	    "\"error\":{\"code\":%d,\"message\":\"%.*s\"%s%s}}\n",
	    id.p == NULL ? "" : "\"id\":", (int)id.len,
	    id.p == NULL ? "" : id.p, id.p == NULL ? "" : ",",
	    f->row->code, len, text, data.p == NULL ? "" : ",\"data\":",
	    data.p == NULL ? "" : data.p);
	if (n < 0 || (size_t)n >= sizeof(body)) {
		client_abort(r->client);
		return;
	}
	put_refusal(&fields, r);
	r->action = f->row->action;
	r->error = f->text;
	answer_with(r, f->status, "application/json", &fields,
	    (struct slice){ body, (size_t)n });
}

/* The fields that its row asks for. */
static void
put_refusal(struct buf *b, const struct request *r)
{
	const struct refusal	*f = r->refused.row;
	struct slice		 fields = request_text(r, r->refused.fields);

	if (f->challenge != CHALLENGE_NONE)
		put_challenge(b, r, f);
	if (f->retry != 0)
		http1_put_number(b, "Retry-After",
		    f->retry == REFUSAL_NOW ? 0 : (uint64_t)f->retry);
	if (f->allow != NULL)
		http1_put_str(b, "Allow", f->allow);
	buf_append(b, fields.p, fields.len);
}

void
answer_text(struct request *r, int status, const char *text)
{
	answer_send(r, status, "text/plain", NULL, slice_of(text));
}

void
answer_setup(const struct conf_oauth *c)
{
	oauth = c;
}

/* RFC 6750 section 3, RFC 9728 section 5.1. */
static void
put_challenge(struct buf *b, const struct request *r, const struct refusal *f)
{
	int	 scopes = f->challenge == CHALLENGE_SCOPES ||
		    (f->challenge == CHALLENGE_ASK && oauth->enabled);
	size_t	 i;

	http1_open_field(b, "WWW-Authenticate");
	buf_puts(b, "Bearer realm=\"mcpgw\"");
	/* without OAuth there is no such document */
	if (oauth->enabled) {
		buf_puts(b, ", resource_metadata=\"");
		metadata_put_url(b, request_text(r, r->name));
		buf_puts(b, "\"");
	}
	if (f->error != NULL)
		buf_printf(b, ", error=\"%s\"", f->error);
	for (i = 0; scopes && i < oauth->nscopes; i++)
		buf_printf(b, "%s%s", i == 0 ? ", scope=\"" : " ",
		    oauth->scopes[i]);
	if (scopes && oauth->nscopes > 0)
		buf_puts(b, "\"");
	http1_close_field(b);
}

void
answer_preflight(struct request *r, const struct http1_head *h)
{
	struct buf	 fields = { 0 };

	cors_put_preflight(&fields, h);
	r->action = AUDIT_ALLOW;
	answer_with(r, 204, NULL, &fields, slice_of(""));
}

void
answer_metadata(struct request *r, const struct http1_head *h,
    struct slice name)
{
	struct buf	 fields = { 0 };

	if (slice_is(h->method, "GET") || slice_is(h->method, "HEAD")) {
		answer_document(r, h, name);
		return;
	}
	put_any_origin(&fields);
	if (slice_is(h->method, "OPTIONS")) {
		http1_put_str(&fields, "Access-Control-Allow-Methods",
		    "GET, HEAD, OPTIONS");
		http1_put_str(&fields, "Access-Control-Allow-Headers",
		    "*, Authorization, MCP-Protocol-Version");
		http1_put_str(&fields, "Access-Control-Max-Age", "86400");
		answer_with(r, 204, NULL, &fields, slice_of(""));
		return;
	}
	http1_put_str(&fields, "Allow", "GET, HEAD, OPTIONS");
	answer_with(r, 405, "text/plain", &fields,
	    slice_of("method not allowed\n"));
}

/* Anybody may read the document: there is nothing in it but names. */
static void
put_any_origin(struct buf *b)
{
	http1_put_str(b, "Access-Control-Allow-Origin", "*");
}

static void
answer_document(struct request *r, const struct http1_head *h,
    struct slice name)
{
	struct slice	 doc;
	struct buf	 b = { 0 }, fields = { 0 };
	char		 etag[ETAG_LEN + 3];

	if (metadata_put_document(&b, name) == -1 ||
	    make_etag((struct slice){ buf_data(&b), b.len }, etag) == -1) {
		buf_free(&b);
		client_abort(r->client);
		return;
	}
	doc = (struct slice){ buf_data(&b), b.len };
	put_any_origin(&fields);
	http1_put_str(&fields, "ETag", etag);
	if (has_field(h, "If-Match") && !etag_listed(h, "If-Match", etag, 0)) {
		answer_with(r, 412, "text/plain", &fields,
		    slice_of("precondition failed\n"));
		buf_free(&b);
		return;
	}
	r->lasting = 1;
	if (etag_listed(h, "If-None-Match", etag, 1))
		answer_with(r, 304, NULL, &fields, slice_of(""));
	else
		answer_with(r, 200, "application/json", &fields, doc);
	buf_free(&b);
}

/* Of the bytes alone: every worker's is the same. */
static int
make_etag(struct slice doc, char *etag)
{
	unsigned char	 hash[EVP_MAX_MD_SIZE];
	size_t		 i;

	if (EVP_Digest(doc.p, doc.len, hash, NULL, EVP_sha256(), NULL) != 1)
		return (-1);
	*etag++ = '"';
	for (i = 0; i < ETAG_LEN / 2; i++) {
		*etag++ = "0123456789abcdef"[hash[i] >> 4];
		*etag++ = "0123456789abcdef"[hash[i] & 15];
	}
	*etag++ = '"';
	*etag = '\0';
	return (0);
}

static int
has_field(const struct http1_head *h, const char *name)
{
	size_t	 i;

	for (i = 0; i < h->nfield; i++)
		if (slice_is_nocase(h->field[i].name, name))
			return (1);
	return (0);
}

/* Does the field mean this representation?  A star does, alone; so does our
 * tag, where it may be weak also as W/ (RFC 9110 sections 13.1.1, 13.1.2).
 * What follows a malformed tag means nothing. */
static int
etag_listed(const struct http1_head *h, const char *name, const char *etag,
    int may_be_weak)
{
	struct slice	 list, tag;
	size_t		 i;
	int		 weak;

	for (i = 0; i < h->nfield; i++) {
		list = h->field[i].value;
		if (!slice_is_nocase(h->field[i].name, name))
			continue;
		if (slice_is(list, "*"))
			return (1);
		while (etag_next(&list, &tag, &weak))
			if (slice_is(tag, etag) && (!weak || may_be_weak))
				return (1);
	}
	return (0);
}

/* The next entity-tag of a list, with its quotes (RFC 9110 section 8.8.3);
 * commas may be part of it.  1, or 0: there is none. */
static int
etag_next(struct slice *list, struct slice *tag, int *weak)
{
	const char	*p = list->p, *end = list->p + list->len;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	*weak = end - p > 2 && memcmp(p, "W/", 2) == 0;
	p += *weak ? 2 : 0;
	tag->p = p;
	if (p == end || *p++ != '"')
		return (0);
	while (p < end && *p != '"' && (unsigned char)*p > 0x20)
		p++;
	if (p == end || *p++ != '"')
		return (0);
	tag->len = (size_t)(p - tag->p);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < end && *p != ',')
		return (0);
	*list = (struct slice){ p, (size_t)(end - p) };
	return (1);
}

void
answer_health(struct request *r, int ready, struct slice text,
    struct slice method)
{
	struct buf	 fields = { 0 };

	if (!slice_is(method, "GET") && !slice_is(method, "HEAD")) {
		http1_put_str(&fields, "Allow", "GET, HEAD");
		answer_with(r, 405, "text/plain", &fields,
		    slice_of("method not allowed\n"));
		return;
	}
	if (!ready)
		http1_put_str(&fields, "Retry-After", "1");
	answer_with(r, ready ? 200 : 503, "text/plain", &fields,
	    text);
}
