//! What the kubernetes plug-in knows: Services, endpoints and pods of a store, by name and by address.

use hoplab_objects::view::{
    ClusterIp, EndpointSlice, Labels, Namespace, Pod, Protocol, Service, ServiceType,
};
use hoplab_objects::{Object, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::{IndexMap, IndexSet};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// A port with a name; `port` is `None` for a Service or slice without ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct NamedPort {
    pub name: String,
    pub protocol: &'static str,
    pub port: Option<u16>,
}

/// An endpoint of a Service.
#[derive(Clone, Debug)]
pub(in crate::dns) struct DnsEndpoint {
    pub address: IpAddr,
    /// `hostname` of the slice.
    pub hostname: String,
    /// The pod's name, for `endpoint_pod_names`.
    pub pod: String,
    pub ports: Arc<[NamedPort]>,
    /// The topology zone.
    pub zone: String,
    /// The cluster that it is in, of an imported Service.
    pub cluster: String,
}

impl DnsEndpoint {
    /// The label in front of the Service's name. Source: coredns plugin/kubernetes endpointHostname.
    pub fn label(&self, pod_names: bool) -> String {
        if !self.hostname.is_empty() {
            return self.hostname.clone();
        }
        if pod_names && !self.pod.is_empty() && self.pod.len() < 64 {
            return self.pod.clone();
        }
        match self.address {
            IpAddr::V4(v4) => v4.to_string().replace('.', "-"),
            IpAddr::V6(v6) => v6.to_string().replace(':', "-"),
        }
    }
}

/// A Service as DNS sees it.
#[derive(Clone, Debug)]
pub(in crate::dns) struct DnsService {
    pub key: ObjectKey,
    pub addresses: Vec<IpAddr>,
    pub headless: bool,
    pub external_name: Option<String>,
    pub ports: Vec<NamedPort>,
    pub endpoints: Vec<DnsEndpoint>,
    pub labels: Labels,
    /// `externalIPs`, and addresses and names of load balancers, for k8s_external.
    pub external: Vec<IpAddr>,
    pub external_hostnames: Vec<String>,
}

/// Namespace and name of a Service.
type NamespacedName = (String, String);

/// Endpoint addresses: each Service, whether it exists or not, and the endpoint's label, without and with
/// `endpoint_pod_names`.
type ByEndpoint = IndexMap<IpAddr, Vec<(NamespacedName, [String; 2])>>;

/// Everything.
#[derive(Debug, Default)]
pub(in crate::dns) struct DnsTable {
    pub namespaces: IndexMap<String, Labels>,
    /// By namespace and name, lower case.
    pub services: IndexMap<(String, String), DnsService>,
    /// ServiceImports of the Multi-Cluster Services API, likewise.
    pub imports: IndexMap<(String, String), DnsService>,
    /// ClusterIPs.
    pub by_cluster_ip: IndexMap<IpAddr, (String, String)>,
    /// What few questions ask for is made from these when one does.
    store: Store,
    by_endpoint: OnceLock<ByEndpoint>,
    pods: OnceLock<IndexSet<(IpAddr, String)>>,
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

impl DnsTable {
    /// From the objects as the control plane left them.
    pub fn of(store: &Store) -> Self {
        let mut table = Self {
            store: store.clone(),
            ..Self::default()
        };
        table.namespaces.extend(
            store
                .all::<Namespace>()
                .map(|(o, _)| (o.key.name.clone(), store.namespace_labels(&o.key.name))),
        );
        for (object, service) in store.all::<Service>() {
            let at = (object.key.namespace.clone(), object.key.name.clone());
            table.namespaces.entry(at.0.clone()).or_default();
            let service = service_of(object.key.clone(), service);
            if !service.headless {
                for address in &service.addresses {
                    table.by_cluster_ip.insert(*address, at.clone());
                }
            }
            table.services.insert(at, service);
        }
        for object in store.of_kind("multicluster.x-k8s.io", "ServiceImport") {
            let at = (object.key.namespace.clone(), object.key.name.clone());
            table.imports.insert(at, import_of(object));
        }
        for (object, slice) in store.all::<EndpointSlice>() {
            let labels = &slice.metadata.labels;
            // Source: coredns plugin/kubernetes/object/multicluster_endpoints.go.
            let imported = labels.get("multicluster.kubernetes.io/service-name");
            let (Some(name), services) = (match imported {
                Some(name) => (Some(name), &mut table.imports),
                None => (labels.get("kubernetes.io/service-name"), &mut table.services),
            }) else {
                continue;
            };
            let at = (object.key.namespace.clone(), name.clone());
            let Some(service) = services.get_mut(&at) else {
                continue;
            };
            let mut ports: Vec<NamedPort> = slice
                .ports
                .iter()
                .map(|p| NamedPort {
                    name: p.name.clone(),
                    protocol: protocol(p.protocol),
                    port: p.port,
                })
                .collect();
            if ports.is_empty() {
                ports.push(NamedPort {
                    name: String::new(),
                    protocol: "tcp",
                    port: None,
                });
            }
            let ports: Arc<[NamedPort]> = ports.into();
            service.endpoints.extend(endpoints(store, slice, &at, &ports));
        }
        table
    }

