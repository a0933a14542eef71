#!/bin/sh
# Both images of deploy/docker/Containerfile, built without a daemon on a Debian 12 made by debootstrap, and looked
# into: what they promise is there, runs as their user, and a mention is answered by what is in them.
#   sh tests/deploy/image.sh [--compiled] [--keep] [agents|runner …]
# --compiled compiles the program in the build, as `docker build` does; else that of build/release is taken.
set -eu
here=$(cd "$(dirname "$0")/../fresh" && pwd)
. "$here/lib.sh"
# buildah mounts its storage: in a namespace that ends with this script.
[ "$(id -u)" != 0 ] || [ -n "${BOTBURROW_APART:-}" ] || BOTBURROW_APART=yes exec unshare --mount --propagation private sh "$0" "$@"
keep=no
compiled=no
flavours=
while [ $# -gt 0 ]; do
  case $1 in
    agents | runner) flavours="$flavours $1" ;;
    --compiled) compiled=yes ;;
    --keep) keep=yes ;;
    *) echo "test-image: no flavour and no option: $1 (agents, runner; --compiled, --keep)" >&2; exit 64 ;;
  esac
  shift
done
[ -n "$flavours" ] || flavours="agents runner"

begin image
need_packages debootstrap buildah jq util-linux iproute2 redis-server binutils
base_archive
version=$(cat "$root/VERSION")
revision=$(git -C "$root" rev-parse HEAD)
# chroot isolation and plain folders: what works without user namespaces, overlays and cgroups.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
builder() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
within() { bounded "$limit" buildah --root "$work/storage" --runroot "$work/run" "$@"; }

# What docker build would get: the files of this commit, and the program where it is not compiled in there.
make_context() {
  mkdir -p "$work/context"
  git -C "$root" archive "$revision" | tar -x -C "$work/context"
  if [ "$compiled" = no ]; then
    mkdir -p "$work/context/build/release"
    strip --strip-debug -o "$work/context/build/release/botburrow" "$root/build/release/botburrow"
  fi
}
# npm trusts whom this machine trusts: between it and the registry there may be a proxy. Nothing of it stays inside.
echo 'cafile=/mnt/ca.crt' >"$work/npmrc"
import_base() {
  container=$(builder from --name base scratch)
  builder add --quiet "$container" "$base" /
  builder commit --quiet --rm "$container" localhost/debian:12
}
build_image() { # target
  program=prebuilt
  [ "$compiled" = no ] || program=compiled
  within bud --layers --format docker --build-arg BASE=localhost/debian:12 --build-arg "PROGRAM=$program" \
    --volume /etc/ssl/certs/ca-certificates.crt:/mnt/ca.crt:ro --volume "$work/npmrc:/root/.npmrc:ro" \
    --build-arg "REVISION=$revision" --target "$1" --tag "localhost/$1:v$version" \
    -f "$work/context/deploy/docker/Containerfile" "$work/context"
}

fault() { echo "fault: $*"; touch "$work/faults"; }
image_says() { builder inspect --type image "localhost/$image:v$version" | jq -r "$1"; }
expect() { # what, expected, is
  [ "$2" = "$3" ] || fault "$image: $1 is $3, not $2"
}
look_into() {
  rm -f "$work/faults"
  expect "the user" 1000:1000 "$(image_says .Docker.config.User)"
  expect "the entry point" "tini -- botburrow" "$(image_says '.Docker.config.Entrypoint | join(" ")')"
  expect "the version" "v$version" "$(image_says '.Docker.config.Labels["org.opencontainers.image.version"]')"
  expect "the revision" "$revision" "$(image_says '.Docker.config.Labels["org.opencontainers.image.revision"]')"
  expect "the title" "$image" "$(image_says '.Docker.config.Labels["org.opencontainers.image.title"]')"
  expect "the data folder" XDG_STATE_HOME=/var/lib "$(image_says '.Docker.config.Env[]' | grep XDG_STATE_HOME)"
  [ "$(image_says '.Docker.config.Healthcheck.Test | length')" -gt 0 ] || fault "$image: no health check"
  image_says '.Docker.config.Env[]' | grep -iE 'key|token|secret|password' && fault "$image: a secret in its environment"
  # Nothing of the build stays: no compiler, no sources, no lists, nothing that raises rights by itself.
  for left in /source /usr/bin/clang-19 /usr/bin/cmake /root/.ccache; do
    [ ! -e "$rootfs$left" ] || fault "$image: holds $left"
  done
  [ -z "$(ls "$rootfs/var/lib/apt/lists")" ] || fault "$image: holds apt's lists"
  [ ! -e "$work/faults" ]
}

# The image's own environment and programs, its user, and what the compose file takes away.
contained() { # commands, more for enter()
  mkdir -p "$work/hand"
  cp "$work/$1" "$work/hand/commands.sh"
  shift
  enter "$rootfs" --bind "$work/hand" mnt --tmpfs tmp mode=1777 --tmpfs var/lib/botburrow uid=1000,gid=1000,mode=0700 \
    --tmpfs workspaces uid=1000,gid=1000,mode=0700 "$@" --contained 1000 -- \
    env "$(image_says '.Docker.config.Env[]' | grep '^PATH=')" XDG_STATE_HOME=/var/lib sh -e /mnt/commands.sh
}

