//! What is around a cluster: the router between the nodes and the Internet, and undeclared hosts out there.
//!
//! ```text
//! nodes ── 172.18.0.0/16 ── in0 [router] out0 ── internet: any address that nothing else in the world has
//! ```
//!
//! The router knows the nodes' network, sends load-balancer and external addresses of Services to nodes (several:
//! equal shares, as BGP speakers on all of them make it), and knows no way to pods and ClusterIPs. A cloud's balancer is
//! on it.

use super::{INTERNET, NODES, NodeNetwork, NodePlan, PlanData};
use crate::apps;
use crate::cni::eth0;
use crate::dns;
use crate::made_up;
use crate::rules::host;
use crate::stack_builder::{RouteSpec, StackBuilder, default_route_of};
use hoplab_kernel::fib::NextHop;
use hoplab_kernel::{FabricId, NetNs, NetNsId};
use hoplab_objects::view::IpFamily;
use hoplab_source::collections::IndexMap;
use hoplab_source::{FieldPath, Origin};
use hoplab_trace::{Name, Place};
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The router's name.
pub(super) const ROUTER: &str = "router";
/// Its interface on the nodes' network.
pub(super) const INSIDE: &str = "in0";
/// Its interface on the Internet.
pub(super) const OUTSIDE: &str = "out0";
/// Its address on the Internet: of the range that providers use between themselves and customers (RFC 6598).
const OUTER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 1));
/// The same of IPv6, where the nodes have IPv6: of the range of documentation (RFC 3849).
const OUTER_V6_ADDRESS: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 1));
/// Who writes what nobody asked for.
const WRITER: &str = "default world";
/// Link address of the router's inside.
pub(super) fn inside_mac(networks: &[NodeNetwork]) -> MacAddr {
    let gateways = || networks.iter().map(|network| network.gateway);
    let address = gateways().find(IpAddr::is_ipv4).or(gateways().next());
    address.map_or_else(|| made_up::mac(ROUTER, INSIDE), made_up::mac_of_address)
}

/// The router's addresses on the Internet: always one of IPv4, and one of IPv6 where the nodes have that.
pub(super) fn outer_addresses(networks: &[NodeNetwork]) -> impl Iterator<Item = IpAddr> {
    let v6 = networks.iter().any(|network| network.gateway.is_ipv6());
    [Some(OUTER_ADDRESS), v6.then_some(OUTER_V6_ADDRESS)]
        .into_iter()
        .flatten()
}

/// Link address of the router's outside.
pub(super) fn outside_mac() -> MacAddr {
    made_up::mac(ROUTER, OUTSIDE)
}

impl PlanData {
    /// The router.
    pub(super) fn router(&self) -> NetNs {
        let mut stack = StackBuilder::new(Place::Router(ROUTER.into()));
        let sysctls = &mut stack.netns().sysctls;
        sysctls.ip_forward = true;
        sysctls.ipv6_forwarding = self.gateways().any(|gateway| gateway.is_ipv6());
        let origin = Arc::new(Origin::by(WRITER));
        let (inside, outside): (Name, Name) = (INSIDE.into(), OUTSIDE.into());
        let mut stamp = stack.stamp(&origin);
        let joined = |network: &NodeNetwork| IpNet::new(network.gateway, network.net.prefix_len()).ok();
        let addresses: Vec<IpNet> = self.networks.iter().filter_map(joined).collect();
        let outer: Vec<IpAddr> = outer_addresses(&self.networks).collect();
        let outer_nets: Vec<IpNet> = outer.iter().map(|address| host(*address)).collect();
        let mtu = |fabric: FabricId| self.fabrics[fabric.0 as usize].mtu_bytes;
        let mac = inside_mac(&self.networks);
        stamp.physical(&inside, NODES, mac, mtu(NODES), &addresses);
        stamp.physical(&outside, INTERNET, outside_mac(), mtu(INTERNET), &outer_nets);
        for address in &outer {
            stamp.route(RouteSpec::on_link(default_route_of(*address), &outside));
        }
        // Private ranges are not routed on the Internet (RFC 1918 §3, RFC 4193 §4.1), and nobody told the router where
        // these are.
        let ranges = self.settings.pod_cidrs.iter().chain(&self.settings.service_cidrs);
        let same = |a: &IpNet, b: &IpAddr| a.addr().is_ipv4() == b.is_ipv4();
        for range in ranges.filter(|range| outer.iter().any(|own| same(range, own))) {
            stamp.unreachable(range.trunc());
        }
        for node in &self.nodes {
            for address in &node.addresses {
                stamp.neighbour(&inside, *address, node.mac, false);
            }
        }
        for listener in dns::resolver(&self.names, &self.store) {
            stamp.listen(listener);
        }
        for (address, (origin, hops)) in self.ways_in() {
            let nodes: Vec<&NodePlan> = self
                .nodes
                .iter()
                .filter(|node| hops.contains(&node.netns))
                .collect();
            let mut stamp = stack.stamp(&origin);
            if self.networks.iter().any(|network| network.net.contains(&address)) {
                // On the nodes' own network the node that takes it answers for it.
                if let [node] = nodes.as_slice() {
                    stamp.neighbour(&inside, address, node.mac, false);
                }
                continue;
            }
            let hops = nodes.iter().map(|node| NextHop {
                via: node.address(IpFamily::of(address)),
                device: Arc::clone(&inside),
                weight: 1,
                onlink: false,
            });
            let hops: Vec<NextHop> = hops.collect();
            if hops.is_empty() {
                stamp.unreachable(host(address))
            } else {
                stamp.multipath(host(address), hops)
            }
        }
        self.cloud_balancer(&mut stack);
        stack.finish()
    }

