/*
 * A look at single keys of the configuration file: the gateway may be running
 * while its file is being edited, so that all the others may be wrong.
 */
#ifndef CTL_PEEK_H
#define CTL_PEEK_H

#include <stddef.h>

/* The path of the control socket: -s, else control.socket, else pid_file with
 * .sock in place of .pid.  -1 with the reason in why when there is none. */
int	peek_socket(char *path, size_t size, char *why, size_t len);

/* audit.path; likewise. */
int	peek_audit(char *path, size_t size, char *why, size_t len);

#endif
