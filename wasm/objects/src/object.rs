//! An object: its value, its typed view, and where it comes from.

use crate::view::value::Read as _;
use crate::view::{ObjectMeta, Typed, View, typed};
use crate::yaml::SpanTree;
use hoplab_source::{Code, Diagnostic, FieldPath, Gvk, ObjectKey, Origin, Segment, Severity, SourceId, Span};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// An object of a world. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is called.
    pub key: ObjectKey,
    /// Its group, version and kind.
    pub gvk: Gvk,
    /// The whole object, unknown fields included.
    pub value: Arc<Value>,
    /// What networking reads of it.
    pub typed: Typed,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The cluster that it belongs to; `None`: every one.
    pub cluster: Option<Arc<str>>,
    /// Of the value, once it was asked for.
    hash: ValueHash,
}

/// The hash of a value, once it was asked for. What is printed of an object does not depend on that.
#[derive(Clone, Default)]
struct ValueHash(OnceLock<u64>);

impl fmt::Debug for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// Where an object comes from.
#[derive(Clone, Debug)]
pub enum Provenance {
    /// A document.
    Written(Arc<Written>),
    /// A controller.
    Made(Arc<Made>),
}

/// A document's place.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its source.
    pub source: SourceId,
    /// Its place among all documents, which decides what is older.
    pub order: u32,
    /// Where each part of it stands.
    pub spans: SpanTree,
}

/// Who made an object, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// `replicaset-controller`, `endpointslice-controller`, …
    pub writer: &'static str,
    /// Which parts were copied from where; the longest `here` that fits decides.
    pub copied: Vec<Copied>,
}

/// A part of an object that was copied from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The part.
    pub here: FieldPath,
    /// The other object.
    pub object: ObjectKey,
    /// The part of that.
    pub there: FieldPath,
}

impl Copied {
    /// `here` of an object is `there` of `object`; both as `spec.template`.
    pub fn new(here: &str, object: &ObjectKey, there: &str) -> Self {
        Self {
            here: FieldPath::parse(here),
            object: object.clone(),
            there: FieldPath::parse(there),
        }
    }
}

impl Object {
    /// An object that a controller makes. The value must have `apiVersion`, `kind` and `metadata.name`.
    pub fn made(value: Value, writer: &'static str, copied: Vec<Copied>) -> Self {
        Self::with(value, Provenance::Made(Arc::new(Made { writer, copied })))
    }

    /// An object whose view is known already, so that it need not be read from the value again. The caller keeps
    /// both in step.
    pub fn assembled(key: ObjectKey, gvk: Gvk, value: Value, typed: Typed, provenance: Provenance) -> Self {
        Self {
            key,
            gvk,
            value: Arc::new(value),
            typed,
            provenance,
            cluster: None,
            hash: ValueHash::default(),
        }
    }

