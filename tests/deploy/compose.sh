#!/bin/sh
# The compose file, as far as it can be tried without Docker: the schema of the Compose Specification, the variables of
# .env.example, each container's environment read by the program itself, and images, build targets, programs, folders
# and ports that exist. Units.sh has what needs no schema.
set -eu
. "$(dirname "$0")/lib.sh"
need jq node
[ -d "$tools/schemas/node_modules/dclint" ] || { echo "skipped: the schemas are not here; ./dev test-deploy fetches them"; exit 77; }
docker=$root/deploy/docker
cp "$here/schemas/compose.mjs" "$tools/schemas/"
read_compose() { node "$tools/schemas/compose.mjs" "$1" "$2" >"$scratch/compose" 2>"$scratch/said"; }

# As the guide says: .env.example copied, and a key put in.
sed "s/^HUB_ADMIN_KEY=.*/HUB_ADMIN_KEY=$(printf %048d 7)/" "$docker/.env.example" >"$scratch/env"
read_compose "$docker/compose.yaml" "$scratch/env" || faults_of compose.yaml "$scratch/said"

# Each container of ours: its command is one of the program's, and takes its environment without complaint.
jq -r '.services | to_entries[] | select(.value.image | test("botburrow")) | .key' "$scratch/compose" >"$scratch/services"
[ "$(wc -l <"$scratch/services")" = 5 ] || fault "compose.yaml: other services than hub, coordinator and three pools"
while read -r service; do
  jq -r --arg s "$service" '.services[$s].environment // {} | to_entries[] | "\(.key)=\(.value)"' "$scratch/compose" >"$scratch/environment"
  command=$(jq -r --arg s "$service" '.services[$s].command | join(" ")' "$scratch/compose")
  set -- PATH="$PATH" XDG_STATE_HOME="$scratch/state"
  while IFS= read -r each; do set -- "$@" "$each"; done <"$scratch/environment"
  # shellcheck disable=SC2086 # a command is words
  env -i "$@" "$program" $command --check >"$scratch/said" 2>&1 </dev/null || fault "$service: botburrow $command refuses its environment: $(head -n 1 "$scratch/said")"
  grep '^warning:' "$scratch/said" >"$scratch/out" || true
  faults_of "$service" "$scratch/out"
done <"$scratch/services"
for mode in notification exploration hybrid; do
  [ "$(jq -r ".services[\"runner-$mode\"].environment.RUNNER_MODE" "$scratch/compose")" = "$mode" ] || fault "runner-$mode is of another mode"
done

# Images are built from targets that exist, and named as the guide's docker build names them.
jq -r '.services | to_entries[] | select(.value.build) | "\(.key) \(.value.image) \(.value.build.context) \(.value.build.dockerfile) \(.value.build.target)"' "$scratch/compose" |
  while read -r service image context file target; do
    [ -f "$docker/$context/$file" ] || fault "$service: there is no $file"
    grep -q "^FROM .* AS $target\$" "$docker/$context/$file" || fault "$service: the Containerfile has no target $target"
    grep -q -- "--target $target *-t $image " "$root/docs/operations/deployment.md" || fault "$service: the guide builds no $image of $target"
  done

# Programs of health checks are in the image (CMD, or ours).
jq -r '.services[] | select(.image | test("botburrow")) | .healthcheck.test // empty | .[1]' "$scratch/compose" | sort -u |
  while read -r name; do grep -qw "$name" "$docker/Containerfile" || fault "the image installs no $name, which a health check runs"; done
# What is mounted from the checkout is there; where it is mounted is where the program looks.
jq -r '.services | to_entries[] | .key as $s | .value.volumes[]? | select(startswith(".")) | "\($s) \(.)"' "$scratch/compose" |
  while read -r service volume; do
    [ -d "$docker/${volume%%:*}/agents" ] || fault "$service: ${volume%%:*} holds no agents"
    place=$(jq -r --arg s "$service" '.services[$s].environment.AGENT_DEFINITIONS_PATH' "$scratch/compose")
    case $volume in *":$place:ro") ;; *) fault "$service: mounts $volume, and looks in $place" ;; esac
  done
# Read-only roots: what is written to is a volume or a tmpfs, of the image's user.
jq -r '.services | to_entries[] | select(.value.image | test("botburrow")) | .key as $s | .value
  | ((.volumes // []) + (.tmpfs // []) | map(split(":") | if length > 1 and (.[1] | startswith("/")) then .[1] else .[0] end)) as $places
  | ("/tmp", "/var/lib/botburrow") | select(. as $p | $places | index($p) | not) | "\($s): nothing is mounted at \(.), and its root is read-only"' "$scratch/compose" >"$scratch/out"
faults_of compose.yaml "$scratch/out"

# The check itself: it must see what it is for.
sed 's/^    restart: unless-stopped$/    restrat: unless-stopped/; s/interval: 5s/interval: [5]/' "$docker/compose.yaml" >"$scratch/wrong.yaml"
read_compose "$scratch/wrong.yaml" "$docker/.env.example" && fault "a wrong compose file passes"
for seen in restrat 'interval must be string' 'HUB_ADMIN_KEY is required'; do
  grep -q "$seen" "$scratch/said" || fault "the check does not see: $seen"
done
finish
