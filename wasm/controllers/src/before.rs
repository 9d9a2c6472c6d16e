//! What of the world before an edit can be taken over: what was made from values that are still the very same.
//!
//! Nothing here decides what an object is. Each taker says what its object is made from, and takes the old one only if
//! all of that is shared with the world before; a property test compares with the world that is made anew.

use crate::status::Count;
use crate::{Failing, Reconciled};
use hoplab_objects::settings::{ClusterSettings, NodeSettings};
use hoplab_objects::view::{Pod, Service};
use hoplab_objects::{Made, Object, Provenance, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What a settled world remembers of how it came about. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Steps(Arc<Remembered>);

#[derive(Debug)]
struct Remembered {
    /// Objects before pods, addresses and statuses: documents, add-ons, and what workloads wanted beside pods.
    wanted: Store,
    settings: ClusterSettings,
    /// Services that something is wrong with.
    troubled: BTreeSet<ObjectKey>,
    /// How many pods of each workload were in which state.
    counts: BTreeMap<ObjectKey, Count>,
    failing: Failing,
}

impl Steps {
    pub(crate) fn new(
        wanted: Store,
        settings: &ClusterSettings,
        troubled: BTreeSet<ObjectKey>,
        counts: BTreeMap<ObjectKey, Count>,
        failing: &Failing,
    ) -> Self {
        Self(Arc::new(Remembered {
            wanted,
            settings: settings.clone(),
            troubled,
            counts,
            failing: failing.clone(),
        }))
    }
}

/// The world before, as far as there was one.
pub(crate) struct Before<'p> {
    store: Option<&'p Store>,
    /// Only where things may be taken over, beside nodes and addresses.
    reconciled: Option<&'p Reconciled>,
    nodes: BTreeMap<&'p str, &'p NodeSettings>,
    /// Addresses that documents give to pods now.
    written: BTreeSet<IpAddr>,
    /// Pods that fail now, or did then.
    failing: Vec<ObjectKey>,
}

impl<'p> Before<'p> {
    /// A world before whose nodes and addresses are kept, and nothing else of it.
    pub(crate) fn addresses_of(store: Option<&'p Store>) -> Self {
        Self {
            store,
            reconciled: None,
            nodes: BTreeMap::new(),
            written: BTreeSet::new(),
            failing: Vec::new(),
        }
    }

    /// A world before of which everything is taken over that fits these documents. Nothing is where the cluster itself
    /// is another.
    pub(crate) fn of(
        reconciled: Option<&'p Reconciled>,
        documents: &Store,
        settings: &'p ClusterSettings,
        failing: &Failing,
    ) -> Self {
        let same_cluster = reconciled.filter(|before| before.steps.0.settings == *settings);
        Self {
            store: reconciled.map(|before| &before.store),
            reconciled: same_cluster,
            nodes: settings.by_name(),
            written: documents
                .all::<Pod>()
                .filter(|(object, _)| object.is_written())
                .flat_map(|(_, pod)| pod.addresses())
                .collect(),
            failing: same_cluster
                .iter()
                .flat_map(|before| before.steps.0.failing.keys())
                .chain(failing.keys())
                .cloned()
                .collect(),
        }
    }

