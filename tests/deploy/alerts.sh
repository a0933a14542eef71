#!/bin/sh
# Alerts and dashboard: the rules parse and do what rules_test.yaml says; every alert is tested both ways and has
# its runbook; every metric that a rule or a panel names is exported by the running program, whose exposition
# promtool accepts; and a real Prometheus that scrapes it answers every query.
set -eu
. "$(dirname "$0")/lib.sh"
need promtool jq curl redis-server

rules=$root/deploy/prometheus/rules.yaml
tests=$root/deploy/prometheus/rules_test.yaml
dashboard=$root/deploy/grafana/botburrow.json

promtool check rules "$rules" >"$scratch/said" 2>&1 || fault "rules.yaml: $(cat "$scratch/said")"
promtool test rules "$tests" >"$scratch/said" 2>&1 || fault "rules_test.yaml: $(cat "$scratch/said")"

# Each alert: silent in health, firing on its fault, silent after it; a runbook with all its parts.
sed -n 's/^ *- alert: //p' "$rules" >"$scratch/alerts"
sed -n '/a healthy system fires nothing/,/^$/p' "$tests" >"$scratch/healthy"
while read -r alert; do
  grep -q "alertname: $alert, exp_alerts: \[\]" "$scratch/healthy" || fault "$alert: not asked in the healthy system"
  grep -q "^ *alertname: $alert\$" "$tests" || fault "$alert: no test in which it fires"
  [ "$(grep -c "alertname: $alert, exp_alerts: \[\]" "$tests")" -ge 2 ] || fault "$alert: no test in which its fault has gone or not lasted"
  book=$root/docs/operations/runbooks/$alert.md
  if [ ! -f "$book" ]; then
    fault "$alert: no runbook docs/operations/runbooks/$alert.md"
    continue
  fi
  for part in Symptom Impact Diagnosis Resolution Verification Prevention; do
    grep -q "^## $part\$" "$book" || fault "$alert: its runbook has no part '$part'"
  done
  grep -q "(runbooks/$alert.md)" "$root/docs/operations/alerts.md" || fault "$alert: not in docs/operations/alerts.md"
done <"$scratch/alerts"
for book in "$root"/docs/operations/runbooks/*.md; do
  grep -qx "$(basename "$book" .md)" "$scratch/alerts" || fault "$(basename "$book"): a runbook without an alert"
done
grep 'runbook:' "$rules" | sed 's/.*runbook: //' | while read -r book; do
  [ -f "$root/$book" ] || echo "rules.yaml: no such runbook: $book"
done >"$scratch/out"
while IFS= read -r line; do fault "$line"; done <"$scratch/out"

# The operator's form holds the same.
if command -v kubectl >/dev/null 2>&1; then
  { printf 'apiVersion: v1\nkind: Rules\nmetadata:\n  name: rules\nspec:\n'; sed 's/^/  /' "$rules"; } >"$scratch/rules.yaml"
  json_of kubectl "$scratch/rules.yaml" | jq -S .spec >"$scratch/one"
  json_of kubectl "$root/deploy/kubernetes/components/monitoring/prometheusrule.yaml" | jq -S .spec >"$scratch/two"
  cmp -s "$scratch/one" "$scratch/two" || fault "prometheusrule.yaml does not hold what rules.yaml does"
fi

# The dashboard: its queries as rules, so that promtool parses them.
# shellcheck disable=SC2016 # Grafana's variables
jq -r '.. | .expr? // empty' "$dashboard" | sed 's/\$__rate_interval/5m/g; s/\$agent/.*/g' >"$scratch/queries"
[ "$(wc -l <"$scratch/queries")" -gt 40 ] || fault "dashboard: few queries were found"
jq -r '[.panels[].id] | group_by(.)[] | select(length > 1) | "dashboard: panel id \(.[0]) is used twice"' "$dashboard" >"$scratch/out"
while IFS= read -r line; do fault "$line"; done <"$scratch/out"
jq -n --rawfile queries "$scratch/queries" '{groups: [{name: "dashboard", rules: [$queries | split("\n")[] | select(. != "") | {record: "a:b", expr: .}]}]}' >"$scratch/queries.yaml"
promtool check rules --lint=none "$scratch/queries.yaml" >"$scratch/said" 2>&1 || fault "dashboard: $(cat "$scratch/said")"

