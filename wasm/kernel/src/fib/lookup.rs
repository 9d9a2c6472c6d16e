//! Which way out: ip rules, tables and longest-prefix match.
//!
//! Models net/ipv4/fib_rules.c, fib_trie.c `fib_table_lookup` and fib_semantics.c `fib_select_path`.

use super::{DEFAULT, LOCAL, MAIN, NextHop, Route, RouteKind};
use crate::nf::eval::within;
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_trace::Name;
use std::net::IpAddr;
use std::sync::Arc;

/// What is looked up.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) dst: IpAddr,
    pub(crate) src: Option<IpAddr>,
    /// `None`: made here.
    pub(crate) iif: Option<&'a str>,
    /// A socket that is bound to a device; `None`: any.
    pub(crate) oif: Option<&'a str>,
    pub(crate) mark: u32,
    /// Protocol and ports, where the choice among several ways asks for them; else 0.
    pub(crate) flow: u64,
}

/// What came of it.
pub(crate) enum Found<'a> {
    Local {
        device: Name,
    },
    Broadcast {
        device: Name,
    },
    Unicast {
        route: &'a Route,
        next_hop: &'a NextHop,
        table: u32,
    },
    Refused {
        route: &'a Route,
    },
    Nothing,
}

impl Found<'_> {
    pub(crate) fn origin(&self) -> Option<Arc<Origin>> {
        match self {
            Self::Unicast { route, .. } | Self::Refused { route } => route.origin.clone(),
            _ => None,
        }
    }
}

/// The rule list of a namespace that has none of its own.
const STANDARD_TABLES: [u32; 3] = [LOCAL, MAIN, DEFAULT];

pub(crate) fn look_up<'a>(stack: &'a Stack, key: Key<'_>) -> Found<'a> {
    if stack.ns.rules.is_empty() {
        return STANDARD_TABLES
            .iter()
            .map(|table| in_table(stack, *table, &key))
            .find(|found| !matches!(found, Found::Nothing))
            .unwrap_or(Found::Nothing);
    }
    for rule in &stack.ns.rules {
        let fits = rule.from.is_none_or(|n| key.src.is_some_and(|s| n.contains(&s)))
            && rule.to.is_none_or(|n| n.contains(&key.dst))
            && rule.iif.as_deref().is_none_or(|i| i == key.iif.unwrap_or("lo"))
            && rule
                .fwmark
                .is_none_or(|(value, mask)| key.mark & mask == value & mask);
        if fits {
            match in_table(stack, rule.table, &key) {
                Found::Nothing => {}
                found => return found,
            }
        }
    }
    Found::Nothing
}

fn in_table<'a>(stack: &'a Stack, table: u32, key: &Key<'_>) -> Found<'a> {
    if table == LOCAL && key.oif.is_none() {
        if let Some(device) = stack.local(key.dst) {
            return Found::Local {
                device: Arc::clone(device),
            };
        }
        if let Some(device) = stack.broadcast(key.dst) {
            return Found::Broadcast {
                device: Arc::clone(device),
            };
        }
    }
    let Some(routes) = stack.ns.tables.get(&table) else {
        return Found::Nothing;
    };
    let usable = |hop: &&NextHop| {
        stack.interface(&hop.device).is_some_and(|i| i.up) && key.oif.is_none_or(|o| o == &*hop.device)
    };
    let best = routes
        .iter()
        .filter(|r| within(&r.prefix, key.dst))
        .filter(|r| r.next_hops.is_empty() || r.next_hops.iter().any(|h| usable(&h)))
        .filter(|r| key.oif.is_none() || !r.next_hops.is_empty())
        .min_by_key(|r| (u8::MAX - r.prefix.prefix_len(), r.metric));
    let Some(route) = best else { return Found::Nothing };
    match route.kind {
        RouteKind::Throw => Found::Nothing,
        RouteKind::Local | RouteKind::Broadcast => {
            let device = route
                .next_hops
                .first()
                .map_or_else(|| Arc::clone(&stack.loopback), |h| Arc::clone(&h.device));
            if route.kind == RouteKind::Local {
                Found::Local { device }
            } else {
                Found::Broadcast { device }
            }
        }
        RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Blackhole => Found::Refused { route },
        RouteKind::Unicast => match pick(route, &usable, key) {
            Some(next_hop) => Found::Unicast {
                route,
                next_hop,
                table,
            },
            None => Found::Nothing,
        },
    }
}

/// One of several ways by a hash of the addresses, and of the ports if the stack says so, weighted
/// (`fib_select_multipath`).
fn pick<'a>(route: &'a Route, usable: &dyn Fn(&&NextHop) -> bool, key: &Key<'_>) -> Option<&'a NextHop> {
    let ways = || route.next_hops.iter().filter(|h| usable(h));
    let total: u64 = ways().map(|h| u64::from(h.weight.max(1))).sum();
    if ways().nth(1).is_none() {
        return ways().next();
    }
    let mut point = flow_hash(key.src, key.dst, key.flow) % total.max(1);
    for way in ways() {
        let weight = u64::from(way.weight.max(1));
        if point < weight {
            return Some(way);
        }
        point -= weight;
    }
    ways().next()
}

