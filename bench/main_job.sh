#!/bin/sh
# The main job's figures; see bench/README.md. An argument (start, up, waiting) measures that part alone.
set -eu
cd "$(dirname "$0")/.."
exec build/release/bench_main_job "$@"
