//! Services and their endpoints in the form that every proxy mode starts from.
//! Models pkg/proxy/{servicechangetracker,endpointslicecache,topology}.go (v1.36).
//!
//! A Service has its ports once for each IP family: kube-proxy runs one proxier a family, and each knows only its own
//! addresses.

use hoplab_objects::view::{EndpointSlice, IngressPoint, IpFamily, Protocol, Service, ServiceType};
use hoplab_objects::{Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{FieldPath, ObjectKey, Origin, order};
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The label that leads from an EndpointSlice to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label of Services that another proxy serves.
const SERVICE_PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// Every Service port that has an address, ordered by namespace, name, family and port name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceMap {
    /// Them.
    pub ports: Vec<Arc<ServicePort>>,
}

/// One port of one Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServicePort {
    /// The Service.
    pub service: ObjectKey,
    /// Name of the port; may be empty.
    pub port_name: String,
    /// Its place in `spec.ports`.
    pub index: usize,
    /// TCP, UDP or SCTP.
    pub protocol: L4Protocol,
    /// The Service's address.
    pub cluster_ip: IpAddr,
    /// The port that clients use.
    pub port: u16,
    /// The port of every node.
    pub node_port: Option<u16>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of the load balancer whose packets arrive with the address unchanged (`ipMode: VIP`).
    pub load_balancer_ips: Vec<IpAddr>,
    /// Addresses of a load balancer that sends to node ports (`ipMode: Proxy`).
    pub balancer_ips: Vec<IpAddr>,
    /// `spec.loadBalancerSourceRanges`.
    pub source_ranges: Vec<IpNet>,
    /// `sessionAffinity: ClientIP`, with its time-out.
    pub affinity_seconds: Option<u32>,
    /// `internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`.
    pub external_local: bool,
    /// `healthCheckNodePort`.
    pub health_check_node_port: Option<u16>,
    /// Whether a selector makes its endpoints.
    pub has_selector: bool,
    /// Where it leads, ordered by address and port as text.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of a Service port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The node that it runs on.
    pub node: Option<Name>,
    /// Takes traffic.
    pub ready: bool,
    /// Answers, whether or not it terminates.
    pub serving: bool,
    /// Is being deleted.
    pub terminating: bool,
    /// Hints: the zones that should use it.
    pub for_zones: Vec<String>,
    /// Hints: the nodes that should use it.
    pub for_nodes: Vec<String>,
    /// The EndpointSlice and the place in it.
    pub slice: (Arc<ObjectKey>, usize),
}

/// What a proxy knows of its node.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeView<'n> {
    /// Its name.
    pub name: &'n str,
    /// Its zone; may be empty.
    pub zone: &'n str,
    /// Its primary address.
    pub address: Option<IpAddr>,
    /// All its addresses, that of `lo` too.
    pub addresses: &'n [IpAddr],
    /// The range of its pods.
    pub pod_cidr: Option<IpNet>,
}

/// The endpoints that one node uses for a Service port.
#[derive(Clone, Debug, Default)]
pub struct Categorized<'e> {
    /// For the traffic policy Cluster.
    pub cluster: Vec<&'e Endpoint>,
    /// For the traffic policy Local.
    pub local: Vec<&'e Endpoint>,
    /// Either.
    pub reachable: Vec<&'e Endpoint>,
    /// Whether any node has a usable one.
    pub any: bool,
}

/// The transport protocol of a port.
pub fn transport(protocol: Protocol) -> L4Protocol {
    match protocol {
        Protocol::Tcp => L4Protocol::Tcp,
        Protocol::Udp => L4Protocol::Udp,
        Protocol::Sctp => L4Protocol::Sctp,
    }
}

impl ServiceMap {
    /// Those of a list, which is in order.
    pub fn new(ports: impl IntoIterator<Item = ServicePort>) -> Self {
        Self {
            ports: ports.into_iter().map(Arc::new).collect(),
        }
    }

