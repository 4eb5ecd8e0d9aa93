/*
 * Shared memory: a memfd with a fixed size.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/memfd.h"
#include "common/shm.h"

#ifndef F_SEAL_FUTURE_WRITE		/* Linux 5.1 */
#define F_SEAL_FUTURE_WRITE	0x0010
#endif
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | \
		    F_SEAL_SEAL)

int
shm_create(struct shm **shm)
{
	void	*p;
	int	 fd, saved;

	if ((fd = memfd_new("state")) == -1)
		return (-1);
	/* ours is the last map that can be written */
	if (ftruncate(fd, sizeof(**shm)) == 0 &&
	    (p = mmap(NULL, sizeof(**shm), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0)) != MAP_FAILED) {
		if (fcntl(fd, F_ADD_SEALS, SEALS) == 0) {
			*shm = p;
			return (fd);
		}
		munmap(p, sizeof(**shm));
	}
	saved = errno;
	close(fd);
	errno = saved;
	return (-1);
}

int
shm_map(int fd, const struct shm **shm)
{
	struct stat	 st;
	void		*p;
	int		 seals;

	if ((seals = fcntl(fd, F_GET_SEALS)) == -1 || fstat(fd, &st) == -1)
		return (-1);
	if ((seals & SEALS) != SEALS || st.st_size != sizeof(**shm)) {
		errno = EPERM;
		return (-1);
	}
	p = mmap(NULL, sizeof(**shm), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return (-1);
	*shm = p;
	return (0);
}
