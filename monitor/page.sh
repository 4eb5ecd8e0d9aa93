#!/bin/sh
# Turn the status page into C: its bytes and the policy it is served with.
# usage: monitor/page.sh page.html >page_data.c
#
# The policy allows the page's one style and one script, by their hashes, and
# requests to where the page came from; nothing else. So <style>, </style>,
# <script> and </script> must each be alone on a line, once.

set -eu
page=$1

fail() {
	echo "$page: $1" >&2
	exit 1
}

# The base64 of the SHA-256 of what is between <$1> and </$1>.
hash() {
	for tag in "<$1>" "</$1>"; do
		[ "$(grep -cx "$tag" "$page")" = 1 ] &&
		    [ "$(grep -c "$tag" "$page")" = 1 ] ||
		    fail "$tag must be alone on a line, once"
	done
	{
		echo
		sed -n "/^<$1>\$/,/^<\/$1>\$/p" "$page" | sed '1d;$d'
	} | sha256sum | awk '
	function digit(c) { return index("0123456789abcdef", c) - 1 }
	{
		set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
		    "0123456789+/"
		# 64 digits of four bits and two of nothing are 44 of six.
		hex = substr($1, 1, 64) "00"
		for (i = 1; i <= 64; i += 3) {
			n = digit(substr(hex, i, 1)) * 256 + \
			    digit(substr(hex, i + 1, 1)) * 16 + \
			    digit(substr(hex, i + 2, 1))
			out = out substr(set, int(n / 64) + 1, 1) \
			    substr(set, n % 64 + 1, 1)
		}
		print substr(out, 1, 43) "="
	}'
}

style=$(hash style)
script=$(hash script)
[ "${#style}${#script}" = 4444 ] || fail "no hash"

cat <<END
/* Made by monitor/page.sh from $page. */
#include "monitor/page.h"

const char monitor_page_csp[] = "default-src 'none'; "
    "script-src 'sha256-$script'; "
    "style-src 'sha256-$style'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

const unsigned char monitor_page[] = {
END
od -An -v -tx1 "$page" | sed 's/ \(..\)/0x\1,/g'
cat <<'END'
};

const size_t monitor_page_len = sizeof(monitor_page);
END