    /// Those of a store.
    pub fn of(store: &Store) -> Self {
        Served::of(store, &Served::default()).map()
    }

    /// Whether kube-proxy forgets a UDP connection with this original destination, which this address answers: it was
    /// for a Service that has serving endpoints, and that is none of them. Models pkg/proxy/conntrack/cleanup.go
    /// CleanStaleEntries (v1.36).
    pub fn is_stale(&self, to: IpAddr, port: u16, answers: IpAddr) -> bool {
        let serving = |p: &ServicePort, by: Option<IpAddr>| {
            let mut all = p.endpoints.iter().filter(|e| e.serving);
            all.any(|e| by.is_none_or(|by| by == e.address))
        };
        let asked = |p: &ServicePort| {
            let family = p.family() == IpFamily::of(to);
            let addresses = p.external_ips.iter().chain(&p.load_balancer_ips);
            let own = p.cluster_ip == to || addresses.into_iter().any(|a| *a == to);
            p.port == port && own || family && p.node_port == Some(port)
        };
        let udp = self.ports.iter().filter(|p| p.protocol == L4Protocol::Udp);
        let mut served = udp.filter(|p| asked(p) && serving(p, None));
        served.any(|p| !serving(p, Some(answers)))
    }

    /// Those of one family, as its proxier knows them.
    pub fn of_family(self: &Arc<Self>, family: IpFamily) -> Arc<Self> {
        let own = |port: &&Arc<ServicePort>| port.family() == family;
        if self.ports.iter().all(|port| own(&port)) {
            return Arc::clone(self);
        }
        Arc::new(Self {
            ports: self.ports.iter().filter(own).cloned().collect(),
        })
    }

    /// How many endpoints all ports have together.
    pub fn total_endpoints(&self) -> usize {
        self.ports.iter().map(|port| port.endpoints.len()).sum()
    }
}

/// Every Service with the slices that belong to it and what came of them, in the order of the Services' keys.
#[derive(Clone, Debug, Default)]
pub struct Served(Vec<One>);

#[derive(Clone, Debug)]
struct One {
    service: Arc<Object>,
    slices: Vec<Arc<Object>>,
    ports: Vec<Arc<ServicePort>>,
    /// Of the ports.
    hash: u64,
}

/// The hash of all their ports.
impl Hash for Served {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|one| one.hash.hash(state));
    }
}

impl Served {
    /// Those of a store. The ports of a Service are those of `before` where it and its slices are still the very same.
    pub fn of(store: &Store, before: &Self) -> Self {
        let mut slices: BTreeMap<(&str, &str), Vec<&Arc<Object>>> = BTreeMap::new();
        for (object, slice) in store.all::<EndpointSlice>() {
            if let Some(service) = slice.metadata.labels.get(SERVICE_NAME) {
                slices
                    .entry((&object.key.namespace, service))
                    .or_default()
                    .push(object);
            }
        }
        let mut known = before.0.iter().peekable();
        let mut all = Vec::new();
        for (object, service) in store.all::<Service>() {
            let key = &object.key;
            let slices = slices
                .get(&(key.namespace.as_str(), key.name.as_str()))
                .map_or(&[][..], Vec::as_slice);
            while known
                .peek()
                .is_some_and(|one| !one.service.shares_value(object) && one.service.key < *key)
            {
                known.next();
            }
            let same = |one: &&One| {
                one.service.shares_value(object)
                    && one.slices.len() == slices.len()
                    && one
                        .slices
                        .iter()
                        .zip(slices)
                        .all(|(old, new)| old.shares_value(new))
            };
            let (ports, hash) = match known.peek().copied().filter(same) {
                Some(one) => (one.ports.clone(), one.hash),
                None => {
                    let ports = ports_of(object, service, &mut endpoints_by_port(slices));
                    let mut hash = DefaultHasher::new();
                    ports.hash(&mut hash);
                    (ports, hash.finish())
                }
            };
            all.push(One {
                hash,
                service: Arc::clone(object),
                slices: slices.iter().map(|slice| Arc::clone(slice)).collect(),
                ports,
            });
        }
        Self(all)
    }

