//! Who selects whom and what refers to what, worked out once for status, data plane and lint.

use crate::codes;
use crate::object::Object;
use crate::store::Store;
use crate::view::{IntOrString, Pod, Service, ServicePort, ServiceType};
use hoplab_source::collections::{BTreeSet, IndexMap};
use hoplab_source::{Diagnostic, ObjectKey, Severity, order};
use std::borrow::Cow;
use std::sync::Arc;

/// How many levels of owners are followed: references may go round.
const DEEPEST: usize = 8;

/// Who selects whom and who owns what. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    selected: Arc<Selected>,
    owned: Arc<Vec<(ObjectKey, Vec<Arc<Object>>)>>,
}

/// Who selects whom, each list in the order of keys.
#[derive(Debug, Default)]
struct Selected {
    of_service: Vec<(Arc<Object>, Vec<Arc<Object>>)>,
    of_pod: Vec<(Arc<Object>, Vec<Arc<Object>>)>,
}

impl Relations {
    /// Works them out.
    pub fn of(store: &Store) -> Self {
        Self::selected(store).with_owners(store)
    }

    /// Who selects whom alone.
    pub fn selected(store: &Store) -> Self {
        Self {
            selected: Arc::new(Selected::of(store)),
            owned: Arc::default(),
        }
    }

    /// The same with who owns what, of a store that has the same pods and Services.
    pub fn with_owners(&self, store: &Store) -> Self {
        Self {
            selected: Arc::clone(&self.selected),
            owned: Arc::new(owned(store)),
        }
    }

    /// The pods that a Service selects, by name. None for a Service without a selector.
    pub fn pods_of_service(&self, service: &ObjectKey) -> &[Arc<Object>] {
        found(&self.selected.of_service, service)
    }

    /// The Services that select a pod, by name.
    pub fn services_of_pod(&self, pod: &ObjectKey) -> &[Arc<Object>] {
        found(&self.selected.of_pod, pod)
    }

    /// What an object owns, by key.
    pub fn owned_by(&self, owner: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.owned(owner).iter().map(|object| &object.key)
    }

    /// The objects that an object owns, by key.
    pub fn objects_owned_by(&self, owner: &ObjectKey) -> &[Arc<Object>] {
        self.owned(owner)
    }

    /// Goes through the pods that an object owns, directly or through others.
    pub fn each_pod_owned_by(&self, owner: &ObjectKey, each: &mut dyn FnMut(&Pod)) {
        self.pods_below(owner, DEEPEST, each);
    }

    fn pods_below(&self, owner: &ObjectKey, deepest: usize, each: &mut dyn FnMut(&Pod)) {
        for object in self.owned(owner) {
            match object.view::<Pod>() {
                Some(pod) => each(pod),
                None if deepest > 0 => self.pods_below(&object.key, deepest - 1, each),
                None => {}
            }
        }
    }

    fn owned(&self, owner: &ObjectKey) -> &[Arc<Object>] {
        match self.owned.binary_search_by(|(key, _)| key.cmp(owner)) {
            Ok(at) => &self.owned[at].1,
            Err(_) => &[],
        }
    }
}

/// What is listed beside the object of a key.
fn found<'l>(lists: &'l [(Arc<Object>, Vec<Arc<Object>>)], key: &ObjectKey) -> &'l [Arc<Object>] {
    match lists.binary_search_by(|(object, _)| object.key.cmp(key)) {
        Ok(at) => &lists[at].1,
        Err(_) => &[],
    }
}

impl Selected {
    fn of(store: &Store) -> Self {
        let selecting = || {
            store.all::<Service>().filter_map(|(object, service)| {
                let (key, value) = service.spec.selector.first_key_value()?;
                (service.spec.type_ != ServiceType::ExternalName).then_some((object, service, key, value))
            })
        };
        // Pods by namespace and one label, so that a selector looks only at pods that have its first label.
        let asked: BTreeSet<&str> = selecting().map(|(_, _, key, _)| key.as_str()).collect();
        let pods: Vec<(&Arc<Object>, &Arc<Pod>)> = store.all::<Pod>().collect();
        let mut by_label: IndexMap<(&str, &str, &str), Vec<usize>> = IndexMap::new();
        for (at, (object, pod)) in pods.iter().enumerate() {
            for (key, value) in pod
                .metadata
                .labels
                .iter()
                .filter(|(key, _)| asked.contains(key.as_str()))
            {
                by_label
                    .entry((&object.key.namespace, key, value))
                    .or_default()
                    .push(at);
            }
        }
        let mut of_pod: Vec<(Arc<Object>, Vec<Arc<Object>>)> = pods
            .iter()
            .map(|(object, _)| (Arc::clone(object), Vec::new()))
            .collect();
        let mut of_service = Vec::new();
        for (object, service, key, value) in selecting() {
            let candidates = by_label.get(&(object.key.namespace.as_str(), key.as_str(), value.as_str()));
            let mut selected = Vec::new();
            for at in candidates.into_iter().flatten() {
                let (pod, view) = pods[*at];
                let wanted = &mut service.spec.selector.iter();
                if wanted.all(|(key, value)| view.metadata.labels.get(key) == Some(value)) {
                    selected.push(Arc::clone(pod));
                    of_pod[*at].1.push(Arc::clone(object));
                }
            }
            of_service.push((Arc::clone(object), selected));
        }
        Self { of_service, of_pod }
    }
}

/// What each owner owns, in the order of the owners' keys.
fn owned(store: &Store) -> Vec<(ObjectKey, Vec<Arc<Object>>)> {
    let mut owned: Vec<(ObjectKey, Vec<Arc<Object>>)> = Vec::new();
    for object in store.iter() {
        for owner in &object.metadata().owner_references {
            let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
            // Pods of one owner mostly stand beside each other.
            match owned.last_mut() {
                Some((key, list))
                    if key.name == owner.name
                        && key.namespace == object.key.namespace
                        && key.kind == owner.kind
                        && key.group == group =>
                {
                    list.push(Arc::clone(object));
                }
                _ => {
                    let namespace = object.key.namespace.clone();
                    let owner = ObjectKey::new(group, owner.kind.clone(), namespace, owner.name.clone());
                    owned.push((owner, vec![Arc::clone(object)]));
                }
            }
        }
    }
    order::sort_by(&mut owned, |(a, _), (b, _)| a.cmp(b));
    owned.dedup_by(|(key, list), (before, all)| {
        let same = key == before;
        if same {
            all.append(list);
        }
        same
    });
    owned
}

/// The topmost owner that an object's ownerReferences lead to, as far as the store or the references name one.
pub fn topmost_owner(store: &Store, object: &Object) -> ObjectKey {
    let mut key = Cow::Borrowed(&object.key);
    let mut current = Some(object);
    for _ in 0..8 {
        let metadata = current.map(Object::metadata);
        let Some(owner) = metadata.as_ref().and_then(|metadata| metadata.controller()) else {
            break;
        };
        if owner.kind.is_empty() {
            break;
        }
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let above = ObjectKey::new(
            group,
            owner.kind.clone(),
            key.namespace.clone(),
            owner.name.clone(),
        );
        current = store.find(&above).map(|object| &**object);
        key = Cow::Owned(above);
    }
    key.into_owned()
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
        ("", "Service") => relations
            .pods_of_service(key)
            .iter()
            .map(|pod| pod.key.clone())
            .collect(),
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
    order::sort(&mut pods);
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
            let mut views = pods.iter().filter_map(|pod| pod.view::<Pod>());
            let Some(pod) = views.find(|pod| target_port(port, pod).is_none()) else {
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
