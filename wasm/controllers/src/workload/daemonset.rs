//! DaemonSets make one pod on each node that fits.

use super::Exported;
use super::template::Template;
use crate::before::Before;
use crate::hash::{generated_name, template_hash};
use crate::pods::Draft;
use crate::scheduler;
use hoplab_objects::Store;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{DaemonSet, Toleration};
use serde_json::json;

/// Taints that every daemon pod bears. Source: pkg/controller/daemon/util AddOrUpdateDaemonPodTolerations.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Makes the pods that the documents do not hold.
pub(super) fn make_pods(
    store: &Store,
    settings: &ClusterSettings,
    exported: &Exported,
    before: &Before<'_>,
    pods: &mut Vec<Draft>,
) {
    for (object, view) in store.all::<DaemonSet>() {
        let template = Template::of(
            object,
            &view.spec.template,
            "spec.template",
            "daemonset-controller",
            before,
        );
        let hash = template_hash(&template.value());
        let mut tolerant = view.spec.template.spec.clone();
        let network = tolerant
            .host_network
            .then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
        for (key, effect) in TOLERATED.into_iter().chain(network) {
            tolerant.tolerations.push(Toleration {
                key: key.to_owned(),
                operator: "Exists".to_owned(),
                value: String::new(),
                effect: effect.to_owned(),
            });
        }
        for node in &settings.nodes {
            let has = exported
                .on_node
                .contains(&(object.key.clone(), node.name.clone()));
            // A cordoned node still runs its daemons.
            if has || scheduler::refusal(&tolerant, node, true).is_some() {
                continue;
            }
            let base = format!("{}-", object.key.name);
            let name = generated_name(&base, &format!("{}@{}", object.key, node.name));
            let labels = [
                ("controller-revision-hash", hash.clone()),
                ("pod-template-generation", "1".to_owned()),
            ];
            pods.push(template.pod(name, Some(base), &labels, |spec, pod| {
                spec.insert("nodeName".to_owned(), json!(node.name));
                pod.spec.node_name = node.name.clone();
            }));
        }
    }
}
