//! Pods as they are drawn.

use super::{protocol, written};
use crate::input::{PodInput, PodState, PortInput};
use hoplab_engine::World;
use hoplab_objects::relate::topmost_owner;
use hoplab_objects::view::{OwnerReference, Pod};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{ObjectKey, order};
use std::sync::Arc;

/// What of an older world is drawn: taken over for what is still the very same. In the order of the pods' keys.
#[derive(Default)]
pub(super) struct Known {
    pub(super) pods: Vec<(Arc<Object>, PodInput)>,
}

/// How many pods of a workload are ready, and how many there are.
pub(super) type Counts = BTreeMap<ObjectKey, (u32, u32)>;

/// All pods that have not ended, each with its object; and how many every workload has.
pub(super) fn pods(world: &World, known: Known) -> (Vec<(Arc<Object>, PodInput)>, Counts) {
    let store = world.store();
    let mut counts = Counts::new();
    let mut above = Above::default();
    let mut planned = world.plan().pods().iter().peekable();
    let mut known = known.pods.into_iter().peekable();
    let mut all = Vec::with_capacity(known.len());
    for (object, pod) in store.all::<Pod>().filter(|(_, pod)| !pod.has_ended()) {
        above.look_up(store, object, pod);
        if let Some(top) = &above.top {
            let count = match counts.get_mut(top) {
                Some(count) => count,
                None => counts.entry(top.clone()).or_default(),
            };
            count.0 += u32::from(pod.is_ready());
            count.1 += 1;
        }
        let plan = planned.next_if(|plan| Arc::ptr_eq(&plan.object, object));
        while known
            .peek()
            .is_some_and(|(old, _)| !old.shares_value(object) && old.key < object.key)
        {
            known.next();
        }
        let mut drawn = match known.next_if(|(old, _)| old.shares_value(object)) {
            Some((_, drawn)) => drawn,
            None => of_pod(object, pod),
        };
        if drawn.owner != above.name() {
            drawn.owner = above.name().to_owned();
        }
        if drawn.veth.as_deref() != plan.map(|plan| &*plan.veth) {
            drawn.veth = plan.map(|plan| plan.veth.to_string());
        }
        drawn.written = object.is_written() || above.written;
        // Without declared ports, what the pod listens on depends on more than the pod.
        if drawn.address.is_some() && pod.spec.running_containers().all(|c| c.ports.is_empty()) {
            drawn.listens = sockets(world, object, pod);
        }
        all.push((Arc::clone(object), drawn));
    }
    (all, counts)
}

/// What stands above a pod. Pods of one owner follow each other: it is looked up once for all of them.
#[derive(Default)]
struct Above {
    owner: Option<(String, OwnerReference)>,
    /// The topmost owner.
    top: Option<ObjectKey>,
    /// Whether a document says what the pod was made from.
    written: bool,
}

impl Above {
    fn look_up(&mut self, store: &Store, object: &Object, pod: &Pod) {
        let owner = pod.metadata.controller();
        let same = |(namespace, known): &(String, OwnerReference)| {
            *namespace == object.key.namespace && owner == Some(known)
        };
        if owner.is_some() && self.owner.as_ref().is_some_and(same) {
            return;
        }
        self.owner = owner.map(|owner| (object.key.namespace.clone(), owner.clone()));
        self.top = Some(topmost_owner(store, object)).filter(|top| *top != object.key);
        self.written = written(store, object);
    }

    /// The workload that a pod is told by: the Deployment above its ReplicaSet.
    fn name(&self) -> &str {
        self.top.as_ref().map_or("", |top| &top.name)
    }
}

/// A pod by itself, without what others say of it.
fn of_pod(object: &Object, pod: &Pod) -> PodInput {
    let address = pod.addresses().first().map(ToString::to_string);
    PodInput {
        namespace: object.key.namespace.clone(),
        name: object.key.name.clone(),
        owner: String::new(),
        node: (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone()),
        host_network: pod.spec.host_network,
        process: pod.spec.containers.first().and_then(|c| image_name(&c.image)),
        state: state(pod, address.is_some()),
        veth: None,
        written: false,
        listens: declared(pod),
        address,
    }
}

/// `curl` of `docker.io/curlimages/curl:8.10`.
fn image_name(image: &str) -> Option<String> {
    let last = image.rsplit('/').next()?;
    let name = last.split([':', '@']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn declared(pod: &Pod) -> Vec<PortInput> {
    pod.spec
        .running_containers()
        .flat_map(|c| &c.ports)
        .map(|p| PortInput {
            name: p.name.clone(),
            protocol: protocol(p.protocol),
            port: p.container_port,
            ..PortInput::default()
        })
        .collect()
}

/// What a pod without declared ports listens on all the same.
fn sockets(world: &World, object: &Object, pod: &Pod) -> Vec<PortInput> {
    let found = world.plan().sockets_of(object, pod);
    let mut ports: Vec<PortInput> = found
        .listeners
        .iter()
        .filter_map(|l| Some((l.port?, l.protocol)))
        .map(|(port, protocol)| PortInput {
            protocol: protocol.name().to_ascii_uppercase(),
            port,
            ..PortInput::default()
        })
        .collect();
    order::sort_by_key(&mut ports, |p| (p.port, p.protocol.clone()));
    ports.dedup();
    ports
}

fn state(pod: &Pod, addressed: bool) -> PodState {
    let why = |kind: &str| {
        let condition = pod
            .status
            .conditions
            .iter()
            .find(|c| c.type_ == kind && c.status == "False");
        condition
            .map(|c| {
                if c.message.is_empty() {
                    c.reason.clone()
                } else {
                    c.message.clone()
                }
            })
            .unwrap_or_default()
    };
    match () {
        () if pod.spec.node_name.is_empty() => PodState::Pending(why("PodScheduled")),
        () if !addressed => PodState::Pending(why("Ready")),
        () if pod.is_ready() => PodState::Ready,
        () => PodState::NotReady(why("Ready")),
    }
}
