#!/bin/sh
# A real Prometheus, with the shipped rules and scrape configuration, scrapes a running system: Redis, the Hub, two
# coordinators, runners of each mode. In health no alert is active, promtool accepts what each service exposes, and
# every query of the dashboard answers. Then the fault of each alert is made, the alert fires and names it, and
# heals; nothing else fires meanwhile.
#
# What is scaled: scrapes and evaluations each second instead of each 15 s, `for:` two seconds, leases of three
# seconds, two crashes instead of three for a dead letter. Expressions, thresholds and rate windows are as shipped. An
# alert over a window stays up for that long after its cure; for those the expression is asked as of the time when the
# window holds nothing from before the cure.
#
# What is made by hand: OldestWorkWaiting, by setting the time inside a waiting item back by 20 minutes. All else is
# done to processes, files, keys and settings.
# shellcheck disable=SC2016 # conditions are evaluated again and again
set -eu
# In a mount namespace of its own: the Hub's disk is a small one, which can be full.
if [ "${BOTBURROW_BOUNDED:-}" != yes ]; then
  enter='unshare -rm'
  [ "$(id -u)" != 0 ] || enter='unshare -m'
  $enter true 2>/dev/null || { echo "skipped: no mount namespaces here"; exit 77; }
  # shellcheck disable=SC2086 # words
  BOTBURROW_BOUNDED=yes exec timeout -k 20 900 $enter sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need prometheus promtool jq curl redis-server redis-cli unshare bwrap

rules=$root/deploy/prometheus/rules.yaml
dashboard=$root/deploy/grafana/botburrow.json
ports=$((10000 + $$ % 200 * 100))
redis_port=$ports
prometheus_url=http://127.0.0.1:$((ports + 1))
hub_port=$((ports + 2)) one_port=$((ports + 3)) two_port=$((ports + 4)) other_port=$((ports + 5))
notification_port=$((ports + 6)) exploration_port=$((ports + 7)) hybrid_port=$((ports + 8))
bare_port=$((ports + 9)) failing_port=$((ports + 10)) other_redis_port=$((ports + 11))
hub_url=http://127.0.0.1:$hub_port
admin_key=botburrow_admin_0123456789abcdef0123456789abcdef
service_key=
owner_key=

# -- Processes. Each ends by itself even if this script is killed.

