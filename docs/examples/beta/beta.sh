#!/bin/sh
# beta.sh [COMMAND ARG|{}...]: Beta Shapley values of POINTS, with their standard errors, the
# most valuable first.
#
# As Shapley values, but small subsets count for more, in which a point has few others beside
# it: Beta(4,1), Beta(16,1) (Kwon and Zou 2022). So points with wrong labels are mostly
# among the last lines.
set -eu
: "${POINTS:=1,11,21,31,41,51,61,71,81,91,101,111}" "${BETA:=4:1}" "${EVALUATIONS:=20n}" "${SEED:=1}" "${JOBS:=2}"
if [ $# = 0 ]; then
	cd "$(dirname "$0")/../iris"
	set -- ./train.sh --data iris.csv --indices {}
fi
exec dvlcache value --points "$POINTS" --method "beta:$BETA" --evaluations "$EVALUATIONS" --seed "$SEED" --jobs "$JOBS" --sort value -- "$@"
