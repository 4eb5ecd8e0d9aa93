/*
 * Messages: the first byte is the type, the rest the body; whatever
 * proto_check() lets through is unpacked.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/proto.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proto_hello	 hello;
	struct proto_addr	 addrs[PROTO_ADDRS_MAX];
	struct imsg		 m;
	const char		*why;
	char			 text[PROTO_TEXT_MAX];
	uint64_t		 v64;
	uint32_t		 a, b;
	size_t			 n;
	int			 i, from, to, flag;

	if (len < 2)
		return (0);
	memset(&m, 0, sizeof(m));
	m.type = data[0];
	m.fd = data[1] & 1 ? 7 : -1;
	m.data = data + 2;
	m.len = len - 2;
	for (from = 0; from < ROLE_MAX; from++)
		for (to = 0; to < ROLE_MAX; to++)
			proto_check((enum proto_role)from,
			    (enum proto_role)to, &m, &why);
	proto_get_hello(&m, &hello);
	proto_get_u32(&m, &a);
	proto_get_log(&m, &i, text);
	proto_get_primed(&m, &a, &flag, text);
	proto_get_peer(&m, &a, &b);
	proto_get_fetch_done(&m, &flag, &v64);
	proto_get_addrs(&m, &a, addrs, &n);
	proto_get_drain(&m, &flag, &v64);
	return (0);
}
