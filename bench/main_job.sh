#!/bin/sh
# The main job's figures; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
mkdir -p bench/results
build/release/bench_main_job | tee bench/results/main_job.txt
