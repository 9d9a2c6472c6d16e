//! What stands in for Services on nodes. One folder a mode.

pub mod ebpf;
#[cfg(test)]
mod fixture;
pub mod iptables;
pub mod ipvs;
pub mod nftables;

use crate::service_map::{NodeView, ServiceMap};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::Match;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::IpFamily;
use ipnet::IpNet;
use serde_json::Value;
use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

/// Who writes.
pub const WRITER: &str = "kube-proxy";

/// One mode, over the Services of a whole cluster.
pub trait Proxy: Any + Send + Sync {
    /// Writes what belongs on a node.
    fn program(&self, node: &NodeView<'_>, stack: &mut StackBuilder);

    /// Whether it writes anything in pods.
    fn programs_pods(&self) -> bool {
        false
    }

    /// Writes what belongs in a pod on the node.
    fn program_pod(&self, _node: &NodeView<'_>, _stack: &mut StackBuilder) {}
}

type Make = fn(Arc<ServiceMap>, Settings, Option<&Arc<dyn Proxy>>) -> Arc<dyn Proxy>;

/// The modes that are modelled.
static MODES: &[(&str, Make)] = &[
    ("ebpf", |services, settings, _| {
        Arc::new(ebpf::EbpfProxy::new(services, settings))
    }),
    ("iptables", |services, settings, before| {
        let before = before.and_then(|before| (&**before as &dyn Any).downcast_ref());
        Arc::new(iptables::IptablesProxy::after(services, settings, before))
    }),
    ("ipvs", |services, settings, _| {
        Arc::new(ipvs::IpvsProxy::new(services, settings))
    }),
    ("nftables", |services, settings, _| {
        Arc::new(nftables::NftablesProxy::new(services, settings))
    }),
];

/// Whether a mode is modelled, or is none at all.
pub fn is_known(mode: &str) -> bool {
    mode == "none" || MODES.iter().any(|(name, _)| *name == mode)
}

/// A proxy and the family that it serves.
pub type OfFamily = (IpFamily, Arc<dyn Proxy>);

/// The proxies that a cluster's settings ask for, one an IP family: kube-proxy runs both wherever a node's kernel speaks
/// both, whatever the cluster's ranges are. Source: cmd/kube-proxy/app/server_linux.go platformCheckSupported,
/// pkg/proxy/metaproxier (v1.36). What those before wrote for Service ports that are still the very same may be taken over.
pub fn of(settings: &ClusterSettings, services: &Arc<ServiceMap>, before: &[OfFamily]) -> Vec<OfFamily> {
    let Some((_, make)) = MODES.iter().find(|(name, _)| *name == settings.proxy.mode) else {
        return Vec::new();
    };
    let of = |family: IpFamily| {
        let before = before
            .iter()
            .find(|(of, _)| *of == family)
            .map(|(_, proxy)| proxy);
        let made = make(services.of_family(family), Settings::of(settings, family), before);
        (family, made)
    };
    IpFamily::BOTH.map(of).into()
}

/// Whether a mode is one of kube-proxy's own, which leave connections to the kernel's tracking.
pub(crate) fn keeps_connections(mode: &str) -> bool {
    matches!(mode, "iptables" | "ipvs" | "nftables")
}

/// What kube-proxy sets at its start, whatever its mode. Source: pkg/proxy/apis/config/v1alpha1/defaults.go
/// (`conntrack.tcpEstablishedTimeout`, `tcpCloseWaitTimeout`). Differs: `nf_conntrack_max`, which hangs on the number of
/// processors, stays.
pub(crate) const CONNTRACK: [(&str, &str); 2] = [
    ("net.netfilter.nf_conntrack_tcp_timeout_established", "86400"),
    ("net.netfilter.nf_conntrack_tcp_timeout_close_wait", "3600"),
];

/// How traffic of the node's own pods is known. Source: kube-proxy --detect-local-mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DetectLocal {
    /// Nothing is told apart.
    #[default]
    No,
    /// By the range of all pods.
    ClusterCidr(IpNet),
    /// By the range of the node's pods.
    NodeCidr,
    /// By the interface that it comes in by; a trailing `+` is a wildcard.
    Interface(String),
}

/// What decides beside Services, for one IP family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The family that it serves.
    pub family: IpFamily,
    /// `--detect-local-mode`.
    pub detect_local: DetectLocal,
    /// `--masquerade-all`.
    pub masquerade_all: bool,
    /// `--iptables-localhost-nodeports`.
    pub localhost_node_ports: bool,
    /// `--nodeport-addresses`: ranges that node ports are served on; empty: all of the node's addresses, or its
    /// primary one where that is the mode's default.
    pub node_port_addresses: Vec<IpNet>,
    /// `--nodeport-addresses=primary`.
    pub primary_node_port_address: bool,
    /// `--ipvs-scheduler`.
    pub scheduler: String,
    /// The range of Services.
    pub service_cidr: Option<IpNet>,
    /// Addresses of all nodes.
    pub node_addresses: Vec<IpAddr>,
}

