/* What a worker may still do once it serves. */
#ifndef BASE_SANDBOX_RULES_H
#define BASE_SANDBOX_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/* The listen socket's number; once it is closed nothing else gets it. */
#define WORKER_LISTEN_FD	(PROTO_CHANNEL_FD + 1)

/* Enter the sandbox; connections go to these ports only. */
void	worker_sandbox(const uint16_t *ports, size_t n);

#endif
