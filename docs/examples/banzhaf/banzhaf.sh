#!/bin/sh
# banzhaf.sh [COMMAND ARG|{}...]: Banzhaf values of POINTS, with their standard errors.
#
# A point's value is the mean score of subsets with it less that of subsets without it,
# over all subsets alike: most of them hold about half of the points. by-hand.sh draws
# them by coins; this draws size by size, and compares scores within a size.
set -eu
: "${POINTS:=1,11,21,31,41,51,61,71,81,91,101,111}" "${EVALUATIONS:=20n}" "${SEED:=1}" "${JOBS:=2}"
if [ $# = 0 ]; then
	cd "$(dirname "$0")/../iris"
	set -- ./train.sh --data iris.csv --indices {}
fi
exec dvlcache value --points "$POINTS" --method banzhaf --evaluations "$EVALUATIONS" --seed "$SEED" --jobs "$JOBS" -- "$@"
