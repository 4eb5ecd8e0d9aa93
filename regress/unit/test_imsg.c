/*
 * common/imsg.h: messages and descriptors arrive whole and in order, and no
 * peer, however hostile, can leave a descriptor behind or hold up the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"

#define HEADER	16

static struct event_base	*base;

/* What a channel delivered. */
struct inbox {
	int		 n;		/* messages */
	int		 lost;		/* of them without their descriptor */
	int		 ends;		/* times that NULL came */
	uint32_t	 type;		/* of the last message */
	uint32_t	 peerid;
	uint32_t	 pid;
	size_t		 len;
	uint8_t		 data[IMSG_BODY_MAX];
	int		 fd;
	int		 take;		/* take descriptors over */
	int		 free_at;	/* free the channel in the nth call */
	int		 refill;	/* answer each by one more here */
};

static int
count_fds(void)
{
	DIR	*d;
	int	 n = 0;

	assert_non_null(d = opendir("/proc/self/fd"));
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return (n);
}

static void
on_message(struct channel *ch, struct imsg *m, void *arg)
{
	struct inbox	*in = arg;
	uint32_t	 header[4] = { 7, 0, 0, 0 };

	if (m == NULL)
		in->ends++;
	else {
		in->n++;
		in->lost += m->lost;
		in->type = m->type;
		in->peerid = m->peerid;
		in->pid = m->pid;
		in->len = m->len;
		assert_true(m->len <= IMSG_BODY_MAX);
		memcpy(in->data, m->data, m->len);
		in->fd = in->take ? imsg_take_fd(m) : m->fd;
	}
	if (in->refill != -1)
		assert_int_equal(send(in->refill, header, HEADER, 0), HEADER);
	if (in->free_at != 0 && in->free_at == in->n + in->ends)
		channel_free(ch);
}

static void
inbox_init(struct inbox *in)
{
	memset(in, 0, sizeof(*in));
	in->fd = -1;
	in->refill = -1;
}

/* A channel at one end, the bare socket at the other. */
static struct channel *
with_raw(struct inbox *in, int *raw)
{
	struct channel	*ch;
	int		 sv[2];

	inbox_init(in);
	assert_int_equal(imsg_pair(sv), 0);
	*raw = sv[1];
	assert_non_null(ch = channel_new(base, sv[0], on_message, in));
	return (ch);
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

/* Send any bytes, with n copies of a descriptor, in up to two control
 * messages. */
static void
raw_send(int fd, const void *p, size_t len, int n, int parts)
{
	union {
		struct cmsghdr	 hdr;
		char		 space[2 * CMSG_SPACE(32 * sizeof(int))];
	} control;
	struct iovec	 iov = { (void *)(uintptr_t)p, len };
	struct msghdr	 msg;
	struct cmsghdr	*c;
	int		 fds[32], i;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	for (i = 0; i < n; i++)
		fds[i] = STDIN_FILENO;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (n > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = (size_t)parts *
		    CMSG_SPACE((size_t)n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		for (i = 0; i < parts; i++) {
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
			memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
			c = (struct cmsghdr *)(void *)((char *)c +
			    CMSG_SPACE((size_t)n * sizeof(int)));
		}
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static void
raw_message(int fd, uint32_t type, int nfds)
{
	uint32_t	 h[4] = { type, 0, 0, 0 };

	raw_send(fd, h, sizeof(h), nfds, 1);
}

static int
setup(void **state)
{
	(void)state;
	/* of libevent and of the library's first use, once */
	return ((base = event_base_new()) == NULL ? -1 : 0);
}

static int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return (0);
}

static void
test_round_trip(void **state)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct inbox	 a, b;
	struct channel	*cha, *chb;
	int		 sv[2];
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 13);
	inbox_init(&a);
	inbox_init(&b);
	assert_int_equal(imsg_pair(sv), 0);
	assert_non_null(cha = channel_new(base, sv[0], on_message, &a));
	assert_non_null(chb = channel_new(base, sv[1], on_message, &b));
	assert_int_equal(channel_fd(cha), sv[0]);
	assert_int_equal(channel_send(cha, 5, 6, -1, body, sizeof(body)), 0);
	assert_int_equal(channel_queued(cha), 0);
	turn();
	assert_int_equal(b.n, 1);
	assert_int_equal(b.type, 5);
	assert_int_equal(b.peerid, 6);
	assert_int_equal(b.pid, getpid());
	assert_int_equal(b.len, sizeof(body));
	assert_memory_equal(b.data, body, sizeof(body));
	assert_int_equal(b.fd, -1);
	assert_int_equal(channel_send(chb, 8, 0, -1, NULL, 0), 0);
	turn();
	assert_int_equal(a.n, 1);
	assert_int_equal(a.type, 8);
	assert_int_equal(a.len, 0);
	channel_free(cha);
	turn();
	assert_int_equal(b.ends, 1);
	channel_free(chb);
	channel_free(NULL);
}

static void
test_descriptor(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	char		 c;
	int		 fds, p[2], raw;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	in.take = 1;
	raw_message(raw, 1, 1);
	turn();
	assert_int_equal(in.n, 1);
	assert_int_not_equal(in.fd, -1);
	assert_int_equal(fcntl(in.fd, F_GETFD), FD_CLOEXEC);
	close(in.fd);
	/* one that nobody takes is closed */
	in.take = 0;
	raw_message(raw, 1, 1);
	turn();
	assert_int_equal(in.n, 2);
	assert_int_not_equal(in.fd, -1);
	assert_int_equal(fcntl(in.fd, F_GETFD), -1);
	/* one that is sent is no longer here */
	assert_int_equal(pipe(p), 0);
	assert_int_equal(channel_send(ch, 1, 0, p[1], "x", 1), 0);
	channel_free(ch);
	close(raw);
	assert_int_equal(read(p[0], &c, 1), 0);
	close(p[0]);
	assert_int_equal(count_fds(), fds);
}

/* Framing that no honest peer makes: the channel ends, once, and nothing is
 * delivered or left open. */
static void
expect_broken(const void *p, size_t len, int nfds, int parts)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 fds, raw;

	fds = count_fds();
	ch = with_raw(&in, &raw);
	in.take = 1;
	raw_send(raw, p, len, nfds, parts);
	raw_message(raw, 1, 0);
	turn();
	assert_int_equal(in.n, 0);
	assert_int_equal(in.ends, 1);
	turn();
	assert_int_equal(in.n, 0);
	assert_int_equal(in.ends, 1);
	assert_int_equal(channel_send(ch, 1, 0, dup(0), NULL, 0), -1);
	assert_int_equal(channel_flush(ch, 0), -1);
	channel_free(ch);
	close(raw);
	assert_int_equal(count_fds(), fds);
}

