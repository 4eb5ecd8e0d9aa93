/*
 * What ps shows.  Linux's own: the title overwrites the memory that argv and
 * the environment lay in at the start.
 */
#ifndef COMMON_PROCTITLE_H
#define COMMON_PROCTITLE_H

/* Once, first thing in main(); argv and environ must be as the kernel laid
 * them out.  What the environment holds is kept for getenv(3). */
void	proctitle_init(int argc, char *argv[]);
/* Set the whole title; cut when there is too little room. */
void	proctitle_set(const char *, ...) __attribute__((format(printf, 1, 2)));
/* Set the name that pgrep(1) matches, at most 15 bytes. */
void	proctitle_comm(const char *);

#endif
