/*
 * Spans as OTLP has them in JSON (the protobuf JSON mapping of
 * ExportTraceServiceRequest, with ids in hexadecimal).
 */
#ifndef FETCHER_OTLP_JSON_H
#define FETCHER_OTLP_JSON_H

#include <stddef.h>

#include "common/conf.h"
#include "common/span.h"

#define OTLP_INSTANCE_LEN	36	/* a UUID */

struct otlp_text {
	char	*p;		/* malloc'ed */
	size_t	 len;
	size_t	 cap;
	int	 failed;	/* memory was gone: it is not whole */
};

/* The spans of a tree, with commas between them. */
void	otlp_json_spans(struct otlp_text *, const struct span_tree *);
/* What goes before spans, and behind them.  instance: the UUID that this
 * process goes by, unless the configuration says another. */
void	otlp_json_begin(struct otlp_text *, const struct conf_telemetry *,
	    const char *instance);
void	otlp_json_end(struct otlp_text *);
void	otlp_text_add(struct otlp_text *, const char *, size_t);
void	otlp_text_free(struct otlp_text *);

#endif
