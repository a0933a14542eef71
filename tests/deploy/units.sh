#!/bin/sh
# The systemd units, the compose file and the Containerfile: they parse, fit the program, and name settings and
# versions that exist.
set -eu
. "$(dirname "$0")/lib.sh"
need jq

systemd=$root/deploy/systemd
docker=$root/deploy/docker
version=$(cat "$root/VERSION")

known_setting() { grep -q "^| \`${1#BOTBURROW_}\` |" "$root/docs/settings.md" || grep -q "Also \(\`[A-Z_0-9]*\`, \)*\`$1\`" "$root/docs/settings.md"; }

# A unit says what is true of the program: notify if it speaks the protocol, exec if not.
speaks=no
if grep -q NOTIFY_SOCKET "$program"; then speaks=yes; fi
for unit in "$systemd"/*.service; do
  name=$(basename "$unit")
  case $speaks in
    yes) grep -qx Type=notify "$unit" || fault "$name: the program speaks sd_notify, the unit is not Type=notify" ;;
    no) grep -qx Type=exec "$unit" || fault "$name: the program does not speak sd_notify, the unit is not Type=exec" ;;
  esac
  grep -q '^WatchdogSec=[0-9][0-9]*$' "$unit" || fault "$name: no watchdog"
  grep -qx DynamicUser=yes "$unit" || fault "$name: no DynamicUser"
  # The stop time is above the program's drain.
  service=$(sed -n 's,^ExecStart=/usr/bin/botburrow \([a-z]*\) .*,\1,p' "$unit")
  grace=$(env -i PATH="$PATH" HUB_URL=http://hub "$program" config --service "$service" --json SHUTDOWN_GRACE </dev/null | jq -r '.settings[] | select(.name == "SHUTDOWN_GRACE").value')
  stop=$(sed -n 's/^TimeoutStopSec=//p' "$unit")
  [ "$stop" -gt "$grace" ] || fault "$name: is killed after $stop s, and drains for $grace s"
  for word in $(sed -n 's/^Environment=//p' "$unit"); do
    known_setting "${word%%=*}" || fault "$name: ${word%%=*} is no setting"
  done
  for credential in $(sed -n 's/^LoadCredential=\([A-Z_]*\):.*/\1/p' "$unit" "$systemd/runner-keys.conf"); do
    known_setting "$credential" || fault "$name: credential $credential is no setting"
  done
  for file in $(sed -n 's,^EnvironmentFile=-/etc/botburrow/,,p' "$unit" | sed 's/%i/hybrid/'); do
    [ -f "$systemd/$file" ] || fault "$name: $file is not shipped"
  done
done
ls "$systemd"/*.env | sed 's,.*/,/etc/botburrow/,' | sort >"$scratch/environments"
sort "$root/deploy/debian/conffiles" | cmp -s - "$scratch/environments" || fault "conffiles: other files than deploy/systemd/*.env"

# Each service reads its files without complaint.
for pair in hub:hub.env coordinator:agents.env runner:agents.env; do
  service=${pair%%:*}
  grep -hv -e '^#' -e '^$' "$systemd/${pair#*:}" >"$scratch/environment"
  # shellcheck disable=SC2046 # NAME=value without blanks
  env -i PATH="$PATH" $(cat "$scratch/environment") "$program" "$service" --data "$scratch/data" --check >"$scratch/said" 2>&1 </dev/null ||
    fault "$service: refuses ${pair#*:}: $(head -n 1 "$scratch/said")"
  grep '^warning:' "$scratch/said" >"$scratch/out" || true
  while IFS= read -r line; do fault "$service: $line"; done <"$scratch/out"
  while IFS= read -r line; do known_setting "${line%%=*}" || fault "${pair#*:}: ${line%%=*} is no setting"; done <"$scratch/environment"
done

if command -v systemd-analyze >/dev/null 2>&1; then
  mkdir "$scratch/units"
  for unit in "$systemd"/*.service "$systemd"/*.target; do
    sed "s,/usr/bin/botburrow,$program,; /^After=/d; /^Documentation=/d" "$unit" >"$scratch/units/$(basename "$unit")"
  done
  cp "$scratch/units/botburrow-runner@.service" "$scratch/units/botburrow-runner@hybrid.service"
  SYSTEMD_LOG_LEVEL=warning systemd-analyze verify "$scratch"/units/*.service "$scratch"/units/*.target >"$scratch/said" 2>&1 || fault "systemd-analyze refuses the units"
  grep "$scratch/units" "$scratch/said" | sed "s,$scratch/units/,," >"$scratch/out" || true
  while IFS= read -r line; do fault "systemd-analyze: $line"; done <"$scratch/out"
else
  echo "systemd-analyze is not here: units not verified"
fi

# Images: one version, and what the compose file sets is known.
grep -n -oE 'botburrow-agents(-runner)?:v[0-9.]+[0-9]' "$docker/Containerfile" "$docker/compose.yaml" "$root/docs/operations/deployment.md" "$root"/deploy/kubernetes/*/*.yaml "$root"/deploy/kubernetes/*/*/*.yaml |
  grep -v ":v$version\$" >"$scratch/out" || true
