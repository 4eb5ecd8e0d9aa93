/*
 * libargon2, with memory that is kept from one hash to the next: mapping 64
 * MiB anew costs as much as a tenth of the hash.
 */
#include <sys/mman.h>

#include <openssl/crypto.h>

#include <argon2.h>
#include <string.h>

#include "common/argon2id.h"

#define STACK_USED	16384	/* more than libargon2 needs */

static _Thread_local uint8_t	*arena;
static _Thread_local size_t	 arena_len;

static int	 compute(const struct phc *, const uint8_t *, size_t,
		    uint8_t[PHC_HASH_MAX]);
static void	 wipe_stack(void);
static int	 arena_get(uint8_t **, size_t);
static void	 arena_put(uint8_t *, size_t);

int
argon2id_make(struct phc *h, const uint8_t *key, size_t len)
{
	return (compute(h, key, len, h->hash));
}

int
argon2id_matches(const struct phc *h, const uint8_t *key, size_t len)
{
	uint8_t	 out[PHC_HASH_MAX];
	int	 r = -1;

	if (compute(h, key, len, out) == 0)
		r = CRYPTO_memcmp(out, h->hash, h->hash_len) == 0;
	explicit_bzero(out, sizeof(out));
	return (r);
}

void
argon2id_rest(void)
{
	if (arena != NULL)
		munmap(arena, arena_len);
	arena = NULL;
	arena_len = 0;
}

static int
compute(const struct phc *h, const uint8_t *key, size_t len,
    uint8_t out[PHC_HASH_MAX])
{
	argon2_context	 ctx;
	uint8_t		 salt[PHC_SALT_MAX];
	int		 ret;

	memset(&ctx, 0, sizeof(ctx));
	memcpy(salt, h->salt, sizeof(salt));
	ctx.out = out;
	ctx.outlen = h->hash_len;
	/* neither flag asks libargon2 to write here */
	ctx.pwd = (uint8_t *)(uintptr_t)key;
	ctx.pwdlen = (uint32_t)len;
	ctx.salt = salt;
	ctx.saltlen = h->salt_len;
	ctx.t_cost = h->passes;
	ctx.m_cost = h->memory;
	ctx.lanes = h->lanes;
	/* more would be more threads, which RLIMIT_NPROC forbids */
	ctx.threads = 1;
	ctx.version = ARGON2_VERSION_13;
	ctx.allocate_cbk = arena_get;
	ctx.free_cbk = arena_put;
	ctx.flags = ARGON2_DEFAULT_FLAGS;
	ret = argon2_ctx(&ctx, Argon2_id) == ARGON2_OK ? 0 : -1;
	wipe_stack();
	return (ret);
}

/* libargon2 wipes the memory that it works in, but its BLAKE2b leaves the
 * beginning of the key on the stack. */
static __attribute__((noinline)) void
wipe_stack(void)
{
	uint8_t	 below[STACK_USED];

	explicit_bzero(below, sizeof(below));
}

static int
arena_get(uint8_t **p, size_t len)
{
	void	*m;

	*p = NULL;
	if (arena_len < len) {
		argon2id_rest();
		m = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m == MAP_FAILED)
			return (-1);
		arena = m;
		arena_len = len;
	}
	*p = arena;
	return (0);
}

/* libargon2 has wiped it. */
static void
arena_put(uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
}
