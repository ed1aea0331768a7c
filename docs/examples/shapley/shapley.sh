#!/bin/sh
# shapley.sh [COMMAND ARG|{}...]: Shapley values of POINTS, with their standard errors.
#
# A point's value is what it adds to the score of those before it, on the average over
# all orders: over subsets of all sizes alike. by-hand.sh follows random orders, and
# so learns from a subset of one point only; this learns from each subset of all points.
set -eu
: "${POINTS:=1,11,21,31,41,51,61,71,81,91,101,111}" "${EVALUATIONS:=20n}" "${SEED:=1}" "${JOBS:=2}"
if [ $# = 0 ]; then
	cd "$(dirname "$0")/../iris"
	set -- ./train.sh --data iris.csv --indices {}
fi
exec dvlcache value --points "$POINTS" --method shapley --evaluations "$EVALUATIONS" --seed "$SEED" --jobs "$JOBS" -- "$@"
