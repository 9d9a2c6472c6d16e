//! Routing tables, rules that choose among them, and longest-prefix match.

use crate::interface::Scope;
use hoplab_source::Origin;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// The table that `ip route` shows.
pub const MAIN: u32 = 254;
/// Metric of an IPv6 address's own network. Source: include/uapi/linux/ipv6_route.h IP6_RT_PRIO_ADDRCONF.
pub const V6_PREFIX_METRIC: u32 = 256;
/// The table of the stack's own addresses.
pub const LOCAL: u32 = 255;
/// The last table asked.
pub const DEFAULT: u32 = 253;

/// What a route does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends on.
    Unicast,
    /// For this stack.
    Local,
    /// The link's broadcast address.
    Broadcast,
    /// Answers with ICMP host unreachable.
    Unreachable,
    /// Answers with ICMP administratively prohibited.
    Prohibit,
    /// Silence.
    Blackhole,
    /// Leaves this table.
    Throw,
}

/// One way out of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Next machine; `None`: on link.
    pub via: Option<IpAddr>,
    /// Out of which interface.
    pub device: Name,
    /// Share among several.
    pub weight: u32,
    /// Whether `via` need not be on a connected network.
    pub onlink: bool,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination.
    pub prefix: IpNet,
    /// What it does.
    pub kind: RouteKind,
    /// Several: ECMP. Empty for kinds that send nowhere.
    pub next_hops: Vec<NextHop>,
    /// Preferred source address.
    pub src: Option<IpAddr>,
    /// Scope.
    pub scope: Scope,
    /// Lower wins among equal prefixes.
    pub metric: u32,
    /// Who put it there, as `proto` prints it: `kernel`, `static`, `bird`, empty for none.
    pub protocol: &'static str,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// An `ip rule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpRule {
    /// Lower is asked first.
    pub priority: u32,
    /// Source prefix; `None`: all.
    pub from: Option<IpNet>,
    /// Destination prefix; `None`: all.
    pub to: Option<IpNet>,
    /// Input interface (`lo`: made here).
    pub iif: Option<Name>,
    /// Firewall mark and mask.
    pub fwmark: Option<(u32, u32)>,
    /// What to look up.
    pub table: u32,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

mod answer;
pub(crate) mod lookup;

pub use answer::{Answer, Question, answer};
