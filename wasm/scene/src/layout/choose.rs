//! Which nodes are opened, which pods stand where: the choices before any geometry.

use super::keep::Keep;
use crate::Density;
use crate::input::{Input, NodeInput, PodInput, ServiceInput};
use hoplab_source::collections::BTreeMap;
use hoplab_source::order;

/// At most so many nodes are drawn with their kernel.
const OPENED: usize = 3;
/// So many are opened while nothing asks for more.
const AT_REST: usize = 2;

/// Nodes by how they are drawn.
pub(crate) struct Nodes<'a> {
    /// With their kernel, in the order of their columns.
    pub(crate) opened: Vec<&'a NodeInput>,
    /// As a ground with names only, in the cluster's order.
    pub(crate) compact: Vec<&'a NodeInput>,
}

/// Pods by node, each list in its order.
pub(crate) struct Pods<'a> {
    by_node: BTreeMap<&'a str, Vec<&'a PodInput>>,
    /// On no node.
    pub(crate) homeless: Vec<&'a PodInput>,
}

impl<'a> Pods<'a> {
    pub(crate) fn of(input: &'a Input) -> Self {
        let known: Vec<&str> = input.nodes.iter().map(|n| n.name.as_str()).collect();
        let mut sorted: Vec<_> = input.pods.iter().map(|pod| (order(pod), pod)).collect();
        order::sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
        let mut by_node: BTreeMap<&str, Vec<&PodInput>> = BTreeMap::new();
        let mut homeless = Vec::new();
        let index: hoplab_source::collections::BTreeSet<&str> = known.into_iter().collect();
        for (_, pod) in sorted {
            match pod.node.as_deref().filter(|n| index.contains(n)) {
                Some(node) => by_node.entry(node).or_default().push(pod),
                None => homeless.push(pod),
            }
        }
        Self { by_node, homeless }
    }

    /// Those on a node.
    pub(crate) fn on(&self, node: &str) -> &[&'a PodInput] {
        self.by_node.get(node).map_or(&[], Vec::as_slice)
    }
}

/// By namespace (the cluster's own last), owner, ordinal, name.
fn order(pod: &PodInput) -> (bool, &str, &str, u64, &str) {
    let ordinal = pod
        .name
        .rsplit('-')
        .next()
        .and_then(|last| last.parse().ok())
        .unwrap_or(0);
    (
        pod.namespace.starts_with("kube-"),
        &pod.namespace,
        &pod.owner,
        ordinal,
        &pod.name,
    )
}

/// Opens the nodes on the path; where that leaves room, the workers with the most pods.
pub(crate) fn nodes<'a>(input: &'a Input, pods: &Pods<'a>, keep: &Keep, density: Density) -> Nodes<'a> {
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    let mut holding: Vec<(usize, usize)> = Vec::new();
    for (i, node) in input.nodes.iter().enumerate() {
        if let Some(place) = keep.node(&node.name) {
            wanted.push((place, i));
        } else if let Some(place) = pods
            .on(&node.name)
            .iter()
            .filter_map(|p| keep.place(&p.id()))
            .min()
        {
            holding.push((place, i));
        }
    }
    order::sort(&mut wanted);
    order::sort(&mut holding);
    let mut opened: Vec<usize> = wanted.into_iter().map(|(_, i)| i).take(OPENED).collect();
    let fill = |opened: &mut Vec<usize>, from: Vec<usize>| {
        for i in from {
            if opened.len() < AT_REST && !opened.contains(&i) {
                opened.push(i);
            }
        }
    };
    fill(&mut opened, holding.into_iter().map(|(_, i)| i).collect());
    if density != Density::Phone || keep.is_empty() {
        fill(&mut opened, busiest(input, pods));
    }
    // In the cluster's order, so that a column keeps its place when the path turns round.
    order::sort(&mut opened);
    Nodes {
        opened: opened.iter().filter_map(|i| input.nodes.get(*i)).collect(),
        compact: input
            .nodes
            .iter()
            .enumerate()
            .filter(|(i, _)| !opened.contains(i))
            .map(|(_, n)| n)
            .collect(),
    }
}

/// Whether only declared machines matter: the cluster has nothing but what every cluster has, no machine is plugged into
/// its network, and nothing of it is kept.
pub(crate) fn asleep(input: &Input, keep: &Keep) -> bool {
    let network = input
        .networks
        .first()
        .map(|n| n.name.as_str())
        .unwrap_or_default();
    !input.hosts.is_empty()
        && !input.nodes.is_empty()
        && !input.hosts.iter().any(|h| h.on(network))
        && input.pods.iter().all(|p| p.namespace.starts_with("kube-"))
        && input.services.iter().all(ServiceInput::system)
        && !["node:", "pod:", "external:", "router:", "service:", "stack:"]
            .iter()
            .any(|start| keep.below(start))
}

/// Workers with the most pods first, then the control plane; among equals the cluster's order.
fn busiest(input: &Input, pods: &Pods<'_>) -> Vec<usize> {
    let mut all: Vec<usize> = (0..input.nodes.len()).collect();
    order::sort_by_key(&mut all, |i| {
        let node = &input.nodes[*i];
        (
            node.control_plane,
            std::cmp::Reverse(pods.on(&node.name).len()),
            *i,
        )
    });
    all
}
