#!/bin/sh
# Inside a fresh machine with the package installed, in a network of its own: the deployment guide's commands for
# systemd as printed, `verify --local` and `doctor` green, then one fault after another, each of which doctor must
# name, and nothing else. Progress goes to descriptor 3.
set -eu
labelled() { printf 'fresh:   %-56s %5d s\n' "$1" $(($(date +%s) - since)) >&3; }
guide() { sh -e "/fresh/$1"; }
since=$(date +%s)

# The services, by the guide. Somebody reads the printed key and pastes it where the guide asks for it.
guide redis </dev/null
mkfifo /tmp/pasted
guide services </tmp/pasted >/tmp/said &
services=$!
exec 8>/tmp/pasted
key_of() { sed -n "s/.*\"api_key\": *\"\(botburrow_$1_[^\"]*\)\".*/\1/p" /tmp/said | head -n 1; }
tries=0
until [ -n "$(key_of service)" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 300 ] || { cat /tmp/said; echo "no key was printed"; exit 1; }
  sleep 0.2
done
key_of service >&8
exec 8>&-
wait "$services" || { cat /tmp/said; exit 1; }
labelled "the guide's services are active"

# Somebody mentions an agent, and is answered.
since=$(date +%s)
said=$(key_of human | sh -e /fresh/ask)
echo "$said"
thread=$(echo "$said" | awk '/^posted/ { print $2 }')
HUB_URL=http://127.0.0.1:8000 HUB_API_KEY=$(key_of human)
export HUB_URL HUB_API_KEY
tries=0
until botburrow hub thread "$thread" | grep -q offline; do
  tries=$((tries + 1))
  [ "$tries" -le 300 ] || { echo "no answer"; tail -n 20 /var/log/units/*.log; exit 1; }
  sleep 0.2
done
unset HUB_URL HUB_API_KEY
labelled "a mention is answered"

since=$(date +%s)
useradd --create-home --gid operator operator
(cd /home/operator && setpriv --reuid=operator --regid=operator --init-groups env HOME=/home/operator botburrow verify --local)
labelled "botburrow verify --local"

# What doctor says, by the guide's command: the ids of its faults.
faults() {
  guide doctor >/tmp/doctor 2>&1 </dev/null || true
  sed -n 's/^fail \([a-z_.]*\).*/\1/p' /tmp/doctor | tr '\n' ' '
}
# expect NAME [ID]: within two minutes doctor names that one alone, or nothing. States take their time to be seen.
expect() {
  tries=0
  until [ "$(faults)" = "${2:+$2 }" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 24 ]; then
      cat /tmp/doctor
      echo "$1: expected ${2:-no fault}"
      exit 1
    fi
    sleep 2
  done
}
all_well() {
  expect "$1"
  guide doctor >/tmp/doctor 2>&1 </dev/null || { cat /tmp/doctor; echo "$1: faults are healed, and doctor does not end with 0"; exit 1; }
}
since=$(date +%s)
all_well "at the beginning"
labelled "botburrow doctor"

# fault NAME ID INJECT HEAL: the commands as text.
fault() {
  since=$(date +%s)
  eval "$3"
  expect "$1" "$2"
  eval "$4"
  all_well "after: $1"
  labelled "$2: $1"
}
env=/etc/botburrow/agents.env
place=/srv/botburrow/agent-definitions
set_here() { cp -p "$env" /tmp/env.before; printf '%s\n' "$1" >>"$env"; }
set_back() { cp -p /tmp/env.before "$env"; }
workers="botburrow-coordinator botburrow-runner@notification botburrow-runner@hybrid"

fault "redis-server is stopped" redis.reach "systemctl stop redis-server" "systemctl start redis-server"
fault "the Hub is stopped" hub.reach "systemctl stop botburrow-hub" "systemctl start botburrow-hub"
fault "the coordinator is stopped" leader.present "systemctl stop botburrow-coordinator" "systemctl start botburrow-coordinator"
fault "both runners are stopped" runner.alive "systemctl stop botburrow-runner@notification botburrow-runner@hybrid" \
  "systemctl start botburrow-runner@notification botburrow-runner@hybrid"
fault "a wrong key of the Hub is deployed" hub.key \
  "cp /etc/botburrow/credentials/HUB_API_KEY /tmp/key; echo botburrow_service_0123456789 >/etc/botburrow/credentials/HUB_API_KEY; systemctl restart $workers" \
  "cp /tmp/key /etc/botburrow/credentials/HUB_API_KEY; systemctl restart $workers"
fault "definitions are moved away" definitions.path "mv $place $place.away" "mv $place.away $place"
fault "the leader hangs" leader.present "kill -STOP \$(cat /run/units/botburrow-coordinator.pid)" "kill -CONT \$(cat /run/units/botburrow-coordinator.pid)"
fault "HUB_URL of another port" hub.reach "set_here HUB_URL=http://127.0.0.1:8008" set_back
fault "the proxy is dead" machine.proxy "set_here http_proxy=http://127.0.0.1:3128" set_back
fault "vendor's models, and no key" model.key "set_here LLM_MODE=vendor" set_back
fault "Redis writes no append-only file" redis.durability "redis-cli config set appendonly no" "redis-cli config set appendonly yes"
fault "the disk of workspaces is full" machine.disk \
  "set_here WORKSPACE_ROOT=/mnt; mount -t tmpfs -o size=4m tmpfs /mnt; dd if=/dev/zero of=/mnt/full bs=64k || true" "umount /mnt; set_back"
fault "the volume of workspaces is read-only" machine.mounts \
  "set_here WORKSPACE_ROOT=/mnt; mount -t tmpfs -o ro,size=400m tmpfs /mnt" "umount /mnt; set_back"

# Every other fault of the troubleshooting guide: the tests of the sources, with the installed program.
since=$(date +%s)
cd /fresh/tests
BOTBURROW_TEST_PROGRAM=/usr/bin/botburrow BOTBURROW_TEST_PARTS=/fresh/tests ./test_e2e --gtest_filter='Doctor*' --gtest_brief=1
labelled "every fault of the troubleshooting guide, in a world each"

# Stopping drains, and the programs end well.
since=$(date +%s)
systemctl stop $workers botburrow-hub redis-server
labelled "stopped"
