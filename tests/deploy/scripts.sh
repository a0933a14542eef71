#!/bin/sh
# The scripts inside manifests do what their comments say, with real Git and Redis servers: cloning the
# definitions, and restoring the queue.
set -eu
. "$(dirname "$0")/lib.sh"
need kubectl jq git redis-server redis-cli

kube=$root/deploy/kubernetes
script_of() { # file, ConfigMap, key
  json_of kubectl "$1" | jq -r --arg name "$2" --arg key "$3" 'select(.kind == "ConfigMap" and .metadata.name == $name) | .data[$key]'
}
script_of "$kube/overlays/apexalgo-iad/configmap.yaml" agent-definitions-clone clone.sh >"$scratch/clone.sh"
script_of "$kube/restore/valkey-restore.yaml" valkey-restore restore.sh >"$scratch/restore.sh"

# Definitions in a repository.
repository=$scratch/repository
git init -q -b main "$repository"
commit() {
  git -C "$repository" add -A
  git -C "$repository" -c user.name=test -c user.email=test@localhost commit -q -m "$1"
}
mkdir -p "$repository/agents/scout"
echo one >"$repository/agents/scout/config.yaml"
commit one
target=$scratch/configs/agent-definitions
mkdir "$scratch/configs" "$scratch/bin"
# Waiting for another try costs a test nothing.
printf '#!/bin/sh\n' >"$scratch/bin/sleep"
chmod +x "$scratch/bin/sleep"
clone() { # more variables
  env "$@" PATH="$scratch/bin:$PATH" AGENT_DEFINITIONS_PATH="$target" AGENT_DEFINITIONS_BRANCH=main sh "$scratch/clone.sh" >"$scratch/said" 2>&1
}

clone AGENT_DEFINITIONS_REPO="file://$repository" || fault "clone.sh fails: $(tail -n 1 "$scratch/said")"
[ "$(cat "$target/agents/scout/config.yaml" 2>/dev/null)" = one ] || fault "clone.sh: the definitions are not where the program looks"
echo two >"$repository/agents/scout/config.yaml"
commit two
clone AGENT_DEFINITIONS_REPO="file://$repository" || fault "clone.sh fails the second time: $(tail -n 1 "$scratch/said")"
[ "$(cat "$target/agents/scout/config.yaml")" = two ] || fault "clone.sh: a second start keeps the old definitions"
clone AGENT_DEFINITIONS_REPO="file://$scratch/nowhere" || fault "clone.sh: an unreachable repository takes away what worked"
[ "$(cat "$target/agents/scout/config.yaml")" = two ] || fault "clone.sh: an unreachable repository changed the definitions"
rm -rf "$target"
if clone AGENT_DEFINITIONS_REPO="file://$scratch/nowhere"; then fault "clone.sh: succeeds without definitions"; fi
git -C "$repository" rm -q -r agents
echo nothing >"$repository/README"
commit three
if clone AGENT_DEFINITIONS_REPO="file://$repository"; then fault "clone.sh: takes a repository without agents/"; fi
[ ! -e "$target" ] || fault "clone.sh: leaves a clone without agents/ behind"

# Tokens go to the host they are for, and to no argument. A stand-in for git notes what it would be asked.
cat >"$scratch/bin/git" <<'STUB'
#!/bin/sh
printf '%s\n' "$*" >>"$NOTES"
case "$*" in
  *clone*)
    helper=${2#credential.helper=!}
    printf 'asked: '
    sh -c "$helper get" | tr '\n' ' '
    echo
    for last; do :; done
    mkdir -p "$last/agents"
    ;;
esac >>"$NOTES.asked"
STUB
chmod +x "$scratch/bin/git"
credentials() { # repository
  rm -rf "$target"
  : >"$scratch/notes"
  : >"$scratch/notes.asked"
  clone NOTES="$scratch/notes" AGENT_DEFINITIONS_REPO="$1" GITHUB_USER=ada GITHUB_TOKEN=hub-canary FORGEJO_USER=bob FORGEJO_TOKEN=forge-canary || true
  grep -q canary "$scratch/notes" && fault "clone.sh: a token is an argument"
  cat "$scratch/notes.asked"
}
case $(credentials owner/name) in *username=ada\ password=hub-canary*) ;; *) fault "clone.sh: GitHub is not given its token" ;; esac
grep -q 'https://github.com/owner/name.git' "$scratch/notes" || fault "clone.sh: owner/name is not taken for GitHub"
case $(credentials https://git.example.org/owner/name) in
  *hub-canary*) fault "clone.sh: another host is given GitHub's token" ;;
  *username=bob\ password=forge-canary*) ;;
  *) fault "clone.sh: Forgejo is not given its token" ;;
esac

# A dump, put back under a server that writes an append-only file.
data=$scratch/redis
mkdir "$data"
server() {
  timeout 60 redis-server --dir "$data" --port 0 --unixsocket "$scratch/redis.sock" --appendonly yes --save '' >"$scratch/redis.log" 2>&1 </dev/null &
  tries=0
  until [ "$(redis-cli -s "$scratch/redis.sock" ping 2>/dev/null)" = PONG ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { fault "redis-server does not start: $(tail -n 1 "$scratch/redis.log")"; finish; }
    command sleep 0.05
  done
}
redis() { redis-cli -s "$scratch/redis.sock" "$@"; }
server
redis RPUSH work:queue:high one two >/dev/null
redis SAVE >/dev/null
cp "$data/dump.rdb" "$scratch/backup.rdb"
redis RPUSH work:queue:high three >/dev/null
redis SHUTDOWN NOSAVE >/dev/null 2>&1 || true
wait
if sh "$scratch/restore.sh" "$data" >"$scratch/said" 2>&1; then fault "restore.sh: succeeds without a backup"; fi
echo 'no dump' >"$data/restored.rdb"
if sh "$scratch/restore.sh" "$data" >"$scratch/said" 2>&1; then fault "restore.sh: takes any file"; fi
cp "$scratch/backup.rdb" "$data/restored.rdb"
sh "$scratch/restore.sh" "$data" >"$scratch/said" 2>&1 || fault "restore.sh fails: $(tail -n 1 "$scratch/said")"
server
[ "$(redis LRANGE work:queue:high 0 -1 | tr '\n' ' ')" = 'one two ' ] || fault "restore.sh: the server has not what the backup held: $(redis LRANGE work:queue:high 0 -1 | tr '\n' ' ')"
redis RPUSH work:queue:high four >/dev/null
redis SHUTDOWN NOSAVE >/dev/null 2>&1 || true
wait
server
[ "$(redis LLEN work:queue:high)" = 3 ] || fault "restore.sh: what was written after the restore is lost at the next start"
redis SHUTDOWN NOSAVE >/dev/null 2>&1 || true
wait
finish
