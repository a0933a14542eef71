#!/bin/sh
# Our queue beside the raw scripts, BullMQ and bee-queue; see bench/README.md. Arguments go to bench_queue.
set -eu
cd "$(dirname "$0")/.."

# Of npm, pinned by bench/competitors/package-lock.json, in a folder that is not part of the repository.
others=build/bench-competitors
if [ ! -f "$others/installed" ] || ! cmp -s bench/competitors/package-lock.json "$others/package-lock.json"; then
  rm -rf "$others"
  mkdir -p "$others"
  cp bench/competitors/package.json bench/competitors/package-lock.json "$others/"
  if command -v npm >/dev/null 2>&1 && (cd "$others" && npm ci --ignore-scripts --no-audit --no-fund >&2); then
    touch "$others/installed"
  else
    echo "npm or its registry is not reachable: measuring without BullMQ and bee-queue" >&2
  fi
fi
if [ -f "$others/installed" ]; then
  cp bench/competitors/queue.mjs "$others/"
  set -- --competitors "$others" "$@"
fi
exec build/release/bench_queue "$@"
