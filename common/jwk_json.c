/*
 * Reading a JWKS document (RFC 7517 section 5).  One pass finds where its
 * keys begin and end; each is then judged by itself, so that what is wrong
 * with one costs no other.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/jwk_int.h"

#define NUMBER_MAX	1024	/* bytes of a modulus or coordinate */
#define WORD_MAX	32	/* of kty, use, alg, crv */
#define BOM		"\xef\xbb\xbf"

enum member { M_KTY, M_USE, M_KEY_OPS, M_ALG, M_KID, M_CRV, M_X, M_Y, M_N,
    M_E, M_D, M_P, M_Q, M_DP, M_DQ, M_QI, M_OTH, NMEMBER };

static const char	*const member_names[NMEMBER] = {
	"kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n",
	"e", "d", "p", "q", "dp", "dq", "qi", "oth"
};

/* A walk over the document that finds its keys. */
struct finder {
	unsigned	 depth;
	int		 at_keys;	/* their array comes next */
	int		 inside;	/* of it */
	int		 found;
	size_t		 n;		/* more than JWK_SET_MAX: the rest is
					 * not here */
	struct slice	 entry[JWK_SET_MAX];	/* len 0: no object */
};

/* A walk over an entry that is no good, for its name. */
struct namer {
	unsigned	 depth;
	int		 at_kid;
	struct slice	 kid;
};

/* A walk over key_ops. */
struct ops {
	size_t		 n;
	int		 verify;
};

static struct jwk_set *read_set(const struct finder *, jwk_skip_cb, void *,
		    const char **);
static void	 on_document(void *, enum json_event, struct slice);
static void	 on_name(void *, enum json_event, struct slice);
static void	 on_op(void *, enum json_event, struct slice);
static const char *read_entry(struct slice, struct jwk *, struct jwk_skip *);
static void	 name_broken(struct slice, struct jwk_skip *);
static const char *read_key(const struct json_member *, struct jwk *,
		    struct jwk_skip *);
static const char *read_type(const struct json_member *, struct jwk *);
static const char *read_use(const struct json_member *);
static const char *read_rsa(const struct json_member *, struct jwk *);
static const char *read_ec(const struct json_member *, struct jwk *);
static const char *read_okp(const struct json_member *, struct jwk *);
static int	 absent(const struct json_member *);
static int	 string(const struct json_member *, char *, size_t);
static int	 number(const struct json_member *, uint8_t *, size_t,
		    size_t *);

struct jwk_set *
jwk_set_parse(const char *text, size_t len, jwk_skip_cb skip, void *arg,
    const char **why)
{
	struct jwk_set	*set = NULL;
	struct finder	*f;
	enum json_error	 e;

	if (len > JWK_JSON_MAX) {
		*why = "larger than 1 MiB";
		return (NULL);
	}
	/* RFC 8259 section 8.1: may be ignored, and some servers send it */
	if (len >= 3 && memcmp(text, BOM, 3) == 0) {
		text += 3;
		len -= 3;
	}
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		*why = "out of memory";
		return (NULL);
	}
	if ((e = json_walk_lax(text, len, 1, on_document, f)) != JSON_OK)
		*why = json_strerror(e);
	else if (!f->found)
		*why = "no \"keys\" array";
	else if (f->n > JWK_SET_MAX)
		*why = "more than 128 keys";
	else
		set = read_set(f, skip, arg, why);
	free(f);
	return (set);
}

static void
on_document(void *arg, enum json_event event, struct slice raw)
{
	struct finder	*f = arg;

	if (event == JSON_END) {
		f->depth--;
		if (f->depth == 1)
			f->inside = 0;
		/* an entry ends here */
		if (f->depth == 2 && f->inside && f->n <= JWK_SET_MAX &&
		    f->entry[f->n - 1].p != NULL)
			f->entry[f->n - 1].len = (size_t)(raw.p + 1 -
			    f->entry[f->n - 1].p);
		return;
	}
	if (event == JSON_NAME) {
		if (f->depth == 1)
			f->at_keys = json_string_is(raw, "keys");
		return;
	}
	if (f->depth == 1) {
		f->inside = f->at_keys && event == JSON_ARRAY;
		f->found |= f->inside;
		f->at_keys = 0;
	} else if (f->depth == 2 && f->inside && f->n++ < JWK_SET_MAX &&
	    event == JSON_OBJECT)
		f->entry[f->n - 1].p = raw.p;
	if (event == JSON_OBJECT || event == JSON_ARRAY)
		f->depth++;
}

