"""Trains a nearest-centroid classifier on a subset of the iris training points.

    python3 train.py --indices 1 4 7

The last line of its output is a JSON object of scores. Every fifth flower of the
file is a test point; the others are training points, numbered from 1.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--indices", type=int, nargs="*", required=True)
parser.add_argument("--data", default=Path(__file__).parent / "../iris/iris.csv")
args = parser.parse_args()

with open(args.data, newline="") as file:
    flowers = [([float(x) for x in row[:4]], row[4]) for row in list(csv.reader(file))[1:]]
test = flowers[4::5]
train = [f for i, f in enumerate(flowers) if i % 5 != 4]

chosen = defaultdict(list)
for i in args.indices:
    chosen[train[i - 1][1]].append(train[i - 1][0])
centroids = {s: [sum(column) / len(column) for column in zip(*points)] for s, points in sorted(chosen.items())}
print(f"trained on {len(args.indices)} points of {len(centroids)} species")


def predict(x):
    def distance(s):
        return sum((a - b) ** 2 for a, b in zip(x, centroids[s]))

    return min(centroids, key=distance, default="setosa")


answers = [(predict(x), truth) for x, truth in test]
acc = sum(a == t for a, t in answers) / len(answers)
f1 = []
for species in sorted({t for _, t in answers}):
    hits = sum(a == t == species for a, t in answers)
    named = sum(a == species for a, _ in answers) + sum(t == species for _, t in answers)
    f1.append(2 * hits / named)
print(json.dumps({"acc": round(acc, 4), "f1": round(sum(f1) / len(f1), 4)}))
