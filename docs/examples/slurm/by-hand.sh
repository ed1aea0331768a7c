#!/bin/bash
# by-hand.sh FOLDER: what Slurm would do with array.sbatch in that folder, with
# four tasks one after the other, and with value.sbatch, with four at once, on a machine
# without Slurm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: by-hand.sh FOLDER}"
cd "$1"
cp "$here/array.sbatch" "$here/value.sbatch" "$here/../iris/train.sh" "$here/../iris/iris.csv" "$here/../iris/dvlcache.yaml" .
"$here/../leave-one-out/subsets.sh" >subsets.txt

for task in 0 1 2 3; do
	SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=4 SLURM_CPUS_PER_TASK=2 bash array.sbatch
done
sort scores-*.tsv

export POINTS=1,11,21,31,41,51,61,71,81,91,101,111
for task in 0 1 2 3; do
	SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=1 bash value.sbatch 2>"value-$task.log" &
done
wait
sort -u values-0.tsv values-1.tsv values-2.tsv values-3.tsv
