//! Which way out: ip rules, tables and longest-prefix match.
//!
//! Models net/ipv4/fib_rules.c, fib_trie.c `fib_table_lookup` and fib_semantics.c `fib_select_path`.

use super::{DEFAULT, LOCAL, MAIN, NextHop, Route, RouteKind};
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
        .filter(|r| r.prefix.contains(&key.dst))
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

/// One of several ways by a hash of the addresses, weighted (`fib_select_multipath`, hash policy 0).
fn pick<'a>(route: &'a Route, usable: &dyn Fn(&&NextHop) -> bool, key: &Key<'_>) -> Option<&'a NextHop> {
    let ways = || route.next_hops.iter().filter(|h| usable(h));
    let total: u64 = ways().map(|h| u64::from(h.weight.max(1))).sum();
    if ways().nth(1).is_none() {
        return ways().next();
    }
    let mut point = flow_hash(key.src, key.dst) % total.max(1);
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
fn flow_hash(src: Option<IpAddr>, dst: IpAddr) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
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
