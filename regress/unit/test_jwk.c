/*
 * common/jwk.h: what is wrong with one key costs that key and no other, and
 * is said with its name; what real servers write is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"

/* RFC 8037 appendix A.2, RFC 7515 appendix A.3.1. */
#define X25519	"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED	"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X25519 "\""
#define ECX	"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ECY	"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ECX \
	"\",\"y\":\"" ECY "\""
#define GOOD	"{\"kid\":\"good\"," ED "}"

static struct jwk_skip	 last;
static size_t		 nskips;

static void
skipped(void *arg, const struct jwk_skip *s)
{
	(void)arg;
	last = *s;
	nskips++;
}

static struct jwk_set *
parse(const char *text, size_t len, const char **why)
{
	nskips = 0;
	memset(&last, 0, sizeof(last));
	*why = NULL;
	return (jwk_set_parse(text, len, skipped, NULL, why));
}

/* A flawed entry between good ones. */
static void
test_flaws(void **state)
{
	static const struct {
		const char	*entry;
		const char	*kid;
		const char	*why;
		int		 is_private;
	} flaws[] = {
		{ "{\"kid\":\"twice\",\"x\":1," EC "}", "twice",
		    "duplicate", 0 },
		{ "{\"kid\":\"deep\",\"a\":{\"b\":1,\"b\":2}," EC "}", "deep",
		    "duplicate", 0 },
		{ "{\"a\":\"\\ud800\",\"kid\":\"lone\"," EC "}", "lone",
		    "surrogate", 0 },
		{ "{\"kid\":\"\\udc00\"," EC "}", "\\udc00", "surrogate", 0 },
		{ "{\"kid\":\"utf8\",\"a\":\"\xff\"," EC "}", "utf8",
		    "UTF-8", 0 },
		{ "{\"kid\":\"priv\",\"d\":\"AAAA\"," EC "}", "priv",
		    "private", 1 },
		{ "{\"kid\":\"prime\",\"p\":\"AAAA\"," EC "}", "prime",
		    "private", 1 },
		{ "{\"kid\":\"ops\",\"key_ops\":[\"sign\"]," EC "}", "ops",
		    "verify", 0 },
		{ "{\"kid\":\"ops2\",\"key_ops\":{}," EC "}", "ops2",
		    "array", 0 },
		{ "{\"kid\":\"nul\\u0000\"," EC "}", "", "kid", 0 },
		{ "{\"kid\":7," EC "}", "", "kid", 0 },
		{ "{\"kid\":\"alg\",\"alg\":\"RS256\"," EC "}", "alg",
		    "does not fit", 0 },
		{ "{\"kid\":\"448\",\"alg\":\"Ed448\"," ED "}", "448",
		    "does not fit", 0 },
		{ "{\"kid\":\"e\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":"
		    "\"AQAB\"}", "e", "2048", 0 },
		{ "{\"kid\":\"off\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""
		    ECX "\",\"y\":\"" ECX "\"}", "off", "not a valid", 0 },
		{ "{\"kid\":\"null\",\"kty\":null,\"crv\":\"P-256\"}", "null",
		    "kty is missing", 0 },
		{ "[[" GOOD "]]", "", "not an object", 0 },
		{ "\"keys\"", "", "not an object", 0 },
		{ "null", "", "not an object", 0 },
		{ "{\"keys\":[" GOOD "]}", "", "kty is missing", 0 },
	};
	struct jwk_set	*set;
	const char	*why;
	char		 text[2048];
	size_t		 i;
	int		 len;

	(void)state;
	for (i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
		len = snprintf(text, sizeof(text), "{\"keys\":[" GOOD
		    ", %s ," GOOD "],\"other\":[{}]}", flaws[i].entry);
		set = parse(text, (size_t)len, &why);
		assert_non_null(set);
		assert_int_equal(set->n, 2);
		assert_string_equal(set->keys[1].kid, "good");
		assert_int_equal(nskips, 1);
		assert_int_equal(last.index, 1);
		assert_string_equal(last.kid, flaws[i].kid);
		assert_non_null(strstr(last.why, flaws[i].why));
		assert_int_equal(last.is_private, flaws[i].is_private);
		jwk_set_free(set);
		/* alone it makes no set, and it is said by name */
		len = snprintf(text, sizeof(text), "{\"keys\":[%s]}",
		    flaws[i].entry);
		assert_null(parse(text, (size_t)len, &why));
		assert_string_equal(why, JWK_UNUSABLE);
		assert_int_equal(nskips, 1);
	}
}