    /// Who has an endpoint at an address.
    pub fn by_endpoint(&self) -> &ByEndpoint {
        self.by_endpoint.get_or_init(|| {
            let ports: Arc<[NamedPort]> = Arc::from([]);
            let mut all = ByEndpoint::new();
            for (object, slice) in self.store.all::<EndpointSlice>() {
                let labels = &slice.metadata.labels;
                let name = labels.get("kubernetes.io/service-name");
                let Some(name) =
                    name.filter(|_| !labels.contains_key("multicluster.kubernetes.io/service-name"))
                else {
                    continue;
                };
                let at = (object.key.namespace.clone(), name.clone());
                for endpoint in endpoints(&self.store, slice, &at, &ports) {
                    let label = [false, true].map(|pod_names| endpoint.label(pod_names));
                    all.entry(endpoint.address).or_default().push((at.clone(), label));
                }
            }
            all
        })
    }

    /// Pods' addresses and namespaces, for `pods verified` and `autopath @kubernetes`.
    pub fn pods(&self) -> &IndexSet<(IpAddr, String)> {
        self.pods.get_or_init(|| {
            let mut all = IndexSet::default();
            for (object, pod) in self.store.all::<Pod>() {
                let addresses = pod.status.pod_ips.iter().filter_map(|p| p.ip);
                for address in addresses.chain(pod.status.pod_ip) {
                    all.insert((address, object.key.namespace.clone()));
                }
            }
            all
        })
    }
}

/// The endpoints of a slice that DNS knows of a Service.
fn endpoints(
    store: &Store,
    slice: &EndpointSlice,
    of: &NamespacedName,
    ports: &Arc<[NamedPort]>,
) -> Vec<DnsEndpoint> {
    let service = store.view::<Service>(&of.0, &of.1);
    let publish = service.is_some_and(|s| s.spec.publish_not_ready_addresses);
    let cluster = slice
        .metadata
        .labels
        .get("multicluster.kubernetes.io/source-cluster");
    let mut all = Vec::with_capacity(slice.endpoints.len());
    for endpoint in slice
        .endpoints
        .iter()
        .filter(|e| e.conditions.is_ready() || publish)
    {
        let pod = endpoint.target_ref.as_ref().map(|r| r.name.as_str());
        for address in endpoint.addresses.iter().filter_map(|a| a.parse().ok()) {
            all.push(DnsEndpoint {
                address,
                hostname: endpoint.hostname.clone(),
                pod: pod.unwrap_or_default().to_owned(),
                ports: Arc::clone(ports),
                zone: endpoint.zone.clone(),
                cluster: cluster.cloned().unwrap_or_default(),
            });
        }
    }
    all
}

fn service_of(key: ObjectKey, service: &Service) -> DnsService {
    let spec = &service.spec;
    let headless =
        spec.cluster_ip == Some(ClusterIp::Headless) || spec.cluster_ips.contains(&ClusterIp::Headless);
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in spec.cluster_ip.iter().chain(&spec.cluster_ips) {
        if let ClusterIp::Ip(address) = ip
            && !addresses.contains(address)
        {
            addresses.push(*address);
        }
    }
    let mut ports: Vec<NamedPort> = spec
        .ports
        .iter()
        .map(|p| NamedPort {
            name: p.name.clone(),
            protocol: protocol(p.protocol),
            port: Some(p.port),
        })
        .collect();
    if ports.is_empty() {
        ports.push(NamedPort {
            name: String::new(),
            protocol: "tcp",
            port: None,
        });
    }
    DnsService {
        key,
        addresses,
        headless,
        external_name: (spec.type_ == ServiceType::ExternalName).then(|| spec.external_name.clone()),
        ports,
        endpoints: Vec::new(),
        labels: service.metadata.labels.clone(),
        external: {
            let points = service.status.load_balancer.ingress.iter().filter_map(|p| p.ip);
            points.chain(spec.external_ips.iter().copied()).collect()
        },
        external_hostnames: {
            let points = service.status.load_balancer.ingress.iter();
            points
                .map(|p| p.hostname.clone())
                .filter(|h| !h.is_empty())
                .collect()
        },
    }
}

/// A ServiceImport. Source: mcs-api v1alpha1 ServiceImport (spec.type, ips, ports).
fn import_of(object: &Object) -> DnsService {
    let spec = object.value.get("spec");
    let list = |field: &str| {
        spec.and_then(|s| s.get(field))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let port = |value: &Value| NamedPort {
        name: text(value, "name"),
        protocol: match text(value, "protocol").as_str() {
            "UDP" => "udp",
            "SCTP" => "sctp",
            _ => "tcp",
        },
        port: value
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|p| u16::try_from(p).ok()),
    };
    DnsService {
        key: object.key.clone(),
        addresses: list("ips").filter_map(|ip| ip.as_str()?.parse().ok()).collect(),
        headless: spec.is_some_and(|s| text(s, "type") == "Headless"),
        external_name: None,
        ports: list("ports").map(port).collect(),
        endpoints: Vec::new(),
        labels: object.metadata().labels.clone(),
        external: Vec::new(),
        external_hostnames: Vec::new(),
    }
}
