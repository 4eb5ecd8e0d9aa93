/*
 * The provider: key management and signatures for RSA, EC and Ed25519, each
 * with a public key of the default provider inside.  It signs by one call
 * (EVP_DigestSign(3)), so that it sees the structure that TLS wants signed
 * (RFC 8446 section 4.4.3, RFC 8422 section 5.4) and not its digest: the
 * keeper looks at it before it signs.
 */
#include <sys/queue.h>

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/proto.h"
#include "worker/base/peer.h"
#include "worker/wire/tls_key.h"

#define NAME		"mcpgw"
#define QUESTIONS_MAX	8192

struct key {
	const char	*type;
	EVP_PKEY	*pub;
	uint32_t	 number;
};

/* One signature that is to be made. */
struct sigctx {
	const struct key *key;
	char		 md[32];
	int		 pss;
};

enum { ASKED, ANSWERED, CANCELLED };

struct tls_question {
	TAILQ_ENTRY(tls_question) link;
	struct tls_question **place;	/* who knows of it */
	uint64_t	 id;
	int		 state;
	uint32_t	 number;
	uint16_t	 alg;
	void		 (*ready)(void *);
	void		*arg;
	size_t		 tbs_len;
	size_t		 sig_len;	/* 0: refused */
	uint8_t		 tbs[PROTO_TBS_MAX];
	uint8_t		 sig[PROTO_SIGNATURE_MAX];
};

static TAILQ_HEAD(, tls_question) questions =
    TAILQ_HEAD_INITIALIZER(questions);
static size_t			 nquestions;
static uint64_t			 last_id;
static OSSL_LIB_CTX		*libctx;
/* between tls_key_enter() and its end */
static struct tls_question	**place;
static void			(*place_ready)(void *);
static void			*place_arg;
static uint32_t			 making;	/* number of the next key */

static OSSL_FUNC_provider_query_operation_fn query;
static OSSL_FUNC_keymgmt_new_fn		 rsa_new, ec_new, ed25519_new;
static OSSL_FUNC_keymgmt_free_fn	 key_free;
static OSSL_FUNC_keymgmt_has_fn		 key_has;
static OSSL_FUNC_keymgmt_match_fn	 key_match;
static OSSL_FUNC_keymgmt_import_fn	 key_import;
static OSSL_FUNC_keymgmt_import_types_fn key_import_types;
static OSSL_FUNC_keymgmt_get_params_fn	 key_get_params;
static OSSL_FUNC_keymgmt_gettable_params_fn key_gettable;
static OSSL_FUNC_keymgmt_query_operation_name_fn rsa_operation,
						 ec_operation,
						 ed25519_operation;
static OSSL_FUNC_signature_newctx_fn	 sig_new;
static OSSL_FUNC_signature_freectx_fn	 sig_free;
static OSSL_FUNC_signature_digest_sign_init_fn sig_init;
static OSSL_FUNC_signature_digest_sign_fn sig_sign;
static OSSL_FUNC_signature_digest_sign_update_fn sig_update;
static OSSL_FUNC_signature_digest_sign_final_fn sig_final;
static OSSL_FUNC_signature_set_ctx_params_fn sig_set_params;
static OSSL_FUNC_signature_settable_ctx_params_fn sig_settable;

static int	 provider_init(const OSSL_CORE_HANDLE *,
		    const OSSL_DISPATCH *, const OSSL_DISPATCH **, void **);
static void	*key_new(const char *);
static uint16_t	 sig_alg(const struct sigctx *);
static struct tls_question *question_new(const struct sigctx *, uint16_t,
		    const uint8_t *, size_t);
static void	 question_ask(const struct tls_question *);
static void	 question_free(struct tls_question *);
static void	 ask_again(void);
static int	 take_signature(struct imsg *);