# The program, all of it.
timeout 90 "$program" up --definitions "$root/examples" --data "$scratch/data" --llm offline --hub-port 0 \
  --coordinator-port 0 --runner-port 0 --ready-file "$scratch/ready" >"$scratch/up.log" 2>&1 </dev/null &
up=$!
trap 'kill $up $prometheus 2>/dev/null; wait $up $prometheus 2>/dev/null; rm -rf "$scratch"' EXIT
prometheus=
tries=0
until [ -s "$scratch/ready" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ] || ! kill -0 "$up" 2>/dev/null; then
    fault "botburrow up did not become ready: $(tail -n 1 "$scratch/up.log")"
    finish
  fi
  sleep 0.1
done
# Some families appear with the first activation.
if ! "$program" hub post --data "$scratch/data" --as owner --community general "@ada-guide hello" >"$scratch/said" 2>&1; then
  fault "hub post: $(head -n 1 "$scratch/said")"
fi
tries=0
until curl -fsS "$(jq -r .runner "$scratch/ready")/metrics" | grep -q '^botburrow_activations_total{.*status="success"'; do
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || { fault "the mention was not answered"; finish; }
  sleep 0.1
done
for service in hub coordinator runner; do
  curl -fsS "$(jq -r ".$service" "$scratch/ready")/metrics" >"$scratch/metrics.$service" || fault "$service: no metrics"
  promtool check metrics <"$scratch/metrics.$service" >"$scratch/said" 2>&1 || fault "$service: $(head -n 3 "$scratch/said")"
done
cat "$scratch"/metrics.* | sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | sort -u >"$scratch/exported"
{ sed -n 's/^ *expr: //p;/^ *expr: >-/,/for:/p' "$rules"; cat "$scratch/queries"; } |
  grep -o -E '(botburrow|hub|http|auth|agent|process)_[a-z_]+' | sed -E 's/_(bucket|sum|count)$//' | sort -u |
  grep -v -x -e agent_id -e hub_access >"$scratch/named"
for metric in $(comm -23 "$scratch/named" "$scratch/exported"); do
  fault "$metric: named by a rule or a panel, and not exported"
done

# A real Prometheus evaluates every query: joins that match too much show only then.
if command -v prometheus >/dev/null 2>&1; then
  jq -n --slurpfile r "$scratch/ready" '{global: {scrape_interval: "1s"}, scrape_configs: [{job_name: "botburrow", honor_labels: true,
    static_configs: [{targets: [$r[0].hub, $r[0].coordinator, $r[0].runner] | map(sub("^http://"; ""))}]}]}' >"$scratch/prometheus.yaml"
  port=$((20000 + $$ % 20000))
  timeout 90 prometheus --config.file="$scratch/prometheus.yaml" --storage.tsdb.path="$scratch/tsdb" \
    --web.listen-address="127.0.0.1:$port" --log.level=error >"$scratch/prometheus.log" 2>&1 </dev/null &
  prometheus=$!
  ask() { curl -sS -G "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" 2>/dev/null; }
  tries=0
  until [ "$(ask 'sum(up{job="botburrow"})' | jq -r '.data.result[0].value[1]' 2>/dev/null)" = 3 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { fault "prometheus did not scrape the three services: $(tail -n 1 "$scratch/prometheus.log")"; finish; }
    sleep 0.1
  done
  while IFS= read -r query; do
    [ "$(ask "$query" | jq -r .status)" = success ] || fault "prometheus refuses: $query: $(ask "$query" | jq -r .error)"
  done <"$scratch/queries"
  sed -n 's/^ *expr: \([^>].*\)$/\1/p' "$rules" | while IFS= read -r query; do
    case $query in *absent*) continue ;; esac
    ask "$query" | jq -r --arg q "$query" 'select(.status != "success") | "prometheus refuses: \($q)"'
  done >"$scratch/out"
  while IFS= read -r line; do fault "$line"; done <"$scratch/out"
fi
finish
