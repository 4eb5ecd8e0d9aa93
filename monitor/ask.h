/*
 * What operators ask of the master, and its answers to those who wait.
 */
#ifndef MONITOR_ASK_H
#define MONITOR_ASK_H

#include "common/imsg.h"
#include "common/proto.h"

/* The answer: text is lines of what was wrong; generation serves. */
typedef void (*ask_done)(void *, int ok, uint32_t generation,
	    const char *text);

void	ask_setup(struct channel *);
/* 0, or -1: too many wait or came lately, or the master is gone. */
int	ask_master(enum control_verb, uint8_t arg, ask_done, void *);
/* Whoever asked with this argument is gone. */
void	ask_forget(const void *);
/* MSG_CONTROL_RESULT.  0, or -1: malformed. */
int	ask_answered(const struct imsg *);

#endif
