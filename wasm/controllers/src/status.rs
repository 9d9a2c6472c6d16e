//! Statuses of workloads: how many of their pods there are and are ready.

use crate::before::Before;
use crate::infrastructure::put;
use hoplab_objects::relate::Relations;
use hoplab_objects::view::{
    DaemonSet, Deployment, Job, ReplicaSet, ReplicationController, StatefulSet, View,
};
use hoplab_objects::{Object, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Writes the statuses.
pub(crate) fn report(
    store: &mut Store,
    before: &Before<'_>,
    relations: &Relations,
) -> BTreeMap<ObjectKey, Count> {
    let mut written = Written {
        before,
        changed: Vec::new(),
        counts: BTreeMap::new(),
    };
    let changed = &mut written;
    of_kind::<ReplicaSet>(store, relations, changed, |count, _| replicas(count));
    of_kind::<ReplicationController>(store, relations, changed, |count, _| replicas(count));
    of_kind::<StatefulSet>(store, relations, changed, |count, _| {
        let mut status = replicas(count);
        insert(&mut status, "currentReplicas", count.all);
        insert(&mut status, "updatedReplicas", count.all);
        status
    });
    of_kind::<Deployment>(store, relations, changed, |count, view| {
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
    of_kind::<DaemonSet>(store, relations, changed, |count, _| {
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
    of_kind::<Job>(store, relations, changed, |count, _| {
        let mut status = Map::new();
        insert(&mut status, "active", count.active);
        insert(&mut status, "ready", count.ready);
        insert(&mut status, "succeeded", count.succeeded);
        insert(&mut status, "failed", count.failed);
        status
    });
    let Written { changed, counts, .. } = written;
    changed.into_iter().for_each(|object| store.insert_shared(object));
    counts
}

/// What has been written so far.
struct Written<'b> {
    before: &'b Before<'b>,
    changed: Vec<Arc<Object>>,
    counts: BTreeMap<ObjectKey, Count>,
}

/// How many pods of a workload are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    all: usize,
    ready: usize,
    active: usize,
    succeeded: usize,
    failed: usize,
}

fn of_kind<T: View>(
    store: &Store,
    relations: &Relations,
    written: &mut Written<'_>,
    status: impl Fn(Count, &T) -> Map<String, Value>,
) {
    for (object, view) in store.all::<T>() {
        let count = count(relations, object);
        written.counts.insert(object.key.clone(), count);
        if let Some(before) = written.before.counted(object, &count) {
            written.changed.push(Arc::new(object.with_value_of(before)));
            continue;
        }
        let mut value = (*object.value).clone();
        for (field, number) in status(count, view) {
            put(&mut value, &["status", &field], number);
        }
        if value != *object.value {
            // The views of workloads have no status: they stay as they are.
            written.changed.push(Arc::new(object.with_unread(value)));
        }
    }
}

fn count(relations: &Relations, object: &Object) -> Count {
    let mut count = Count::default();
    relations.each_pod_owned_by(&object.key, &mut |pod| match pod.status.phase.as_str() {
        "Succeeded" => count.succeeded += 1,
        "Failed" => count.failed += 1,
        _ if pod.is_terminating() => {}
        _ => {
            count.all += 1;
            count.active += 1;
            count.ready += usize::from(pod.is_ready());
        }
    });
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
