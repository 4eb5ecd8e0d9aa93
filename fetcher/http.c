/*
 * libcurl on libevent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "fetcher/http.h"

#define REDIRECTS_MAX	3

struct http_get {
	CURL		*easy;
	struct curl_slist *fields;
	int		 post;
	http_done_cb	 done;
	void		*arg;
	char		*origin;	/* scheme and authority of the URL */
	char		*body;
	size_t		 len;
	size_t		 max;
	int		 redirects;
	int		 too_large;
	int		 coded;		/* in a way that we do not take */
	char		 error[CURL_ERROR_SIZE];
};

static struct event_base	*base;
static struct event		*timer;
static CURLM			*multi;

static int	 on_timer(CURLM *, long, void *);
static int	 on_socket(CURL *, curl_socket_t, int, void *, void *);
static void	 timer_event(evutil_socket_t, short, void *);
static void	 socket_event(evutil_socket_t, short, void *);
static size_t	 on_body(char *, size_t, size_t, void *);
static size_t	 on_header(char *, size_t, size_t, void *);
static int	 is_other(const char *, size_t, const char *,
		    const char *const *);
static void	 check_done(void);
static void	 finish(struct http_get *, CURLcode);
static int	 redirect(struct http_get *);
static char	*origin_of(const char *);
static int	 is_loopback(const char *);
static void	 get_free(struct http_get *);
static struct http_get *start(struct http_get *, long);
static struct curl_slist *field_add(struct curl_slist *, const char *);
static CURL	*easy_new(struct http_get *, const char *, const char *,
		    size_t, unsigned);
static void	 judge(struct http_get *, CURLcode, long, char *, size_t);

void
http_setup(struct event_base *b)
{
	base = b;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (multi = curl_multi_init()) == NULL ||
	    (timer = evtimer_new(base, timer_event, NULL)) == NULL)
		fatalx("libcurl cannot be set up");
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 8L);
}

struct http_get *
http_get(const char *url, const char *ca, size_t ca_len, size_t max, long ms,
    http_done_cb done, void *arg)
{
	struct http_get	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	g->done = done;
	g->arg = arg;
	g->max = max;
	g->fields = field_add(field_add(NULL,
	    "Accept: application/json, application/jwk-set+json"),
	    "Accept-Encoding: identity");
	g->easy = easy_new(g, url, ca, ca_len, CURL_BLOB_NOCOPY);
	return (start(g, ms));
}

struct http_get *
http_post(const struct http_message *m, size_t max, long ms,
    http_done_cb done, void *arg)
{
	struct http_get	*g;
	char		*line;
	size_t		 i;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	g->done = done;
	g->arg = arg;
	g->max = max;
	g->post = 1;
	g->fields = field_add(field_add(field_add(field_add(NULL,
	    "Content-Type: application/json"), "Content-Encoding: gzip"),
	    "Accept-Encoding: identity"), "Expect:");
	for (i = 0; i < m->nheaders; i++)
		if (asprintf(&line, "%s: %s", m->headers[i].name,
		    m->headers[i].value) != -1) {
			g->fields = field_add(g->fields, line);
			freezero(line, strlen(line));
		}
	g->easy = easy_new(g, m->url, m->ca, m->ca_len, CURL_BLOB_COPY);
	if (g->easy != NULL) {
		curl_easy_setopt(g->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(g->easy, CURLOPT_POSTFIELDS, m->body);
		curl_easy_setopt(g->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)m->len);
	}
	return (start(g, ms));
}

/* NULL, and all is freed, when something is lacking. */
static struct http_get *
start(struct http_get *g, long ms)
{
	if (g->easy != NULL) {
		curl_easy_setopt(g->easy, CURLOPT_HTTPHEADER, g->fields);
		curl_easy_setopt(g->easy, CURLOPT_TIMEOUT_MS, ms);
		curl_easy_setopt(g->easy, CURLOPT_CONNECTTIMEOUT_MS, ms);
		if (curl_multi_add_handle(multi, g->easy) == CURLM_OK)
			return (g);
	}
	get_free(g);
	return (NULL);
}

