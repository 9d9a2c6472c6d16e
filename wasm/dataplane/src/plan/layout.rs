//! Gives out stacks, addresses and cables.

use super::{
    HostNetworkPod, HostPlan, NodeNetwork, NodePlan, PlanData, PodPlan, Role, halted, one_a_family, outside,
};
use crate::dns::{Names, resolved};
use crate::kubelet;
use crate::proxy;
use crate::service_map::Served;
use crate::{cni, made_up};
use hoplab_kernel::ipvs::Scheduler;
use hoplab_kernel::{Fabric, FabricId, NetNsId, PortRef};
use hoplab_objects::Store;
use hoplab_objects::relate::Relations;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::hoplab::{Host, Network};
use hoplab_objects::view::{EndpointSlice, IpFamily, Pod};
use hoplab_source::ObjectKey;
use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::{Name, Unknown};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

/// MTU of a network that says nothing, in bytes.
const MTU_BYTES: u32 = 1500;

/// Makes the plan. What of `before` was made from the very same objects is taken over.
pub(super) fn plan(
    store: &Store,
    settings: &Arc<ClusterSettings>,
    relations: Relations,
    before: Option<&PlanData>,
    restarted: &[ObjectKey],
) -> PlanData {
    let mut unknown = Vec::new();
    let networks = networks(settings);
    let mut roles = vec![Role::Router];
    let kubelet_config = kubelet::Config::of(store);
    let nodes = nodes(settings, &networks, &kubelet_config, &mut roles);
    let (pods, host_network) = pods(store, &nodes, &mut roles, before);
    let hosts = hosts(store, &mut roles);
    let none = Served::default();
    let served = Served::of(store, before.map_or(&none, |before| &before.served));
    let services = Arc::new(served.map());
    let fabrics = fabrics(store, &networks, &nodes, &hosts);
    let cni = cni::by_name(&settings.cni.name);
    what_is_not_modelled(store, settings, cni.is_some(), &mut unknown);
    let earlier = before.map_or(&[][..], |before| &before.proxies);
    let proxies = proxy::of(settings, &services, earlier);
    let mut made = PlanData {
        running: Vec::new(),
        halted: halted::of(store, &proxies, before),
        proxies,
        cni,
        cni_settings: settings.cni.clone(),
        settings: Arc::clone(settings),
        dns_servers: kubelet_config.cluster_dns(store, settings),
        store: store.clone(),
        nodes,
        pods,
        host_network,
        hosts,
        hashes: vec![OnceLock::new(); roles.len()],
        roles,
        fabrics,
        networks,
        services,
        relations,
        names: Names::default(),
        served,
        by_address: OnceLock::new(),
        unknown,
        all_unknown: OnceLock::new(),
        cluster_hash: OnceLock::new(),
        names_hash: OnceLock::new(),
        services_hash: OnceLock::new(),
    };
    made.running = made.running_after(before.map_or(&[], |before| &before.running), restarted);
    made
}

fn next_id(roles: &[Role]) -> NetNsId {
    NetNsId(u32::try_from(roles.len()).unwrap_or(u32::MAX))
}

/// The nodes' networks, one for each family that a node has an address of; IPv4 where there is none.
fn networks(settings: &ClusterSettings) -> Vec<NodeNetwork> {
    let has = |family: &IpFamily| {
        let mut nodes = settings.nodes.iter();
        nodes.any(|node| family.first(&node.addresses).is_some())
    };
    let mut families: Vec<IpFamily> = IpFamily::BOTH.into_iter().filter(has).collect();
    if families.is_empty() {
        families.push(IpFamily::V4);
    }
    let network = |family: &IpFamily| {
        let net = node_network(*family, settings);
        NodeNetwork {
            net,
            gateway: gateway(net, settings),
        }
    };
    families.iter().map(network).collect()
}

