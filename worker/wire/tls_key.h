/*
 * Private keys that are not here.  A provider for OpenSSL whose keys know
 * their public half; what is to be signed goes to the keeper as TLS made it,
 * and the handshake, which runs as an asynchronous job, is suspended until
 * the signature comes.
 */
#ifndef WIRE_TLS_KEY_H
#define WIRE_TLS_KEY_H

#include <openssl/ssl.h>

struct tls_question;

/* Before the sandbox: the OpenSSL library context that has such keys; exits
 * on failure. */
OSSL_LIB_CTX *tls_key_setup(void);
/* The key number that a certificate speaks of, as an EVP_PKEY without its
 * private half; NULL on failure.  Numbers are the keeper's. */
EVP_PKEY *tls_key_new(EVP_PKEY *pub, uint32_t number);

/*
 * For the duration of a call that may sign: where its question is kept, and
 * who is told (ready, with arg) when the answer is there and the call is to be
 * made again.  Afterwards NULL.
 */
void	tls_key_enter(struct tls_question **, void (*ready)(void *),
	    void *arg);
/* Nobody wants the signature any more: the next call that resumes the job
 * makes it fail. */
void	tls_key_cancel(struct tls_question *);

#endif
