/*
 * mcpgw.<upstream>.<name>: a dot is in no upstream's name, so that no name
 * can be read as another upstream's.
 */
#include <string.h>

#include "worker/wire/cookies.h"
#include "worker/wire/http1_put.h"

#define PREFIX	"mcpgw."

static char	 path[CONF_STR_MAX] = "/";	/* where clients send them */

static void	 put_own(struct buf *, struct slice, const char *, int *);
static void	 put_renamed(struct buf *, struct slice, const char *);
static int	 strip(struct slice *, const char *);
static int	 kept(struct slice);

void
cookies_setup(const struct worker_conf *conf)
{
	const char	*p = strstr(conf->oauth.public_url, "://");

	p = p == NULL ? NULL : strchr(p + 3, '/');
	if (p != NULL && strpbrk(p, ";,") == NULL && strlen(p) < sizeof(path))
		memcpy(path, p, strlen(p) + 1);
}

void
cookies_put_request(struct buf *b, const struct http1_head *h,
    const struct conf_upstream *u)
{
	size_t	 i;
	int	 any = 0;

	for (i = 0; i < u->nheaders; i++)
		if (strcasecmp(u->headers[i].name, "Cookie") == 0)
			return;	/* the configuration's is sent */
	for (i = 0; i < h->nfield; i++)
		if (!h->field[i].connection &&
		    h->field[i].id == HTTP1_COOKIE)
			put_own(b, h->field[i].value, u->name, &any);
	if (any)
		http1_close_field(b);
}

/* Go on with the field, of which any is there already. */
static void
put_own(struct buf *b, struct slice list, const char *upstream, int *any)
{
	struct slice	 pair;

	while (list.len > 0) {
		pair = slice_cut(&list, ';');
		if (!strip(&pair, PREFIX) || !strip(&pair, upstream) ||
		    !strip(&pair, ".") || pair.len == 0 || *pair.p == '=' ||
		    memchr(pair.p, '=', pair.len) == NULL)
			continue;
		if (*any)
			buf_puts(b, "; ");
		else
			http1_open_field(b, "Cookie");
		buf_append(b, pair.p, pair.len);
		*any = 1;
	}
}

void
cookies_put_response(struct buf *b, const struct http1_head *h,
    const struct conf_upstream *u)
{
	size_t	 i;

	for (i = 0; i < h->nfield; i++)
		if (!h->field[i].connection &&
		    h->field[i].id == HTTP1_SET_COOKIE)
			put_renamed(b, h->field[i].value, u->name);
}

static void
put_renamed(struct buf *b, struct slice v, const char *upstream)
{
	struct slice	 part = slice_cut(&v, ';');
	size_t		 n;

	for (n = 0; n < part.len && http1_is_tchar((unsigned char)part.p[n]);
	    n++)
		;
	if (n == 0 || n == part.len || part.p[n] != '=')
		return;
	http1_open_field(b, "Set-Cookie");
	buf_puts(b, PREFIX);
	buf_puts(b, upstream);
	buf_puts(b, ".");
	buf_append(b, part.p, part.len);
	while (v.len > 0) {
		part = slice_cut(&v, ';');
		if (!kept(part))
			continue;
		buf_puts(b, "; ");
		buf_append(b, part.p, part.len);
	}
	buf_puts(b, "; Path=");
	buf_puts(b, path);
	http1_close_field(b);
}

static int
strip(struct slice *s, const char *prefix)
{
	size_t	 n = strlen(prefix);

	if (s->len < n || memcmp(s->p, prefix, n) != 0)
		return (0);
	s->p += n;
	s->len -= n;
	return (1);
}

/* Attributes that say how long and how, not where. */
static int
kept(struct slice attribute)
{
	static const char *const names[] = { "Expires", "HttpOnly", "Max-Age",
	    "Partitioned", "Priority", "SameSite", "Secure" };
	struct slice	 name = slice_cut(&attribute, '=');
	size_t		 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is_nocase(name, names[i]))
			return (1);
	return (0);
}
