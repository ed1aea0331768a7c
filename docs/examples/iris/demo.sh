#!/bin/sh
# demo.sh DVLCACHE: one call of train.sh, twice, and what each of its 120 points is worth,
# twice, with a cache of its own. The report of the values lies beside DVLCACHE.
set -eu
dvlcache=$1
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DVLCACHE_DIR="$work/cache"

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

printf '\n# five of the 120 flowers get a wrong label; what is each of them worth?\n'
wrong='7 33 58 71 104' # two setosa, two versicolor, a virginica
data=$work/mislabelled.csv
awk -F, -v OFS=, -v wrong=" $wrong " '
	NR > 1 && (NR - 1) % 5 && index(wrong, " " ++n " ") { $5 = $5 == "versicolor" ? "setosa" : $5 == "setosa" ? "virginica" : "versicolor" }
	{ print }' iris.csv >"$data"
printf '%s\n' $wrong >"$work/wrong"
jobs=$(getconf _NPROCESSORS_ONLN)
value() {
	show value --points 1-120 --method beta:4:1 --evaluations 10n --jobs "$jobs" --sort value --output "$work/$1" \
		--report "$(dirname "$dvlcache")/demo.html" --removal-curve 10 --known-bad "$work/wrong" -- ./train.sh --k 1 --data "$data" --indices '{}'
}
value values.tsv
printf '\n# the ten that are worth least\n'
tail -n 10 "$work/values.tsv" | awk -v wrong=" $wrong " '
	{ printf "%4d  %9.5f ± %.5f%s\n", $1, $2, 2 * $3, index(wrong, " " $1 " ") ? "  mislabelled" : "" }'
printf '\n# the same again: from the cache\n'
value again.tsv
cmp "$work/values.tsv" "$work/again.tsv"
