//! One network stack.

use crate::bpf::SocketMaps;
use crate::fib::{IpRule, MAIN, NextHop, Route, RouteKind};
use crate::interface::{IfAddr, Interface, InterfaceKind, Scope};
use crate::ipvs::{VirtualAddress, VirtualServer};
use crate::nf::Ruleset;
use crate::nf::nft::NftTable;
use crate::nf::set::Set;
use crate::process::Program;
use hoplab_source::Origin;
use hoplab_source::collections::{BTreeMap, BTreeSet, IndexMap};
use hoplab_trace::{Name, Place};
use hoplab_wire::{L4Protocol, MacAddr};
use ipnet::{IpNet, Ipv6Net};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// One network stack: what exists before a run. What packets leave behind (conntrack, learned neighbours and MACs,
/// counters) is the run's overlay.
#[derive(Clone)]
pub struct NetNs {
    /// Whose it is.
    pub place: Place,
    /// By name, in the order of their index.
    pub interfaces: IndexMap<Name, Interface>,
    /// Interfaces that were up and are down: their queueing discipline stays.
    pub downed: BTreeSet<Name>,
    /// Highest index given to an interface that is gone; 0: none is.
    pub last_index: u32,
    /// Routing tables by number; the local table is derived from addresses and not listed here.
    pub tables: BTreeMap<u32, Vec<Route>>,
    /// In the order of priority; empty means the kernel's three (0 local, 32766 main, 32767 default).
    pub rules: Vec<IpRule>,
    /// Known neighbours: (device, address).
    pub neighbours: IndexMap<(Name, IpAddr), Neighbour>,
    /// iptables.
    pub iptables: Ruleset,
    /// ip6tables.
    pub ip6tables: Ruleset,
    /// nftables' own tables, beside those of iptables.
    pub nftables: Vec<NftTable>,
    /// Sets of ipset, by name.
    pub ipsets: IndexMap<Name, Arc<Set>>,
    /// Virtual servers of IPVS.
    pub ipvs: IndexMap<VirtualAddress, Arc<VirtualServer>>,
    /// Maps of eBPF programs that give sockets other destinations.
    pub socket_maps: Option<Arc<SocketMaps>>,
    /// Sockets that wait for connections or datagrams.
    pub listeners: Vec<Listener>,
    /// What the settings say.
    pub sysctls: Sysctls,
    /// What is wrong with interfaces.
    pub faults: Vec<LinkFault>,
    /// Files that processes here read (`/etc/resolv.conf`, `/etc/hosts`).
    pub files: BTreeMap<String, String>,
}

/// A neighbour entry that exists before a run.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Link address.
    pub mac: MacAddr,
    /// Written by an agent, does not age; else reachable.
    pub permanent: bool,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// Something wrong with an interface: it meets packets that leave by it, as netem does.
#[derive(Clone, Debug)]
pub struct LinkFault {
    /// Its name.
    pub name: Name,
    /// The interface.
    pub device: Name,
    /// What it does.
    pub effect: LinkEffect,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// What a fault does to a packet; shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkEffect {
    /// Loses this share of all packets.
    Loss(f64),
    /// Holds each packet back.
    Delay(Duration),
    /// Sends this share of all packets twice.
    Duplicate(f64),
    /// Holds this share of all packets back for so long that others overtake them.
    Reorder(f64),
}

