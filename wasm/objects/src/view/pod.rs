//! Pods and everything in their spec that networking and scheduling read.

use super::scalars::{optional_ip, optional_port, port};
use super::{Condition, IntOrString, LabelSelector, Labels, ObjectMeta, Protocol};
use crate::view::value::fields;
use std::net::IpAddr;

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What runs.
    pub spec: PodSpec,
    /// What became of it.
    pub status: PodStatus,
}

fields! { Pod {
    metadata "metadata",
    spec "spec",
    status "status",
} }

/// A pod's spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodSpec {
    /// Containers.
    pub containers: Vec<Container>,
    /// Containers that run before the others; with `restartPolicy: Always` beside them.
    pub init_containers: Vec<Container>,
    /// The node, once decided.
    pub node_name: String,
    /// Labels that the node must have.
    pub node_selector: Labels,
    /// Taints that it bears.
    pub tolerations: Vec<Toleration>,
    /// Wishes about nodes and neighbours.
    pub affinity: Affinity,
    /// How evenly its kind must spread.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Whether it lives in the node's network namespace.
    pub host_network: bool,
    /// Its host name; else the pod's name.
    pub hostname: String,
    /// Names `hostname.subdomain.namespace.svc.ZONE` where a headless Service has this name.
    pub subdomain: String,
    /// `ClusterFirst` (default), `ClusterFirstWithHostNet`, `Default` or `None`.
    pub dns_policy: String,
    /// What is merged into resolv.conf.
    pub dns_config: DnsConfig,
    /// Lines of /etc/hosts.
    pub host_aliases: Vec<HostAlias>,
    /// Conditions that must be true for it to be ready.
    pub readiness_gates: Vec<ReadinessGate>,
    /// `Always` (default), `OnFailure` or `Never`.
    pub restart_policy: String,
    /// Its identity.
    pub service_account_name: String,
    /// Whether its host name is its whole domain name.
    pub set_hostname_as_fqdn: bool,
    /// Volumes that hold configuration.
    pub volumes: Vec<Volume>,
    /// Seconds between its deletion and its end.
    pub termination_grace_period_seconds: Option<i64>,
}

fields! { PodSpec {
    containers "containers",
    init_containers "initContainers",
    node_name "nodeName",
    node_selector "nodeSelector",
    tolerations "tolerations",
    affinity "affinity",
    topology_spread_constraints "topologySpreadConstraints",
    host_network "hostNetwork",
    hostname "hostname",
    subdomain "subdomain",
    dns_policy "dnsPolicy",
    dns_config "dnsConfig",
    host_aliases "hostAliases",
    readiness_gates "readinessGates",
    restart_policy "restartPolicy",
    service_account_name "serviceAccountName",
    set_hostname_as_fqdn "setHostnameAsFQDN",
    volumes "volumes",
    termination_grace_period_seconds "terminationGracePeriodSeconds",
} }

/// A container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Name; unique in the pod.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Overrides the image's entry point.
    pub command: Vec<String>,
    /// Overrides the image's arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: Vec<EnvVar>,
    /// Ports that it declares.
    pub ports: Vec<ContainerPort>,
    /// Whether it takes requests.
    pub readiness_probe: Option<Probe>,
    /// Whether it must be restarted.
    pub liveness_probe: Option<Probe>,
    /// Whether it has started.
    pub startup_probe: Option<Probe>,
    /// Where volumes are mounted.
    pub volume_mounts: Vec<VolumeMount>,
    /// `Always` on an init container makes it a sidecar.
    pub restart_policy: String,
}

fields! { Container {
    name "name",
    image "image",
    command "command",
    args "args",
    env "env",
    ports "ports",
    readiness_probe "readinessProbe",
    liveness_probe "livenessProbe",
    startup_probe "startupProbe",
    volume_mounts "volumeMounts",
    restart_policy "restartPolicy",
} }

/// A port that a container declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerPort {
    /// Name; unique in the pod.
    pub name: String,
    /// Number, 1 to 65535.
    pub container_port: u16,
    /// Port of the node that leads here.
    pub host_port: Option<u16>,
    /// Address of the node for `hostPort`.
    pub host_ip: Option<IpAddr>,
    /// Protocol.
    pub protocol: Protocol,
}

fields! { ContainerPort {
    name "name",
    container_port "containerPort" by port,
    host_port "hostPort" by optional_port,
    host_ip "hostIP" by optional_ip,
    protocol "protocol",
} }

/// A variable of the environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value; empty where `valueFrom` gives it.
    pub value: String,
    /// Where the value comes from, as written.
    pub value_from: Option<serde_json::Value>,
}

fields! { EnvVar {
    name "name",
    value "value",
    value_from "valueFrom",
} }

