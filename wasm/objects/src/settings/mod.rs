//! What a cluster is, once Cluster documents, Node objects and the default world are put together.

mod nodes;
mod ranges;
mod readings;

pub use nodes::NodeSettings;
pub use ranges::AddressRange;
pub use readings::{HostNetworkPods, IngressSource, Readings};

use crate::codes;
use crate::names::did_you_mean;
use crate::object::Object;
use crate::store::Store;
use crate::view::hoplab::{Cluster, ClusterSpec};
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Origin, Severity, Warned};
use ipnet::IpNet;
use serde_json::Value;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What a cluster is.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// Its name; `cluster` where no document gives one.
    pub name: String,
    /// The Cluster document; `None`: all is default.
    pub object: Option<ObjectKey>,
    /// Its nodes: those of the documents in their order, then those that only pods name, by name.
    pub nodes: Vec<NodeSettings>,
    /// Ranges of pods, one an IP family, the primary one first.
    pub pod_cidrs: Vec<IpNet>,
    /// Ranges of Services, one an IP family, the primary one first.
    pub service_cidrs: Vec<IpNet>,
    /// The CNI plug-in.
    pub cni: CniSettings,
    /// kube-proxy, or what stands in for it.
    pub proxy: ProxySettings,
    /// Who gives load balancers their addresses.
    pub load_balancer: LoadBalancerSettings,
    /// `gamma`, `istio`, …
    pub mesh: String,
    /// What serves names; `None`: nothing that hoplab adds.
    pub dns_addon: Option<String>,
    /// Other add-ons by name, without those that are `none`.
    pub addons: BTreeMap<String, String>,
    /// Readings of semantics that specifications leave open.
    pub readings: Readings,
    /// The zone of Service names, without a final dot.
    pub domain: String,
}

/// The CNI plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniSettings {
    /// `bridge`, `flannel`, `calico`, `cilium`, `aws` or `none`.
    pub name: String,
    /// `vxlan`, `host-gw`, …; `None`: the plug-in's default.
    pub backend: Option<String>,
    /// MTU of pods in bytes; `None`: what the backend leaves of the node's.
    pub mtu: Option<u32>,
    /// Whether an agent beside it enforces policies.
    pub policy_agent: bool,
    /// Where it is set.
    pub origin: Origin,
}

/// kube-proxy's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxySettings {
    /// `iptables`, `ipvs`, `nftables`, `ebpf` or `none`.
    pub mode: String,
    /// Further settings, as kube-proxy's own configuration names them.
    pub settings: BTreeMap<String, Value>,
    /// Where it is set.
    pub origin: Origin,
}

/// Who gives load balancers their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancerSettings {
    /// `pool`, `metallb`, `cloud` or `none`.
    pub provider: String,
    /// `l2` or `bgp`, of MetalLB.
    pub mode: String,
    /// Addresses to give, in order.
    pub addresses: Vec<AddressRange>,
    /// Where it is set.
    pub origin: Origin,
}

/// What hoplab models of each setting today. All else is reported.
static MODELLED: &[(&str, &[&str], &[&str])] = &[
    (
        "spec.cni.name",
        &["bridge", "flannel", "none"],
        &["calico", "cilium", "aws"],
    ),
    ("spec.cni.policy", &["none"], &["agent"]),
    (
        "spec.proxy.mode",
        &["iptables", "ipvs", "nftables", "ebpf", "none"],
        &[],
    ),
    (
        "spec.loadBalancer.provider",
        &["pool", "metallb", "cloud", "none"],
        &[],
    ),
    (
        "spec.mesh.name",
        &["gamma", "none"],
        &["istio", "linkerd", "cilium"],
    ),
];

