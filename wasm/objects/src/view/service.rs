//! Services.

use super::scalars::{ip_of, ips, optional_ip, optional_port, port};
use super::{Condition, IntOrString, Labels, ObjectMeta, Protocol};
use crate::view::value::fields;
use crate::view::value::{Fit, Read, text, words};
use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Spec.
    pub spec: ServiceSpec,
    /// Status.
    pub status: ServiceStatus,
}

fields! { Service {
    metadata "metadata",
    spec "spec",
    status "status",
} }

/// A Service's spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSpec {
    /// `ClusterIP` (default), `NodePort`, `LoadBalancer` or `ExternalName`.
    pub type_: ServiceType,
    /// Labels of its pods; empty: endpoints are made by hand.
    pub selector: Labels,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Its address; `None` in YAML makes it headless.
    pub cluster_ip: Option<ClusterIp>,
    /// The same per IP family; the first is `clusterIP`.
    pub cluster_ips: Vec<ClusterIp>,
    /// IP families, the primary one first.
    pub ip_families: Vec<IpFamily>,
    /// How many families.
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// The name that an ExternalName Service stands for.
    pub external_name: String,
    /// Addresses from outside that lead to it.
    pub external_ips: Vec<IpAddr>,
    /// `Cluster` (default) or `Local`, for traffic from outside.
    pub external_traffic_policy: String,
    /// `Cluster` (default) or `Local`, for traffic from pods.
    pub internal_traffic_policy: String,
    /// `PreferClose`, `PreferSameZone`, `PreferSameNode`; empty: none.
    pub traffic_distribution: String,
    /// `None` (default) or `ClientIP`.
    pub session_affinity: String,
    /// How long a client sticks.
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Whether endpoints that are not ready have DNS names.
    pub publish_not_ready_addresses: bool,
    /// The port of health checks with `externalTrafficPolicy: Local`.
    pub health_check_node_port: Option<u16>,
    /// Whether a LoadBalancer gets node ports; default true.
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// Who makes the load balancer.
    pub load_balancer_class: Option<String>,
    /// The address that is asked for.
    pub load_balancer_ip: Option<IpAddr>,
    /// Ranges that may use the load balancer.
    pub load_balancer_source_ranges: Vec<String>,
}

fields! { ServiceSpec {
    type_ "type",
    selector "selector",
    ports "ports",
    cluster_ip "clusterIP",
    cluster_ips "clusterIPs",
    ip_families "ipFamilies",
    ip_family_policy "ipFamilyPolicy",
    external_name "externalName",
    external_ips "externalIPs" by ips,
    external_traffic_policy "externalTrafficPolicy",
    internal_traffic_policy "internalTrafficPolicy",
    traffic_distribution "trafficDistribution",
    session_affinity "sessionAffinity",
    session_affinity_config "sessionAffinityConfig",
    publish_not_ready_addresses "publishNotReadyAddresses",
    health_check_node_port "healthCheckNodePort" by optional_port,
    allocate_load_balancer_node_ports "allocateLoadBalancerNodePorts",
    load_balancer_class "loadBalancerClass",
    load_balancer_ip "loadBalancerIP" by optional_ip,
    load_balancer_source_ranges "loadBalancerSourceRanges",
} }

/// A Service's type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum ServiceType {
    /// An address inside the cluster.
    #[default]
    ClusterIP,
    /// That, and a port of every node.
    NodePort,
    /// That, and an address of a load balancer.
    LoadBalancer,
    /// A name for another name.
    ExternalName,
}

words! { ServiceType {
    ClusterIP "ClusterIP",
    NodePort "NodePort",
    LoadBalancer "LoadBalancer",
    ExternalName "ExternalName",
} }

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// Name; required with several.
    pub name: String,
    /// Number that clients use.
    pub port: u16,
    /// Port of the pods, by number or name; default: `port`.
    pub target_port: Option<IntOrString>,
    /// Protocol.
    pub protocol: Protocol,
    /// Port of every node.
    pub node_port: Option<u16>,
    /// The protocol above: `http`, `kubernetes.io/h2c`, …
    pub app_protocol: Option<String>,
}

