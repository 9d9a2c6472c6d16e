//! Who selects whom and what refers to what, worked out once for status, data plane and lint.

use crate::codes;
use crate::object::Object;
use crate::selector::Selector;
use crate::store::Store;
use crate::view::{IntOrString, Pod, Service, ServicePort, ServiceType};
use hoplab_source::{Diagnostic, ObjectKey, Severity};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who selects whom and who owns what. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    selected: Arc<Selected>,
    owned: Arc<IndexMap<ObjectKey, Vec<ObjectKey>>>,
}

/// Who selects whom.
#[derive(Debug, Default)]
struct Selected {
    pods_of_service: IndexMap<ObjectKey, Vec<ObjectKey>>,
    services_of_pod: IndexMap<ObjectKey, Vec<ObjectKey>>,
}

/// A pod with its view.
type Labelled<'s> = (&'s Arc<Object>, &'s Arc<Pod>);

impl Relations {
    /// Works them out.
    pub fn of(store: &Store) -> Self {
        Self {
            selected: Arc::new(Selected::of(store)),
            owned: Arc::new(owned(store)),
        }
    }

    /// Those of a store that differs from the one they were worked out for neither in pods nor in Services.
    pub fn after(&self, store: &Store) -> Self {
        Self {
            selected: Arc::clone(&self.selected),
            owned: Arc::new(owned(store)),
        }
    }

    /// The pods that a Service selects, by name. None for a Service without a selector.
    pub fn pods_of_service(&self, service: &ObjectKey) -> &[ObjectKey] {
        self.selected
            .pods_of_service
            .get(service)
            .map_or(&[], Vec::as_slice)
    }

    /// The Services that select a pod, by name.
    pub fn services_of_pod(&self, pod: &ObjectKey) -> &[ObjectKey] {
        self.selected.services_of_pod.get(pod).map_or(&[], Vec::as_slice)
    }

    /// What an object owns.
    pub fn owned_by(&self, owner: &ObjectKey) -> &[ObjectKey] {
        self.owned.get(owner).map_or(&[], Vec::as_slice)
    }
}

impl Selected {
    fn of(store: &Store) -> Self {
        let mut selected = Self::default();
        let selecting = || {
            store.all::<Service>().filter_map(|(object, service)| {
                let (key, value) = service.spec.selector.first_key_value()?;
                (service.spec.type_ != ServiceType::ExternalName).then_some((object, service, key, value))
            })
        };
        // Pods by namespace and one label, so that a selector looks only at pods that have its first label.
        let asked: BTreeSet<&str> = selecting().map(|(_, _, key, _)| key.as_str()).collect();
        let mut by_label: IndexMap<(&str, &str, &str), Vec<Labelled<'_>>> = IndexMap::new();
        for (object, pod) in store.all::<Pod>() {
            for (key, value) in pod
                .metadata
                .labels
                .iter()
                .filter(|(key, _)| asked.contains(key.as_str()))
            {
                by_label
                    .entry((&object.key.namespace, key, value))
                    .or_default()
                    .push((object, pod));
            }
        }
        for (object, service, key, value) in selecting() {
            let selector = Selector::of_labels(&service.spec.selector);
            let candidates = by_label.get(&(object.key.namespace.as_str(), key.as_str(), value.as_str()));
            let pods: Vec<ObjectKey> = candidates
                .into_iter()
                .flatten()
                .filter(|(_, pod)| selector.matches(&pod.metadata.labels))
                .map(|(pod, _)| pod.key.clone())
                .collect();
            for pod in &pods {
                selected
                    .services_of_pod
                    .entry(pod.clone())
                    .or_default()
                    .push(object.key.clone());
            }
            selected.pods_of_service.insert(object.key.clone(), pods);
        }
        selected
    }
}

/// What each owner owns, by key.
fn owned(store: &Store) -> IndexMap<ObjectKey, Vec<ObjectKey>> {
    let mut owned: IndexMap<ObjectKey, Vec<ObjectKey>> = IndexMap::new();
    for object in store.iter() {
        for owner in &object.metadata().owner_references {
            let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
            let owner = ObjectKey::new(
                group,
                owner.kind.clone(),
                object.key.namespace.clone(),
                owner.name.clone(),
            );
            owned.entry(owner).or_default().push(object.key.clone());
        }
    }
    owned
}

