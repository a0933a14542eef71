#!/bin/sh
# Every Kubernetes object against the JSON schema of its kind, those of operators too; unknown fields are refused.
set -eu
. "$(dirname "$0")/lib.sh"
need kubectl jq node
[ -d "$tools/schemas/node_modules" ] || { echo "skipped: the schemas are not here; ./dev test-deploy fetches them"; exit 77; }

set -- kubectl
[ ! -x "$tools/current/kubectl" ] || set -- "$tools/current/kubectl"
main=$1
kube=$root/deploy/kubernetes
overlay=$kube/overlays/apexalgo-iad
{
  "$main" kustomize "$overlay" >"$scratch/rendered.yaml" && json_of "$main" "$scratch/rendered.yaml"
  "$main" kustomize "$kube/hub" >"$scratch/rendered.yaml" && json_of "$main" "$scratch/rendered.yaml"
  json_of "$main" "$overlay/secrets.yaml.example" "$overlay/sealedsecret.yaml.example" "$overlay/skill-sync.yaml" \
    "$kube/hub/secrets.yaml.example" "$kube"/restore/*.yaml "$root"/deploy/gitops/*.yaml
  if knows_components "$main"; then
    with_components "$main" monitoring podmonitor git-sync keda valkey-replicated sandbox sandbox-gvisor >"$scratch/rendered.yaml"
    json_of "$main" "$scratch/rendered.yaml"
  fi
} | jq -s . >"$scratch/objects"
cp "$here/schemas/check.mjs" "$tools/schemas/"
node "$tools/schemas/check.mjs" <"$scratch/objects" >"$scratch/out" 2>&1 || [ -s "$scratch/out" ] || fault "the schema check failed"
while IFS= read -r line; do fault "$line"; done <"$scratch/out"

# The check itself: it must see what it is for.
jq '[.[] | select(.kind == "Deployment")][:1] | .[0].spec.replicas = "two" | .[0].spec.template.spec.containers[0].imagee = "x"' "$scratch/objects" |
  node "$tools/schemas/check.mjs" >"$scratch/out" 2>&1 && fault "the schema check passes a wrong object"
grep -q 'spec/replicas must be integer' "$scratch/out" || fault "the schema check does not see a wrong type"
grep -q 'imagee is no field' "$scratch/out" || fault "the schema check does not see an unknown field"
finish
