//! Assert, Step and Reject: what controllers and nodes must show, a world that changes, input to be refused.

use super::super::ObjectMeta;
use super::super::scalars::optional_text;
use crate::view::value::{Fit, fields};
use serde_json::Value;
use std::time::Duration;

/// What a controller or a node must show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assert {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Assert`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What.
    pub spec: AssertSpec,
}

fields! { strict Assert {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// What must be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssertSpec {
    /// Which object, or which ones.
    pub object: Option<ObjectRef>,
    /// Conditions that it must have.
    pub conditions: Vec<ConditionCheck>,
    /// Every condition is of the current generation.
    pub current: Option<bool>,
    /// Fields that it must have.
    pub fields: Vec<FieldCheck>,
    /// Whether it exists.
    pub exists: Option<bool>,
    /// Instead of an object: what a command prints.
    pub node: Option<NodeCheck>,
}

fields! { strict AssertSpec {
    object "object",
    conditions "conditions",
    current "current",
    fields "fields",
    exists "exists",
    node "node",
} }

/// Which object: by name, or by selector as `kubectl -l` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectRef {
    /// `apps/v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; default `default` where the kind has one.
    pub namespace: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// `a=b,c`.
    pub selector: Option<String>,
    /// Cluster.
    pub cluster: Option<String>,
}

fields! { strict ObjectRef {
    api_version "apiVersion",
    kind "kind",
    namespace "namespace",
    name "name",
    selector "selector",
    cluster "cluster",
} }

/// A condition that must be there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConditionCheck {
    /// Type.
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: Option<String>,
    /// Reason.
    pub reason: Option<String>,
    /// Of which parent: `ns/name`, `ns/name/section` or a mapping.
    pub parent: Option<Value>,
    /// Of which listener.
    pub listener: Option<String>,
}

fields! { strict ConditionCheck {
    type_ "type",
    status "status" by optional_text,
    reason "reason",
    parent "parent",
    listener "listener",
} }

/// A field that must be so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldCheck {
    /// `spec.clusterIP`, `status.listeners[name=http].attachedRoutes`.
    pub path: String,
    /// Exactly this; null: absent.
    pub equals: Option<Value>,
    /// Anything else.
    pub not_equals: Option<Value>,
    /// An item with at least these fields, or a part of the text.
    pub contains: Option<Value>,
    /// Whether it is there.
    pub exists: Option<bool>,
    /// How many items.
    pub length: Option<u32>,
    /// The same as there.
    pub same_as: Option<super::SameAs>,
}

fields! { strict FieldCheck {
    path "path",
    equals "equals" by given,
    not_equals "notEquals" by given,
    contains "contains" by given,
    exists "exists",
    length "length",
    same_as "sameAs",
} }

/// A value that was written, null included.
fn given(value: &Value) -> Fit<Option<Value>> {
    Ok(Some(value.clone()))
}

/// What a command prints on a node, pod or host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCheck {
    /// The place: `node:worker-1`.
    pub at: String,
    /// The command.
    pub command: String,
    /// Part of what it prints.
    pub contains: Option<String>,
    /// What it must not print.
    pub not_contains: Option<String>,
    /// Its exit status.
    pub status: Option<i32>,
}

fields! { strict NodeCheck {
    at "at",
    command "command",
    contains "contains",
    not_contains "notContains",
    status "status",
} }

/// A step of a world that changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Step`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// The changes and the checks.
    pub spec: StepSpec,
}

fields! { strict Step {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// Changes, in this order, and the checks to run once the world has settled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepSpec {
    /// Simulated time.
    pub at: Option<Duration>,
    /// Objects to apply, as written; [`crate::read::step_objects`] reads them.
    pub apply: Vec<Value>,
    /// Objects to delete.
    pub delete: Vec<ObjectRef>,
    /// Objects to change.
    pub patch: Vec<Patch>,
    /// Faults to begin.
    pub fault: Vec<StepFault>,
    /// Faults to end.
    pub clear: Vec<String>,
    /// Names of Probes and Asserts.
    pub checks: Vec<String>,
}

fields! { strict StepSpec {
    at "at" by crate::duration::optional,
    apply "apply",
    delete "delete",
    patch "patch",
    fault "fault",
    clear "clear",
    checks "checks",
} }

/// A JSON merge patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// Which object.
    pub object: ObjectRef,
    /// RFC 7396.
    pub merge: Value,
}

fields! { strict Patch {
    object "object",
    merge "merge",
} }

/// A fault that a step begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepFault {
    /// Its name.
    pub name: String,
    /// The place.
    pub at: String,
    /// What happens there.
    pub action: String,
    /// How much.
    pub value: Option<Value>,
}

fields! { strict StepFault {
    name "name",
    at "at",
    action "do",
    value "value",
} }

/// Input that must be refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reject {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Reject`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// The input.
    pub spec: RejectSpec,
}

fields! { strict Reject {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// The input, and how it must be refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectSpec {
    /// Text of a manifest.
    pub manifest: String,
    /// Part of the message.
    pub error: String,
    /// Line of the manifest, from 1.
    pub line: Option<u32>,
}

fields! { strict RejectSpec {
    manifest "manifest",
    error "error",
    line "line",
} }