fields! { ServicePort {
    name "name",
    port "port" by port,
    target_port "targetPort",
    protocol "protocol",
    node_port "nodePort" by optional_port,
    app_protocol "appProtocol",
} }

/// A Service's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClusterIp {
    /// `None`: headless.
    Headless,
    /// Still to be given (the empty text).
    Unset,
    /// An address.
    Ip(IpAddr),
}

impl Read for ClusterIp {
    fn read(value: &Value) -> Fit<Self> {
        match text(value)? {
            "" => Ok(ClusterIp::Unset),
            "None" => Ok(ClusterIp::Headless),
            text => ip_of(text).map(ClusterIp::Ip),
        }
    }
}

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum IpFamily {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

words! { IpFamily { V4 "IPv4", V6 "IPv6" } }

impl IpFamily {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { IpFamily::V4 } else { IpFamily::V6 }
    }

    /// The first of these addresses that is of this family.
    pub fn first(self, addresses: &[IpAddr]) -> Option<IpAddr> {
        addresses.iter().copied().find(|ip| Self::of(*ip) == self)
    }

    /// The first of these ranges that is of this family.
    pub fn range(self, ranges: &[IpNet]) -> Option<IpNet> {
        ranges
            .iter()
            .copied()
            .find(|range| Self::of(range.addr()) == self)
    }

    /// `IPv4`.
    pub fn as_str(self) -> &'static str {
        match self {
            IpFamily::V4 => "IPv4",
            IpFamily::V6 => "IPv6",
        }
    }
}

/// How many IP families a Service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Two where the cluster has two.
    PreferDualStack,
    /// Two.
    RequireDualStack,
}

words! { IpFamilyPolicy {
    SingleStack "SingleStack",
    PreferDualStack "PreferDualStack",
    RequireDualStack "RequireDualStack",
} }

/// How long a client sticks to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionAffinityConfig {
    /// By the client's address.
    pub client_ip: Option<ClientIpConfig>,
}

fields! { SessionAffinityConfig {
    client_ip "clientIP",
} }

/// The time-out of ClientIP affinity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIpConfig {
    /// Seconds; default 10800.
    pub timeout_seconds: Option<i32>,
}

fields! { ClientIpConfig {
    timeout_seconds "timeoutSeconds",
} }

/// A Service's status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceStatus {
    /// Addresses of its load balancer.
    pub load_balancer: LoadBalancerStatus,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

fields! { ServiceStatus {
    load_balancer "loadBalancer",
    conditions "conditions",
} }

/// Addresses of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancerStatus {
    /// Where traffic enters.
    pub ingress: Vec<IngressPoint>,
}

fields! { LoadBalancerStatus {
    ingress "ingress",
} }

/// One address of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressPoint {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Its name.
    pub hostname: String,
    /// `VIP` (default) or `Proxy`.
    pub ip_mode: String,
}

fields! { IngressPoint {
    ip "ip" by optional_ip,
    hostname "hostname",
    ip_mode "ipMode",
} }

impl Service {
    /// Whether it has no address of its own by wish.
    pub fn is_headless(&self) -> bool {
        self.spec.type_ != ServiceType::ExternalName
            && (self.spec.cluster_ip == Some(ClusterIp::Headless)
                || self.spec.cluster_ips.first() == Some(&ClusterIp::Headless))
    }

    /// Its addresses, the primary one first.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for ip in self.spec.cluster_ip.iter().chain(&self.spec.cluster_ips) {
            if let ClusterIp::Ip(ip) = ip
                && !addresses.contains(ip)
            {
                addresses.push(*ip);
            }
        }
        addresses
    }

    /// Seconds that a client sticks to an endpoint; `None` without session affinity.
    /// Source: k8s.io/api core/v1 DefaultClientIPServiceAffinitySeconds.
    pub fn session_affinity_seconds(&self) -> Option<i32> {
        (self.spec.session_affinity == "ClientIP").then(|| {
            let config = self
                .spec
                .session_affinity_config
                .as_ref()
                .and_then(|config| config.client_ip.as_ref());
            config.and_then(|config| config.timeout_seconds).unwrap_or(10_800)
        })
    }
}