static struct jwk_set *
read_set(const struct finder *f, jwk_skip_cb skip, void *arg,
    const char **why)
{
	struct jwk_set	*set;
	struct jwk_skip	 s;
	size_t		 i;

	*why = "out of memory";
	if ((set = calloc(1, sizeof(*set))) == NULL ||
	    (set->keys = calloc(JWK_SET_MAX, sizeof(*set->keys))) == NULL) {
		free(set);
		return (NULL);
	}
	for (i = 0; i < f->n; i++) {
		memset(&s, 0, sizeof(s));
		s.index = i;
		s.why = read_entry(f->entry[i], &set->keys[set->n], &s);
		if (s.why == NULL)
			set->n++;
		else if (skip != NULL)
			skip(arg, &s);
	}
	if (set->n == 0) {
		*why = JWK_UNUSABLE;
		jwk_set_free(set);
		return (NULL);
	}
	return (set);
}

/* NULL, or why it cannot be used; then k is empty again. */
static const char *
read_entry(struct slice entry, struct jwk *k, struct jwk_skip *s)
{
	struct json_member	 m[NMEMBER];
	enum json_error		 e;
	const char		*why;
	size_t			 i;

	if (entry.len == 0)
		return ("not an object");
	for (i = 0; i < NMEMBER; i++)
		m[i].name = member_names[i];
	if ((e = json_members(entry.p, entry.len, m, NMEMBER)) != JSON_OK) {
		name_broken(entry, s);
		return (json_strerror(e));
	}
	memset(k, 0, sizeof(*k));
	if ((why = read_key(m, k, s)) == NULL)
		return (NULL);
	memcpy(s->kid, k->kid, sizeof(s->kid));
	EVP_PKEY_free(k->pkey);
	memset(k, 0, sizeof(*k));
	return (why);
}

/* Its kid, the first one, as it stands there. */
static void
name_broken(struct slice entry, struct jwk_skip *s)
{
	struct namer	 n = { 0, 0, { NULL, 0 } };

	(void)json_walk_lax(entry.p, entry.len, 0, on_name, &n);
	if (n.kid.p != NULL && n.kid.len < sizeof(s->kid))
		memcpy(s->kid, n.kid.p, n.kid.len);
}

static void
on_name(void *arg, enum json_event event, struct slice raw)
{
	struct namer	*n = arg;

	if (event == JSON_END) {
		n->depth--;
		return;
	}
	if (n->at_kid && event == JSON_STRING && n->kid.p == NULL)
		n->kid = raw;
	n->at_kid = event == JSON_NAME && n->depth == 1 && raw.len == 3 &&
	    memcmp(raw.p, "kid", 3) == 0;
	if (event == JSON_OBJECT || event == JSON_ARRAY)
		n->depth++;
}

static const char *
read_key(const struct json_member *m, struct jwk *k, struct jwk_skip *s)
{
	const char	*why;
	char		 word[WORD_MAX];
	size_t		 i;

	if ((k->has_kid = !absent(&m[M_KID])) &&
	    string(&m[M_KID], k->kid, sizeof(k->kid)) == -1)
		return ("kid is not a string, or too long");
	for (i = M_D; i <= M_OTH; i++)
		if (!absent(&m[i])) {
			s->is_private = 1;
			return ("it is a private key");
		}
	if ((why = read_use(m)) != NULL)
		return (why);
	if (!absent(&m[M_ALG]) && (string(&m[M_ALG], word,
	    sizeof(word)) == -1 ||
	    (k->alg = jws_alg_parse(word, strlen(word))) == JWS_NONE))
		return ("alg is none that we verify");
	if ((why = read_type(m, k)) != NULL ||
	    (why = jwk_finish(k, 1)) != NULL)
		return (why);
	return (k->alg != JWS_NONE && !jwk_allows(k, k->alg) ?
	    "alg does not fit the key" : NULL);
}

static const char *
read_type(const struct json_member *m, struct jwk *k)
{
	char	 kty[WORD_MAX];

	if (absent(&m[M_KTY]))
		return ("kty is missing");
	if (string(&m[M_KTY], kty, sizeof(kty)) == -1)
		return ("unknown kty");
	if (strcmp(kty, "RSA") == 0)
		return (read_rsa(m, k));
	if (strcmp(kty, "EC") == 0)
		return (read_ec(m, k));
	if (strcmp(kty, "OKP") == 0)
		return (read_okp(m, k));
	if (strcmp(kty, "oct") == 0)
		return ("symmetric keys verify nothing here");
	return ("unknown kty");
}

