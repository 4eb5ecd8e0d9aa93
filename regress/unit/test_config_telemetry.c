/*
 * config/telemetry.c: where spans go, by the file and by the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memfd.h"
#include "config/config.h"
#include "regress/unit/config_helper.h"

#define ON		UP "telemetry:\n customer:\n  enabled: true\n"
#define AT		"  endpoint: http://c:1\n"

static struct config *
parse_env(const char *text)
{
	memset(&told, 0, sizeof(told));
	return (config_load_text("/nowhere/f", text, strlen(text), tell,
	    &told));
}

static void
endpoint_is(const char *written, const char *url)
{
	struct config	*c;
	char		 text[512];

	snprintf(text, sizeof(text), ON "  endpoint: '%s'\n", written);
	c = parse_good(text);
	assert_string_equal(c->f.telemetry.endpoint, url);
	config_free(c);
}

static void
test_endpoint(void **state)
{
	(void)state;
	endpoint_is("collector:4318", "http://collector:4318/v1/traces");
	endpoint_is("http://c:4318", "http://c:4318/v1/traces");
	endpoint_is("https://c/", "https://c/v1/traces");
	endpoint_is("https://c:443/otlp", "https://c/otlp");
	endpoint_is("http://[::1]:4318/v1/traces",
	    "http://[::1]:4318/v1/traces");
	parse_bad(ON "  endpoint: 'grpc://c:4317'\n",
	    "f:5:13: telemetry.customer.endpoint: expected "
	    "http[s]://HOST[:PORT][/PATH] or HOST:PORT (it is neither http "
	    "nor https), got \"grpc://c:4317\"\n");
	parse_bad(ON "  endpoint: 'http://u:p@c'\n",
	    "f:5:13: telemetry.customer.endpoint: expected "
	    "http[s]://HOST[:PORT][/PATH] or HOST:PORT (a user or password "
	    "is not allowed in it), got a value that is not shown\n");
	parse_bad(ON, "f:3:2: telemetry.customer.endpoint: required when "
	    "telemetry.customer.enabled is true\n");
}

static void
test_defaults(void **state)
{
	struct config	*c = parse_good(UP);

	(void)state;
	assert_false(c->w.traces);
	config_free(c);
	c = parse_good(ON AT);
	assert_true(c->w.traces);
	assert_true(c->w.sample_parent);
	assert_true(c->w.sample == CONF_SAMPLE_ALL);
	assert_string_equal(c->f.telemetry.service_name, "mcpgw");
	assert_int_equal(c->f.telemetry.delay_ms, 5000);
	assert_int_equal(c->f.telemetry.nheaders, 0);
	config_free(c);
}

static void
sample_is(const char *written, uint64_t sample)
{
	struct config	*c;
	char		 text[512];

	snprintf(text, sizeof(text), ON AT "  sample_ratio: %s\n", written);
	c = parse_good(text);
	assert_true(c->w.sample == sample);
	config_free(c);
}

static void
test_sample(void **state)
{
	static const char *const bad[] = { "1.1", "-0.5", "1e-3", ".5", "1.",
	    "all", "0.1.1", "0x1" };
	char		 text[512], error[512];
	size_t		 i;

	(void)state;
	sample_is("0", 0);
	sample_is("1", CONF_SAMPLE_ALL);
	sample_is("1.000", CONF_SAMPLE_ALL);
	sample_is("0.25", CONF_SAMPLE_ALL / 4);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), ON AT "  sample_ratio: %s\n",
		    bad[i]);
		snprintf(error, sizeof(error), "f:6:17: telemetry.customer."
		    "sample_ratio: expected a number from 0 to 1, such as "
		    "0.01, got \"%s\"\n", bad[i]);
		parse_bad(text, error);
	}
}

static void
test_attrs(void **state)
{
	struct config	*c;

	(void)state;
	c = parse_good(ON AT "  service_name: Gate way\n  resource_attrs:\n"
	    "   deployment.environment.name: prod\n   k: ''\n   n: 7\n");
	assert_string_equal(c->f.telemetry.service_name, "Gate way");
	assert_int_equal(c->f.telemetry.nattrs, 3);
	assert_string_equal(c->f.telemetry.attrs[0].name,
	    "deployment.environment.name");
	assert_string_equal(c->f.telemetry.attrs[0].value, "prod");
	assert_string_equal(c->f.telemetry.attrs[1].value, "");
	assert_string_equal(c->f.telemetry.attrs[2].value, "7");
	config_free(c);
	parse_bad(ON AT "  resource_attrs: [a]\n", "f:6:19: telemetry."
	    "customer.resource_attrs: expected a mapping of at most 64 "
	    "attributes and their values, got a list\n");
	parse_bad(ON AT "  resource_attrs:\n   service.name: x\n   'a b': y\n",
	    "f:7:18: telemetry.customer.resource_attrs.service.name: expected "
	    "the name of the service in service_name\n"
	    "f:8:11: telemetry.customer.resource_attrs.a b: expected the name "
	    "of an attribute: 1 to 256 visible ASCII characters\n");
}

/* What the file says counts; what it leaves out, the environment. */
static void
test_environment(void **state)
{
	struct config	*c;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1/base/", 1);
	setenv("OTEL_SERVICE_NAME", "named", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "a=1, b=x%20y ,service.name=no",
	    1);
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=s%2Ct", 1);
	setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
	setenv("OTEL_TRACES_SAMPLER_ARG", "0.5", 1);
	setenv("OTEL_BSP_SCHEDULE_DELAY", "250", 1);
	assert_non_null(c = parse_env(ON));
	assert_string_equal(c->f.telemetry.endpoint,
	    "http://all:1/base/v1/traces");
	assert_string_equal(c->f.telemetry.service_name, "named");
	assert_int_equal(c->f.telemetry.nattrs, 2);
	assert_string_equal(c->f.telemetry.attrs[1].value, "x y");
	assert_int_equal(c->f.telemetry.nheaders, 1);
	assert_string_equal(c->f.telemetry.headers[0].value, "s,t");
	assert_int_equal(c->f.telemetry.delay_ms, 250);
	assert_true(c->telemetry_exposed);
	assert_false(c->w.sample_parent);
	assert_true(c->w.sample == CONF_SAMPLE_ALL / 2);
	config_free(c);
	setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1", 1);
	assert_non_null(c = parse_env(ON "  sample_ratio: 0.25\n"
	    "  service_name: own\n  resource_attrs: {}\n"));
	assert_string_equal(c->f.telemetry.endpoint, "http://127.0.0.1:1/");
	assert_string_equal(c->f.telemetry.service_name, "own");
	assert_int_equal(c->f.telemetry.nattrs, 0);
	assert_false(c->telemetry_exposed);
	assert_true(c->w.sample_parent);
	assert_true(c->w.sample == CONF_SAMPLE_ALL / 4);
	config_free(c);
	/* nobody who has not asked for it sends anything */
	assert_non_null(c = parse_env(UP));
	assert_false(c->w.traces);
	assert_null(c->f.telemetry.endpoint);
	config_free(c);
	setenv("OTEL_TRACES_SAMPLER", "jaeger_remote", 1);
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=secret,oops", 1);
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/ca", 1);
	assert_null(parse_env(ON));
	assert_non_null(strstr(told.text, "environment: OTEL_TRACES_SAMPLER: "
	    "expected always_on"));
	assert_non_null(strstr(told.text, "environment: "
	    "OTEL_EXPORTER_OTLP_HEADERS: expected name=value"));
	assert_non_null(strstr(told.text, "environment: "
	    "OTEL_EXPORTER_OTLP_CERTIFICATE: expected a file of PEM "
	    "certificates, got \"/nonexistent/ca\": "));
	assert_null(strstr(told.text, "secret"));
	unsetenv("OTEL_EXPORTER_OTLP_CERTIFICATE");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
	unsetenv("OTEL_EXPORTER_OTLP_HEADERS");
	unsetenv("OTEL_TRACES_SAMPLER");
}

