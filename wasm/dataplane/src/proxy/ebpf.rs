//! A replacement of kube-proxy by eBPF programs: sockets get a backend's address when they connect.
//! Models Cilium 1.18 with kubeProxyReplacement: the service map (pkg/loadbalancer, bpf/lib/lb.h) as the programs at the
//! root control group of each node see it, for pods and for the node itself.
//!
//! Differs: the program at the device, which takes requests from outside, is not modelled; a trace that meets it says so.

use super::{Proxy, Settings};
use crate::service_map::{Endpoint, NodeView, ServiceMap, ServicePort};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::bpf::{Frontend, SocketMaps};
use hoplab_objects::view::IpFamily;
use hoplab_source::{FieldPath, Origin};
use std::net::SocketAddr;
use std::sync::Arc;

const WRITER: &str = "cilium-agent";

/// The programs' maps of a whole cluster.
pub struct EbpfProxy {
    services: Arc<ServiceMap>,
    settings: Settings,
}

impl EbpfProxy {
    /// Those of these Services.
    pub fn new(services: Arc<ServiceMap>, settings: Settings) -> Self {
        Self { services, settings }
    }

    /// Adds a family's entries.
    fn fill(&self, node: &NodeView<'_>, maps: &mut SocketMaps) {
        let v6 = self.settings.family == IpFamily::V6;
        maps.node_addresses.extend(&self.settings.node_addresses);
        for port in &self.services.ports {
            let endpoints = port.categorized(node);
            let internal = if port.internal_local {
                &endpoints.local
            } else {
                &endpoints.cluster
            };
            let origin = |field: &str| port.origin(FieldPath::parse(field), WRITER);
            let mut add = |address, frontend: &Arc<Frontend>| {
                let at = (port.protocol, SocketAddr::new(address, port.port));
                maps.services.insert(at, Arc::clone(frontend));
            };
            add(
                port.cluster_ip,
                &frontend(port, internal, origin("spec.clusterIP")),
            );
            // From inside the cluster all endpoints take part, whatever the policy for outside traffic is.
            let external = frontend(port, &endpoints.cluster, origin("spec.type"));
            for address in port.external_ips.iter().chain(&port.load_balancer_ips) {
                add(*address, &external);
            }
            if let Some(node_port) = port.node_port {
                maps.node_ports.insert((port.protocol, node_port, v6), external);
            }
        }
    }
}

fn frontend(port: &ServicePort, endpoints: &[&Endpoint], origin: Arc<Origin>) -> Arc<Frontend> {
    let backend = |endpoint: &&Endpoint| {
        let at = SocketAddr::new(endpoint.address, endpoint.port);
        (at, port.endpoint_origin(endpoint, WRITER))
    };
    Arc::new(Frontend {
        backends: endpoints.iter().map(backend).collect(),
        affinity_seconds: port.affinity_seconds,
        origin,
    })
}

impl Proxy for EbpfProxy {
    fn program(&self, node: &NodeView<'_>, stack: &mut StackBuilder) {
        let netns = stack.netns();
        let maps = netns.socket_maps.get_or_insert_default();
        self.fill(node, Arc::make_mut(maps));
    }

    fn programs_pods(&self) -> bool {
        true
    }

    fn program_pod(&self, node: &NodeView<'_>, stack: &mut StackBuilder) {
        self.program(node, stack);
    }
}
