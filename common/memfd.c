/*
 * Sealed memory files.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "common/memfd.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

#ifndef F_SEAL_FUTURE_WRITE		/* Linux 5.1 */
#define F_SEAL_FUTURE_WRITE	0x0010
#endif
#define SHARED_SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int	 fresh(const char *);
static int	 grow(int, off_t);

#ifndef MFD_NOEXEC_SEAL		/* Linux 6.3 */
#define MFD_NOEXEC_SEAL	0x0008U
#endif

/* Empty, close-on-exec, not sealed yet; or -1. */
static int
fresh(const char *name)
{
	int	 fd;

	/* never to be executed: newer systems may insist that we say so,
	 * older ones do not know the flag */
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING |
	    MFD_NOEXEC_SEAL);
	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return (fd);
}

int
memfd_seal(const char *name, const void *data, size_t len)
{
	const uint8_t	*p = data;
	size_t		 done = 0;
	ssize_t		 n;
	int		 fd, saved;

	if ((fd = fresh(name)) == -1)
		return (-1);
	while (done < len) {
		if ((n = write(fd, p + done, len - done)) == -1 &&
		    errno == EINTR)
			continue;
		if (n <= 0)
			goto failed;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1)
		goto failed;
	return (fd);
failed:
	saved = errno;
	close(fd);
	errno = saved;
	return (-1);
}

int
memfd_map(int fd, size_t max, const void **data, size_t *len)
{
	struct stat	 st;
	void		*p;
	int		 seals;

	if ((seals = fcntl(fd, F_GET_SEALS)) == -1)
		return (-1);
	if ((seals & SEALS) != SEALS) {
		errno = EPERM;
		return (-1);
	}
	if (fstat(fd, &st) == -1)
		return (-1);
	if (st.st_size <= 0 || (uintmax_t)st.st_size > max) {
		errno = EFBIG;
		return (-1);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return (-1);
	*data = p;
	*len = (size_t)st.st_size;
	return (0);
}

void
memfd_unmap(const void *p, size_t len)
{
	munmap((void *)(uintptr_t)p, len);
}

/* RLIMIT_FSIZE means files that fill disks, and counts this as one. */
static int
grow(int fd, off_t size)
{
	struct rlimit	 was, most;
	int		 r, raised;

	raised = getrlimit(RLIMIT_FSIZE, &was) == 0 &&
	    was.rlim_cur != RLIM_INFINITY && (rlim_t)size > was.rlim_cur;
	if (raised) {
		most = was;
		most.rlim_cur = most.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &most);
	}
	r = ftruncate(fd, size);
	if (raised)
		(void)setrlimit(RLIMIT_FSIZE, &was);
	return (r);
}

int
memfd_share(const char *name, size_t size, int alone, void **data)
{
	void	*p;
	int	 fd, saved;
	int	 seals = SHARED_SEALS | (alone ? F_SEAL_FUTURE_WRITE : 0);

	if ((fd = fresh(name)) == -1)
		return (-1);
	/* where it is to be so, ours is the last map that can be written */
	if (grow(fd, (off_t)size) == 0 && (p = mmap(NULL, size,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) != MAP_FAILED) {
		if (fcntl(fd, F_ADD_SEALS, seals) == 0) {
			*data = p;
			return (fd);
		}
		munmap(p, size);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return (-1);
}

void *
memfd_map_shared(int fd, size_t size, int alone, int write)
{
	struct stat	 st;
	void		*p;
	int		 seals;
	int		 want = SHARED_SEALS | (alone ? F_SEAL_FUTURE_WRITE :
			    0);

	if ((seals = fcntl(fd, F_GET_SEALS)) == -1 || fstat(fd, &st) == -1)
		return (NULL);
	if ((seals & want) != want || st.st_size < 0 ||
	    (size_t)st.st_size != size) {
		errno = EPERM;
		return (NULL);
	}
	p = mmap(NULL, size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED,
	    fd, 0);
	return (p == MAP_FAILED ? NULL : p);
}