/* For signatures (RFC 7517 sections 4.2 and 4.3). */
static const char *
read_use(const struct json_member *m)
{
	struct ops	 ops = { 0, 0 };
	char		 use[WORD_MAX];

	if (!absent(&m[M_USE]) && (string(&m[M_USE], use, sizeof(use)) == -1 ||
	    strcmp(use, "sig") != 0))
		return ("use is not sig");
	if (absent(&m[M_KEY_OPS]))
		return (NULL);
	if (m[M_KEY_OPS].type != JSON_T_ARRAY ||
	    json_walk(m[M_KEY_OPS].raw.p, m[M_KEY_OPS].raw.len, on_op,
	    &ops) != JSON_OK)
		return ("key_ops is not an array");
	return (ops.n == 0 || ops.verify ? NULL : "key_ops has no verify");
}

static void
on_op(void *arg, enum json_event event, struct slice raw)
{
	struct ops	*ops = arg;

	/* the array's own brackets are no operation */
	if (event == JSON_ARRAY || event == JSON_END)
		return;
	ops->n++;
	if (event == JSON_STRING && json_string_is(raw, "verify"))
		ops->verify = 1;
}

static const char *
read_rsa(const struct json_member *m, struct jwk *k)
{
	k->type = JWK_RSA;
	if (number(&m[M_N], k->a, sizeof(k->a), &k->alen) == -1)
		return ("n is missing or malformed");
	if (number(&m[M_E], k->b, sizeof(k->b), &k->blen) == -1)
		return ("e is missing or malformed");
	return (NULL);
}

static const char *
read_ec(const struct json_member *m, struct jwk *k)
{
	char	 crv[WORD_MAX];

	k->type = JWK_EC;
	if (absent(&m[M_CRV]))
		return ("crv is missing");
	if (string(&m[M_CRV], crv, sizeof(crv)) == -1)
		return ("unknown crv");
	if (strcmp(crv, "P-256") == 0)
		k->curve = JWK_P256;
	else if (strcmp(crv, "P-384") == 0)
		k->curve = JWK_P384;
	else if (strcmp(crv, "P-521") == 0)
		k->curve = JWK_P521;
	else
		return ("unknown crv");
	if (number(&m[M_X], k->a, sizeof(k->a), &k->alen) == -1 ||
	    number(&m[M_Y], k->b, sizeof(k->b), &k->blen) == -1)
		return ("x or y is missing or malformed");
	return (NULL);
}

static const char *
read_okp(const struct json_member *m, struct jwk *k)
{
	char	 crv[WORD_MAX];

	k->type = JWK_OKP;
	if (absent(&m[M_CRV]))
		return ("crv is missing");
	if (string(&m[M_CRV], crv, sizeof(crv)) == -1)
		return ("unknown crv");
	if (strcmp(crv, "Ed25519") == 0)
		k->curve = JWK_ED25519;
	else if (strcmp(crv, "Ed448") == 0)
		k->curve = JWK_ED448;
	else
		return ("unknown crv");
	if (number(&m[M_X], k->a, sizeof(k->a), &k->alen) == -1)
		return ("x is missing or malformed");
	return (NULL);
}

static int
absent(const struct json_member *m)
{
	return (m->type == JSON_T_ABSENT || m->type == JSON_T_NULL);
}

/* A string member that fits, without a NUL inside: 0; else -1. */
static int
string(const struct json_member *m, char *out, size_t size)
{
	char	 plain[6 * (JWK_KID_MAX + 1)];
	size_t	 len;

	out[0] = '\0';
	if (m->type != JSON_T_STRING || m->raw.len > sizeof(plain))
		return (-1);
	len = json_unescape(m->raw, plain);
	if (len >= size || memchr(plain, '\0', len) != NULL)
		return (-1);
	memcpy(out, plain, len);
	out[len] = '\0';
	return (0);
}

/* Base64url needs no escapes, so that an escape makes it malformed. */
static int
number(const struct json_member *m, uint8_t *out, size_t size, size_t *len)
{
	uint8_t	 raw[NUMBER_MAX + 3];
	ssize_t	 n;

	if (m->type != JSON_T_STRING || m->raw.len / 4 * 3 > NUMBER_MAX ||
	    (n = base64url_decode(m->raw.p, m->raw.len, raw)) <= 0 ||
	    (size_t)n > size)
		return (-1);
	memcpy(out, raw, (size_t)n);
	*len = (size_t)n;
	return (0);
}
