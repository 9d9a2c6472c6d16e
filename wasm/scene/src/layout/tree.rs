//! The world as a tree, for the list beside the drawing.

use super::choose::Pods;
use super::services::sorted;
use super::shapes::{self, counted};
use crate::TreeItem;
use crate::input::{Input, NodeInput, PodInput, PodState, ServiceInput, WorkloadInput};
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::order;

type Drawn = BTreeMap<String, String>;

fn item(id: impl Into<String>, kind: &str, label: impl Into<String>, value: impl Into<String>) -> TreeItem {
    TreeItem {
        id: id.into(),
        kind: kind.to_owned(),
        label: label.into(),
        value: value.into(),
        shape: None,
        source: None,
        targets: Vec::new(),
        written: false,
        children: Vec::new(),
        same: false,
    }
}

/// Cluster, nodes, pods; namespaces with Services and workloads; the outside.
pub(crate) fn of(input: &Input, pods: &Pods<'_>, drawn: &Drawn) -> Vec<TreeItem> {
    let mut tree = Vec::new();
    if !input.nodes.is_empty() {
        let mut cluster = item("cluster", "cluster", format!("cluster {}", input.cluster), "");
        cluster.children = input
            .nodes
            .iter()
            .map(|n| node(n, pods.on(&n.name), drawn))
            .collect();
        tree.push(cluster);
    }
    if !pods.homeless.is_empty() {
        let mut nowhere = item(
            "pending",
            "object",
            "not running",
            counted(pods.homeless.len(), "pod", "pods"),
        );
        nowhere.children = pods.homeless.iter().map(|p| pod(p, drawn)).collect();
        tree.push(nowhere);
    }
    tree.extend(namespaces(input, drawn));
    for host in &input.hosts {
        let id = format!("host:{}", host.name);
        let address = host
            .interfaces
            .iter()
            .find_map(|i| i.address.clone())
            .unwrap_or_default();
        let mut row = item(id.clone(), "outside", host.name.clone(), address.clone());
        row.shape = drawn.get(&id).cloned();
        row.source = Some(id);
        if !address.is_empty() {
            row.targets.push(format!("icmp:{address}"));
        }
        row.written = host.written;
        row.children = host
            .namespaces
            .iter()
            .map(|space| {
                let id = format!("host:{}/{}", host.name, space.name);
                let address = host.address(Some(&space.name)).unwrap_or_default();
                let mut row = item(id.clone(), "outside", space.name.clone(), address);
                row.shape = drawn.get(&id).cloned();
                row.source = Some(id);
                row
            })
            .collect();
        tree.push(row);
    }
    for outside in &input.outside {
        let id = format!("external:{}", outside.address);
        let mut row = item(id.clone(), "outside", "outside", outside.address.clone());
        row.shape = drawn.get(&id).cloned();
        row.source = Some(id);
        row.targets = vec![
            format!("http://{}/", shapes::bracketed(&outside.address)),
            format!("icmp:{}", outside.address),
        ];
        tree.push(row);
    }
    tree
}

fn node(node: &NodeInput, pods: &[&PodInput], drawn: &Drawn) -> TreeItem {
    let id = format!("node:{}", node.name);
    let mut row = item(id.clone(), "node", node.name.clone(), node.address.clone());
    row.shape = drawn.get(&id).cloned();
    (row.source, row.targets) = shapes::node_ends(node);
    row.written = node.written;
    row.children = pods.iter().map(|p| pod(p, drawn)).collect();
    for device in [node.bridge.as_ref(), node.tunnel.as_ref(), Some(&node.uplink)]
        .into_iter()
        .flatten()
    {
        let id = format!("if:node:{}/{}", node.name, device.name);
        let mut interface = item(
            id.clone(),
            "interface",
            device.name.clone(),
            device.detail.clone(),
        );
        interface.shape = drawn.get(&id).cloned();
        row.children.push(interface);
    }
    row
}

fn pod(pod: &PodInput, drawn: &Drawn) -> TreeItem {
    let value = match &pod.state {
        PodState::Ready => pod.address.clone().unwrap_or_default(),
        PodState::NotReady(_) => "not ready".to_owned(),
        PodState::Pending(_) => "pending".to_owned(),
    };
    let id = pod.id();
    let mut row = item(id.clone(), "pod", pod.label(), value);
    row.shape = drawn.get(&id).cloned();
    (row.source, row.targets) = shapes::pod_ends(pod);
    row.written = pod.written;
    row
}

fn namespaces(input: &Input, drawn: &Drawn) -> Vec<TreeItem> {
    let mut names: Vec<(bool, &str)> = input
        .services
        .iter()
        .map(|s| s.namespace.as_str())
        .chain(input.workloads.iter().map(|w| w.namespace.as_str()))
        .chain(input.pods.iter().map(|p| p.namespace.as_str()))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|n| (n.starts_with("kube-"), n))
        .collect();
    order::sort(&mut names);
    let services = sorted(input.services.iter());
    names
        .into_iter()
        .map(|(_, name)| {
            let mut row = item(
                format!("namespace:{name}"),
                "namespace",
                format!("namespace {name}"),
                "",
            );
            row.children.extend(
                services
                    .iter()
                    .filter(|s| s.namespace == name)
                    .map(|s| service(s, drawn)),
            );
            row.children.extend(
                input
                    .workloads
                    .iter()
                    .filter(|w| w.namespace == name)
                    .map(workload),
            );
            row
        })
        .collect()
}

fn service(service: &ServiceInput, drawn: &Drawn) -> TreeItem {
    let id = service.id();
    let value = service
        .cluster_ip
        .clone()
        .unwrap_or_else(|| shapes::service_address(service));
    let mut row = item(id.clone(), "service", service.name.clone(), value);
    row.shape = drawn.get(&id).cloned();
    row.targets = shapes::service_targets(service);
    row.written = service.written;
    row
}

fn workload(workload: &WorkloadInput) -> TreeItem {
    let id = format!(
        "workload:{}/{}/{}",
        workload.kind, workload.namespace, workload.name
    );
    let value = format!("{} of {}", workload.ready, workload.wanted);
    let mut row = item(id, "workload", workload.name.clone(), value);
    row.written = workload.written;
    row
}
