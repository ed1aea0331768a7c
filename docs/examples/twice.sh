#!/usr/bin/env bash
# twice.sh COMMAND [ARG...]: run an example twice, the first time with an empty
# cache, and print what each run took. Fails where the second run evaluates
# anything or prints something else. -k FOLDER keeps the cache, and what was
# printed, there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$1" = -k ]; then
	mkdir "$2" # a new one
	work=$(cd "$2" && pwd)
	trap - EXIT
	shift 2
fi
export DVLCACHE_DIR=$work/cache
TIMEFORMAT=%2R

evaluations() { dvlcache stats --json | sed 's/.*"evaluations":\([0-9]*\).*/\1/'; }

{ time "$@" >"$work/first" 2>"$work/errors"; } 2>"$work/time-first" || { cat "$work/errors" >&2; exit 1; }
first=$(evaluations)
{ time "$@" >"$work/second" 2>"$work/errors"; } 2>"$work/time-second" || { cat "$work/errors" >&2; exit 1; }
second=$(($(evaluations) - first))

name=$(basename "$(dirname "$1")")/$(basename "$1")
printf '%-24s first run %6s s, %4d evaluations; second run %6s s, %d evaluations\n' \
	"$name" "$(cat "$work/time-first")" "$first" "$(cat "$work/time-second")" "$second"
[ "$second" = 0 ] || { echo "$name: the second run evaluated something" >&2; exit 1; }
diff "$work/first" "$work/second" >&2 || { echo "$name: the second run printed something else" >&2; exit 1; }