static struct curl_slist *
field_add(struct curl_slist *list, const char *line)
{
	struct curl_slist	*more = curl_slist_append(list, line);

	return (more == NULL ? list : more);
}

static CURL *
easy_new(struct http_get *g, const char *url, const char *ca, size_t ca_len,
    unsigned blob_flags)
{
	struct curl_blob blob;
	CURL		*e;

	if ((g->origin = origin_of(url)) == NULL ||
	    (e = curl_easy_init()) == NULL)
		return (NULL);
	/* some servers send gzip all the same; what counts for g->max is what
	 * comes out of it */
	curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, g);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, g->error);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, g);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, g);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "mcpgw/" VERSION);
	/* nothing of this machine's may change where we go */
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* else the end of a time limit waits for getaddrinfo(3), and all of
	 * the fetcher with it */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)g->max);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	if (ca != NULL) {
		blob.data = (void *)(uintptr_t)ca;
		blob.len = ca_len;
		blob.flags = blob_flags;
		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	return (e);
}

void
http_cancel(struct http_get *g)
{
	if (g == NULL)
		return;
	curl_multi_remove_handle(multi, g->easy);
	get_free(g);
}

static void
get_free(struct http_get *g)
{
	struct curl_slist	*l;

	if (g->easy != NULL)
		curl_easy_cleanup(g->easy);
	for (l = g->fields; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(g->fields);
	free(g->origin);
	free(g->body);
	free(g);
}

static int
on_timer(CURLM *m, long ms, void *arg)
{
	struct timeval	 tv;

	(void)m;
	(void)arg;
	if (ms < 0) {
		evtimer_del(timer);
		return (0);
	}
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	evtimer_add(timer, &tv);
	return (0);
}

static int
on_socket(CURL *e, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct event	*ev = sock;
	short		 events = EV_PERSIST;

	(void)e;
	(void)arg;
	if (ev != NULL)
		event_free(ev);
	curl_multi_assign(multi, fd, NULL);
	if (what == CURL_POLL_REMOVE)
		return (0);
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	ev = event_new(base, fd, events, socket_event, NULL);
	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("event_new");
	curl_multi_assign(multi, fd, ev);
	return (0);
}

static void
timer_event(evutil_socket_t fd, short what, void *arg)
{
	int	 running;

	(void)fd;
	(void)what;
	(void)arg;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_done();
}

static void
socket_event(evutil_socket_t fd, short what, void *arg)
{
	int	 running, mask = 0;

	(void)arg;
	if (what & EV_READ)
		mask |= CURL_CSELECT_IN;
	if (what & EV_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi, fd, mask, &running);
	check_done();
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_get	*g = arg;
	char		*grown;

	n *= size;
	if (n > g->max - g->len) {
		g->too_large = 1;
		return (0);
	}
	if ((grown = realloc(g->body, g->len + n + 1)) == NULL)
		return (0);
	g->body = grown;
	memcpy(g->body + g->len, p, n);
	g->len += n;
	return (n);
}

/* libcurl decodes whatever it can, on the way as well as at rest; what is not
 * gzip, at rest and once, ends here, before a decoder that wants more memory
 * has seen any of it. */
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	/* RFC 9110 section 8.4.1.3 */
	static const char *const codings[] = {
		"gzip", "x-gzip", "identity", "", NULL
	};
	static const char *const transfers[] = {
		"chunked", "identity", "", NULL
	};
	struct http_get	*g = arg;

	n *= size;
	if (!is_other(p, n, "content-encoding:", codings) &&
	    !is_other(p, n, "transfer-encoding:", transfers))
		return (n);
	g->coded = 1;
	return (0);
}

/* Is it this field, with none of these values? */
static int
is_other(const char *p, size_t n, const char *name, const char *const *values)
{
	size_t	 i = strlen(name);

	if (n < i || strncasecmp(p, name, i) != 0)
		return (0);
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	while (n > i && (unsigned char)p[n - 1] <= ' ')
		n--;
	for (; *values != NULL; values++)
		if (n - i == strlen(*values) &&
		    strncasecmp(p + i, *values, n - i) == 0)
			return (0);
	return (1);
}

