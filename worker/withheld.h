/*
 * Names of fields that end at the gateway: what only a proxy in front of a
 * server may say of its client, and by what a server would rule over the
 * origin that clients know as the gateway's.
 */
#ifndef WORKER_WITHHELD_H
#define WORKER_WITHHELD_H

#include "common/slice.h"

/* 1 for a request's field that says who the sender is or where it came from,
 * that makes a server read another request than the one judged, or that is a
 * cookie. */
int	withheld_from_upstream(struct slice name);

/* 1 for a response's field that would lead the client or its browser to
 * another place, change what holds for the gateway's origin, or give orders
 * to the server in front of the gateway. */
int	withheld_from_client(struct slice name);

#endif
