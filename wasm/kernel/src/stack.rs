//! One namespace as a run looks at it: what is derived from its state once, when the first packet enters it.

use crate::interface::{IfAddr, Interface, Scope};
use crate::netns::{is_link_local, solicited_node};
use crate::nf::{Match, Ruleset, TableName, Target};
use crate::{NetNs, NetNsId};
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The address that a socket of a namespace gets when it connects somewhere; `None`: it cannot.
pub fn source_of(ns: &Arc<NetNs>, dst: IpAddr) -> Option<IpAddr> {
    let stack = Stack::new(NetNsId(0), Arc::clone(ns));
    crate::sim::walk::source_address(&stack, dst, 0)
}

/// A namespace with its local table derived.
pub(crate) struct Stack {
    pub(crate) id: NetNsId,
    pub(crate) ns: Arc<NetNs>,
    /// Addresses of this stack, with the interface each is on: table 255's `local` routes.
    locals: IndexMap<IpAddr, Name>,
    /// Table 255's `broadcast` routes.
    broadcasts: IndexMap<IpAddr, Name>,
    /// Whether connection tracking's hooks are registered: a nat table or a rule that looks at connections.
    pub(crate) tracks: bool,
    /// `lo`.
    pub(crate) loopback: Name,
}

impl Stack {
    pub(crate) fn new(id: NetNsId, ns: Arc<NetNs>) -> Self {
        let mut locals = IndexMap::new();
        let mut broadcasts = IndexMap::new();
        for interface in ns.interfaces.values() {
            // A dummy that was never up has its addresses in the local table too: fib_add_ifaddr.
            if !interface.up && !matches!(interface.kind, crate::interface::InterfaceKind::Dummy) {
                continue;
            }
            for address in &interface.addresses {
                locals
                    .entry(address.net.addr())
                    .or_insert_with(|| Arc::clone(&interface.name));
                // fib_add_ifaddr: a broadcast route where it makes sense.
                if let IpNet::V4(net) = address.net
                    && interface.up
                    && net.prefix_len() < 31
                    && !net.addr().is_loopback()
                {
                    broadcasts
                        .entry(IpAddr::V4(net.broadcast()))
                        .or_insert_with(|| Arc::clone(&interface.name));
                }
            }
        }
        let tracks =
            needs_conntrack(&ns.iptables) || needs_conntrack(&ns.ip6tables) || !ns.nftables.is_empty();
        let loopback = ns
            .interfaces
            .values()
            .find(|i| matches!(i.kind, crate::interface::InterfaceKind::Loopback))
            .map_or_else(|| Name::from("lo"), |i| Arc::clone(&i.name));
        Self {
            id,
            ns,
            locals,
            broadcasts,
            tracks,
            loopback,
        }
    }

    pub(crate) fn interface(&self, name: &str) -> Option<&Interface> {
        self.ns.interfaces.get(name)
    }

    /// The interface that a local address is on; all of 127.0.0.0/8 is on `lo` where `lo` has 127.0.0.1.
    pub(crate) fn local(&self, address: IpAddr) -> Option<&Name> {
        if let Some(device) = self.locals.get(&address) {
            return Some(device);
        }
        match address {
            IpAddr::V4(a) if a.is_loopback() => self.locals.get(&IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => None,
        }
    }

    /// Whether it listens to an IPv6 multicast address: every node's, and the solicited-node groups of its addresses.
    pub(crate) fn in_group(&self, address: Ipv6Addr) -> bool {
        let of = |a: &IpAddr| matches!(a, IpAddr::V6(a) if solicited_node(*a) == address);
        address == Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1) || self.locals.keys().any(of)
    }

    pub(crate) fn broadcast(&self, address: IpAddr) -> Option<&Name> {
        match address {
            IpAddr::V4(a) if a.is_broadcast() => Some(&self.loopback),
            _ => self.broadcasts.get(&address),
        }
    }

    /// An address of the stack to speak from: on `device`, preferring the subnet of `peer`; else of any other
    /// interface (`inet_select_addr`).
    pub(crate) fn select_address(&self, device: &str, peer: IpAddr, scope: Scope) -> Option<IpAddr> {
        let v6 = peer.is_ipv6();
        // RFC 6724 rule 2: an address of the scope of whom it speaks to.
        let near = is_link_local(peer) || v6 && peer.is_multicast();
        let fits = |a: &&IfAddr| {
            let own = a.net.addr();
            own.is_ipv4() == peer.is_ipv4()
                && if v6 {
                    is_link_local(own) == near
                } else {
                    a.scope <= scope
                }
        };
        if let Some(interface) = self.interface(device) {
            let own = || interface.addresses.iter().filter(fits);
            if let Some(found) = own().find(|a| a.net.contains(&peer)).or_else(|| own().next()) {
                return Some(found.net.addr());
            }
        }
        self.ns
            .interfaces
            .values()
            .filter(|i| i.up)
            .flat_map(|i| i.addresses.iter())
            .filter(fits)
            .find(|a| a.scope != Scope::Link && !a.net.addr().is_loopback())
            .map(|a| a.net.addr())
    }

    /// The ruleset of an address family.
    pub(crate) fn ruleset(&self, v4: bool) -> &Ruleset {
        if v4 { &self.ns.iptables } else { &self.ns.ip6tables }
    }
}

fn needs_conntrack(rules: &Ruleset) -> bool {
    rules.tables.contains_key(&TableName::Nat)
        || rules.tables.values().any(|table| {
            let shared = table.shared.iter().flat_map(|s| s.values());
            table
                .own
                .values()
                .chain(shared)
                .flat_map(|c| c.rules.iter())
                .any(|rule| {
                    rule.matches.iter().any(asks_conntrack)
                        || matches!(
                            rule.target,
                            Some(Target::Notrack | Target::Zone(_) | Target::Written { .. })
                        )
                })
        })
}

fn asks_conntrack(found: &Match) -> bool {
    match found {
        Match::CtState { .. } | Match::CtOrigDst { .. } => true,
        Match::Written { meaning, .. } => asks_conntrack(meaning),
        _ => false,
    }
}
