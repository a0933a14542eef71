# Faults of a set of Kubernetes objects (slurped), one line each. --arg version, --argjson secrets: the objects
# of the Secret templates; --argjson others: objects of other namespaces that are referred to.

def own: "^ghcr.io/botburrow/";
def name_of: "\(.kind) \(.metadata.name)";
def pod: if .kind == "Pod" then .spec else .spec.template.spec end;
def pod_labels: if .kind == "Pod" then .metadata.labels else .spec.template.metadata.labels end;
def is_workload: .kind == "Deployment" or .kind == "StatefulSet" or .kind == "Pod";
def containers: (.initContainers // []) + .containers;
def label_names: ["app", "app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"];
def missing($labels): label_names - (($labels // {}) | keys);
# Whether labels satisfy a selector (matchLabels, matchExpressions with In).
def selects($selector): . as $labels |
  all(($selector.matchLabels // {}) | to_entries[]; $labels[.key] == .value) and
  all(($selector.matchExpressions // [])[]; . as $e | $e.values | index($labels[$e.key]) != null);

. as $all
| [.[] | select(is_workload)] as $workloads
| ($all + $secrets) as $known
| def exists($kind; $name): any($known[]; .kind == $kind and .metadata.name == $name);
  def selected($selector): [$workloads[] | select(pod_labels | selects($selector))];

# Names are unique, and everything is in its namespace.
(group_by([.kind, .metadata.namespace, .metadata.name])[] | select(length > 1) | "\(.[0] | name_of): there are \(length)"),
(.[] | select(.kind != "Namespace" and .kind != "RuntimeClass") | select(.metadata.namespace == null) | "\(name_of): no namespace"),
(.[] | select(.kind == "SealedSecret" or .kind == "Secret" | not) | missing(.metadata.labels) as $m | select($m != []) | "\(name_of): lacks the labels \($m)"),

# Pods.
($workloads[] | name_of as $name | pod as $pod
| (missing(pod_labels) | select(. != []) | "\($name): its pods lack the labels \(.)"),
  (select(.spec.selector != null) | . as $w | select(pod_labels | selects($w.spec.selector) | not) | "\($name): does not select its own pods"),
  (select([$workloads[] | select(.spec.selector != null)] | map(select(. as $w | $workloads | map(select(pod_labels | selects($w.spec.selector))) | length != 1)) | length > 0)
   | "\($name): some selector takes pods of more than one workload"),
  ($pod | select(.automountServiceAccountToken != false) | "\($name): mounts a token of the API"),
  ($pod | select(.enableServiceLinks != false) | "\($name): lets Kubernetes set *_PORT variables"),
  ($pod | select(.securityContext.runAsNonRoot != true or (.securityContext.runAsUser // 0) == 0) | "\($name): may run as root"),
  ($pod | select(.securityContext.seccompProfile.type != "RuntimeDefault") | "\($name): no seccomp profile"),
  ($pod | select(.securityContext.fsGroup == null and ($pod.volumes // []) != [] and ([$pod.containers[].volumeMounts[]?.name] | index("tmp") | not)) | "\($name): volumes may not be writable (fsGroup)"),
  ($pod.serviceAccountName // empty | select(exists("ServiceAccount"; .) | not) | "\($name): ServiceAccount \(.) does not exist"),
  (($pod.volumes // [])[] | .configMap.name // empty | select(exists("ConfigMap"; .) | not) | "\($name): ConfigMap \(.) does not exist"),
  (($pod.volumes // [])[] | select(.emptyDir != null and .emptyDir.sizeLimit == null) | "\($name): volume \(.name) has no limit"),
  ((((($pod.volumes // []) | map(.name)) + ((.spec.volumeClaimTemplates // []) | map(.metadata.name)))) as $volumes
   | ([$pod | containers[].volumeMounts[]?.name] | unique) as $mounts
   | (($mounts - $volumes)[] | "\($name): mounts volume \(.), which it does not have"),
     (($volumes - $mounts)[] | "\($name): volume \(.) is mounted nowhere")),
  ($pod | containers[] | . as $c | "\($name), container \($c.name)" as $where
  | (select(.securityContext.allowPrivilegeEscalation != false) | "\($where): may gain privileges"),
    (select(.securityContext.readOnlyRootFilesystem != true) | "\($where): its file system is writable"),
    (select(.securityContext.capabilities.drop != ["ALL"]) | "\($where): keeps capabilities"),
    (select(.resources.requests.cpu == null or .resources.requests.memory == null or .resources.limits.memory == null) | "\($where): lacks requests or limits"),
    (select(.image | test(":[^/:]+$") | not) | "\($where): image \(.image) has no tag"),
    (select(.image | endswith(":latest")) | "\($where): image \(.image) moves"),
    (select(.image | test(own)) | select(.image | endswith(":v" + $version) | not) | "\($where): image \(.image) is not of version \($version)"),
    ((.livenessProbe, .readinessProbe) | .httpGet.port // empty | select(. as $p | $c.ports | map(.name) | index($p) | not) | "\($where): probes port \(.), which it does not have"),
    ((.envFrom // [])[] | (.configMapRef.name // empty) | select(exists("ConfigMap"; .) | not) | "\($where): ConfigMap \(.) does not exist"),
    ((.envFrom // [])[] | (.secretRef.name // empty) | select(exists("Secret"; .) | not) | "\($where): Secret \(.) is in no template"),
    ((.env // [])[] | .valueFrom.secretKeyRef // empty | . as $r | select(any($known[]; .kind == "Secret" and .metadata.name == $r.name and (.stringData | has($r.key))) | not) | "\($where): key \(.key) of Secret \(.name) is in no template"),
    ([(.env // [])[].name] | group_by(.)[] | select(length > 1) | "\($where): sets \(.[0]) twice"),
    # A name from two sources: which of them wins is nothing a reader should have to know.
    ([(.envFrom // [])[] | (.configMapRef.name // .secretRef.name)] as $sources
     | [$known[] | select((.kind == "ConfigMap" or .kind == "Secret") and (.metadata.name as $n | $sources | index($n))) | ((.data // {}) + (.stringData // {}) | keys[])] + [(.env // [])[].name]
     | group_by(.)[] | select(length > 1) | "\($where): gets \(.[0]) from \(length) sources"))),

# Coordinators and runners.
($workloads[] | select(.kind == "Deployment") | select(.metadata.labels.app == "runner") | name_of as $name | .metadata.name as $n | .spec.template.spec.containers[0]
| (select(.name != "runner") | "\($name): its container is not named runner"),
  (select([.env[] | select(.name == "RUNNER_MODE") | "runner-" + .value] != [$n]) | "\($name): RUNNER_MODE is not what its name says"),
  (select(any(.env[]; .name == "BOTBURROW_RUNNER_MODE") or any(.args[]; startswith("--mode"))) | "\($name): sets the mode twice")),
($workloads[] | select(.metadata.name == "coordinator") | select(.spec.template.spec.containers[0].name != "coordinator") | "\(name_of): its container is not named coordinator"),

# Who points at whom.
(.[] | select(.kind == "Service") | name_of as $name | selected({matchLabels: .spec.selector}) as $targets
| (select($targets | length != 1) | "\($name): selects \($targets | length) workloads"),
  (.spec.ports[] | . as $p | select($targets | all(.[]; pod | [.containers[].ports[]?.name] | index($p.targetPort) != null) | not) | "\($name): port \($p.targetPort) is not in its pods")),
(.[] | select(.kind == "StatefulSet") | . as $s | select(exists("Service"; $s.spec.serviceName) | not) | "\(name_of): Service \(.spec.serviceName) does not exist"),
(.[] | select(.kind == "PodDisruptionBudget") | select(selected(.spec.selector) | length != 1) | "\(name_of): does not select one workload"),
(.[] | select(.kind == "PodDisruptionBudget" and .spec.minAvailable != null) | . as $b | select(selected($b.spec.selector)[0].spec.replicas <= $b.spec.minAvailable) | "\(name_of): no pod may ever be taken"),
(.[] | select(.kind == "HorizontalPodAutoscaler") | . as $h | [$workloads[] | select(.kind == $h.spec.scaleTargetRef.kind and .metadata.name == $h.spec.scaleTargetRef.name)]
| if length != 1 then "\($h | name_of): scales nothing" else .[0] | select(.spec.replicas != $h.spec.minReplicas) | "\($h | name_of): least is \($h.spec.minReplicas), its Deployment says \(.spec.replicas)" end),
(.[] | select(.kind == "ScaledObject") | . as $s | select(any($workloads[]; .kind == "Deployment" and .metadata.name == $s.spec.scaleTargetRef.name) | not) | "\(name_of): scales nothing"),
(.[] | select(.kind == "ScaledObject") | name_of as $name | .spec.triggers[] | select(.type == "redis") | .metadata | select((.listName | test("^work:queue:(high|normal|low)$") | not) or .address != "valkey.botburrow-agents.svc.cluster.local:6379") | "\($name): watches \(.listName) at \(.address)"),
(.[] | select(.kind == "ServiceMonitor") | . as $m | [($all + $others)[] | select(.kind == "Service") | select(.metadata.labels | selects($m.spec.selector)) | select(.metadata.namespace == ($m.spec.namespaceSelector.matchNames[0] // $m.metadata.namespace))]
| if length == 0 then "\($m | name_of): selects no Service" else .[] | . as $s | $m.spec.endpoints[] | .port as $p | select($s.spec.ports | map(.name) | index($p) | not) | "\($m | name_of): port \($p) is not in Service \($s.metadata.name)" end),
(.[] | select(.kind == "PodMonitor") | select(selected(.spec.selector) | length == 0) | "\(name_of): selects no pods"),
(.[] | select(.kind == "ServiceMonitor" or .kind == "PodMonitor") | select([(.spec.endpoints // .spec.podMetricsEndpoints)[] | .honorLabels] | all | not) | "\(name_of): the operator's labels would replace ours (honorLabels)"),

# Addresses in the ConfigMap lead to Services and their ports.
(.[] | select(.kind == "ConfigMap") | name_of as $name | (.data // {}) | to_entries[] | select(.key == "HUB_URL" or .key == "REDIS_URL") | .key as $key
| .value | [scan("([a-z0-9.-]+)\\.([a-z0-9-]+)\\.svc\\.cluster\\.local:([0-9]+)")][]
| . as [$host, $ns, $port] | ($host | split(".") | last) as $service
| select(any(($all + $others)[]; .kind == "Service" and .metadata.name == $service and .metadata.namespace == $ns and (.spec.ports | map(.port | tostring) | index($port) != null)) | not)
| "\($name): \($key) leads to \($service).\($ns):\($port), which no Service is"),

# Everything that a policy lets in or out has a pod behind it.
(.[] | select(.kind == "NetworkPolicy") | name_of as $name | (.spec.podSelector | select(. != {}) | . as $s | select(selected($s) | length == 0) | "\($name): is for no pods")),
(if any(.[]; .kind == "Deployment") and (any(.[]; .kind == "NetworkPolicy" and .spec.podSelector == {} and (.spec.policyTypes | sort) == ["Egress", "Ingress"]) | not) then "no policy denies by default" else empty end)
