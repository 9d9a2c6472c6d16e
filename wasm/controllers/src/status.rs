//! Statuses of workloads: how many of their pods there are and are ready.

use crate::infrastructure::put;
use hoplab_objects::relate::{Relations, pods_owned_by};
use hoplab_objects::view::{
    DaemonSet, Deployment, Job, Pod, ReplicaSet, ReplicationController, StatefulSet, View,
};
use hoplab_objects::{Object, Store};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Writes the statuses.
pub(crate) fn report(store: &mut Store, relations: &Relations) {
    let mut changed = Vec::new();
    of_kind::<ReplicaSet>(store, relations, &mut changed, |count, _| replicas(count));
    of_kind::<ReplicationController>(store, relations, &mut changed, |count, _| replicas(count));
    of_kind::<StatefulSet>(store, relations, &mut changed, |count, _| {
        let mut status = replicas(count);
        insert(&mut status, "currentReplicas", count.all);
        insert(&mut status, "updatedReplicas", count.all);
        status
    });
    of_kind::<Deployment>(store, relations, &mut changed, |count, view| {
        let mut status = replicas(count);
        insert(&mut status, "updatedReplicas", count.all);
        let wanted = usize::try_from(view.spec.replicas.unwrap_or(1)).unwrap_or(0);
        insert(
            &mut status,
            "unavailableReplicas",
            wanted.saturating_sub(count.ready),
        );
        // Source: pkg/controller/deployment: at most a quarter, rounded down, may be missing.
        let available = count.ready >= wanted - wanted / 4;
        let (state, reason) = if available {
            ("True", "MinimumReplicasAvailable")
        } else {
            ("False", "MinimumReplicasUnavailable")
        };
        status.insert(
            "conditions".to_owned(),
            json!([{"type": "Available", "status": state, "reason": reason}]),
        );
        status
    });
    of_kind::<DaemonSet>(store, relations, &mut changed, |count, _| {
        let mut status = Map::new();
        for (field, number) in [
            ("desiredNumberScheduled", count.all),
            ("currentNumberScheduled", count.all),
            ("updatedNumberScheduled", count.all),
            ("numberReady", count.ready),
            ("numberAvailable", count.ready),
        ] {
            status.insert(field.to_owned(), json!(number));
        }
        status
    });
    of_kind::<Job>(store, relations, &mut changed, |count, _| {
        let mut status = Map::new();
        insert(&mut status, "active", count.active);
        insert(&mut status, "ready", count.ready);
        insert(&mut status, "succeeded", count.succeeded);
        insert(&mut status, "failed", count.failed);
        status
    });
    changed.into_iter().for_each(|object| store.insert(object));
}

/// How many pods of a workload are in which state.
#[derive(Clone, Copy, Default)]
struct Count {
    all: usize,
    ready: usize,
    active: usize,
    succeeded: usize,
    failed: usize,
}

fn of_kind<T: View>(
    store: &Store,
    relations: &Relations,
    changed: &mut Vec<Object>,
    status: impl Fn(Count, &T) -> Map<String, Value>,
) {
    for (object, view) in store.all::<T>() {
        let mut value = (*object.value).clone();
        for (field, number) in status(count(store, relations, object), view) {
            put(&mut value, &["status", &field], number);
        }
        if value != *object.value {
            // The views of workloads have no status: they stay as they are.
            changed.push(Object {
                value: Arc::new(value),
                ..(**object).clone()
            });
        }
    }
}

fn count(store: &Store, relations: &Relations, object: &Arc<Object>) -> Count {
    let mut count = Count::default();
    for pod in pods_owned_by(relations, &object.key)
        .into_iter()
        .filter_map(|key| store.view::<Pod>(&key.namespace, &key.name))
    {
        match pod.status.phase.as_str() {
            "Succeeded" => count.succeeded += 1,
            "Failed" => count.failed += 1,
            _ if pod.is_terminating() => {}
            _ => {
                count.all += 1;
                count.active += 1;
                count.ready += usize::from(pod.is_ready());
            }
        }
    }
    count
}

/// What ReplicaSets and their like say.
fn replicas(count: Count) -> Map<String, Value> {
    let mut status = Map::new();
    status.insert("replicas".to_owned(), json!(count.all));
    insert(&mut status, "readyReplicas", count.ready);
    insert(&mut status, "availableReplicas", count.ready);
    status
}

/// Numbers that are 0 are left out, as the API does.
fn insert(status: &mut Map<String, Value>, field: &str, number: usize) {
    if number > 0 {
        status.insert(field.to_owned(), json!(number));
    }
}
