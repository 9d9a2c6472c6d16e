//! All objects of a world, by key, with a revision that grows with every change.

use crate::by_key::ByKey;
use crate::object::Object;
use crate::view::{Typed, View};
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Severity, Span};
use serde_json::Value;
use std::sync::Arc;
use thiserror::Error;

/// A number that grows with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// A change of the objects.
#[derive(Clone, Debug)]
pub enum Change {
    /// Objects to add, or to put in the place of those of the same key.
    Apply(Vec<Object>),
    /// Objects to take out.
    Delete(Vec<ObjectKey>),
    /// A merge patch (RFC 7396) of one object.
    Patch {
        /// The object.
        key: ObjectKey,
        /// The patch.
        merge: Value,
    },
}

/// Why a change is impossible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// No such object.
    #[error("{key} not found")]
    NotFound {
        /// The object.
        key: ObjectKey,
    },
    /// A patch of what makes an object that object.
    #[error("{key}: a patch cannot change apiVersion, kind, name or namespace")]
    Identity {
        /// The object.
        key: ObjectKey,
    },
    /// A change that the API server refuses.
    #[error("{key} is invalid: {message}")]
    Refused {
        /// The object.
        key: Box<ObjectKey>,
        /// What it says.
        message: String,
    },
    /// A patch after which a field no longer fits.
    #[error("{key}: {path}: {message}")]
    Field {
        /// The object.
        key: Box<ObjectKey>,
        /// The field.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

/// What the API server says of an object once it is patched.
fn refuse(before: &Object, after: &Object) -> Result<(), ChangeError> {
    unchangeable(before, after)?;
    first_error(after, crate::validate::object(after, &[]))
}

/// What it says of fields that cannot change.
fn unchangeable(before: &Object, after: &Object) -> Result<(), ChangeError> {
    first_error(after, crate::validate::change(before, after))
}

fn first_error(object: &Object, found: Vec<Diagnostic>) -> Result<(), ChangeError> {
    match found.into_iter().find(|d| d.severity == Severity::Error) {
        Some(wrong) => Err(ChangeError::Refused {
            key: Box::new(object.key.clone()),
            message: wrong.message,
        }),
        None => Ok(()),
    }
}

/// All objects of a world. Cheap to clone; a clone does not see later changes of the other.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: Arc<ByKey>,
    revision: Revision,
    sources: Arc<Vec<String>>,
}

/// A place in a source, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'s> {
    /// The source's name.
    pub file: &'s str,
    /// Where in it.
    pub span: Span,
    /// The object that stands there.
    pub object: ObjectKey,
}

impl Store {
    /// A store of these objects, read from sources of these names. Of two objects with one key the later stays.
    pub fn of(objects: impl IntoIterator<Item = Object>, sources: Vec<String>) -> Self {
        let mut by_key = ByKey::default();
        objects
            .into_iter()
            .for_each(|object| by_key.insert(Arc::new(object)));
        Self {
            objects: Arc::new(by_key),
            revision: Revision(1),
            sources: Arc::new(sources),
        }
    }