/// A volume, as far as it carries configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Volume {
    /// Name.
    pub name: String,
    /// The ConfigMap that it shows.
    pub config_map: Option<ConfigMapRef>,
    /// The Secret that it shows.
    pub secret: Option<SecretRef>,
}

fields! { Volume {
    name "name",
    config_map "configMap",
    secret "secret",
} }

/// A ConfigMap as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMapRef {
    /// Its name.
    pub name: String,
    /// The keys that are shown; none: all, each by its own name.
    pub items: Vec<KeyToPath>,
    /// Whether the pod starts without it.
    pub optional: bool,
}

fields! { ConfigMapRef {
    name "name",
    items "items",
    optional "optional",
} }

/// A key of a ConfigMap as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyToPath {
    /// The key.
    pub key: String,
    /// The file, below the mount's folder.
    pub path: String,
}

fields! { KeyToPath {
    key "key",
    path "path",
} }

/// A Secret as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretRef {
    /// Its name.
    pub secret_name: String,
}

fields! { SecretRef {
    secret_name "secretName",
} }

/// Where a volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeMount {
    /// The volume.
    pub name: String,
    /// The folder.
    pub mount_path: String,
    /// A part of the volume.
    pub sub_path: String,
}

fields! { VolumeMount {
    name "name",
    mount_path "mountPath",
    sub_path "subPath",
} }

/// A probe of a container, as the kubelet runs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    /// An HTTP request.
    pub http_get: Option<HttpGetAction>,
    /// A TCP connection.
    pub tcp_socket: Option<TcpSocketAction>,
    /// A gRPC health check.
    pub grpc: Option<GrpcAction>,
    /// A command.
    pub exec: Option<ExecAction>,
    /// Seconds before the first.
    pub initial_delay_seconds: Option<i32>,
    /// Seconds between two; default 10.
    pub period_seconds: Option<i32>,
    /// Seconds to wait for an answer; default 1.
    pub timeout_seconds: Option<i32>,
    /// Successes needed; default 1.
    pub success_threshold: Option<i32>,
    /// Failures needed; default 3.
    pub failure_threshold: Option<i32>,
}

fields! { Probe {
    http_get "httpGet",
    tcp_socket "tcpSocket",
    grpc "grpc",
    exec "exec",
    initial_delay_seconds "initialDelaySeconds",
    period_seconds "periodSeconds",
    timeout_seconds "timeoutSeconds",
    success_threshold "successThreshold",
    failure_threshold "failureThreshold",
} }

/// An HTTP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpGetAction {
    /// Path.
    pub path: String,
    /// Port, by number or name; required.
    pub port: Option<IntOrString>,
    /// Host; else the pod's address.
    pub host: String,
    /// `HTTP` (default) or `HTTPS`.
    pub scheme: String,
    /// Further headers.
    pub http_headers: Vec<HttpHeader>,
}

fields! { HttpGetAction {
    path "path",
    port "port",
    host "host",
    scheme "scheme",
    http_headers "httpHeaders",
} }

/// A header of an HTTP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHeader {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

fields! { HttpHeader {
    name "name",
    value "value",
} }

/// A TCP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpSocketAction {
    /// Port, by number or name; required.
    pub port: Option<IntOrString>,
    /// Host; else the pod's address.
    pub host: String,
}

fields! { TcpSocketAction {
    port "port",
    host "host",
} }

/// A gRPC probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcAction {
    /// Port number.
    pub port: u16,
    /// Service to ask about.
    pub service: String,
}

fields! { GrpcAction {
    port "port" by port,
    service "service",
} }

/// A command as a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecAction {
    /// The command.
    pub command: Vec<String>,
}

fields! { ExecAction {
    command "command",
} }

/// A toleration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Key; empty with `Exists` bears every taint.
    pub key: String,
    /// `Equal` (default) or `Exists`.
    pub operator: String,
    /// Value for `Equal`.
    pub value: String,
    /// Effect; empty means every effect.
    pub effect: String,
}

fields! { Toleration {
    key "key",
    operator "operator",
    value "value",
    effect "effect",
} }

/// Wishes about nodes and neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity {
    /// About nodes.
    pub node_affinity: Option<NodeAffinity>,
    /// Near which pods.
    pub pod_affinity: Option<PodAffinity>,
    /// Away from which pods.
    pub pod_anti_affinity: Option<PodAffinity>,
}

fields! { Affinity {
    node_affinity "nodeAffinity",
    pod_affinity "podAffinity",
    pod_anti_affinity "podAntiAffinity",
} }

/// Node affinity: the required terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeAffinity {
    /// Must hold when the pod is placed.
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

fields! { NodeAffinity {
    required_during_scheduling_ignored_during_execution "requiredDuringSchedulingIgnoredDuringExecution",
} }

/// Terms, of which one must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSelector {
    /// The terms.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