static void
test_broken_framing(void **state)
{
	static uint32_t	 big[(HEADER + IMSG_BODY_MAX) / 4 + 1] = { 1,
			    IMSG_BODY_MAX };
	uint32_t	 h[5] = { 1, 0, 0, 0, 0 };

	(void)state;
	expect_broken(big, HEADER + IMSG_BODY_MAX + 1, 0, 1);
	expect_broken(big, sizeof(big), 0, 1);
	expect_broken(big, sizeof(big), 1, 1);
	expect_broken(big, HEADER + IMSG_BODY_MAX - 1, 0, 1);
	expect_broken(h, HEADER - 1, 0, 1);
	expect_broken(h, 1, 0, 1);
	expect_broken(h, 0, 1, 1);
	expect_broken(h, HEADER + 1, 0, 1);
	h[1] = 1;
	expect_broken(h, HEADER, 0, 1);
	expect_broken(h, HEADER + 2, 1, 1);
	h[1] = UINT32_MAX;
	expect_broken(h, HEADER, 0, 1);
	h[1] = UINT32_MAX - HEADER + 1;
	expect_broken(h, HEADER, 0, 1);
}

static void
test_too_many_descriptors(void **state)
{
	uint32_t	 h[4] = { 1, 0, 0, 0 };

	(void)state;
	expect_broken(h, HEADER, 2, 1);
	expect_broken(h, HEADER, 8, 1);
	/* more than there is room for: the control data is cut */
	expect_broken(h, HEADER, 9, 1);
	expect_broken(h, HEADER, 32, 1);
	expect_broken(h, HEADER, 1, 2);
	expect_broken(h, HEADER, 8, 2);
}

