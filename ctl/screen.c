/*
 * Raw mode, the other screen, keys.
 */
#include <sys/ioctl.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/mono.h"
#include "ctl/ctl.h"
#include "ctl/screen.h"

/* The other screen, no cursor; and back. */
#define ENTER	"\033[?1049h\033[?25l"
#define LEAVE	"\033[?25h\033[?1049l"
#define MARGIN	64
#define SEQUENCE_MS	50	/* within which the rest of a key comes */

static int	 raw(void);
static void	 catch(void);
static void	 on_signal(int);
static void	 on_stop(int);
static void	 on_resize(int);
static void	 back(void);
static int	 get(int);
static int	 sequence(void);

static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };

static struct termios		 before;
static volatile sig_atomic_t	 taken;
static volatile sig_atomic_t	 resized;

int
screen_open(void)
{
	if (tcgetattr(STDIN_FILENO, &before) == -1 ||
	    !isatty(STDOUT_FILENO))
		return (-1);
	catch();
	if (atexit(screen_close) != 0 || raw() == -1)
		return (-1);
	return (0);
}

void
screen_close(void)
{
	back();
}

/* Signals of keys stay: Ctrl-C, Ctrl-\ and Ctrl-Z do what they do. */
static int
raw(void)
{
	struct termios	 t = before;

	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN);
	t.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	/* from here on there is something to give back */
	taken = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == -1)
		return (-1);
	return (ctl_write(STDOUT_FILENO, ENTER, strlen(ENTER)));
}

static void
catch(void)
{
	struct sigaction	 sa;
	size_t			 i;

	memset(&sa, 0, sizeof(sa));
	sigfillset(&sa.sa_mask);
	sa.sa_handler = on_signal;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &sa, NULL);
	sa.sa_handler = on_stop;
	sigaction(SIGTSTP, &sa, NULL);
	sa.sa_handler = on_resize;
	sigaction(SIGWINCH, &sa, NULL);
	sigaction(SIGCONT, &sa, NULL);
}

/* Give the terminal back, then end as if it had not been caught.  Only what
 * signal-safety(7) allows is called. */
static void
on_signal(int sig)
{
	back();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Stopped by Ctrl-Z; goes on here with SIGCONT. */
static void
on_stop(int sig)
{
	int	 e = errno;

	(void)sig;
	back();
	raise(SIGSTOP);
	(void)raw();
	resized = 1;
	errno = e;
}

static void
on_resize(int sig)
{
	(void)sig;
	resized = 1;
}

static void
back(void)
{
	ssize_t	 n;

	if (!taken)
		return;
	taken = 0;
	n = write(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	/* there is nobody to be told */
	(void)n;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void
screen_size(int *columns, int *lines)
{
	struct winsize	 w;

	*columns = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_col == 0 ||
	    w.ws_row == 0)
		return;
	*columns = w.ws_col;
	*lines = w.ws_row;
}

int
screen_draw(const char *text, size_t len)
{
	const char	*end;
	char		*out, *p;
	size_t		 i, lines = 0;
	int		 ret;

	for (i = 0; i < len; i++)
		lines += text[i] == '\n';
	if ((out = malloc(len + 5 * lines + MARGIN)) == NULL)
		return (-1);
	p = stpcpy(out, "\033[H");
	for (; len > 0; len -= (size_t)(end - text), text = end) {
		end = memchr(text, '\n', len);
		end = end == NULL ? text + len : end;
		p = mempcpy(p, text, (size_t)(end - text));
		/* no newline behind the last: the screen would roll */
		p = stpcpy(p, "\033[K");
		if (end < text + len && ++end < text + len)
			p = stpcpy(p, "\r\n");
	}
	p = stpcpy(p, "\033[J");
	ret = ctl_write(STDOUT_FILENO, out, (size_t)(p - out));
	free(out);
	return (ret);
}

int
screen_key(int ms)
{
	uint64_t	 end = mono_ms() + (uint64_t)ms, now;
	int		 c;

	do {
		if (resized) {
			resized = 0;
			return (KEY_NONE);
		}
		now = mono_ms();
		c = get(now < end ? (int)(end - now) : 0);
	} while (c == KEY_NONE && now < end);
	return (c == '\033' ? sequence() : c);
}

/* The next byte, KEY_NONE, or KEY_GONE. */
static int
get(int ms)
{
	struct pollfd	 p = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned char	 c;
	ssize_t		 n;

	n = poll(&p, 1, ms);
	if (n <= 0)
		return (n == 0 || errno == EINTR ? KEY_NONE : KEY_GONE);
	n = read(STDIN_FILENO, &c, 1);
	if (n == 1)
		return (c);
	return (n == -1 && (errno == EINTR || errno == EAGAIN) ? KEY_NONE :
	    KEY_GONE);
}

/* Escape [ (or O), numbers, a letter or ~; alone it is the key itself. */
static int
sequence(void)
{
	static const struct {
		char	 last;
		int	 number;
		int	 key;
	} keys[] = {
		{ 'A', 0, KEY_UP }, { 'B', 0, KEY_DOWN },
		{ 'C', 0, KEY_RIGHT }, { 'D', 0, KEY_LEFT },
		{ 'H', 0, KEY_HOME }, { 'F', 0, KEY_END },
		{ '~', 1, KEY_HOME }, { '~', 4, KEY_END },
		{ '~', 5, KEY_PAGE_UP }, { '~', 6, KEY_PAGE_DOWN }
	};
	size_t	 i;
	int	 c, n = 0, max = 16;

	c = get(SEQUENCE_MS);
	if (c != '[' && c != 'O')
		return (KEY_ESCAPE);
	while (max-- > 0 && ((c = get(SEQUENCE_MS)) == ';' ||
	    (c >= '0' && c <= '9')))
		n = c == ';' || n > 99 ? n : n * 10 + c - '0';
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (c == keys[i].last && (c != '~' || n == keys[i].number))
			return (keys[i].key);
	return (KEY_NONE);
}
