/*
 * Where the gateway's control socket is, by the configuration file alone: the
 * gateway may be running while its file is being edited, so that all but two
 * keys of it may be wrong.
 */
#ifndef CTL_CONTROL_PATH_H
#define CTL_CONTROL_PATH_H

#include <stddef.h>

/* The path; -1 with the reason in why when there is none. */
int	control_path(char *path, size_t size, char *why, size_t len);

#endif
