//! What is drawn, as plain values: the layout knows no object and no packet.

/// Everything that a drawing shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// The cluster's name.
    pub cluster: String,
    /// In the order of the cluster (control plane first).
    pub nodes: Vec<NodeInput>,
    /// In any order; the layout sorts by namespace, owner, ordinal.
    pub pods: Vec<PodInput>,
    /// In any order.
    pub services: Vec<ServiceInput>,
    /// Deployments, StatefulSets and their like, for the tree.
    pub workloads: Vec<WorkloadInput>,
    /// Shared networks; the nodes' own first.
    pub networks: Vec<NetworkInput>,
    /// The router between the nodes' network and the Internet, if the world implies one.
    pub router: Option<RouterInput>,
    /// Machines on the Internet.
    pub outside: Vec<OutsideInput>,
    /// Declared machines outside the cluster.
    pub hosts: Vec<HostInput>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeInput {
    /// Its name.
    pub name: String,
    /// Its address on the nodes' network.
    pub address: String,
    /// Whether it runs the control plane.
    pub control_plane: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// The bridge that pods are plugged into.
    pub bridge: Option<DeviceInput>,
    /// The tunnel to other nodes.
    pub tunnel: Option<DeviceInput>,
    /// The card on the nodes' network.
    pub uplink: DeviceInput,
    /// Name of the network that the card is plugged into.
    pub network: String,
    /// Whether kube-proxy writes rules here.
    pub proxy: bool,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceInput {
    /// `cni0`, `flannel.1`, `eth0`.
    pub name: String,
    /// What stands beside the name: an address with its prefix, or a VNI.
    pub detail: String,
}

/// How a pod is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PodState {
    /// Running and ready.
    #[default]
    Ready,
    /// Running, not ready: why.
    NotReady(String),
    /// Not running: why.
    Pending(String),
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortInput {
    /// Its name; may be empty.
    pub name: String,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The number.
    pub port: u16,
    /// `appProtocol`, of a Service's port.
    pub app_protocol: Option<String>,
    /// On every node, of a Service's port.
    pub node_port: Option<u16>,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodInput {
    /// Its namespace.
    pub namespace: String,
    /// Its name, whole.
    pub name: String,
    /// Name of the workload that made it, or its own.
    pub owner: String,
    /// Where it runs; `None`: nowhere yet.
    pub node: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// Whether it has no network of its own.
    pub host_network: bool,
    /// What it listens on.
    pub listens: Vec<PortInput>,
    /// What runs in it when nothing listens: `curl`.
    pub process: Option<String>,
    /// How it is.
    pub state: PodState,
    /// The node's end of its cable.
    pub veth: Option<String>,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

impl PodInput {
    /// `pod:shop/client`.
    pub fn id(&self) -> String {
        format!("pod:{}/{}", self.namespace, self.name)
    }

    /// Its owner and the last part of its name, `web-q4m7s` for `web-6b7d9f8c4-q4m7s`: enough to know it by.
    pub fn label(&self) -> String {
        match self.name.strip_prefix(self.owner.as_str()) {
            Some(rest) if rest.starts_with('-') && !self.owner.is_empty() => {
                let last = rest.rsplit('-').next().unwrap_or(rest);
                format!("{}-{last}", self.owner)
            }
            _ => self.name.clone(),
        }
    }
}

/// An endpoint of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointInput {
    /// Its address.
    pub address: String,
    /// Whether it gets traffic.
    pub ready: bool,
    /// `pod:shop/cart-0`, if a pod is behind it.
    pub pod: Option<String>,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceInput {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
    pub kind: String,
    /// `None`: headless, or a mere alias.
    pub cluster_ip: Option<String>,
    /// What an ExternalName points to.
    pub external_name: Option<String>,
    /// Its ports.
    pub ports: Vec<PortInput>,
    /// Its endpoints, in the order of their slices.
    pub endpoints: Vec<EndpointInput>,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

impl ServiceInput {
    /// `service:shop/cart`.
    pub fn id(&self) -> String {
        format!("service:{}/{}", self.namespace, self.name)
    }

    /// Whether it belongs to the cluster itself: such come last and fold first.
    pub fn system(&self) -> bool {
        self.namespace.starts_with("kube-") || (self.namespace == "default" && self.name == "kubernetes")
    }
}

/// A workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadInput {
    /// `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that it wants.
    pub wanted: u32,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

/// A shared network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkInput {
    /// `nodes`.
    pub name: String,
    /// What is written beside it: `node network`.
    pub label: String,
    /// Its prefixes.
    pub cidrs: Vec<String>,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

/// A router.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterInput {
    /// Its name.
    pub name: String,
    /// Its address on the nodes' network.
    pub address: String,
}

/// A machine on the Internet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutsideInput {
    /// Its address.
    pub address: String,
}

/// A declared machine outside the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostInput {
    /// Its name.
    pub name: String,
    /// All its interfaces, those of its namespaces too.
    pub interfaces: Vec<HostInterfaceInput>,
    /// Network namespaces on it.
    pub namespaces: Vec<HostNamespaceInput>,
    /// Whether it forwards.
    pub router: bool,
    /// What it listens on.
    pub listens: Vec<PortInput>,
    /// Whether a document says it: then its drawing leads there.
    pub written: bool,
}

/// An interface of a declared machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostInterfaceInput {
    /// `eth0`.
    pub name: String,
    /// Its address, without the prefix length.
    pub address: Option<String>,
    /// The network that it is plugged into.
    pub network: Option<String>,
    /// The network namespace that it is in.
    pub namespace: Option<String>,
    /// Whether it is a bridge.
    pub bridge: bool,
    /// The other end of a veth.
    pub peer: Option<String>,
    /// The bridge that it is a port of.
    pub master: Option<String>,
}