static void
check_done(void)
{
	struct http_get	*g;
	CURLMsg		*m;
	CURLcode	 code;
	char		*private;
	int		 left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
		    &private);
		g = (struct http_get *)(void *)private;
		curl_multi_remove_handle(multi, g->easy);
		if (code == CURLE_OK && redirect(g))
			continue;
		finish(g, code);
	}
}

/* Follow within the origin, a few times.  1 when it is on its way again. */
static int
redirect(struct http_get *g)
{
	char	*to = NULL, *origin;
	long	 status = 0;
	int	 same;

	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(g->easy, CURLINFO_REDIRECT_URL, &to);
	if (g->post || status < 300 || status > 399 || to == NULL ||
	    ++g->redirects > REDIRECTS_MAX)
		return (0);
	origin = origin_of(to);
	same = origin != NULL && strcasecmp(origin, g->origin) == 0;
	free(origin);
	if (!same)
		return (0);
	g->len = 0;
	return (curl_easy_setopt(g->easy, CURLOPT_URL, to) == CURLE_OK &&
	    curl_multi_add_handle(multi, g->easy) == CURLM_OK);
}

static void
finish(struct http_get *g, CURLcode code)
{
	struct http_reply	 r;
	char			 why[CURL_ERROR_SIZE + 64];
	curl_off_t		 after = 0;

	memset(&r, 0, sizeof(r));
	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &r.status);
	curl_easy_getinfo(g->easy, CURLINFO_RETRY_AFTER, &after);
	judge(g, code, r.status, why, sizeof(why));
	r.ok = why[0] == '\0';
	r.error = why;
	r.body = g->body == NULL ? "" : g->body;
	r.len = g->len;
	r.retry_after = after;
	curl_easy_getinfo(g->easy, CURLINFO_CONTENT_TYPE, &r.content_type);
	g->done(g->arg, &r);
	get_free(g);
}

/* Why it is no good; or nothing. */
static void
judge(struct http_get *g, CURLcode code, long status, char *why, size_t size)
{
	char	*ip = NULL;
	long	 os_error = 0;

	curl_easy_getinfo(g->easy, CURLINFO_PRIMARY_IP, &ip);
	curl_easy_getinfo(g->easy, CURLINFO_OS_ERRNO, &os_error);
	why[0] = '\0';
	if (g->too_large || code == CURLE_FILESIZE_EXCEEDED)
		snprintf(why, size, "larger than %zu bytes", g->max);
	else if (g->coded)
		snprintf(why, size, "a content coding other than gzip");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(why, size, "no answer in time");
	else if (code == CURLE_COULDNT_CONNECT && os_error != 0)
		snprintf(why, size, "connect: %s", strerror((int)os_error));
	else if (code != CURLE_OK)
		snprintf(why, size, "%s", g->error[0] != '\0' ?
		    g->error : curl_easy_strerror(code));
	else if (g->post && (status < 200 || status > 299))
		snprintf(why, size, "HTTP status %ld", status);
	else if (g->post)
		return;
	else if (strncasecmp(g->origin, "http://", 7) == 0 &&
	    !is_loopback(ip))
		snprintf(why, size, "http is for this host only, and "
		    "it is at %s", ip == NULL ? "?" : ip);
	else if (status >= 300 && status <= 399)
		snprintf(why, size, "HTTP status %ld: a redirect to "
		    "another origin, or too many", status);
	else if (status != 200)
		snprintf(why, size, "HTTP status %ld (expected 200)",
		    status);
}

static char *
origin_of(const char *url)
{
	const char	*host = strstr(url, "://");

	if (host == NULL)
		return (NULL);
	host += 3;
	return (strndup(url, (size_t)(host - url) + strcspn(host, "/?#")));
}

static int
is_loopback(const char *ip)
{
	struct in_addr	 v4;
	struct in6_addr	 v6;

	if (ip == NULL)
		return (0);
	if (inet_pton(AF_INET, ip, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24 == 127);
	return (inet_pton(AF_INET6, ip, &v6) == 1 &&
	    IN6_IS_ADDR_LOOPBACK(&v6));
}