    /// Load-balancer and external addresses of Services, each with the nodes that take it.
    fn ways_in(&self) -> IndexMap<IpAddr, (Arc<Origin>, Vec<NetNsId>)> {
        let mut ways: IndexMap<IpAddr, (Arc<Origin>, Vec<NetNsId>)> = IndexMap::new();
        for port in &self.services.ports {
            let balanced = port
                .load_balancer_ips
                .iter()
                .enumerate()
                .map(|(i, ip)| (*ip, "status.loadBalancer.ingress", i));
            let external = port
                .external_ips
                .iter()
                .enumerate()
                .map(|(i, ip)| (*ip, "spec.externalIPs", i));
            for (address, list, index) in balanced.chain(external) {
                let origin = port.origin(FieldPath::parse(list).index(index), WRITER);
                let (_, hops) = ways.entry(address).or_insert_with(|| (origin, Vec::new()));
                for node in self.nodes_that_take(port, address) {
                    if !hops.contains(&node.netns) {
                        hops.push(node.netns);
                    }
                }
            }
        }
        ways
    }

    /// An undeclared host outside: any address that nothing else of the world has. It answers on every port.
    pub(super) fn external(&self, fabric: FabricId, address: IpAddr) -> Option<(NetNs, MacAddr, Name)> {
        if fabric != INTERNET || self.is_taken(address) {
            return None;
        }
        // Where nothing else speaks IPv6 nobody out there does.
        let gateway = outer_addresses(&self.networks).find(|own| own.is_ipv4() == address.is_ipv4())?;
        let mut stack = StackBuilder::new(Place::External(address));
        let origin = Arc::new(Origin::by(WRITER));
        let (device, mac) = (eth0(), made_up::mac_of_external(address));
        let mut stamp = stack.stamp(&origin);
        stamp.physical(
            &device,
            INTERNET,
            mac,
            self.fabrics[INTERNET.0 as usize].mtu_bytes,
            &[host(address)],
        );
        stamp.route(RouteSpec::via(default_route_of(address), gateway, &device).onlink());
        stamp.neighbour(&device, gateway, outside_mac(), false);
        let servers = dns::is_zone_server(&self.names, &self.store, address)
            .then(|| dns::zone_server(&self.names, &self.store, address));
        for listener in servers.into_iter().flatten().chain(apps::outside(address)) {
            stamp.listen(listener);
        }
        stack
            .netns()
            .files
            .insert("/etc/resolv.conf".to_owned(), format!("nameserver {gateway}\n"));
        Some((stack.finish(), mac, device))
    }

    /// Whether an address is of a range of this world, or none that a machine on the Internet can have.
    fn is_taken(&self, address: IpAddr) -> bool {
        let nobodys = match address {
            IpAddr::V4(ip) => ip.is_link_local() || ip.octets()[0] >= 240 || ip.octets()[0] == 0,
            IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some(),
        };
        let ranges = self.settings.pod_cidrs.iter().chain(&self.settings.service_cidrs);
        let declared = self.fabrics.iter().flat_map(|fabric| &fabric.cidrs);
        let balanced = self
            .settings
            .load_balancer
            .addresses
            .iter()
            .any(|range| range.contains(address));
        nobodys
            || address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || balanced
            || self.owner_of(address).is_some()
            || ranges.chain(declared).any(|range| range.contains(&address))
    }
}
