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

/*
 * Members of the object that a JSON text of len bytes is, which text[len]
 * follows; strings are unescaped in place and end at a NUL, null members are
 * absent.  0, or -1: no such object, or a string in it has a NUL.
 */
int	claims_members(char *text, size_t len, const char *const *names,
	    struct json_member *, size_t n);
/* The text of a string, or NULL. */
const char *claims_string(const struct json_member *);

/*
 * Judge a payload (as above; it is taken apart) whose signature is good, made
 * by the key of this id.  Results and *claims as of jwt_verify(); *why says
 * what is wrong unless AUTH_OK: static text, fit for a log.
 */
enum auth_result claims_judge(const struct jwt_policy *, char *text,
	    size_t len, int64_t now_ms, const uint8_t key_id[32],
	    struct jwt_claims **claims, const char **why);

#endif