fields! { NodeSelector {
    node_selector_terms "nodeSelectorTerms",
} }

/// Requirements, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSelectorTerm {
    /// About labels.
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// About fields; `metadata.name` alone exists.
    pub match_fields: Vec<NodeSelectorRequirement>,
}

fields! { NodeSelectorTerm {
    match_expressions "matchExpressions",
    match_fields "matchFields",
} }

/// One requirement of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSelectorRequirement {
    /// Label or field.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: String,
    /// Values.
    pub values: Vec<String>,
}

fields! { NodeSelectorRequirement {
    key "key",
    operator "operator",
    values "values",
} }

/// Pod affinity or anti-affinity: the required terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodAffinity {
    /// Must hold when the pod is placed.
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
}

fields! { PodAffinity {
    required_during_scheduling_ignored_during_execution "requiredDuringSchedulingIgnoredDuringExecution",
} }

/// Near, or away from, pods with these labels, per topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodAffinityTerm {
    /// Pods that count; absent: none.
    pub label_selector: Option<LabelSelector>,
    /// Namespaces that count; empty: the pod's own.
    pub namespaces: Vec<String>,
    /// Label of nodes that says what near is.
    pub topology_key: String,
}

fields! { PodAffinityTerm {
    label_selector "labelSelector",
    namespaces "namespaces",
    topology_key "topologyKey",
} }

/// How evenly pods must spread over a topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologySpreadConstraint {
    /// How far counts may differ; at least 1.
    pub max_skew: i32,
    /// Label of nodes that says what a domain is.
    pub topology_key: String,
    /// `DoNotSchedule` or `ScheduleAnyway`.
    pub when_unsatisfiable: String,
    /// Pods that count.
    pub label_selector: Option<LabelSelector>,
}

fields! { TopologySpreadConstraint {
    max_skew "maxSkew",
    topology_key "topologyKey",
    when_unsatisfiable "whenUnsatisfiable",
    label_selector "labelSelector",
} }

/// What is merged into a pod's resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub searches: Vec<String>,
    /// Options such as `ndots`.
    pub options: Vec<DnsOption>,
}

fields! { DnsConfig {
    nameservers "nameservers",
    searches "searches",
    options "options",
} }

/// An option of resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsOption {
    /// Name.
    pub name: String,
    /// Value; empty for a flag.
    pub value: String,
}

fields! { DnsOption {
    name "name",
    value "value",
} }

/// A line of /etc/hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAlias {
    /// Address.
    pub ip: String,
    /// Names.
    pub hostnames: Vec<String>,
}

fields! { HostAlias {
    ip "ip",
    hostnames "hostnames",
} }

/// A condition that must be true for a pod to be ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadinessGate {
    /// The condition's type.
    pub condition_type: String,
}

fields! { ReadinessGate {
    condition_type "conditionType",
} }

/// What became of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`; empty: not known yet.
    pub phase: String,
    /// Its address.
    pub pod_ip: Option<IpAddr>,
    /// Its addresses, one an IP family.
    pub pod_ips: Vec<PodIp>,
    /// Its node's address.
    pub host_ip: Option<IpAddr>,
    /// `Ready`, `PodScheduled`, …
    pub conditions: Vec<Condition>,
    /// One word of why.
    pub reason: String,
}

fields! { PodStatus {
    phase "phase",
    pod_ip "podIP" by optional_ip,
    pod_ips "podIPs",
    host_ip "hostIP" by optional_ip,
    conditions "conditions",
    reason "reason",
} }

/// One address of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodIp {
    /// The address.
    pub ip: Option<IpAddr>,
}

fields! { PodIp {
    ip "ip" by optional_ip,
} }

impl Pod {
    /// The status of a condition: `True`, `False`, `Unknown`; `None` where it is not set.
    pub fn condition(&self, type_: &str) -> Option<&str> {
        self.status
            .conditions
            .iter()
            .find(|condition| condition.type_ == type_)
            .map(|condition| condition.status.as_str())
    }

    /// Whether it can take requests.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready") == Some("True")
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// All its addresses, the primary one first.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self.status.pod_ip.into_iter().collect();
        for ip in self.status.pod_ips.iter().filter_map(|ip| ip.ip) {
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        addresses
    }

    /// The declared port with this name and protocol; sidecars (restartable init containers) count.
    pub fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.spec
            .running_containers()
            .flat_map(|container| &container.ports)
            .find_map(|port| (port.name == name && port.protocol == protocol).then_some(port.container_port))
    }
}

impl PodSpec {
    /// Containers that run once the pod is up: the ordinary ones, and sidecars.
    pub fn running_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().chain(
            self.init_containers
                .iter()
                .filter(|container| container.restart_policy == "Always"),
        )
    }
}
