#!/bin/sh
# subsets.sh N: all of the points 1 to N, then all but each one.
awk -v n="${1:-120}" 'BEGIN {
	for (left_out = 0; left_out <= n; left_out++) {
		subset = ""
		for (i = 1; i <= n; i++)
			if (i != left_out) subset = subset (subset == "" ? "" : ",") i
		print subset
	}
}'
