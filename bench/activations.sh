#!/bin/sh
# Whole activations a second; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
exec build/release/bench_activations