while IFS= read -r line; do fault "another version than $version: ${line#"$root/"}"; done <"$scratch/out"
grep -q "image.version=\"v$version\"" "$docker/Containerfile" || fault "Containerfile: its label is of another version than $version"
sed -n 's/^  \([A-Z][A-Z_0-9]*\): .*/\1/p; s/^      \([A-Z][A-Z_0-9]*\): .*/\1/p' "$docker/compose.yaml" | sort -u >"$scratch/names"
[ "$(wc -l <"$scratch/names")" -gt 10 ] || fault "compose.yaml: few settings were found"
while read -r name; do known_setting "$name" || fault "compose.yaml: $name is no setting"; done <"$scratch/names"
# Every variable that compose.yaml asks for stands in .env.example, unless it has a default.
grep -oE '\$\{[A-Z_0-9]+(:[?-][^}]*)?\}' "$docker/compose.yaml" | sed -E 's/\$\{([A-Z_0-9]+).*/\1/' | sort -u >"$scratch/asked"
sed -n 's/^\([A-Z_0-9]*\)=.*/\1/p' "$docker/.env.example" | sort -u >"$scratch/offered"
for name in $(comm -23 "$scratch/asked" "$scratch/offered"); do
  case $name in AGENT_DEFINITIONS | BOTBURROW_IMAGE | BOTBURROW_RUNNER_IMAGE | HUB_PORT) ;; *) fault ".env.example lacks $name" ;; esac
done
for name in $(comm -13 "$scratch/asked" "$scratch/offered"); do fault ".env.example: compose.yaml does not use $name"; done
if command -v kubectl >/dev/null 2>&1; then
  # kubectl reads any YAML that looks like an object.
  { printf 'apiVersion: v1\nkind: Compose\nmetadata:\n  name: compose\nspec:\n'; sed 's/^/  /' "$docker/compose.yaml"; } >"$scratch/compose.yaml"
  json_of kubectl "$scratch/compose.yaml" >"$scratch/compose"
  jq -r '.spec | .services as $s | .volumes as $v | $s | to_entries[] | .key as $n | .value
    | ((.depends_on // {}) | keys[] | select($s[.] == null) | "\($n): depends on \(.), which is not there"),
      ((.depends_on // {}) | to_entries[] | select(.value.condition == "service_healthy" and $s[.key].healthcheck == null) | "\($n): waits for the health of \(.key), which has no check"),
      ((.volumes // [])[] | select(test("^[a-z-]+:")) | split(":")[0] | select(. as $x | $v | has($x) | not) | "\($n): volume \(.) is not declared"),
      ((.ports // [])[] | select(startswith("127.0.0.1:") | not) | "\($n): publishes \(.) to the world")' "$scratch/compose" >"$scratch/out"
  while IFS= read -r line; do fault "compose.yaml: $line"; done <"$scratch/out"
  # No two services publish one host port.
  jq -r '.spec.services[] | (.ports // [])[] | sub("\\$\\{[A-Z_]+:-(?<d>[0-9]+)\\}"; .d) | split(":")[1] | split("-") | [(.[0] | tonumber), ((.[1] // .[0]) | tonumber)] | range(.[0]; .[1] + 1)' "$scratch/compose" | sort | uniq -d >"$scratch/out"
  while IFS= read -r line; do fault "compose.yaml: host port $line is published twice"; done <"$scratch/out"
fi

# What agents start is pinned, with hashes, and installs without running anybody's scripts.
lock=$docker/runner-tools/package-lock.json
jq -r --slurpfile p "$docker/runner-tools/package.json" '
  (.packages[""].dependencies | select(. != $p[0].dependencies) | "package-lock.json does not belong to package.json"),
  (.packages | to_entries[] | select(.key != "") | select(.value.integrity == null) | "\(.key) has no hash"),
  (.packages | to_entries[] | select(.value.hasInstallScript) | "\(.key) runs a script at its installation"),
  ($p[0].dependencies | to_entries[] | select(.value | test("^[0-9.]+$") | not) | "\(.key) is not pinned")' "$lock" >"$scratch/out"
while IFS= read -r line; do fault "runner-tools: $line"; done <"$scratch/out"
finish