/// The topmost owner that an object's ownerReferences lead to, as far as the store or the references name one.
pub fn topmost_owner(store: &Store, object: &Object) -> ObjectKey {
    let mut key = object.key.clone();
    let mut current = Some(object.metadata().into_owned());
    for _ in 0..8 {
        let Some(owner) = current
            .as_ref()
            .and_then(|metadata| metadata.controller().cloned())
        else {
            break;
        };
        if owner.kind.is_empty() {
            break;
        }
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        key = ObjectKey::new(group, owner.kind, key.namespace, owner.name);
        current = store.find(&key).map(|object| object.metadata().into_owned());
    }
    key
}

/// The pods of a workload, a Service or a pod itself, by name: what `namespace/name` or `namespace/kind/name` means in
/// a Probe.
pub fn pods_of(store: &Store, relations: &Relations, key: &ObjectKey) -> Vec<ObjectKey> {
    match (key.group.as_str(), key.kind.as_str()) {
        ("", "Pod") => store
            .find(key)
            .map(|object| object.key.clone())
            .into_iter()
            .collect(),
        ("", "Service") => relations.pods_of_service(key).to_vec(),
        _ => pods_owned_by(relations, key).into_iter().cloned().collect(),
    }
}

/// The pods that an object owns, directly or through others, by name, each once.
pub fn pods_owned_by<'r>(relations: &'r Relations, key: &'r ObjectKey) -> Vec<&'r ObjectKey> {
    let mut pods = Vec::new();
    let mut owners = vec![key];
    while let Some(owner) = owners.pop() {
        for owned in relations.owned_by(owner) {
            if owned.kind == "Pod" {
                pods.push(owned);
            } else {
                owners.push(owned);
            }
        }
    }
    pods.sort();
    pods.dedup();
    pods
}

/// What leads nowhere: Services that select no pod, and names of ports that a pod behind them does not have. To be
/// asked of a store that the controllers have completed.
pub fn dangling(store: &Store, relations: &Relations) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (object, service) in store.all::<Service>().filter(|(object, _)| object.is_written()) {
        if service.spec.type_ == ServiceType::ExternalName || service.spec.selector.is_empty() {
            continue;
        }
        let pods = relations.pods_of_service(&object.key);
        if pods.is_empty() {
            let pairs: Vec<String> = service
                .spec
                .selector
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let message = format!(
                "{} selects no pod: none in {} has {}",
                object.key,
                object.key.namespace,
                pairs.join(",")
            );
            found.push(object.problem(
                "spec.selector",
                codes::SELECTS_NOTHING,
                Severity::Warning,
                message,
            ));
        }
        for (index, port) in service.spec.ports.iter().enumerate() {
            let Some(IntOrString::String(name)) = &port.target_port else {
                continue;
            };
            let views = pods
                .iter()
                .filter_map(|key| store.view::<Pod>(&key.namespace, &key.name));
            let Some(pod) = views.into_iter().find(|pod| target_port(port, pod).is_none()) else {
                continue;
            };
            let declared = pod
                .spec
                .running_containers()
                .flat_map(|container| &container.ports);
            let names: Vec<&str> = declared
                .filter(|port| !port.name.is_empty())
                .map(|port| port.name.as_str())
                .collect();
            let has = if names.is_empty() {
                "no named port".to_owned()
            } else {
                names.join(", ")
            };
            let pod = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
            let message = format!(
                "\"{name}\" names no {} port of pod {pod} (it has: {has})",
                port.protocol
            );
            let path = format!("spec.ports[{index}].targetPort");
            let problem = object.problem(&path, codes::NO_SUCH_PORT, Severity::Warning, message);
            found.push(match crate::names::did_you_mean(name, names) {
                Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
                None => problem,
            });
        }
    }
    found
}

/// The port of a pod that a Service's port leads to; `None` when a name is none of the pod's.
/// Models k8s.io/endpointslice util FindPort: a name is looked up among the containers' ports with the protocol.
pub fn target_port(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok(),
        Some(IntOrString::String(name)) => pod.named_port(name, port.protocol),
    }
}
