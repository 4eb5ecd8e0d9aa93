/*
 * Shared memory: a memfd with a fixed size.
 */
#include <stddef.h>

#include "common/memfd.h"
#include "common/shm.h"

int
shm_create(struct shm **shm)
{
	void	*p;
	int	 fd;

	if ((fd = memfd_share("state", sizeof(**shm), 1, &p)) != -1)
		*shm = p;
	return (fd);
}

int
shm_map(int fd, const struct shm **shm)
{
	*shm = memfd_map_shared(fd, sizeof(**shm), 1, 0);
	return (*shm == NULL ? -1 : 0);
}
