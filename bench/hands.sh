#!/bin/sh
# What files and programs cost an activation; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
mkdir -p bench/results
build/release/bench_hands | tee bench/results/hands.txt
