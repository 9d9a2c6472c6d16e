//! The nodes of a cluster: those of Node objects, of the Cluster, of the default world, and those that only pods
//! and EndpointSlices name.

use super::ranges::overlap;
use super::{ClusterSettings, nth_address};
use crate::codes;
use crate::object::Object;
use crate::store::Store;
use crate::view::hoplab::{ClusterNode, ClusterSpec};
use crate::view::{EndpointSlice, Labels, Node, Pod, Taint};
use hoplab_source::collections::{BTreeSet, IndexMap};
use hoplab_source::{Diagnostic, FieldPath, Origin, Severity, order};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// The label of a node of the control plane.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Its name.
    pub name: String,
    /// Its addresses, the primary family first.
    pub addresses: Vec<IpAddr>,
    /// Ranges of its pods, one an IP family.
    pub pod_cidrs: Vec<IpNet>,
    /// Its labels.
    pub labels: Labels,
    /// What keeps pods away.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Its /etc/resolv.conf, where the scenario gives one.
    pub resolv_conf: Option<String>,
    /// Why it exists.
    pub origin: Origin,
}

impl NodeSettings {
    /// Its primary address.
    pub fn address(&self) -> Option<IpAddr> {
        self.addresses.first().copied()
    }

    /// Its zone.
    pub fn zone(&self) -> Option<&str> {
        self.labels.get(ZONE).map(String::as_str)
    }

    /// Whether the control plane runs on it.
    pub fn is_control_plane(&self) -> bool {
        self.labels.contains_key(CONTROL_PLANE) || self.labels.contains_key("node-role.kubernetes.io/master")
    }

    fn new(name: &str, origin: Origin) -> Self {
        Self {
            name: name.to_owned(),
            addresses: Vec::new(),
            pod_cidrs: Vec::new(),
            labels: Labels::new(),
            taints: Vec::new(),
            unschedulable: false,
            resolv_conf: None,
            origin,
        }
    }
}

