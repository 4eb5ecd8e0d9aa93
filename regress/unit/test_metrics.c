/*
 * monitor/: whatever a process wrote in its slot, what is made of it can be
 * read, and nothing is in it twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "monitor/metrics.h"
#include "monitor/report.h"
#include "monitor/view.h"

#define ROUNDS	20

static struct view		 view;
static struct stats_slot	 slot;
static uint64_t			 seed;

static uint64_t
chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed);
}

static void
scribble(void *p, size_t len)
{
	uint8_t	*b = p;
	size_t	 i;

	for (i = 0; i < len; i++)
		b[i] = (uint8_t)(chance() >> 32);
}

/* What the master writes has its texts end, and counts are in bounds. */
static void
board_sane(struct board *b)
{
	size_t	 i;

	b->nlive = b->nprocesses = b->ngenerations = 0;
	b->nupstreams = 3;
	b->nservers = 3;
	for (i = 0; i < 3; i++) {
		snprintf(b->upstreams[i].name, sizeof(b->upstreams[i].name),
		    "up%zu", i);
		b->servers[i].upstream = (uint32_t)i;
		b->servers[i].serving = i < 2;
		snprintf(b->servers[i].url, sizeof(b->servers[i].url),
		    "http://h:%zu", i);
	}
	b->serving = 1;
	b->config_loaded = 1000;
	snprintf(b->config_path, sizeof(b->config_path), "/a\"b\\c");
}

static char *
metrics(int open)
{
	struct evbuffer	*b = evbuffer_new();
	char		*s;
	size_t		 n;

	metrics_put(b, &view, open);
	n = evbuffer_get_length(b);
	s = malloc(n + 1);
	assert_non_null(s);
	evbuffer_remove(b, s, n);
	s[n] = '\0';
	assert_int_equal(strlen(s), n);
	evbuffer_free(b);
	return (s);
}

static char *
report(enum report what)
{
	struct evbuffer	*b = evbuffer_new();
	char		*s;
	size_t		 n;

	report_put(b, &view, what);
	n = evbuffer_get_length(b);
	s = malloc(n + 1);
	assert_non_null(s);
	evbuffer_remove(b, s, n);
	s[n] = '\0';
	assert_int_equal(json_check(s, n - 1), JSON_OK);
	evbuffer_free(b);
	return (s);
}

/* name{label="value",...} number, as both formats have it. */
static const char *
sample_end(const char *p)
{
	size_t	 n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");

	assert_true(n > 0);
	p += n;
	if (*p != '{')
		return (p);
	do {
		p++;
		n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
		assert_true(n > 0 && p[n] == '=' && p[n + 1] == '"');
		for (p += n + 2; *p != '"'; p++) {
			assert_true((unsigned char)*p >= 0x20);
			if (*p == '\\') {
				p++;
				assert_true(*p == '\\' || *p == '"');
			}
		}
		p++;
	} while (*p == ',');
	assert_int_equal(*p, '}');
	return (p + 1);
}

static int
compare(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static void
check_lines(char *s)
{
	static char	*series[100000];
	size_t		 i, n = 0, digits;
	char		*line, *end, *rest = s;

	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		if (*line == '#')
			continue;
		end = line + (sample_end(line) - line);
		assert_int_equal(*end, ' ');
		digits = strspn(end + 1, "0123456789.");
		assert_true(digits > 0 && end[1 + digits] == '\0');
		*end = '\0';
		assert_true(n < sizeof(series) / sizeof(series[0]));
		series[n++] = line;
	}
	qsort(series, n, sizeof(series[0]), compare);
	for (i = 1; i < n; i++)
		assert_string_not_equal(series[i - 1], series[i]);
}

static void
any_slot(void **state)
{
	char	*s;
	int	 i, open;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		seed = 88172645463325252ULL + (uint64_t)i;
		memset(&view, 0, sizeof(view));
		scribble(&slot, sizeof(slot));
		board_sane(&view.board);
		view.now = 2000;
		stats_merge(&view.board.past, &slot);
		if (i % 2 == 1)
			memcpy(&view.board.past, &slot, sizeof(slot));
		for (open = 0; open < 2; open++) {
			s = metrics(open);
			check_lines(s);
			free(s);
		}
		free(report(REPORT_ALL));
		free(report(REPORT_SESSIONS));
	}
}

