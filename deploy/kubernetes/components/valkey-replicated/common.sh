# shellcheck shell=sh
# What server.sh, sentinel.sh and step-down.sh share. NODES: the names of all three, in order; SELF: ours;
# STATE: the folder with the sentinel's memory, on the volume.

: "${NODES:?}" "${SELF:?}"
STATE=${STATE:-/data}
MASTER=botburrow

# The primary, as the sentinel of a node names it; nothing where it does not answer.
asked() {
  timeout 2 valkey-cli -h "$1" -p 26379 sentinel get-master-addr-by-name "$MASTER" 2>/dev/null | head -n 1 |
    grep -v -i -e '^err' -e '^$' || true
}

# The primary according to the sentinels of the other nodes: the first one's word if no other disagrees.
# While a failover is under way they may, so ask again for a while.
primary_of_the_others() {
  tries=0
  while [ "$tries" -lt 10 ]; do
    found='' agreed=yes
    for node in $NODES; do
      [ "$node" != "$SELF" ] || continue
      answer=$(asked "$node")
      [ -n "$answer" ] || continue
      [ -z "$found" ] || [ "$found" = "$answer" ] || agreed=no
      found=$answer
    done
    if [ "$agreed" = yes ]; then
      echo "$found"
      return
    fi
    tries=$((tries + 1))
    sleep 1
  done
  echo "$found"
}

# The primary that our own sentinel knew last.
remembered() {
  [ -f "$STATE/sentinel.conf" ] || return 0
  sed -n "s/^sentinel monitor $MASTER \([^ ]*\) .*/\1/p" "$STATE/sentinel.conf" | head -n 1
}

# Who is primary when this node starts: what the others say; if none answers, what we knew; on the very
# first start the first node.
primary_now() {
  primary=$(primary_of_the_others)
  [ -n "$primary" ] || primary=$(remembered)
  [ -n "$primary" ] || primary=${NODES%% *}
  echo "$primary"
}
