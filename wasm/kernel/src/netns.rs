//! One network stack.

use crate::bpf::SocketMaps;
use crate::fib::{IpRule, Route};
use crate::interface::Interface;
use crate::ipvs::{VirtualAddress, VirtualServer};
use crate::nf::Ruleset;
use crate::nf::nft::NftTable;
use crate::nf::set::Set;
use crate::process::Program;
use hoplab_source::Origin;
use hoplab_trace::{Name, Place};
use hoplab_wire::{L4Protocol, MacAddr};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// One network stack: what exists before a run. What packets leave behind (conntrack, learned neighbours and MACs,
/// counters) is the run's overlay.
#[derive(Clone)]
pub struct NetNs {
    /// Whose it is.
    pub place: Place,
    /// By name, in the order of their index.
    pub interfaces: IndexMap<Name, Interface>,
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
    /// `net.bridge.bridge-nf-call-iptables`, where br_netfilter is loaded.
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
}

impl Default for Sysctls {
    fn default() -> Self {
        Self {
            ip_forward: false,
            bridge_nf_call_iptables: false,
            rp_filter: BTreeMap::new(),
            proxy_arp: BTreeSet::new(),
            route_localnet: false,
            tcp_syn_linear_timeouts: 4,
            tcp_syn_retries: 6,
        }
    }
}

impl NetNs {
    /// An empty stack with `lo` still to be added.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            interfaces: IndexMap::new(),
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
            files: BTreeMap::new(),
        }
    }
}