/* -- values -------------------------------------------------------------- */

static void
fresh(void)
{
	memset(&view, 0, sizeof(view));
	memset(&slot, 0, sizeof(slot));
	board_sane(&view.board);
	view.now = 61000;
}

static void
has(const char *s, const char *line)
{
	char	 want[512];

	snprintf(want, sizeof(want), "\n%s\n", line);
	if (strstr(s, want) == NULL)
		fail_msg("no line %s in\n%s", line, s);
}

static void
counted(void **state)
{
	const struct stats_key	 key = { 1, 4, 0, 2, 1 };
	struct stats_name	*n;
	struct stats_op		*o;
	char			*s;

	(void)state;
	fresh();
	stats_bump(&slot.n[STATS_CONNECTIONS], 7);
	stats_attach(&slot);
	stats_count_request(&key);
	o = stats_op(slot.server, 1, 4, stats_error_rpc(-32602));
	stats_time_ms(&o->time, 15000);
	stats_time_ms(&o->time, 400000000);
	n = stats_name(slot.tools, 1, "a\"\\\n\xff\xc3\xa9", 7, 1);
	stats_time_ms(&n->time, 1);
	stats_merge(&view.board.past, &slot);
	s = metrics(0);
	has(s, "mcpgw_connections_total 7");
	has(s, "# TYPE mcpgw_connections_total counter");
	has(s, "mcpgw_requests_total{upstream=\"up1\",method=\"tools/call\","
	    "action=\"allow\",auth_result=\"ok\",revision=\"2024-11-05\"} 1");
#define OP	"upstream=\"up1\",mcp_method_name=\"tools/call\"," \
		"error_type=\"-32602\",rpc_response_status_code=\"-32602\"," \
		"gen_ai_operation_name=\"execute_tool\"," \
		"network_protocol_name=\"http\",network_transport=\"tcp\""
#define SERVER	"mcp_server_operation_duration_seconds"
	has(s, SERVER "_bucket{" OP ",le=\"0.01\"} 0");
	has(s, SERVER "_bucket{" OP ",le=\"0.02\"} 1");
	has(s, SERVER "_bucket{" OP ",le=\"300\"} 1");
	has(s, SERVER "_bucket{" OP ",le=\"+Inf\"} 2");
	has(s, SERVER "_sum{" OP "} 400.015000");
	has(s, SERVER "_count{" OP "} 2");
	has(s, "mcpgw_tool_calls_total{upstream=\"up1\",gen_ai_tool_name="
	    "\"a\\\"\\\\\\\\u000a\xef\xbf\xbd\xc3\xa9\"} 1");
	has(s, "mcpgw_config_age_seconds 60.000");
	has(s, "mcpgw_build_info{version=\"" VERSION "\"} 1");
	assert_null(strstr(s, "# EOF"));
	assert_null(strstr(s, "# UNIT"));
	free(s);
	s = metrics(1);
	has(s, "# TYPE mcpgw_connections counter");
	has(s, "mcpgw_connections_total 7");
	has(s, "# TYPE mcpgw_build info");
	has(s, "# UNIT mcpgw_request_bytes bytes");
	has(s, "# UNIT " SERVER " seconds");
	has(s, SERVER "_bucket{" OP ",le=\"300.0\"} 1");
	assert_string_equal(s + strlen(s) - 7, "\n# EOF\n");
	free(s);
}

/* Two names that read the same are one series. */
static void
alike(void **state)
{
	struct stats_name	*n;
	char			*s;

	(void)state;
	fresh();
	n = stats_name(slot.clients, STATS_NO_UPSTREAM, "\x80", 1, 1);
	stats_time_ms(&n->time, 1);
	n = stats_name(slot.clients, STATS_NO_UPSTREAM, "\x81", 1, 1);
	stats_time_ms(&n->time, 1);
	n = stats_name(slot.clients, 5, "\x81", 1, 1);
	stats_time_ms(&n->time, 1);
	stats_merge(&view.board.past, &slot);
	s = metrics(0);
	has(s, "mcpgw_client_requests_total{client=\"\xef\xbf\xbd\"} 3");
	free(s);
}

