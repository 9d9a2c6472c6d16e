//! The default world, and what a Cluster changes of it.

use super::*;
use crate::read::{SourceText, parse};

fn settings(text: &str) -> Warned<ClusterSettings> {
    let read = parse(&[SourceText {
        name: "test.yaml",
        text,
    }]);
    assert!(
        read.diagnostics.iter().all(|d| d.severity != Severity::Error),
        "{:?}",
        read.diagnostics
    );
    ClusterSettings::of(&Store::of(read.value, vec!["test.yaml".to_owned()]))
}

fn nodes(settings: &ClusterSettings) -> Vec<String> {
    let text = |list: Vec<String>| list.join(",");
    settings
        .nodes
        .iter()
        .map(|node| {
            let addresses = text(node.addresses.iter().map(ToString::to_string).collect());
            format!(
                "{} {addresses} {}",
                node.name,
                text(node.pod_cidrs.iter().map(ToString::to_string).collect())
            )
        })
        .collect()
}

#[test]
fn the_default_world_has_three_nodes() {
    let settings = settings("").value;
    assert_eq!(
        nodes(&settings),
        [
            "cp-1 172.18.0.2 10.244.0.0/24",
            "worker-1 172.18.0.3 10.244.1.0/24",
            "worker-2 172.18.0.4 10.244.2.0/24"
        ]
    );
    assert_eq!(
        settings
            .control_plane()
            .map(|node| node.name.as_str())
            .collect::<Vec<_>>(),
        ["cp-1"]
    );
    assert_eq!(settings.dns_address(), "10.96.0.10".parse().ok());
    assert_eq!(settings.kubernetes_address(), "10.96.0.1".parse().ok());
    assert!(settings.cni.policy_agent);
    assert_eq!(
        (settings.cni.name.as_str(), settings.proxy.mode.as_str()),
        ("flannel", "iptables")
    );
}

#[test]
fn nodes_that_objects_name_exist() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: edge-1, containers: [{name: a, image: a}]}\n";
    assert_eq!(nodes(&settings(pod).value)[3], "edge-1 172.18.0.5 10.244.3.0/24");
}

#[test]
fn written_addresses_are_honoured_and_the_rest_is_given() {
    let text = "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  podCIDR: [10.1.0.0/16, 'fd00:1::/56']\n  nodes:\n    - {name: a}\n    - {name: b, address: 172.18.0.2, podCIDR: 10.1.0.0/24, zone: z}\n";
    let settings = settings(text).value;
    assert_eq!(
        nodes(&settings),
        [
            "a 172.18.0.3,fd00:172:18::2 10.1.1.0/24,fd00:1::/64",
            "b 172.18.0.2,fd00:172:18::3 10.1.0.0/24,fd00:1:0:1::/64"
        ]
    );
    assert_eq!(settings.nodes[1].zone(), Some("z"));
    assert_eq!(settings.nodes[1].origin.field.to_string(), "spec.nodes[1]");
}

#[test]
fn a_cni_without_a_policy_has_no_agent() {
    let text = "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {cni: {name: flannel, backend: host-gw}}\n";
    let settings = settings(text).value;
    assert!(!settings.cni.policy_agent);
    assert_eq!(settings.cni.backend.as_deref(), Some("host-gw"));
}
