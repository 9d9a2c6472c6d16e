//! CNI plug-ins: how pods are attached to their node, and how nodes reach each other's pods. One folder each.

pub mod bridge;
mod bridge_plugin;
pub mod flannel;

use crate::plan::{NodePlan, PodPlan};
use crate::stack_builder::StackBuilder;
use hoplab_objects::settings::CniSettings;
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::sync::Arc;

/// What the nodes of a cluster have to do with each other, as an agent of the plug-in sees it.
#[derive(Clone, Copy)]
pub struct ClusterView<'p> {
    /// All nodes, in order.
    pub nodes: &'p [NodePlan],
    /// All pods that have an address of their own, in order.
    pub pods: &'p [PodPlan],
    /// The ranges of pods, one a family, the primary one first.
    pub cluster_cidrs: &'p [IpNet],
    /// MTU of the network that joins the nodes, in bytes.
    pub node_mtu_bytes: u32,
    /// The plug-in's settings.
    pub settings: &'p CniSettings,
}

/// What a plug-in can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it enforces NetworkPolicy.
    pub enforces_network_policy: bool,
    /// Whether pods of different nodes reach each other.
    pub joins_nodes: bool,
    /// Backends, the default one first; empty: it has none.
    pub backends: &'static [&'static str],
}

/// A CNI plug-in with its agent.
pub trait Cni: Sync {
    /// As `spec.cni.name` spells it.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// MTU of pods, in bytes.
    fn pod_mtu_bytes(&self, cluster: ClusterView<'_>) -> u32;

    /// What it makes on a node (by its place in `cluster.nodes`), with the node's ends of its pods' cables.
    fn program_node(&self, cluster: ClusterView<'_>, node: usize, stack: &mut StackBuilder);

    /// What it makes in a pod (by its place in `cluster.pods`).
    fn program_pod(&self, cluster: ClusterView<'_>, pod: usize, stack: &mut StackBuilder);
}

/// Every plug-in that is modelled.
pub static REGISTRY: &[&dyn Cni] = &[&flannel::Flannel, &bridge::BridgeOnly];

/// The plug-in of this name; `None`: not modelled, or `none`.
pub fn by_name(name: &str) -> Option<&'static dyn Cni> {
    REGISTRY.iter().copied().find(|cni| cni.name() == name)
}

impl<'p> ClusterView<'p> {
    /// Pods on a node, in order.
    fn pods_on(self, node: usize) -> impl Iterator<Item = &'p PodPlan> {
        self.pods.iter().filter(move |pod| pod.node == node)
    }

    /// The range of pods of a family.
    fn cluster_cidr(self, family: IpFamily) -> Option<IpNet> {
        family.range(self.cluster_cidrs)
    }

    /// The other nodes, in order.
    fn others(self, node: usize) -> impl Iterator<Item = &'p NodePlan> {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(i, _)| *i != node)
            .map(|(_, other)| other)
    }

    /// The backend that is asked for, if the plug-in has it, else its default.
    fn backend(self, capabilities: Capabilities) -> Option<&'static str> {
        let asked = self.settings.backend.as_deref();
        let known = capabilities
            .backends
            .iter()
            .copied()
            .find(|backend| Some(*backend) == asked);
        known.or(capabilities.backends.first().copied())
    }

    /// The origin of what the plug-in's settings make.
    fn settings_origin(self, writer: &'static str) -> Arc<Origin> {
        Arc::new(Origin {
            writer: writer.into(),
            ..self.settings.origin.clone()
        })
    }
}

/// `cni0`.
pub(crate) fn cni0() -> Name {
    "cni0".into()
}

/// `eth0`.
pub(crate) fn eth0() -> Name {
    "eth0".into()
}