/// A network namespace on a declared machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostNamespaceInput {
    /// Its name.
    pub name: String,
    /// What listens in it.
    pub listens: Vec<PortInput>,
}

impl HostInterfaceInput {
    /// Whether it is plugged into this network.
    pub fn on(&self, network: &str) -> bool {
        self.network.as_deref() == Some(network)
    }
}

impl HostInput {
    /// The interfaces that are plugged into a network.
    pub fn cards(&self) -> impl Iterator<Item = &HostInterfaceInput> {
        self.interfaces.iter().filter(|i| i.network.is_some())
    }

    /// Whether a card of it is plugged into this network.
    pub fn on(&self, network: &str) -> bool {
        self.cards().any(|c| c.on(network))
    }

    /// The interfaces in a namespace that are not plugged into a network.
    pub fn within<'h>(&'h self, namespace: &'h str) -> impl Iterator<Item = &'h HostInterfaceInput> {
        let inside = move |i: &&HostInterfaceInput| i.namespace.as_deref() == Some(namespace);
        self.interfaces
            .iter()
            .filter(inside)
            .filter(|i| i.network.is_none() && i.name != "lo")
    }

    /// The first address of the machine itself, or of a namespace on it.
    pub fn address(&self, namespace: Option<&str>) -> Option<&str> {
        self.interfaces
            .iter()
            .filter(|i| i.namespace.as_deref() == namespace)
            .find_map(|i| i.address.as_deref())
    }

    /// The other end of a veth.
    pub fn peer(&self, interface: &HostInterfaceInput) -> Option<&HostInterfaceInput> {
        let name = interface.peer.as_deref();
        let named = |i: &&HostInterfaceInput| Some(i.name.as_str()) == name;
        let leads_here = |i: &&HostInterfaceInput| i.peer.as_deref() == Some(interface.name.as_str());
        // Names may be the same in several namespaces: the end that leads back is meant.
        let all = || self.interfaces.iter();
        let both = all().find(|i| named(i) && leads_here(i));
        both.or_else(|| all().find(|i| named(i) || leads_here(i)))
    }

    /// The place of an interface in the list.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.interfaces.iter().position(|i| i.name == name)
    }

    /// The bridge that a veth in a namespace leads to.
    pub fn bridge_of(&self, interface: &HostInterfaceInput) -> Option<usize> {
        self.index(self.peer(interface)?.master.as_deref()?)
    }

    /// The interfaces in namespaces that lead to a bridge.
    pub fn ports(&self, bridge: &HostInterfaceInput) -> impl Iterator<Item = &HostInterfaceInput> {
        let index = self.index(&bridge.name);
        self.interfaces
            .iter()
            .filter(move |i| i.namespace.is_some() && index.is_some() && self.bridge_of(i) == index)
    }

    /// `if:host:ann/eth0`, `if:host:ann/red/v1`.
    pub fn interface_id(&self, interface: &HostInterfaceInput) -> String {
        match &interface.namespace {
            Some(namespace) => format!("if:host:{}/{namespace}/{}", self.name, interface.name),
            None => format!("if:host:{}/{}", self.name, interface.name),
        }
    }
}
