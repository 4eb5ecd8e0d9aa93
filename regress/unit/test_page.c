/*
 * monitor/page.h: the policy that the status page is served with allows its own
 * style and script and nothing else, and the page needs nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/page.h"

static char	*text;

static int
read_page(void **state)
{
	(void)state;
	if ((text = malloc(monitor_page_len + 1)) == NULL)
		return (-1);
	memcpy(text, monitor_page, monitor_page_len);
	text[monitor_page_len] = '\0';
	return (0);
}

static int
free_page(void **state)
{
	(void)state;
	free(text);
	return (0);
}

/* directive 'sha256-HASH', of what is between <tag> and </tag>. */
static void
check_hash(const char *directive, const char *tag)
{
	unsigned char	 md[SHA256_DIGEST_LENGTH], b64[64];
	char		 open[16], end[16], want[128];
	const char	*from, *to;

	snprintf(open, sizeof(open), "<%s>", tag);
	snprintf(end, sizeof(end), "</%s>", tag);
	from = strstr(text, open);
	assert_non_null(from);
	from += strlen(open);
	to = strstr(from, end);
	assert_non_null(to);
	assert_null(strstr(to + 1, end));
	SHA256((const unsigned char *)from, (size_t)(to - from), md);
	EVP_EncodeBlock(b64, md, sizeof(md));
	snprintf(want, sizeof(want), "; %s 'sha256-%s'; ", directive, b64);
	assert_non_null(strstr(monitor_page_csp, want));
}

static void
test_policy(void **state)
{
	(void)state;
	check_hash("style-src", "style");
	check_hash("script-src", "script");
	assert_ptr_equal(strstr(monitor_page_csp, "default-src 'none'; "),
	    monitor_page_csp);
	assert_null(strstr(monitor_page_csp, "unsafe"));
	assert_null(strpbrk(monitor_page_csp, "\r\n*"));
}

/* What the policy would refuse, or what would bring names in as markup. */
static void
test_page(void **state)
{
	static const char *const not[] = {
		"https:", "url(", "@import", " src=", " style=",
		" onload=", " onclick=", " onerror=", "innerHTML",
		"outerHTML", "insertAdjacentHTML", "document.write", "eval(",
		"Function(", "javascript:"
	};
	size_t	 i;

	(void)state;
	assert_int_equal(strlen(text), monitor_page_len);
	assert_ptr_equal(strstr(text, "<!DOCTYPE html>\n"), text);
	assert_true(monitor_page_len < 45000);
	for (i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (strstr(text, not[i]) != NULL)
			fail_msg("the page has %s", not[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_page)
	};

	return (cmocka_run_group_tests(tests, read_page, free_page));
}
