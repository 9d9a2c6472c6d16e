//! Metadata and label selectors.

use crate::view::value::{Read, fields};
use hoplab_source::collections::BTreeMap;
use serde::Serialize;

/// Labels or annotations, ordered by key.
pub type Labels = BTreeMap<String, String>;

/// What every object has. Source: k8s.io/apimachinery meta/v1 ObjectMeta.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Name; unique per kind and namespace.
    pub name: String,
    /// Prefix of a name that the server is to make up.
    pub generate_name: String,
    /// Namespace; the object's key has it filled in.
    pub namespace: String,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Who owns it.
    pub owner_references: Vec<OwnerReference>,
    /// RFC 3339 time; decides what is older.
    pub creation_timestamp: Option<String>,
    /// Set once it is being deleted: a pod that terminates.
    pub deletion_timestamp: Option<String>,
    /// Unique id, in exports.
    pub uid: String,
    /// Revision of the spec.
    pub generation: Option<i64>,
}

fields! { ObjectMeta {
    name "name",
    generate_name "generateName",
    namespace "namespace",
    labels "labels",
    annotations "annotations",
    owner_references "ownerReferences",
    creation_timestamp "creationTimestamp",
    deletion_timestamp "deletionTimestamp",
    uid "uid",
    generation "generation",
} }

impl LabelSelector {
    /// The selector that a value of an untyped object is; `None`: it does not read.
    pub fn of(value: &serde_json::Value) -> Option<Self> {
        Self::read(value).ok()
    }
}

impl ObjectMeta {
    /// The owner that controls the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// A pointer to an owner in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// `apps/v1`.
    pub api_version: String,
    /// `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Whether it is the managing controller.
    pub controller: bool,
}

fields! { OwnerReference {
    api_version "apiVersion",
    kind "kind",
    name "name",
    uid "uid",
    controller "controller",
} }

/// A condition of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`.
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word of why.
    pub reason: String,
    /// A sentence of why.
    pub message: String,
}

fields! { Condition {
    type_ "type",
    status "status",
    reason "reason",
    message "message",
} }

/// Labels to match. Empty matches everything; absence is the field's own affair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    pub match_labels: Labels,
    /// Further requirements; all must hold.
    pub match_expressions: Vec<SelectorRequirement>,
}

fields! { LabelSelector {
    match_labels "matchLabels",
    match_expressions "matchExpressions",
} }

/// One requirement of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectorRequirement {
    /// Key of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; validated.
    pub operator: String,
    /// Values for `In` and `NotIn`.
    pub values: Vec<String>,
}

fields! { SelectorRequirement {
    key "key",
    operator "operator",
    values "values",
} }
