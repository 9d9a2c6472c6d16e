//! Objects by key: a level of map for each part of it, so that a look-up compares each part once and copies none, and
//! a change copies only the namespace that it touches.

use crate::object::Object;
use hoplab_source::ObjectKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects of one kind in one namespace, by name.
type Names = BTreeMap<String, Arc<Object>>;
/// Objects of one kind, by namespace.
type Namespaces = BTreeMap<String, Arc<Names>>;

/// Objects by group, kind, namespace and name, in that order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByKey {
    groups: BTreeMap<String, BTreeMap<String, Namespaces>>,
    len: usize,
}

impl ByKey {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Object>> {
        let kinds = self.groups.values().flat_map(BTreeMap::values);
        kinds.flat_map(BTreeMap::values).flat_map(|names| names.values())
    }

    /// Those of a kind, in the order of their keys.
    pub(crate) fn of_kind<'s>(
        &'s self,
        group: &str,
        kind: &str,
    ) -> impl Iterator<Item = &'s Arc<Object>> + use<'s> {
        let namespaces = self.groups.get(group).and_then(|kinds| kinds.get(kind));
        let names = namespaces.into_iter().flat_map(BTreeMap::values);
        names.flat_map(|names| names.values())
    }

    /// One of them.
    pub(crate) fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.groups.get(group)?.get(kind)?.get(namespace)?.get(name)
    }

    /// Adds one, or puts it in the place of the one with its key.
    pub(crate) fn insert(&mut self, object: Arc<Object>) {
        let key = &object.key;
        let kinds = level(&mut self.groups, &key.group);
        let namespaces = level(kinds, &key.kind);
        let names = Arc::make_mut(level(namespaces, &key.namespace));
        if names.insert(key.name.clone(), object).is_none() {
            self.len += 1;
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let namespaces = self.groups.get_mut(&key.group)?.get_mut(&key.kind)?;
        let removed = Arc::make_mut(namespaces.get_mut(&key.namespace)?).remove(&key.name)?;
        self.len -= 1;
        Some(removed)
    }

    /// Keeps those that `keep` wants.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Object) -> bool) {
        let kinds = self.groups.values_mut().flat_map(BTreeMap::values_mut);
        for names in kinds.flat_map(BTreeMap::values_mut) {
            if !names.values().all(|object| keep(object)) {
                Arc::make_mut(names).retain(|_, object| keep(object));
            }
        }
        self.len = self.values().count();
    }
}

/// The map below a part of a key, made where there is none.
fn level<'m, T: Default>(map: &'m mut BTreeMap<String, T>, part: &str) -> &'m mut T {
    if !map.contains_key(part) {
        map.insert(part.to_owned(), T::default());
    }
    map.get_mut(part).expect("it was there or was inserted above")
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
        map.retain(|object| object.key.kind != "Service");
        assert_eq!((map.len(), map.values().count()), (8, 8));
        assert_eq!(map.of_kind("", "Pod").count(), 2);
        assert_eq!(before.values().count(), 12);
        assert!(before.find("", "Pod", "a", "x").is_some() && map.find("", "Pod", "a", "x").is_none());
    }
}
