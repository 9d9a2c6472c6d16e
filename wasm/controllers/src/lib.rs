//! What the control plane writes back: pods, addresses, EndpointSlices.
//!
//! [`reconcile`] takes the objects that documents hold and gives all objects that a cluster would hold once its
//! controllers have settled. It is level-triggered: what controllers made before is made anew from what is wanted
//! now, so that running it on its own result changes nothing. The order is that in which the parts depend on each
//! other:
//!
//! ```text
//! namespaces, nodes, add-ons -> workloads -> pods -> scheduler -> pod addresses -> kubelet's status
//!                                                  Services' addresses and ports -> EndpointSlices, Endpoints -> statuses
//! ```
//!
//! Names and addresses depend on the objects alone, never on the order of documents. With `previous`, the world
//! before an edit, pods keep their node and address and Services theirs, as on a running cluster.
//!
//! Every object made here knows what it was copied from: `store.place(pod, "spec.containers[0].ports[0]")` is the
//! line of the Deployment's template.
//!
//! For the data plane: `Pod` views hold `spec.node_name`, `status.pod_ip(s)` and the `Ready` condition; `Service` views
//! hold addresses and node ports; `EndpointSlice` views, found by the label [`SERVICE_NAME`], hold the endpoints of
//! every Service, hand-made ones included.
//!
//! Nothing here runs a packet: a readiness probe is taken to succeed unless it cannot (a port by a name that does
//! not exist). What an export says of a pod's readiness is kept.

mod addons;
mod allocate;
mod before;
mod endpoints;
mod hash;
mod hints;
mod infrastructure;
mod ipam;
mod kubelet;
mod pods;
mod returned;
mod scheduler;
mod service;
mod status;
mod workload;

pub use before::Steps;
pub use returned::returned;

use before::Before;
use hoplab_objects::relate::{self, Relations};
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, ObjectKey, Warned};

/// The label of an EndpointSlice that names its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label of an EndpointSlice that names its controller.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Pods whose container of this name ends whenever it starts: what running it showed, told by who ran it.
pub type Failing = BTreeMap<ObjectKey, String>;

/// What controllers leave once they have settled.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// All objects of the cluster.
    pub store: Store,
    /// Who selects whom and who owns what among them.
    pub relations: Relations,
    /// What an edit later finds unchanged.
    pub steps: Steps,
}

/// All objects of a cluster once its controllers have settled. `previous` is the world before an edit, whose nodes
/// and addresses are kept where they still fit; without it they depend on the objects alone.
pub fn reconcile(store: &Store, settings: &ClusterSettings, previous: Option<&Store>) -> Warned<Store> {
    let settled = settled(store, settings, &Before::addresses_of(previous), &Failing::new());
    Warned {
        value: settled.value.store,
        diagnostics: settled.diagnostics,
    }
}

/// The same, with what was worked out on the way. What was made for `previous` from the very same values is taken over;
/// the result is that of [`reconcile`] with the same store before.
pub fn settle(
    store: &Store,
    settings: &ClusterSettings,
    previous: Option<&Reconciled>,
    failing: &Failing,
) -> Warned<Reconciled> {
    settled(
        store,
        settings,
        &Before::of(previous, store, settings, failing),
        failing,
    )
}

fn settled(
    store: &Store,
    settings: &ClusterSettings,
    before: &Before<'_>,
    failing: &Failing,
) -> Warned<Reconciled> {
    let previous = before.store();
    let mut store = store.clone();
    store.retain(Object::is_written);
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    addons::install(&mut store, settings);
    infrastructure::imply(&mut store, settings);
    let mut pods = pods::written(&store, before);
    workload::make(&mut store, settings, before, &mut pods);
    let wanted = store.clone();
    scheduler::place(&mut pods, settings, previous, &mut diagnostics);
    ipam::give_addresses(&mut pods, settings, previous, &mut diagnostics);
    kubelet::report(&mut pods, settings, failing);
    pods::keep(pods, &mut store);
    let troubled = service::complete(&mut store, settings, before, &mut diagnostics);
    let selected = Relations::selected(&store);
    endpoints::publish(&mut store, settings, before, &selected);
    let relations = selected.with_owners(&store);
    let counts = status::report(&mut store, before, &relations);
    diagnostics.extend(relate::dangling(&store, &relations));
    let steps = Steps::new(wanted, settings, troubled, counts, failing);
    Warned {
        value: Reconciled {
            store,
            relations,
            steps,
        },
        diagnostics,
    }
}

#[cfg(test)]
mod tests;
