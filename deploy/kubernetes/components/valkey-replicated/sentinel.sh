#!/bin/sh
# Starts the sentinel of this node. Its file is on the volume: it remembers the primary over a restart of
# all three.
set -eu
. "$(dirname "$0")/common.sh"

if [ ! -f "$STATE/sentinel.conf" ]; then
  primary=$(primary_now)
  cat >"$STATE/sentinel.conf.new" <<CONF
port 26379
dir /tmp
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $SELF
sentinel monitor $MASTER $primary 6379 2
sentinel down-after-milliseconds $MASTER ${DOWN_AFTER_MS:-5000}
sentinel failover-timeout $MASTER ${FAILOVER_TIMEOUT_MS:-30000}
sentinel parallel-syncs $MASTER 1
CONF
  mv "$STATE/sentinel.conf.new" "$STATE/sentinel.conf"
fi
exec valkey-server "$STATE/sentinel.conf" --sentinel