    /// How often it was changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The names of the sources, by `SourceId`.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.len() == 0
    }

    /// Every object, ordered by key: group, kind, namespace, name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// The object with this key.
    pub fn find(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects
            .find(&key.group, &key.kind, &key.namespace, &key.name)
    }

    /// The objects of a kind, ordered by namespace, then name.
    pub fn of_kind<'s>(&'s self, group: &str, kind: &str) -> std::slice::Iter<'s, Arc<Object>> {
        self.objects.of_kind(group, kind).iter()
    }

    /// The objects of a kind with their views, ordered by namespace, then name.
    pub fn all<'s, T: View + 's>(&'s self) -> impl Iterator<Item = (&'s Arc<Object>, &'s Arc<T>)> {
        self.of_kind(T::GROUP, T::KIND)
            .filter_map(|object| Some((object, T::of(&object.typed)?)))
    }

    /// The view of one object.
    pub fn view<T: View>(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        T::of(&self.objects.find(T::GROUP, T::KIND, namespace, name)?.typed)
    }

    /// Adds an object, or puts it in the place of the one with its key. An equal one leaves the revision.
    pub fn insert(&mut self, object: Object) {
        if self
            .find(&object.key)
            .is_some_and(|old| old.value == object.value && old.is_written() == object.is_written())
        {
            return;
        }
        self.revision.0 += 1;
        Arc::make_mut(&mut self.objects).insert(Arc::new(object));
    }

    /// The same with an object that other stores share.
    pub fn insert_shared(&mut self, object: Arc<Object>) {
        if self
            .find(&object.key)
            .is_some_and(|old| Arc::ptr_eq(old, &object))
        {
            return;
        }
        self.revision.0 += 1;
        Arc::make_mut(&mut self.objects).insert(object);
    }

    /// Takes an object out; whether it was there.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        if self.find(key).is_none() {
            return false;
        }
        self.revision.0 += 1;
        Arc::make_mut(&mut self.objects).remove(key).is_some()
    }

    /// Keeps the objects that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&Object) -> bool) {
        if self.objects.values().all(|object| keep(object)) {
            return;
        }
        self.revision.0 += 1;
        Arc::make_mut(&mut self.objects).retain(&keep);
    }

    /// The store after a change. Errors leave nothing half done. A patch is refused where the API server refuses it;
    /// objects that are applied were checked when they were read, and against those that they replace by
    /// [`Store::accepts`].
    pub fn apply(&self, change: Change) -> Result<Store, ChangeError> {
        let mut store = self.clone();
        match change {
            Change::Apply(objects) => objects.into_iter().for_each(|object| store.insert(object)),
            Change::Delete(keys) => {
                for key in keys {
                    if !store.remove(&key) {
                        return Err(ChangeError::NotFound { key });
                    }
                }
            }
            Change::Patch { key, merge } => {
                let Some(object) = store.find(&key) else {
                    return Err(ChangeError::NotFound { key });
                };
                let mut value = (*object.value).clone();
                merge_patch(&mut value, &merge);
                let same = |path: &str| {
                    let path = FieldPath::parse(path);
                    crate::view::at(&value, &path) == object.at(&path)
                };
                if !["apiVersion", "kind", "metadata.name", "metadata.namespace"]
                    .iter()
                    .all(|path| same(path))
                {
                    return Err(ChangeError::Identity { key });
                }
                let (_, problems) = crate::view::typed(&key.group, &key.kind, &value);
                if let Some(problem) = problems.first() {
                    let (path, message) = (problem.path.to_string(), problem.message());
                    return Err(ChangeError::Field {
                        key: Box::new(key),
                        path,
                        message,
                    });
                }
                let changed = object.changed(value);
                refuse(object, &changed)?;
                store.insert(changed);
            }
        }
        Ok(store)
    }

    /// Whether the API server lets these objects take the place of those of the same key.
    pub fn accepts(&self, objects: &[Object]) -> Result<(), ChangeError> {
        let replaced = |object: &Object| self.find(&object.key).map(|before| unchangeable(before, object));
        let refused = objects.iter().find_map(|object| replaced(object)?.err());
        refused.map_or(Ok(()), Err)
    }

    /// Where a field of an object stands in the sources: for what a controller made, the field of the document
    /// that it was copied from.
    pub fn place(&self, key: &ObjectKey, path: &FieldPath) -> Option<Place<'_>> {
        let (mut key, mut path) = (key.clone(), path.clone());
        for _ in 0..8 {
            let object = self.find(&key)?;
            if let Some(span) = object.span(&path) {
                let file = self
                    .sources
                    .get(span.source.0 as usize)
                    .map(String::as_str)
                    .unwrap_or_default();
                return Some(Place {
                    file,
                    span,
                    object: key,
                });
            }
            let origin = object.origin(&path);
            let above = origin.object?;
            if above == key {
                return None;
            }
            (key, path) = (above, origin.field);
        }
        None
    }

    /// The labels of a namespace, with the one that every namespace has.
    /// Source: NamespaceDefaultLabelName, always set by the API server.
    pub fn namespace_labels(&self, namespace: &str) -> crate::view::Labels {
        let mut labels = match self
            .find(&ObjectKey::new("", "Namespace", "", namespace))
            .map(|object| &object.typed)
        {
            Some(Typed::Namespace(view)) => view.metadata.labels.clone(),
            _ => crate::view::Labels::new(),
        };
        labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        labels
    }
}

/// Two stores are equal when they hold the same values under the same keys.
impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|(a, b)| a.key == b.key && a.value == b.value)
    }
}

/// RFC 7396: null takes a field out, mappings are merged, all else is put in place.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            fields.shift_remove(key);
        } else {
            merge_patch(fields.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches_are_those_of_rfc_7396() {
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
            (json!(["a", "b"]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        ] {
            let mut value = before.clone();
            merge_patch(&mut value, &patch);
            assert_eq!(value, after, "{before} patched with {patch}");
        }
    }
}
