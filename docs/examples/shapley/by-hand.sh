#!/bin/sh
# by-hand.sh [COMMAND ARG|{}...]: Shapley values by truncated Monte Carlo: how the
# definition is read by hand. (shapley.sh needs fewer evaluations.) A
# point's value is what it adds to the score of the points before it, on the
# average over random orders. Prints point, value, standard error.
#
# POINTS are valued in PERMUTATIONS orders drawn from SEED. An order is followed
# no further once its score is within TOLERANCE of that of all points (0: to its
# end); what is left in it counts as adding nothing.
set -eu
: "${POINTS:=1 11 21 31 41 51 61 71 81 91 101 111}" "${PERMUTATIONS:=100}" "${SEED:=1}" "${TOLERANCE:=0}" "${JOBS:=2}" "${UNORDERED:=indices}"
if [ $# = 0 ]; then
	cd "$(dirname "$0")/../iris"
	set -- ./train.sh --data iris.csv --indices {}
fi
[ "$SEED" -ge 1 ] || { echo "by-hand.sh: SEED is a whole number from 1 on" >&2; exit 2; }
[ "$PERMUTATIONS" -ge 2 ] || { echo "by-hand.sh: no standard error without 2 PERMUTATIONS" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Subsets in, scores out, both by line. The script ends if a subset fails.
scores() {
	dvlcache batch --halt --jobs "$JOBS" --unordered "$UNORDERED" -- "$@" >"$work/answers"
	cut -f 2 "$work/answers"
}

# Random orders, one a line. The generator is Park and Miller's, since each awk
# has another rand().
awk -v points="$POINTS" -v orders="$PERMUTATIONS" -v x="$SEED" '
function random(n) { x = x * 48271 % 2147483647; return 1 + int(x / 2147483647 * n) }
BEGIN {
	for (i = 0; i < 10; i++) random(1) # so that seeds close by part ways
	n = split(points, order, " ")
	for (o = 1; o <= orders; o++) {
		for (i = n; i > 1; i--) { j = random(i); t = order[i]; order[i] = order[j]; order[j] = t }
		for (i = 1; i <= n; i++) printf "%s ", order[i]
		print ""
	}
}' >"$work/orders"

# All orders are followed side by side, a batch for each length: on each line of
# "open" is the score of the points so far, and then the order.
# shellcheck disable=SC2086
{ echo; echo $POINTS | tr ' ' ','; } >"$work/subsets"
scores "$@" <"$work/subsets" >"$work/scores"
{ read -r none; read -r all; } <"$work/scores"
sed "s/^/$none /" "$work/orders" >"$work/open"
length=0
while [ -s "$work/open" ]; do
	length=$((length + 1))
	awk -v n="$length" '{ s = $2; for (i = 2; i <= n; i++) s = s "," $(i + 1); print s }' "$work/open" >"$work/subsets"
	scores "$@" <"$work/subsets" >"$work/scores"
	paste -d ' ' "$work/scores" "$work/open" >"$work/scored"
	awk -v n="$length" '{ print $(n + 2), $1 - $2 }' "$work/scored" >>"$work/gains"
	awk -v n="$length" -v all="$all" -v tolerance="$TOLERANCE" '{
		distance = all > $1 ? all - $1 : $1 - all
		if (n < NF - 2 && (tolerance == 0 || distance > tolerance)) { $2 = ""; print }
	}' "$work/scored" >"$work/open"
done

# Each order is one sample of each point's gain, 0 where it was truncated.
awk -v points="$POINTS" -v orders="$PERMUTATIONS" '
{ seen[$1]++; d = $2 - mean[$1]; mean[$1] += d / seen[$1]; m2[$1] += d * ($2 - mean[$1]) }
END {
	n = split(points, point, " ")
	for (i = 1; i <= n; i++) {
		p = point[i]
		zeros = orders - seen[p]
		m2[p] += mean[p] * mean[p] * seen[p] * zeros / orders
		printf "%s\t%.10g\t%.4g\n", p, mean[p] * seen[p] / orders, sqrt(m2[p] / (orders - 1) / orders)
	}
}' "$work/gains"
