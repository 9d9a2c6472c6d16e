//! Load balancers outside the nodes: which nodes take an address, and a cloud's balancer, which sends to node ports.
//!
//! Models MetalLB 0.15 (speaker/layer2_controller.go and bgp_controller.go ShouldAnnounce) and what cloud controllers
//! set up (k8s.io/cloud-provider service controller; health checks of kube-proxy's /healthz, or of
//! healthCheckNodePort under the policy Local).

use super::{NodePlan, PlanData};
use crate::rules::{host, rule};
use crate::service_map::ServicePort;
use crate::stack_builder::{StackBuilder, Stamp};
use hoplab_kernel::nf::{CtStateName, TableName, Target};
use hoplab_objects::view::IpFamily;
use hoplab_source::{FieldPath, Origin};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;

/// Source: k8s.io/api core/v1 LabelNodeExcludeBalancers; kubeadm sets it on control-plane nodes.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Who writes a cloud's balancer.
const CLOUD: &str = "cloud-controller-manager";

impl PlanData {
    /// Nodes that outside traffic of a Service is sent to: all that balancers may use; with
    /// `externalTrafficPolicy: Local` those with an endpoint of their own.
    fn nodes_of(&self, port: &ServicePort) -> Vec<&NodePlan> {
        let excluded = |name: &str| {
            let node = self.settings.node(name);
            node.is_some_and(|node| node.is_control_plane() || node.labels.contains_key(EXCLUDED))
        };
        let all_excluded = self.nodes.iter().all(|node| excluded(&node.name));
        let family = port.family();
        let local = |node: &NodePlan| {
            let view = self.proxied(node, family, &[]);
            !port.categorized(&view).local.is_empty()
        };
        let usable = self
            .nodes
            .iter()
            .filter(|node| all_excluded || !excluded(&node.name));
        usable
            .filter(|node| !port.external_local || local(node))
            .filter(|node| node.address(family).is_some())
            .collect()
    }

    /// The nodes that an address of a Service leads to: of MetalLB in L2 mode the one that answers for it.
    pub(super) fn nodes_that_take(&self, port: &ServicePort, address: IpAddr) -> Vec<&NodePlan> {
        let nodes = self.nodes_of(port);
        let balancer = &self.settings.load_balancer;
        if balancer.provider != "metallb" || !port.load_balancer_ips.contains(&address) {
            return nodes;
        }
        // Neither mode announces a Service without a ready endpoint.
        if !port.endpoints.iter().any(|endpoint| endpoint.ready) {
            return Vec::new();
        }
        if balancer.mode == "l2" {
            let digest = |node: &&NodePlan| Sha256::digest(format!("{}#{address}", node.name));
            return nodes.into_iter().min_by_key(digest).into_iter().collect();
        }
        nodes
    }

    /// A cloud's balancer, on the router: each address and port is sent on to node ports of healthy nodes. The
    /// client's address is kept, but for clients on the nodes' own network, whose answers would take a shorter way.
    pub(super) fn cloud_balancer(&self, stack: &mut StackBuilder) {
        let ports = self.services.ports.iter();
        let balanced: Vec<&Arc<ServicePort>> = ports.filter(|port| !port.balancer_ips.is_empty()).collect();
        if balanced.is_empty() {
            return;
        }
        let origin = Arc::new(Origin::by(CLOUD));
        for network in &self.networks {
            let back = rule()
                .src(network.net)
                .comment_text("clients beside the nodes")
                .ct_state(&[CtStateName::Dnat])
                .target(Target::Masquerade { random_fully: false }, &origin);
            let mut stamp = stack.stamp(&origin).of(IpFamily::of(network.gateway));
            stamp.append(TableName::Nat, "POSTROUTING", back);
        }
        for port in balanced {
            let mut stamp = stack.stamp(&origin).of(port.family());
            for address in &port.balancer_ips {
                self.balance(port, *address, &mut stamp);
            }
        }
    }

    fn balance(&self, port: &ServicePort, address: IpAddr, stamp: &mut Stamp<'_>) {
        let to_port = || {
            rule()
                .dst(host(address))
                .protocol(port.protocol)
                .dport(port.protocol, port.port)
        };
        let origin = port.origin(FieldPath::parse("spec.loadBalancerSourceRanges"), CLOUD);
        if !port.source_ranges.is_empty() {
            let name = format!("RANGES-{address}:{}", port.port);
            stamp.append(
                TableName::Raw,
                "PREROUTING",
                to_port().jump(&name.as_str().into(), &origin),
            );
            for range in &port.source_ranges {
                let found = rule().src(range.trunc());
                stamp.append(TableName::Raw, &name, found.target(Target::Return, &origin));
            }
            stamp.append(TableName::Raw, &name, rule().target(Target::Drop, &origin));
        }
        let origin = port.origin(FieldPath::parse("status.loadBalancer.ingress"), CLOUD);
        let Some(node_port) = port.node_port else {
            let found = to_port().comment_text("no node ports to send to");
            stamp.append(TableName::Raw, "PREROUTING", found.target(Target::Drop, &origin));
            return;
        };
        let nodes = self.nodes_of(port);
        for (n, node) in nodes.iter().enumerate() {
            let Some(to) = node.address(port.family()) else {
                continue;
            };
            let found = to_port().comment_text(&format!("{} -> {}:{node_port}", port.full_name(), node.name));
            let rest = nodes.len() - n;
            let found = if rest > 1 {
                found.probability(1.0 / rest as f64)
            } else {
                found
            };
            let target = Target::Dnat {
                to,
                port: Some(node_port),
            };
            stamp.append(TableName::Nat, "PREROUTING", found.target(target, &origin));
        }
        if nodes.is_empty() {
            let found = to_port().comment_text("no healthy node");
            stamp.append(TableName::Raw, "PREROUTING", found.target(Target::Drop, &origin));
        }
    }
}
