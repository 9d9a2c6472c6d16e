//! Netfilter's tables as data: what iptables writes. Text forms and evaluation are modules of their own.

pub(crate) mod eval;
pub mod hooks;
pub mod nft;
pub mod parse;
pub mod restore;
pub mod save;
pub mod set;

use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::{HookName, Name};
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

/// iptables tables, in the order of `iptables-save`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableName {
    /// Before connection tracking.
    Raw,
    /// Header changes.
    Mangle,
    /// Address translation, first packets only.
    Nat,
    /// Accept or not.
    Filter,
}

/// All tables of one namespace, of one address family.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// Present tables only: a table that nobody touched does not exist.
    pub tables: IndexMap<TableName, Table>,
}

/// One table. Chains that many nodes have alike are shared; a node's own chain of the same name comes first.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// This namespace's own chains, in order; built-in chains among them.
    pub own: IndexMap<Name, Arc<Chain>>,
    /// Chains shared with other namespaces.
    pub shared: Option<Arc<IndexMap<Name, Arc<Chain>>>>,
}

impl Table {
    /// A chain by name.
    pub fn chain(&self, name: &str) -> Option<&Arc<Chain>> {
        self.own
            .get(name)
            .or_else(|| self.shared.as_ref().and_then(|s| s.get(name)))
    }
}

impl Ruleset {
    /// How many rules ask a set.
    pub fn asks_of_set(&self, set: &str) -> usize {
        let chains = self.tables.values().flat_map(|table| {
            let shared = table.shared.iter().flat_map(|shared| shared.values());
            table.own.values().chain(shared)
        });
        let matches = chains
            .flat_map(|chain| &chain.rules)
            .flat_map(|rule| &rule.matches);
        matches
            .filter(|found| matches!(found, Match::Set { name, .. } if &**name == set))
            .count()
    }
}

/// Rules that are asked from top to bottom.
#[derive(Clone, Debug)]
pub struct Chain {
    /// `KUBE-SERVICES`.
    pub name: Name,
    /// Of a built-in chain: where it hangs and what it says at its end.
    pub builtin: Option<(HookName, Policy)>,
    /// In order.
    pub rules: Vec<Rule>,
}

/// A built-in chain's last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Goes on.
    Accept,
    /// Silence.
    Drop,
}

/// One rule: all matches must hold, then the target.
#[derive(Clone, Debug)]
pub struct Rule {
    /// In the order in which they print.
    pub matches: Vec<Match>,
    /// What then; `None`: only counts.
    pub target: Option<Target>,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
    text: RuleText,
}

impl Rule {
    /// A rule.
    pub fn new(matches: Vec<Match>, target: Option<Target>, origin: Option<Arc<Origin>>) -> Self {
        Self {
            matches,
            target,
            origin,
            text: RuleText::default(),
        }
    }
}

/// A rule's text for one family, made when a packet first meets the rule. A copy of the rule makes its own.
#[derive(Debug, Default)]
struct RuleText(OnceLock<(bool, Name)>);

impl Clone for RuleText {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl RuleText {
    fn get(&self, v4: bool, make: impl Fn() -> String) -> Name {
        match self.0.get_or_init(|| (v4, Name::from(make()))) {
            (family, text) if *family == v4 => Arc::clone(text),
            _ => Name::from(make()),
        }
    }
}

/// A match. `not` inverts it.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// `-s`.
    Src {
        /// Inverted.
        not: bool,
        /// The prefix.
        net: IpNet,
    },
    /// `-d`.
    Dst {
        /// Inverted.
        not: bool,
        /// The prefix.
        net: IpNet,
    },
    /// nftables: `ip saddr { … }`.
    SrcIn {
        /// Inverted.
        not: bool,
        /// Any of these.
        nets: Vec<IpNet>,
    },
    /// nftables: `ip daddr { … }`.
    DstIn {
        /// Inverted.
        not: bool,
        /// Any of these.
        nets: Vec<IpNet>,
    },
    /// nftables: `meta mark set meta mark | VALUE`, a statement that other statements follow.
    SetMark {
        /// Or, xor.
        op: MarkOp,
        /// Value.
        value: u32,
    },
    /// `-i`; a trailing `+` is a wildcard.
    InInterface {
        /// Inverted.
        not: bool,
        /// The name.
        name: Name,
    },
    /// `-o`.
    OutInterface {
        /// Inverted.
        not: bool,
        /// The name.
        name: Name,
    },
    /// `-p`.
    Protocol {
        /// Inverted.
        not: bool,
        /// The protocol.
        protocol: L4Protocol,
    },
    /// `-m PROTO --dport`. All ports: `-m PROTO` alone, as kube-proxy writes before DNAT.
    DstPort {
        /// The protocol module.
        protocol: L4Protocol,
        /// Inverted.
        not: bool,
        /// First and last.
        ports: (u16, u16),
    },
    /// `-m PROTO --sport`.
    SrcPort {
        /// The protocol module.
        protocol: L4Protocol,
        /// Inverted.
        not: bool,
        /// First and last.
        ports: (u16, u16),
    },
    /// `-m multiport --dports`.
    MultiportDst {
        /// Each first and last.
        ports: Vec<(u16, u16)>,
    },
    /// `-m comment --comment`.
    Comment(Name),
    /// `-m conntrack --ctstate`.
    CtState {
        /// Inverted.
        not: bool,
        /// Any of these.
        states: Vec<CtStateName>,
    },
    /// `-m conntrack --ctstate DNAT` and the like are in `CtState`; this is `--ctorigdst` and `--ctorigdstport`.
    CtOrigDst {
        /// Original destination.
        net: Option<IpNet>,
        /// Original destination port.
        port: Option<u16>,
    },
    /// `-m mark --mark VALUE/MASK`.
    Mark {
        /// Inverted.
        not: bool,
        /// Value.
        value: u32,
        /// Mask.
        mask: u32,
    },
    /// `-m statistic --mode random --probability`.
    StatisticRandom {
        /// From 0 to 1, as written (kube-proxy writes eleven digits).
        probability: f64,
    },
    /// `-m addrtype --dst-type` / `--src-type`.
    AddrType {
        /// Which end.
        src: bool,
        /// Inverted.
        not: bool,
        /// LOCAL is the one that matters.
        kind: AddrType,
        /// `--limit-iface-in`.
        limit_iface_in: bool,
    },
    /// `-m recent --rcheck --seconds N --reap --name NAME --rsource`.
    RecentCheck {
        /// Inverted.
        not: bool,
        /// List.
        name: Name,
        /// Age limit in seconds.
        seconds: u32,
        /// Drops old entries.
        reap: bool,
    },
    /// `-m recent --set --name NAME --rsource`.
    RecentSet {
        /// List.
        name: Name,
    },
    /// `-m physdev --physdev-is-bridged`.
    PhysdevIsBridged {
        /// Inverted.
        not: bool,
    },
    /// `-m physdev --physdev-is-in`.
    PhysdevIsIn {
        /// Inverted.
        not: bool,
    },
    /// `-m ipvs --vproto --vaddr --vport`: IPVS sent it on from this virtual server.
    Ipvs {
        /// Virtual address.
        address: IpAddr,
        /// Protocol.
        protocol: L4Protocol,
        /// Virtual port.
        port: u16,
    },
    /// `-m tcp --tcp-flags`, `--syn`.
    TcpFlags {
        /// Inverted.
        not: bool,
        /// Flags looked at, as bits of the header.
        mask: u8,
        /// Those that must be set.
        set: u8,
    },
    /// `-m icmp --icmp-type`.
    IcmpType {
        /// Inverted.
        not: bool,
        /// Type.
        kind: u8,
        /// Code; `None`: any.
        code: Option<u8>,
    },
    /// A match that has another spelling than that of what it means: `-m state`.
    Written {
        /// As it was written.
        text: Name,
        /// What it asks.
        meaning: Box<Match>,
    },
    /// A match that is not modelled, as `iptables-save` prints it.
    NotModelled(Name),
    /// `-m set --match-set`.
    Set {
        /// Inverted.
        not: bool,
        /// The set's name.
        name: Name,
        /// `src`, `dst`, `dst,dst`.
        flags: Name,
    },
}