/// All nodes, each with an address and a range of pods.
pub(super) fn resolve(
    store: &Store,
    spec: &ClusterSpec,
    cluster: Option<&Arc<Object>>,
    settings: &ClusterSettings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<NodeSettings> {
    let mut nodes: IndexMap<String, NodeSettings> = IndexMap::new();
    for (index, given) in spec.nodes.iter().enumerate() {
        let field = format!("spec.nodes[{index}]");
        let origin = cluster.map_or_else(
            || Origin::by("default world"),
            |c| Origin::of(c.key.clone(), &field, "user"),
        );
        if let Some(cluster) = cluster {
            check_name(cluster, &field, given, &nodes, diagnostics);
        }
        nodes.insert(given.name.clone(), of_cluster(given, origin));
    }
    let mut objects: Vec<(&Arc<Object>, &Arc<Node>)> = store.all::<Node>().collect();
    order::sort_by_key(&mut objects, |(object, _)| object.order().unwrap_or(u32::MAX));
    for (object, view) in objects {
        let origin = Origin::of(object.key.clone(), "metadata.name", "user");
        let node = nodes
            .entry(object.key.name.clone())
            .or_insert_with(|| NodeSettings::new(&object.key.name, origin));
        of_object(view, node);
    }
    if nodes.is_empty() {
        for node in default_nodes() {
            nodes.insert(node.name.clone(), node);
        }
    }
    let mut implied: BTreeSet<(&str, Mention<'_>)> = BTreeSet::new();
    for (object, pod) in store
        .all::<Pod>()
        .filter(|(_, pod)| !pod.spec.node_name.is_empty())
    {
        implied.insert((&pod.spec.node_name, Mention(&object.key, "spec.nodeName")));
    }
    for (object, slice) in store.all::<EndpointSlice>() {
        for endpoint in slice
            .endpoints
            .iter()
            .filter(|endpoint| !endpoint.node_name.is_empty())
        {
            implied.insert((&endpoint.node_name, Mention(&object.key, "endpoints")));
        }
    }
    for (name, Mention(key, field)) in implied {
        nodes
            .entry(name.to_owned())
            .or_insert_with(|| NodeSettings::new(name, Origin::of(key.clone(), field, "user")));
    }
    let mut nodes: Vec<NodeSettings> = nodes.into_values().collect();
    give_addresses(&mut nodes, settings);
    give_ranges(&mut nodes, spec, settings, cluster, diagnostics);
    check_addresses(&nodes, cluster, diagnostics);
    for node in &mut nodes {
        for (label, value) in [
            ("kubernetes.io/hostname", node.name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ] {
            node.labels
                .entry(label.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    nodes
}

/// The object and field that name a node.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Mention<'k>(&'k hoplab_source::ObjectKey, &'static str);

fn of_cluster(given: &ClusterNode, origin: Origin) -> NodeSettings {
    let mut node = NodeSettings::new(&given.name, origin);
    node.addresses = given
        .address
        .as_ref()
        .map(|address| address.0.clone())
        .unwrap_or_default();
    node.pod_cidrs = given
        .pod_cidr
        .as_ref()
        .map(|range| range.0.clone())
        .unwrap_or_default();
    node.labels = given.labels.clone();
    if let Some(zone) = &given.zone {
        node.labels.insert(ZONE.to_owned(), zone.clone());
    }
    if let Some(instance_type) = &given.instance_type {
        node.labels.insert(
            "node.kubernetes.io/instance-type".to_owned(),
            instance_type.clone(),
        );
    }
    node.taints = given.taints.clone();
    node.resolv_conf = given.resolv_conf.clone();
    node
}

fn of_object(view: &Node, node: &mut NodeSettings) {
    let internal = view
        .status
        .addresses
        .iter()
        .filter(|address| address.type_ == "InternalIP");
    let addresses: Vec<IpAddr> = internal
        .filter_map(|address| address.address.parse().ok())
        .collect();
    if !addresses.is_empty() {
        node.addresses = addresses;
    }
    let ranges: Vec<IpNet> = if view.spec.pod_cidrs.is_empty() {
        view.spec.pod_cidr.into_iter().collect()
    } else {
        view.spec.pod_cidrs.clone()
    };
    if !ranges.is_empty() {
        node.pod_cidrs = ranges;
    }
    node.labels.extend(view.metadata.labels.clone());
    if !view.spec.taints.is_empty() {
        node.taints = view.spec.taints.clone();
    }
    node.unschedulable |= view.spec.unschedulable;
}

/// cp-1 with the control plane's label and taint, worker-1 and worker-2.
fn default_nodes() -> Vec<NodeSettings> {
    let origin = || Origin {
        writer: Cow::Borrowed("default world"),
        ..Origin::by("")
    };
    let mut control_plane = NodeSettings::new("cp-1", origin());
    control_plane
        .labels
        .insert(CONTROL_PLANE.to_owned(), String::new());
    control_plane.taints.push(Taint {
        key: CONTROL_PLANE.to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    });
    vec![
        control_plane,
        NodeSettings::new("worker-1", origin()),
        NodeSettings::new("worker-2", origin()),
    ]
}

/// Gives each node that has none an address of each of the cluster's families: 172.18.0.2 and on, and with IPv6
/// fd00:172:18::2 and on.
fn give_addresses(nodes: &mut [NodeSettings], settings: &ClusterSettings) {
    let families: BTreeSet<bool> = settings
        .pod_cidrs
        .iter()
        .chain(&settings.service_cidrs)
        .map(|range| range.addr().is_ipv4())
        .collect();
    for v4 in [true, false] {
        if !families.contains(&v4) {
            continue;
        }
        let range: IpNet = if v4 {
            super::range([172, 18, 0, 0], 16)
        } else {
            v6_nodes()
        };
        let mut taken: BTreeSet<IpAddr> = nodes
            .iter()
            .flat_map(|node| node.addresses.iter().copied())
            .collect();
        let mut next = 2;
        for node in nodes.iter_mut() {
            // A node whose addresses are written has those alone.
            if node.addresses.iter().any(|address| address.is_ipv4() == v4)
                || !node.addresses.is_empty() && v4
            {
                continue;
            }
            while let Some(address) = nth_address(&range, next) {
                next += 1;
                if taken.insert(address) {
                    node.addresses.push(address);
                    break;
                }
            }
        }
    }
    let first_is_v4 = settings
        .pod_cidrs
        .first()
        .is_none_or(|range| range.addr().is_ipv4());
    for node in nodes {
        order::sort_by_key(&mut node.addresses, |address| address.is_ipv4() != first_is_v4);
    }
}

fn v6_nodes() -> IpNet {
    IpNet::new_assert(
        IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0x172, 0x18, 0, 0, 0, 0, 0)),
        64,
    )
}

/// Gives each node that has none the next free part of each range of pods.
fn give_ranges(
    nodes: &mut [NodeSettings],
    spec: &ClusterSpec,
    settings: &ClusterSettings,
    cluster: Option<&Arc<Object>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (index, range) in settings.pod_cidrs.iter().enumerate() {
        let v4 = range.addr().is_ipv4();
        // Source: kube-controller-manager --node-cidr-mask-size-ipv4 (24) and -ipv6 (64).
        let given = spec
            .node_mask
            .as_ref()
            .and_then(|mask| mask.0.get(index).copied());
        let mask = given.unwrap_or(if v4 { 24 } else { 64 }).max(range.prefix_len());
        if mask > range.max_prefix_len() {
            if let Some(cluster) = cluster {
                let message = format!("/{mask} is longer than an address of {range}");
                diagnostics.push(cluster.problem_at(
                    FieldPath::parse("spec.nodeMask"),
                    codes::INVALID_SETTING,
                    Severity::Error,
                    message,
                ));
            }
            continue;
        }
        let taken: Vec<IpNet> = nodes
            .iter()
            .flat_map(|node| node.pod_cidrs.iter().copied())
            .collect();
        let Ok(parts) = range.trunc().subnets(mask) else {
            continue;
        };
        let mut parts = parts.filter(|part| !taken.iter().any(|taken| overlap(taken, part)));
        for node in nodes.iter_mut() {
            if node.pod_cidrs.iter().any(|range| range.addr().is_ipv4() == v4) {
                continue;
            }
            match parts.next() {
                Some(part) => node.pod_cidrs.push(part),
                None => {
                    let message = format!("node {}: {range} has no /{mask} left for its pods", node.name);
                    diagnostics.push(match cluster {
                        Some(cluster) => cluster.problem_at(
                            FieldPath::parse("spec.podCIDR"),
                            codes::RANGE_FULL,
                            Severity::Error,
                            message,
                        ),
                        None => Diagnostic::new(codes::RANGE_FULL, Severity::Error, message, None),
                    });
                }
            }
        }
    }
}

fn check_name(
    cluster: &Object,
    field: &str,
    given: &ClusterNode,
    nodes: &IndexMap<String, NodeSettings>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let path = FieldPath::parse(field).key("name");
    if given.name.is_empty() {
        diagnostics.push(cluster.problem_at(path, codes::REQUIRED, Severity::Error, "Required value"));
    } else if let Some(reason) = crate::names::dns1123_subdomain(&given.name) {
        let message = format!("Invalid value: \"{}\": {reason}", given.name);
        diagnostics.push(cluster.problem_at(path, codes::INVALID_NAME, Severity::Error, message));
    } else if nodes.contains_key(&given.name) {
        let message = format!("Duplicate value: \"{}\"", given.name);
        diagnostics.push(cluster.problem_at(path, codes::DUPLICATE, Severity::Error, message));
    }
}

fn check_addresses(nodes: &[NodeSettings], cluster: Option<&Arc<Object>>, diagnostics: &mut Vec<Diagnostic>) {
    for (index, node) in nodes.iter().enumerate() {
        for other in &nodes[..index] {
            for address in node
                .addresses
                .iter()
                .filter(|address| other.addresses.contains(address))
            {
                let message = format!(
                    "nodes {} and {} both have the address {address}",
                    other.name, node.name
                );
                let place = cluster.filter(|cluster| node.origin.object.as_ref() == Some(&cluster.key));
                diagnostics.push(match place {
                    Some(cluster) => cluster.problem_at(
                        node.origin.field.key("address"),
                        codes::ADDRESS_TWICE,
                        Severity::Error,
                        message,
                    ),
                    None => Diagnostic::new(codes::ADDRESS_TWICE, Severity::Error, message, None),
                });
            }
            let shared = node
                .pod_cidrs
                .iter()
                .find(|range| other.pod_cidrs.iter().any(|other| overlap(range, other)));
            if let Some(range) = shared {
                let message = format!(
                    "the ranges of pods of nodes {} and {} overlap in {range}",
                    other.name, node.name
                );
                let place = cluster.filter(|cluster| node.origin.object.as_ref() == Some(&cluster.key));
                diagnostics.push(match place {
                    Some(cluster) => cluster.problem_at(
                        node.origin.field.key("podCIDR"),
                        codes::INVALID_SETTING,
                        Severity::Warning,
                        message,
                    ),
                    None => Diagnostic::new(codes::INVALID_SETTING, Severity::Warning, message, None),
                });
            }
        }
    }
}
