//! Objects as the API server returns them: with the defaults and the parts of a status that are worked out only when
//! an object is looked at, so that a world of thousands of pods does not carry them.

use crate::infrastructure::default;
use hoplab_objects::Object;
use hoplab_objects::view::Pod;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The object as `kubectl get -o yaml` and an Assert see it.
/// Sources: pkg/apis/core/v1/defaults.go SetDefaults_PodSpec, SetDefaults_ContainerPort; pkg/kubelet
/// convertToAPIContainerStatuses (v1.36). Differs: image and container ids and times are left out.
pub fn returned(object: &Object) -> Cow<'_, Value> {
    let template: &[&str] = match (object.key.group.as_str(), object.key.kind.as_str()) {
        ("", "Pod") => &["spec"],
        ("", "ReplicationController") | ("apps", _) | ("batch", "Job") => &["spec", "template", "spec"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return Cow::Borrowed(&object.value),
    };
    let mut value = (*object.value).clone();
    let spec = template
        .iter()
        .try_fold(&mut value, |value, key| value.get_mut(key));
    if let Some(spec) = spec.filter(|spec| spec.is_object()) {
        pod_spec(spec);
    }
    if let Some(pod) = object.view::<Pod>() {
        container_statuses(&mut value, pod);
    }
    Cow::Owned(value)
}

fn pod_spec(spec: &mut Value) {
    default(spec, &["dnsPolicy"], json!("ClusterFirst"));
    default(spec, &["restartPolicy"], json!("Always"));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let ports = container.get_mut("ports").and_then(Value::as_array_mut);
            for port in ports.into_iter().flatten() {
                default(port, &["protocol"], json!("TCP"));
            }
        }
    }
}

/// What the kubelet reports of the containers of a pod that runs; what an export says is kept.
fn container_statuses(value: &mut Value, pod: &Pod) {
    if pod.status.phase != "Running" || value.pointer("/status/containerStatuses").is_some() {
        return;
    }
    let unready = crate::kubelet::unready_containers(&pod.spec);
    let statuses = pod.spec.containers.iter().map(|container| {
        let ready = !unready.contains(&container.name.as_str());
        json!({
            "image": container.image,
            "lastState": {},
            "name": container.name,
            "ready": ready,
            "restartCount": 0,
            "started": true,
            "state": {"running": {}},
        })
    });
    let statuses = Value::Array(statuses.collect());
    default(value, &["status", "containerStatuses"], statuses);
}
