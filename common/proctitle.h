/*
 * What ps shows.  Linux's own: the title overwrites the memory that argv lay
 * in at the start.
 */
#ifndef COMMON_PROCTITLE_H
#define COMMON_PROCTITLE_H

/* Once, first thing in main(); argv must be as the kernel laid it out.  Its
 * strings are gone after the first proctitle_set(). */
void	proctitle_init(int argc, char *argv[]);
/* Set the whole title; cut to the bytes that the arguments had together. */
void	proctitle_set(const char *, ...) __attribute__((format(printf, 1, 2)));
/* Set the name that pgrep(1) matches, at most 15 bytes. */
void	proctitle_comm(const char *);

#endif
