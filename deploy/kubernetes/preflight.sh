#!/bin/sh
# Looks at a cluster before (or after) a deployment, one line a check, with what to do about each fault.
#
#   deploy/kubernetes/preflight.sh [--no-pod] [FOLDER]
#
# FOLDER holds the manifests (default: k8s/apexalgo-iad). With --no-pod nothing is started in the cluster:
# images, Hub, Valkey and the repository of definitions are then not tried from inside.
# Exit code: 0 nothing stands in the way, 1 something does, 64 usage.
set -eu

usage() {
  sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
}

pod=yes
folder=
for word; do
  case $word in
    --no-pod) pod=no ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 64 ;;
    *) [ -z "$folder" ] || { usage >&2; exit 64; }; folder=$word ;;
  esac
done
[ -n "$folder" ] || folder=$(dirname "$0")/overlays/apexalgo-iad
[ -f "$folder/configmap.yaml" ] || { echo "preflight: no configmap.yaml in $folder" >&2; exit 64; }

namespace=botburrow-agents
failed=no
ok() { printf 'ok    %s\n' "$1"; }
skip() { printf 'skip  %s\n' "$1"; }
warn() { printf 'warn  %s -> %s\n' "$1" "$2"; }
fault() { printf 'FAIL  %s -> %s\n' "$1" "$2"; failed=yes; }
k() { kubectl --request-timeout=10s "$@"; }

# What stands in the files: an image, or a value of the ConfigMap.
image_of() { sed -n "s/^ *image: *\(.*\/$1:.*\)$/\1/p" "$folder"/*.yaml | head -n 1; }
value_of() { sed -n "s/^  $1: *\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$folder/configmap.yaml" | head -n 1; }
repo=$(sed -n '/name: AGENT_DEFINITIONS_REPO/{n;s/^ *value: *//p;}' "$folder/coordinator.yaml" | head -n 1)

check_cluster() {
  command -v kubectl >/dev/null 2>&1 || {
    fault "kubectl" "install it (Debian: apt-get install kubernetes-client)"
    exit 1
  }
  if k get --raw /readyz >/dev/null 2>&1; then
    ok "cluster answers ($(kubectl config current-context 2>/dev/null || echo 'no context'))"
  else
    fault "cluster does not answer" "check KUBECONFIG and \`kubectl config current-context\`"
    exit 1
  fi
}

check_rights() {
  for what in deployments.apps statefulsets.apps services configmaps secrets serviceaccounts \
    networkpolicies.networking.k8s.io poddisruptionbudgets.policy horizontalpodautoscalers.autoscaling; do
    [ "$(k auth can-i create "$what" -n "$namespace" 2>/dev/null || true)" = yes ] ||
      fault "may not create $what in $namespace" "ask for a role that may, e.g. admin of the namespace"
  done
  [ "$failed" = yes ] || ok "may create everything in $namespace"
}

check_namespace() {
  if k get namespace "$namespace" >/dev/null 2>&1; then
    ok "namespace $namespace exists"
  elif [ "$(k auth can-i create namespaces 2>/dev/null || true)" = yes ]; then
    warn "namespace $namespace is not there yet" "kubectl apply -f $folder/namespace.yaml"
  else
    fault "namespace $namespace is missing and may not be created" "have it created from $folder/namespace.yaml"
  fi
}

# Never prints a value.
check_secret() { # name, key, required|optional
  value=$(k get secret "$1" -n "$namespace" -o "jsonpath={.data.$2}" 2>/dev/null | base64 -d 2>/dev/null || true)
  case $value in
    REPLACE_*) fault "secret $1: $2 still holds the template's placeholder" "put the value into $folder/secrets.yaml and apply it" ;;
    '') [ "$3" = optional ] || fault "secret $1: $2 is missing" "make $folder/secrets.yaml from secrets.yaml.example and apply it" ;;
    *) ok "secret $1: $2 is set" ;;
  esac
}

check_secrets() {
  check_secret botburrow-agents-secrets HUB_API_KEY required
  if k get secret mcp-credentials -n "$namespace" >/dev/null 2>&1; then
    for key in ANTHROPIC_API_KEY OPENAI_API_KEY GITHUB_PAT BRAVE_API_KEY; do
      check_secret mcp-credentials "$key" optional
    done
  else
    warn "secret mcp-credentials is missing" "runners start without model and MCP keys; see secrets.yaml.example"
  fi
}

check_cluster_parts() {
  for crd in servicemonitors.monitoring.coreos.com:monitoring scaledobjects.keda.sh:keda sealedsecrets.bitnami.com:sealedsecret.yaml; do
    if k get crd "${crd%%:*}" >/dev/null 2>&1; then
      ok "${crd%%:*} is known: ${crd##*:} can be used"
    else
      skip "${crd%%:*} is not known: leave ${crd##*:} out"
    fi
  done
  if k get apiservice v1beta1.metrics.k8s.io >/dev/null 2>&1; then
    ok "metrics-server is there"
  else
    warn "no metrics-server" "the HPAs show <unknown> and do nothing; the pools keep their size"
  fi
  if k get storageclass -o yaml 2>/dev/null | grep -q 'is-default-class: "true"'; then
    ok "a default StorageClass is there"
  else
    fault "no default StorageClass" "Valkey's and the Hub's volumes stay pending; mark one, or set storageClassName"
  fi
}

