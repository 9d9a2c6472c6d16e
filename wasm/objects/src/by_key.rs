//! Objects by key: a sorted list for each kind, so that a look-up copies nothing and a change copies only the list of
//! the kind that it touches, which is one pointer for each object.

use crate::object::Object;
use hoplab_source::ObjectKey;
use std::cmp::Ordering;
use std::sync::Arc;

/// Objects of one kind, by namespace and name.
#[derive(Clone, Debug)]
struct Kind {
    group: String,
    kind: String,
    objects: Arc<Vec<Arc<Object>>>,
}

/// Objects by group, kind, namespace and name, in that order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByKey {
    kinds: Vec<Kind>,
}

impl ByKey {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.kinds.iter().map(|kind| kind.objects.len()).sum()
    }

    /// All, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.iter().flat_map(|kind| kind.objects.iter())
    }

    /// Those of a kind, in the order of their keys.
    pub(crate) fn of_kind(&self, group: &str, kind: &str) -> &[Arc<Object>] {
        match self.place_of_kind(group, kind) {
            Ok(at) => &self.kinds[at].objects,
            Err(_) => &[],
        }
    }

    /// One of them.
    pub(crate) fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        let objects = self.of_kind(group, kind);
        let at = place(objects, namespace, name).ok()?;
        objects.get(at)
    }

    /// Adds one, or puts it in the place of the one with its key.
    pub(crate) fn insert(&mut self, object: Arc<Object>) {
        let key = &object.key;
        let at = self.place_of_kind(&key.group, &key.kind).unwrap_or_else(|at| {
            let kind = Kind {
                group: key.group.clone(),
                kind: key.kind.clone(),
                objects: Arc::default(),
            };
            self.kinds.insert(at, kind);
            at
        });
        let objects = Arc::make_mut(&mut self.kinds[at].objects);
        // Most come in order.
        let last = objects.last().map(|last| order(last, &key.namespace, &key.name));
        if matches!(last, None | Some(Ordering::Less)) {
            objects.push(object);
            return;
        }
        match place(objects, &key.namespace, &key.name) {
            Ok(at) => objects[at] = object,
            Err(at) => objects.insert(at, object),
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let kind = self.place_of_kind(&key.group, &key.kind).ok()?;
        let at = place(&self.kinds[kind].objects, &key.namespace, &key.name).ok()?;
        Some(Arc::make_mut(&mut self.kinds[kind].objects).remove(at))
    }

    /// Keeps those that `keep` wants.
    pub(crate) fn retain(&mut self, keep: &dyn Fn(&Object) -> bool) {
        for kind in &mut self.kinds {
            if !kind.objects.iter().all(|object| keep(object)) {
                Arc::make_mut(&mut kind.objects).retain(|object| keep(object));
            }
        }
    }

    fn place_of_kind(&self, group: &str, kind: &str) -> Result<usize, usize> {
        // Whether two texts are equal is cheaper to say than which is first, and there are few kinds.
        let same = |have: &Kind| have.kind == kind && have.group == group;
        if let Some(at) = self.kinds.iter().position(same) {
            return Ok(at);
        }
        self.kinds.binary_search_by(|have| {
            have.group
                .as_str()
                .cmp(group)
                .then_with(|| have.kind.as_str().cmp(kind))
        })
    }
}

fn order(object: &Object, namespace: &str, name: &str) -> Ordering {
    let key = &object.key;
    let by_namespace = key.namespace.as_str().cmp(namespace);
    by_namespace.then_with(|| key.name.as_str().cmp(name))
}

fn place(objects: &[Arc<Object>], namespace: &str, name: &str) -> Result<usize, usize> {
    objects.binary_search_by(|object| order(object, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Arc<Object> {
        let metadata = json!({"name": name, "namespace": namespace});
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
        Arc::new(Object::made(value, "test", Vec::new()))
    }

    #[test]
    fn objects_come_in_the_order_of_their_keys_and_a_copy_does_not_see_changes() {
        let mut map = ByKey::default();
        let parts = [
            ("v1", "Pod"),
            ("apps/v1", "Deployment"),
            ("v1", "Service"),
            ("discovery.k8s.io/v1", "EndpointSlice"),
        ];
        for (api_version, kind) in parts {
            for (namespace, name) in [("b", "x"), ("a", "y"), ("a", "x"), ("a", "x")] {
                map.insert(object(api_version, kind, namespace, name));
            }
        }
        let keys: Vec<&ObjectKey> = map.values().map(|object| &object.key).collect();
        assert!(
            keys.is_sorted() && keys.len() == 12 && map.len() == 12,
            "{keys:?}"
        );
        let before = map.clone();
        let key = ObjectKey::new("", "Pod", "a", "x");
        assert!(map.remove(&key).is_some() && map.remove(&key).is_none());
        map.retain(&|object| object.key.kind != "Service");
        assert_eq!((map.len(), map.values().count()), (8, 8));
        assert_eq!(map.of_kind("", "Pod").len(), 2);
        assert_eq!(before.values().count(), 12);
        assert!(before.find("", "Pod", "a", "x").is_some() && map.find("", "Pod", "a", "x").is_none());
    }
}
