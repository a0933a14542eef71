#!/bin/sh
# The component valkey-replicated: its scripts with three real Redis servers and sentinels, each "pod" an address
# of loopback in a network and mount namespace of its own, found by name. The primary is killed and comes back under
# another address, one steps down, all three die at once; no acknowledged write is lost.
set -eu
if [ "${BOTBURROW_IN_NAMESPACE:-}" != yes ]; then
  . "$(dirname "$0")/lib.sh"
  need redis-server redis-cli unshare ip
  unshare -rnm true 2>/dev/null || { echo "skipped: no user namespaces here"; exit 77; }
  BOTBURROW_IN_NAMESPACE=yes exec timeout 150 unshare -rnm sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
scripts=$root/deploy/kubernetes/components/valkey-replicated

ip link set lo up
for last in 11 12 13 14; do ip addr add "127.0.0.$last/8" dev lo; done
printf '127.0.0.1 localhost\n127.0.0.11 node-0\n127.0.0.12 node-1\n127.0.0.13 node-2\n' >"$scratch/hosts"
mount --bind "$scratch/hosts" /etc/hosts
mkdir "$scratch/bin"
# Debian has Redis, not Valkey. In a pod each server has all addresses; here it must keep to its own.
printf '#!/bin/sh\nexec redis-server "$@" --bind "$ADDRESS" --protected-mode no\n' >"$scratch/bin/valkey-server"
printf '#!/bin/sh\nexec redis-cli "$@"\n' >"$scratch/bin/valkey-cli"
chmod +x "$scratch/bin/valkey-server" "$scratch/bin/valkey-cli"
PATH=$scratch/bin:$PATH
NODES='node-0 node-1 node-2'
export PATH NODES DOWN_AFTER_MS=1500 FAILOVER_TIMEOUT_MS=6000

start() { # node, address
  mkdir -p "$scratch/data$1"
  for what in server sentinel; do
    ADDRESS=$2 SELF=node-$1 STATE=$scratch/data$1 sh "$scripts/$what.sh" >>"$scratch/$what$1.log" 2>&1 </dev/null &
    echo $! >"$scratch/$what$1.pid" # the shell becomes the server
  done
}
stop() { kill -9 "$(cat "$scratch/server$1.pid")" "$(cat "$scratch/sentinel$1.pid")" 2>/dev/null || true; }
stop_all() { for node in 0 1 2; do stop "$node"; done; wait; }
trap 'stop_all; rm -rf "$scratch"' EXIT
wait_until() { # what, condition
  tries=0
  until eval "$2" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ]; then
      fault "$1: not within 40 s; $(tail -n 1 "$scratch"/sentinel1.log)"
      finish
    fi
    sleep 0.2
  done
}
primary() { redis-cli -h "$1" -p 26379 sentinel get-master-addr-by-name botburrow 2>/dev/null | head -n 1; }
role() { redis-cli -h "$1" role 2>/dev/null | head -n 1; }
count() { redis-cli -h "$1" -p 26379 sentinel master botburrow 2>/dev/null | grep -A 1 -x "$2" | tail -n 1; }
all_agree_on() { [ "$(primary node-0)" = "$1" ] && [ "$(primary node-1)" = "$1" ] && [ "$(primary node-2)" = "$1" ]; }
complete() { # every sentinel knows two others and two replicas that are well
  for node in $NODES; do
    [ "$(count "$node" num-other-sentinels)" = 2 ] && [ "$(count "$node" num-slaves)" = 2 ] || return 1
    [ "$(redis-cli -h "$node" -p 26379 sentinel replicas botburrow | grep -A 1 -x flags | grep -c -x slave)" = 2 ] || return 1
  done
}
written() { [ "$(redis-cli -h "$1" set key "$2")" = OK ] && [ "$(redis-cli -h "$1" wait 1 2000)" -ge 1 ]; }

start 0 127.0.0.11
start 1 127.0.0.12
start 2 127.0.0.13
wait_until 'the first start' complete
all_agree_on node-0 || fault "the first node is not the first primary: $(primary node-1)"
wait_until 'a write' 'written node-0 first'

stop 0
wait_until 'another primary' '[ "$(primary node-1)" != node-0 ] && [ -n "$(primary node-1)" ] && [ "$(primary node-1)" = "$(primary node-2)" ]'
second=$(primary node-1)
wait_until 'the new primary takes its part' '[ "$(role "$second")" = master ]'
[ "$(redis-cli -h "$second" get key)" = first ] || fault "the fail-over lost a write"

# Its pod comes back with a new address.
sed 's/^127.0.0.11 node-0/127.0.0.14 node-0/' "$scratch/hosts" >"$scratch/hosts.new"
cat "$scratch/hosts.new" >"$scratch/hosts"
start 0 127.0.0.14
wait_until 'the old primary is a replica' '[ "$(role node-0)" = slave ] && [ "$(redis-cli -h node-0 get key)" = first ]'
wait_until 'all know its new address' complete
wait_until 'a write to the new primary' 'written "$second" second'

SERVER=$second SELF=$second sh "$scripts/step-down.sh"
[ "$(role "$second")" != master ] || fault "step-down.sh returns while its server is still the primary"
wait_until 'all follow the third primary' '[ "$(primary node-0)" != "$second" ] && all_agree_on "$(primary node-0)"'
third=$(primary node-0)
wait_until 'a write to the third primary' 'written "$third" third'
SERVER=$second SELF=$second sh "$scripts/step-down.sh" || fault "step-down.sh fails on a replica"
[ "$(primary node-0)" = "$third" ] || fault "step-down.sh on a replica moved the primary"
wait_until 'everybody is well' complete

stop_all
start 0 127.0.0.14
start 1 127.0.0.12
start 2 127.0.0.13
wait_until 'after all died' 'all_agree_on "$third" && [ "$(role "$third")" = master ] && complete'
[ "$(redis-cli -h "$third" get key)" = third ] || fault "the death of all lost a write"
wait_until 'a write after all died' 'written "$third" fourth'
stop_all
finish