    /// Their ports.
    pub fn map(&self) -> ServiceMap {
        let ports = self.0.iter().flat_map(|one| one.ports.iter().cloned());
        ServiceMap {
            ports: ports.collect(),
        }
    }
}

/// Port name, protocol, and whether it is IPv6: what joins a Service's port and a slice's.
type PortKey = (String, L4Protocol, bool);

fn endpoints_by_port(slices: &[&Arc<Object>]) -> BTreeMap<PortKey, Vec<Endpoint>> {
    // In the order of their texts, as byEndpoint sorts them.
    let mut found: BTreeMap<PortKey, BTreeMap<String, Endpoint>> = BTreeMap::new();
    for object in slices {
        let Some(slice) = object.view::<EndpointSlice>() else {
            continue;
        };
        if slice.address_type == "FQDN" {
            continue;
        }
        let key = Arc::new(object.key.clone());
        for port in &slice.ports {
            // Models endpointslicecache.go endpointInfoByServicePort: a port without a number is left out.
            let Some(number) = port.port else { continue };
            let of_port = found
                .entry((
                    port.name.clone(),
                    transport(port.protocol),
                    slice.address_type == "IPv6",
                ))
                .or_default();
            for (index, endpoint) in slice.endpoints.iter().enumerate() {
                let Some(address) = endpoint.addresses.first().and_then(|a| a.parse::<IpAddr>().ok()) else {
                    continue;
                };
                let conditions = &endpoint.conditions;
                of_port.insert(
                    SocketAddr::new(address, number).to_string(),
                    Endpoint {
                        address,
                        port: number,
                        node: (!endpoint.node_name.is_empty()).then(|| endpoint.node_name.as_str().into()),
                        ready: conditions.is_ready(),
                        serving: conditions.is_serving(),
                        terminating: conditions.is_terminating(),
                        for_zones: endpoint.hints.zones(),
                        for_nodes: endpoint.hints.nodes(),
                        slice: (Arc::clone(&key), index),
                    },
                );
            }
        }
    }
    found
        .into_iter()
        .map(|(key, endpoints)| (key, endpoints.into_values().collect()))
        .collect()
}

/// The ports of a Service, by name and protocol.
fn ports_of(
    object: &Object,
    service: &Service,
    endpoints: &mut BTreeMap<PortKey, Vec<Endpoint>>,
) -> Vec<Arc<ServicePort>> {
    // Models proxy/util.ShouldSkipService: ExternalName and headless Services have nothing to proxy.
    let skipped = service.spec.type_ == ServiceType::ExternalName
        || service.is_headless()
        || service.metadata.labels.contains_key(SERVICE_PROXY_NAME);
    if skipped {
        return Vec::new();
    }
    let addresses = service.addresses();
    let of = |family: IpFamily| Some((family, family.first(&addresses)?));
    let families = IpFamily::BOTH.into_iter().filter_map(of);
    families
        .flat_map(|(family, cluster_ip)| ports_of_family(object, service, endpoints, family, cluster_ip))
        .collect()
}

