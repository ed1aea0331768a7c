#!/bin/sh
# What each training point is worth: the score of all less the score of all the
# others. One `dvlcache run` a subset, as any script would call the program.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../iris"
scores=$(mktemp)
trap 'rm -f "$scores"' EXIT

"$here/subsets.sh" | while read -r subset; do
	dvlcache run -- ./train.sh --indices "$subset"
done >"$scores"
awk 'NR == 1 { all = $1; next } { printf "%d\t%.4f\n", NR - 1, all - $1 }' "$scores"
