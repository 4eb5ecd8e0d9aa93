/* What a worker may still do once it serves. */
#ifndef WORKER_SANDBOX_RULES_H
#define WORKER_SANDBOX_RULES_H

#include <stddef.h>
#include <stdint.h>

/* Enter the sandbox; connections go to these ports only. */
void	worker_sandbox(const uint16_t *ports, size_t n);

#endif