/// The nodes' network of a family: 172.18.0.0/16 or fd00:172:18::/64 where all nodes are in it, else the narrowest range
/// of a usual length that holds all of them and no pod or Service.
fn node_network(family: IpFamily, settings: &ClusterSettings) -> IpNet {
    let (default, lengths): (IpNet, &[u8]) = match family {
        IpFamily::V4 => (
            IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(172, 18, 0, 0)), 16),
            &[24, 20, 16, 12, 8, 4, 0],
        ),
        IpFamily::V6 => (
            IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xfd00, 0x172, 0x18, 0, 0, 0, 0, 0)), 64),
            &[64, 56, 48, 32, 16, 0],
        ),
    };
    let addresses: Vec<IpAddr> = settings
        .nodes
        .iter()
        .filter_map(|node| family.first(&node.addresses))
        .collect();
    let holds_all = |net: &IpNet| addresses.iter().all(|address| net.contains(address));
    if holds_all(&default) {
        return default;
    }
    let Some(first) = addresses.first() else {
        return default;
    };
    let ranges = || settings.pod_cidrs.iter().chain(&settings.service_cidrs);
    let candidates: Vec<IpNet> = lengths
        .iter()
        .filter_map(|length| IpNet::new(*first, *length).ok())
        .map(|net| net.trunc())
        .filter(holds_all)
        .collect();
    let apart = candidates
        .iter()
        .find(|net| !ranges().any(|range| range.contains(*net) || net.contains(range)));
    apart.or(candidates.first()).copied().unwrap_or(default)
}

/// The router's address on the nodes' network: the first, or the last when a node has that one.
fn gateway(network: IpNet, settings: &ClusterSettings) -> IpAddr {
    let taken = |address: IpAddr| {
        settings
            .nodes
            .iter()
            .any(|node| node.addresses.contains(&address))
    };
    let (first, last) = match network {
        IpNet::V4(net) => (
            IpAddr::V4(u32::from(net.network()).wrapping_add(1).into()),
            IpAddr::V4(u32::from(net.broadcast()).wrapping_sub(1).into()),
        ),
        IpNet::V6(net) => (
            IpAddr::V6(u128::from(net.network()).wrapping_add(1).into()),
            IpAddr::V6(u128::from(net.broadcast()).wrapping_sub(1).into()),
        ),
    };
    if taken(first) { last } else { first }
}

fn nodes(
    settings: &ClusterSettings,
    networks: &[NodeNetwork],
    kubelet_config: &kubelet::Config,
    roles: &mut Vec<Role>,
) -> Vec<NodePlan> {
    let mut nodes = Vec::new();
    for (index, node) in settings.nodes.iter().enumerate() {
        let netns = next_id(roles);
        roles.push(Role::Node(index));
        let addresses = one_a_family(&node.addresses, |ip| IpFamily::of(*ip));
        // The router serves names: at its address of the node's primary family.
        let family = addresses.first().map(|ip| IpFamily::of(*ip));
        let network = networks
            .iter()
            .find(|network| Some(IpFamily::of(network.gateway)) == family);
        let gateway = network
            .or(networks.first())
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |network| network.gateway);
        nodes.push(NodePlan {
            name: node.name.as_str().into(),
            netns,
            pod_cidrs: one_a_family(&node.pod_cidrs, |range| IpFamily::of(range.addr())),
            mac: IpFamily::V4
                .first(&addresses)
                .map_or_else(|| made_up::mac(&node.name, "eth0"), made_up::mac_of_address),
            addresses,
            files: resolved::files(node.resolv_conf.as_deref(), gateway),
            pods_resolv_conf: kubelet_config.resolv_conf.clone(),
            control_plane: node.is_control_plane(),
            origin: Arc::new(node.origin.clone()),
        });
    }
    nodes
}

