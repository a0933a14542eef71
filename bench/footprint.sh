#!/bin/sh
# Memory and processor of each service beside the manifests' resources; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
exec build/release/bench_footprint
