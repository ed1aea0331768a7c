#!/bin/sh
# Trains a k-nearest-neighbour classifier on a subset of the iris training
# points and prints its accuracy on the test points.
#
#   ./train.sh --indices 1,4,7 [--k 5] [--data FILE] [--job-id ANYTHING]
#
# Every fifth flower of the file is a test point (30, ten of each species); the
# others are training points, numbered from 1 to 120 in the file's order.
# --indices '' trains on nothing: every answer is then "setosa", the species
# that comes first in the alphabet. A point that is given twice counts twice.
# Among equal distances the lower index is nearer, and among equal votes the
# species of the nearest neighbour wins, so the order of indices is of no
# importance.
set -eu

indices='' k=5 data=$(dirname "$0")/iris.csv given=no
while [ $# -gt 0 ]; do
	flag=$1
	case $flag in
	--*=*) value=${flag#*=} flag=${flag%%=*} ;;
	--*)
		[ $# -ge 2 ] || { echo "train.sh: $flag has no value" >&2; exit 2; }
		value=$2
		shift
		;;
	*) echo "train.sh: what is $flag?" >&2; exit 2 ;;
	esac
	shift
	case $flag in
	--indices) indices=$value given=yes ;;
	--k) k=$value ;;
	--data) data=$value ;;
	--job-id) ;;
	*) echo "train.sh: there is no flag $flag" >&2; exit 2 ;;
	esac
done
[ $given = yes ] || { echo "train.sh: give --indices 1,4,7" >&2; exit 2; }

exec awk -F, -v indices="$indices" -v k="$k" '
function fail(why) {
	print "train.sh: " why | "cat >&2"
	failed = 1
	exit 2
}
NR == 1 { next }
(NR - 1) % 5 == 0 {
	tests++
	for (j = 1; j <= 4; j++) test[tests, j] = $j
	truth[tests] = $5
	next
}
{
	points++
	for (j = 1; j <= 4; j++) train[points, j] = $j
	species[points] = $5
}
END {
	if (failed) exit 2
	if (k !~ /^[1-9][0-9]*$/) fail("--k " k " is no positive number")
	n = split(indices, chosen, ",")
	for (i = 1; i <= n; i++)
		if (chosen[i] !~ /^[0-9]+$/ || chosen[i] < 1 || chosen[i] > points)
			fail("there is no training point " chosen[i])
	for (t = 1; t <= tests; t++) {
		for (i = 1; i <= n; i++) {
			distance[i] = 0
			for (j = 1; j <= 4; j++) {
				d = test[t, j] - train[chosen[i], j]
				distance[i] += d * d
			}
			used[i] = 0
		}
		split("", votes)
		answer = "setosa"
		most = 0
		for (m = 1; m <= k && m <= n; m++) {
			best = 0
			for (i = 1; i <= n; i++)
				if (!used[i] && (!best || distance[i] < distance[best] ||
				    distance[i] == distance[best] && chosen[i] + 0 < chosen[best] + 0))
					best = i
			used[best] = 1
			neighbour[m] = species[chosen[best]]
			votes[neighbour[m]]++
		}
		for (m = 1; m <= k && m <= n; m++)
			if (votes[neighbour[m]] > most) {
				most = votes[neighbour[m]]
				answer = neighbour[m]
			}
		correct += answer == truth[t]
	}
	printf "%.4f\n", correct / tests
}' "$data"
