//! Who has which stack, address and cable, in the whole cluster; and the source that programs a stack when it is
//! first needed.

mod balancer;
mod build;
mod halted;
mod hosts;
mod inputs;
mod layout;
mod outside;
mod owners;
mod pods;

pub use halted::AS_OF;

use crate::apps::PodListeners;
use crate::cni::{self, ClusterView, Cni};
use crate::dns::{Names, Running};
use crate::proxy;
use crate::service_map::{NodeView, Served, ServiceMap};
use hoplab_kernel::{Fabric, FabricId, Net, NetNs, NetNsId, Overlay, StackSource};
use hoplab_objects::relate::Relations;
use hoplab_objects::settings::{ClusterSettings, CniSettings, NodeSettings};
use hoplab_objects::view::{IpFamily, Pod};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, ObjectKey, Origin};
use hoplab_trace::{Name, Place, Unknown};
use hoplab_wire::{L4Protocol, MacAddr};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// The network that joins the nodes.
pub const NODES: FabricId = FabricId(0);
/// The network of undeclared hosts.
pub const INTERNET: FabricId = FabricId(1);

/// The plan of a world. Cheap to clone.
#[derive(Clone)]
pub struct Plan {
    data: Arc<PlanData>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Its name.
    pub name: Name,
    /// Its stack.
    pub netns: NetNsId,
    /// Its addresses, one a family, the primary one first.
    pub addresses: Vec<IpAddr>,
    /// The ranges of its pods, one a family, the primary one first.
    pub pod_cidrs: Vec<IpNet>,
    /// Link address of its eth0.
    pub mac: MacAddr,
    /// Files of its resolvers: /etc/resolv.conf, /etc/nsswitch.conf and, where it runs, those of systemd-resolved.
    pub files: BTreeMap<String, String>,
    /// Which of them its kubelet hands on to pods; empty: none.
    pub pods_resolv_conf: String,
    /// Whether the control plane runs on it.
    pub control_plane: bool,
    /// Why it exists.
    pub origin: Arc<Origin>,
}

/// A pod with an address of its own: a sandbox.
#[derive(Clone, Debug)]
pub struct PodPlan {
    /// The pod.
    pub object: Arc<Object>,
    /// Its view.
    pub pod: Arc<Pod>,
    /// `shop/web-0`.
    pub full_name: Name,
    /// Its stack.
    pub netns: NetNsId,
    /// Its node, by place in the plan.
    pub node: usize,
    /// Its addresses, one a family, the primary one first; never empty.
    pub addresses: Vec<IpAddr>,
    /// The node's end of its cable.
    pub veth: Name,
    /// Link address of its eth0.
    pub mac: MacAddr,
}

impl NodePlan {
    /// Its address of a family.
    pub fn address(&self, family: IpFamily) -> Option<IpAddr> {
        family.first(&self.addresses)
    }

    /// The range of its pods of a family.
    pub fn pod_cidr(&self, family: IpFamily) -> Option<IpNet> {
        family.range(&self.pod_cidrs)
    }

    /// Whether an address is of the ranges of its pods.
    pub fn gives(&self, address: IpAddr) -> bool {
        self.pod_cidrs.iter().any(|range| range.contains(&address))
    }
}

impl PodPlan {
    /// Its address of a family.
    pub fn address(&self, family: IpFamily) -> Option<IpAddr> {
        family.first(&self.addresses)
    }

    /// The origin of what `writer` makes of a field of the pod.
    pub fn origin(&self, field: &str, writer: &'static str) -> Arc<Origin> {
        Arc::new(Origin::of(self.object.key.clone(), field, writer))
    }
}

/// A pod on its node's network.
#[derive(Clone, Debug)]
pub struct HostNetworkPod {
    /// The pod.
    pub object: Arc<Object>,
    /// Its view.
    pub pod: Arc<Pod>,
    /// Its node, by place in the plan.
    pub node: usize,
}

/// A declared host, or a namespace on one.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// The Host document.
    pub object: Arc<Object>,
    /// Its name.
    pub name: Name,
    /// The namespace; `None`: the host's own.
    pub inner: Option<Name>,
    /// Its stack.
    pub netns: NetNsId,
}

/// What a stack is of, by place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Router,
    Node(usize),
    Pod(usize),
    Host(usize),
}

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A node, by name.
    Node(Name),
    /// A pod.
    Pod(ObjectKey),
    /// The ClusterIP of a Service.
    ClusterIp(ObjectKey),
    /// A load balancer's address of a Service.
    LoadBalancer(ObjectKey),
    /// `spec.externalIPs` of a Service.
    ExternalIp(ObjectKey),
    /// A declared host.
    Host(Name),
    /// The router between the nodes and the Internet.
    Router,
}

/// The addresses of one family on the network that joins the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NodeNetwork {
    /// Its range.
    net: IpNet,
    /// The router's address there.
    gateway: IpAddr,
}

