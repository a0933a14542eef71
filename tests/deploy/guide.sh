#!/bin/sh
# What the documents give to kubectl names only what exists: files, objects, containers, selectors, ports, variables,
# mounts, names of Services; and only commands that the program has.
set -eu
. "$(dirname "$0")/lib.sh"
need kubectl jq

set -- kubectl
main=$1
kube=$root/deploy/kubernetes
for folder in overlays/apexalgo-iad hub; do
  "$main" kustomize "$kube/$folder" >"$scratch/rendered.yaml"
  json_of "$main" "$scratch/rendered.yaml"
done >"$scratch/objects"
json_of "$main" "$kube/overlays/apexalgo-iad/skill-sync.yaml" "$kube/restore/valkey-restore.yaml" "$kube/restore/hub-files.yaml" \
  "$kube/overlays/apexalgo-iad/secrets.yaml.example" "$kube/hub/secrets.yaml.example" >>"$scratch/objects"
# kind/name namespace, in the words of kubectl; a StatefulSet's pods and claims by their numbers.
jq -r '(.kind | ascii_downcase) as $k | .metadata as $m | "\($k)/\($m.name) \($m.namespace)",
  (select($k == "service") | "svc/\($m.name) \($m.namespace)"), (select($k == "deployment") | "deploy/\($m.name) \($m.namespace)"),
  (select($k == "statefulset") | "pod/\($m.name)-0 \($m.namespace)", (.spec.volumeClaimTemplates[] | "pvc/\(.metadata.name)-\($m.name)-0 \($m.namespace)"))' "$scratch/objects" >"$scratch/known"
# container namespace; label namespace.
jq -r 'select(.kind == "Deployment" or .kind == "StatefulSet" or .kind == "Pod") | .metadata.namespace as $n | (.spec.template.spec // .spec) | ((.initContainers // []) + .containers)[] | "\(.name) \($n)"' "$scratch/objects" >"$scratch/containers"
jq -r '.metadata.namespace as $n | .spec.template.metadata.labels // empty | to_entries[] | "\(.key)=\(.value) \($n)"' "$scratch/objects" >"$scratch/labels"

