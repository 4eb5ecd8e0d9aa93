/*
 * The public keys that the serving generation judges tokens by, to be judged
 * by elsewhere (mcpgwctl token explain).
 */
#ifndef MONITOR_KEYS_H
#define MONITOR_KEYS_H

#include <event2/buffer.h>
#include <stdint.h>

/* A packed key set (common/jwk.h) of a generation; fd stays the caller's.
 * Whatever is no key set leaves us without one: its maker is not believed. */
void	keys_take(uint32_t generation, int fd);
/* {"generation": n, "keys": [JWK (RFC 7517)]}; none of another generation. */
void	keys_put(struct evbuffer *, uint32_t generation);

#endif
