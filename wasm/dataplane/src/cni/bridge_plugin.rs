//! The reference bridge plug-in with host-local addresses, which Flannel delegates to.
//! Models containernetworking/plugins plugins/main/bridge/bridge.go and pkg/ip/link_linux.go (v1.9).

use super::{ClusterView, cni0, eth0};
use crate::made_up;
use crate::plan::PodPlan;
use crate::stack_builder::{RouteSpec, StackBuilder, default_route_of};
use hoplab_kernel::NetNsId;
use hoplab_kernel::net::PortRef;
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
    let Some(pod_cidr) = this.pod_cidr else { return };
    let Some(gateway) = gateway(pod_cidr) else { return };
    let mut pods = cluster.pods_on(node).peekable();
    if pods.peek().is_none() {
        return;
    }
    let bridge = cni0();
    let origin = cluster.settings_origin(config.writer);
    let address = IpNet::new(gateway, pod_cidr.prefix_len()).unwrap_or(pod_cidr);
    stack.stamp(&origin).bridge(
        &bridge,
        made_up::mac(&this.name, "cni0"),
        config.mtu_bytes,
        &[address],
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
        stamp.neighbour(&bridge, pod.address, pod.mac, false);
        if !pod_cidr.contains(&pod.address) {
            // Differs: host-local gives no address outside the node's range. One that the scenario fixes is made to
            // work as well as it can: the node has a route to it.
            let origin = pod.origin("status.podIP", config.writer);
            stack
                .stamp(&origin)
                .route(RouteSpec::on_link(pod.address.into(), &bridge));
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
    let Some(pod_cidr) = this.pod_cidr else { return };
    let inside = pod_cidr.contains(&pod.address);
    let prefix = if inside {
        pod_cidr.prefix_len()
    } else {
        IpNet::from(pod.address).prefix_len()
    };
    let address = IpNet::new(pod.address, prefix).unwrap_or_else(|_| pod.address.into());
    let mut stamp = stack.stamp(&origin);
    stamp.veth(&device, peer, pod.mac, config.mtu_bytes, &[address]);
    let Some(gateway) = gateway(pod_cidr) else { return };
    for prefix in std::iter::once(default_route_of(gateway)).chain(routes.iter().copied()) {
        let route = RouteSpec::via(prefix, gateway, &device);
        stamp.route(if inside { route } else { route.onlink() });
    }
    stamp.neighbour(&device, gateway, made_up::mac(&this.name, "cni0"), false);
}

/// The origin of what belongs to another node.
pub fn node_origin(node: &Origin, writer: &'static str) -> Arc<Origin> {
    Arc::new(Origin {
        writer: writer.into(),
        ..node.clone()
    })
}
