/* The keeper's sandbox: nothing but memory and its channels. */
#ifndef KEEPER_SANDBOX_RULES_H
#define KEEPER_SANDBOX_RULES_H

/* Before any thread: no file system, no network.  Exits on failure. */
void	keeper_landlock(void);
/* After the last thread was started: the allow-list, for all of them. */
void	keeper_sandbox(void);

#endif
