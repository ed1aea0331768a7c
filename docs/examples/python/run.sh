#!/bin/sh
# Subsets as argparse's lists, and numbers out of a JSON object. An edit of
# train.py is seen, and so is one of what it imports and reads.
set -eu
cd "$(dirname "$0")"

score() { # score NAME INDEX...
	name=$1
	shift
	dvlcache run --unordered 'indices...' --extract "json:$name" -- \
		python3 train.py --data ../iris/iris.csv --indices "$@"
}

for subset in "1 50 100" "100 1 50" "1 2 50 51 100 101" "1 2 3"; do
	# shellcheck disable=SC2086
	acc=$(score acc $subset)
	# shellcheck disable=SC2086
	f1=$(score f1 $subset) # from the output of the same evaluation
	printf '%s\t%s\t%s\n' "$subset" "$acc" "$f1"
done
