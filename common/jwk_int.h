/* Shared by jwk.c and jwk_json.c; nobody else includes it. */
#ifndef COMMON_JWK_INT_H
#define COMMON_JWK_INT_H

#include "common/jwk.h"

/* Check a key's numbers and build pkey and id; thorough: as one from the
 * network.  NULL, or why it cannot be used (static text). */
const char *jwk_finish(struct jwk *, int thorough);

#endif
