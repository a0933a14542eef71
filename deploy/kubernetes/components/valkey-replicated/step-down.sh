#!/bin/sh
# Before this node stops: if it is the primary, have another one elected now, and wait for it (20 s at
# most), so that a rolling update or a node's maintenance costs a second and not down-after-milliseconds.
set -eu
. "$(dirname "$0")/common.sh"

is_primary() { [ "$(timeout 2 valkey-cli -h "${SERVER:-127.0.0.1}" role 2>/dev/null | head -n 1)" = master ]; }

is_primary || exit 0
for node in $NODES; do
  [ "$node" != "$SELF" ] || continue
  answer=$(timeout 2 valkey-cli -h "$node" -p 26379 sentinel failover "$MASTER" 2>/dev/null || true)
  [ "$answer" != OK ] || break
done
tries=0
while is_primary && [ "$tries" -lt 20 ]; do
  tries=$((tries + 1))
  sleep 1
done
