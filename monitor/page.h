/*
 * The status page, one file with all that it needs. monitor/page.sh makes the
 * definitions from monitor/page.html when mcpgw is built.
 */
#ifndef MONITOR_PAGE_H
#define MONITOR_PAGE_H

#include <stddef.h>

/* The page, text/html in UTF-8; not terminated. */
extern const unsigned char monitor_page[];
extern const size_t monitor_page_len;

/*
 * The Content-Security-Policy that it is served with (CSP Level 3): its own
 * style and script by their hashes, requests to its own origin, no more.
 */
extern const char monitor_page_csp[];

#endif
