//! StatefulSets make pods with ordinals.

use super::Exported;
use super::template::Template;
use crate::before::Before;
use crate::hash::template_hash;
use crate::pods::Draft;
use hoplab_objects::Store;
use hoplab_objects::view::StatefulSet;
use serde_json::json;

/// Makes the pods that the documents do not hold. Models pkg/controller/statefulset newVersionedStatefulSetPod.
pub(super) fn make_pods(store: &Store, exported: &Exported, before: &Before<'_>, pods: &mut Vec<Draft>) {
    for (object, view) in store.all::<StatefulSet>() {
        let template = Template::of(
            object,
            &view.spec.template,
            "spec.template",
            "statefulset-controller",
            before,
        );
        let first = view.spec.ordinals.as_ref().map_or(0, |ordinals| ordinals.start);
        let revision = format!("{}-{}", object.key.name, template_hash(&template.value()));
        for ordinal in first..first.saturating_add(view.spec.replicas.unwrap_or(1).max(0)) {
            let name = format!("{}-{ordinal}", object.key.name);
            if exported.has(&object.key.namespace, &name) {
                continue;
            }
            let labels = [
                ("apps.kubernetes.io/pod-index", ordinal.to_string()),
                ("controller-revision-hash", revision.clone()),
                ("statefulset.kubernetes.io/pod-name", name.clone()),
            ];
            let generate = format!("{}-", object.key.name);
            pods.push(template.pod(name.clone(), Some(generate), &labels, |spec, pod| {
                spec.insert("hostname".to_owned(), json!(name));
                pod.spec.hostname = name.clone();
                if !view.spec.service_name.is_empty() {
                    spec.insert("subdomain".to_owned(), json!(view.spec.service_name));
                    pod.spec.subdomain = view.spec.service_name.clone();
                }
            }));
        }
    }
}