static void
formats(void **state)
{
	static const struct {
		const char	*accept;
		int		 open;
	} cases[] = {
		{ NULL, 0 }, { "", 0 }, { "*/*", 0 }, { "text/plain", 0 },
		{ "application/openmetrics-text", 1 },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,"
		    "application/openmetrics-text;version=0.0.1;q=0.4,"
		    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", 1 },
		{ "text/plain;q=0.9, application/openmetrics-text;q=0.8", 0 },
		{ "application/openmetrics-text; q=0", 0 },
		{ "application/openmetrics-text; q=x", 0 },
		{ "application/openmetrics-textual", 0 },
		{ ",,, ,application/OpenMetrics-Text ;q=1,", 1 },
		{ "application/openmetrics-text;q=0.2,text/*;q=0.1", 1 }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (metrics_open(cases[i].accept) != cases[i].open)
			fail_msg("%s", cases[i].accept);
}

/* -- reports ------------------------------------------------------------- */

static void
reported(void **state)
{
	static const struct stats_key	 keys[] = {
		{ 0, 4, 0, 2, 1 }, { 0, 4, 1, 3, 0 }, { 0, 5, 2, 0, 99 },
		{ STATS_NO_UPSTREAM, 0, 1, 3, 0 }
	};
	struct stats_op			*o;
	char				*s;
	size_t				 i;

	(void)state;
	fresh();
	stats_attach(&slot);
	for (i = 0; i < 4; i++) {
		stats_count_request(&keys[i]);
		o = stats_op(slot.server, keys[i].upstream, keys[i].method,
		    i == 0 ? 0 : STATS_ERROR_OTHER);
		stats_bump(&o->errors, i == 2);
		stats_bump(&o->bytes_in, 10);
		stats_time_ms(&o->time, 5000);
	}
	for (i = 0; i < 100; i++) {
		o = stats_op(slot.client, 0, 4, 0);
		stats_time_ms(&o->time, i < 90 ? 150000 : 400000000);
	}
	stats_merge(&view.board.past, &slot);
	s = report(REPORT_TOP);
	assert_non_null(strstr(s, "\"total\":{\"name\":\"total\","
	    "\"requests\":4,\"errors\":1,\"denied\":2,\"bytes_in\":40,"
	    "\"bytes_out\":0,\"seconds\":0.020000,\"buckets\":[4,4,"));
	assert_non_null(strstr(s, "\"upstream\":[{\"name\":\"up0\","
	    "\"requests\":3,\"errors\":1,\"denied\":1,"));
	assert_non_null(strstr(s, "{\"name\":\"(none)\",\"requests\":1,"));
	assert_non_null(strstr(s, "\"action\":{\"allow\":1,\"deny\":2,"
	    "\"error\":1},\"auth\":{\"none\":1,\"ok\":1,\"missing\":2},"
	    "\"revision\":{\"none\":2,\"2024-11-05\":1,\"_other\":1}"));
	free(s);
	s = report(REPORT_UPSTREAMS);
	/* 50 of the 90 between 0.1 and 0.2; the 95th is beyond all bounds */
	assert_non_null(strstr(s, "\"requests\":100,\"errors\":0,"
	    "\"latency\":{\"p50\":0.156,\"p95\":300.000,\"p99\":300.000}"));
	/* what does not serve is not told of */
	assert_null(strstr(s, "up2"));
	free(s);
	s = report(REPORT_STATUS);
	assert_non_null(strstr(s, "\"path\":\"/a\\\"b\\\\c\""));
	assert_non_null(strstr(s, "\"loaded\":\"1970-01-01T00:00:01Z\","
	    "\"age_s\":60.000"));
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_slot),
		cmocka_unit_test(counted),
		cmocka_unit_test(alike),
		cmocka_unit_test(formats),
		cmocka_unit_test(reported)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
