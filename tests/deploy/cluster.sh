#!/bin/sh
# The manifests on a real API server (Debian's Kubernetes 1.20, ./dev test-cluster builds it): the apply commands of the
# deployment guide, one after another, as they stand there; twice, and the second time nothing changes; components with
# stub definitions of the operators' kinds; the preflight script; and the commands that change something.
#
# There is no kubelet, no scheduler and no controller: objects are stored, and no pod ever runs. What that leaves
# unproven stands at the end of docs/operations/deployment.md. What 1.20 does not know yet is lowered in a copy:
# autoscaling/v2 to v2beta2, policy/v1 to v1beta1.
set -eu
. "$(dirname "$0")/lib.sh"
need kubectl jq openssl curl sed
server=$tools/apiserver
[ -x "$server/kube-apiserver" ] || { echo "skipped: no API server here; ./dev test-cluster builds one"; exit 77; }

copy=$scratch/tree
mkdir -p "$copy/docs"
cp -r "$root/deploy" "$root/k8s" "$copy/" 2>/dev/null || cp -r "$root/deploy" "$copy/"
rm -rf "$copy/k8s"
ln -s deploy/kubernetes/overlays "$copy/k8s"
find "$copy/deploy" -name '*.yaml' -exec sed -i 's,autoscaling/v2$,autoscaling/v2beta2,; s,policy/v1$,policy/v1beta1,' {} +
for folder in k8s/apexalgo-iad deploy/kubernetes/hub; do
  sed 's/REPLACE_[A-Z0-9_]*/cluster-test/' "$copy/$folder/secrets.yaml.example" >"$copy/$folder/secrets.yaml"
done

# etcd and the API server, on loopback, for as long as this runs.
cd "$scratch"
base=$((20000 + $$ % 20000))
timeout 300 "$server/etcd" --data-dir "$scratch/etcd" --listen-client-urls "http://127.0.0.1:$base" --advertise-client-urls "http://127.0.0.1:$base" \
  --listen-peer-urls "http://127.0.0.1:$((base + 1))" --initial-advertise-peer-urls "http://127.0.0.1:$((base + 1))" --initial-cluster "default=http://127.0.0.1:$((base + 1))" \
  >"$scratch/etcd.log" 2>&1 </dev/null &
etcd=$!
openssl genrsa -out "$scratch/accounts.key" 2048 2>/dev/null
token=$(openssl rand -hex 16)
printf '%s,admin,admin,system:masters\n' "$token" >"$scratch/tokens"
timeout 300 "$server/kube-apiserver" --etcd-servers="http://127.0.0.1:$base" --secure-port=$((base + 2)) --bind-address=127.0.0.1 \
  --cert-dir="$scratch/certificates" --service-cluster-ip-range=10.0.0.0/24 --authorization-mode=RBAC --token-auth-file="$scratch/tokens" \
  --service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file="$scratch/accounts.key" \
  --service-account-key-file="$scratch/accounts.key" >"$scratch/apiserver.log" 2>&1 </dev/null &
api=$!
trap 'kill $api 2>/dev/null; wait $api 2>/dev/null; kill $etcd 2>/dev/null; wait $etcd 2>/dev/null; rm -rf "$scratch"' EXIT
export KUBECONFIG="$scratch/kubeconfig"
cat >"$KUBECONFIG" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: admin}}]
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$((base + 2))", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "$token"}}]
YAML
tries=0
until [ "$(kubectl get --raw /readyz 2>/dev/null)" = ok ] && kubectl get namespace default >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ] || ! kill -0 "$api" 2>/dev/null; then
    fault "the API server does not become ready: $(tail -n 2 "$scratch/apiserver.log")"
    finish
  fi
  sleep 0.2
done

