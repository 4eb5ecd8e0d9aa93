/*
 * Sessions in a list, the one used last in front: with the few that a demo
 * has, looking through it is cheap.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/demo/mcp_session.h"
#include "regress/demo/mcp_stream.h"

#define SESSIONS_MAX	4096

static struct session	 head = { .next = &head, .prev = &head };
static size_t		 nsessions;

static void	 insert(struct session *);
static void	 unlink_session(struct session *);

struct session *
session_new(void)
{
	struct session	*s;
	unsigned char	 r[SESSION_ID_LEN / 2];
	size_t		 i;

	if (nsessions == SESSIONS_MAX)
		session_end(head.prev);
	if ((s = calloc(1, sizeof(*s))) == NULL)
		err(1, NULL);
	if (getentropy(r, sizeof(r)) == -1)
		err(1, "getentropy");
	for (i = 0; i < sizeof(r); i++)
		snprintf(s->id + 2 * i, 3, "%02x", r[i]);
	insert(s);
	nsessions++;
	return (s);
}

struct session *
session_find(const char *id)
{
	struct session	*s;

	for (s = head.next; s != &head; s = s->next) {
		if (strcmp(s->id, id) == 0) {
			unlink_session(s);
			insert(s);
			return (s);
		}
	}
	return (NULL);
}

void
session_end(struct session *s)
{
	stream_end_session(s);
	unlink_session(s);
	nsessions--;
	free(s);
}

void
session_end_all(void)
{
	while (head.next != &head)
		session_end(head.next);
}

static void
insert(struct session *s)
{
	s->next = head.next;
	s->prev = &head;
	s->next->prev = s;
	head.next = s;
}

static void
unlink_session(struct session *s)
{
	s->next->prev = s->prev;
	s->prev->next = s->next;
}
