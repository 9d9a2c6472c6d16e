//! Namespaces and what pods mount or run as.

use super::{Labels, ObjectMeta};
use crate::view::value::fields;

/// A Namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namespace {
    /// Metadata; its labels are what namespace selectors match.
    pub metadata: ObjectMeta,
}

fields! { Namespace {
    metadata "metadata",
} }

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Text by key, such as a `Corefile`.
    pub data: Labels,
}

fields! { ConfigMap {
    metadata "metadata",
    data "data",
} }

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secret {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// `kubernetes.io/tls`, …
    pub type_: String,
    /// Base64 by key.
    pub data: Labels,
    /// Text by key; wins over `data`.
    pub string_data: Labels,
}

fields! { Secret {
    metadata "metadata",
    type_ "type",
    data "data",
    string_data "stringData",
} }

/// A ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceAccount {
    /// Metadata.
    pub metadata: ObjectMeta,
}

fields! { ServiceAccount {
    metadata "metadata",
} }
