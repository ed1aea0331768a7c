#!/bin/sh
# A grid of settings and subsets under GNU parallel. Set DVLCACHE_MEMCACHED to
# HOST:PORT, and jobs that parallel spreads over machines share their numbers.
set -eu
cd "$(dirname "$0")/../iris"

parallel --jobs 2 --keep-order --tag dvlcache run -- ./train.sh --k {1} --indices {2} \
	::: 1 3 5 ::: 1,50,100 2,51,101 1,2,50,51,100,101
