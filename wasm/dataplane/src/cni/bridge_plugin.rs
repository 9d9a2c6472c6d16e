//! The reference bridge plug-in with host-local addresses, which Flannel delegates to.
//! Models containernetworking/plugins plugins/main/bridge/bridge.go and pkg/ip/link_linux.go (v1.9).

use super::{ClusterView, cni0, eth0};
use crate::made_up;
use crate::plan::PodPlan;
use crate::stack_builder::{RouteSpec, StackBuilder, default_route_of};
use hoplab_kernel::NetNsId;
use hoplab_kernel::net::PortRef;
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// Settings of the plug-in's network configuration.
#[derive(Clone, Copy, Debug)]
pub struct BridgeConfig {
    /// MTU in bytes.
    pub mtu_bytes: u32,
    /// `hairpinMode`.
    pub hairpin: bool,
    /// The agent in whose name it is called.
    pub writer: &'static str,
}

/// The address of a node's bridge: the first of the node's range. Source: bridge.go calcGatewayIP.
pub fn gateway(pod_cidr: IpNet) -> Option<IpAddr> {
    match pod_cidr.network() {
        IpAddr::V4(first) => Some(IpAddr::V4(u32::from(first).checked_add(1)?.into())),
        IpAddr::V6(first) => Some(IpAddr::V6(u128::from(first).checked_add(1)?.into())),
    }
}

/// Makes `cni0` and the node's ends of its pods' cables. Without a pod there is no bridge: the plug-in makes it
/// when the first pod comes.
pub fn program_node(cluster: ClusterView<'_>, node: usize, config: BridgeConfig, stack: &mut StackBuilder) {
    let this = &cluster.nodes[node];
    let sysctls = &mut stack.netns().sysctls;
    // Source: pkg/ip/ipforward_linux.go EnableForward, for each family that a pod has; the rest is of the node's setup.
    sysctls.ip_forward = true;
    sysctls.ipv6_forwarding = this.pod_cidr(IpFamily::V6).is_some();
    sysctls.bridge_nf_call_iptables = true;
    let own = |range: &IpNet| IpNet::new(gateway(*range)?, range.prefix_len()).ok();
    let addresses: Vec<IpNet> = this.pod_cidrs.iter().filter_map(own).collect();
    if addresses.is_empty() {
        return;
    }
    let mut pods = cluster.pods_on(node).peekable();
    if pods.peek().is_none() {
        return;
    }
    let bridge = cni0();
    let origin = cluster.settings_origin(config.writer);
    stack.stamp(&origin).bridge(
        &bridge,
        made_up::mac(&this.name, "cni0"),
        config.mtu_bytes,
        &addresses,
    );
    for pod in pods {
        let origin = pod.origin("metadata.name", config.writer);
        let mut stamp = stack.stamp(&origin);
        let peer = PortRef {
            netns: pod.netns,
            device: eth0(),
        };
        let port = stamp.veth(
            &pod.veth,
            peer,
            made_up::mac(&pod.full_name, &pod.veth),
            config.mtu_bytes,
            &[],
        );
        port.master = Some(Arc::clone(&bridge));
        port.hairpin = config.hairpin;
        stamp.fdb(&bridge, pod.mac, &pod.veth, None, false);
        for address in &pod.addresses {
            stamp.neighbour(&bridge, *address, pod.mac, false);
        }
        for address in pod.addresses.iter().filter(|address| !this.gives(**address)) {
            // Differs: host-local gives no address outside the node's range. One that the scenario fixes is made to
            // work as well as it can: the node has a route to it.
            let origin = pod.origin("status.podIP", config.writer);
            stack
                .stamp(&origin)
                .route(RouteSpec::on_link((*address).into(), &bridge));
        }
    }
}

/// Makes a pod's `eth0` with its routes: the default one, and those that `routes` names, all through the bridge.
pub fn program_pod(
    cluster: ClusterView<'_>,
    pod: &PodPlan,
    node_netns: NetNsId,
    routes: &[IpNet],
    config: BridgeConfig,
    stack: &mut StackBuilder,
) {
    let this = &cluster.nodes[pod.node];
    let device = eth0();
    let origin = pod.origin("metadata.name", config.writer);
    let peer = PortRef {
        netns: node_netns,
        device: Arc::clone(&pod.veth),
    };
    // An address with the length of the node's range, if that gave it.
    let net = |address: &IpAddr| {
        let range = this.pod_cidr(IpFamily::of(*address))?;
        let length = range.prefix_len();
        Some(if range.contains(address) {
            IpNet::new(*address, length).unwrap_or_else(|_| (*address).into())
        } else {
            (*address).into()
        })
    };
    let addresses: Vec<IpNet> = pod.addresses.iter().filter_map(net).collect();
    if addresses.is_empty() {
        return;
    }
    let mut stamp = stack.stamp(&origin);
    stamp.veth(&device, peer, pod.mac, config.mtu_bytes, &addresses);
    for address in &pod.addresses {
        let family = IpFamily::of(*address);
        let Some(gateway) = this.pod_cidr(family).and_then(gateway) else {
            continue;
        };
        let own = routes
            .iter()
            .copied()
            .filter(|net| IpFamily::of(net.addr()) == family);
        for prefix in std::iter::once(default_route_of(gateway)).chain(own) {
            let route = RouteSpec::via(prefix, gateway, &device);
            stamp.route(if this.gives(*address) {
                route
            } else {
                route.onlink()
            });
        }
        stamp.neighbour(&device, gateway, made_up::mac(&this.name, "cni0"), false);
    }
}

/// The origin of what belongs to another node.
pub fn node_origin(node: &Origin, writer: &'static str) -> Arc<Origin> {
    Arc::new(Origin {
        writer: writer.into(),
        ..node.clone()
    })
}
