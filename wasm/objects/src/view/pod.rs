//! Pods and everything in their spec that networking and scheduling read.

use super::scalars::{optional_ip, optional_port, port};
use super::{Condition, IntOrString, LabelSelector, Labels, ObjectMeta, Protocol};
use serde::Deserialize;
use std::net::IpAddr;

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What runs.
    pub spec: PodSpec,
    /// What became of it.
    pub status: PodStatus,
}

/// A pod's spec.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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
    #[serde(rename = "setHostnameAsFQDN")]
    pub set_hostname_as_fqdn: bool,
    /// Volumes that hold configuration.
    pub volumes: Vec<Volume>,
    /// Seconds between its deletion and its end.
    pub termination_grace_period_seconds: Option<i64>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// A port that a container declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// Name; unique in the pod.
    pub name: String,
    /// Number, 1 to 65535.
    #[serde(deserialize_with = "port")]
    pub container_port: u16,
    /// Port of the node that leads here.
    #[serde(deserialize_with = "optional_port")]
    pub host_port: Option<u16>,
    /// Address of the node for `hostPort`.
    #[serde(rename = "hostIP", deserialize_with = "optional_ip")]
    pub host_ip: Option<IpAddr>,
    /// Protocol.
    pub protocol: Protocol,
}

/// A variable of the environment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value; empty where `valueFrom` gives it.
    pub value: String,
    /// Where the value comes from, as written.
    pub value_from: Option<serde_json::Value>,
}

/// A volume, as far as it carries configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// Name.
    pub name: String,
    /// The ConfigMap that it shows.
    pub config_map: Option<ConfigMapRef>,
    /// The Secret that it shows.
    pub secret: Option<SecretRef>,
}

/// A ConfigMap as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMapRef {
    /// Its name.
    pub name: String,
}

/// A Secret as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretRef {
    /// Its name.
    pub secret_name: String,
}

/// Where a volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    /// The volume.
    pub name: String,
    /// The folder.
    pub mount_path: String,
    /// A part of the volume.
    pub sub_path: String,
}

/// A probe of a container, as the kubelet runs it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// An HTTP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// A header of an HTTP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpHeader {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A TCP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TcpSocketAction {
    /// Port, by number or name; required.
    pub port: Option<IntOrString>,
    /// Host; else the pod's address.
    pub host: String,
}

/// A gRPC probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrpcAction {
    /// Port number.
    #[serde(deserialize_with = "port")]
    pub port: u16,
    /// Service to ask about.
    pub service: String,
}

/// A command as a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExecAction {
    /// The command.
    pub command: Vec<String>,
}

/// A toleration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// Wishes about nodes and neighbours.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Affinity {
    /// About nodes.
    pub node_affinity: Option<NodeAffinity>,
    /// Near which pods.
    pub pod_affinity: Option<PodAffinity>,
    /// Away from which pods.
    pub pod_anti_affinity: Option<PodAffinity>,
}

/// Node affinity: the required terms.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeAffinity {
    /// Must hold when the pod is placed.
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

/// Terms, of which one must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelector {
    /// The terms.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Requirements, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorTerm {
    /// About labels.
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// About fields; `metadata.name` alone exists.
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// One requirement of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeSelectorRequirement {
    /// Label or field.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: String,
    /// Values.
    pub values: Vec<String>,
}

/// Pod affinity or anti-affinity: the required terms.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodAffinity {
    /// Must hold when the pod is placed.
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
}

/// Near, or away from, pods with these labels, per topology.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodAffinityTerm {
    /// Pods that count; absent: none.
    pub label_selector: Option<LabelSelector>,
    /// Namespaces that count; empty: the pod's own.
    pub namespaces: Vec<String>,
    /// Label of nodes that says what near is.
    pub topology_key: String,
}

/// How evenly pods must spread over a topology.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// What is merged into a pod's resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsConfig {
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub searches: Vec<String>,
    /// Options such as `ndots`.
    pub options: Vec<DnsOption>,
}

/// An option of resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsOption {
    /// Name.
    pub name: String,
    /// Value; empty for a flag.
    pub value: String,
}

/// A line of /etc/hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostAlias {
    /// Address.
    pub ip: String,
    /// Names.
    pub hostnames: Vec<String>,
}

/// A condition that must be true for a pod to be ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    /// The condition's type.
    pub condition_type: String,
}

/// What became of a pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`; empty: not known yet.
    pub phase: String,
    /// Its address.
    #[serde(rename = "podIP", deserialize_with = "optional_ip")]
    pub pod_ip: Option<IpAddr>,
    /// Its addresses, one an IP family.
    #[serde(rename = "podIPs")]
    pub pod_ips: Vec<PodIp>,
    /// Its node's address.
    #[serde(rename = "hostIP", deserialize_with = "optional_ip")]
    pub host_ip: Option<IpAddr>,
    /// `Ready`, `PodScheduled`, …
    pub conditions: Vec<Condition>,
    /// One word of why.
    pub reason: String,
}

/// One address of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodIp {
    /// The address.
    #[serde(deserialize_with = "optional_ip")]
    pub ip: Option<IpAddr>,
}

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
