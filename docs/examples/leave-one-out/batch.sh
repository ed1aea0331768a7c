#!/bin/sh
# The same as loop.sh with one process for all subsets, two evaluated at a time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../iris"
scores=$(mktemp)
trap 'rm -f "$scores"' EXIT

# Last in its pipeline, so that the script ends if a subset fails.
"$here/subsets.sh" | dvlcache batch --halt --jobs 2 -- ./train.sh --indices {} >"$scores"
awk -F '\t' 'NR == 1 { all = $2; next } { printf "%d\t%.4f\n", NR - 1, all - $2 }' "$scores"
