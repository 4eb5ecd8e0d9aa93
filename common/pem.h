/* Private keys as files have them (PEM, RFC 7468). */
#ifndef COMMON_PEM_H
#define COMMON_PEM_H

#include <openssl/evp.h>

/* The first private key in the text.  The caller frees it; NULL: there is
 * none, or it needs a passphrase, and there is nobody to ask. */
EVP_PKEY *pem_private_key(const char *);

#endif