/// Pods that run somewhere. Those that have ended gave their address back.
fn pods(
    store: &Store,
    nodes: &[NodePlan],
    roles: &mut Vec<Role>,
    before: Option<&PlanData>,
) -> (Vec<PodPlan>, Vec<HostNetworkPod>) {
    let by_name: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(i, node)| (&*node.name, i))
        .collect();
    let (mut pods, mut host_network) = (Vec::new(), Vec::new());
    let mut known = before.map_or(&[][..], |before| &before.pods).iter().peekable();
    for (object, pod) in store.all::<Pod>() {
        let Some(&node) = by_name.get(pod.spec.node_name.as_str()) else {
            continue;
        };
        if pod.has_ended() {
            continue;
        }
        if pod.spec.host_network {
            host_network.push(HostNetworkPod {
                object: Arc::clone(object),
                pod: Arc::clone(pod),
                node,
            });
            continue;
        }
        let addresses = one_a_family(&pod.addresses(), |ip| IpFamily::of(*ip));
        if addresses.is_empty() {
            continue;
        }
        let netns = next_id(roles);
        roles.push(Role::Pod(pods.len()));
        // What is made of the name alone.
        while known.peek().is_some_and(|old| old.object.key < object.key) {
            known.next();
        }
        let (full_name, veth, mac) = match known.next_if(|old| old.object.key == object.key) {
            Some(old) => (Arc::clone(&old.full_name), Arc::clone(&old.veth), old.mac),
            None => {
                let full_name: Name = object.key.namespaced_name().into();
                let (veth, mac) = (made_up::veth_name(&full_name), made_up::mac(&full_name, "eth0"));
                (full_name, veth, mac)
            }
        };
        pods.push(PodPlan {
            object: Arc::clone(object),
            pod: Arc::clone(pod),
            full_name,
            netns,
            node,
            addresses,
            veth,
            mac,
        });
    }
    (pods, host_network)
}

fn hosts(store: &Store, roles: &mut Vec<Role>) -> Vec<HostPlan> {
    let mut hosts = Vec::new();
    for (object, host) in store.all::<Host>() {
        let name: Name = object.key.name.as_str().into();
        let inner = host
            .spec
            .netns
            .iter()
            .map(|inner| Some(Name::from(inner.as_str())));
        for inner in std::iter::once(None).chain(inner) {
            let netns = next_id(roles);
            roles.push(Role::Host(hosts.len()));
            hosts.push(HostPlan {
                object: Arc::clone(object),
                name: Arc::clone(&name),
                inner,
                netns,
            });
        }
    }
    hosts
}

fn fabrics(store: &Store, networks: &[NodeNetwork], nodes: &[NodePlan], hosts: &[HostPlan]) -> Vec<Fabric> {
    let router = NetNsId(0);
    let empty = |name: &str, cidrs: Vec<IpNet>, open| Fabric {
        name: name.into(),
        cidrs,
        mtu_bytes: MTU_BYTES,
        ports: IndexMap::new(),
        owners: IndexMap::new(),
        open,
    };
    let mut fabrics = vec![
        empty(
            "nodes",
            networks.iter().map(|network| network.net).collect(),
            false,
        ),
        empty("internet", Vec::new(), true),
    ];
    plug(
        &mut fabrics[0],
        outside::inside_mac(networks),
        PortRef {
            netns: router,
            device: outside::INSIDE.into(),
        },
        networks.iter().map(|network| network.gateway),
    );
    plug(
        &mut fabrics[1],
        outside::outside_mac(),
        PortRef {
            netns: router,
            device: outside::OUTSIDE.into(),
        },
        outside::outer_addresses(networks),
    );
    for (object, network) in store.all::<Network>() {
        let at = fabrics
            .iter()
            .position(|fabric| &*fabric.name == object.key.name.as_str())
            .unwrap_or_else(|| {
                fabrics.push(empty(
                    &object.key.name,
                    network.spec.cidr.into_iter().collect(),
                    false,
                ));
                fabrics.len() - 1
            });
        fabrics[at].mtu_bytes = network.spec.mtu.unwrap_or(MTU_BYTES);
    }
    for node in nodes {
        plug(
            &mut fabrics[0],
            node.mac,
            PortRef {
                netns: node.netns,
                device: cni::eth0(),
            },
            node.addresses.iter().copied(),
        );
    }
    for host in hosts {
        for interface in super::hosts::interfaces(host) {
            let Some(network) = &interface.network else {
                continue;
            };
            let Some(fabric) = fabrics
                .iter_mut()
                .find(|fabric| &*fabric.name == network.as_str())
            else {
                continue;
            };
            let device: Name = interface.name.as_str().into();
            let port = PortRef {
                netns: host.netns,
                device,
            };
            plug(
                fabric,
                super::hosts::mac(host, interface),
                port,
                interface.addresses.iter().map(IpNet::addr),
            );
        }
    }
    fabrics
}