launch() { # name, words
  name=$1
  shift
  # shellcheck disable=SC2016
  timeout -k 5 920 sh -c 'echo $$ >"$0" && exec "$@"' "$scratch/$name.process" "$@" >>"$scratch/$name.log" 2>&1 </dev/null &
  echo $! >"$scratch/$name.pid"
}
end() { # names
  for each; do kill "$(cat "$scratch/$each.pid")" 2>/dev/null || true; done
  for each; do
    wait "$(cat "$scratch/$each.pid")" 2>/dev/null || true
    rm -f "$scratch/$each.pid"
  done
}
# shellcheck disable=SC2317,SC2329 # called by trap
clean_up() {
  trap - EXIT
  # What is frozen cannot end.
  [ ! -f "$scratch/frozen" ] || kill -CONT "$(cat "$scratch/frozen")" 2>/dev/null || true
  for file in "$scratch"/*.pid; do [ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || true; done
  wait 2>/dev/null || true
  umount "$scratch/hub" 2>/dev/null || true
  [ -n "${KEEP_SCRATCH:-}" ] || rm -rf "$scratch"
}
trap clean_up EXIT

launch_redis() { # name, port
  mkdir -p "$scratch/$1.data"
  launch "$1" redis-server --port "$2" --bind 127.0.0.1 --dir "$scratch/$1.data" --appendonly yes --save '' --daemonize no
}
# The environment of every service: nothing of ours leaks in.
launch_service() { # name, settings…, words after --
  service=$1
  shift
  settings=
  while [ "$1" != -- ]; do
    settings="$settings $1"
    shift
  done
  shift
  # shellcheck disable=SC2086 # NAME=value without blanks
  launch "$service" env -i PATH="$PATH" HOME="$scratch" TMPDIR="$scratch" LANG=C.UTF-8 METRICS_HOST=127.0.0.1 \
    API_HOST=127.0.0.1 REDIS_URL=redis://127.0.0.1:$redis_port HUB_URL=$hub_url HUB_API_KEY=$service_key \
    AGENT_DEFINITIONS_PATH="$scratch/definitions" WORKSPACE_ROOT="$scratch/workspaces" LOG_FORMAT=json SHUTDOWN_GRACE=5 \
    LEASE_SECONDS=3 LEADER_LEASE_SECONDS=3 $settings $within "$program" "$@"
}
within= # a program that starts the service
launch_hub() {
  launch_service hub HUB_ADMIN_KEY=$admin_key HUB_RATE_POSTS=0 HUB_RATE_COMMENTS=0 HUB_RATE_HOOKS=0 -- \
    hub --hub-port $hub_port --data "$scratch/hub"
}
launch_coordinator() { # name, port, settings
  launch_service "$1" INSTANCE_ID="$1" METRICS_PORT="$2" POLL_INTERVAL=2 LONG_POLL_TIMEOUT=2 POLL_BATCH_SIZE=1000 \
    STALENESS_CHECK_INTERVAL=5 MIN_ACTIVATION_INTERVAL=3600 MAX_CRASH_ATTEMPTS=2 "${3:-}" -- coordinator
}
launch_runner() { # name, port, settings
  launch_service "$1" RUNNER_ID="$1" METRICS_PORT="$2" MAX_CONCURRENT_ACTIVATIONS=16 MAX_CRASH_ATTEMPTS=2 "${3:-}" "${4:-}" -- runner
}
launch_runners() {
  launch_runner notification $notification_port RUNNER_MODE=notification LLM_MODE=offline
  launch_runner exploration $exploration_port RUNNER_MODE=exploration LLM_MODE=offline
  launch_runner hybrid $hybrid_port RUNNER_MODE=hybrid LLM_MODE=offline
}

# -- Waiting and asking

wait_until() { # what, condition
  last=$(($(date +%s) + 90))
  until eval "$2" >/dev/null 2>&1; do
    if [ "$(date +%s)" -ge $last ]; then
      fault "$1: not within 90 s; active alerts: $(active | tr '\n' ' ')"
      finish
    fi
    sleep 0.2
  done
}
ready() { [ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$1/ready")" = 200 ]; }
redis() { redis-cli -p "$redis_port" "$@"; }
admin() { # method, path, body
  curl -fsS -X "$1" "$hub_url/api/v1$2" -H "X-Admin-Key: $admin_key" -H 'Content-Type: application/json' -d "$3"
}
key_for() { admin POST /keys "{\"name\": \"$1\", \"agent_type\": \"$2\"}" | jq -er .api_key; }
post() { # text
  env -i PATH="$PATH" HOME="$scratch" HUB_URL=$hub_url HUB_API_KEY="$owner_key" \
    "$program" hub post --community general "$1" >"$scratch/said" 2>&1 || fault "hub post: $(head -n 1 "$scratch/said")"
}
ask() { # query, time
  curl -sS -G "$prometheus_url/api/v1/query" --data-urlencode "query=$1" ${2:+--data-urlencode "time=$2"}
}
series() { ask "$@" | jq -e 'if .status == "success" then .data.result | length else error(.error) end'; }
shows() { [ "$(series "$1")" -gt 0 ]; } # query
alerts() { curl -sS "$prometheus_url/api/v1/alerts" | jq -c '.data.alerts[]'; }
active() { alerts | jq -r .labels.alertname | sort -u; }
expression_of() { jq -er --arg alert "$1" '.data.groups[].rules[] | select(.name == $alert) | .query' "$scratch/rules.json"; }
evaluated_since() { # time
  curl -sS "$prometheus_url/api/v1/rules" | jq -e --argjson since "$1" \
    '[.data.groups[].lastEvaluation | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z") | fromdate] | min > $since + 1'
}

# -- Alerts. `expected` holds those that may be active now.

expected=
expect() { expected="$expected $*"; }
nothing_else() {
  for alert in $(active); do
    case " $expected " in
      *" $alert "*) ;;
      *) fault "$alert is active without its fault, while expected were:$expected" ;;
    esac
  done
}
fires() { # alert, what its labels and value must be, by what
  expect "$1"
  wait_until "$1 fires ($3)" "alerts | jq -es --arg alert $1 'any(.[]; .labels.alertname == \$alert and .state == \"firing\" and ($2))'"
  shows "$(expression_of "$1")" || fault "$1 fires, and its expression answers nothing"
  echo "$1" >>"$scratch/fired"
  echo "$1: fires ($3)"
  nothing_else
}
forget() { # alert
  remaining=
  for each in $expected; do [ "$each" = "$1" ] || remaining="$remaining $each"; done
  expected=$remaining
}
heals() { # alert
  wait_until "$1 heals" "! active | grep -qx $1"
  forget "$1"
  nothing_else
}
# As of the first moment at which the window reaches back no further than to the cure. It stays expected.
heals_within() { # alert, seconds of its window, a query that shows that the window has data
  cured=$(date +%s)
  at=$((cured + $2 + 1))
  wait_until "$1: four scrapes after its cure" "[ \"\$(scrapes_in $2 $at)\" -ge 4 ]"
  shows_at "$3" $at || fault "$1: nothing is known of the time after its cure"
  [ "$(series "$(expression_of "$1")" $at)" = 0 ] || fault "$1: its expression still answers $2 s after the cure"
}
scrapes_in() { ask "min(count_over_time(up{instance=\"127.0.0.1:$one_port\"}[$1s]))" "$2" | jq -r '.data.result[0].value[1]'; }
shows_at() { [ "$(series "$1" "$2")" -gt 0 ]; }

# -- The system

mkdir -p "$scratch/definitions/agents" "$scratch/hub" "$scratch/workspaces"
mount -t tmpfs -o size=24m tmpfs "$scratch/hub"
cp -r "$root"/examples/agents "$root"/examples/skills "$scratch/definitions/"
agents=$(ls "$root/examples/agents")
crowd=$(seq -f 'crowd-%03g' 1 110)
for agent in $crowd; do
  cp -r "$root/examples/agents/ada-guide" "$scratch/definitions/agents/$agent"
  sed -i "s/^name: .*/name: $agent/" "$scratch/definitions/agents/$agent/config.yaml"
done

launch_redis redis $redis_port
wait_until 'Redis answers' 'redis ping'
launch_hub
wait_until 'the Hub is ready' "ready $hub_port"
service_key=$(key_for services service)
owner_key=$(key_for owner human)
for agent in $agents $crowd; do admin POST /agents/register "{\"name\": \"$agent\", \"type\": \"native\"}" >>"$scratch/registered"; done
launch_coordinator one $one_port
launch_coordinator two $two_port
launch_runners

# The shipped files, in another place, each second.
sed 's/^\( *for: \).*/\12s/' "$rules" >"$scratch/rules.yaml"
grep -v '^ *for: ' "$rules" >"$scratch/one" && grep -v '^ *for: ' "$scratch/rules.yaml" >"$scratch/two"
cmp -s "$scratch/one" "$scratch/two" || fault "the rules were changed in more than their duration"
{
  sed -e 's/^\( *[a-z]*_interval: \).*/\11s/' -e '/- targets:$/,$d' "$root/deploy/prometheus/prometheus.yaml"
  echo '      - targets:'
  for port in $hub_port $one_port $two_port $other_port $notification_port $exploration_port $hybrid_port $bare_port $failing_port; do
    echo "          - 127.0.0.1:$port"
  done
} >"$scratch/prometheus.yaml"
promtool check config "$root/deploy/prometheus/prometheus.yaml" >"$scratch/said" 2>&1 || fault "prometheus.yaml: $(cat "$scratch/said")"
launch prometheus prometheus --config.file="$scratch/prometheus.yaml" --storage.tsdb.path="$scratch/tsdb" \
  --web.listen-address="${prometheus_url#http://}" --log.level=warn

for port in $one_port $two_port $notification_port $exploration_port $hybrid_port; do wait_until "port $port is ready" "ready $port"; done
for agent in $agents; do post "@$agent hello, what do you do here?"; done
wait_until 'six services are scraped' '[ "$(ask "sum(up)" | jq -r ".data.result[0].value[1]")" = 6 ]'
wait_until 'mentions are answered' 'shows "sum(botburrow_activations_total{status=\"success\",task_type=\"inbox\"}) >= 5"'
wait_until 'agents look around' 'shows "sum(botburrow_activations_total{task_type=\"discovery\"}) >= 1"'
wait_until 'the leader counts three runners' 'shows "botburrow_runners_active == 3"'
wait_until 'no alert is active' '[ -z "$(active)" ]'
curl -sS "$prometheus_url/api/v1/rules" >"$scratch/rules.json"

# -- Health

wait_until 'all rules are evaluated' "evaluated_since $(date +%s)"
# What a service exposes passes promtool, and is what docs/operations/metrics.md says of it: names, types, labels.
"$program" reference metrics --json >"$scratch/reference.json"
check_exposition() { # name, port, service
  curl -fsS "http://127.0.0.1:$2/metrics" >"$scratch/metrics" || fault "$1: no metrics"
  promtool check metrics <"$scratch/metrics" >"$scratch/said" 2>&1 || fault "$1: $(head -n 3 "$scratch/said")"
  jq -r --arg service "$3" '.metrics[] | select(.services == "all" or (.services | contains($service)))' "$scratch/reference.json" >"$scratch/its"
  jq -r '"\(.name) \(.type)"' "$scratch/its" | sort >"$scratch/one"
  sed -n 's/^# TYPE //p' "$scratch/metrics" | sort >"$scratch/two"
  diff "$scratch/one" "$scratch/two" >"$scratch/said" || fault "$1: metrics.md and its exposition differ: $(grep '^[<>]' "$scratch/said" | tr '\n' ' ')"
  jq -r '(.labels | join(",")) as $own | if .type == "histogram"
    then "\(.name)_bucket \(.labels + ["le"] | join(","))", "\(.name)_sum \($own)", "\(.name)_count \($own)" else "\(.name) \($own)" end' \
    "$scratch/its" | sort >"$scratch/one"
  sed -n -e '/^#/d' -e '/{/!s/ .*/ /p' -e 's/="[^"]*"//g' -e 's/^\([a-z_]*\){\(.*\)} .*/\1 \2/p' "$scratch/metrics" | sort -u >"$scratch/two"
  comm -13 "$scratch/one" "$scratch/two" >"$scratch/said"
  [ ! -s "$scratch/said" ] || fault "$1: other labels than metrics.md has: $(tr '\n' ';' <"$scratch/said")"
}
check_exposition hub $hub_port hub
check_exposition one $one_port coordinator
check_exposition two $two_port coordinator
check_exposition notification $notification_port runner
check_exposition exploration $exploration_port runner
check_exposition hybrid $hybrid_port runner

# Every panel has something to show. These are about faults; they are asked again when there were some.
faults_only='botburrow_work_requeued_total botburrow_activations_handed_back_total botburrow_activation_retries_total
  botburrow_activation_failures_total botburrow_agent_backoff_seconds_remaining botburrow_grant_denied_total
  botburrow_definition_errors hub_rate_limited_total'
about_faults() { # query
  for metric in $faults_only; do case $1 in *"$metric"*) return 0 ;; esac; done
  return 1
}
# shellcheck disable=SC2016 # Grafana's variables
jq -r '.. | .expr? // empty' "$dashboard" | sed 's/\$__rate_interval/1m/g; s/\$agent/.*/g' >"$scratch/queries"
[ "$(wc -l <"$scratch/queries")" -gt 40 ] || fault "dashboard: few queries were found"
while IFS= read -r query; do
  found=$(series "$query" 2>"$scratch/said") || { fault "prometheus refuses: $query: $(cat "$scratch/said")"; continue; }
  [ "$found" -gt 0 ] || about_faults "$query" || fault "dashboard: nothing to show for: $query"
