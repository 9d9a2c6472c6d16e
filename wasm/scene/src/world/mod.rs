//! What a world holds, as the layout draws it.
//!
//! Stacks are built only of the nodes that are drawn opened: their devices are read, not guessed.

mod places;
mod pods;
mod typed;

use crate::input::{
    DeviceInput, EndpointInput, HostInput, HostInterfaceInput, HostNamespaceInput, Input, NetworkInput,
    NodeInput, OutsideInput, PortInput, RouterInput, ServiceInput, WorkloadInput,
};
use crate::layout::{layout, opened, targets_of};
use crate::timeline::{animate, keep};
use crate::{Options, Scene, Timeline};
use hoplab_dataplane::plan::{NodePlan, Owner, Plan};
use hoplab_engine::World;
use hoplab_kernel::FabricId;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_objects::view::hoplab::{Host, Listen, Network};
use hoplab_objects::view::{
    DaemonSet, Deployment, EndpointSlice, Node, ObjectMeta, Protocol, ReplicationController, Service,
    ServiceType, StatefulSet,
};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::{FieldPath, ObjectKey};
use hoplab_trace::{Locate, Trace};
use pods::Known;
use std::net::IpAddr;
use std::sync::Arc;

pub use places::place;

/// The client outside that a drawing starts with, of the range for documentation (RFC 5737).
const OUTSIDE: &str = "203.0.113.7";

/// A world as it is drawn: what its drawings have in common, kept so that the next world takes over what an edit does
/// not touch.
#[derive(Default)]
pub struct Drawing {
    input: Input,
    /// The objects of `input.pods`, in the same order.
    pods: Vec<Arc<Object>>,
}

impl Drawing {
    /// What is drawn of a world, made anew.
    pub fn of(world: &World) -> Self {
        Self::default().after(world)
    }

    /// The same, taking over from the drawing of an older world what is drawn of objects that are still the very same.
    pub fn after(self, world: &World) -> Self {
        let known = Known {
            pods: self.pods.into_iter().zip(self.input.pods).collect(),
        };
        let (input, pods) = input_after(world, known);
        Self { input, pods }
    }

    /// The world laid out. It must be the one that the drawing is of.
    pub fn scene(&mut self, world: &World, options: &Options) -> Scene {
        let input = &mut self.input;
        input.outside = outside(world.plan(), &options.keep);
        input.nodes = nodes(world);
        for name in opened(input, options) {
            devices(world, input, &name);
        }
        let mut scene = layout(input, options);
        for shape in &mut scene.shapes {
            shape.origin = place(world, &shape.id);
        }
        scene
    }

    /// A request's way over the world: the scene with everything on the path kept, and the trace laid over it.
    pub fn follow(&mut self, world: &World, trace: &Trace, options: &Options) -> (Scene, Timeline) {
        let mut options = options.clone();
        let mut ids = keep(trace);
        ids.append(&mut options.keep);
        options.keep = ids;
        let scene = self.scene(world, &options);
        let timeline = animate(trace, &scene, world);
        (scene, timeline)
    }
}

/// The world laid out.
pub fn scene(world: &World, options: &Options) -> Scene {
    Drawing::of(world).scene(world, options)
}

/// A request's way over the world: the scene with everything on the path kept, and the trace laid over it.
pub fn follow(world: &World, trace: &Trace, options: &Options) -> (Scene, Timeline) {
    Drawing::of(world).follow(world, trace, options)
}

/// Everything that a drawing of the world shows; devices of nodes are added for those that are opened.
pub fn input(world: &World, keep: &[String]) -> Input {
    let (mut input, _) = input_after(world, Known::default());
    input.outside = outside(world.plan(), keep);
    input.nodes = nodes(world);
    input
}

/// The same but for nodes and what is outside, which each layout asks for anew; and the pods' objects, in order.
fn input_after(world: &World, known: Known) -> (Input, Vec<Arc<Object>>) {
    let (store, settings, plan) = (world.store(), world.settings(), world.plan());
    let network = plan.fabrics().first();
    let mut networks: Vec<NetworkInput> = Vec::new();
    if let Some(fabric) = network.filter(|_| !plan.nodes().is_empty()) {
        networks.push(NetworkInput {
            name: fabric.name.to_string(),
            label: "node network".to_owned(),
            cidrs: fabric.cidrs.iter().map(ToString::to_string).collect(),
            written: false,
        });
    }
    for (object, network) in store.all::<Network>() {
        networks.push(NetworkInput {
            name: object.key.name.clone(),
            label: object.key.name.clone(),
            cidrs: fabric_cidrs(plan, &network.metadata.name),
            written: written(store, object),
        });
    }
    let (pods, counts) = pods::pods(world, known);
    let (objects, pods) = pods.into_iter().unzip();
    let input = Input {
        cluster: settings.name.clone(),
        nodes: Vec::new(),
        pods,
        services: services(world),
        workloads: workloads(world, &counts),
        networks,
        router: router(plan),
        outside: Vec::new(),
        hosts: hosts(world),
    };
    (input, objects)
}

