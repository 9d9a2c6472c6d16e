//! Service ports for tests of the modes.

use crate::service_map::{Endpoint, NodeView, ServicePort};
use hoplab_source::ObjectKey;
use hoplab_wire::L4Protocol;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A ClusterIP Service port with endpoints on n0, n1, n0, …
pub(super) fn port(number: u8, endpoints: u8) -> ServicePort {
    let endpoint = |n: u8| Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(10, 244, number, n)),
        port: 8080,
        node: Some(format!("n{}", n % 2).into()),
        ready: true,
        serving: true,
        terminating: false,
        for_zones: Vec::new(),
        for_nodes: Vec::new(),
        slice: (
            Arc::new(ObjectKey::new(
                "discovery.k8s.io",
                "EndpointSlice",
                "ns",
                format!("svc{number}"),
            )),
            usize::from(n),
        ),
    };
    ServicePort {
        service: ObjectKey::new("", "Service", "ns", format!("svc{number}")),
        port_name: "p80".to_owned(),
        index: 0,
        protocol: L4Protocol::Tcp,
        cluster_ip: IpAddr::V4(Ipv4Addr::new(10, 96, 0, number)),
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        affinity_seconds: None,
        internal_local: false,
        external_local: false,
        health_check_node_port: None,
        has_selector: true,
        endpoints: (0..endpoints).map(endpoint).collect(),
    }
}

pub(super) fn view(name: &str) -> NodeView<'_> {
    NodeView {
        name,
        address: Some(IpAddr::V4(Ipv4Addr::new(172, 18, 0, 3))),
        ..NodeView::default()
    }
}

/// Every sort of Service at once.
pub(super) fn every_sort() -> Vec<ServicePort> {
    let lb = |n: u8| vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, n))];
    let mut ports = vec![
        port(1, 3),
        port(2, 0),
        port(3, 2),
        port(4, 1),
        port(5, 2),
        port(6, 1),
        port(7, 1),
    ];
    ports[2].affinity_seconds = Some(60);
    ports[3].node_port = Some(30003);
    ports[3].external_local = true;
    ports[3].health_check_node_port = Some(32003);
    ports[4].load_balancer_ips = lb(10);
    ports[4].node_port = Some(30004);
    ports[4].source_ranges = vec!["203.0.113.0/24".parse().unwrap()];
    ports[5].internal_local = true;
    ports[6].external_ips = lb(200);
    ports[6].protocol = L4Protocol::Udp;
    ports
}