/* The kernel then drops what it cannot hand over, and no more is lost. */
static void
test_no_room_for_descriptor(void **state)
{
	struct rlimit	 rl, none;
	struct channel	*ch;
	struct inbox	 in;
	int		 fds, raw;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	raw_message(raw, 1, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	none = rl;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(in.n, 1);
	assert_int_equal(in.ends, 0);
	assert_int_equal(in.lost, 1);
	raw_message(raw, 1, 1);
	turn();
	assert_int_equal(in.n, 2);
	assert_int_equal(in.lost, 1);
	channel_free(ch);
	close(raw);
	assert_int_equal(count_fds(), fds);
}

static void
test_empty_packet_is_the_end(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 raw;

	(void)state;
	ch = with_raw(&in, &raw);
	assert_int_equal(send(raw, "", 0, 0), 0);
	turn();
	assert_int_equal(in.n, 0);
	assert_int_equal(in.ends, 1);
	channel_free(ch);
	close(raw);
}

static void
test_free_in_callback(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 raw, fds;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	in.free_at = 2;
	raw_message(raw, 1, 1);
	raw_message(raw, 2, 1);
	raw_message(raw, 3, 1);
	turn();
	turn();
	assert_int_equal(in.n, 2);
	assert_int_equal(in.ends, 0);
	close(raw);
	assert_int_equal(count_fds(), fds);

	ch = with_raw(&in, &raw);
	(void)ch;
	in.free_at = 1;
	close(raw);
	turn();
	turn();
	assert_int_equal(in.ends, 1);
	assert_int_equal(count_fds(), fds);
}

/* Whatever comes in while it reads, a turn of the loop has an end. */
static void
test_flood_is_bounded(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 raw, before;

	(void)state;
	ch = with_raw(&in, &raw);
	in.refill = raw;
	raw_message(raw, 1, 0);
	turn();
	assert_in_range(in.n, 1, 64);
	/* and the next one goes on */
	before = in.n;
	turn();
	assert_in_range(in.n, before + 1, before + 64);
	in.refill = -1;
	turn();
	channel_free(ch);
	close(raw);
}

static void
test_queue(void **state)
{
	static uint8_t	 packet[HEADER + IMSG_BODY_MAX];
	struct channel	*ch;
	struct inbox	 in;
	uint32_t	 i, want, total;
	int		 fds, raw;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	for (total = 0; channel_queued(ch) < IMSG_QUEUE_MAX; total++)
		assert_int_equal(channel_send(ch, 1, 0, -1, &total,
		    sizeof(total)), 0);
	assert_true(total > IMSG_QUEUE_MAX);
	/* full: the message is lost, its descriptor closed */
	assert_int_equal(channel_send(ch, 1, 0, dup(0), "x", 1), -1);
	assert_int_equal(count_fds(), fds + 2);
	for (want = 0; want < total;) {
		while (recv(raw, packet, sizeof(packet), 0) == HEADER + 4) {
			memcpy(&i, packet + HEADER, sizeof(i));
			assert_int_equal(i, want);
			want++;
		}
		assert_int_equal(errno, EAGAIN);
		turn();
	}
	assert_int_equal(channel_queued(ch), 0);
	/* an idle channel does not keep the loop awake */
	assert_int_equal(event_base_get_num_events(base,
	    EVENT_BASE_COUNT_ACTIVE), 0);
	channel_free(ch);
	close(raw);
}

/* What waits in a channel that is freed is closed too. */
static void
test_queue_is_freed(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 fds, raw;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	while (channel_queued(ch) < 5)
		assert_int_equal(channel_send(ch, 1, 0, dup(0), "x", 1), 0);
	channel_free(ch);
	close(raw);
	assert_int_equal(count_fds(), fds);
}

static void
test_too_long(void **state)
{
	static uint8_t	 body[IMSG_BODY_MAX + 1];
	struct channel	*ch;
	struct inbox	 in;
	int		 fds, raw;

	(void)state;
	ch = with_raw(&in, &raw);
	fds = count_fds();
	assert_int_equal(channel_send(ch, 1, 0, dup(0), body, sizeof(body)),
	    -1);
	assert_int_equal(channel_send(NULL, 1, 0, dup(0), body, 1), -1);
	assert_int_equal(count_fds(), fds);
	/* the channel is none the worse */
	assert_int_equal(channel_send(ch, 1, 0, -1, body, IMSG_BODY_MAX), 0);
	assert_int_equal(recv(raw, body, 0, MSG_TRUNC | MSG_PEEK),
	    HEADER + IMSG_BODY_MAX);
	channel_free(ch);
	close(raw);
}

static void
test_flush(void **state)
{
	static uint8_t	 packet[HEADER + IMSG_BODY_MAX];
	struct channel	*ch;
	struct inbox	 in;
	int		 raw;

	(void)state;
	ch = with_raw(&in, &raw);
	assert_int_equal(channel_flush(ch, 0), 0);
	while (channel_queued(ch) < 3)
		assert_int_equal(channel_send(ch, 1, 0, -1, "x", 1), 0);
	assert_int_equal(channel_flush(ch, 20), -1);
	assert_int_equal(channel_queued(ch), 3);
	while (recv(raw, packet, sizeof(packet), 0) > 0)
		;
	assert_int_equal(channel_flush(ch, 20), 0);
	assert_int_equal(channel_queued(ch), 0);
	assert_int_equal(channel_flush(NULL, 0), -1);
	close(raw);
	channel_send(ch, 1, 0, -1, "x", 1);
	assert_int_equal(channel_flush(ch, 1000), -1);
	channel_free(ch);
}

static void
test_peer_gone(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 fds, raw;

	(void)state;
	fds = count_fds();
	ch = with_raw(&in, &raw);
	close(raw);
	/* no SIGPIPE */
	channel_send(ch, 1, 0, dup(0), "x", 1);
	assert_int_equal(channel_send(ch, 1, 0, dup(0), "x", 1), -1);
	assert_int_equal(in.ends, 0);
	turn();
	assert_int_equal(in.ends, 1);
	channel_free(ch);
	assert_int_equal(count_fds(), fds);
}

/* A peer that dies with messages unread resets the socket; what it said
 * before is heard all the same. */
static void
test_last_words(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 i, raw;

	(void)state;
	for (i = 0; i < 3; i++) {
		ch = with_raw(&in, &raw);
		assert_int_equal(channel_send(ch, 1, 0, -1, "x", 1), 0);
		raw_message(raw, 11, 0);
		raw_message(raw, 12, 0);
		close(raw);
		if (i == 1)		/* the sender hears of it first */
			channel_send(ch, 2, 0, -1, "x", 1);
		if (i == 2)
			channel_drain(ch);
		else
			turn();
		assert_int_equal(in.n, 2);
		assert_int_equal(in.type, 12);
		assert_int_equal(in.ends, 1);
		channel_free(ch);
	}
	channel_drain(NULL);
}

/* A descriptor that is none cannot be sent: our own mistake, but the channel
 * must not wait for ever. */
static void
test_bad_descriptor(void **state)
{
	struct channel	*ch;
	struct inbox	 in;
	int		 raw;

	(void)state;
	ch = with_raw(&in, &raw);
	channel_send(ch, 1, 0, 1000000, "x", 1);
	assert_int_equal(in.ends, 0);
	turn();
	assert_int_equal(in.ends, 1);
	assert_int_equal(channel_queued(ch), 0);
	channel_free(ch);
	close(raw);
}

static void
test_recv_wait(void **state)
{
	static uint8_t	 buf[IMSG_BODY_MAX];
	uint32_t	 h[5] = { 9, 4, 0, 0, 0x11223344 };
	struct imsg	 m;
	int		 fds, sv[2];

	(void)state;
	fds = count_fds();
	assert_int_equal(imsg_pair(sv), 0);
	raw_send(sv[1], h, sizeof(h), 1, 1);
	assert_int_equal(imsg_recv_wait(sv[0], &m, buf, 1000), 1);
	assert_int_equal(m.type, 9);
	assert_int_equal(m.len, 4);
	assert_ptr_equal(m.data, buf);
	assert_memory_equal(buf, &h[4], 4);
	assert_int_not_equal(m.fd, -1);
	close(imsg_take_fd(&m));
	assert_int_equal(m.fd, -1);
	/* nothing comes */
	assert_int_equal(imsg_recv_wait(sv[0], &m, buf, 10), -1);
	/* broken framing */
	raw_send(sv[1], h, sizeof(h) - 1, 1, 1);
	assert_int_equal(imsg_recv_wait(sv[0], &m, buf, 1000), -1);
	assert_int_equal(m.fd, -1);
	close(sv[1]);
	assert_int_equal(imsg_recv_wait(sv[0], &m, buf, 1000), 0);
	close(sv[0]);
	assert_int_equal(count_fds(), fds);
}

static void
test_pair(void **state)
{
	int	 i, sv[2];

	(void)state;
	assert_int_equal(imsg_pair(sv), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(fcntl(sv[i], F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(sv[i], F_GETFL) & O_NONBLOCK);
		close(sv[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_broken_framing),
		cmocka_unit_test(test_too_many_descriptors),
		cmocka_unit_test(test_no_room_for_descriptor),
		cmocka_unit_test(test_empty_packet_is_the_end),
		cmocka_unit_test(test_free_in_callback),
		cmocka_unit_test(test_flood_is_bounded),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_is_freed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_recv_wait),
		cmocka_unit_test(test_pair),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
