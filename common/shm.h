/*
 * Memory that the master and all workers share: numbers only, for nobody may
 * follow a pointer, or trust a length, that another process can change.
 */
#ifndef COMMON_SHM_H
#define COMMON_SHM_H

#include <stdatomic.h>
#include <stdint.h>

struct shm {
	/* 1 while the audit log cannot be written; the master's word alone,
	 * who looks for itself and mends the file */
	_Atomic uint32_t audit_broken;
	/* 1 while an operator wants no new clients: /readyz says so */
	_Atomic uint32_t draining;
	uint32_t	 reserved[14];
};

/* A descriptor (the caller's) of shared memory that can neither shrink nor
 * grow, mapped at *shm, and that nobody else can write to; -1 with errno. */
int	shm_create(struct shm **);
/* Map it for reading in another process, after checking its seals and size.
 * 0, or -1 with errno.  fd stays the caller's. */
int	shm_map(int fd, const struct shm **);

#endif
