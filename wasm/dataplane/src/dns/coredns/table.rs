//! What the kubernetes plug-in knows: Services, endpoints and pods of a store, by name and by address.

use hoplab_objects::view::{
    ClusterIp, EndpointSlice, Labels, Namespace, Pod, Protocol, Service, ServiceType,
};
use hoplab_objects::{Object, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::{IndexMap, IndexSet};
use serde_json::Value;
use std::net::IpAddr;

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
    pub ports: Vec<NamedPort>,
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

/// Everything.
#[derive(Clone, Debug, Default)]
pub(in crate::dns) struct DnsTable {
    pub namespaces: IndexMap<String, Labels>,
    /// By namespace and name, lower case.
    pub services: IndexMap<(String, String), DnsService>,
    /// ServiceImports of the Multi-Cluster Services API, likewise.
    pub imports: IndexMap<(String, String), DnsService>,
    /// ClusterIPs.
    pub by_cluster_ip: IndexMap<IpAddr, (String, String)>,
    /// Endpoint addresses: each Service, whether it exists or not, and the endpoint's label, without and with
    /// `endpoint_pod_names`.
    pub by_endpoint: IndexMap<IpAddr, Vec<(NamespacedName, [String; 2])>>,
    /// Pods' addresses and namespaces, for `pods verified` and `autopath @kubernetes`.
    pub pods: IndexSet<(IpAddr, String)>,
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
            let cluster = labels
                .get("multicluster.kubernetes.io/source-cluster")
                .cloned()
                .unwrap_or_default();
            let at = (object.key.namespace.clone(), name.clone());
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
                    let made = DnsEndpoint {
                        address,
                        hostname: endpoint.hostname.clone(),
                        pod: endpoint
                            .target_ref
                            .as_ref()
                            .map(|r| r.name.clone())
                            .unwrap_or_default(),
                        ports: ports.clone(),
                        zone: endpoint.zone.clone(),
                        cluster: cluster.clone(),
                    };
                    if imported.is_none() {
                        let label = [false, true].map(|pod_names| made.label(pod_names));
                        let of_address = table.by_endpoint.entry(address).or_default();
                        of_address.push((at.clone(), label));
                    }
                    if let Some(service) = services.get_mut(&at) {
                        service.endpoints.push(made);
                    }
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
                table.pods.insert((address, object.key.namespace.clone()));
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
