//! What the kubernetes plug-in knows: Services, endpoints and pods of a store, by name and by address.

use hoplab_objects::Store;
use hoplab_objects::view::{ClusterIp, EndpointSlice, Namespace, Pod, Protocol, Service, ServiceType};
use hoplab_source::ObjectKey;
use indexmap::{IndexMap, IndexSet};
use std::net::IpAddr;

/// A port with a name; `port` is `None` for a Service or slice without ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPort {
    pub name: String,
    pub protocol: &'static str,
    pub port: Option<u16>,
}

/// An endpoint of a Service.
#[derive(Clone, Debug)]
pub(super) struct DnsEndpoint {
    pub address: IpAddr,
    /// `hostname` of the slice.
    pub hostname: String,
    /// The pod's name, for `endpoint_pod_names`.
    pub pod: String,
    pub ports: Vec<NamedPort>,
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
pub(super) struct DnsService {
    pub key: ObjectKey,
    pub addresses: Vec<IpAddr>,
    pub headless: bool,
    pub external_name: Option<String>,
    pub ports: Vec<NamedPort>,
    pub endpoints: Vec<DnsEndpoint>,
}

/// Namespace and name of a Service.
type NamespacedName = (String, String);

/// Everything.
#[derive(Clone, Debug, Default)]
pub(super) struct DnsTable {
    pub namespaces: IndexSet<String>,
    /// By namespace and name, lower case.
    pub services: IndexMap<(String, String), DnsService>,
    /// ClusterIPs.
    pub by_cluster_ip: IndexMap<IpAddr, (String, String)>,
    /// Endpoint addresses: each Service and the endpoint's place in it.
    pub by_endpoint: IndexMap<IpAddr, Vec<(NamespacedName, usize)>>,
    /// Pod addresses by namespace, for `pods verified`.
    pub pods: IndexSet<(String, IpAddr)>,
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
        let mut table = Self::default();
        table
            .namespaces
            .extend(store.all::<Namespace>().map(|(o, _)| o.key.name.clone()));
        for (object, service) in store.all::<Service>() {
            let at = (object.key.namespace.clone(), object.key.name.clone());
            table.namespaces.insert(at.0.clone());
            let service = service_of(object.key.clone(), service);
            if !service.headless {
                for address in &service.addresses {
                    table.by_cluster_ip.insert(*address, at.clone());
                }
            }
            table.services.insert(at, service);
        }
        for (object, slice) in store.all::<EndpointSlice>() {
            let Some(name) = slice.metadata.labels.get("kubernetes.io/service-name") else {
                continue;
            };
            let at = (object.key.namespace.clone(), name.clone());
            let Some(service) = table.services.get_mut(&at) else {
                continue;
            };
            let publish = store
                .view::<Service>(&at.0, &at.1)
                .is_some_and(|s| s.spec.publish_not_ready_addresses);
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
            for endpoint in &slice.endpoints {
                if !endpoint.conditions.is_ready() && !publish {
                    continue;
                }
                for address in endpoint.addresses.iter().filter_map(|a| a.parse().ok()) {
                    let index = service.endpoints.len();
                    service.endpoints.push(DnsEndpoint {
                        address,
                        hostname: endpoint.hostname.clone(),
                        pod: endpoint
                            .target_ref
                            .as_ref()
                            .map(|r| r.name.clone())
                            .unwrap_or_default(),
                        ports: ports.clone(),
                    });
                    table
                        .by_endpoint
                        .entry(address)
                        .or_default()
                        .push((at.clone(), index));
                }
            }
        }
        for (object, pod) in store.all::<Pod>() {
            for address in pod
                .status
                .pod_ips
                .iter()
                .filter_map(|p| p.ip)
                .chain(pod.status.pod_ip)
            {
                table.pods.insert((object.key.namespace.clone(), address));
            }
        }
        table
    }
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
    }
}
