#!/bin/sh
# Starts Valkey as the primary, or as a replica of whoever is.
set -eu
. "$(dirname "$0")/common.sh"

primary=$(primary_now)
role=''
if [ "$primary" = "$SELF" ]; then
  echo "starting as the primary"
else
  echo "starting as a replica of $primary"
  role="--replicaof $primary 6379"
fi
# A primary that no replica has heard for ten seconds takes no writes: what it took then would be lost
# when the others elect another one.
# shellcheck disable=SC2086
exec valkey-server \
  --dir "$STATE" \
  --appendonly yes --appendfsync everysec \
  --maxmemory 700mb --maxmemory-policy noeviction \
  --min-replicas-to-write 1 --min-replicas-max-lag 10 \
  --replica-announce-ip "$SELF" \
  $role
