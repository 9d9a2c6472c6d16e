//! Semantics that specifications leave open, and how a world reads them.

use crate::names::did_you_mean;
use serde_json::Value;

/// How a world reads what specifications leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Whether an ipBlock can match a pod's address.
    pub ip_block_matches_pods: bool,
    /// What policies make of pods on the node's network.
    pub host_network_pods: HostNetworkPods,
    /// Whether a node always reaches its own pods.
    pub same_node_kubelet: bool,
    /// What policies see of a request through an Ingress.
    pub ingress_controller_source: IngressSource,
}

/// What policies make of pods on the node's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNetworkPods {
    /// They do not apply to them, which match as node addresses.
    Node,
    /// Ordinary pods.
    Pod,
}

/// What policies see of a request through an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressSource {
    /// The controller's pod.
    Pod,
    /// The client outside.
    External,
}

impl Default for Readings {
    /// The default world's.
    fn default() -> Self {
        Self {
            ip_block_matches_pods: true,
            host_network_pods: HostNetworkPods::Node,
            same_node_kubelet: true,
            ingress_controller_source: IngressSource::Pod,
        }
    }
}

/// Names and values that readings have.
static NAMES: &[(&str, &[&str])] = &[
    ("ipBlockMatchesPods", &["true", "false"]),
    ("hostNetworkPods", &["node", "pod"]),
    ("sameNodeKubelet", &["true", "false"]),
    ("ingressControllerSource", &["pod", "external"]),
];

impl Readings {
    /// Sets one reading by name, as a Cluster or `--reading` gives it. The error says what there is.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let Some((_, values)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let names = NAMES.iter().map(|(known, _)| *known);
            return Err(match did_you_mean(name, names.clone()) {
                Some(meant) => format!("no such reading; did you mean \"{meant}\"?"),
                None => format!(
                    "no such reading; there are {}",
                    names.collect::<Vec<_>>().join(", ")
                ),
            });
        };
        if !values.contains(&text.as_str()) {
            return Err(format!("found \"{text}\", expected {}", values.join(" or ")));
        }
        match name {
            "ipBlockMatchesPods" => self.ip_block_matches_pods = text == "true",
            "sameNodeKubelet" => self.same_node_kubelet = text == "true",
            "hostNetworkPods" => {
                self.host_network_pods = if text == "pod" {
                    HostNetworkPods::Pod
                } else {
                    HostNetworkPods::Node
                };
            }
            _ => {
                self.ingress_controller_source = if text == "external" {
                    IngressSource::External
                } else {
                    IngressSource::Pod
                };
            }
        }
        Ok(())
    }
}
