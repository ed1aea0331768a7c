#!/bin/sh
# by-hand.sh [COMMAND ARG|{}...]: Banzhaf values by maximum sample reuse: how the
# definition is read by hand. (banzhaf.sh needs fewer evaluations.) Each
# of SAMPLES random subsets of POINTS serves all points: a point's value is the
# mean score of the subsets with it less that of those without it (Wang and Jia
# 2023). Prints point, value, standard error.
set -eu
: "${POINTS:=1 11 21 31 41 51 61 71 81 91 101 111}" "${SAMPLES:=400}" "${SEED:=1}" "${JOBS:=2}" "${UNORDERED:=indices}"
if [ $# = 0 ]; then
	cd "$(dirname "$0")/../iris"
	set -- ./train.sh --data iris.csv --indices {}
fi
[ "$SEED" -ge 1 ] || { echo "by-hand.sh: SEED is a whole number from 1 on" >&2; exit 2; }
scores=$(mktemp)
trap 'rm -f "$scores"' EXIT

# Each point is in a subset or not, as a coin falls. The generator is Park and
# Miller's, since each awk has another rand().
awk -v points="$POINTS" -v samples="$SAMPLES" -v x="$SEED" '
function random() { x = x * 48271 % 2147483647; return x / 2147483647 }
BEGIN {
	for (i = 0; i < 10; i++) random() # so that seeds close by part ways
	n = split(points, point, " ")
	for (s = 1; s <= samples; s++) {
		subset = ""
		for (i = 1; i <= n; i++)
			if (random() < 0.5) subset = subset (subset == "" ? "" : ",") point[i]
		print subset
	}
}' | dvlcache batch --halt --jobs "$JOBS" --unordered "$UNORDERED" -- "$@" >"$scores"

awk -F '\t' -v points="$POINTS" '
function add(side, p, score, d) {
	d = score - mean[side, p]
	mean[side, p] += d / ++count[side, p]
	m2[side, p] += d * (score - mean[side, p])
}
BEGIN { n = split(points, point, " ") }
{
	for (i = 1; i <= n; i++)
		add(index("," $1 ",", "," point[i] ",") ? "with" : "without", point[i], $2)
}
END {
	for (i = 1; i <= n; i++) {
		p = point[i]
		a = count["with", p]
		b = count["without", p]
		if (a < 2 || b < 2) { print "by-hand.sh: too few SAMPLES" | "cat >&2"; exit 1 }
		printf "%s\t%.10g\t%.4g\n", p, mean["with", p] - mean["without", p],
			sqrt(m2["with", p] / (a - 1) / a + m2["without", p] / (b - 1) / b)
	}
}' "$scores"
