//! ReplicaSets and ReplicationControllers make pods, after those that the documents hold already.

use super::Exported;
use super::template::Template;
use crate::before::Before;
use crate::hash::generated_name;
use crate::pods::Draft;
use hoplab_objects::view::{ReplicaSet, ReplicationController};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeSet;
use std::sync::Arc;

/// Makes the pods that are missing.
pub(super) fn make_pods(store: &Store, exported: &Exported, before: &Before<'_>, pods: &mut Vec<Draft>) {
    for (object, view) in store.all::<ReplicaSet>() {
        let template = Template::of(
            object,
            &view.spec.template,
            "spec.template",
            "replicaset-controller",
            before,
        );
        pods.extend(missing(object, view.spec.replicas, &template, exported));
    }
    for (object, view) in store.all::<ReplicationController>() {
        let Some(template) = &view.spec.template else {
            continue;
        };
        let template = Template::of(
            object,
            template,
            "spec.template",
            "replication-controller",
            before,
        );
        pods.extend(missing(object, view.spec.replicas, &template, exported));
    }
}

/// The pods that an owner still wants: `replicas`, 1 where it does not say, less those that it has.
pub(super) fn missing(
    owner: &Arc<Object>,
    replicas: Option<i32>,
    template: &Template<'_>,
    exported: &Exported,
) -> Vec<Draft> {
    let wanted = usize::try_from(replicas.unwrap_or(1)).unwrap_or(0);
    let wanted = wanted.saturating_sub(exported.active(&owner.key));
    if let Some(pods) = template.pods_before(wanted, exported) {
        return pods;
    }
    let base = format!("{}-", owner.key.name);
    names(owner, &base)
        .filter(|name| !exported.has(&owner.key.namespace, name))
        .take(wanted)
        .map(|name| template.pod(name, Some(base.clone()), &[], |_, _| {}))
        .collect()
}

/// Names of an owner's pods, in an order that depends on the owner alone, each once.
fn names(owner: &Object, base: &str) -> impl Iterator<Item = String> {
    let seed = owner.key.to_string();
    let mut seen = BTreeSet::new();
    (0_u32..)
        .map(move |index| generated_name(base, &format!("{seed}#{index}")))
        .filter(move |name| seen.insert(name.clone()))
}
