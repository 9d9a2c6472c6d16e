//! What an expectation asks of the world beside the trace: who a pod belongs to, what addresses a party has.

use hoplab_objects::relate::{Relations, pods_of};
use hoplab_objects::{Object, Store, kinds};
use hoplab_source::ObjectKey;
use hoplab_trace::Place;
use std::net::IpAddr;
use std::sync::Arc;

/// What is asked of a world. `World` answers; tests have a store and a table.
pub(crate) trait Facts {
    /// Its objects.
    fn store(&self) -> &Store;
    /// Who owns and selects whom.
    fn relations(&self) -> &Relations;
    /// Every address of a node or host, as its interfaces have them; `None`: there is no such party.
    fn addresses(&self, party: &str) -> Option<Vec<IpAddr>>;
}

/// Whether this place is what a Probe's `backend` names: `namespace/name`, `namespace/kind/name`, `namespace/*`,
/// `host:NAME`, `external:ADDRESS`. `Err`: the text cannot be judged, and why.
pub(crate) fn is_backend(facts: &dyn Facts, place: &Place, wanted: &str) -> Result<bool, String> {
    if wanted.starts_with("cluster:") {
        return Err(format!(
            "backend {wanted:?}: several clusters are not modelled yet"
        ));
    }
    if let Some(host) = wanted.strip_prefix("host:") {
        return Ok(match place {
            Place::Host(name) => **name == *host,
            Place::HostNetNs(name, netns) => format!("{name}/{netns}") == host,
            _ => false,
        });
    }
    if let Some(node) = wanted.strip_prefix("node:") {
        return Ok(matches!(place, Place::Node(name) if **name == *node));
    }
    if let Some(address) = wanted.strip_prefix("external:") {
        return Ok(matches!(place, Place::External(found) if found.to_string() == address));
    }
    let wanted = wanted.strip_prefix("pod:").unwrap_or(wanted);
    let parts: Vec<&str> = wanted.split('/').collect();
    let Place::Pod(pod) = place else {
        return match parts.as_slice() {
            [_, _] | [_, _, _] => Ok(false),
            _ => Err(malformed(wanted)),
        };
    };
    let (namespace, name) = pod.split_once('/').unwrap_or(("", pod));
    match parts.as_slice() {
        [ns, "*"] => Ok(*ns == namespace),
        [ns, wanted] => Ok(*ns == namespace && *wanted == name),
        [ns, kind, owner] => {
            Ok(*ns == namespace && members(facts, ns, kind, owner)?.iter().any(|p| p == name))
        }
        _ => Err(malformed(wanted)),
    }
}

fn malformed(wanted: &str) -> String {
    format!("backend {wanted:?}: expected namespace/name, namespace/kind/name, namespace/* or host:NAME")
}

/// Names of the pods of `namespace/kind/name`, in order. `Err`: there is no such object.
pub(crate) fn members(
    facts: &dyn Facts,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<Vec<String>, String> {
    let store = facts.store();
    let lower = kind.to_ascii_lowercase();
    let is_it = |object: &&Arc<Object>| {
        object.key.kind.to_ascii_lowercase() == lower
            && object.key.namespace == namespace
            && object.key.name == name
    };
    let by_table = kinds::by_name(kind).map(|kind| ObjectKey::new(kind.group, kind.kind, namespace, name));
    let found = by_table
        .and_then(|key| store.find(&key))
        .or_else(|| store.iter().find(is_it));
    match found {
        Some(owner) => Ok(pods_of(store, facts.relations(), &owner.key)
            .into_iter()
            .map(|pod| pod.name)
            .collect()),
        None => Err(format!("there is no {lower} {namespace}/{name}")),
    }
}

/// The addresses of a pod as its status says.
pub(crate) fn pod_addresses(store: &Store, namespace: &str, name: &str) -> Vec<IpAddr> {
    let Some(pod) = store.find(&ObjectKey::new("", "Pod", namespace, name)) else {
        return Vec::new();
    };
    let status = pod.value.get("status");
    let many = status
        .and_then(|s| s.get("podIPs"))
        .and_then(serde_json::Value::as_array);
    let mut texts: Vec<&str> = many
        .into_iter()
        .flatten()
        .filter_map(|ip| ip.get("ip").and_then(serde_json::Value::as_str))
        .collect();
    if texts.is_empty() {
        texts.extend(
            status
                .and_then(|s| s.get("podIP"))
                .and_then(serde_json::Value::as_str),
        );
    }
    texts.into_iter().filter_map(|text| text.parse().ok()).collect()
}

/// The addresses of all pods of `namespace/name` or `namespace/kind/name`.
pub(crate) fn addresses_of_pods(facts: &dyn Facts, wanted: &str) -> Result<Vec<IpAddr>, String> {
    let parts: Vec<&str> = wanted.strip_prefix("pod:").unwrap_or(wanted).split('/').collect();
    let (namespace, names) = match parts.as_slice() {
        [namespace, name] => (*namespace, members(facts, namespace, "pod", name)?),
        [namespace, kind, name] => (*namespace, members(facts, namespace, kind, name)?),
        _ => {
            return Err(format!(
                "{wanted:?}: expected namespace/name or namespace/kind/name of pods"
            ));
        }
    };
    if names.is_empty() {
        return Err(format!("there is no pod of {wanted}"));
    }
    Ok(names
        .iter()
        .flat_map(|name| pod_addresses(facts.store(), namespace, name))
        .collect())
}
