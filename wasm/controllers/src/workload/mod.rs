//! Workloads make pods.

mod daemonset;
mod deployment;
mod job;
mod replicas;
mod statefulset;
mod template;

use crate::before::Before;
use crate::pods::Draft;
use hoplab_objects::Store;
use hoplab_objects::settings::ClusterSettings;
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::{ObjectKey, order};
use std::sync::Arc;

/// Makes what the workloads of the store want and the documents do not hold: ReplicaSets and Jobs into the store, pods
/// into `pods`. Afterwards the pods are in order: those of add-ons, then by namespace and name.
pub(crate) fn make(
    store: &mut Store,
    settings: &ClusterSettings,
    before: &Before<'_>,
    pods: &mut Vec<Draft>,
) {
    deployment::make_replica_sets(store, before, pods);
    job::make_jobs(store);
    let exported = Exported::of(pods, before);
    replicas::make_pods(store, &exported, before, pods);
    statefulset::make_pods(store, &exported, before, pods);
    job::make_pods(store, &exported, before, pods);
    daemonset::make_pods(store, settings, &exported, before, pods);
    order::sort_by(pods, |a, b| {
        let (a, b) = (a.key(), b.key());
        let addon = |key: &ObjectKey| key.namespace != "kube-system";
        (addon(a), &a.namespace, &a.name).cmp(&(addon(b), &b.namespace, &b.name))
    });
}

/// The pods that the documents hold already, as controllers look them up.
struct Exported {
    keys: BTreeSet<ObjectKey>,
    active: BTreeMap<Arc<ObjectKey>, usize>,
    on_node: BTreeSet<(ObjectKey, String)>,
    /// Whether pods of the same names were there before.
    as_before: bool,
}

impl Exported {
    fn of(pods: &[Draft], before: &Before<'_>) -> Self {
        let mut exported = Self {
            keys: BTreeSet::new(),
            active: BTreeMap::new(),
            on_node: BTreeSet::new(),
            as_before: before.had_pods(pods.iter().map(Draft::key)),
        };
        for pod in pods {
            exported.keys.insert(pod.key().clone());
            if let Some(owner) = pod.owner.as_ref().filter(|_| pod.is_active()) {
                *exported.active.entry(owner.clone()).or_default() += 1;
                exported
                    .on_node
                    .insert((ObjectKey::clone(owner), pod.view.spec.node_name.clone()));
            }
        }
        exported
    }

    /// Whether a pod of this name is there.
    fn has(&self, namespace: &str, name: &str) -> bool {
        self.keys.contains(&ObjectKey::new("", "Pod", namespace, name))
    }

    /// How many pods of an owner neither ended nor are being deleted.
    fn active(&self, owner: &ObjectKey) -> usize {
        self.active.get(owner).copied().unwrap_or(0)
    }
}
