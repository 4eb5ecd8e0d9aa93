/* Names of protected resources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/resource.h"

char *
resource_of(const char *public_url, const char *upstream)
{
	size_t	 n = strcspn(public_url, "?");
	char	*s;

	if (asprintf(&s, "%.*s/%s%s", (int)(n > 0 && public_url[n - 1] == '/' ?
	    n - 1 : n), public_url, upstream, public_url + n) == -1)
		return (NULL);
	return (s);
}

int
resource_is(const char *public_url, struct slice v)
{
	const char	*host = strstr(public_url, "://");
	size_t		 n = strlen(public_url);

	if (slice_is(v, public_url))
		return (1);
	host = host == NULL ? public_url : host + 3;
	host += strcspn(host, "/?");
	if (*host == '\0')
		return (v.len == n + 1 && v.p[n] == '/' &&
		    memcmp(v.p, public_url, n) == 0);
	return (strcmp(host, "/") == 0 && v.len == n - 1 &&
	    memcmp(v.p, public_url, n - 1) == 0);
}
