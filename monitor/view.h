/*
 * One picture of everything: the board and the numbers of all processes, the
 * past ones among them.
 */
#ifndef MONITOR_VIEW_H
#define MONITOR_VIEW_H

#include <stdint.h>

#include "common/board.h"

struct view {
	struct board		 board;	/* its past holds all that counts */
	int64_t			 now;	/* ms since the epoch */
};

/* Descriptors (the caller's) that the master sent: mapped.  0, or -1 with
 * errno. */
int	view_board(int fd);
int	view_slot(uint32_t number, int fd);
void	view_slot_gone(uint32_t number);

/* The picture of now, valid until the next one; NULL while there is none. */
const struct view *view_take(void);
/* What one process says of itself, live; or NULL.  Not to be believed. */
const struct stats_slot *view_of(uint32_t number);

/* What is now, in one process or in all.  A number below 0, of one that
 * miscounts, is 0. */
uint64_t view_gauge(const struct stats_slot *, enum stats_gauge);
uint64_t view_gauge_sum(const struct view *, enum stats_gauge);
/* For how many ms the oldest line of the audit log waits; 0: none does. */
int64_t	view_audit_lag(const struct view *);

/* A server as all workers see it. */
struct view_server {
	uint64_t		 connections;
	uint64_t		 in_flight;
	int			 down;	/* in the eyes of one that serves */
};
void	view_server(const struct view *, uint32_t number,
	    struct view_server *);
/* The name of an upstream by its number, known or not, of at most
 * STATS_NAME_MAX bytes. */
const char *view_upstream(const struct view *, unsigned);
/* What keeps the fetcher from exporting spans, or "": a text that may hold
 * anything and ends; valid until the next call. */
const char *view_export_error(const struct view *);
/* What the fetcher says of the key set of a generation, a copy that may hold
 * anything but has its texts end; or NULL.  Valid until the next call. */
const struct stats_jwks *view_jwks(const struct view *, uint32_t generation);

#endif