/// The first of these addresses.
fn first(addresses: &[IpAddr]) -> String {
    addresses.first().map(ToString::to_string).unwrap_or_default()
}

fn nodes(world: &World) -> Vec<NodeInput> {
    let (store, settings, plan) = (world.store(), world.settings(), world.plan());
    let network = plan.fabrics().first();
    let network = network.map(|f| f.name.to_string()).unwrap_or_default();
    let of_node = |node: &NodePlan| NodeInput {
        name: node.name.to_string(),
        address: first(&node.addresses),
        control_plane: node.control_plane,
        ready: node_ready(store, &node.name),
        uplink: DeviceInput {
            name: "eth0".to_owned(),
            detail: first(&node.addresses),
        },
        network: network.clone(),
        proxy: settings.proxy.mode != "none",
        written: world.locate(&node.origin).is_some(),
        ..NodeInput::default()
    };
    plan.nodes().iter().map(of_node).collect()
}

/// Whether a document says an object, itself or what it was made from.
fn written(store: &Store, object: &Object) -> bool {
    object.is_written() || store.place(&object.key, &FieldPath::root()).is_some()
}

fn node_ready(store: &Store, name: &str) -> bool {
    let node = store.view::<Node>("", name);
    let mut conditions = node.iter().flat_map(|node| &node.status.conditions);
    conditions
        .find(|c| c.type_ == "Ready")
        .is_none_or(|c| c.status != "False")
}