#define FN(id, f)	{ OSSL_FUNC_##id, (void (*)(void))(f) }
#define KEYMGMT(name)							\
static const OSSL_DISPATCH name##_keymgmt[] = {				\
	FN(KEYMGMT_NEW, name##_new),					\
	FN(KEYMGMT_FREE, key_free),					\
	FN(KEYMGMT_HAS, key_has),					\
	FN(KEYMGMT_MATCH, key_match),					\
	FN(KEYMGMT_IMPORT, key_import),					\
	FN(KEYMGMT_IMPORT_TYPES, key_import_types),			\
	FN(KEYMGMT_GET_PARAMS, key_get_params),				\
	FN(KEYMGMT_GETTABLE_PARAMS, key_gettable),			\
	FN(KEYMGMT_QUERY_OPERATION_NAME, name##_operation),		\
	{ 0, NULL }							\
}

KEYMGMT(rsa);
KEYMGMT(ec);
KEYMGMT(ed25519);

static const OSSL_DISPATCH	 signature[] = {
	FN(SIGNATURE_NEWCTX, sig_new),
	FN(SIGNATURE_FREECTX, sig_free),
	FN(SIGNATURE_DIGEST_SIGN_INIT, sig_init),
	FN(SIGNATURE_DIGEST_SIGN, sig_sign),
	/* a set that is not whole is not taken */
	FN(SIGNATURE_DIGEST_SIGN_UPDATE, sig_update),
	FN(SIGNATURE_DIGEST_SIGN_FINAL, sig_final),
	FN(SIGNATURE_SET_CTX_PARAMS, sig_set_params),
	FN(SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable),
	{ 0, NULL }
};

#define PROPERTIES	"provider=" NAME

static const OSSL_ALGORITHM	 keymgmts[] = {
	{ "RSA:rsaEncryption", PROPERTIES, rsa_keymgmt, "" },
	{ "EC:id-ecPublicKey", PROPERTIES, ec_keymgmt, "" },
	{ "ED25519", PROPERTIES, ed25519_keymgmt, "" },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM	 signatures[] = {
	{ "RSA:rsaEncryption", PROPERTIES, signature, "" },
	{ "ECDSA", PROPERTIES, signature, "" },
	{ "ED25519", PROPERTIES, signature, "" },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_DISPATCH	 provider[] = {
	FN(PROVIDER_QUERY_OPERATION, query),
	{ 0, NULL }
};

OSSL_LIB_CTX *
tls_key_setup(void)
{
	EVP_KEYMGMT	*mgmt;

	if (libctx != NULL)
		return (libctx);
	peer_handle(ROLE_KEEPER, MSG_SIGNATURE, take_signature);
	peer_renewed(ROLE_KEEPER, ask_again);
	/* the default provider first: what is not asked of ours is its */
	if ((libctx = OSSL_LIB_CTX_new()) == NULL ||
	    OSSL_PROVIDER_load(libctx, "default") == NULL ||
	    OSSL_PROVIDER_add_builtin(libctx, NAME, provider_init) != 1 ||
	    OSSL_PROVIDER_load(libctx, NAME) == NULL)
		fatalx("OSSL_PROVIDER_load");
	mgmt = EVP_KEYMGMT_fetch(libctx, "RSA", NULL);
	if (mgmt == NULL || strcmp(OSSL_PROVIDER_get0_name(
	    EVP_KEYMGMT_get0_provider(mgmt)), "default") != 0)
		fatalx("the default provider is not the default");
	EVP_KEYMGMT_free(mgmt);
	return (libctx);
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **ctx)
{
	(void)handle;
	(void)in;
	*out = provider;
	*ctx = libctx;
	return (1);
}

static const OSSL_ALGORITHM *
query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	return (operation == OSSL_OP_KEYMGMT ? keymgmts :
	    operation == OSSL_OP_SIGNATURE ? signatures : NULL);
}

EVP_PKEY *
tls_key_new(EVP_PKEY *pub, uint32_t number)
{
	OSSL_PARAM	*params = NULL;
	EVP_PKEY_CTX	*ctx = NULL;
	EVP_PKEY	*pkey = NULL;
	const char	*type = EVP_PKEY_get0_type_name(pub);

	making = number;
	if (type == NULL ||
	    EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return (NULL);
	ctx = EVP_PKEY_CTX_new_from_name(libctx, type, PROPERTIES);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return (pkey);
}

/* Keys. */

static void *
key_new(const char *type)
{
	struct key	*k;

	if ((k = calloc(1, sizeof(*k))) != NULL) {
		k->type = type;
		k->number = making;
	}
	return (k);
}

static void *
rsa_new(void *ctx)
{
	(void)ctx;
	return (key_new("RSA"));
}

static void *
ec_new(void *ctx)
{
	(void)ctx;
	return (key_new("EC"));
}

static void *
ed25519_new(void *ctx)
{
	(void)ctx;
	return (key_new("ED25519"));
}

static void
key_free(void *key)
{
	struct key	*k = key;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub);
	free(k);
}

/* The private half, too, in a way. */
static int
key_has(const void *key, int selection)
{
	(void)selection;
	return (((const struct key *)key)->pub != NULL);
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key	*x = a, *y = b;

	(void)selection;
	return (x->pub != NULL && y->pub != NULL &&
	    EVP_PKEY_eq(x->pub, y->pub) == 1);
}

static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key	*k = key;
	EVP_PKEY_CTX	*ctx;
	int		 r;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    k->pub != NULL)
		return (0);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
	r = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &k->pub, EVP_PKEY_PUBLIC_KEY,
	    (OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	return (r);
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM	 none[] = { OSSL_PARAM_END };

	(void)selection;
	return (none);
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	struct key	*k = key;

	return (k->pub != NULL && EVP_PKEY_get_params(k->pub, params) == 1);
}

static const OSSL_PARAM *
key_gettable(void *ctx)
{
	static const OSSL_PARAM	 some[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)ctx;
	return (some);
}

static const char *
rsa_operation(int operation)
{
	(void)operation;
	return ("RSA");
}

static const char *
ec_operation(int operation)
{
	return (operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC");
}

static const char *
ed25519_operation(int operation)
{
	(void)operation;
	return ("ED25519");
}

/* Signatures. */

static void *
sig_new(void *ctx, const char *properties)
{
	(void)ctx;
	(void)properties;
	return (calloc(1, sizeof(struct sigctx)));
}

static void
sig_free(void *ctx)
{
	free(ctx);
}

static int
sig_init(void *ctx, const char *md, void *key, const OSSL_PARAM params[])
{
	struct sigctx	*s = ctx;

	if (key != NULL)
		s->key = key;
	if (strlcpy(s->md, md == NULL ? "" : md, sizeof(s->md)) >=
	    sizeof(s->md))
		return (0);
	return (s->key != NULL && sig_set_params(ctx, params));
}

static int
sig_set_params(void *ctx, const OSSL_PARAM params[])
{
	struct sigctx		*s = ctx;
	const OSSL_PARAM	*p;
	int			 mode;

	if (params == NULL ||
	    (p = OSSL_PARAM_locate_const(params,
	    OSSL_SIGNATURE_PARAM_PAD_MODE)) == NULL)
		return (1);
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		mode = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ?
		    RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
	else if (OSSL_PARAM_get_int(p, &mode) != 1)
		return (0);
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return (s->pss || mode == RSA_PKCS1_PADDING);
}

/* The salt of PSS is as long as the digest: there is no other in TLS. */
static const OSSL_PARAM *
sig_settable(void *ctx, void *provctx)
{
	static const OSSL_PARAM	 some[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)ctx;
	(void)provctx;
	return (some);
}

static int
sig_update(void *ctx, const unsigned char *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
	return (0);
}

static int
sig_final(void *ctx, unsigned char *sig, size_t *len, size_t size)
{
	(void)ctx;
	(void)sig;
	(void)len;
	(void)size;
	return (0);
}

/* SignatureScheme (RFC 8446 section 4.2.3), or 0: not by us. */
static uint16_t
sig_alg(const struct sigctx *s)
{
	static const struct {
		const char	*md;
		uint16_t	 high;
	} mds[] = {
		{ "SHA256", 0x0400 }, { "SHA2-256", 0x0400 },
		{ "SHA384", 0x0500 }, { "SHA2-384", 0x0500 },
		{ "SHA512", 0x0600 }, { "SHA2-512", 0x0600 }
	};
	size_t	 i;

	if (strcmp(s->key->type, "ED25519") == 0)
		return (0x0807);
	for (i = 0; i < sizeof(mds) / sizeof(mds[0]); i++)
		if (strcasecmp(s->md, mds[i].md) == 0)
			break;
	if (i == sizeof(mds) / sizeof(mds[0]))
		return (0);
	if (strcmp(s->key->type, "EC") == 0)
		return (mds[i].high | 0x03);
	/* rsa_pss_rsae_sha256 is 0x0804, sha384 0x0805, sha512 0x0806 */
	return (s->pss ? 0x0800 | mds[i].high >> 8 : mds[i].high | 0x01);
}

static int
sig_sign(void *ctx, unsigned char *sig, size_t *len, size_t size,
    const unsigned char *tbs, size_t tbs_len)
{
	struct sigctx		*s = ctx;
	struct tls_question	*q;
	uint16_t		 alg = sig_alg(s);
	int			 r;

	if (sig == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->pub);
		return (1);
	}
	if (alg == 0 || ASYNC_get_current_job() == NULL || place == NULL ||
	    (q = question_new(s, alg, tbs, tbs_len)) == NULL)
		return (0);
	/* on our way back there may be another call in progress */
	do
		ASYNC_pause_job();
	while (q->state == ASKED);
	r = q->state == ANSWERED && q->sig_len > 0 && q->sig_len <= size;
	if (r) {
		memcpy(sig, q->sig, q->sig_len);
		*len = q->sig_len;
	}
	question_free(q);
	return (r);
}

/* Questions. */

void
tls_key_enter(struct tls_question **p, void (*ready)(void *), void *arg)
{
	place = p;
	place_ready = ready;
	place_arg = arg;
}

static struct tls_question *
question_new(const struct sigctx *s, uint16_t alg, const uint8_t *tbs,
    size_t len)
{
	struct tls_question	*q;

	if (len > sizeof(q->tbs) || nquestions >= QUESTIONS_MAX ||
	    *place != NULL || (q = calloc(1, sizeof(*q))) == NULL)
		return (NULL);
	q->place = place;
	*q->place = q;
	q->ready = place_ready;
	q->arg = place_arg;
	q->id = ++last_id;
	q->state = ASKED;
	q->number = s->key->number;
	q->alg = alg;
	q->tbs_len = len;
	memcpy(q->tbs, tbs, len);
	TAILQ_INSERT_TAIL(&questions, q, link);
	nquestions++;
	question_ask(q);
	return (q);
}

static void
question_ask(const struct tls_question *q)
{
	struct channel	*ch = peer_channel(ROLE_KEEPER);

	if (ch != NULL)
		(void)proto_send_sign(ch, q->id, q->number, q->alg, q->tbs,
		    q->tbs_len);
}

static void
question_free(struct tls_question *q)
{
	*q->place = NULL;
	TAILQ_REMOVE(&questions, q, link);
	nquestions--;
	free(q);
}

void
tls_key_cancel(struct tls_question *q)
{
	q->state = CANCELLED;
}

static void
ask_again(void)
{
	struct tls_question	*q;

	TAILQ_FOREACH(q, &questions, link)
		if (q->state == ASKED)
			question_ask(q);
}

/* MSG_SIGNATURE. */
static int
take_signature(struct imsg *m)
{
	struct tls_question	*q;
	const uint8_t		*sig;
	uint64_t		 id;
	size_t			 len;

	if (proto_get_signature(m, &id, &sig, &len) == -1)
		return (-1);
	TAILQ_FOREACH(q, &questions, link)
		if (q->id == id)
			break;
	if (q == NULL || q->state != ASKED)
		return (0);
	q->state = ANSWERED;
	q->sig_len = len;
	memcpy(q->sig, sig, len);
	q->ready(q->arg);
	return (0);
}