impl ClusterSettings {
    /// The settings that the objects of a store make.
    pub fn of(store: &Store) -> Warned<Self> {
        let mut diagnostics = Vec::new();
        let clusters: Vec<(&Arc<Object>, &Arc<Cluster>)> = store.all::<Cluster>().collect();
        for (object, _) in clusters.iter().skip(1) {
            let message =
                "several clusters in one world are not modelled yet: only the first by name is used";
            diagnostics.push(
                object
                    .problem("metadata.name", codes::SEVERAL_CLUSTERS, Severity::Error, message)
                    .help("keep one Cluster document"),
            );
        }
        let tags: BTreeSet<&str> = store
            .iter()
            .filter_map(|object| object.cluster.as_deref())
            .collect();
        if tags.len() > 1 {
            let names: Vec<&str> = tags.into_iter().collect();
            let message = format!(
                "the folder holds the clusters {}: several clusters are not modelled yet",
                names.join(", ")
            );
            diagnostics.push(Diagnostic::new(
                codes::SEVERAL_CLUSTERS,
                Severity::Error,
                message,
                None,
            ));
        }
        let first = clusters.first().copied();
        let default = ClusterSpec::default();
        let spec = first.map_or(&default, |(_, cluster)| &cluster.spec);
        let object = first.map(|(object, _)| object);
        let mut settings = Self {
            name: object.map_or("cluster", |object| &object.key.name).to_owned(),
            object: object.map(|object| object.key.clone()),
            nodes: Vec::new(),
            pod_cidrs: spec
                .pod_cidr
                .as_ref()
                .map_or_else(|| vec![range([10, 244, 0, 0], 16)], |range| range.0.clone()),
            service_cidrs: spec
                .service_cidr
                .as_ref()
                .map_or_else(|| vec![range([10, 96, 0, 0], 12)], |range| range.0.clone()),
            cni: cni(spec, object),
            proxy: ProxySettings {
                mode: spec
                    .proxy
                    .as_ref()
                    .and_then(|proxy| proxy.mode.clone())
                    .unwrap_or_else(|| "iptables".to_owned()),
                settings: spec
                    .proxy
                    .as_ref()
                    .map(|proxy| proxy.settings.clone())
                    .unwrap_or_default(),
                origin: origin(object, "spec.proxy"),
            },
            load_balancer: load_balancer(spec, object, &mut diagnostics),
            mesh: spec.mesh.as_ref().map_or("gamma", |mesh| &mesh.name).to_owned(),
            dns_addon: Some("coredns".to_owned()),
            addons: BTreeMap::new(),
            readings: Readings::default(),
            domain: "cluster.local".to_owned(),
        };
        for (name, value) in &spec.addons {
            let what = match value {
                Value::String(what) => what.clone(),
                Value::Bool(false) | Value::Null => "none".to_owned(),
                other => other.to_string(),
            };
            match (name.as_str(), what.as_str()) {
                ("dns", "none") => settings.dns_addon = None,
                ("dns", _) => settings.dns_addon = Some(what),
                (_, "none") => {}
                (_, _) => {
                    settings.addons.insert(name.clone(), what);
                }
            }
        }
        if let Some((object, cluster)) = first {
            check_modelled(object, &mut diagnostics);
            for (name, value) in &cluster.spec.readings {
                if let Err(message) = settings.readings.set(name, value) {
                    let path = FieldPath::parse("spec.readings").key(name.clone());
                    diagnostics.push(object.problem_at(
                        path,
                        codes::INVALID_SETTING,
                        Severity::Error,
                        message,
                    ));
                }
            }
        }
        ranges::check(&settings, object.map(|object| &**object), &mut diagnostics);
        settings.nodes = nodes::resolve(store, spec, object, &settings, &mut diagnostics);
        Warned {
            value: settings,
            diagnostics,
        }
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&NodeSettings> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Its nodes by name, for those who look up many.
    pub fn by_name(&self) -> BTreeMap<&str, &NodeSettings> {
        self.nodes.iter().map(|node| (node.name.as_str(), node)).collect()
    }

    /// The nodes of the control plane.
    pub fn control_plane(&self) -> impl Iterator<Item = &NodeSettings> {
        self.nodes.iter().filter(|node| node.is_control_plane())
    }

    /// The address of default/kubernetes: the first of the range.
    pub fn kubernetes_address(&self) -> Option<IpAddr> {
        self.service_cidrs.first().and_then(|range| nth_address(range, 1))
    }

    /// The address of kube-system/kube-dns: the tenth of the range. Source: kubeadm GetDNSIP.
    pub fn dns_address(&self) -> Option<IpAddr> {
        self.service_cidrs
            .first()
            .and_then(|range| nth_address(range, 10))
    }
}

/// The address `n` after the first of a range; `None` when the range is smaller.
pub fn nth_address(range: &IpNet, n: u128) -> Option<IpAddr> {
    let ip = match range.network() {
        IpAddr::V4(first) => {
            let n = u32::try_from(n).ok()?;
            IpAddr::V4(Ipv4Addr::from(u32::from(first).checked_add(n)?))
        }
        IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from(u128::from(first).checked_add(n)?)),
    };
    range.contains(&ip).then_some(ip)
}

