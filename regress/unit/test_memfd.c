/*
 * common/memfd.h and common/shm.h: only what cannot change any more is
 * mapped, and only in the size that was agreed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memfd.h"
#include "common/shm.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

/* A memfd of len bytes with these seals. */
static int
make(size_t len, int seals)
{
	int	 fd;

	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return (fd);
}

static void
refused(int fd, size_t max, int error)
{
	const void	*p;
	size_t		 len;

	errno = 0;
	assert_int_equal(memfd_map(fd, max, &p, &len), -1);
	if (error != 0)
		assert_int_equal(errno, error);
	else
		assert_int_not_equal(errno, 0);
	close(fd);
}

static void
test_copy_arrives(void **state)
{
	static char	 big[300000];
	const void	*p;
	size_t		 len, i;
	int		 fd;

	(void)state;
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	fd = memfd_seal("test", big, sizeof(big));
	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(memfd_map(fd, sizeof(big), &p, &len), 0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(p, big, len);
	/* the map outlives the descriptor */
	close(fd);
	assert_memory_equal(p, big, len);
	memfd_unmap(p, len);
}

static void
test_copy_cannot_change(void **state)
{
	int	 fd;

	(void)state;
	fd = memfd_seal("test", "abc", 3);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 4), -1);
	assert_int_equal(errno, EPERM);
	assert_ptr_equal(mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
	close(fd);
}

static void
test_every_seal_counts(void **state)
{
	static const int seals[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE,
			    F_SEAL_SEAL };
	const void	*p;
	size_t		 i, len;
	int		 fd, all = 0;

	(void)state;
	for (i = 0; i < 4; i++)
		all |= seals[i];
	fd = make(10, all);
	assert_int_equal(memfd_map(fd, 10, &p, &len), 0);
	memfd_unmap(p, len);
	close(fd);
	for (i = 0; i < 4; i++)
		refused(make(10, all & ~seals[i]), 10, EPERM);
	refused(make(10, 0), 10, EPERM);
}

static void
test_size_is_bounded(void **state)
{
	const void	*p;
	size_t		 len;
	int		 all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			    F_SEAL_SEAL, fd;

	(void)state;
	refused(make(4097, all), 4096, EFBIG);
	refused(make(0, all), 4096, EFBIG);
	fd = make(4096, all);
	assert_int_equal(memfd_map(fd, 4096, &p, &len), 0);
	assert_int_equal(len, 4096);
	memfd_unmap(p, len);
	close(fd);
	/* a size that has nothing behind it, and none that fits size_t */
	refused(make((size_t)1 << 40, all), 1 << 20, EFBIG);
}

/* Things that have a size but are no memfds, or have none. */
static void
test_other_files(void **state)
{
	char	 path[] = "/tmp/test_memfd.XXXXXX";
	int	 fd, sv[2];

	(void)state;
	fd = mkstemp(path);
	assert_int_not_equal(fd, -1);
	unlink(path);
	assert_int_equal(write(fd, "abc", 3), 3);
	refused(fd, 4096, 0);
	assert_int_equal(pipe(sv), 0);
	close(sv[1]);
	refused(sv[0], 4096, 0);
	refused(open("/dev/zero", O_RDONLY), 4096, 0);
	refused(-1, 4096, EBADF);
}

static void
test_shm_is_shared(void **state)
{
	struct shm		*a;
	const struct shm	*b;
	int		 fd;

	(void)state;
	fd = shm_create(&a);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(atomic_load(&a->audit_broken), 0);
	assert_int_equal(shm_map(fd, &b), 0);
	assert_ptr_not_equal(a, b);
	atomic_store(&a->audit_broken, 1);
	assert_int_equal(atomic_load(&b->audit_broken), 1);
	/* it is the first one's word alone */
	assert_int_equal(mprotect((void *)(uintptr_t)b, sizeof(*b),
	    PROT_READ | PROT_WRITE), -1);
	assert_ptr_equal(mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	/* nobody can take the memory away from under the others */
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(errno, EPERM);
	munmap(a, sizeof(*a));
	munmap((void *)(uintptr_t)b, sizeof(*b));
	close(fd);
}

static void
test_shm_is_checked(void **state)
{
	const struct shm *s;
	int		 fixed = F_SEAL_SHRINK | F_SEAL_GROW |
			    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	const struct {
		size_t	 len;
		int	 seals;
	} bad[] = {
		{ sizeof(*s) - 1, fixed },
		{ sizeof(*s) + 1, fixed },
		{ 0, fixed },
		{ sizeof(*s), fixed & ~F_SEAL_SHRINK },
		{ sizeof(*s), fixed & ~F_SEAL_GROW },
		{ sizeof(*s), fixed & ~F_SEAL_FUTURE_WRITE },
		{ sizeof(*s), 0 }
	};
	size_t		 i;
	int		 fd;

	(void)state;
	fd = make(sizeof(*s), fixed);
	assert_int_equal(shm_map(fd, &s), 0);
	munmap((void *)(uintptr_t)s, sizeof(*s));
	close(fd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = make(bad[i].len, bad[i].seals);
		assert_int_equal(shm_map(fd, &s), -1);
		close(fd);
	}
	assert_int_equal(shm_map(-1, &s), -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_copy_arrives),
		cmocka_unit_test(test_copy_cannot_change),
		cmocka_unit_test(test_every_seal_counts),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_shm_is_shared),
		cmocka_unit_test(test_shm_is_checked),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
