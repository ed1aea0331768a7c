#!/bin/sh
# demo.sh DVLCACHE: one call of train.sh, twice, with a cache of its own.
set -eu
dvlcache=$1
cd "$(dirname "$0")"
DVLCACHE_DIR=$(mktemp -d)
export DVLCACHE_DIR
trap 'rm -rf "$DVLCACHE_DIR"' EXIT

show() {
	printf '\n$ dvlcache %s\n' "$*"
	"$dvlcache" "$@"
}

echo "# accuracy on the test flowers, trained on points 1, 50 and 100"
show run -v -- ./train.sh --indices 1,50,100 --job-id 17
printf '\n# the same subset in another order, asked by another job: from the cache\n'
show run -v -- ./train.sh --indices 100,1,50 --job-id 18
echo
show stats
