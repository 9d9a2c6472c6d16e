//! The world that objects cannot say: Cluster, Host, Network, Zone, Fault, Layout.

use super::super::scalars::{port, scalar_text, texts};
use super::super::{Labels, ObjectMeta, Protocol, Taint};
use crate::view::value::{Fit, Misfit, Read, entries, fields};
use hoplab_source::collections::BTreeMap;
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;

/// A cluster's settings; every field is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Cluster`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// The settings.
    pub spec: ClusterSpec,
}

fields! { strict Cluster {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// A cluster's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSpec {
    /// Nodes, beside Node objects.
    pub nodes: Vec<ClusterNode>,
    /// Range of pods; two of them for dual stack.
    pub pod_cidr: Option<OneOrMany<IpNet>>,
    /// Prefix length of a node's part of it; default 24, 64 for IPv6.
    pub node_mask: Option<OneOrMany<u8>>,
    /// Range of Services; two of them for dual stack.
    pub service_cidr: Option<OneOrMany<IpNet>>,
    /// The CNI plug-in.
    pub cni: Option<Cni>,
    /// kube-proxy, or what stands in for it.
    pub proxy: Option<Proxy>,
    /// Who gives load balancers their addresses.
    pub load_balancer: Option<LoadBalancer>,
    /// The mesh.
    pub mesh: Option<Mesh>,
    /// Add-ons by name; `none` leaves one out.
    pub addons: BTreeMap<String, Value>,
    /// Readings of semantics that specifications leave open.
    pub readings: BTreeMap<String, Value>,
}

fields! { strict ClusterSpec {
    nodes "nodes",
    pod_cidr "podCIDR",
    node_mask "nodeMask",
    service_cidr "serviceCIDR",
    cni "cni",
    proxy "proxy",
    load_balancer "loadBalancer",
    mesh "mesh",
    addons "addons",
    readings "readings",
} }

/// A node of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Its address; else the next free one of the nodes' network. Two of them for dual stack.
    pub address: Option<OneOrMany<IpAddr>>,
    /// Range of its pods.
    pub pod_cidr: Option<OneOrMany<IpNet>>,
    /// Its zone.
    pub zone: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// The cloud's type of machine.
    pub instance_type: Option<String>,
    /// Its /etc/resolv.conf.
    pub resolv_conf: Option<String>,
}

fields! { strict ClusterNode {
    name "name",
    address "address",
    pod_cidr "podCIDR",
    zone "zone",
    labels "labels",
    taints "taints",
    instance_type "instanceType",
    resolv_conf "resolvConf",
} }

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: std::str::FromStr> Read for OneOrMany<T> {
    fn read(value: &Value) -> Fit<Self> {
        let mut texts = Vec::new();
        let mut add = |value: &Value| scalar_text(value).map(|text| texts.push(text));
        let read = match value {
            Value::Array(items) => items.iter().try_for_each(&mut add),
            _ => add(value),
        };
        read.map_err(|_| Misfit::expected("a value or a list of values", value))?;
        let parsed = texts.iter().map(|text| {
            let what = if std::any::type_name::<T>().contains("Net") {
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            } else if std::any::type_name::<T>().contains("Ip") {
                super::super::scalars::IP_ADDRESS
            } else {
                "must be a number"
            };
            text.parse()
                .map_err(|_| Misfit::invalid(&format!("\"{text}\""), what))
        });
        parsed.collect::<Result<_, _>>().map(OneOrMany)
    }
}

/// A CNI plug-in and its settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cni {
    /// `bridge`, `flannel`, `calico`, `cilium`, `aws` or `none`.
    pub name: String,
    /// `vxlan`, `host-gw`, …
    pub backend: Option<String>,
    /// MTU of pods, in bytes.
    pub mtu: Option<u32>,
    /// `agent` or `none`: whether an agent enforces policies that the plug-in itself does not.
    pub policy: Option<String>,
}

fields! { strict Cni {
    name "name",
    backend "backend",
    mtu "mtu",
    policy "policy",
} }

/// kube-proxy's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proxy {
    /// `iptables` (default), `ipvs`, `nftables`, `ebpf` or `none`.
    pub mode: Option<String>,
    /// Further settings, as kube-proxy's own configuration names them.
    pub settings: BTreeMap<String, Value>,
}

impl Read for Proxy {
    fn read(value: &Value) -> Fit<Self> {
        let mut proxy = Proxy::default();
        entries(value, &mut |key, value| {
            if key == "mode" {
                return proxy.mode.read_into(value);
            }
            proxy.settings.insert(key.to_owned(), value.clone());
            Ok(())
        })?;
        Ok(proxy)
    }
}

