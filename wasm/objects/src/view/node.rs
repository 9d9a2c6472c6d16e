//! Nodes.

use super::{Condition, ObjectMeta};
use crate::view::value::fields;
use ipnet::IpNet;
use serde::Serialize;

/// A Node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Metadata; `topology.kubernetes.io/zone` is a label.
    pub metadata: ObjectMeta,
    /// What it is to be.
    pub spec: NodeSpec,
    /// What it is.
    pub status: NodeStatus,
}

fields! { Node {
    metadata "metadata",
    spec "spec",
    status "status",
} }

/// A node's spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSpec {
    /// The range of its pods' addresses.
    pub pod_cidr: Option<IpNet>,
    /// The same per IP family; the first is `podCIDR`.
    pub pod_cidrs: Vec<IpNet>,
    /// What keeps pods away.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// `aws:///eu-west-1a/i-0123`.
    pub provider_id: String,
}

fields! { NodeSpec {
    pod_cidr "podCIDR",
    pod_cidrs "podCIDRs",
    taints "taints",
    unschedulable "unschedulable",
    provider_id "providerID",
} }

/// A taint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

fields! { Taint {
    key "key",
    value "value",
    effect "effect",
} }

/// A node's status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeStatus {
    /// `InternalIP` and others.
    pub addresses: Vec<NodeAddress>,
    /// `Ready` and others.
    pub conditions: Vec<Condition>,
}

fields! { NodeStatus {
    addresses "addresses",
    conditions "conditions",
} }

/// One address of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname`, …
    pub type_: String,
    /// The address, or the name.
    pub address: String,
}

fields! { NodeAddress {
    type_ "type",
    address "address",
} }