/// A socket that waits.
#[derive(Clone)]
pub struct Listener {
    /// TCP, UDP or SCTP.
    pub protocol: L4Protocol,
    /// Bound address; `None`: any.
    pub address: Option<IpAddr>,
    /// Port; `None`: every port (an undeclared host outside answers on all).
    pub port: Option<u16>,
    /// What runs behind it.
    pub program: Arc<dyn Program>,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// Settings that decide. Defaults are the kernel's; agents set others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctls {
    /// `net.ipv4.ip_forward`.
    pub ip_forward: bool,
    /// `net.ipv6.conf.all.forwarding`.
    pub ipv6_forwarding: bool,
    /// `net.bridge.bridge-nf-call-iptables` (and `-ip6tables`), where br_netfilter is loaded.
    pub bridge_nf_call_iptables: bool,
    /// `net.ipv4.conf.*.rp_filter` by interface, `all` and `default` too: 0 off, 1 strict, 2 loose.
    pub rp_filter: BTreeMap<String, u8>,
    /// Interfaces with `net.ipv4.conf.*.proxy_arp`.
    pub proxy_arp: BTreeSet<String>,
    /// `net.ipv4.conf.*.route_localnet`.
    pub route_localnet: bool,
    /// `net.ipv4.tcp_syn_linear_timeouts` (since 6.5, default 4).
    pub tcp_syn_linear_timeouts: u8,
    /// `net.ipv4.tcp_syn_retries` (default 6).
    pub tcp_syn_retries: u8,
    /// `net.ipv4.fib_multipath_hash_policy`: 0 addresses, 1 ports too.
    pub fib_multipath_hash_policy: u8,
    /// `net.netfilter.nf_conntrack_*`.
    pub conntrack: crate::conntrack::setting::Changed,
}

impl Default for Sysctls {
    fn default() -> Self {
        Self {
            ip_forward: false,
            ipv6_forwarding: false,
            bridge_nf_call_iptables: false,
            rp_filter: BTreeMap::new(),
            proxy_arp: BTreeSet::new(),
            route_localnet: false,
            tcp_syn_linear_timeouts: 4,
            tcp_syn_retries: 6,
            fib_multipath_hash_policy: 0,
            conntrack: Vec::new(),
        }
    }
}

impl NetNs {
    /// An empty stack with `lo` still to be added.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            interfaces: IndexMap::new(),
            downed: BTreeSet::new(),
            last_index: 0,
            tables: BTreeMap::new(),
            rules: Vec::new(),
            neighbours: IndexMap::new(),
            iptables: Ruleset::default(),
            ip6tables: Ruleset::default(),
            nftables: Vec::new(),
            ipsets: IndexMap::new(),
            ipvs: IndexMap::new(),
            socket_maps: None,
            listeners: Vec::new(),
            sysctls: Sysctls::default(),
            faults: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// What the kernel adds where IPv6 is on: `::1`, and on each other interface that is up a link-local address made
    /// of its link address (RFC 4291 appendix A), with the route of its link. Done once, after all interfaces.
    pub fn add_ipv6_basics(&mut self) {
        for interface in self.interfaces.values_mut().filter(|i| i.up) {
            let loopback = matches!(interface.kind, InterfaceKind::Loopback);
            let net = if loopback {
                Ipv6Net::from(Ipv6Addr::LOCALHOST)
            } else {
                Ipv6Net::new_assert(link_local(interface.mac), 64)
            };
            let has = |a: &IfAddr| a.net.addr() == IpAddr::V6(net.addr()) || is_link_local(a.net.addr());
            // A port of a bridge takes part in no conversation of its own; its address would only be noise.
            if interface.addresses.iter().any(has) || interface.master.is_some() {
                continue;
            }
            let scope = if loopback { Scope::Host } else { Scope::Link };
            interface.addresses.push(IfAddr {
                net: IpNet::V6(net),
                scope,
                broadcast: false,
            });
            if loopback {
                continue;
            }
            self.tables.entry(MAIN).or_default().push(Route {
                prefix: IpNet::V6(net.trunc()),
                kind: RouteKind::Unicast,
                next_hops: vec![NextHop {
                    via: None,
                    device: Arc::clone(&interface.name),
                    weight: 1,
                    onlink: false,
                }],
                src: None,
                scope: Scope::Link,
                metric: 256,
                protocol: "kernel",
                origin: interface.origin.clone(),
            });
        }
    }
}

/// `fe80::` and the link address with `ff:fe` in its middle and its second bit inverted (`addrconf_ifid_eui48`).
fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// fe80::/10.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.is_unicast_link_local())
}

/// ff02::1:ff00:0/104 and the address's last three bytes: who may have it listens there (RFC 4291 §2.7.1).
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}