static void
test_taken(void **state)
{
	static const char *const taken[] = {
		"{" EC ",\"d\":null,\"key_ops\":null,\"use\":null,"
		    "\"alg\":null,\"kid\":null,\"p\":null}",
		"{" EC ",\"key_ops\":[]}",
		"{" EC ",\"key_ops\":[\"sign\",\"verify\"]}",
		"{" EC ",\"x5c\":[\"!\"],\"x5t#S256\":7,\"issuer\":{\"a\":[]}}",
		"{\"alg\":\"EdDSA\"," ED "}",
		"{\"alg\":\"Ed25519\"," ED "}",
		"{\"\\u006bty\":\"E\\u0043\",\"crv\":\"P\\u002d256\",\"x\":\""
		    ECX "\",\"y\":\"" ECY "\"}",
	};
	struct jwk_set	*set;
	const char	*why;
	char		 text[2048];
	size_t		 i;
	int		 len, bom;

	(void)state;
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		for (bom = 0; bom <= 1; bom++) {
			len = snprintf(text, sizeof(text), "%s{\"a\":{\"b\":"
			    "[1,{}]},\"keys\":[%s]}", bom ? "\xef\xbb\xbf" :
			    "", taken[i]);
			set = parse(text, (size_t)len, &why);
			assert_non_null(set);
			assert_int_equal(set->n, 1);
			assert_int_equal(nskips, 0);
			jwk_set_free(set);
		}
}

static void
test_no_sets(void **state)
{
	static const struct {
		const char	*text;
		const char	*why;
	} bad[] = {
		{ "", "JSON" }, { "[]", "keys" }, { "{}", "keys" },
		{ "{\"keys\":{}}", "keys" }, { "{\"keys\":null}", "keys" },
		{ "{\"a\":{\"keys\":[" GOOD "]}}", "keys" },
		{ "{\"keys\":[" GOOD "],\"keys\":[" GOOD "]}", "duplicate" },
		{ "{\"keys\":[" GOOD "],\"\\u006beys\":[]}", "duplicate" },
		{ "{\"keys\":[" GOOD "],\"a\":\"\xff\"}", "UTF-8" },
		{ "{\"keys\":[" GOOD "]", "JSON" },
		{ "{\"keys\":[" GOOD "]} x", "JSON" },
		{ "{\"keys\":[{\"a\":\"\n\"}," GOOD "]}", "JSON" },
		{ "\xef\xbb\xbf\xef\xbb\xbf{\"keys\":[" GOOD "]}", "JSON" },
		{ "{\"keys\":[]}", JWK_UNUSABLE },
	};
	const char	*why;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(parse(bad[i].text, strlen(bad[i].text), &why));
		assert_non_null(why);
		assert_non_null(strstr(why, bad[i].why));
	}
}

/* The curve decides, whichever of its names is used (RFC 9864). */
static void
test_names(void **state)
{
	static const char *const algs[] = { NULL, "EdDSA", "Ed25519" };
	struct jwk_set	*set;
	const char	*why;
	char		 text[512];
	size_t		 i;
	int		 len;

	(void)state;
	assert_int_equal(jws_alg_parse("Ed448", 5), JWS_ED448);
	for (i = 0; i < 3; i++) {
		len = algs[i] == NULL ? snprintf(text, sizeof(text),
		    "{\"keys\":[{" ED "}]}") : snprintf(text, sizeof(text),
		    "{\"keys\":[{\"alg\":\"%s\"," ED "}]}", algs[i]);
		assert_non_null(set = parse(text, (size_t)len, &why));
		assert_true(jwk_allows(&set->keys[0], JWS_EDDSA));
		assert_true(jwk_allows(&set->keys[0], JWS_ED25519));
		assert_false(jwk_allows(&set->keys[0], JWS_ED448));
		assert_false(jwk_allows(&set->keys[0], JWS_ES256));
		assert_false(jwk_allows(&set->keys[0], JWS_NONE));
		jwk_set_free(set);
	}
}

/* What a fetcher that was taken over might send: no crash, and no key that
 * OpenSSL would not take. */
static void
test_unpack(void **state)
{
	static const char	 text[] = "{\"keys\":[{" EC "}," GOOD "]}";
	struct jwk_set		*set, *again;
	struct wbuf		 w;
	const char		*why;
	size_t			 i, bit;

	(void)state;
	assert_non_null(set = parse(text, strlen(text), &why));
	wbuf_init(&w, JWK_PACKED_MAX);
	jwk_set_pack(set, &w);
	assert_false(w.failed);
	assert_non_null(again = jwk_set_unpack(w.data, w.len));
	assert_int_equal(again->n, 2);
	assert_memory_equal(again->keys[0].id, set->keys[0].id, 32);
	jwk_set_free(again);
	for (i = 0; i < w.len; i++)
		for (bit = 1; bit < 0x100; bit <<= 1) {
			w.data[i] ^= (uint8_t)bit;
			jwk_set_free(jwk_set_unpack(w.data, w.len));
			w.data[i] ^= (uint8_t)bit;
		}
	/* off the curve: y has one bit more */
	w.data[w.len - 1] ^= 1;
	for (i = 0; i + 32 < w.len; i++)
		if (memcmp(w.data + i, set->keys[0].b, 32) == 0)
			w.data[i + 31] ^= 1;
	if ((again = jwk_set_unpack(w.data, w.len)) != NULL)
		for (i = 0; i < again->n; i++)
			assert_int_equal(again->keys[i].type, JWK_OKP);
	jwk_set_free(again);
	wbuf_free(&w);
	jwk_set_free(set);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flaws),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_no_sets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unpack)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
