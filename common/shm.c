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

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int
shm_create(struct shm **shm)
{
	int	 fd, saved;

	if ((fd = memfd_new("state")) == -1)
		return (-1);
	if (ftruncate(fd, sizeof(**shm)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0 && shm_map(fd, shm) == 0)
		return (fd);
	saved = errno;
	close(fd);
	errno = saved;
	return (-1);
}

int
shm_map(int fd, struct shm **shm)
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
	p = mmap(NULL, sizeof(**shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	if (p == MAP_FAILED)
		return (-1);
	*shm = p;
	return (0);
}