/// The same as one family's proxier knows them. Models servicechangetracker.go newBaseServiceInfo: addresses and ranges
/// of the other family are left out.
fn ports_of_family(
    object: &Object,
    service: &Service,
    endpoints: &mut BTreeMap<PortKey, Vec<Endpoint>>,
    family: IpFamily,
    cluster_ip: IpAddr,
) -> Vec<Arc<ServicePort>> {
    let own = |ip: &IpAddr| IpFamily::of(*ip) == family;
    let spec = &service.spec;
    let points = service.status.load_balancer.ingress.iter();
    let points = points.filter(|point| point.ip.as_ref().is_some_and(own));
    let (proxied, unchanged): (Vec<_>, Vec<_>) = points.partition(|point| point.ip_mode == "Proxy");
    let addresses =
        |points: Vec<&IngressPoint>| -> Vec<IpAddr> { points.iter().filter_map(|p| p.ip).collect() };
    let (balancer_ips, load_balancer_ips) = (addresses(proxied), addresses(unchanged));
    let externally_visible = matches!(spec.type_, ServiceType::NodePort | ServiceType::LoadBalancer)
        || !spec.external_ips.is_empty();
    let ports = spec.ports.iter().enumerate().map(|(index, port)| {
        let protocol = transport(port.protocol);
        let key = (port.name.clone(), protocol, family == IpFamily::V6);
        ServicePort {
            service: object.key.clone(),
            port_name: port.name.clone(),
            index,
            protocol,
            cluster_ip,
            port: port.port,
            node_port: port.node_port,
            external_ips: spec.external_ips.iter().copied().filter(own).collect(),
            load_balancer_ips: load_balancer_ips.clone(),
            balancer_ips: balancer_ips.clone(),
            source_ranges: spec
                .load_balancer_source_ranges
                .iter()
                .filter_map(|range| range.trim().parse::<IpNet>().ok())
                .filter(|range| own(&range.addr()))
                .collect(),
            affinity_seconds: service
                .session_affinity_seconds()
                .and_then(|s| u32::try_from(s).ok()),
            internal_local: spec.internal_traffic_policy == "Local",
            external_local: externally_visible && spec.external_traffic_policy == "Local",
            health_check_node_port: spec
                .health_check_node_port
                .filter(|_| spec.external_traffic_policy == "Local"),
            has_selector: !spec.selector.is_empty(),
            endpoints: endpoints.remove(&key).unwrap_or_default(),
        }
    });
    let mut ports: Vec<ServicePort> = ports.collect();
    order::sort_by(&mut ports, |a, b| {
        (&a.port_name, a.protocol).cmp(&(&b.port_name, b.protocol))
    });
    ports.into_iter().map(Arc::new).collect()
}

impl Categorized<'_> {
    /// Whether traffic to the ClusterIP finds an endpoint from this node.
    pub fn internal(&self, port: &ServicePort) -> bool {
        self.any && !(port.internal_local && self.local.is_empty())
    }

    /// The same of traffic to node ports and addresses from outside.
    pub fn external(&self, port: &ServicePort) -> bool {
        self.any && !(port.external_local && self.local.is_empty())
    }
}

impl Endpoint {
    /// `10.244.1.2:8080`, `[fd00:10:244:1::2]:8080`.
    pub fn socket(&self) -> String {
        SocketAddr::new(self.address, self.port).to_string()
    }

    /// Whether it runs on a node.
    pub fn is_on(&self, node: &str) -> bool {
        self.node.as_deref() == Some(node)
    }
}

impl ServicePort {
    /// The family of its addresses.
    pub fn family(&self) -> IpFamily {
        IpFamily::of(self.cluster_ip)
    }

    /// `shop/web:http`, or `shop/web` for a port without a name. Models proxy.ServicePortName.String.
    pub fn full_name(&self) -> String {
        if self.port_name.is_empty() {
            self.service.namespaced_name()
        } else {
            format!("{}:{}", self.service.namespaced_name(), self.port_name)
        }
    }

    /// Whether anything but its ClusterIP leads to it.
    pub fn externally_accessible(&self) -> bool {
        self.node_port.is_some() || !self.load_balancer_ips.is_empty() || !self.external_ips.is_empty()
    }

    /// Whether it uses endpoints of the whole cluster: for the policy Cluster, and for requests from inside to
    /// outside addresses under the policy Local.
    pub fn uses_cluster_endpoints(&self) -> bool {
        !self.internal_local || self.externally_accessible()
    }

    /// Whether it uses the node's own endpoints.
    pub fn uses_local_endpoints(&self) -> bool {
        self.internal_local || self.external_local && self.externally_accessible()
    }

