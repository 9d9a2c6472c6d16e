//! The reference bridge plug-in alone, with host-local addresses and ipMasq.
//!
//! It joins the pods of one node and writes no route to another node's pods: that is left to whoever runs the
//! network (a cloud's route controller, static routes, kindnetd). No such party is part of this sibling, so pods of
//! other nodes are not reachable.

use super::bridge_plugin::{self, BridgeConfig};
use super::{Capabilities, ClusterView, Cni};
use crate::made_up;
use crate::plan::PodPlan;
use crate::rules::{host, multicast, rule};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::{TableName, Target};
use hoplab_objects::view::IpFamily;
use ipnet::IpNet;
use sha2::{Digest, Sha512};

/// Who writes.
const WRITER: &str = "bridge-cni";
/// The network's name in its configuration.
const NETWORK: &str = "k8s-pod-network";

/// The bridge plug-in alone.
pub struct BridgeOnly;

impl BridgeOnly {
    fn config(&self, cluster: ClusterView<'_>) -> BridgeConfig {
        BridgeConfig {
            mtu_bytes: self.pod_mtu_bytes(cluster),
            hairpin: true,
            writer: WRITER,
        }
    }
}

impl Cni for BridgeOnly {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            enforces_network_policy: false,
            joins_nodes: false,
            backends: &[],
        }
    }

    fn pod_mtu_bytes(&self, cluster: ClusterView<'_>) -> u32 {
        cluster.settings.mtu.unwrap_or(cluster.node_mtu_bytes)
    }

    fn program_node(&self, cluster: ClusterView<'_>, node: usize, stack: &mut StackBuilder) {
        bridge_plugin::program_node(cluster, node, self.config(cluster), stack);
        for range in &cluster.nodes[node].pod_cidrs {
            for pod in cluster.pods_on(node) {
                masquerade(pod, *range, stack);
            }
        }
    }

    fn program_pod(&self, cluster: ClusterView<'_>, pod: usize, stack: &mut StackBuilder) {
        let pod = &cluster.pods[pod];
        let node = cluster.nodes[pod.node].netns;
        bridge_plugin::program_pod(cluster, pod, node, &[], self.config(cluster), stack);
    }
}

/// A chain per pod that masquerades what leaves the node's range of a family.
/// Models containernetworking/plugins pkg/ip/ipmasq_iptables_linux.go SetupIPMasq.
fn masquerade(pod: &PodPlan, range: IpNet, stack: &mut StackBuilder) {
    let family = IpFamily::of(range.addr());
    let Some(address) = pod.address(family) else {
        return;
    };
    let id = made_up::container_id(&pod.full_name);
    let name = chain_name(NETWORK, &id);
    let comment = format!("name: \"{NETWORK}\" id: \"{id}\"");
    let origin = pod.origin("metadata.name", WRITER);
    let mut stamp = stack.stamp(&origin).of(family);
    let accept = rule()
        .dst(range.trunc())
        .comment_text(&comment)
        .target(Target::Accept, &origin);
    stamp.append(TableName::Nat, &name, accept);
    let masquerade = Target::Masquerade { random_fully: false };
    stamp.append(
        TableName::Nat,
        &name,
        rule()
            .not_dst(multicast(family))
            .comment_text(&comment)
            .target(masquerade, &origin),
    );
    let jump = rule()
        .src(host(address))
        .comment_text(&comment)
        .jump(&name.as_str().into(), &origin);
    stamp.append(TableName::Nat, "POSTROUTING", jump);
}

/// `CNI-` and 24 digits of the SHA-512 sum of network name and container id.
/// Source: containernetworking/plugins pkg/utils/utils.go FormatChainName.
fn chain_name(network: &str, container: &str) -> String {
    let sum = Sha512::digest(format!("{network}{container}"));
    let digits: String = sum.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("CNI-{digits}")
}

#[cfg(test)]
mod tests {
    use super::chain_name;

    #[test]
    fn chain_names_fit_iptables() {
        // Source: pkg/utils/utils_test.go "must format a short name".
        assert_eq!(chain_name("test", "1234"), "CNI-2bbe0c48b91a7d1b8a6753a8");
    }
}
