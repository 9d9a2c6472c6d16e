//! Endpoints and EndpointSlices.

use super::scalars::{optional_port, port};
use super::{ObjectMeta, Protocol};
use crate::view::value::fields;

/// An EndpointSlice. Source: k8s.io/api discovery/v1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSlice {
    /// Metadata; `kubernetes.io/service-name` names the Service.
    pub metadata: ObjectMeta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: String,
    /// Ports that all its endpoints have.
    pub ports: Vec<EndpointPort>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
}

fields! { EndpointSlice {
    metadata "metadata",
    address_type "addressType",
    ports "ports",
    endpoints "endpoints",
} }

/// A port of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointPort {
    /// Name: that of the Service's port.
    pub name: String,
    /// Number; `None`: every port.
    pub port: Option<u16>,
    /// Protocol.
    pub protocol: Protocol,
    /// The protocol above.
    pub app_protocol: Option<String>,
}

fields! { EndpointPort {
    name "name",
    port "port" by optional_port,
    protocol "protocol",
    app_protocol "appProtocol",
} }

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// Addresses; the first is used.
    pub addresses: Vec<String>,
    /// Conditions.
    pub conditions: EndpointConditions,
    /// Host name for DNS.
    pub hostname: String,
    /// Node that it runs on.
    pub node_name: String,
    /// Zone that it runs in.
    pub zone: String,
    /// The pod behind it.
    pub target_ref: Option<ObjectReference>,
    /// Who should use it.
    pub hints: EndpointHints,
}

/// Who should use an endpoint rather than another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointHints {
    /// Zones.
    pub for_zones: Vec<ObjectReference>,
    /// Nodes.
    pub for_nodes: Vec<ObjectReference>,
}

fields! { EndpointHints {
    for_zones "forZones",
    for_nodes "forNodes",
} }

impl EndpointHints {
    /// Names of the zones.
    pub fn zones(&self) -> Vec<String> {
        self.for_zones.iter().map(|zone| zone.name.clone()).collect()
    }

    /// Names of the nodes.
    pub fn nodes(&self) -> Vec<String> {
        self.for_nodes.iter().map(|node| node.name.clone()).collect()
    }
}

fields! { Endpoint {
    addresses "addresses",
    conditions "conditions",
    hostname "hostname",
    node_name "nodeName",
    zone "zone",
    target_ref "targetRef",
    hints "hints",
} }

/// Conditions of an endpoint; absent ones read as the API documents them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointConditions {
    /// Takes traffic; absent: true.
    pub ready: Option<bool>,
    /// Answers, whether or not it terminates; absent: as `ready`.
    pub serving: Option<bool>,
    /// Is being deleted; absent: false.
    pub terminating: Option<bool>,
}

fields! { EndpointConditions {
    ready "ready",
    serving "serving",
    terminating "terminating",
} }

impl EndpointConditions {
    /// Whether it takes traffic.
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it answers.
    pub fn is_serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

/// A pointer to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectReference {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

fields! { ObjectReference {
    kind "kind",
    namespace "namespace",
    name "name",
} }

/// An Endpoints object, the older form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoints {
    /// Metadata; the name is the Service's.
    pub metadata: ObjectMeta,
    /// Sets of addresses with the same ports.
    pub subsets: Vec<EndpointSubset>,
}

fields! { Endpoints {
    metadata "metadata",
    subsets "subsets",
} }

/// Addresses with the same ports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSubset {
    /// Ready ones.
    pub addresses: Vec<EndpointAddress>,
    /// The others.
    pub not_ready_addresses: Vec<EndpointAddress>,
    /// Ports.
    pub ports: Vec<SubsetPort>,
}

fields! { EndpointSubset {
    addresses "addresses",
    not_ready_addresses "notReadyAddresses",
    ports "ports",
} }

/// A port of a subset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubsetPort {
    /// Name.
    pub name: String,
    /// Number.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
}

fields! { SubsetPort {
    name "name",
    port "port" by port,
    protocol "protocol",
} }

/// One address of an Endpoints object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointAddress {
    /// The address.
    pub ip: String,
    /// Host name for DNS.
    pub hostname: String,
    /// Node that it runs on.
    pub node_name: String,
    /// The pod behind it.
    pub target_ref: Option<ObjectReference>,
}

fields! { EndpointAddress {
    ip "ip",
    hostname "hostname",
    node_name "nodeName",
    target_ref "targetRef",
} }
