/*
 * Words for the numbers in slots and on the board; whatever the number, there
 * is one, which is "_other" for those beyond.
 */
#ifndef MONITOR_NAMES_H
#define MONITOR_NAMES_H

/* The states of a generation (daemon/generation.h). */
#define NAMES_GENERATION_STATES	4

const char *names_role(unsigned);	/* enum proto_role */
const char *names_state(unsigned);	/* enum board_state */
const char *names_generation(unsigned);
/* As in struct stats_key. */
const char *names_action(unsigned);
const char *names_auth(unsigned);
const char *names_revision(unsigned);	/* "" when there is none */
/* Is this refusal (common/refusal_id.h) a limit that was reached? */
int	names_is_limit(unsigned);

#endif