/// Who gives load balancers their addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadBalancer {
    /// `pool` (default), `metallb`, `cloud` or `none`.
    pub provider: Option<String>,
    /// Ranges `first-last`, CIDRs or single addresses.
    pub addresses: Vec<String>,
    /// `l2` or `bgp`, for metallb.
    pub mode: Option<String>,
}

fields! { strict LoadBalancer {
    provider "provider",
    addresses "addresses",
    mode "mode",
} }

/// The mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh {
    /// `gamma`, `istio`, `linkerd`, `cilium` or `none`.
    pub name: String,
}

fields! { strict Mesh {
    name "name",
} }

/// A machine outside a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Host`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What it is.
    pub spec: HostSpec,
}

fields! { strict Host {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// What a host is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSpec {
    /// Interfaces.
    pub interfaces: Vec<HostInterface>,
    /// Routes beside the connected ones.
    pub routes: Vec<HostRoute>,
    /// Kernel settings by name.
    pub sysctls: Labels,
    /// Files by path.
    pub files: Labels,
    /// Rules as iptables-save prints them.
    pub iptables: Option<String>,
    /// What listens.
    pub listen: Vec<Listen>,
    /// Further network namespaces.
    pub netns: Vec<String>,
}

fields! { strict HostSpec {
    interfaces "interfaces",
    routes "routes",
    sysctls "sysctls" by texts,
    files "files",
    iptables "iptables",
    listen "listen",
    netns "netns",
} }

/// An interface of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostInterface {
    /// Name.
    pub name: String,
    /// The Network that it is plugged into.
    pub network: Option<String>,
    /// Addresses with prefix length.
    pub addresses: Vec<IpNet>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// `veth`, `bridge`, `vlan`, `dummy`, …; else a physical one.
    pub type_: Option<String>,
    /// The other end of a veth.
    pub peer: Option<String>,
    /// The bridge that it is a port of.
    pub master: Option<String>,
    /// The network namespace that it is in.
    pub netns: Option<String>,
    /// VLAN id.
    pub vlan: Option<u16>,
    /// The interface below a VLAN.
    pub link: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
}

fields! { strict HostInterface {
    name "name",
    network "network",
    addresses "addresses",
    mtu "mtu",
    type_ "type",
    peer "peer",
    master "master",
    netns "netns",
    vlan "vlan",
    link "link",
    mac "mac",
} }

/// A route of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostRoute {
    /// `default`, or a range.
    pub to: String,
    /// The next hop.
    pub via: Option<IpAddr>,
    /// The interface.
    pub dev: Option<String>,
    /// The source address to prefer.
    pub src: Option<IpAddr>,
    /// Metric.
    pub metric: Option<u32>,
    /// Table; else `main`.
    pub table: Option<Value>,
    /// The network namespace.
    pub netns: Option<String>,
}

fields! { strict HostRoute {
    to "to",
    via "via",
    dev "dev",
    src "src",
    metric "metric",
    table "table",
    netns "netns",
} }

/// A listener of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listen {
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// The network namespace; else the host's own.
    pub netns: Option<String>,
    /// What it does: `http`, `echo`, `silent` or `reset`; else `http`.
    pub behavior: Option<Value>,
    /// The address that it is bound to.
    pub address: Option<IpAddr>,
}

fields! { strict Listen {
    port "port" by port,
    protocol "protocol",
    netns "netns",
    behavior "behavior",
    address "address",
} }

/// A switch between machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Network`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What it is.
    pub spec: NetworkSpec,
}

fields! { strict Network {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// What a network is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkSpec {
    /// Its range.
    pub cidr: Option<IpNet>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
}

fields! { strict NetworkSpec {
    cidr "cidr",
    mtu "mtu",
} }

/// A DNS zone outside the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zone {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Zone`.
    pub kind: String,
    /// Metadata; the name is the zone's.
    pub metadata: ObjectMeta,
    /// Its records.
    pub spec: ZoneSpec,
}

fields! { strict Zone {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// A zone's records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneSpec {
    /// The address of its server.
    pub server: Option<IpAddr>,
    /// `NAME TTL TYPE DATA`; `@` is the zone.
    pub records: Vec<String>,
}

fields! { strict ZoneSpec {
    server "server",
    records "records",
} }

/// A named, reversible fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Fault`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What breaks.
    pub spec: FaultSpec,
}

fields! { strict Fault {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// What breaks, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultSpec {
    /// The place: `node:worker-1/eth0`.
    pub at: String,
    /// `down`, `stop`, `loss`, `delay`, `duplicate`, `reorder`, `drop`, `mtu`, `unready`, `stale`, `fill` or `set`.
    pub action: String,
    /// How much.
    pub value: Option<Value>,
}

fields! { strict FaultSpec {
    at "at",
    action "do",
    value "value",
} }

/// Where things are drawn; hints, of no meaning to the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Layout`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// As the scene writes it.
    pub spec: Value,
}

fields! { strict Layout {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }
