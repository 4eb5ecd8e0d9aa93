/*
 * SHA-256, started once over the key and continued for each value.
 */
#include <sys/random.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "common/keyed_hash.h"

#define BLOCK_LEN	64	/* of SHA-256: the key fills one */

struct keyed_hash {
	EVP_MD		*md;
	EVP_MD_CTX	*keyed;		/* after the key */
	EVP_MD_CTX	*work;
};

static void	 keyed_hash_free(struct keyed_hash *);

struct keyed_hash *
keyed_hash_new(void)
{
	struct keyed_hash	*kh;
	uint8_t			 key[BLOCK_LEN];

	if ((kh = calloc(1, sizeof(*kh))) == NULL)
		return (NULL);
	kh->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	kh->keyed = EVP_MD_CTX_new();
	kh->work = EVP_MD_CTX_new();
	if (kh->md == NULL || kh->keyed == NULL || kh->work == NULL ||
	    getrandom(key, sizeof(key), 0) != sizeof(key) ||
	    EVP_DigestInit_ex2(kh->keyed, kh->md, NULL) != 1 ||
	    EVP_DigestUpdate(kh->keyed, key, sizeof(key)) != 1) {
		keyed_hash_free(kh);
		kh = NULL;
	}
	explicit_bzero(key, sizeof(key));
	return (kh);
}

static void
keyed_hash_free(struct keyed_hash *kh)
{
	if (kh == NULL)
		return;
	EVP_MD_CTX_free(kh->work);
	EVP_MD_CTX_free(kh->keyed);
	EVP_MD_free(kh->md);
	free(kh);
}

int
keyed_hash(struct keyed_hash *kh, const void *data, size_t len,
    uint8_t out[KEYED_HASH_LEN])
{
	unsigned	 n = 0;

	if (EVP_MD_CTX_copy_ex(kh->work, kh->keyed) == 1 &&
	    EVP_DigestUpdate(kh->work, data, len) == 1 &&
	    EVP_DigestFinal_ex(kh->work, out, &n) == 1 && n == KEYED_HASH_LEN)
		return (0);
	memset(out, 0, KEYED_HASH_LEN);
	return (-1);
}