# port namespace service; variable namespace workload; path namespace workload, where a volume is mounted.
jq -r 'select(.kind == "Service") | .metadata as $m | .spec.ports[] | "\(.port) \($m.namespace) \($m.name)"' "$scratch/objects" >"$scratch/ports"
jq -rs '. as $all | .[] | select(.kind == "Deployment" or .kind == "StatefulSet") | .metadata as $m | .spec.template.spec.containers[] |
  ((.env // [])[].name, ((.envFrom // [])[] | (.configMapRef.name // .secretRef.name) as $from | $all[] |
    select((.kind == "ConfigMap" or .kind == "Secret") and .metadata.name == $from) | (.data // .stringData) | keys[])) |
  "\(.) \($m.namespace) \($m.name)"' "$scratch/objects" >"$scratch/variables"
jq -r 'select(.kind == "Deployment" or .kind == "StatefulSet" or .kind == "Pod") | .metadata as $m | (.spec.template.spec // .spec).containers[].volumeMounts[]? |
  "\(.mountPath) \($m.namespace) \($m.name)"' "$scratch/objects" >"$scratch/mounts"

# Commands: lines of fenced blocks, and code within a line.
cat "$root"/README.md "$root"/docs/*.md "$root"/docs/operations/*.md "$root"/docs/operations/runbooks/*.md "$kube"/*/*.yaml "$kube"/*/*/*.yaml "$kube"/overlays/apexalgo-iad/*.example |
  awk '/^```/ { fence = !fence; next }
       fence || /^# +[a-z]/ { sub(/^# +/, ""); print; next }
       { n = split($0, part, "`"); for (i = 2; i <= n; i += 2) print part[i] }' |
  sed 's,  *# .*,,' | grep -E '(^| )(kubectl|botburrow|docker|systemctl|journalctl|k8s/|deploy/kubernetes/)' | sort -u >"$scratch/commands"
[ "$(grep -c kubectl "$scratch/commands")" -gt 60 ] || fault "few commands were found: is the form of the documents another?"

exists() { grep -qxF "$1 $2" "$scratch/known"; }

while IFS= read -r command; do
  # Files.
  for file in $(printf '%s\n' "$command" | grep -oE '(k8s|deploy)/[A-Za-z0-9_./-]+' | sed 's/[.,]$//'); do
    case $file in
      deploy/coordinator | deploy/runner-*) continue ;; # kubectl's short word for a Deployment
      */secrets.yaml | */sealedsecret.yaml) file=$file.example ;;
      */overlays/mine*) continue ;;
    esac
    [ -e "$root/$file" ] || fault "no such file: $file (in: $command)"
  done
  # Units, and services of the compose file, by their names.
  case $command in
    *systemctl* | *journalctl*)
      for unit in $(printf '%s\n' "$command" | grep -oE '\bbotburrow[a-z.-]*(@[A-Za-z]+)?' | sed 's/@.*/@/; s/\.target$//; s/[.]$//'); do
        [ -e "$root/deploy/systemd/$unit.service" ] || [ -e "$root/deploy/systemd/$unit.target" ] || fault "no unit $unit (in: $command)"
      done
      ;;
    'docker compose '*)
      for service in $(printf '%s\n' "$command" | sed -E 's/^docker compose (build|up|logs|stop|ps|restart)//; s/ --scale ([a-z-]+)=[0-9]+/ \1/; s/ -[^ ]+//g'); do
        grep -q "^  $service:\$" "$root/deploy/docker/compose.yaml" || fault "no service $service (in: $command)"
      done
      ;;
    'docker build '*)
      target=$(printf '%s\n' "$command" | sed -n 's/.*--target \([a-z-]*\).*/\1/p')
      grep -qiE "^FROM .* AS $target\$" "$root/deploy/docker/Containerfile" || fault "no target $target (in: $command)"
      ;;
  esac
  case $command in *kubectl*) ;; *) continue ;; esac
  namespace=$(printf '%s\n' "$command" | sed -n 's/.* -n \([a-z-]*\).*/\1/p')
  [ -n "$namespace" ] || namespace=$(printf '%s\n' "$command" | sed -n 's/.* \(botburrow[a-z-]*\)\/[a-z0-9-]*:.*/\1/p')
  # Objects.
  for object in $(printf '%s\n' "$command" | grep -oE '\b(deployment|deploy|statefulset|svc|service|pod|configmap|secret|pvc)[/ ][a-z][a-z0-9-]+(-[0-9])?\b' | tr ' ' /); do
    case $object in deploy/kubernetes | deploy/docker | deploy/gitops | pod/botburrow-preflight | */restart | pod/for) continue ;; esac
    exists "$object" "$namespace" || fault "no $object in namespace '$namespace' (in: $command)"
  done
  pod=$(printf '%s\n' "$command" | sed -n 's/^kubectl exec \(-i \)*-n [a-z-]* \([a-z0-9-]*\) --.*/\2/p')
  [ -z "$pod" ] || exists "pod/$pod" "$namespace" || fault "no pod $pod in '$namespace' (in: $command)"
  pod=$(printf '%s\n' "$command" | sed -n 's/^kubectl cp .* *botburrow[a-z-]*\/\([a-z0-9-]*\):.*/\1/p')
  [ -z "$pod" ] || exists "pod/$pod" "$namespace" || fault "no pod $pod in '$namespace' (in: $command)"
  # What is looked at from inside: its variables, its mounts, names of Services.
  workload=$(printf '%s\n' "$command" | sed -n 's/^kubectl exec \(-i \)*-n [a-z-]* \(deploy\/\)*\([a-z-]*\)\(-0\)* --.*/\3/p')
  for variable in $(printf '%s\n' "$command" | sed -n 's/.* -- printenv \([A-Z_]*\).*/\1/p'; printf '%s\n' "$command" | grep -E '^kubectl exec' | grep -oE '\$[A-Z_]+' | tr -d '$'); do
    grep -qxF "$variable $namespace $workload" "$scratch/variables" || fault "no variable $variable in $workload (in: $command)"
  done
  for path in $(printf '%s\n' "$command" | sed -n 's/.* -- df -h \([^ ]*\).*/\1/p'; printf '%s\n' "$command" | sed -n 's/^kubectl cp .*botburrow[a-z-]*\/[a-z0-9-]*:\([^ ]*\)\/[^ ]*.*/\1/p'); do
    case $workload in '') workload=$(printf '%s\n' "$command" | sed -n 's/.*botburrow[a-z-]*\/\([a-z-]*\)\(-0\)*:.*/\1/p') ;; esac
    grep -qxF "$path $namespace $workload" "$scratch/mounts" || fault "nothing is mounted at $path in $workload (in: $command)"
  done
  for name in $(printf '%s\n' "$command" | grep -oE '[a-z-]+\.[a-z-]+\.svc\.cluster\.local'); do
    exists "service/${name%%.*}" "$(printf '%s' "$name" | cut -d . -f 2)" || fault "no Service for $name (in: $command)"
  done
  # Ports of `port-forward svc/NAME LOCAL:REMOTE`.
  forwarded=$(printf '%s\n' "$command" | sed -n 's/.*port-forward .*svc\/\([a-z-]*\) [0-9]*:\([0-9]*\).*/\2 '"$namespace"' \1/p')
  [ -z "$forwarded" ] || grep -qxF "$forwarded" "$scratch/ports" || fault "no such port (in: $command)"
  # Containers, by -c and by set image.
  for container in $(printf '%s\n' "$command" | sed -n 's/.* -c \([a-z-]*\).*/\1/p; s/.*set image .* \([a-z-]*\)=.*/\1/p'); do
    grep -qxF "$container $namespace" "$scratch/containers" || fault "no container $container in '$namespace' (in: $command)"
  done
  # Selectors.
  case $command in *'get namespaces -l'*) continue ;; esac
  for label in $(printf '%s\n' "$command" | sed -n 's/.* -l \([^ ]*\).*/\1/p' | tr , ' '); do
    grep -qxF "$label $namespace" "$scratch/labels" || fault "no pods with $label in '$namespace' (in: $command)"
  done
  # Whoever reads the default namespace finds nothing.
  case $command in
    *kubectl\ apply* | *kubectl\ label\ namespace* | *kubectl\ get\ namespace* | *kubectl\ delete\ namespace* | *kubectl\ delete\ -f* | \
      *kubectl\ cp* | *kubectl\ wait* | *'kubectl config'* | kubectl | 'kubectl exec' | 'kubectl port-forward' | *'kubectl exec` and'* | *'kubectl logs --previous'* | *'kubectl rollout restart' | *'kubectl rollout restart deployment/NAME' | *kubeseal*) ;;
    *kubectl\ *) [ -n "$namespace" ] || fault "no namespace (in: $command)" ;;
  esac
done <"$scratch/commands"

# Commands of the program, also those inside pods.
sed -nE 's/^(.* -- |sudo )?botburrow ([a-z][a-z-]*).*/\2/p' "$scratch/commands" | sort -u | while read -r word; do
  "$program" "$word" --help >/dev/null 2>&1 </dev/null || echo "no command: botburrow $word"
done >"$scratch/out"
while IFS= read -r line; do fault "$line"; done <"$scratch/out"
finish
