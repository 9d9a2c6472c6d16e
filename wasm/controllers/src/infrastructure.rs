//! Namespaces and Node objects that nobody wrote and that exist all the same.

use hoplab_objects::settings::{ClusterSettings, NodeSettings};
use hoplab_objects::{Copied, Object, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeSet;
use serde_json::{Map, Value, json};

/// Namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Adds namespaces and nodes that objects name, and completes those that are written.
pub(crate) fn imply(store: &mut Store, settings: &ClusterSettings) {
    namespaces(store);
    for node in &settings.nodes {
        complete_node(store, node);
    }
}

fn namespaces(store: &mut Store) {
    let mut names: BTreeSet<String> = NAMESPACES.iter().map(|name| (*name).to_owned()).collect();
    names.extend(
        store
            .iter()
            .filter(|object| !object.key.namespace.is_empty())
            .map(|object| object.key.namespace.clone()),
    );
    names.extend(
        store
            .of_kind("", "Namespace")
            .map(|object| object.key.name.clone()),
    );
    for name in names {
        let written = store.find(&ObjectKey::new("", "Namespace", "", &name)).cloned();
        let mut value = match &written {
            Some(object) => (*object.value).clone(),
            None => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        };
        // Source: the API server's NamespaceDefaultLabelName; it cannot be taken off.
        put(
            &mut value,
            &["metadata", "labels", "kubernetes.io/metadata.name"],
            json!(name),
        );
        default(&mut value, &["status", "phase"], json!("Active"));
        store.insert(match written {
            Some(object) => object.changed(value),
            None => Object::made(value, "namespace-controller", Vec::new()),
        });
    }
}

fn complete_node(store: &mut Store, node: &NodeSettings) {
    let written = store.find(&ObjectKey::new("", "Node", "", &node.name)).cloned();
    let mut value = match &written {
        Some(object) => (*object.value).clone(),
        None => json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}}),
    };
    for (key, label) in &node.labels {
        default(&mut value, &["metadata", "labels", key], json!(label));
    }
    if let Some(range) = node.pod_cidrs.first() {
        default(&mut value, &["spec", "podCIDR"], json!(range));
        default(&mut value, &["spec", "podCIDRs"], json!(node.pod_cidrs));
    }
    if !node.taints.is_empty() {
        default(&mut value, &["spec", "taints"], json!(node.taints));
    }
    let mut addresses: Vec<Value> = node
        .addresses
        .iter()
        .map(|address| json!({"type": "InternalIP", "address": address.to_string()}))
        .collect();
    addresses.push(json!({"type": "Hostname", "address": node.name}));
    default(&mut value, &["status", "addresses"], Value::Array(addresses));
    default(
        &mut value,
        &["status", "conditions"],
        json!([{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}]),
    );
    default(
        &mut value,
        &["status", "nodeInfo", "kubeletVersion"],
        json!("v1.36.0"),
    );
    store.insert(match written {
        Some(object) => object.changed(value),
        None => {
            // Straight to the line that asked for the node, where one did.
            let copied = node.origin.object.as_ref().map(|object| Copied {
                here: hoplab_source::FieldPath::root(),
                object: object.clone(),
                there: node.origin.field.clone(),
            });
            Object::made(value, "kubelet", copied.into_iter().collect())
        }
    });
}

/// Sets a field, making the mappings on the way.
pub(crate) fn put(value: &mut Value, path: &[&str], field: Value) {
    if let Some(place) = place(value, path) {
        *place = field;
    }
}

/// Sets a field that is not there, or null.
pub(crate) fn default(value: &mut Value, path: &[&str], field: Value) {
    if let Some(place) = place(value, path)
        && place.is_null()
    {
        *place = field;
    }
}

fn place<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Value> {
    let mut value = value;
    for key in path {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        value = value
            .as_object_mut()?
            .entry((*key).to_owned())
            .or_insert(Value::Null);
    }
    Some(value)
}
