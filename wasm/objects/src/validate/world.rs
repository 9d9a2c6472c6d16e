//! What only shows when objects are seen together: addresses taken twice, checks that do not exist, fields that
//! cannot change.

use crate::codes;
use crate::object::Object;
use crate::read::{key_of, step_objects};
use crate::view::hoplab::{Assert, Probe, Step};
use crate::view::{Service, Typed};
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Severity};
use serde_json::Value;

/// Everything that is wrong between the objects of a world, in document order.
pub fn world(objects: &[Object]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    allocations(objects, &mut found);
    steps(objects, &mut found);
    found
}

fn allocations(objects: &[Object], found: &mut Vec<Diagnostic>) {
    let mut addresses: BTreeMap<(Option<&str>, String), &Object> = BTreeMap::new();
    for object in objects {
        let Some(service) = object.view::<Service>() else {
            continue;
        };
        let cluster = object.cluster.as_deref();
        let mut claims: Vec<(String, String, &str)> = Vec::new();
        for address in service.addresses() {
            claims.push((
                address.to_string(),
                "spec.clusterIP".to_owned(),
                "provided IP is already allocated",
            ));
        }
        for (index, port) in service.spec.ports.iter().enumerate() {
            if let Some(node_port) = port.node_port {
                let path = format!("spec.ports[{index}].nodePort");
                claims.push((
                    format!("{node_port}/{}", port.protocol),
                    path,
                    "provided port is already allocated",
                ));
            }
        }
        for (claim, path, reason) in claims {
            match addresses.get(&(cluster, claim.clone())) {
                None => {
                    addresses.insert((cluster, claim), object);
                }
                Some(other) if other.key == object.key => {}
                Some(other) => {
                    let value = claim.split('/').next().unwrap_or(&claim).to_owned();
                    let message = format!("Invalid value: \"{value}\": {reason}");
                    let span = other.span(&FieldPath::parse(&path));
                    found.push(
                        object
                            .problem(&path, codes::ALREADY_ALLOCATED, Severity::Error, message)
                            .note(format!("{} has it", other.key), span),
                    );
                }
            }
        }
    }
}

fn steps(objects: &[Object], found: &mut Vec<Diagnostic>) {
    let checks: BTreeSet<&str> = objects
        .iter()
        .filter(|object| object.view::<Probe>().is_some() || object.view::<Assert>().is_some())
        .map(|object| object.key.name.as_str())
        .collect();
    let mut now: BTreeMap<ObjectKey, Object> = BTreeMap::new();
    if objects.iter().any(|object| object.view::<Step>().is_some()) {
        now.extend(objects.iter().map(|object| (object.key.clone(), object.clone())));
    }
    for object in objects {
        let Some(step) = object.view::<Step>() else {
            continue;
        };
        for (index, name) in step
            .spec
            .checks
            .iter()
            .enumerate()
            .filter(|(_, name)| !checks.contains(name.as_str()))
        {
            let message = format!("\"{name}\" is the name of no Probe and no Assert");
            let problem = object.problem(
                &format!("spec.checks[{index}]"),
                codes::UNKNOWN_CHECK,
                Severity::Error,
                message,
            );
            found.push(match crate::names::did_you_mean(name, checks.iter().copied()) {
                Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
                None => problem,
            });
        }
        let applied = step_objects(object);
        found.extend(applied.diagnostics);
        for after in applied.value {
            if let Some(before) = now.get(&after.key) {
                found.extend(change(before, &after));
            }
            now.insert(after.key.clone(), after);
        }
        for key in step.spec.delete.iter().filter_map(key_of) {
            now.remove(&key);
        }
    }
}

/// Fields of a kind that cannot change once they are set, and what is said of it. Sources: pkg/apis/apps/validation
/// ValidateStatefulSetUpdate, pkg/apis/core/validation ValidatePodUpdate, apimachinery ValidateImmutableField (v1.36).
struct Immutable {
    group: &'static str,
    kind: &'static str,
    fields: &'static [&'static str],
    /// Said of the whole `spec`; `None`: of the field, in the words that most kinds share.
    says: Option<&'static str>,
}

const fn immutable(group: &'static str, kind: &'static str, fields: &'static [&'static str]) -> Immutable {
    Immutable {
        group,
        kind,
        fields,
        says: None,
    }
}

static IMMUTABLE: &[Immutable] = &[
    immutable("apps", "Deployment", &["spec.selector"]),
    immutable("apps", "ReplicaSet", &["spec.selector"]),
    immutable("apps", "DaemonSet", &["spec.selector"]),
    Immutable {
        says: Some(
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
        ..immutable(
            "apps",
            "StatefulSet",
            &["spec.selector", "spec.serviceName", "spec.podManagementPolicy"],
        )
    },
    immutable(
        "batch",
        "Job",
        &["spec.selector", "spec.template", "spec.completions"],
    ),
    immutable("discovery.k8s.io", "EndpointSlice", &["addressType"]),
    Immutable {
        says: Some(
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ),
        ..immutable(
            "",
            "Pod",
            &[
                "spec.nodeName",
                "spec.hostNetwork",
                "spec.hostname",
                "spec.subdomain",
                "spec.dnsPolicy",
                "spec.nodeSelector",
            ],
        )
    },
];

/// What the API server says of a change from one object to another of the same key.
pub fn change(before: &Object, after: &Object) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let fields = IMMUTABLE
        .iter()
        .find(|entry| entry.group == after.key.group && entry.kind == after.key.kind);
    for field in fields.into_iter().flat_map(|entry| entry.fields) {
        let path = FieldPath::parse(field);
        let (old, new) = (before.at(&path), after.at(&path));
        // A field that is not written keeps what the cluster has.
        if old != new && (new.is_some() && old.is_some()) {
            let message = match fields.and_then(|entry| entry.says) {
                Some(says) => format!("Forbidden: {says}"),
                None => {
                    let value = new.map(Value::to_string).unwrap_or_default();
                    format!("Invalid value: {value}: field is immutable")
                }
            };
            found.push(
                after
                    .problem_at(path, codes::IMMUTABLE, Severity::Error, message)
                    .help("delete the object and make it anew"),
            );
        }
    }
    if let (Typed::Service(old), Typed::Service(new)) = (&before.typed, &after.typed)
        && let (Some(old), Some(new)) = (old.addresses().first(), new.addresses().first())
        && old != new
    {
        let message = format!("Invalid value: [\"{new}\"]: may not change once set");
        found.push(after.problem("spec.clusterIP", codes::IMMUTABLE, Severity::Error, message));
    }
    found
}
