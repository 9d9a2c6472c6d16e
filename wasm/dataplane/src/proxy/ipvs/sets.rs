//! The ipsets of kube-proxy. Source: pkg/proxy/ipvs/{ipset.go, proxier.go ipsetInfo} (v1.36).

use hoplab_kernel::nf::set::{Element, Key, Part, Set};
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

const IP_PORT: &[Part] = &[Part::Ip, Part::ProtocolPort];
const IP_PORT_IP: &[Part] = &[Part::Ip, Part::ProtocolPort, Part::Ip];
const IP_PORT_NET: &[Part] = &[Part::Ip, Part::ProtocolPort, Part::Net];
const PORT: &[Part] = &[Part::Port];

/// Name, type, and the comment of the rules that ask it.
static SETS: &[(&str, &[Part], &str)] = &[
    (
        "KUBE-LOOP-BACK",
        IP_PORT_IP,
        "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
    ),
    (
        "KUBE-CLUSTER-IP",
        IP_PORT,
        "Kubernetes service cluster ip + port for masquerade purpose",
    ),
    (
        "KUBE-EXTERNAL-IP",
        IP_PORT,
        "Kubernetes service external ip + port for masquerade and filter purpose",
    ),
    (
        "KUBE-EXTERNAL-IP-LOCAL",
        IP_PORT,
        "Kubernetes service external ip + port with externalTrafficPolicy=local",
    ),
    ("KUBE-LOAD-BALANCER", IP_PORT, "Kubernetes service lb portal"),
    (
        "KUBE-LOAD-BALANCER-FW",
        IP_PORT,
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    (
        "KUBE-LOAD-BALANCER-LOCAL",
        IP_PORT,
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    (
        "KUBE-LOAD-BALANCER-SOURCE-IP",
        IP_PORT_IP,
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    (
        "KUBE-LOAD-BALANCER-SOURCE-CIDR",
        IP_PORT_NET,
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    (
        "KUBE-NODE-PORT-TCP",
        PORT,
        "Kubernetes nodeport TCP port for masquerade purpose",
    ),
    (
        "KUBE-NODE-PORT-LOCAL-TCP",
        PORT,
        "Kubernetes nodeport TCP port with externalTrafficPolicy=local",
    ),
    (
        "KUBE-NODE-PORT-UDP",
        PORT,
        "Kubernetes nodeport UDP port for masquerade purpose",
    ),
    (
        "KUBE-NODE-PORT-LOCAL-UDP",
        PORT,
        "Kubernetes nodeport UDP port with externalTrafficPolicy=local",
    ),
    (
        "KUBE-NODE-PORT-SCTP-HASH",
        IP_PORT,
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    (
        "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
        IP_PORT,
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    (
        "KUBE-HEALTH-CHECK-NODE-PORT",
        PORT,
        "Kubernetes health check node port",
    ),
    ("KUBE-IPVS-IPS", &[Part::Ip], "Addresses on the ipvs interface"),
];

/// Protocol, sets of node ports (those of the policy Local first), and what rules ask of a packet.
pub(super) static NODE_PORTS: &[(L4Protocol, &str, &str, &str)] = &[
    (
        L4Protocol::Tcp,
        "KUBE-NODE-PORT-LOCAL-TCP",
        "KUBE-NODE-PORT-TCP",
        "dst",
    ),
    (
        L4Protocol::Udp,
        "KUBE-NODE-PORT-LOCAL-UDP",
        "KUBE-NODE-PORT-UDP",
        "dst",
    ),
    (
        L4Protocol::Sctp,
        "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
        "KUBE-NODE-PORT-SCTP-HASH",
        "dst,dst",
    ),
];

/// The comment of the rules that ask a set.
pub(super) fn comment(set: &str) -> &'static str {
    SETS.iter()
        .find(|(name, ..)| *name == set)
        .map_or("", |(.., comment)| comment)
}

/// Longest name of a set. Source: the kernel's IPSET_MAXNAMELEN without its final zero.
const LONGEST_NAME: usize = 31;

/// A set's name in a family: both have sets of their own on one node. Models ipset.go NewIPSet.
pub(super) fn name_of(set: &str, family: IpFamily) -> String {
    match (family, set.strip_prefix("KUBE-")) {
        (IpFamily::V6, Some(rest)) => format!("KUBE-6-{rest}").chars().take(LONGEST_NAME).collect(),
        _ => set.to_owned(),
    }
}

/// All sets, being filled, by their names in IPv4.
pub(super) struct Sets(IndexMap<&'static str, Set>);

impl Sets {
    pub(super) fn new(family: IpFamily) -> Self {
        let set = |(name, parts, comment): &(&'static str, &'static [Part], &'static str)| {
            let mut set = Set::new(name_of(name, family), parts, comment);
            set.is_v6 = family == IpFamily::V6;
            (*name, set)
        };
        Self(SETS.iter().map(set).collect())
    }

    fn insert(&mut self, set: &str, key: Key, origin: &Arc<Origin>) {
        if let Some(set) = self.0.get_mut(set) {
            let element = Element {
                origin: Some(Arc::clone(origin)),
                ..Element::default()
            };
            set.elements.entry(key).or_insert(element);
        }
    }

    pub(super) fn add(
        &mut self,
        set: &str,
        address: IpAddr,
        protocol: L4Protocol,
        port: u16,
        origin: &Arc<Origin>,
    ) {
        self.insert(set, Key::socket(address, protocol, port), origin);
    }

    pub(super) fn add_with(
        &mut self,
        set: &str,
        address: IpAddr,
        protocol: L4Protocol,
        port: u16,
        second: IpNet,
        origin: &Arc<Origin>,
    ) {
        self.insert(set, Key::socket(address, protocol, port).with(second), origin);
    }

    pub(super) fn hairpin(&mut self, address: IpAddr, protocol: L4Protocol, port: u16, origin: &Arc<Origin>) {
        self.add_with("KUBE-LOOP-BACK", address, protocol, port, address.into(), origin);
    }

    pub(super) fn address(&mut self, set: &str, address: IpAddr, origin: &Arc<Origin>) {
        self.insert(set, Key::address(address), origin);
    }

    /// A port of a bitmap, which knows no protocol.
    pub(super) fn port(&mut self, set: &str, port: u16, origin: &Arc<Origin>) {
        let key = Key {
            port: Some(port),
            ..Key::default()
        };
        self.insert(set, key, origin);
    }

    pub(super) fn node_port(
        &mut self,
        protocol: L4Protocol,
        port: u16,
        local: bool,
        addresses: &[IpAddr],
        origin: &Arc<Origin>,
    ) {
        let Some((_, of_local, all, flags)) = NODE_PORTS.iter().find(|(found, ..)| *found == protocol) else {
            return;
        };
        for set in [Some(*all), local.then_some(*of_local)].into_iter().flatten() {
            if *flags == "dst" {
                self.port(set, port, origin);
            } else {
                for address in addresses {
                    self.add(set, *address, protocol, port, origin);
                }
            }
        }
    }

    /// The comment of a set that holds anything.
    pub(super) fn comment_if_filled(&self, set: &str) -> Option<&'static str> {
        let found = self.0.get(set)?;
        (!found.elements.is_empty()).then_some(found.comment)
    }

    pub(super) fn finish(self) -> impl Iterator<Item = (Name, Arc<Set>)> {
        self.0
            .into_values()
            .map(|set| (Arc::clone(&set.name), Arc::new(set)))
    }
}
