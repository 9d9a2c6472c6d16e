//! Pod addresses: each node gives its own from its range, `.1` being its bridge.

use crate::infrastructure::put;
use crate::pods::Draft;
use hoplab_objects::codes;
use hoplab_objects::settings::{ClusterSettings, NodeSettings, nth_address};
use hoplab_objects::view::{Pod, PodIp};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, FieldPath, Severity};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// Gives every pod that has a node its addresses. Written ones are honoured, outside the range too; those of the world
/// before are kept; the rest get the lowest that are free, from `.2` up.
pub(crate) fn give_addresses(
    pods: &mut [Draft],
    settings: &ClusterSettings,
    previous: Option<&Store>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let nodes = settings.by_name();
    // Who has an address, by place in the list.
    let mut taken: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (at, pod) in pods
        .iter()
        .enumerate()
        .filter(|(_, pod)| !pod.view.spec.host_network && !pod.view.has_ended())
    {
        for address in pod.view.addresses() {
            if let Some(other) = taken.insert(address, at) {
                let other = pods[other].key();
                let path = FieldPath::parse("status.podIP");
                let span = pod
                    .written
                    .as_ref()
                    .and_then(|object: &Arc<Object>| object.span(&path));
                let message = format!(
                    "{path}: {} and {other} both have the address {address}",
                    pod.key()
                );
                diagnostics
                    .push(Diagnostic::new(codes::ADDRESS_TWICE, Severity::Warning, message, span).at(path));
            }
        }
    }
    let placed = |pod: &Draft| {
        !pod.view.spec.node_name.is_empty() && pod.view.status.pod_ip.is_none() && !pod.view.has_ended()
    };
    if let Some(previous) = previous {
        for (at, pod) in pods
            .iter_mut()
            .enumerate()
            .filter(|(_, pod)| placed(pod) && !pod.view.spec.host_network)
        {
            let Some(node) = nodes.get(pod.view.spec.node_name.as_str()) else {
                continue;
            };
            let Some(before) = previous.view::<Pod>(&pod.key().namespace, &pod.key().name) else {
                continue;
            };
            let addresses = before.addresses();
            let fit = before.spec.node_name == node.name
                && !before.spec.host_network
                && addresses.len() == node.pod_cidrs.len()
                && addresses
                    .iter()
                    .zip(&node.pod_cidrs)
                    .all(|(address, range)| range.contains(address))
                && addresses.iter().all(|address| !taken.contains_key(address));
            if fit {
                taken.extend(addresses.iter().map(|address| (*address, at)));
                set(pod, addresses);
            }
        }
    }
    let mut next: BTreeMap<IpNet, u128> = BTreeMap::new();
    for (at, pod) in pods.iter_mut().enumerate().filter(|(_, pod)| placed(pod)) {
        let Some(node) = nodes.get(pod.view.spec.node_name.as_str()) else {
            continue;
        };
        if pod.view.spec.host_network {
            set(pod, node.addresses.clone());
            continue;
        }
        let mut addresses = Vec::new();
        for range in &node.pod_cidrs {
            match lowest(range, next.entry(*range).or_insert(2), &taken) {
                Some(address) => {
                    taken.insert(address, at);
                    addresses.push(address);
                }
                None => diagnostics.push(full(pod, node, range)),
            }
        }
        if !addresses.is_empty() {
            set(pod, addresses);
        }
    }
}

/// The lowest free address of a node's range from `next` up; the range's own and its broadcast address are no pod's.
fn lowest(range: &IpNet, next: &mut u128, taken: &BTreeMap<IpAddr, usize>) -> Option<IpAddr> {
    loop {
        let address = nth_address(range, *next)?;
        if address.is_ipv4() && address == range.broadcast() {
            return None;
        }
        *next += 1;
        if !taken.contains_key(&address) {
            return Some(address);
        }
    }
}

fn set(pod: &mut Draft, addresses: Vec<IpAddr>) {
    let Some(first) = addresses.first() else { return };
    put(&mut pod.value, &["status", "podIP"], json!(first.to_string()));
    let all = addresses.iter().map(|ip| json!({"ip": ip.to_string()})).collect();
    put(&mut pod.value, &["status", "podIPs"], Value::Array(all));
    let status = &mut pod.view_mut().status;
    status.pod_ip = Some(*first);
    status.pod_ips = addresses.into_iter().map(|ip| PodIp { ip: Some(ip) }).collect();
}

fn full(pod: &Draft, node: &NodeSettings, range: &IpNet) -> Diagnostic {
    let message = format!(
        "{}: no addresses available in range set {range} of node {}",
        pod.key(),
        node.name
    );
    let span = pod
        .written
        .as_ref()
        .and_then(|object| object.span(&FieldPath::root()));
    Diagnostic::new(codes::RANGE_FULL, Severity::Warning, message, span)
        .help("give the node a wider podCIDR, or the pods more nodes")
}