/// ctstate names of `--ctstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtStateName {
    /// First packet.
    New,
    /// Seen both ways.
    Established,
    /// Belongs to another.
    Related,
    /// Fits nothing.
    Invalid,
    /// Not tracked.
    Untracked,
    /// Destination was translated.
    Dnat,
    /// Source was translated.
    Snat,
}

/// addrtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrType {
    /// An address of this namespace.
    Local,
    /// Any unicast.
    Unicast,
    /// A broadcast address.
    Broadcast,
    /// A multicast address.
    Multicast,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(Name),
    /// `-g CHAIN`.
    Goto(Name),
    /// `-j REJECT --reject-with`.
    Reject(RejectWith),
    /// `-j DNAT --to-destination`.
    Dnat {
        /// New destination.
        to: IpAddr,
        /// New port; `None`: unchanged.
        port: Option<u16>,
    },
    /// nftables: `dnat ip to numgen random mod N map { … }`: each with its origin.
    DnatOneOf(Vec<(SocketAddr, Arc<Origin>)>),
    /// nftables: `numgen random mod N vmap { … }`: chains to go to, each with the name of the way.
    GotoOneOf(Vec<(Name, Name)>),
    /// nftables: `… vmap @MAP`. Without an element the rule does not match.
    Vmap {
        /// The map.
        map: Name,
        /// `dst,dst,dst`: which end each part of the key is of.
        flags: Name,
    },
    /// `-j SNAT --to-source`.
    Snat {
        /// New source.
        to: IpAddr,
        /// `--random-fully`.
        random_fully: bool,
    },
    /// `-j MASQUERADE`.
    Masquerade {
        /// `--random-fully`.
        random_fully: bool,
    },
    /// `-j MARK --or-mark`, `--xor-mark`, `--set-xmark VALUE/MASK`.
    Mark {
        /// How it was written.
        op: MarkOp,
        /// Value.
        value: u32,
        /// Mask, of `--set-xmark`.
        mask: u32,
    },
    /// `-j NOTRACK` (`-j CT --notrack`).
    Notrack,
    /// `-j CT --zone N`.
    Zone(u16),
    /// `-j TCPMSS --set-mss N`; `None`: `--clamp-mss-to-pmtu`.
    TcpMss(Option<u16>),
    /// A target that has another spelling than that of what it does: `NOTRACK`.
    Written {
        /// As it was written.
        text: Name,
        /// What it does.
        meaning: Box<Target>,
    },
    /// A target that is not modelled, with its options.
    NotModelled(Name),
    /// `-j LOG`.
    Log {
        /// `--log-prefix`.
        prefix: Name,
    },
}

/// Ways to write a mark. The kernel holds one form: `(mark & !mask) ^ value`; `iptables-save` prints `--set-xmark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkOp {
    /// `--or-mark`.
    Or,
    /// `--xor-mark`.
    Xor,
    /// `--set-xmark`.
    SetXmark,
}

/// `--reject-with`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// `icmp-port-unreachable`, the default.
    PortUnreachable,
    /// `icmp-host-unreachable`.
    HostUnreachable,
    /// `icmp-net-unreachable`.
    NetUnreachable,
    /// `icmp-admin-prohibited`.
    AdminProhibited,
    /// `tcp-reset`.
    TcpReset,
}
