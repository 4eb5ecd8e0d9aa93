/*
 * JSON Web Keys (RFC 7517, RFC 7518, RFC 8037): only public keys that can
 * verify an access token's signature.  The fetcher reads the hostile JSON and
 * sends what is usable in packed form; workers unpack that and build the same
 * OpenSSL keys again.
 */
#ifndef COMMON_JWK_H
#define COMMON_JWK_H

#include <openssl/evp.h>

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define JWK_SET_MAX	128		/* keys in a set */
#define JWK_KID_MAX	256		/* bytes of a kid */
#define JWK_JSON_MAX	(1024 * 1024)	/* bytes of a JWKS document */
#define JWK_PACKED_MAX	(256 * 1024)	/* bytes of a packed set */

/* Signature algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864
 * section 2.2). */
enum jws_alg {
	JWS_NONE = 0,
	JWS_RS256, JWS_RS384, JWS_RS512,
	JWS_PS256, JWS_PS384, JWS_PS512,
	JWS_ES256, JWS_ES384, JWS_ES512,
	JWS_EDDSA, JWS_ED25519, JWS_ED448,
	JWS_ALG_MAX
};

enum jwk_type { JWK_RSA, JWK_EC, JWK_OKP };
enum jwk_curve { JWK_P256, JWK_P384, JWK_P521, JWK_ED25519, JWK_ED448 };

struct jwk {
	char		 kid[JWK_KID_MAX + 1];	/* "" when it has none */
	int		 has_kid;
	enum jwk_type	 type;
	enum jwk_curve	 curve;		/* EC and OKP */
	enum jws_alg	 alg;		/* JWS_NONE: any that the type allows */
	uint8_t		 a[1024];	/* RSA n; EC x; OKP x */
	size_t		 alen;
	uint8_t		 b[66];		/* RSA e; EC y */
	size_t		 blen;
	EVP_PKEY	*pkey;		/* owned */
	uint8_t		 id[32];	/* SHA-256 of type, curve, a, b, alg */
};

struct jwk_set {
	struct jwk	*keys;		/* owned array */
	size_t		 n;
};

/* An entry that cannot be used. */
struct jwk_skip {
	size_t		 index;
	char		 kid[JWK_KID_MAX + 1];	/* "": none; as it came */
	const char	*why;		/* static text */
	int		 is_private;	/* somebody published a secret */
};

/* Called for every entry that cannot be used. */
typedef void (*jwk_skip_cb)(void *, const struct jwk_skip *);

#define JWK_UNUSABLE	"no usable key"

/*
 * Read a JWKS document (RFC 7517 section 5), with or without a BOM.  Entries
 * that we cannot use (symmetric, use other than sig, key_ops without verify,
 * unknown type, curve or algorithm, RSA under 2048 or over 8192 bits, e even
 * or under 3, point not on its curve, private members, a member twice, no
 * UTF-8) are skipped and told to skip; they never spoil the set.  A member
 * that is null is absent, and so is an empty key_ops.  *why is a static text
 * naming what is wrong: not JSON, no "keys" array, more than JWK_SET_MAX
 * entries, JWK_UNUSABLE.  NULL then; else a set to jwk_set_free().
 */
struct jwk_set *jwk_set_parse(const char *, size_t, jwk_skip_cb, void *,
    const char **why);
void	jwk_set_pack(const struct jwk_set *, struct wbuf *);
/*
 * NULL when the body is not what jwk_set_pack() makes; a key that OpenSSL
 * refuses is left out.  Cheap, for it runs where requests wait: what
 * jwk_set_parse() has checked of a key is not checked again as far as that
 * takes arithmetic.  Whatever the bytes, the keys are safe to use: they verify
 * nothing that they should not, beyond what their maker has signed.
 */
struct jwk_set *jwk_set_unpack(const void *, size_t);
void	jwk_set_free(struct jwk_set *);		/* NULL is fine */

/* Does this key's type, curve and own alg allow the algorithm?  1 or 0. */
int	jwk_allows(const struct jwk *, enum jws_alg);
enum jws_alg jws_alg_parse(const char *, size_t);
/* Never NULL. */
const char *jws_alg_name(enum jws_alg);

#endif
