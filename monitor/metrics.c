/*
 * Counters and gauges, a family each.
 */
#include <inttypes.h>

#include "monitor/metrics.h"

static void	 put_counter(struct evbuffer *, const struct stats_text *,
		    uint64_t, int);

void
metrics_put(struct evbuffer *b, const struct view *v, int open)
{
	size_t	 i;

	for (i = 0; i < STATS_COUNTERS; i++)
		put_counter(b, &stats_counter_text[i],
		    stats_get(&v->board.past.n[i]), open);
	if (open)
		evbuffer_add_printf(b, "# EOF\n");
}

/* In OpenMetrics the family has no _total, its sample has. */
static void
put_counter(struct evbuffer *b, const struct stats_text *t, uint64_t n,
    int open)
{
	const char	*family = open ? "" : "_total";

	evbuffer_add_printf(b, "# HELP mcpgw_%s%s %s\n"
	    "# TYPE mcpgw_%s%s counter\nmcpgw_%s_total %" PRIu64 "\n",
	    t->name, family, t->help, t->name, family, t->name, n);
}
