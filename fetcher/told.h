/*
 * What is told of key sets: names and times of each, for the monitor to show
 * (struct stats_jwks of common/stats.h), and nothing that is a key.
 */
#ifndef FETCHER_TOLD_H
#define FETCHER_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "common/jwk.h"
#include "common/stats.h"

/* One source of keys, of whatever generations; nothing was fetched yet.  The
 * URL is told without its query. */
void	told_init(struct stats_jwks *, const char *issuer, const char *url);
/* The set that is in force. */
void	told_keys(struct stats_jwks *, const struct jwk_set *);
/* What the last document had besides. */
void	told_skipped(struct stats_jwks *, const struct jwk_skip *, size_t);
/* An attempt has ended: error NULL, it went well; or why not. */
void	told_fetched(struct stats_jwks *, const char *error);
/* The next is due in so many ms. */
void	told_next(struct stats_jwks *, uint64_t ms);

/* Tell it of this generation; or nothing any more. */
void	told_put(const struct stats_jwks *, uint32_t generation);
void	told_drop(uint32_t generation);

#endif
