/*
 * Sealed memory files: how anything larger than a message travels between
 * processes.  The receiver verifies the seals and the size, so that a sender
 * who was taken over can neither change what was checked nor raise SIGBUS.
 */
#ifndef COMMON_MEMFD_H
#define COMMON_MEMFD_H

#include <stddef.h>

/* A descriptor (close-on-exec, the caller's) of a sealed copy of len bytes,
 * or -1 with errno.  Nobody will map one of 0 bytes. */
int	memfd_seal(const char *name, const void *, size_t len);

/* Verify that fd is a memfd with SHRINK, GROW, WRITE and SEAL seals, not
 * empty and at most max bytes, and map it MAP_PRIVATE, read-only.  The fd
 * stays the caller's.  0, or -1 with errno (EPERM: not sealed; EFBIG). */
int	memfd_map(int fd, size_t max, const void **, size_t *len);
void	memfd_unmap(const void *, size_t len);

/* A descriptor (close-on-exec, the caller's) of size bytes of 0 that can
 * neither shrink nor grow, mapped at *data; alone: and that nobody else can
 * map for writing.  -1 with errno. */
int	memfd_share(const char *name, size_t size, int alone, void **data);
/* Map another's, after checking seals and size; NULL with errno.  fd stays
 * the caller's. */
void	*memfd_map_shared(int fd, size_t size, int alone, int write);

#endif
