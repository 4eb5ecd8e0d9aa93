/*
 * What the payload of a token says, in each of the shapes that authorization
 * servers give it (RFC 7519, RFC 9068; mcpgw-oauth(7) has the table).  Types
 * are judged before values: a claim of another type than its specification
 * gives it makes the token invalid, never one without that claim, for two
 * users whose names cannot be read would be one.
 */
#ifndef COMMON_CLAIMS_H
#define COMMON_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/auth_result.h"
#include "common/json.h"
#include "common/jwt.h"

struct judging;

/*
 * Members of the object that a JSON text of len bytes is, which text[len]
 * follows; strings are unescaped in place and end at a NUL, null members are
 * absent.  0, or -1: no such object, or a string in it has a NUL.
 */
int	claims_members(char *text, size_t len, const char *const *names,
	    struct json_member *, size_t n);
/* The text of a string, or NULL. */
const char *claims_string(const struct json_member *);
/* The member that a claim is, wherever it lies: absent, or a string as of
 * claims_members(), or anything else as it came.  0, or -1: it would be inside
 * of what is no object. */
int	claims_at(const struct json_member *, const struct jwt_claim *,
	    struct json_member *);
/* Tell each string of one, or of an array: slices of this call.  The number
 * of strings. */
size_t	claims_each(const struct json_member *,
	    void (*)(void *, struct slice), void *);
/* 1 a NumericDate (RFC 7519 section 2) of any size, cut at 1e15; 0 absent;
 * then t stays as it is. */
int	claims_seconds(const struct json_member *, double *t);

/*
 * The checks of a payload whose members were read, in their order; each gives
 * AUTH_OK or what is said of a token that fails it.  After the first one has
 * failed none may be asked.
 */
enum auth_result claims_shape(struct judging *);
enum auth_result claims_use(struct judging *);
enum auth_result claims_iss(struct judging *);
enum auth_result claims_aud(struct judging *);
enum auth_result claims_exp(struct judging *);
enum auth_result claims_nbf(struct judging *);
enum auth_result claims_iat(struct judging *);
enum auth_result claims_cnf(struct judging *);
enum auth_result claims_scopes(struct judging *);
/* What is to be kept of them; NULL: no memory. */
struct jwt_claims *claims_make(const struct judging *);

#endif