done <"$scratch/queries"
nothing_else
echo "health: no alert, $(wc -l <"$scratch/queries") queries"

# What the panels about faults show, whenever it is there.
while IFS= read -r query; do about_faults "$query" && printf '%s\n' "$query"; done <"$scratch/queries" |
  grep -v botburrow_grant_denied_total | sed 's/\[1m\]/[15m]/g' >"$scratch/unseen" # nobody here asks for what it may not do
look_at_panels() {
  while IFS= read -r query; do shows "$query" || printf '%s\n' "$query"; done <"$scratch/unseen" >"$scratch/still"
  mv "$scratch/still" "$scratch/unseen"
}

# -- Faults

# A coordinator that works on another Redis leads there. It sees no runners, and says so.
launch_redis other_redis $other_redis_port
expect NoActiveRunners
launch_coordinator other $other_port REDIS_URL=redis://127.0.0.1:$other_redis_port
fires MultipleLeaders '(.value | tonumber) == 2' 'a coordinator on another Redis'
end other
heals MultipleLeaders
heals NoActiveRunners

# A runner on whose machine bubblewrap does not work, and that may use nothing else.
printf '#!/bin/sh\nmount --bind /bin/false /usr/bin/bwrap && exec "$@"\n' >"$scratch/without-bubblewrap"
within="unshare -rm sh $scratch/without-bubblewrap"
launch_runner bare $bare_port RUNNER_MODE=exploration SANDBOX_BACKEND=bwrap
within=
fires SandboxMissing ".labels.instance == \"127.0.0.1:$bare_port\"" 'a bubblewrap that fails'
end bare
heals SandboxMissing