# shellcheck disable=SC2046 # a list of paths without blanks
set -- $(kubectls)
cd "$copy"
sh deploy/kubernetes/preflight.sh --no-pod >"$scratch/said" 2>&1 && fault "preflight: an empty cluster passes"
grep -q '^FAIL  secret botburrow-agents-secrets: HUB_API_KEY is missing' "$scratch/said" || fault "preflight: does not miss the Secret"
grep -q '^warn  namespace botburrow-agents is not there yet' "$scratch/said" || fault "preflight: does not miss the namespace"
grep -q '^FAIL  no default StorageClass' "$scratch/said" || fault "preflight: does not miss a StorageClass"

# The guide's own commands, in its order.
awk '/^```/ { fence = !fence; next } fence && /^kubectl apply -[fk] (k8s|deploy)/' "$root/docs/operations/deployment.md" |
  sed 's, *#.*,,' | grep -v restore >"$scratch/steps"
[ "$(wc -l <"$scratch/steps")" -gt 12 ] || fault "few steps were found in the guide"
# What is stored, with its version: kubectl says "configured" of things that the server then finds unchanged.
stored() {
  for namespace in botburrow-agents botburrow; do
    kubectl get configmaps,secrets,serviceaccounts,services,deployments,statefulsets,hpa,pdb,networkpolicies -n "$namespace" -o json 2>"$scratch/said" |
      jq -r '.items[] | "\(.kind) \(.metadata.name) \(.metadata.resourceVersion)"'
  done | sort
}
for round in first second; do
  for each; do
    while IFS= read -r step; do
      arguments=${step#kubectl }
      # shellcheck disable=SC2086
      if ! "$each" $arguments >"$scratch/said" 2>&1 </dev/null; then
        fault "$step ($each): $(grep -v '^Warning' "$scratch/said" | head -n 3)"
      fi
      grep -i 'not found' "$scratch/said" >/dev/null && fault "$step: says 'not found'"
    done <"$scratch/steps"
  done
  stored >"$scratch/stored.$round"
done
diff "$scratch/stored.first" "$scratch/stored.second" | sed -n 's/^> /changes when the guide is repeated: /p' >"$scratch/out" || true
while IFS= read -r line; do fault "$line"; done <"$scratch/out"

# Names that other programs and guides rely on.
for object in svc/valkey svc/coordinator configmap/botburrow-agents-config secret/botburrow-agents-secrets serviceaccount/botburrow-agents \
  deployment/coordinator deployment/runner-hybrid deployment/runner-notification deployment/runner-exploration statefulset/valkey \
  hpa/runner-hybrid-hpa hpa/runner-notification-hpa pdb/coordinator networkpolicy/default-deny; do
  kubectl get "$object" -n botburrow-agents >/dev/null 2>&1 || fault "there is no $object"
done
for object in svc/hub svc/botburrow-hub statefulset/botburrow-hub; do
  kubectl get "$object" -n botburrow >/dev/null 2>&1 || fault "there is no $object"
done

# Preflight on a cluster that has what it needs.
kubectl apply -f - >/dev/null <<'YAML' || fault "no StorageClass can be made"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
YAML
sh deploy/kubernetes/preflight.sh --no-pod >"$scratch/said" 2>&1 || fault "preflight: $(grep '^FAIL' "$scratch/said" | head -n 1)"
grep -q cluster-test "$scratch/said" && fault "preflight: prints a secret"

# What changes something.
kubectl scale deployment/runner-hybrid -n botburrow-agents --replicas=10 >/dev/null || fault "scale"
[ "$(kubectl get deployment runner-hybrid -n botburrow-agents -o 'jsonpath={.spec.replicas}')" = 10 ] || fault "scale changes nothing"
kubectl set image deployment/coordinator -n botburrow-agents coordinator=ghcr.io/botburrow/botburrow-agents:v1.2.3 >/dev/null || fault "set image: no container coordinator"
kubectl set image deployment/runner-hybrid -n botburrow-agents runner=ghcr.io/botburrow/botburrow-agents-runner:v1.2.3 >/dev/null || fault "set image: no container runner"
kubectl rollout restart deployment/coordinator deployment/runner-hybrid deployment/runner-notification deployment/runner-exploration -n botburrow-agents >/dev/null || fault "rollout restart"
for file in valkey-restore hub-files; do
  kubectl apply -f "deploy/kubernetes/restore/$file.yaml" >/dev/null 2>"$scratch/said" || fault "restore/$file.yaml: $(head -n 1 "$scratch/said")"
  kubectl delete -f "deploy/kubernetes/restore/$file.yaml" --wait=false >/dev/null 2>&1 || fault "restore/$file.yaml cannot be deleted"
done

# A wrong manifest is refused: what is accepted above was looked at.
sed 's/      containers:/      containerz:/' k8s/apexalgo-iad/coordinator.yaml >"$scratch/wrong.yaml"
kubectl apply -f "$scratch/wrong.yaml" >/dev/null 2>&1 && fault "the API server takes an unknown field"

# Components, with the operators' kinds as empty definitions.
crd() { # plural.group version kind
  cat <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $1}
spec:
  group: ${1#*.}
  scope: Namespaced
  names: {plural: ${1%%.*}, singular: $(echo "$3" | tr '[:upper:]' '[:lower:]'), kind: $3}
  versions:
    - {name: $2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
YAML
}
{
  crd servicemonitors.monitoring.coreos.com v1 ServiceMonitor
  crd podmonitors.monitoring.coreos.com v1 PodMonitor
  crd prometheusrules.monitoring.coreos.com v1 PrometheusRule
  crd scaledobjects.keda.sh v1alpha1 ScaledObject
  crd sealedsecrets.bitnami.com v1alpha1 SealedSecret
  crd applications.argoproj.io v1alpha1 Application
  crd gitrepositories.source.toolkit.fluxcd.io v1 GitRepository
  crd kustomizations.kustomize.toolkit.fluxcd.io v1 Kustomization
} | kubectl apply -f - >/dev/null || fault "stub definitions"
kubectl wait --for=condition=established crd --all --timeout=60s >/dev/null || fault "stub definitions are not established"
for namespace in argocd flux-system; do kubectl create namespace $namespace >/dev/null || fault "namespace $namespace"; done
kubectl apply -f deploy/gitops/argocd-application.yaml -f deploy/gitops/flux-kustomization.yaml >/dev/null 2>"$scratch/said" || fault "gitops: $(head -n 1 "$scratch/said")"
for each; do
  knows_components "$each" || continue
  mkdir -p deploy/kubernetes/overlays/mine
  # `sandbox` uses hostUsers, which 1.20 does not know.
  for components in 'monitoring git-sync keda' 'monitoring podmonitor' sandbox-gvisor; do
    { printf 'resources:\n  - ../apexalgo-iad\ncomponents:\n'; for c in $components; do printf '  - ../../components/%s\n' "$c"; done; } >deploy/kubernetes/overlays/mine/kustomization.yaml
    "$each" apply -k deploy/kubernetes/overlays/mine >"$scratch/said" 2>&1 </dev/null || fault "$components: $(grep -v -e ' unchanged$' -e ' configured$' -e ' created$' -e '^Warning' "$scratch/said" | head -n 2)"
  done
  # serviceName cannot be changed in place: the way that the component's comment describes.
  kubectl delete statefulset valkey -n botburrow-agents >/dev/null 2>"$scratch/said" || fault "delete statefulset valkey: $(head -n 1 "$scratch/said")"
  printf 'resources:\n  - ../apexalgo-iad\ncomponents:\n  - ../../components/valkey-replicated\n' >deploy/kubernetes/overlays/mine/kustomization.yaml
  "$each" apply -k deploy/kubernetes/overlays/mine >"$scratch/said" 2>&1 </dev/null || fault "valkey-replicated: $(grep -v -e ' unchanged$' -e ' configured$' -e ' created$' -e '^Warning' "$scratch/said" | head -n 2)"
done
finish