fn fabric_cidrs(plan: &Plan, name: &str) -> Vec<String> {
    let fabric = plan.fabrics().iter().find(|f| &*f.name == name);
    fabric
        .map(|f| f.cidrs.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

fn router(plan: &Plan) -> Option<RouterInput> {
    let fabric = plan.fabrics().first().filter(|_| !plan.nodes().is_empty())?;
    let address = fabric
        .owners
        .keys()
        .find(|a| matches!(plan.owner_of(**a), Some(Owner::Router)))?;
    Some(RouterInput {
        name: "router".to_owned(),
        address: address.to_string(),
    })
}

/// Machines on the Internet: those on the path, or else one to start from.
fn outside(plan: &Plan, keep: &[String]) -> Vec<OutsideInput> {
    if plan.nodes().is_empty() {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut met: Vec<OutsideInput> = keep
        .iter()
        .filter_map(|id| id.strip_prefix("external:"))
        .filter(|a| seen.insert((*a).to_owned()))
        .map(|address| OutsideInput {
            address: address.to_owned(),
        })
        .collect();
    if met.is_empty() {
        met.push(OutsideInput {
            address: OUTSIDE.to_owned(),
        });
    }
    met
}

fn protocol(protocol: Protocol) -> String {
    protocol.as_str().to_owned()
}

fn services(world: &World) -> Vec<ServiceInput> {
    let store = world.store();
    let mut endpoints: BTreeMap<(String, String), Vec<EndpointInput>> = BTreeMap::new();
    for (object, slice) in store.all::<EndpointSlice>() {
        let Some(name) = slice.metadata.labels.get("kubernetes.io/service-name") else {
            continue;
        };
        let list = endpoints
            .entry((object.key.namespace.clone(), name.clone()))
            .or_default();
        for endpoint in &slice.endpoints {
            let Some(address) = endpoint.addresses.first() else {
                continue;
            };
            if list.iter().any(|e| e.address == *address) {
                continue;
            }
            let pod = endpoint.target_ref.as_ref().filter(|t| t.kind == "Pod");
            let namespace = |t: &str| {
                if t.is_empty() {
                    object.key.namespace.clone()
                } else {
                    t.to_owned()
                }
            };
            list.push(EndpointInput {
                address: address.clone(),
                ready: endpoint.conditions.is_ready(),
                pod: pod.map(|t| format!("pod:{}/{}", namespace(&t.namespace), t.name)),
            });
        }
    }
    store
        .all::<Service>()
        .map(|(object, service)| {
            let key = (object.key.namespace.clone(), object.key.name.clone());
            let endpoints = endpoints.remove(&key).unwrap_or_default();
            ServiceInput {
                endpoints: of_first_family(endpoints, service),
                written: written(store, object),
                ..of_service(service)
            }
        })
        .collect()
}

/// A Service of both IP families leads to each pod once for each: those of its first family share its requests.
fn of_first_family(mut endpoints: Vec<EndpointInput>, service: &Service) -> Vec<EndpointInput> {
    let v6 = |address: &str| address.contains(':');
    let first = service.addresses().first().map(ToString::to_string);
    let first = first.or_else(|| endpoints.first().map(|e| e.address.clone()));
    if let Some(first) = first
        && endpoints.iter().any(|e| v6(&e.address) == v6(&first))
    {
        endpoints.retain(|e| v6(&e.address) == v6(&first));
    }
    endpoints
}

/// A Service by itself, without its endpoints.
fn of_service(service: &Service) -> ServiceInput {
    let ports = service.spec.ports.iter().map(|p| PortInput {
        name: p.name.clone(),
        protocol: protocol(p.protocol),
        port: p.port,
        app_protocol: p.app_protocol.clone(),
        node_port: p.node_port,
    });
    let alias = service.spec.type_ == ServiceType::ExternalName;
    ServiceInput {
        namespace: service.metadata.namespace.clone(),
        name: service.metadata.name.clone(),
        kind: service.spec.type_.to_string(),
        cluster_ip: service.addresses().first().map(ToString::to_string),
        external_name: alias.then(|| service.spec.external_name.clone()),
        ports: ports.collect(),
        endpoints: Vec::new(),
        written: false,
    }
}

/// What a request to a Service is sent to, best guess first.
pub fn service_targets(service: &Service) -> Vec<String> {
    targets_of(&of_service(service))
}

fn workloads(world: &World, pods: &BTreeMap<ObjectKey, (u32, u32)>) -> Vec<WorkloadInput> {
    let store = world.store();
    let mut all = Vec::new();
    let mut add = |object: &Object, metadata: &ObjectMeta, replicas: Option<Option<i32>>| {
        if metadata.controller().is_some() {
            return;
        }
        let (ready, there) = pods.get(&object.key).copied().unwrap_or_default();
        let wanted = replicas.map_or(there, |r| u32::try_from(r.unwrap_or(1)).unwrap_or(0));
        all.push(WorkloadInput {
            kind: object.key.kind.clone(),
            namespace: object.key.namespace.clone(),
            name: object.key.name.clone(),
            ready,
            wanted,
            written: written(store, object),
        });
    };
    store
        .all::<Deployment>()
        .for_each(|(o, w)| add(o, &w.metadata, Some(w.spec.replicas)));
    store
        .all::<StatefulSet>()
        .for_each(|(o, w)| add(o, &w.metadata, Some(w.spec.replicas)));
    store
        .all::<DaemonSet>()
        .for_each(|(o, w)| add(o, &w.metadata, None));
    store
        .all::<ReplicationController>()
        .for_each(|(o, w)| add(o, &w.metadata, Some(w.spec.replicas)));
    all
}

fn hosts(world: &World) -> Vec<HostInput> {
    let mut hosts = declared_hosts(world);
    if world.edits() > 0 {
        hosts.iter_mut().for_each(|host| typed::as_it_is(world, host));
    }
    hosts
}

fn declared_hosts(world: &World) -> Vec<HostInput> {
    let store = world.store();
    store
        .all::<Host>()
        .map(|(object, host)| HostInput {
            name: object.key.name.clone(),
            interfaces: host
                .spec
                .interfaces
                .iter()
                .map(|i| HostInterfaceInput {
                    name: i.name.clone(),
                    address: i.addresses.first().map(|a| a.addr().to_string()),
                    network: i.network.clone(),
                    namespace: i.netns.clone(),
                    bridge: i.type_.as_deref() == Some("bridge"),
                    peer: i.peer.clone(),
                    master: i.master.clone(),
                })
                .collect(),
            namespaces: host
                .spec
                .netns
                .iter()
                .map(|name| HostNamespaceInput {
                    name: name.clone(),
                    listens: listens(&host.spec.listen, Some(name)),
                })
                .collect(),
            router: host
                .spec
                .sysctls
                .get("net.ipv4.ip_forward")
                .is_some_and(|v| v == "1"),
            listens: listens(&host.spec.listen, None),
            written: written(store, object),
        })
        .collect()
}

fn listens(all: &[Listen], namespace: Option<&str>) -> Vec<PortInput> {
    all.iter()
        .filter(|l| l.netns.as_deref() == namespace)
        .map(|l| PortInput {
            protocol: protocol(l.protocol),
            port: l.port,
            ..PortInput::default()
        })
        .collect()
}

/// Reads bridge, tunnel and card of a node from its stack.
fn devices(world: &World, input: &mut Input, name: &str) {
    let Some(node) = input.nodes.iter_mut().find(|n| n.name == name) else {
        return;
    };
    let stack = world
        .plan()
        .netns_of_node(name)
        .and_then(|id| world.net().stack(id));
    let Some(stack) = stack else { return };
    for interface in stack.interfaces.values() {
        let address = interface
            .addresses
            .first()
            .map(|a| a.net.to_string())
            .unwrap_or_default();
        match &interface.kind {
            InterfaceKind::Bridge(_) if node.bridge.is_none() => {
                node.bridge = Some(DeviceInput {
                    name: interface.name.to_string(),
                    detail: address,
                });
            }
            InterfaceKind::Vxlan(device) if node.tunnel.is_none() => {
                node.tunnel = Some(DeviceInput {
                    name: interface.name.to_string(),
                    detail: format!("VNI {}", device.vni),
                });
            }
            InterfaceKind::Physical { fabric: FabricId(0) } => node.uplink.name = interface.name.to_string(),
            _ => {}
        }
    }
}