/// A fixed stand-in for the kernel's keyed hash (FNV-1a over both addresses, then mixed).
fn flow_hash(src: Option<IpAddr>, dst: IpAddr, flow: u64) -> u64 {
    let mut hash =
        (0xcbf2_9ce4_8422_2325_u64 ^ flow).wrapping_mul(if flow == 0 { 1 } else { 0x0100_0000_01b3 });
    for address in src.into_iter().chain([dst]) {
        let bytes = match address {
            IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
            IpAddr::V6(a) => a.octets(),
        };
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fib::IpRule;
    use crate::interface::{IfAddr, Interface, InterfaceKind, Scope};
    use crate::{NetNs, NetNsId};
    use hoplab_trace::Place;
    use hoplab_wire::MacAddr;
    use std::net::Ipv4Addr;

    fn interface(index: u32, name: &str, address: &str) -> Interface {
        let net = address.parse().expect("an address");
        Interface {
            index,
            name: Name::from(name),
            kind: InterfaceKind::Dummy,
            mac: MacAddr::ZERO,
            mtu_bytes: 1500,
            up: true,
            addresses: vec![IfAddr {
                net,
                scope: Scope::Global,
                broadcast: false,
            }],
            master: None,
            hairpin: false,
            origin: None,
        }
    }

    fn route(prefix: &str, ways: &[(&str, u32)], metric: u32) -> Route {
        let hop = |(via, weight): &(&str, u32)| NextHop {
            via: Some(via.parse().expect("an address")),
            device: Name::from("eth0"),
            weight: *weight,
            onlink: false,
        };
        Route {
            prefix: prefix.parse().expect("a prefix"),
            kind: RouteKind::Unicast,
            next_hops: ways.iter().map(hop).collect(),
            src: None,
            scope: Scope::Global,
            metric,
            protocol: "",
            origin: None,
        }
    }

    fn stack(change: impl FnOnce(&mut NetNs)) -> Stack {
        let mut ns = NetNs::new(Place::Node(Name::from("a")));
        ns.interfaces
            .insert(Name::from("eth0"), interface(2, "eth0", "10.0.0.1/24"));
        change(&mut ns);
        Stack::new(NetNsId(0), Arc::new(ns))
    }

    fn via(stack: &Stack, src: &str, dst: &str, mark: u32) -> Option<IpAddr> {
        let src = src.parse().ok();
        let key = Key {
            dst: dst.parse().expect("an address"),
            src,
            iif: None,
            oif: None,
            mark,
            flow: 0,
        };
        match look_up(stack, key) {
            Found::Unicast { next_hop, .. } => next_hop.via,
            _ => None,
        }
    }

    #[test]
    fn among_equal_prefixes_the_lower_metric_wins() {
        let stack = stack(|ns| {
            let routes = vec![
                route("0.0.0.0/0", &[("10.0.0.2", 1)], 100),
                route("0.0.0.0/0", &[("10.0.0.3", 1)], 50),
            ];
            ns.tables.insert(MAIN, routes);
        });
        assert_eq!(via(&stack, "10.0.0.1", "8.8.8.8", 0), "10.0.0.3".parse().ok());
    }

    #[test]
    fn ways_of_one_route_share_flows_by_weight() {
        let ways = [("10.0.0.2", 3), ("10.0.0.3", 1)];
        let stack = stack(|ns| {
            ns.tables.insert(MAIN, vec![route("0.0.0.0/0", &ways, 0)]);
        });
        let first = (0..4000_u32)
            .filter(|n| {
                via(
                    &stack,
                    "10.0.0.1",
                    &Ipv4Addr::from(0x0808_0000 + n).to_string(),
                    0,
                ) == "10.0.0.2".parse().ok()
            })
            .count();
        assert!((2700..3300).contains(&first), "{first} of 4000");
    }

    #[test]
    fn a_way_out_of_an_interface_that_is_down_is_not_taken() {
        let stack = stack(|ns| {
            ns.tables
                .insert(MAIN, vec![route("0.0.0.0/0", &[("10.0.0.2", 1)], 0)]);
            for interface in ns.interfaces.values_mut() {
                interface.up = false;
            }
        });
        assert_eq!(via(&stack, "10.0.0.1", "8.8.8.8", 0), None);
    }

    #[test]
    fn a_rule_for_a_mark_asks_its_own_table_first() {
        let stack = stack(|ns| {
            ns.tables
                .insert(MAIN, vec![route("0.0.0.0/0", &[("10.0.0.2", 1)], 0)]);
            ns.tables
                .insert(100, vec![route("0.0.0.0/0", &[("10.0.0.3", 1)], 0)]);
            let rule = |priority, fwmark, table| IpRule {
                priority,
                from: None,
                to: None,
                iif: None,
                fwmark,
                table,
                origin: None,
            };
            ns.rules = vec![
                rule(0, None, LOCAL),
                rule(100, Some((0x200, 0xf00)), 100),
                rule(32_766, None, MAIN),
                rule(32_767, None, DEFAULT),
            ];
        });
        assert_eq!(via(&stack, "10.0.0.1", "8.8.8.8", 0), "10.0.0.2".parse().ok());
        assert_eq!(via(&stack, "10.0.0.1", "8.8.8.8", 0x200), "10.0.0.3".parse().ok());
    }

    #[test]
    fn the_highest_address_of_a_network_is_its_broadcast() {
        let stack = stack(|_| {});
        let dst = "10.0.0.255".parse().expect("an address");
        let found = look_up(
            &stack,
            Key {
                dst,
                src: None,
                iif: None,
                oif: None,
                mark: 0,
                flow: 0,
            },
        );
        assert!(matches!(found, Found::Broadcast { .. }));
    }
}
