//! CronJobs make Jobs, Jobs make pods.

use super::Exported;
use super::replicas::missing;
use super::template::{Template, owner_reference, reference_json};
use crate::before::Before;
use crate::pods::Draft;
use hoplab_objects::view::{CronJob, Job};
use hoplab_objects::{Copied, Object, Store};
use hoplab_source::FieldPath;
use serde_json::{Value, json};

/// Makes one Job of each CronJob that is not suspended and has none: the run of minute 0 of the simulated clock, so that
/// its pods can be asked where they reach.
// Differs: a real CronJob waits for its schedule.
pub(super) fn make_jobs(store: &mut Store) {
    let mut made = Vec::new();
    for (object, view) in store.all::<CronJob>() {
        let owned = store.all::<Job>().any(|(job, view)| {
            job.key.namespace == object.key.namespace
                && view
                    .metadata
                    .controller()
                    .is_some_and(|owner| owner.kind == "CronJob" && owner.name == object.key.name)
        });
        if view.spec.suspend || owned {
            continue;
        }
        let spec = object
            .at(&FieldPath::parse("spec.jobTemplate.spec"))
            .cloned()
            .unwrap_or_else(|| json!({}));
        let name: String = object.key.name.chars().take(52).collect();
        let value = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": format!("{name}-0"), "namespace": object.key.namespace,
                "labels": view.spec.job_template.metadata.labels,
                "ownerReferences": [reference_json(&owner_reference(object))],
            },
            "spec": spec,
        });
        let copied = vec![
            Copied::new("", &object.key, "metadata.name"),
            Copied::new("spec", &object.key, "spec.jobTemplate.spec"),
        ];
        made.push(Object::made(value, "cronjob-controller", copied));
    }
    for job in made {
        if store.find(&job.key).is_none() {
            store.insert(job);
        }
    }
}

/// Makes the pods of Jobs: as many as run at a time. They run until the scenario says that they ended.
pub(super) fn make_pods(store: &Store, exported: &Exported, before: &Before<'_>, pods: &mut Vec<Draft>) {
    for (object, view) in store.all::<Job>() {
        let done = |condition: &Value| {
            matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True"
        };
        let ended = object
            .at(&FieldPath::parse("status.conditions"))
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(done));
        if view.spec.suspend || ended {
            continue;
        }
        let parallelism = view.spec.parallelism.unwrap_or(1);
        let at_a_time = view
            .spec
            .completions
            .map_or(parallelism, |completions| completions.min(parallelism));
        let template = Template::of(
            object,
            &view.spec.template,
            "spec.template",
            "job-controller",
            before,
        );
        let labels = [
            ("batch.kubernetes.io/job-name", object.key.name.clone()),
            ("job-name", object.key.name.clone()),
        ];
        let mut jobs = missing(object, Some(at_a_time), &template, exported);
        for draft in jobs.iter_mut().filter(|draft| draft.kept.is_none()) {
            for (key, value) in &labels {
                crate::infrastructure::put(&mut draft.value, &["metadata", "labels", key], json!(value));
                draft
                    .view_mut()
                    .metadata
                    .labels
                    .insert((*key).to_owned(), value.clone());
            }
        }
        pods.extend(jobs);
    }
}