struct PlanData {
    settings: Arc<ClusterSettings>,
    cni_settings: CniSettings,
    nodes: Vec<NodePlan>,
    pods: Vec<PodPlan>,
    host_network: Vec<HostNetworkPod>,
    hosts: Vec<HostPlan>,
    roles: Vec<Role>,
    fabrics: Vec<Fabric>,
    /// The networks that join the nodes, one a family.
    networks: Vec<NodeNetwork>,
    cni: Option<&'static dyn Cni>,
    proxies: Vec<proxy::OfFamily>,
    halted: Vec<halted::HaltedProxy>,
    services: Arc<ServiceMap>,
    relations: Relations,
    names: Names,
    /// Which Corefile each CoreDNS runs with.
    running: Vec<Running>,
    store: Store,
    /// What the kubelet gives to pods to ask.
    dns_servers: Vec<IpAddr>,
    served: Served,
    /// Pods by address, then by place in the plan: an index that is made when it is first asked.
    by_address: OnceLock<Vec<(IpAddr, usize)>>,
    unknown: Vec<Unknown>,
    /// The same, with what only a look at every pod shows.
    all_unknown: OnceLock<Vec<Unknown>>,
    /// Of each stack's inputs, by its id.
    hashes: Vec<OnceLock<u64>>,
    cluster_hash: OnceLock<u64>,
    names_hash: OnceLock<u64>,
    services_hash: OnceLock<u64>,
}

impl Plan {
    /// The plan of a reconciled store.
    pub fn new(store: &Store, settings: &ClusterSettings) -> Self {
        Self::related(
            store,
            &Arc::new(settings.clone()),
            Relations::of(store),
            None,
            &[],
        )
    }

    /// The same, with the relations of the store, which were worked out before. What `before` made from the very same
    /// objects is taken over. Pods of `restarted` are made anew under their old names.
    pub fn related(
        store: &Store,
        settings: &Arc<ClusterSettings>,
        relations: Relations,
        before: Option<&Self>,
        restarted: &[ObjectKey],
    ) -> Self {
        let before = before.map(|plan| &*plan.data);
        Self {
            data: Arc::new(layout::plan(store, settings, relations, before, restarted)),
        }
    }

    /// All stacks, each built when it is first asked for.
    pub fn net(&self) -> Net {
        Net::new(
            self.data.roles.len(),
            self.data.fabrics.clone(),
            Arc::new(self.clone()),
        )
    }

    /// The same, taking over from an older plan's stacks all that have been built and whose inputs are equal. The
    /// others would be built alike when they are needed, and most never are: their inputs are not compared.
    pub fn net_after(&self, old_plan: &Plan, old: &Net) -> Net {
        let built = (0..)
            .map(NetNsId)
            .take(old_plan.stack_count())
            .filter(|id| old.is_built(*id));
        let mut taken: Vec<Option<NetNsId>> = vec![None; self.stack_count()];
        for before in built {
            if let Some(id) = self.stack_at(&old_plan.place(before)) {
                taken[id.0 as usize] = Some(before);
            }
        }
        let same = |id: NetNsId| {
            let before = taken[id.0 as usize]?;
            (self.input_hash(id) == old_plan.input_hash(before)).then_some(before)
        };
        Net::rebuilt(
            old,
            self.data.roles.len(),
            self.data.fabrics.clone(),
            Arc::new(self.clone()),
            same,
        )
    }

    /// A hash of everything that decides what the stack with this id is. Equal hashes: equal stacks.
    pub fn input_hash(&self, id: NetNsId) -> u64 {
        self.data.input_hash(id)
    }

    /// How many stacks there are.
    pub fn stack_count(&self) -> usize {
        self.data.roles.len()
    }