# An agent spends 9.50 of 10 USD; then it may have more. Each runner knows what it heard at the agent's last turn.
admin PUT /system/budgets/agents/ada-guide '{"monthly_limit_usd": 10}' >"$scratch/said"
curl -fsS "$hub_url/api/v1/system/consumption" -H "Authorization: Bearer $service_key" -H 'Content-Type: application/json' \
  -d '{"agent_id": "ada-guide", "cost_usd": 9.5, "model": "by hand"}' >"$scratch/said" || fault 'the Hub takes no consumption'
post '@ada-guide what do you cost?'
fires BudgetAbove90 '.labels.agent_id == "ada-guide" and .labels.period == "monthly" and (.value | tonumber) < 1' '9.50 USD of 10 spent'
admin PUT /system/budgets/agents/ada-guide '{"monthly_limit_usd": 100}' >"$scratch/said"
wait_until 'both runners hear of the new budget' '! active | grep -qx BudgetAbove90 || { post "@ada-guide and now?"; sleep 1; false; }'
heals BudgetAbove90

# Somebody with a wrong key.
curl -s -o /dev/null -H 'Authorization: Bearer wrong' "$hub_url/api/v1/agents?[1-600]"
fires HighAuthFailureRate ".labels.instance == \"127.0.0.1:$hub_port\"" '600 requests with a wrong key'
heals_within HighAuthFailureRate 300 'rate(auth_attempts_total[5m])'
# And an agent that asks too often; no alert, a panel.
curl -s -o /dev/null -H "Authorization: Bearer $(jq -rs '.[0].api_key' "$scratch/registered")" "$hub_url/api/v1/agents?[1-150]"