cat >"$work/tools" <<'COMMANDS'
[ "$(id -u):$(id -g)" = 1000:1000 ]
botburrow --version
redis-cli --version
curl --version | head -n 1
nslookup -version
git --version
tini --version
for tool in printenv cat grep; do command -v "$tool"; done
! touch /usr/local/bin/x 2>/dev/null
touch /var/lib/botburrow/x /workspaces/x /tmp/x
COMMANDS
cat >"$work/runner-tools" <<'COMMANDS'
node --version
claude --version
opencode --version
python3 --version
bwrap --version
# A server of MCP, started and asked.
botburrow mcp tools -- mcp-server-filesystem /tmp
# Agents' programs start in a user namespace of their own.
bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev sh -c 'echo sandboxed'
COMMANDS
# What the compose file starts, with its settings, in one network instead of one each.
cat >"$work/smoke" <<'COMMANDS'
export HUB_URL=http://127.0.0.1:8000 REDIS_URL=redis://127.0.0.1:6379 AGENT_DEFINITIONS_PATH=/configs/agent-definitions
export LOG_FORMAT=json LLM_MODE=auto
admin=smoke-admin-key-0123456789abcdef
started=
trap 'kill -TERM $started 2>/dev/null; wait' EXIT
HUB_ADMIN_KEY=$admin tini -s -- botburrow hub >/tmp/hub.log 2>&1 &
started=$!
ready() {
  tries=0
  until curl -fsS -o /dev/null "$1/ready" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || { cat /tmp/*.log; echo "not ready: $1"; exit 1; }
    sleep 0.1
  done
}
hub() { curl -fsS -H "X-Admin-Key: $admin" -H 'Content-Type: application/json' "$HUB_URL/api/v1/$@"; }
key() { hub keys -d "{\"name\": \"$1\", \"type\": \"$2\"}" | sed 's/.*"api_key": *"\([^"]*\)".*/\1/'; }
ready "$HUB_URL"
hub agents/register -d '{"name": "ada-guide", "type": "native"}' >/dev/null
HUB_API_KEY=$(key scheduler service) && export HUB_API_KEY
alice=$(key alice human)
tini -s -- botburrow coordinator --data /var/lib/botburrow/coordinator >/tmp/coordinator.log 2>&1 &
started="$started $!"
RUNNER_MODE=hybrid WORKSPACE_ROOT=/workspaces tini -s -- botburrow runner --data /var/lib/botburrow/runner >/tmp/runner.log 2>&1 &
started="$started $!"
ready http://127.0.0.1:9090
ready http://127.0.0.1:9091
thread=$(HUB_API_KEY=$alice botburrow hub post --community general "@ada-guide what is a lease?" | awk '/^posted/ { print $2 }')
tries=0
until HUB_API_KEY=$alice botburrow hub thread "$thread" | grep -q offline; do
  tries=$((tries + 1))
  [ "$tries" -le 300 ] || { cat /tmp/*.log; echo "no answer"; exit 1; }
  sleep 0.1
done
HUB_API_KEY=$alice botburrow hub thread "$thread"
# The image's own health check.
for port in 9091 9090 8000; do curl -fsS -o /dev/null "http://127.0.0.1:$port/health"; done
COMMANDS

# Redis is no part of the image: that of this machine listens in the same network.
smoke() {
  mkdir -p "$work/redis"
  echo "exec redis-server --port 6379 --bind 127.0.0.1 --dir '$work/redis' --appendonly yes --save '' --logfile log" >"$work/redis.sh"
  contained smoke --bind "$root/examples" configs/agent-definitions --loopback --beside "$work/redis.sh"
}

# The pinned versions are those that run.
pinned() {
  contained runner-tools
  jq -r '.dependencies | to_entries[] | "\(.key) \(.value)"' "$root/deploy/docker/runner-tools/package.json" >"$work/pins"
  while read -r package pin; do
    is=$(jq -r .version "$rootfs/opt/runner-tools/node_modules/$package/package.json")
    [ "$is" = "$pin" ] || { echo "$package is $is, and pinned as $pin"; exit 1; }
    echo "$package $is"
  done <"$work/pins"
}

step 300 "what docker build would be given" make_context
step 300 "a base image, from the debootstrap tree" import_base
for flavour in $flavours; do
  image=botburrow-agents
  [ "$flavour" = agents ] || image=botburrow-agents-runner
  step 7200 "$image: built" build_image "$image"
  container=$(builder from "localhost/$image:v$version")
  rootfs=$(builder mount "$container")
  say "image: $image: $(du -sm "$rootfs" | cut -f 1) MiB, of which the base has $(($(stat -c %s "$base") / 1048576)) MiB, the program $(($(stat -c %s "$rootfs/usr/local/bin/botburrow") / 1048576)) MiB"
  step 60 "$image: user, entry point, labels, nothing left of the build" look_into
  step 120 "$image: its tools run as its user, on a read-only root" contained tools
  [ "$flavour" = agents ] || step 300 "$image: pinned programs, an MCP server, bubblewrap" pinned
  step 180 "$image: Hub, coordinator and runner answer a mention" smoke
done
say "image: all is well ($(($(date +%s) - begun)) s)"
