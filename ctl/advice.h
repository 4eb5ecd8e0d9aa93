/*
 * What to change, at the authorization server or in the file, when a check
 * fails.
 */
#ifndef CTL_ADVICE_H
#define CTL_ADVICE_H

/* By the name of a check of a token, or of a stage.  Static; NULL: there is
 * nothing to say. */
const char *advice_of_token(const char *check);
const char *advice_of_stage(const char *stage);

#endif
