/*
 * The running gateway, asked over its control socket.
 */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <stddef.h>

#include <yajl/yajl_tree.h>

#define CONTROL_WAIT		10	/* seconds for what is there at once */
#define CONTROL_WAIT_RELOAD	300	/* a key set may have to be fetched */

/* What may go wrong; all but OK with the reason in the answer. */
enum control_error {
	CONTROL_OK,
	CONTROL_CONFIG,		/* the configuration has no path to it */
	CONTROL_ABSENT,		/* nobody is there */
	CONTROL_DENIED,		/* not for this user */
	CONTROL_SILENT,		/* no answer in time, or it was cut off */
	CONTROL_OLD,		/* it knows no such question */
	CONTROL_REFUSED,	/* it said no, and may have said why */
	CONTROL_NONSENSE	/* what came is no answer */
};

struct control_answer {
	int		 status;	/* HTTP's, or 0 */
	char		*text;		/* JSON as it came, a NUL behind it, or
					 * NULL */
	size_t		 len;
	yajl_val	 json;		/* the same, or NULL */
	char		 why[512];	/* fit for a terminal */
};

/*
 * Ask: a method ("GET", "POST") and a target ("/v1/status"), and wait for so
 * many seconds in all.  The socket is that of -s, else control.socket in the
 * configuration, else pid_file with .sock in place of .pid; the rest of the
 * configuration may be wrong.  control_free() is due in every case.
 */
enum control_error control_ask(const char *method, const char *target,
	    double seconds, struct control_answer *);
void	control_free(struct control_answer *);

/* The exit code for an error. */
int	control_code(enum control_error);
/* The same, after telling it to standard error. */
int	control_complain(enum control_error, const struct control_answer *);

/* To standard output, as it came; it has a text. */
void	control_show(const struct control_answer *);

/* Ask, and print what came as it is if --json is on.  0, or the exit code
 * after telling; the answer is to be freed. */
int	control_get(const char *method, const char *target, double seconds,
	    struct control_answer *);

#endif
