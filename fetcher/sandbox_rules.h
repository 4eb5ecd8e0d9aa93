/* What the fetcher may still do once it runs. */
#ifndef FETCHER_SANDBOX_RULES_H
#define FETCHER_SANDBOX_RULES_H

void	fetcher_sandbox(void);

#endif