    /// An object from its value.
    pub(crate) fn with(value: Value, provenance: Provenance) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let gvk = Gvk::new(&text(value.get("apiVersion")), &text(value.get("kind")));
        let metadata = value.get("metadata");
        let field = |name| text(metadata.and_then(|metadata| metadata.get(name)));
        let key = ObjectKey::new(
            gvk.group.clone(),
            gvk.kind.clone(),
            field("namespace"),
            field("name"),
        );
        let (typed, _) = typed(&gvk.group, &gvk.kind, &value);
        Self {
            key,
            gvk,
            value: Arc::new(value),
            typed,
            provenance,
            cluster: None,
            hash: ValueHash::default(),
        }
    }

    /// The same object with another value of the same identity; its place in the documents stays.
    pub fn changed(&self, value: Value) -> Self {
        let (typed, _) = typed(&self.gvk.group, &self.gvk.kind, &value);
        Self {
            value: Arc::new(value),
            typed,
            hash: ValueHash::default(),
            ..self.clone()
        }
    }

    /// The same object with another value that its view does not read.
    pub fn with_unread(&self, value: Value) -> Self {
        Self {
            value: Arc::new(value),
            hash: ValueHash::default(),
            ..self.clone()
        }
    }

    /// A hash of its value: equal values have equal ones.
    pub fn value_hash(&self) -> u64 {
        *self.hash.0.get_or_init(|| {
            let mut hash = DefaultHasher::new();
            hash_value(&self.value, &mut hash);
            hash.finish()
        })
    }

    /// Whether the other has the very same value, shared with it: then their views are equal too. Where they stand in
    /// the documents may differ.
    pub fn shares_value(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) && self.cluster == other.cluster
    }

    /// The value and view of another object of this key, standing where this one does.
    pub fn with_value_of(&self, other: &Self) -> Self {
        Self {
            value: Arc::clone(&other.value),
            typed: other.typed.clone(),
            hash: other.hash.clone(),
            ..self.clone()
        }
    }

    /// Its view as `T`, if it is one.
    pub fn view<T: View>(&self) -> Option<&Arc<T>> {
        T::of(&self.typed)
    }

    /// Its metadata; of kinds without a view too.
    pub fn metadata(&self) -> Cow<'_, ObjectMeta> {
        macro_rules! metadata {
            ($($variant:ident)*) => {
                match &self.typed {
                    $(Typed::$variant(view) => Some(view.metadata()),)*
                    Typed::Other => None,
                }
            };
        }
        let known = metadata!(
            Namespace Node Pod PodTemplate ReplicationController Service Endpoints ConfigMap Secret ServiceAccount
            Deployment ReplicaSet StatefulSet DaemonSet Job CronJob EndpointSlice Cluster Host Network Zone Fault Layout
            HoplabProbe Assert Step Reject
        );
        match known {
            Some(metadata) => Cow::Borrowed(metadata),
            None => Cow::Owned(
                self.value
                    .get("metadata")
                    .and_then(|metadata| ObjectMeta::read(metadata).ok())
                    .unwrap_or_default(),
            ),
        }
    }

    /// The value at a path.
    pub fn at(&self, path: &FieldPath) -> Option<&Value> {
        crate::view::at(&self.value, path)
    }

    /// Where the field stands in the sources; where it is absent, the nearest thing around it. `None` for what
    /// a controller made: [`crate::Store::place`] follows those.
    pub fn span(&self, path: &FieldPath) -> Option<Span> {
        match &self.provenance {
            Provenance::Written(written) => Some(written.spans.nearest(path)),
            Provenance::Made(_) => None,
        }
    }

    /// The line of [`Object::span`].
    pub fn line(&self, path: &FieldPath) -> Option<u32> {
        self.span(path).map(|span| span.line)
    }

    /// A diagnostic about one of its fields; the message begins with the path.
    pub fn problem(
        &self,
        path: &str,
        code: Code,
        severity: Severity,
        message: impl AsRef<str>,
    ) -> Diagnostic {
        self.problem_at(FieldPath::parse(path), code, severity, message)
    }

    /// The same, of a path that is one already.
    pub fn problem_at(
        &self,
        path: FieldPath,
        code: Code,
        severity: Severity,
        message: impl AsRef<str>,
    ) -> Diagnostic {
        let span = self.span(&path);
        Diagnostic::new(code, severity, format!("{path}: {}", message.as_ref()), span).at(path)
    }

    /// Its place among the documents; `None` for what a controller made.
    pub fn order(&self) -> Option<u32> {
        match &self.provenance {
            Provenance::Written(written) => Some(written.order),
            Provenance::Made(_) => None,
        }
    }

    /// Whether a document holds it.
    pub fn is_written(&self) -> bool {
        matches!(self.provenance, Provenance::Written(_))
    }

    /// Where a field comes from: the object and field that it was copied from, one level up.
    pub fn origin(&self, path: &FieldPath) -> Origin {
        match &self.provenance {
            Provenance::Written(_) => Origin {
                object: Some(self.key.clone()),
                field: path.clone(),
                writer: Cow::Borrowed("user"),
            },
            Provenance::Made(made) => {
                let longest = made
                    .copied
                    .iter()
                    .filter(|copied| path.0.starts_with(&copied.here.0))
                    .max_by_key(|copied| copied.here.0.len());
                let (object, field) = match longest {
                    Some(copied) => {
                        let rest: Vec<Segment> = path.0[copied.here.0.len()..].to_vec();
                        let field = copied.there.0.iter().cloned().chain(rest).collect();
                        (copied.object.clone(), FieldPath(field))
                    }
                    None => (self.key.clone(), path.clone()),
                };
                Origin {
                    object: Some(object),
                    field,
                    writer: Cow::Borrowed(made.writer),
                }
            }
        }
    }
}

/// Where each part of a written object stands.
pub(crate) fn spans(object: &Object) -> Option<&SpanTree> {
    match &object.provenance {
        Provenance::Written(written) => Some(&written.spans),
        Provenance::Made(_) => None,
    }
}

/// A JSON value, in its order of keys.
fn hash_value(value: &Value, hash: &mut DefaultHasher) {
    match value {
        Value::Null => 0u8.hash(hash),
        Value::Bool(b) => (1u8, b).hash(hash),
        Value::Number(n) => (2u8, n.to_string()).hash(hash),
        Value::String(s) => (3u8, s).hash(hash),
        Value::Array(items) => {
            (4u8, items.len()).hash(hash);
            items.iter().for_each(|item| hash_value(item, hash));
        }
        Value::Object(fields) => {
            (5u8, fields.len()).hash(hash);
            for (key, value) in fields {
                key.hash(hash);
                hash_value(value, hash);
            }
        }
    }
}