    /// Whether every node writes the same for it.
    pub fn is_alike_on_all_nodes(&self) -> bool {
        !self.uses_local_endpoints()
            && self.source_ranges.is_empty()
            && self
                .endpoints
                .iter()
                .all(|e| e.for_zones.is_empty() && e.for_nodes.is_empty())
    }

    /// Which endpoints the hints leave to a node. Models topology.go topologyModeFromHints: hints count only where
    /// every ready endpoint has one and one at least is for this node, or its zone.
    fn hinted(&self, node: &NodeView<'_>) -> impl Fn(&Endpoint) -> bool {
        let ready = || self.endpoints.iter().filter(|e| e.ready);
        let counts = |hints: fn(&Endpoint) -> &Vec<String>, of: &str| {
            ready().all(|e| !hints(e).is_empty()) && ready().any(|e| hints(e).iter().any(|hint| hint == of))
        };
        let by_node = counts(|e| &e.for_nodes, node.name);
        let by_zone = !by_node && counts(|e| &e.for_zones, node.zone);
        let (name, zone) = (node.name.to_owned(), node.zone.to_owned());
        move |e| match (by_node, by_zone) {
            (true, _) => e.for_nodes.contains(&name),
            (_, true) => e.for_zones.contains(&zone),
            _ => true,
        }
    }

    /// The endpoints that a node uses. Models proxy.CategorizeEndpoints: while nothing is ready, those that terminate
    /// but still serve are used.
    pub fn categorized(&self, view: &NodeView<'_>) -> Categorized<'_> {
        let node = view.name;
        let falling_back = |e: &&Endpoint| e.serving && e.terminating;
        let mut found = Categorized::default();
        if self.uses_cluster_endpoints() {
            let hinted = self.hinted(view);
            found.cluster = self.endpoints.iter().filter(|e| e.ready && hinted(e)).collect();
            if found.cluster.is_empty() {
                found.cluster = self.endpoints.iter().filter(falling_back).collect();
            }
            found.any = !found.cluster.is_empty();
        }
        if !self.uses_local_endpoints() {
            found.reachable = found.cluster.clone();
            return found;
        }
        found.any |= self.endpoints.iter().any(|e| e.ready || falling_back(&e));
        found.local = self
            .endpoints
            .iter()
            .filter(|e| e.is_on(node) && e.ready)
            .collect();
        if found.local.is_empty() {
            found.local = self
                .endpoints
                .iter()
                .filter(|e| e.is_on(node))
                .filter(falling_back)
                .collect();
        }
        let used = |e: &&Endpoint| {
            found
                .cluster
                .iter()
                .chain(&found.local)
                .any(|used| std::ptr::eq(*used, *e))
        };
        found.reachable = self.endpoints.iter().filter(used).collect();
        found
    }

    /// The origin of what `writer` makes of a field of the Service.
    pub fn origin(&self, field: FieldPath, writer: &'static str) -> Arc<Origin> {
        Arc::new(Origin {
            object: Some(self.service.clone()),
            field,
            writer: Cow::Borrowed(writer),
        })
    }

    /// The origin of what comes from the choice of endpoints: the selector, or the slice that somebody wrote.
    pub fn endpoint_origin(&self, endpoint: &Endpoint, writer: &'static str) -> Arc<Origin> {
        if self.has_selector {
            return self.origin(FieldPath::parse("spec.selector"), writer);
        }
        let (slice, index) = &endpoint.slice;
        Arc::new(Origin {
            object: Some((**slice).clone()),
            field: FieldPath::root().key("endpoints").index(*index),
            writer: Cow::Borrowed(writer),
        })
    }

    /// The path of this port's field.
    pub fn port_field(&self, field: &str) -> FieldPath {
        FieldPath::root()
            .key("spec")
            .key("ports")
            .index(self.index)
            .key(field)
    }
}