    /// Its objects, whose nodes and addresses are kept.
    pub(crate) fn store(&self) -> Option<&'p Store> {
        self.store
    }

    /// The settled world, for what is not found by one object alone.
    pub(crate) fn reconciled(&self) -> Option<&'p Reconciled> {
        self.reconciled
    }

    /// What was wanted then, under the key and with the value of this object.
    fn wanted(&self, object: &Object) -> Option<(&'p Reconciled, &'p Arc<Object>)> {
        let before = self.reconciled?;
        let wanted = before.steps.0.wanted.find(&object.key)?;
        wanted.shares_value(object).then_some((before, wanted))
    }

    /// Whether it wanted this very object.
    pub(crate) fn had(&self, object: &Object) -> bool {
        self.wanted(object).is_some()
    }

    /// Whether a document had a pod like this.
    pub(crate) fn any_pod(&self, like: impl Fn(&Pod) -> bool) -> bool {
        self.reconciled
            .is_some_and(|before| before.steps.0.wanted.all::<Pod>().any(|(_, pod)| like(pod)))
    }

    /// The ReplicaSet that a Deployment made.
    pub(crate) fn replica_set(&self, deployment: &Object) -> Option<&'p Arc<Object>> {
        let (before, _) = self.wanted(deployment)?;
        let mut owned = before.relations.owned_by(&deployment.key);
        let key = owned.find(|key| key.kind == "ReplicaSet")?;
        let replica_set = before.steps.0.wanted.find(key)?;
        (!replica_set.is_written()).then_some(replica_set)
    }

    /// The pod of a document as it was completed, standing where the document is now.
    pub(crate) fn written_pod(&self, object: &Arc<Object>) -> Option<Arc<Object>> {
        let (before, _) = self.wanted(object)?;
        let pod = before.store.find(&object.key)?;
        let (view, own) = (pod.view::<Pod>()?, object.view::<Pod>()?);
        self.fits(view, own.status.pod_ip.is_some())
            .then(|| Arc::new(object.with_value_of(pod)))
    }

    /// The pod of this name that a controller made, if it made it from what it would make it from now.
    pub(crate) fn made_pod(&self, namespace: &str, name: &str, made: &Made) -> Option<&'p Arc<Object>> {
        let key = ObjectKey::new("", "Pod", namespace, name);
        let pod = self.reconciled?.store.find(&key)?;
        let same = matches!(&pod.provenance, Provenance::Made(before) if **before == *made);
        (same && self.fits(pod.view::<Pod>()?, false)).then_some(pod)
    }

    /// Whether documents had pods of the same names.
    pub(crate) fn had_pods<'k>(&self, keys: impl Iterator<Item = &'k ObjectKey>) -> bool {
        self.reconciled.is_some_and(|before| {
            let mut had = before.steps.0.wanted.all::<Pod>();
            let mut keys = keys;
            keys.all(|key| had.next().is_some_and(|(pod, _)| pod.key == *key)) && had.next().is_none()
        })
    }

    /// All pods that a workload owned, if a controller made every one of them from what it would make them from now,
    /// and all can stay.
    pub(crate) fn made_pods(&self, owner: &ObjectKey, made: &Made) -> Option<&'p [Arc<Object>]> {
        let pods = self.reconciled?.relations.objects_owned_by(owner);
        let mut last: Option<&Arc<Made>> = None;
        let kept = |pod: &'p Arc<Object>| {
            let Provenance::Made(by) = &pod.provenance else {
                return false;
            };
            let same = last.is_some_and(|last| Arc::ptr_eq(last, by)) || **by == *made;
            last = Some(by);
            same && pod.view::<Pod>().is_some_and(|view| self.fits(view, false))
        };
        pods.iter().all(kept).then_some(pods)
    }

    /// Whether a pod can stay where it is, with its addresses: it has a node that takes it, and nobody else was given
    /// them since. `own`: a document gives it its addresses.
    fn fits(&self, pod: &Pod, own: bool) -> bool {
        let Some(node) = self.nodes.get(pod.spec.node_name.as_str()) else {
            return false;
        };
        let is = |key: &&ObjectKey| key.name == pod.metadata.name && key.namespace == pod.metadata.namespace;
        if self.failing.iter().any(|key| is(&key)) {
            return false;
        }
        let addresses = pod.addresses();
        let in_place = if pod.spec.host_network {
            addresses == node.addresses
        } else {
            addresses.len() == node.pod_cidrs.len()
                && addresses
                    .iter()
                    .zip(&node.pod_cidrs)
                    .all(|(address, range)| range.contains(address))
        };
        let free = own || !addresses.iter().any(|address| self.written.contains(address));
        in_place
            && free
            && !addresses.is_empty()
            && !pod.has_ended()
            && pod.status.host_ip == node.address()
            && crate::scheduler::refusal(&pod.spec, node, false).is_none()
    }

    /// A Service as it was completed without any trouble.
    pub(crate) fn service(&self, object: &Object) -> Option<(&'p Arc<Object>, &'p Arc<Service>)> {
        let (before, _) = self.wanted(object)?;
        let service = before.store.find(&object.key)?;
        let troubled = before.steps.0.troubled.contains(&object.key);
        Some((service, service.view::<Service>()?)).filter(|_| !troubled)
    }

    /// A workload with its status, if as many of its pods are in the same states.
    pub(crate) fn counted(&self, object: &Object, count: &Count) -> Option<&'p Arc<Object>> {
        let (before, _) = self.wanted(object)?;
        (before.steps.0.counts.get(&object.key) == Some(count))
            .then(|| before.store.find(&object.key))
            .flatten()
    }
}
