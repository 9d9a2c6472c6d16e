//! Namespaces and what pods mount or run as.

use super::{Labels, ObjectMeta};
use serde::Deserialize;

/// A Namespace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Namespace {
    /// Metadata; its labels are what namespace selectors match.
    pub metadata: ObjectMeta,
}

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Text by key, such as a `Corefile`.
    pub data: Labels,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// `kubernetes.io/tls`, …
    #[serde(rename = "type")]
    pub type_: String,
    /// Base64 by key.
    pub data: Labels,
    /// Text by key; wins over `data`.
    pub string_data: Labels,
}

/// A ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    /// Metadata.
    pub metadata: ObjectMeta,
}
