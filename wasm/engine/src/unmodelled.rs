//! What a world holds that the engine does not model and that could decide a request.

use hoplab_objects::kinds::{self, Modelled};
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{LabelSelector, Pod};
use hoplab_objects::{Object, Selector, Store};
use hoplab_source::ObjectKey;
use hoplab_trace::Unknown;
use serde_json::Value;
use std::sync::Arc;

/// The objects of a store that are not modelled and could decide something, found once a world.
pub fn undecided(store: &Store) -> Vec<Arc<Object>> {
    let open = |o: &&Arc<Object>| could_decide(o) && !hoplab_dataplane::faults::is_modelled(o);
    store.iter().filter(open).cloned().collect()
}

/// Those of `undecided` that could touch traffic between these pods (source, destination, name server), each with the
/// reason. A NetworkPolicy counts only where it selects one of the pods and something on the nodes enforces it, a route
/// of the Gateway API only where its parent is the Service that the request was sent to and a mesh acts on it.
pub fn unknowns(
    undecided: &[Arc<Object>],
    store: &Store,
    settings: &ClusterSettings,
    pods: &[&ObjectKey],
    service: Option<&ObjectKey>,
) -> Vec<Unknown> {
    let mut out = Vec::new();
    for object in undecided {
        if object.key.group == "networking.k8s.io" && object.key.kind == "NetworkPolicy" {
            if settings.cni.policy_agent && pods.iter().any(|pod| selects(object, pod, store)) {
                out.push(unknown(
                    object,
                    "it selects a pod of this request, and policies are not modelled yet",
                ));
            }
        } else if let Some(service) = service
            && settings.mesh != "none"
            && is_route_of(object, service)
        {
            out.push(unknown(
                object,
                "it routes requests to this Service, and meshes are not modelled yet",
            ));
        } else if decides_everywhere(&object.key) {
            out.push(unknown(
                object,
                "it may act on this request, and its kind is not modelled yet",
            ));
        }
    }
    out
}

fn unknown(object: &Object, why: &str) -> Unknown {
    Unknown {
        what: object.key.to_string(),
        why: why.to_owned(),
    }
}

fn could_decide(object: &Object) -> bool {
    kinds::kind(&object.gvk.group, &object.gvk.kind).is_some_and(|k| k.modelled == Modelled::CouldDecide)
}

/// Kinds that act on pods' traffic wherever it goes: policies of a whole cluster, meshes, address pools. Edges
/// (Ingress, Gateway and their routes) act on requests that are sent to them only.
fn decides_everywhere(key: &ObjectKey) -> bool {
    match key.group.as_str() {
        "policy.networking.k8s.io"
        | "projectcalico.org"
        | "crd.projectcalico.org"
        | "cilium.io"
        | "k8s.cni.cncf.io" => true,
        "networking.istio.io"
        | "security.istio.io"
        | "policy.linkerd.io"
        | "linkerd.io"
        | "vpcresources.k8s.aws" => true,
        "hoplab.dev" => key.kind == "Fault",
        _ => false,
    }
}

/// Whether a route (of the Gateway API, for meshes: GEP-1324) has the Service as a parent.
fn is_route_of(route: &Object, service: &ObjectKey) -> bool {
    let parents = route.value.pointer("/spec/parentRefs").and_then(Value::as_array);
    route.key.group == "gateway.networking.k8s.io"
        && parents.into_iter().flatten().any(|parent| {
            let field = |name: &str| parent.get(name).and_then(Value::as_str);
            field("kind") == Some("Service")
                && field("name") == Some(&service.name)
                && field("namespace").unwrap_or(&route.key.namespace) == service.namespace
        })
}

/// Whether a NetworkPolicy selects a pod. `podSelector` absent or null selects every pod of the namespace.
fn selects(policy: &Object, pod: &ObjectKey, store: &Store) -> bool {
    if policy.key.namespace != pod.namespace {
        return false;
    }
    let Some(pod) = store.view::<Pod>(&pod.namespace, &pod.name) else {
        return false;
    };
    let selector = policy.value.pointer("/spec/podSelector").filter(|s| !s.is_null());
    match selector.map(LabelSelector::of) {
        None => true,
        Some(Some(selector)) => Selector::of(&selector).matches(&pod.metadata.labels),
        // A selector that does not read could select anything.
        Some(None) => true,
    }
}
