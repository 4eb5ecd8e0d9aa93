/*
 * A library that asks at a terminal is of no use to a daemon.
 */
#include <openssl/pem.h>

#include "common/pem.h"

static int	 no_passphrase(char *, int, int, void *);

EVP_PKEY *
pem_private_key(const char *pem)
{
	EVP_PKEY	*key = NULL;
	BIO		*bio;

	if ((bio = BIO_new_mem_buf(pem, -1)) != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return (key);
}

static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return (-1);
}