# The Hub is gone.
end hub
fires HubPollErrors '(.value | tonumber) > 0' 'no Hub'
shows 'rate(botburrow_hub_requests_total{endpoint="poll",code="error"}[5m]) > 0' || fault 'HubPollErrors: not for want of a connection'
launch_hub
wait_until 'the Hub is back' "ready $hub_port"
wait_until 'a poll is answered' 'curl -fsS "$prometheus_url/api/v1/query" --data-urlencode "query=sum(irate(botburrow_hub_requests_total{endpoint=\"poll\",code=\"error\"}[10s]))" | jq -e ".data.result[0].value[1] == \"0\""'
heals_within HubPollErrors 300 'rate(botburrow_hub_requests_total{endpoint="poll",code=~"2.."}[5m])'

# Its disk is full. Work that is claimed meanwhile goes back.
cat /dev/zero >"$scratch/hub/filler" 2>/dev/null || true
expect HighAPIErrorRate HubDatabaseDown
long=$(head -c 30000 /dev/zero | tr '\0' x)
post_long() { # path, more flags
  path=$1
  shift
  curl -sS -o /dev/null "$@" "$hub_url/api/v1$path" -H "Authorization: Bearer $owner_key" -H 'Content-Type: application/json' -d "{\"title\": \"long\", \"content\": \"$long\", \"community\": \"general\"}"
}
post_fails() { ! post_long /posts -f; }
database_fails() { post_fails && shows 'hub_db_up == 0'; }
wait_until 'the Hub notices its database' database_fails
env -i PATH="$PATH" HOME="$scratch" REDIS_URL=redis://127.0.0.1:$redis_port "$program" queue add scout >"$scratch/said" 2>&1 ||
  fault "queue add: $(head -n 1 "$scratch/said")"
fires HubDatabaseDown ".labels.instance == \"127.0.0.1:$hub_port\"" 'a full disk'
post_long '/posts?[1-100]'
fires HighAPIErrorRate ".labels.instance == \"127.0.0.1:$hub_port\"" 'a Hub that answers 503'
rm "$scratch/hub/filler"
heals HubDatabaseDown
heals_within HighAPIErrorRate 300 'rate(http_requests_total{status=~"2.."}[5m])'

# Runners are gone while mentions come in.
end notification exploration hybrid
fires NoActiveRunners '(.value | tonumber) == 0' 'all runners ended'
for first in $(seq 1 10 101); do post "$(seq -f '@crowd-%03g' "$first" $((first + 9)) | tr '\n' ' ') what is new?"; done
fires WorkQueueBacklog '.labels.queue == "high" and (.value | tonumber) > 100' '110 mentions and no runner'
item=$(redis --raw LINDEX work:queue:high -1 | jq -c '.created_at -= 1200')
redis LSET work:queue:high -1 "$item" >"$scratch/said"
fires OldestWorkWaiting '(.value | tonumber) > 900' 'an item of 20 minutes'

