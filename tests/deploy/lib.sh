# shellcheck shell=sh
# What the checks of deploy/ share. Each check is `sh tests/deploy/NAME.sh PROGRAM`; it prints one line a fault
# and exits 1, or 77 (skipped) where a tool is missing that `./dev test-deploy` would fetch.

root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck disable=SC2034 # used by those that read this file
here=$root/tests/deploy
# shellcheck disable=SC2034
program=${1:-$root/build/release/botburrow}
# Where `./dev test-deploy` puts what it fetches; nothing there is in anybody's PATH.
tools=$root/.cache/deploy-tools
PATH=$PATH:$tools/debian/usr/bin
# No check talks to a cluster by accident.
export PATH KUBECONFIG=/dev/null LC_ALL=C

scratch=$(mktemp -d "${TMPDIR:-/tmp}/botburrow-deploy.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
: >"$scratch/faults"

fault() { printf '%s\n' "$*" >>"$scratch/faults"; }

need() {
  for tool; do
    command -v "$tool" >/dev/null 2>&1 || {
      echo "skipped: $tool is not here; ./dev test-deploy fetches it"
      exit 77
    }
  done
}

# Ends a check: prints the faults, each once.
finish() {
  if [ -s "$scratch/faults" ]; then
    sort -u "$scratch/faults"
    exit 1
  fi
  echo "$(basename "$0" .sh): fine"
}

# The kubectls to render with: those of ./dev test-deploy, an old and a new one, else the one of the PATH.
kubectls() {
  found=
  for each in "$tools/debian/usr/bin/kubectl" "$tools/current/kubectl"; do
    [ -x "$each" ] && found="$found $each"
  done
  echo "${found:-kubectl}"
}

# Whether a kubectl's kustomize knows components (kubectl 1.21 and later).
knows_components() { ! "$1" version --client 2>/dev/null | grep -q 'Minor:"\(1[0-9]\|20\)"'; }

# Kubernetes objects as JSON, one after another. kubectl itself turns YAML into JSON, without a server.
json_of() { # kubectl, files
  renderer=$1
  shift
  for each; do
    "$renderer" annotate --local -f "$each" -o json botburrow.test/read=yes || fault "$each: kubectl cannot read it"
  done | jq 'del(.metadata.annotations["botburrow.test/read"]) | if .metadata.annotations == {} then del(.metadata.annotations) else . end'
}

# The overlay with components on top, as an operator's own overlay would have it.
with_components() { # kubectl, components
  renderer=$1
  shift
  mine=$scratch/kubernetes/overlays/mine
  [ -d "$scratch/kubernetes" ] || cp -r "$root/deploy/kubernetes" "$scratch/kubernetes"
  mkdir -p "$mine"
  {
    printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../apexalgo-iad\ncomponents:\n'
    printf '  - ../../components/%s\n' "$@"
  } >"$mine/kustomization.yaml"
  "$renderer" kustomize "$mine" || fault "components $*: cannot be rendered by $renderer"
}

# One file of faults into ours, each with what it belongs to in front.
faults_of() { # label, file
  while IFS= read -r line; do fault "$1: $line"; done <"$2"
}
