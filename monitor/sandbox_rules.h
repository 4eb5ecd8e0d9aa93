/* What the monitor may do. */
#ifndef MONITOR_SANDBOX_RULES_H
#define MONITOR_SANDBOX_RULES_H

void	monitor_sandbox(void);

#endif