fn range(octets: [u8; 4], prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::from(octets)), prefix)
}

/// Where a setting comes from: the field of the Cluster document where there is one.
fn origin(object: Option<&Arc<Object>>, field: &str) -> Origin {
    match object.filter(|object| object.at(&FieldPath::parse(field)).is_some()) {
        Some(object) => Origin::of(object.key.clone(), field, "user"),
        None => Origin {
            writer: Cow::Borrowed("default world"),
            ..Origin::by("")
        },
    }
}

fn cni(spec: &ClusterSpec, object: Option<&Arc<Object>>) -> CniSettings {
    let origin = origin(object, "spec.cni");
    match &spec.cni {
        // The default world's: Flannel with an agent beside it, as Canal.
        None => CniSettings {
            name: "flannel".to_owned(),
            backend: Some("vxlan".to_owned()),
            mtu: None,
            policy_agent: true,
            origin,
        },
        Some(cni) => CniSettings {
            name: if cni.name.is_empty() {
                "flannel".to_owned()
            } else {
                cni.name.clone()
            },
            backend: cni.backend.clone(),
            mtu: cni.mtu,
            policy_agent: cni.policy.as_deref() == Some("agent"),
            origin,
        },
    }
}

fn load_balancer(
    spec: &ClusterSpec,
    object: Option<&Arc<Object>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> LoadBalancerSettings {
    let given = spec.load_balancer.clone().unwrap_or_default();
    let mut addresses = Vec::new();
    for (index, text) in given.addresses.iter().enumerate() {
        match (AddressRange::parse(text), object) {
            (Some(range), _) => addresses.push(range),
            (None, Some(object)) => {
                let path = FieldPath::parse("spec.loadBalancer.addresses").index(index);
                let message = format!(
                    "Invalid value: \"{text}\": must be a range such as 198.51.100.10-198.51.100.99, a CIDR or an address"
                );
                diagnostics.push(object.problem_at(path, codes::INVALID_ADDRESS, Severity::Error, message));
            }
            (None, None) => {}
        }
    }
    if given.addresses.is_empty() {
        addresses.extend(AddressRange::parse("198.51.100.10-198.51.100.99"));
        let v6 = |range: &IpNet| range.addr().is_ipv6();
        if spec
            .service_cidr
            .as_ref()
            .is_some_and(|ranges| ranges.0.iter().any(v6))
        {
            addresses.extend(AddressRange::parse("2001:db8:51:100::10-2001:db8:51:100::99"));
        }
    }
    LoadBalancerSettings {
        provider: given.provider.unwrap_or_else(|| "pool".to_owned()),
        mode: given.mode.unwrap_or_else(|| "l2".to_owned()),
        addresses,
        origin: origin(object, "spec.loadBalancer"),
    }
}

fn check_modelled(object: &Object, diagnostics: &mut Vec<Diagnostic>) {
    for (field, modelled, later) in MODELLED {
        let path = FieldPath::parse(field);
        let Some(found) = object.at(&path).and_then(Value::as_str) else {
            continue;
        };
        if modelled.contains(&found) {
            continue;
        }
        if later.contains(&found) {
            let message = format!("\"{found}\" is not modelled yet: what it would decide is unknown");
            diagnostics.push(
                object
                    .problem_at(path, codes::SETTING_NOT_MODELLED, Severity::Warning, message)
                    .help(format!("modelled today: {}", modelled.join(", "))),
            );
        } else {
            let words: Vec<&str> = modelled.iter().chain(*later).copied().collect();
            let message = format!(
                "Unsupported value: \"{found}\": supported values: {}",
                words
                    .iter()
                    .map(|word| format!("\"{word}\""))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            let diagnostic = object.problem_at(path, codes::UNSUPPORTED_VALUE, Severity::Error, message);
            diagnostics.push(match did_you_mean(found, words) {
                Some(meant) => diagnostic.help(format!("did you mean \"{meant}\"?")),
                None => diagnostic,
            });
        }
    }
}

#[cfg(test)]
mod tests;