# A runner comes whose model refuses it.
expect HighActivationFailureRate AgentsInBackoff
launch_runner failing $failing_port LLM_MODE=vendor
heals NoActiveRunners
fires HighActivationFailureRate '(.value | tonumber) > 0.1' 'a model without a key'
fires AgentsInBackoff '(.value | tonumber) > 0' 'agents that failed five times'
look_at_panels
heals WorkQueueBacklog
heals OldestWorkWaiting
expect NoActiveRunners
end failing
# Another, whose model takes the connection and never answers, dies at work; its work is offered again. The next one
# dies of it, too.
kill -STOP "$(cat "$scratch/other_redis.process")"
cp "$scratch/other_redis.process" "$scratch/frozen"
die_at_work() {
  launch_runner failing $failing_port LLM_MODE=vendor "ANTHROPIC_API_KEY=none ANTHROPIC_BASE_URL=http://127.0.0.1:$other_redis_port"
  wait_until 'activations are under way' "shows 'botburrow_activations_in_progress{runner_id=\"failing\"} > 0'"
  kill -KILL "$(cat "$scratch/failing.process")"
  end failing
}
post "$(echo "$agents" | sed 's/^/@/' | tr '\n' ' ') wait for it"
die_at_work
wait_until 'the work of the dead is queued again' 'shows "sum(botburrow_activation_retries_total) > 0"'
expect WorkDeadLetter
die_at_work
fires WorkDeadLetter '(.value | tonumber) > 0' 'work that two runners died of'
kill -CONT "$(cat "$scratch/frozen")"
rm "$scratch/frozen"

# Good runners come back, a person lets the agents run again.
launch_runners
wait_until 'runners are ready' "ready $hybrid_port && ready $notification_port && ready $exploration_port"
env -i PATH="$PATH" HOME="$scratch" REDIS_URL=redis://127.0.0.1:$redis_port "$program" backoff clear --all >"$scratch/said" 2>&1 ||
  fault "backoff clear: $(head -n 1 "$scratch/said")"
heals AgentsInBackoff
heals NoActiveRunners
heals_within HighActivationFailureRate 300 'rate(botburrow_activations_total[5m])'
heals_within WorkDeadLetter 900 'increase(botburrow_work_dead_total[15m])'

# A definition with a fault; no alert, a panel.
echo 'type: [' >>"$scratch/definitions/agents/ada-guide/config.yaml"
post '@ada-guide are you well?'
wait_until 'a definition with a fault is seen' 'shows "botburrow_definition_errors > 0"'

# Redis freezes: nobody can be sure to lead, no heartbeat is written.
# Heartbeats end meanwhile, so that whoever leads next sees no runner at first.
expect RedisDown CoordinatorNotLeader NoCoordinatorLeader RunnerHeartbeatStale NoActiveRunners
cp "$scratch/redis.process" "$scratch/frozen"
kill -STOP "$(cat "$scratch/frozen")"
fires RedisDown '(.value | tonumber) == 0' 'a frozen Redis'
fires CoordinatorNotLeader '(.value | tonumber) == 0' 'a frozen Redis'
fires NoCoordinatorLeader '(.value | tonumber) == 0' 'a frozen Redis'
fires RunnerHeartbeatStale '.labels.runner_id == "hybrid" and (.value | tonumber) > 60' 'a frozen Redis'
kill -CONT "$(cat "$scratch/frozen")"
rm "$scratch/frozen"
for alert in RedisDown CoordinatorNotLeader NoCoordinatorLeader RunnerHeartbeatStale NoActiveRunners; do heals $alert; done

# No coordinator at all; when they come back, there is a moment without a leader.
expect CoordinatorNotLeader
end one two
fires NoCoordinatorLeader '(.value | tonumber) == 1' 'no coordinator'
launch_coordinator one $one_port
launch_coordinator two $two_port
heals NoCoordinatorLeader
heals CoordinatorNotLeader

look_at_panels
while IFS= read -r query; do fault "dashboard: nothing to show, faults or not, for: $query"; done <"$scratch/unseen"
sed -n 's/^ *- alert: //p' "$rules" | while read -r alert; do grep -qx "$alert" "$scratch/fired" || echo "$alert: its fault was not made"; done >"$scratch/out"
while IFS= read -r line; do fault "$line"; done <"$scratch/out"
finish
