//! Deployments make ReplicaSets.

use super::template::{owner_reference, reference_json};
use crate::before::Before;
use crate::hash::template_hash;
use crate::pods::Draft;
use hoplab_objects::view::{Deployment, ReplicaSet};
use hoplab_objects::{Copied, Object, Selector, Store};
use hoplab_source::collections::BTreeSet;
use hoplab_source::{FieldPath, ObjectKey};
use serde_json::{Value, json};
use std::sync::Arc;

/// The label that ties a ReplicaSet's pods to one version of a template.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Makes the ReplicaSet of each Deployment that has none in the documents. Where only its pods were exported, the
/// ReplicaSet has the name that they call their owner.
// Differs: a rollout is not played through; a Deployment has the pods of its current template.
pub(super) fn make_replica_sets(store: &mut Store, before: &Before<'_>, pods: &[Draft]) {
    let owners: BTreeSet<(&str, &str)> = store
        .all::<ReplicaSet>()
        .filter_map(|(object, view)| {
            let owner = view
                .metadata
                .controller()
                .filter(|owner| owner.kind == "Deployment")?;
            Some((object.key.namespace.as_str(), owner.name.as_str()))
        })
        .collect();
    // Exported pods say what their ReplicaSet is called; without any, a Deployment alone decides.
    let alone = !pods.iter().any(names_its_version)
        && !before.any_pod(|pod| pod.metadata.labels.contains_key(TEMPLATE_HASH));
    let mut made: Vec<Arc<Object>> = Vec::new();
    for (object, deployment) in store.all::<Deployment>() {
        let owned = owners.contains(&(object.key.namespace.as_str(), object.key.name.as_str()));
        if owned {
            continue;
        }
        if let Some(kept) = before.replica_set(object).filter(|_| alone) {
            made.push(Arc::clone(kept));
        } else {
            let hash = exported_hash(object, deployment, pods).unwrap_or_else(|| {
                template_hash(
                    object
                        .at(&FieldPath::parse("spec.template"))
                        .unwrap_or(&Value::Null),
                )
            });
            made.push(Arc::new(replica_set(object, deployment, &hash)));
        }
    }
    for object in made {
        if store.find(&object.key).is_none() {
            store.insert_shared(object);
        }
    }
}

fn names_its_version(pod: &Draft) -> bool {
    pod.view.metadata.labels.contains_key(TEMPLATE_HASH)
}

/// The template hash of pods that an export holds without their ReplicaSet.
fn exported_hash(object: &Object, deployment: &Deployment, pods: &[Draft]) -> Option<String> {
    let selector = Selector::of(deployment.spec.selector.as_ref()?);
    pods.iter().find_map(|pod| {
        let owner = pod.view.metadata.controller()?;
        let hash = pod.view.metadata.labels.get(TEMPLATE_HASH)?;
        (pod.key().namespace == object.key.namespace
            && owner.kind == "ReplicaSet"
            && owner.name == format!("{}-{hash}", object.key.name)
            && selector.matches(&pod.view.metadata.labels))
        .then(|| hash.clone())
    })
}

fn replica_set(object: &Arc<Object>, deployment: &Deployment, hash: &str) -> Object {
    let template = object
        .at(&FieldPath::parse("spec.template"))
        .cloned()
        .unwrap_or_else(|| json!({}));
    let mut selector = object
        .at(&FieldPath::parse("spec.selector"))
        .cloned()
        .unwrap_or_else(|| json!({}));
    let mut value = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", object.key.name),
            "namespace": object.key.namespace,
            "labels": deployment.spec.template.metadata.labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [reference_json(&owner_reference(object))],
        },
        "spec": {"replicas": deployment.spec.replicas.unwrap_or(1)},
    });
    crate::infrastructure::put(&mut selector, &["matchLabels", TEMPLATE_HASH], json!(hash));
    crate::infrastructure::put(&mut value, &["spec", "selector"], selector);
    crate::infrastructure::put(&mut value, &["spec", "template"], template);
    crate::infrastructure::put(
        &mut value,
        &["spec", "template", "metadata", "labels", TEMPLATE_HASH],
        json!(hash),
    );
    crate::infrastructure::put(&mut value, &["metadata", "labels", TEMPLATE_HASH], json!(hash));
    let key: &ObjectKey = &object.key;
    let copied = vec![
        Copied::new("", key, "metadata.name"),
        Copied::new("metadata.labels", key, "spec.template.metadata.labels"),
        Copied::new("spec", key, "spec"),
    ];
    Object::made(value, "deployment-controller", copied)
}
