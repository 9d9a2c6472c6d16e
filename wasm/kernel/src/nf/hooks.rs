//! What runs at each hook, and in which order.
//!
//! Source: include/uapi/linux/netfilter_ipv4.h `enum nf_ip_hook_priorities`, and the `valid_hooks` of iptables' tables.
//!
//! ```text
//! in ── PREROUTING ── route ── FORWARD ── POSTROUTING ── out
//!                       │                     │
//!                     INPUT                OUTPUT, route
//!                       └── socket ───────────┘
//! ```

use super::TableName;
use hoplab_trace::HookName;

/// One thing that runs at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// A table's built-in chain.
    Table(TableName),
    /// Connection tracking finds or makes the entry.
    Conntrack,
    /// Connection tracking makes the entry findable.
    Confirm,
    /// Virtual servers. Source: ip_vs_core.c ip_vs_ops4: before source NAT at INPUT and FORWARD, after destination NAT
    /// at OUTPUT.
    Ipvs,
}

use HookName::{Forward, Input, Output, Postrouting, Prerouting};
use Station::{Confirm, Conntrack, Ipvs, Table};
use TableName::{Filter, Mangle, Nat, Raw};

/// Hook, what runs, priority: lower first.
pub static HOOK_ORDER: [(HookName, Station, i32); 21] = [
    (Prerouting, Table(Raw), -300),
    (Prerouting, Conntrack, -200),
    (Prerouting, Table(Mangle), -150),
    (Prerouting, Table(Nat), -100),
    (Input, Table(Mangle), -150),
    (Input, Table(Filter), 0),
    (Input, Ipvs, 98),
    (Input, Table(Nat), 100),
    (Input, Confirm, i32::MAX),
    (Forward, Table(Mangle), -150),
    (Forward, Table(Filter), 0),
    (Forward, Ipvs, 99),
    (Output, Table(Raw), -300),
    (Output, Conntrack, -200),
    (Output, Table(Mangle), -150),
    (Output, Table(Nat), -100),
    (Output, Ipvs, -98),
    (Output, Table(Filter), 0),
    (Postrouting, Table(Mangle), -150),
    (Postrouting, Table(Nat), 100),
    (Postrouting, Confirm, i32::MAX),
];

/// What runs at one hook, in order, with its priority. Chains of nftables come between. Of two with one priority the
/// kernel runs the one registered last first (net/netfilter/core.c `nf_hook_entries_grow`). That is iptables' here: the
/// plug-in that writes it is taken to have started after kube-proxy.
pub fn stations(hook: HookName) -> impl Iterator<Item = (Station, i32)> {
    HOOK_ORDER
        .iter()
        .filter(move |(h, ..)| *h == hook)
        .map(|(_, station, priority)| (*station, *priority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_priority_numbers_come_first_at_each_hook() {
        for pair in HOOK_ORDER.windows(2).filter(|p| p[0].0 == p[1].0) {
            assert!(pair[0].2 < pair[1].2, "{pair:?}");
        }
    }
}