# One pod with both images, under the same policies as a coordinator, asks from inside.
pod_manifest() {
  cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: botburrow-preflight
  namespace: $namespace
  labels: {app: coordinator, app.kubernetes.io/name: botburrow-preflight, app.kubernetes.io/part-of: botburrow-agents}
spec:
  serviceAccountName: botburrow-agents
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: Never
  activeDeadlineSeconds: 300
  securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  initContainers:
    - name: runner-image
      image: $(image_of botburrow-agents-runner)
      command: ["botburrow", "--version"]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: ["ALL"]}}
  containers:
    - name: ask
      image: $(image_of botburrow-agents)
      command:
        - sh
        - -c
        - |
          host=\${REDIS_URL#*://}; host=\${host##*@}; host=\${host%%/*}
          curl -s -o /dev/null -m 10 -w 'hub %{http_code}\n' "\$HUB_URL/api/v1/health" || echo 'hub unreachable'
          echo "valkey \$(timeout 10 redis-cli -h "\${host%%:*}" -p "\${host##*:}" ping 2>&1 | head -n 1)"
          case \$REPO in *://*) ;; *) REPO=https://github.com/\$REPO.git ;; esac
          GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote -q "\$REPO" HEAD >/dev/null 2>&1 && echo 'definitions ok' || echo 'definitions unreachable'
      env:
        - {name: HUB_URL, value: "$(value_of HUB_URL)"}
        - {name: REDIS_URL, value: "$(value_of REDIS_URL)"}
        - {name: REPO, value: "$repo"}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: ["ALL"]}}
YAML
}

# Waits for the pod to end; prints its phase, or why an image cannot be had.
pod_outcome() {
  tries=0
  while [ "$tries" -lt 60 ]; do
    state=$(k get pod botburrow-preflight -n "$namespace" -o 'jsonpath={.status.phase} {..waiting.reason}' 2>/dev/null || true)
    case $state in
      *ErrImagePull* | *ImagePullBackOff* | *InvalidImageName*) echo image; return ;;
      Succeeded*) echo Succeeded; return ;;
      Failed*) echo Failed; return ;;
    esac
    tries=$((tries + 1))
    sleep 2
  done
  echo "${state:-not created}"
}

check_from_inside() {
  if ! k get serviceaccount botburrow-agents -n "$namespace" >/dev/null 2>&1; then
    skip "images, Hub, Valkey and definitions from inside: apply namespace.yaml and rbac.yaml first"
    return
  fi
  k delete pod botburrow-preflight -n "$namespace" --ignore-not-found --wait >/dev/null 2>&1 || true
  if ! message=$(pod_manifest | k apply -f - 2>&1); then
    fault "the probing pod is refused: $message" "see \`kubectl auth can-i create pods -n $namespace\`"
    return
  fi
  outcome=$(pod_outcome)
  answers=$(k logs botburrow-preflight -n "$namespace" -c ask 2>/dev/null || true)
  k delete pod botburrow-preflight -n "$namespace" --wait=false >/dev/null 2>&1 || true
  case $outcome in
    image)
      fault "an image cannot be pulled" "check the registry and tag in kustomization.yaml, and the pull secrets of rbac.yaml"
      return ;;
    Succeeded) ok "both images can be pulled and run" ;;
    *)
      fault "the probing pod did not finish ($outcome)" "kubectl describe pod botburrow-preflight -n $namespace"
      return ;;
  esac
  case $answers in
    *"hub 200"*) ok "Hub answers at $(value_of HUB_URL)" ;;
    *) fault "Hub does not answer 200 at $(value_of HUB_URL)/api/v1/health" "deploy it (deploy/kubernetes/hub), or correct HUB_URL" ;;
  esac
  case $answers in
    *"valkey PONG"*) ok "Valkey answers" ;;
    *) warn "Valkey does not answer" "kubectl apply -f $folder/valkey.yaml" ;;
  esac
  case $answers in
    *"definitions ok"*) ok "definitions can be fetched from $repo" ;;
    *) warn "definitions cannot be read from $repo without a key" "check AGENT_DEFINITIONS_REPO; a private one needs GITHUB_USER and GITHUB_TOKEN" ;;
  esac
}

check_cluster
check_rights
check_namespace
check_secrets
check_cluster_parts
if [ "$pod" = yes ]; then
  check_from_inside
else
  skip "images, Hub, Valkey and definitions from inside (--no-pod)"
fi
[ "$failed" = no ]
