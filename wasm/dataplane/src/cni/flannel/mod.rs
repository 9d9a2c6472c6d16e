//! Flannel, backends vxlan and host-gw, for each IP family that the cluster has (`EnableIPv4`, `EnableIPv6`).
//! Models flannel-io/flannel pkg/backend/{vxlan,hostgw} and pkg/trafficmngr/iptables (v0.28), and its CNI plug-in, which
//! delegates to the bridge plug-in (flannel-io/cni-plugin, kube-flannel.yml: hairpinMode, isDefaultGateway).

mod firewall;

use super::bridge_plugin::{self, BridgeConfig};
use super::{Capabilities, ClusterView, Cni, eth0};
use crate::made_up;
use crate::plan::NodePlan;
use crate::stack_builder::{RouteSpec, StackBuilder};
use hoplab_kernel::interface::{InterfaceKind, VxlanDevice};
use hoplab_objects::view::IpFamily;
use hoplab_source::collections::IndexMap;
use ipnet::IpNet;
use std::sync::Arc;

/// Who writes.
const WRITER: &str = "flanneld";
/// Bytes that VXLAN adds: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14.
const VXLAN_OVERHEAD_BYTES: u32 = 50;
/// The same with an outer IPv6 header of 40 bytes.
const VXLAN6_OVERHEAD_BYTES: u32 = 70;
/// Source: pkg/backend/vxlan/vxlan.go defaultVNI.
const VNI: u32 = 1;
/// The kernel's own default, which Flannel leaves.
const PORT: u16 = 8472;

/// Flannel.
pub struct Flannel;

impl Flannel {
    fn config(&self, cluster: ClusterView<'_>) -> BridgeConfig {
        BridgeConfig {
            mtu_bytes: self.pod_mtu_bytes(cluster),
            hairpin: true,
            writer: "flannel-cni",
        }
    }

    fn is_vxlan(&self, cluster: ClusterView<'_>) -> bool {
        cluster.backend(self.capabilities()) == Some("vxlan")
    }
}

impl Cni for Flannel {
    fn name(&self) -> &'static str {
        "flannel"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            enforces_network_policy: false,
            joins_nodes: true,
            backends: &["vxlan", "host-gw"],
        }
    }

    fn pod_mtu_bytes(&self, cluster: ClusterView<'_>) -> u32 {
        let overhead = if self.is_vxlan(cluster) {
            VXLAN_OVERHEAD_BYTES
        } else {
            0
        };
        cluster
            .settings
            .mtu
            .unwrap_or(cluster.node_mtu_bytes.saturating_sub(overhead))
    }

    fn program_node(&self, cluster: ClusterView<'_>, node: usize, stack: &mut StackBuilder) {
        let this = &cluster.nodes[node];
        for family in IpFamily::BOTH {
            if self.is_vxlan(cluster) {
                vxlan(cluster, family, node, self.pod_mtu_bytes(cluster), stack);
            } else {
                host_gw(cluster, family, node, stack);
            }
            if let (Some(cluster_cidr), Some(pod_cidr)) =
                (cluster.cluster_cidr(family), this.pod_cidr(family))
            {
                firewall::write(cluster_cidr, pod_cidr, &cluster.settings_origin(WRITER), stack);
            }
        }
        bridge_plugin::program_node(cluster, node, self.config(cluster), stack);
    }

    fn program_pod(&self, cluster: ClusterView<'_>, pod: usize, stack: &mut StackBuilder) {
        let pod = &cluster.pods[pod];
        let node = cluster.nodes[pod.node].netns;
        // The CNI plug-in adds the cluster's range to the routes. Source: flannel_linux.go getDelegateIPAM.
        bridge_plugin::program_pod(
            cluster,
            pod,
            node,
            cluster.cluster_cidrs,
            self.config(cluster),
            stack,
        );
    }
}

/// Addresses outside a node's range that the scenario gives to its pods.
fn stray(cluster: ClusterView<'_>, node: &NodePlan, range: IpNet) -> impl Iterator<Item = IpNet> {
    let (pods, netns, family) = (cluster.pods, node.netns, IpFamily::of(range.addr()));
    pods.iter()
        .filter(move |pod| cluster.nodes[pod.node].netns == netns)
        .filter_map(move |pod| pod.address(family))
        .filter(move |address| !range.contains(address))
        .map(IpNet::from)
}

/// `flannel.1` or `flannel-v6.1`, and for each other node a route, a neighbour entry and a MAC table entry.
/// Source: vxlan.go RegisterNetwork, vxlan_network.go handleSubnetEvents.
fn vxlan(
    cluster: ClusterView<'_>,
    family: IpFamily,
    node: usize,
    pod_mtu_bytes: u32,
    stack: &mut StackBuilder,
) {
    let this = &cluster.nodes[node];
    let (Some(local), Some(range)) = (this.address(family), this.pod_cidr(family)) else {
        return;
    };
    let (device, room_bytes) = match family {
        IpFamily::V4 => (format!("flannel.{VNI}"), VXLAN_OVERHEAD_BYTES),
        IpFamily::V6 => (format!("flannel-v6.{VNI}"), VXLAN6_OVERHEAD_BYTES),
    };
    let device: hoplab_trace::Name = device.into();
    // Flannel asks for the same of both; the kernel gives what the card below leaves (vxlan_core.c vxlan_config_apply).
    let mtu_bytes = pod_mtu_bytes.min(cluster.node_mtu_bytes.saturating_sub(room_bytes));
    let kind = InterfaceKind::Vxlan(VxlanDevice {
        vni: VNI,
        port: PORT,
        local,
        lower: eth0(),
        learning: false,
        fdb: IndexMap::new(),
    });
    let address = IpNet::from(range.network());
    let origin = cluster.settings_origin(WRITER);
    stack.stamp(&origin).interface(
        &device,
        kind,
        made_up::mac(&this.name, &device),
        mtu_bytes,
        &[address],
    );
    for other in cluster.others(node) {
        let (Some(remote), Some(range)) = (other.address(family), other.pod_cidr(family)) else {
            continue;
        };
        let origin = bridge_plugin::node_origin(&other.origin, WRITER);
        let mac = made_up::mac(&other.name, &device);
        let mut stamp = stack.stamp(&origin);
        for prefix in std::iter::once(range).chain(stray(cluster, other, range)) {
            stamp.route(RouteSpec::via(prefix.trunc(), range.network(), &device).onlink());
        }
        stamp.neighbour(&device, range.network(), mac, true);
        stamp.fdb(&device, mac, &Arc::clone(&device), Some(remote), true);
    }
}

/// A route to each other node's range through the node itself. Source: hostgw_network_unix.go.
fn host_gw(cluster: ClusterView<'_>, family: IpFamily, node: usize, stack: &mut StackBuilder) {
    let device = eth0();
    for other in cluster.others(node) {
        let (Some(remote), Some(range)) = (other.address(family), other.pod_cidr(family)) else {
            continue;
        };
        let origin = bridge_plugin::node_origin(&other.origin, WRITER);
        let mut stamp = stack.stamp(&origin);
        for prefix in std::iter::once(range).chain(stray(cluster, other, range)) {
            stamp.route(RouteSpec::via(prefix.trunc(), remote, &device));
        }
    }
}
