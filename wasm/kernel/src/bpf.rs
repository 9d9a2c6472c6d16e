//! Maps of eBPF programs that stand in for kube-proxy: what a socket is given when it connects or sends.
//!
//! Models Cilium 1.18 bpf/bpf_sock.c: `cil_sock4_connect`, `cil_sock4_sendmsg` and `cil_sock4_recvmsg`, and their like of IPv6, look the
//! address that a program asked for up in the service map, and the socket has a backend's from the start: no packet ever
//! carries the Service's address.

use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_wire::L4Protocol;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The service map with its backends, as programs at a control group see it.
#[derive(Clone, Debug, Default)]
pub struct SocketMaps {
    /// By protocol, address and port.
    pub services: IndexMap<(L4Protocol, SocketAddr), Arc<Frontend>>,
    /// Ports of nodes, by protocol, port and whether it is IPv6.
    pub node_ports: IndexMap<(L4Protocol, u16, bool), Arc<Frontend>>,
    /// Addresses of nodes, on which those ports are.
    pub node_addresses: Vec<IpAddr>,
}

/// One entry of the service map.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// Where it leads, each with its origin.
    pub backends: Vec<(SocketAddr, Arc<Origin>)>,
    /// Clients stay with their backend for so many seconds.
    pub affinity_seconds: Option<u32>,
    /// Why it exists.
    pub origin: Arc<Origin>,
}

impl SocketMaps {
    /// The entry of an address that a program asks for.
    pub fn find(&self, protocol: L4Protocol, asked: SocketAddr) -> Option<&Arc<Frontend>> {
        let of_node = || {
            let on_node = asked.ip().is_loopback() || self.node_addresses.contains(&asked.ip());
            let found = self.node_ports.get(&(protocol, asked.port(), asked.is_ipv6()));
            found.filter(|_| on_node)
        };
        self.services.get(&(protocol, asked)).or_else(of_node)
    }
}