impl Settings {
    /// Those of a family of which nothing is said.
    pub fn none(family: IpFamily) -> Self {
        Self {
            family,
            detect_local: DetectLocal::No,
            masquerade_all: false,
            localhost_node_ports: false,
            node_port_addresses: Vec::new(),
            primary_node_port_address: false,
            scheduler: String::new(),
            service_cidr: None,
            node_addresses: Vec::new(),
        }
    }

    /// Those of a cluster's document.
    pub fn of(settings: &ClusterSettings, family: IpFamily) -> Self {
        let given = &settings.proxy.settings;
        let of_mode = |name: &str| {
            let section = given.get(settings.proxy.mode.as_str());
            section
                .and_then(|section| section.get(name))
                .or_else(|| given.get(name))
        };
        let cluster_cidr = match given.get("clusterCIDR").and_then(Value::as_str) {
            Some(text) => {
                let ranges: Vec<IpNet> = text.split(',').filter_map(|r| r.trim().parse().ok()).collect();
                family.range(&ranges)
            }
            None => family.range(&settings.pod_cidrs),
        };
        let interface = |name: &str| {
            let section = given.get("detectLocal").and_then(|section| section.get(name));
            section.and_then(Value::as_str).map(str::to_owned)
        };
        let detect_local = match given.get("detectLocalMode").and_then(Value::as_str) {
            Some("NodeCIDR") => DetectLocal::NodeCidr,
            Some("BridgeInterface") => {
                interface("bridgeInterface").map_or(DetectLocal::No, DetectLocal::Interface)
            }
            Some("InterfaceNamePrefix") => interface("interfaceNamePrefix")
                .map_or(DetectLocal::No, |prefix| DetectLocal::Interface(prefix + "+")),
            _ => cluster_cidr.map_or(DetectLocal::No, |range| DetectLocal::ClusterCidr(range.trunc())),
        };
        let listed: Vec<&str> = match given.get("nodePortAddresses") {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let own = |ip: &IpAddr| IpFamily::of(*ip) == family;
        Self {
            family,
            detect_local,
            masquerade_all: of_mode("masqueradeAll").and_then(Value::as_bool).unwrap_or(false),
            // Node ports at ::1 never work. Source: NewDualStackProxier.
            localhost_node_ports: family == IpFamily::V4
                && of_mode("localhostNodePorts")
                    .and_then(Value::as_bool)
                    .unwrap_or(true),
            primary_node_port_address: listed == ["primary"],
            node_port_addresses: listed
                .iter()
                .filter_map(|range| range.parse().ok())
                .filter(|range: &IpNet| own(&range.addr()))
                .collect(),
            scheduler: of_mode("scheduler")
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty())
                .unwrap_or("rr")
                .to_owned(),
            service_cidr: family.range(&settings.service_cidrs),
            node_addresses: settings
                .nodes
                .iter()
                .flat_map(|node| node.addresses.iter().copied().filter(own))
                .collect(),
        }
    }

    /// The match on traffic of the node's own pods, inverted if wanted. `None`: nothing is told apart.
    pub(crate) fn local_traffic(&self, node: &NodeView<'_>, not: bool) -> Option<Match> {
        match &self.detect_local {
            DetectLocal::No => None,
            DetectLocal::ClusterCidr(net) => Some(Match::Src { not, net: *net }),
            DetectLocal::NodeCidr => Some(Match::Src {
                not,
                net: node.pod_cidr?.trunc(),
            }),
            DetectLocal::Interface(name) => Some(Match::InInterface {
                not,
                name: name.as_str().into(),
            }),
        }
    }

    /// Whether every node tells its traffic apart alike.
    pub(crate) fn is_alike_on_all_nodes(&self) -> bool {
        self.detect_local != DetectLocal::NodeCidr
    }

    /// The node's addresses that node ports are served on; `None`: all that it has.
    pub(crate) fn node_port_ips(&self, node: &NodeView<'_>, primary_by_default: bool) -> Option<Vec<IpAddr>> {
        let primary =
            self.primary_node_port_address || self.node_port_addresses.is_empty() && primary_by_default;
        // A family without an address of the node has no range either, which means all addresses.
        if primary && self.node_addresses.is_empty() {
            return None;
        }
        if primary {
            return Some(node.address.into_iter().collect());
        }
        let ranges = &self.node_port_addresses;
        if ranges.is_empty() || ranges.iter().any(|range| range.prefix_len() == 0) {
            return None;
        }
        let own = node.addresses.iter().copied();
        Some(
            own.filter(|address| ranges.iter().any(|range| range.contains(address)))
                .collect(),
        )
    }
}
