/*
 * A table of those addresses that have something.
 */
#include <sys/random.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/base/share.h"

#define BUCKETS		4096
#define PREFIX_LEN	8	/* bytes of an IPv6 address */

static LIST_HEAD(, share)	 table[BUCKETS];
static uint64_t			 key[2];
static uint64_t			 half;
static struct share		*hog;

static struct proto_addr network(const struct proto_addr *);
static uint32_t	 hash(const struct proto_addr *);
static uint64_t	 mix(uint64_t);

void
share_setup(const struct worker_conf *conf)
{
	half = conf->max_connections / 2;
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		fatal("getrandom");
}

struct share *
share_get(const struct proto_addr *addr)
{
	struct proto_addr	 a = network(addr);
	uint32_t		 h = hash(&a);
	struct share		*s;

	LIST_FOREACH(s, &table[h % BUCKETS], link)
		if (s->hash == h && share_is(s, &a))
			return (share_again(s));
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->addr = a;
	s->hash = h;
	s->refs = 1;
	LIST_INSERT_HEAD(&table[h % BUCKETS], s, link);
	return (s);
}

struct share *
share_again(struct share *s)
{
	s->refs++;
	return (s);
}

void
share_put(struct share *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	LIST_REMOVE(s, link);
	free(s);
}

int
share_is(const struct share *s, const struct proto_addr *a)
{
	return (s->addr.family == a->family && memcmp(s->addr.addr, a->addr,
	    a->family == AF_INET6 ? PREFIX_LEN : 4) == 0);
}

void
share_conn(struct share *s, int n)
{
	if (n > 0)
		s->conns++;
	else
		s->conns--;
	if (s->conns > half)
		hog = s;
	else if (s == hog)
		hog = NULL;
}

struct share *
share_hog(void)
{
	return (hog);
}

static struct proto_addr
network(const struct proto_addr *addr)
{
	struct proto_addr	 a;

	memset(&a, 0, sizeof(a));
	a.family = addr->family;
	memcpy(a.addr, addr->addr, a.family == AF_INET6 ? PREFIX_LEN : 4);
	return (a);
}

/* Who may choose his address must not choose his bucket. */
static uint32_t
hash(const struct proto_addr *a)
{
	uint64_t	 v;

	memcpy(&v, a->addr, sizeof(v));
	return ((uint32_t)mix(mix(v ^ key[0]) ^ key[1] ^
	    (uint64_t)a->family));
}

static uint64_t
mix(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdULL;
	v ^= v >> 33;
	v *= 0xc4ceb9fe1a85ec53ULL;
	return (v ^ v >> 33);
}