fn plug(
    fabric: &mut Fabric,
    mac: hoplab_wire::MacAddr,
    port: PortRef,
    addresses: impl IntoIterator<Item = IpAddr>,
) {
    for address in addresses {
        fabric.owners.entry(address).or_insert(mac);
    }
    fabric.ports.insert(mac, port);
}

/// A network by name.
pub(super) fn fabric_id(fabrics: &[Fabric], name: &str) -> Option<FabricId> {
    let at = fabrics.iter().position(|fabric| &*fabric.name == name)?;
    u32::try_from(at).ok().map(FabricId)
}

/// Settings and objects that could decide and that nothing here knows.
fn what_is_not_modelled(
    store: &Store,
    settings: &ClusterSettings,
    cni_is_known: bool,
    unknown: &mut Vec<Unknown>,
) {
    let mut add = |what: String, why: &str| {
        unknown.push(Unknown {
            what,
            why: why.to_owned(),
        })
    };
    if !cni_is_known && settings.cni.name != "none" {
        add(
            format!("the CNI plug-in {}", settings.cni.name),
            "it is not modelled yet: pods are attached to nothing, and no packet between them is known to pass",
        );
    } else if let (Some(backend), Some(cni)) = (&settings.cni.backend, cni::by_name(&settings.cni.name))
        && !cni.capabilities().backends.contains(&backend.as_str())
    {
        add(
            format!("the backend {backend} of {}", settings.cni.name),
            "it is not modelled yet; what is built is the plug-in's default backend",
        );
    }
    if !proxy::is_known(&settings.proxy.mode) {
        add(
            format!("kube-proxy's mode {}", settings.proxy.mode),
            "it is not modelled yet: nodes have no rules for Services, so no Service address is known to lead anywhere",
        );
    }
    let scheduler = proxy::Settings::of(settings, IpFamily::V4).scheduler;
    if settings.proxy.mode == "ipvs" && Scheduler::by_name(&scheduler).is_none() {
        add(
            format!("the IPVS scheduler {scheduler}"),
            "it is not modelled yet; rr stands in for it",
        );
    }
    let known = [
        "clusterCIDR",
        "iptables",
        "nftables",
        "ipvs",
        "scheduler",
        "masqueradeAll",
        "localhostNodePorts",
        "detectLocal",
        "detectLocalMode",
        "nodePortAddresses",
        "mode",
        "kind",
        "apiVersion",
    ];
    for (name, _) in settings
        .proxy
        .settings
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
    {
        add(
            format!("kube-proxy's setting {name}"),
            "it is not modelled yet and could change the rules for Services",
        );
    }
    for (object, slice) in store.all::<EndpointSlice>() {
        if slice.address_type == "FQDN" {
            add(object.key.to_string(), "endpoints that are names are not proxied");
        }
    }
    for problem in Names::zone_problems(store) {
        add(problem, "the record is left out");
    }
    for (object, host) in store.all::<Host>() {
        for interface in &host.spec.interfaces {
            let type_ = interface.type_.as_deref().unwrap_or_default();
            if !super::hosts::is_modelled(interface) {
                add(
                    format!("interface {} of {}, of type {type_}", interface.name, object.key),
                    "devices of that type are not modelled yet: nothing passes it",
                );
            }
        }
    }
}
