#!/bin/sh
# The Kubernetes manifests: rendered by each kubectl there is, consistent in themselves, and understood by the
# program, whose own check reads every environment that a container would get.
set -eu
. "$(dirname "$0")/lib.sh"
need kubectl jq

version=$(cat "$root/VERSION")
kube=$root/deploy/kubernetes
overlay=$kube/overlays/apexalgo-iad
# shellcheck disable=SC2046 # a list of paths without blanks
set -- $(kubectls)
main=$1

# Templates of Secrets, by hand and sealed.
json_of "$main" "$overlay/secrets.yaml.example" "$kube/hub/secrets.yaml.example" | jq -s . >"$scratch/secrets"
json_of "$main" "$overlay/sealedsecret.yaml.example" | jq -s . >"$scratch/sealed"
jq -r --slurpfile plain "$scratch/secrets" '.[] | . as $s | $plain[0][] | select(.metadata.name == $s.metadata.name)
  | select((.stringData | keys) != ($s.spec.encryptedData | keys)) | "sealedsecret.yaml.example: \(.metadata.name) has other keys than secrets.yaml.example"' "$scratch/sealed" >"$scratch/out"
faults_of templates "$scratch/out"

check() { # label, file with objects as JSON, others
  jq -r -s --arg version "$version" --slurpfile s "$scratch/secrets" --slurpfile o "$3" \
    "\$s[0] as \$secrets | \$o[0] as \$others | $(cat "$here/objects.jq")" "$2" >"$scratch/out" || fault "$1: the check itself failed"
  faults_of "$1" "$scratch/out"
}

echo '[]' >"$scratch/none"
first=
for each; do
  "$each" kustomize "$kube/hub" >"$scratch/hub.yaml" || fault "hub: cannot be rendered by $each"
  json_of "$main" "$scratch/hub.yaml" >"$scratch/hub"
  jq -s . "$scratch/hub" >"$scratch/hub-list"
  check hub "$scratch/hub" "$scratch/none"

  # By the name that the guides use.
  "$each" kustomize "$root/k8s/apexalgo-iad/" >"$scratch/base.yaml" || fault "apexalgo-iad: cannot be rendered by $each"
  json_of "$main" "$scratch/base.yaml" >"$scratch/base"
  check apexalgo-iad "$scratch/base" "$scratch/hub-list"
  jq -r '"\(.kind) \(.metadata.name)"' "$scratch/base" | sort >"$scratch/names"
  diff "$here/expected_objects" "$scratch/names" | sed -n 's/^</missing:/p;s/^>/unexpected:/p' >"$scratch/out" || true
  faults_of apexalgo-iad "$scratch/out"

  # Every kubectl makes the same of it.
  sum=$(jq -S -s 'sort_by(.kind, .metadata.name)' "$scratch/base" | cksum)
  [ -z "$first" ] || [ "$first" = "$sum" ] || fault "apexalgo-iad: $each renders something else than $main"
  first=$sum

  # Each file is complete by itself: together they are what the kustomization makes.
  # shellcheck disable=SC2046
  json_of "$main" $(sed -n "s,^  - \(.*\.yaml\)$,$overlay/\1,p" "$overlay/kustomization.yaml") >"$scratch/files"
  [ "$(jq -S -s 'sort_by(.kind, .metadata.name)' "$scratch/files" | cksum)" = "$sum" ] ||
    fault "apexalgo-iad: the files alone are not what the kustomization renders"

  if ! knows_components "$each"; then
    echo "components: not rendered by $each, whose kustomize does not know them"
    continue
  fi
  for components in monitoring 'monitoring podmonitor' git-sync keda valkey-replicated sandbox sandbox-gvisor \
    'monitoring git-sync keda valkey-replicated sandbox'; do
    # shellcheck disable=SC2086
    with_components "$each" $components >"$scratch/over.yaml"
    json_of "$main" "$scratch/over.yaml" >"$scratch/over"
    check "$components" "$scratch/over" "$scratch/hub-list"
    jq -r '"\(.kind) \(.metadata.name)"' "$scratch/over" | sort >"$scratch/names"
    case " $components " in
      *' keda '*) grep -q HorizontalPodAutoscaler "$scratch/names" && fault "keda: leaves HPAs, which would fight with KEDA's" ;;
      *' podmonitor '*) grep -q -e 'ServiceMonitor coordinator' -e 'ServiceMonitor runner' "$scratch/names" && fault "podmonitor: pods would be scraped twice" ;;
    esac
    case " $components " in
      *' git-sync '*)
        jq -r 'select(.kind == "Deployment") | .metadata.name as $n | .spec.template.spec | . as $p
          | (select([.initContainers[].name] != ["git-sync-init"]) | "\($n): starts with \([.initContainers[].name])"),
            (select([.containers[].name] | index("git-sync") | not) | "\($n): no git-sync beside it"),
            (select(.securityContext.fsGroup != 65533) | "\($n): the files belong to another group"),
            (.containers[0] | select([.env[] | select(.name == "AGENT_DEFINITIONS_PATH").value] != ["/git/agent-definitions"]) | "\($n): looks elsewhere")' "$scratch/over" >"$scratch/out"
        faults_of git-sync "$scratch/out"
        ;;
    esac
  done
done

# Files outside the kustomizations.
json_of "$main" "$kube/restore/valkey-restore.yaml" "$overlay/rbac.yaml" >"$scratch/restore"
check restore "$scratch/restore" "$scratch/none"
json_of "$main" "$kube/restore/hub-files.yaml" "$kube/hub/rbac.yaml" >"$scratch/restore-hub"
check restore "$scratch/restore-hub" "$scratch/none"
json_of "$main" "$overlay/skill-sync.yaml" "$overlay/rbac.yaml" "$overlay/valkey.yaml" "$overlay/configmap.yaml" "$overlay/networkpolicy.yaml" >"$scratch/skill"
check skill-sync "$scratch/skill" "$scratch/hub-list"
jq -r -s '[.[] | select(.kind == "StatefulSet") | "\(.spec.volumeClaimTemplates[0].metadata.name)-\(.metadata.name)-0"] | .[]' "$scratch/base" "$scratch/hub" >"$scratch/claims"
for claim in $(jq -r -s '.[] | select(.kind == "Pod") | .spec.volumes[] | .persistentVolumeClaim.claimName // empty' "$scratch/restore" "$scratch/restore-hub"); do
  grep -qx "$claim" "$scratch/claims" || fault "restore: no StatefulSet makes the claim $claim"
done
json_of "$main" "$root/deploy/gitops/argocd-application.yaml" "$root/deploy/gitops/flux-kustomization.yaml" |
  jq -r '.spec.source.path // .spec.path // empty' >"$scratch/paths"
[ -s "$scratch/paths" ] || fault "gitops: no path"
while read -r path; do
  [ -f "$root/$path/kustomization.yaml" ] || fault "gitops: no kustomization in $path"
done <"$scratch/paths"

# skill-sync.yaml asks for pods and is a resource exactly if the program has the service.
has_service=no
"$program" --help | grep -q '^  skill-sync ' && has_service=yes
listed=no
grep -q '^  - skill-sync.yaml' "$overlay/kustomization.yaml" && listed=yes
[ "$has_service" = "$listed" ] || fault "skill-sync: the program has it: $has_service, kustomization.yaml lists it: $listed"
[ "$(jq -r 'select(.kind == "Deployment") | .spec.replicas > 0' "$scratch/skill")" = "$([ $has_service = yes ] && echo true || echo false)" ] ||
  fault "skill-sync: replicas do not fit whether the program has the service"

# The program reads the environment of each container of its own, as Kubernetes would set it.
jq -r -s --slurpfile s "$scratch/secrets" '
  . as $all | ($all + $s[0]) as $known | .[] | select(.kind == "Deployment" or .kind == "StatefulSet")
  | .metadata.name as $name | .spec.template.spec.containers[] | select(.image | test("^ghcr.io/botburrow/"))
  | [ ((.envFrom // [])[] | (.configMapRef.name // .secretRef.name) as $ref
      | $known[] | select((.kind == "ConfigMap" or .kind == "Secret") and .metadata.name == $ref) | (.data // .stringData) | to_entries[] | {name: .key, value}),
      ((.env // [])[] | {name, value: (.value // ($name + "-0"))}) ]
  | [ .[] | select(.value | startswith("REPLACE_") | not) | "\(.name)=\(.value)" | @sh ] as $environment
  | "\($name)\t\($environment | join(" "))"' "$scratch/base" "$scratch/hub" >"$scratch/environments"
jq -r -s '.[] | select(.kind == "Deployment" or .kind == "StatefulSet") | .metadata.name as $n | .spec.template.spec.containers[] | select(.image | test("^ghcr.io/botburrow/"))
  | "\($n)\t\(.args[0])\t\(.args[1:] | join(" "))"' "$scratch/base" "$scratch/hub" >"$scratch/services"
while IFS="$(printf '\t')" read -r name service arguments; do
  environment=$(awk -F '\t' -v name="$name" '$1 == name { print $2 }' "$scratch/environments")
  eval "set -- $environment"
  # shellcheck disable=SC2086
  env -i PATH="$PATH" KUBERNETES_SERVICE_HOST=10.0.0.1 "$@" "$program" "$service" ${arguments%%--data*} --data "$scratch/data" --check >"$scratch/said" 2>&1 </dev/null ||
    fault "$name: \`botburrow $service --check\` refuses its environment: $(head -n 1 "$scratch/said")"
  sed -n '/^warning:/p' "$scratch/said" >"$scratch/out"
  faults_of "$name" "$scratch/out"
  # Names that are no setting of the program would pass unseen.
  for pair; do
    setting=${pair%%=*}
    grep -q "\`${setting#BOTBURROW_}\`" "$root/docs/settings.md" || [ "$setting" = HOSTNAME ] ||
      fault "$name: $setting is no setting of the program"
  done
  # Time to drain: the pod's is above the program's.
  grace=$(env -i PATH="$PATH" HUB_URL=http://hub "$program" config --service "$service" --json SHUTDOWN_GRACE </dev/null | jq -r '.settings[] | select(.name == "SHUTDOWN_GRACE").value')
  pod=$(jq -r --arg n "$name" 'select((.kind == "Deployment" or .kind == "StatefulSet") and .metadata.name == $n) | .spec.template.spec.terminationGracePeriodSeconds' "$scratch/base" "$scratch/hub")
  [ "$pod" -gt "$grace" ] || fault "$name: is killed after $pod s, and drains for $grace s"
done <"$scratch/services"

# bubblewrap's profile.
jq -r '[.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | .names[]] as $allowed
  | (.defaultAction | select(. != "SCMP_ACT_ERRNO") | "allows what it does not name"),
    (("clone", "clone3", "unshare", "mount", "umount2", "pivot_root", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "execve", "pidfd_open", "openat2") | select(. as $c | $allowed | index($c) | not) | "refuses \(.)"),
    (("bpf", "ptrace", "keyctl", "perf_event_open", "userfaultfd", "io_uring_setup", "setns", "kexec_load", "init_module", "open_by_handle_at", "process_vm_writev") | select(. as $c | $allowed | index($c)) | "allows \(.)")' \
  "$kube/components/sandbox/botburrow-runner.json" >"$scratch/out"
faults_of "seccomp profile" "$scratch/out"

finish