static void
headers_are(const char *file, const char *error, size_t n)
{
	struct config	*c;
	char		 path[] = "/tmp/test-headers-XXXXXX", text[512];
	int		 fd = mkstemp(path);

	assert_true(fd != -1);
	assert_int_equal(write(fd, file, strlen(file)), strlen(file));
	close(fd);
	snprintf(text, sizeof(text), ON AT "  headers_file: %s\n", path);
	c = parse_env(text);
	unlink(path);
	if (error == NULL) {
		assert_non_null(c);
		assert_int_equal(c->f.telemetry.nheaders, n);
		assert_string_equal(c->f.telemetry.headers[n - 1].value,
		    "Bearer hidden: x");
		config_free(c);
		return;
	}
	assert_null(c);
	assert_non_null(strstr(told.text, error));
	assert_null(strstr(told.text, "hidden"));
}

static void
test_headers(void **state)
{
	(void)state;
	headers_are("# key\n\nX-A: 1\r\nAuthorization:  Bearer hidden: x \n",
	    NULL, 2);
	headers_are("X-A: 1\nhidden\n", "line 2: it is no header field", 0);
	headers_are("Host: hidden\n", "line 1: the gateway sets this field "
	    "itself", 0);
	headers_are("X Y: hidden\n", "line 1: its name is none", 0);
	headers_are("X-Y:\n", "line 1: its value is empty", 0);
	headers_are("X-Y: hid\001den\n", "line 1: its value has a control "
	    "character", 0);
	assert_null(parse_env(ON AT "  headers_file: none.here\n"));
	assert_non_null(strstr(told.text, "telemetry.customer.headers_file: "
	    "expected a file of header fields, got \"/nowhere/none.here\": "
	    "No such file"));
}

/* What each child gets of it: workers no address, and nobody else secrets. */
static void
test_parts(void **state)
{
	struct fetcher_conf	*f;
	struct config		*c;
	const void		*data;
	size_t			 len;
	int			 fd;

	(void)state;
	c = parse_good(ON AT "  resource_attrs: {a: b}\n");
	assert_true((fd = config_fetcher_part(c)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_non_null(f = fetcher_conf_unpack(data, len));
	assert_true(f->telemetry.enabled);
	assert_string_equal(f->telemetry.endpoint, "http://c:1/v1/traces");
	assert_string_equal(f->telemetry.attrs[0].value, "b");
	fetcher_conf_free(f);
	memfd_unmap(data, len);
	close(fd);
	assert_true((fd = config_worker_part(c)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_null(memmem(data, len, "c:1", 3));
	memfd_unmap(data, len);
	close(fd);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_attrs),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_parts)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
