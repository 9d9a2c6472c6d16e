//! What a world holds, as the layout draws it.
//!
//! Stacks are built only of the nodes that are drawn opened: their devices are read, not guessed.

use crate::input::{
    DeviceInput, EndpointInput, HostInput, HostInterfaceInput, HostNamespaceInput, Input, NetworkInput,
    NodeInput, OutsideInput, PodInput, PodState, PortInput, RouterInput, ServiceInput, WorkloadInput,
};
use crate::layout::{layout, opened};
use crate::timeline::{animate, keep};
use crate::{Options, Place, Scene, Timeline};
use hoplab_dataplane::plan::{Owner, Plan};
use hoplab_dataplane::{apps, dns};
use hoplab_engine::World;
use hoplab_kernel::FabricId;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_objects::relate::topmost_owner;
use hoplab_objects::view::hoplab::{Host, Listen, Network};
use hoplab_objects::view::{
    DaemonSet, Deployment, EndpointSlice, Node, ObjectMeta, Pod, Protocol, ReplicationController, Service,
    ServiceType, StatefulSet,
};
use hoplab_objects::{Object, Store};
use hoplab_source::{FieldPath, ObjectKey, Origin, order};
use hoplab_trace::{Locate, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// The client outside that a drawing starts with, of the range for documentation (RFC 5737).
const OUTSIDE: &str = "203.0.113.7";

/// The world laid out.
pub fn scene(world: &World, options: &Options) -> Scene {
    let mut input = input(world, &options.keep);
    for name in opened(&input, options) {
        devices(world, &mut input, &name);
    }
    layout(&input, options)
}

/// A request's way over the world: the scene with everything on the path kept, and the trace laid over it.
pub fn follow(world: &World, trace: &Trace, options: &Options) -> (Scene, Timeline) {
    let mut options = options.clone();
    let mut ids = keep(trace);
    ids.append(&mut options.keep);
    options.keep = ids;
    let scene = scene(world, &options);
    let timeline = animate(trace, &scene, world);
    (scene, timeline)
}

/// Everything that a drawing of the world shows; devices of nodes are added for those that are opened.
pub fn input(world: &World, keep: &[String]) -> Input {
    let (store, settings, plan) = (world.store(), world.settings(), world.plan());
    let network = plan.fabrics().first();
    let network_name = network.map(|f| f.name.to_string()).unwrap_or_default();
    let mut networks: Vec<NetworkInput> = Vec::new();
    if let Some(fabric) = network.filter(|_| !plan.nodes().is_empty()) {
        networks.push(NetworkInput {
            name: network_name.clone(),
            label: "node network".to_owned(),
            cidrs: fabric.cidrs.iter().map(ToString::to_string).collect(),
            origin: None,
        });
    }
    for (object, network) in store.all::<Network>() {
        networks.push(NetworkInput {
            name: object.key.name.clone(),
            label: object.key.name.clone(),
            cidrs: fabric_cidrs(plan, &network.metadata.name),
            origin: of_object(world, object),
        });
    }
    let nodes = plan.nodes();
    Input {
        cluster: settings.name.clone(),
        nodes: nodes
            .iter()
            .map(|node| NodeInput {
                name: node.name.to_string(),
                address: node.address.map(|a| a.to_string()).unwrap_or_default(),
                control_plane: node.control_plane,
                ready: node_ready(store, &node.name),
                uplink: DeviceInput {
                    name: "eth0".to_owned(),
                    detail: node.address.map(|a| a.to_string()).unwrap_or_default(),
                },
                network: network_name.clone(),
                proxy: settings.proxy.mode != "none",
                origin: place(world, &node.origin),
                ..NodeInput::default()
            })
            .collect(),
        pods: pods(world),
        services: services(world),
        workloads: workloads(world),
        networks,
        router: router(plan),
        outside: outside(plan, keep),
        hosts: hosts(world),
    }
}

fn place(world: &World, origin: &Origin) -> Option<Place> {
    let object = origin.object.as_ref()?;
    let at = world.locate(origin);
    Some(Place {
        object: object.to_string(),
        field: origin.field.to_string(),
        writer: origin.writer.to_string(),
        line: at.as_ref().map(|l| l.line),
        column: at.as_ref().map(|l| l.column),
        file: at.map(|l| l.file),
    })
}

fn of_object(world: &World, object: &Object) -> Option<Place> {
    place(world, &object.origin(&FieldPath::root()))
}

fn node_ready(store: &Store, name: &str) -> bool {
    let conditions = store
        .view::<Node>("", name)
        .map(|n| n.status.conditions.clone())
        .unwrap_or_default();
    conditions
        .iter()
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

/// `curl` of `docker.io/curlimages/curl:8.10`.
fn image_name(image: &str) -> Option<String> {
    let last = image.rsplit('/').next()?;
    let name = last.split([':', '@']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn pods(world: &World) -> Vec<PodInput> {
    let plan = world.plan();
    let names = dns::Names::default();
    let veths: BTreeMap<&ObjectKey, &str> = order::map(plan.pods().iter().map(|p| (&p.object.key, &*p.veth)));
    world
        .store()
        .all::<Pod>()
        .filter(|(_, pod)| !pod.has_ended())
        .map(|(object, pod)| {
            let address = pod.addresses().first().map(ToString::to_string);
            let mut listens = declared(pod);
            if listens.is_empty() && address.is_some() {
                listens = sockets(world, object, pod, &names);
            }
            PodInput {
                namespace: object.key.namespace.clone(),
                name: object.key.name.clone(),
                owner: owner(world.store(), object),
                node: (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone()),
                host_network: pod.spec.host_network,
                process: pod.spec.containers.first().and_then(|c| image_name(&c.image)),
                state: state(pod, address.is_some()),
                veth: veths.get(&object.key).map(|v| (*v).to_owned()),
                origin: of_object(world, object),
                address,
                listens,
            }
        })
        .collect()
}

/// The workload that a pod is told by: the Deployment above its ReplicaSet.
fn owner(store: &Store, object: &Object) -> String {
    let top = topmost_owner(store, object);
    if top == object.key {
        String::new()
    } else {
        top.name
    }
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
fn sockets(world: &World, object: &Object, pod: &Pod, names: &dns::Names) -> Vec<PortInput> {
    let found = apps::listeners(
        object,
        pod,
        &dns::Around {
            store: world.store(),
            relations: world.relations(),
            names,
            resolv_conf: "",
            hosts: "",
        },
    );
    let mut ports: Vec<PortInput> = found
        .listeners
        .iter()
        .filter_map(|l| Some((l.port?, l.protocol)))
        .map(|(port, protocol)| PortInput {
            protocol: protocol.name().to_uppercase(),
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
            let alias = service.spec.type_ == ServiceType::ExternalName;
            ServiceInput {
                namespace: key.0.clone(),
                name: key.1.clone(),
                kind: service.spec.type_.to_string(),
                cluster_ip: service.addresses().first().map(ToString::to_string),
                external_name: alias.then(|| service.spec.external_name.clone()),
                ports: service
                    .spec
                    .ports
                    .iter()
                    .map(|p| PortInput {
                        name: p.name.clone(),
                        protocol: protocol(p.protocol),
                        port: p.port,
                        app_protocol: p.app_protocol.clone(),
                        node_port: p.node_port,
                    })
                    .collect(),
                endpoints: endpoints.remove(&key).unwrap_or_default(),
                origin: of_object(world, object),
            }
        })
        .collect()
}

fn workloads(world: &World) -> Vec<WorkloadInput> {
    let store = world.store();
    let mut pods: BTreeMap<ObjectKey, (u32, u32)> = BTreeMap::new();
    for (object, pod) in store.all::<Pod>().filter(|(_, p)| !p.has_ended()) {
        let count = pods.entry(topmost_owner(store, object)).or_default();
        count.1 += 1;
        count.0 += u32::from(pod.is_ready());
    }
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
            origin: of_object(world, object),
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
    world
        .store()
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
            origin: of_object(world, object),
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