    /// Whose stack this is.
    pub fn place(&self, id: NetNsId) -> Place {
        self.data.place(id)
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> &[NodePlan] {
        &self.data.nodes
    }

    /// Pods with an address of their own, in order.
    pub fn pods(&self) -> &[PodPlan] {
        &self.data.pods
    }

    /// Pods on their nodes' networks, in order.
    pub fn host_network_pods(&self) -> &[HostNetworkPod] {
        &self.data.host_network
    }

    /// Declared hosts and their namespaces, in order.
    pub fn hosts(&self) -> &[HostPlan] {
        &self.data.hosts
    }

    /// Shared networks.
    pub fn fabrics(&self) -> &[Fabric] {
        &self.data.fabrics
    }

    /// Services and their endpoints.
    pub fn services(&self) -> &Arc<ServiceMap> {
        &self.data.services
    }

    /// The stack that a pod is in: its own, or its node's.
    pub fn netns_of_pod(&self, key: &ObjectKey) -> Option<NetNsId> {
        self.data.netns_of_pod(key)
    }

    /// A node's stack.
    pub fn netns_of_node(&self, name: &str) -> Option<NetNsId> {
        self.data
            .nodes
            .iter()
            .find(|node| &*node.name == name)
            .map(|node| node.netns)
    }

    /// kube-proxy on each node forgets UDP connections to endpoints that are gone.
    pub fn forget_stale(&self, overlay: &mut Overlay) {
        let services = self.services();
        if !proxy::keeps_connections(&self.settings().proxy.mode) {
            return;
        }
        // One that has halted forgets nothing.
        for node in self
            .nodes()
            .iter()
            .filter(|node| self.data.halted_on(node).is_none())
        {
            overlay.forget_connections(node.netns, &|entry| {
                let to = &entry.original;
                to.protocol == L4Protocol::Udp && services.is_stale(to.dst, to.dst_port, entry.reply.src)
            });
        }
    }

    /// A declared host's stack, or that of a namespace on it.
    pub fn netns_of_host(&self, name: &str, inner: Option<&str>) -> Option<NetNsId> {
        let found = self
            .data
            .hosts
            .iter()
            .find(|host| &*host.name == name && host.inner.as_deref() == inner);
        found.map(|host| host.netns)
    }

    /// Who has an address.
    pub fn owner_of(&self, address: IpAddr) -> Option<Owner> {
        self.data.owner_of(address)
    }

    /// The stack at a place.
    pub fn stack_at(&self, place: &Place) -> Option<NetNsId> {
        self.data.stack_at(place)
    }

    /// What a pod listens on.
    pub fn sockets_of(&self, object: &Object, pod: &Pod) -> PodListeners {
        self.data.listeners_of(object, pod)
    }

    /// The files that a pod's processes read: /etc/resolv.conf and /etc/hosts.
    pub fn files_of_pod(&self, key: &ObjectKey) -> Option<BTreeMap<String, String>> {
        self.data.files_of_pod(key)
    }

    /// What the kubelets left out of pods' resolv.conf.
    pub fn cut_resolv_confs(&self) -> Vec<Diagnostic> {
        self.data.cut_resolv_confs()
    }

    /// Every CoreDNS, with the Corefile that it runs with.
    pub fn name_servers(&self) -> &[Running] {
        &self.data.running
    }

    /// What is not modelled and could decide.
    pub fn unknown(&self) -> &[Unknown] {
        self.data.all_unknown.get_or_init(|| {
            self.data
                .unknown
                .iter()
                .cloned()
                .chain(self.data.unknown_in_pods())
                .chain(self.data.unknown_in_faults())
                .chain(self.data.unknown_in_hosts())
                .collect()
        })
    }

    /// The name of the CNI plug-in that is modelled, with what it can do.
    pub fn cni_capabilities(&self) -> Option<cni::Capabilities> {
        self.data.cni.map(Cni::capabilities)
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Arc<ClusterSettings> {
        &self.data.settings
    }
}

impl StackSource for Plan {
    fn build(&self, id: NetNsId) -> NetNs {
        self.data.build(id)
    }

    fn on_demand(&self, fabric: FabricId, address: IpAddr) -> Option<(NetNs, MacAddr, Name)> {
        self.data.external(fabric, address)
    }
}

impl PlanData {
    fn place(&self, id: NetNsId) -> Place {
        match self.roles.get(id.0 as usize) {
            Some(Role::Node(node)) => Place::Node(Arc::clone(&self.nodes[*node].name)),
            Some(Role::Pod(pod)) => Place::Pod(Arc::clone(&self.pods[*pod].full_name)),
            Some(Role::Host(host)) => {
                let host = &self.hosts[*host];
                match &host.inner {
                    Some(inner) => Place::HostNetNs(Arc::clone(&host.name), Arc::clone(inner)),
                    None => Place::Host(Arc::clone(&host.name)),
                }
            }
            Some(Role::Router) | None => Place::Router(outside::ROUTER.into()),
        }
    }

    /// What a family's proxier knows of a node.
    fn proxied<'n>(&'n self, node: &'n NodePlan, family: IpFamily, addresses: &'n [IpAddr]) -> NodeView<'n> {
        let zone = self.settings.node(&node.name).and_then(NodeSettings::zone);
        NodeView {
            name: &node.name,
            zone: zone.unwrap_or_default(),
            address: node.address(family),
            addresses,
            pod_cidr: node.pod_cidr(family),
        }
    }

    fn cluster(&self) -> ClusterView<'_> {
        ClusterView {
            nodes: &self.nodes,
            pods: &self.pods,
            cluster_cidrs: &self.settings.pod_cidrs,
            node_mtu_bytes: self.fabrics[NODES.0 as usize].mtu_bytes,
            settings: &self.cni_settings,
        }
    }

    /// The router's addresses on the nodes' network, one a family.
    fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        self.networks.iter().map(|network| network.gateway)
    }
}

/// The first of each family, in their order.
fn one_a_family<T: Copy>(all: &[T], family: fn(&T) -> IpFamily) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        if kept.iter().all(|other| family(other) != family(one)) {
            kept.push(*one);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
