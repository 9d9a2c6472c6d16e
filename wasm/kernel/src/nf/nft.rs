//! nftables: tables with chains at hooks of their choice, sets and maps; and `nft list`.
//!
//! Chains and rules are those of iptables with a few statements more, so that one evaluation serves both.
//! Source of the text: nftables 1.0.6 src/{rule,expression,statement}.c.

use super::set::{Element, Key, Part, Set, prefix};
use super::{Chain, MarkOp, Match, Policy, RejectWith, Rule, Table, Target};
use hoplab_source::collections::IndexMap;
use hoplab_trace::{HookName, Name};
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

/// One table of the family `ip`, `ip6` or `inet`.
#[derive(Clone, Debug)]
pub struct NftTable {
    /// `kube-proxy`.
    pub name: Cow<'static, str>,
    /// `ip6` instead of `ip`.
    pub is_v6: bool,
    /// `inet`: of both families.
    pub is_inet: bool,
    /// Its comment; may be empty.
    pub comment: &'static str,
    /// Sets and maps, in order.
    pub sets: IndexMap<Name, Arc<Set>>,
    /// Where chains hang, in the order of their making.
    pub base_chains: Cow<'static, [BaseChain]>,
    /// All chains.
    pub chains: Table,
    /// Numbers by which typed things are taken away. Differs: what agents wrote has none.
    pub handles: Handles,
}

/// Handles of one table.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    /// Its own.
    pub own: u32,
    /// The last one given inside it.
    pub last: u32,
    /// Of chains, and of their rules in order.
    pub chains: Vec<(Name, u32, Vec<u32>)>,
}

/// A chain at a hook.
#[derive(Clone, Debug)]
pub struct BaseChain {
    /// Its name.
    pub name: Cow<'static, str>,
    /// `nat` instead of `filter`.
    pub is_nat: bool,
    /// The hook.
    pub hook: HookName,
    /// Lower first.
    pub priority: i32,
}

impl NftTable {
    /// Base chains first, then those that are shared, then the namespace's own.
    pub fn chains_in_order(&self) -> Vec<&Arc<Chain>> {
        let is_base = |name: &str| self.base_chains.iter().any(|base| base.name == name);
        let base = self
            .base_chains
            .iter()
            .filter_map(|base| self.chains.chain(&base.name));
        let shared = self.chains.shared.iter().flat_map(|shared| shared.iter());
        let shared = shared.filter(|(name, _)| !self.chains.own.contains_key(*name) && !is_base(name));
        let own = self.chains.own.iter().filter(|(name, _)| !is_base(name));
        base.chain(shared.chain(own).map(|(_, chain)| chain)).collect()
    }

    fn ip(&self) -> &'static str {
        if self.is_v6 { "ip6" } else { "ip" }
    }

    /// `table ip kube-proxy`.
    pub fn title(&self) -> String {
        let family = if self.is_inet { "inet" } else { self.ip() };
        format!("table {family} {}", self.name)
    }

    /// What steps call it: the name, of a table that somebody typed `nftables`.
    pub fn label(&self) -> &'static str {
        match self.name {
            Cow::Borrowed(name) => name,
            Cow::Owned(_) => "nftables",
        }
    }
}

/// `priority dstnat - 10`: names of the usual priorities where they are within ten. Source: rule.c `prio2str`, whose
/// names hold for each hook on its own: dstnat at prerouting, srcnat at postrouting.
fn priority(base: &BaseChain) -> String {
    let names: &[(i32, &str, Option<HookName>)] = &[
        (-300, "raw", None),
        (-150, "mangle", None),
        (-100, "dstnat", Some(HookName::Prerouting)),
        (0, "filter", None),
        (50, "security", None),
        (100, "srcnat", Some(HookName::Postrouting)),
    ];
    for (number, name, only) in names {
        let off = base.priority - number;
        if only.is_none_or(|hook| hook == base.hook) && off.abs() <= 10 {
            return match off {
                0 => (*name).to_owned(),
                1.. => format!("{name} + {off}"),
                _ => format!("{name} - {}", -off),
            };
        }
    }
    base.priority.to_string()
}

fn hook(hook: HookName) -> &'static str {
    match hook {
        HookName::Prerouting => "prerouting",
        HookName::Input => "input",
        HookName::Forward => "forward",
        HookName::Output => "output",
        HookName::Postrouting => "postrouting",
    }
}

/// `nft list ruleset` over some tables.
pub fn list_ruleset(tables: &[NftTable]) -> String {
    let mut out = String::new();
    for table in tables {
        list_table(&mut out, table, false, |_| true, |_| true);
    }
    out
}

/// One table with those of its sets and chains that are wanted.
pub fn list_table(
    out: &mut String,
    table: &NftTable,
    with_handles: bool,
    wants_set: impl Fn(&Set) -> bool,
    wants_chain: impl Fn(&Chain) -> bool,
) {
    let handle = |number: Option<u32>| match number.filter(|n| with_handles && *n > 0) {
        Some(number) => format!(" # handle {number}"),
        None => String::new(),
    };
    let _ = writeln!(out, "{} {{{}", table.title(), handle(Some(table.handles.own)));
    if !table.comment.is_empty() {
        let _ = writeln!(out, "\tcomment \"{}\"", table.comment);
    }
    let mut first = true;
    let mut gap = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push('\n');
        }
    };
    for set in table.sets.values().filter(|set| wants_set(set)) {
        gap(out);
        let _ = list_set(out, set, table.is_v6);
    }
    for chain in table
        .chains_in_order()
        .into_iter()
        .filter(|chain| wants_chain(chain))
    {
        gap(out);
        let handles = table.handles.chains.iter().find(|(name, ..)| *name == chain.name);
        let own = handle(handles.map(|(_, own, _)| *own));
        let _ = writeln!(out, "\tchain {} {{{own}", chain.name);
        if let Some(base) = table.base_chains.iter().find(|base| *base.name == *chain.name) {
            let kind = if base.is_nat { "nat" } else { "filter" };
            let (hook, priority) = (hook(base.hook), priority(base));
            let drops = matches!(chain.builtin, Some((_, Policy::Drop)));
            let policy = if drops { "drop" } else { "accept" };
            let _ = writeln!(
                out,
                "\t\ttype {kind} hook {hook} priority {priority}; policy {policy};"
            );
        }
        for (n, rule) in chain.rules.iter().enumerate() {
            let own = handle(handles.and_then(|(.., rules)| rules.get(n).copied()));
            let _ = writeln!(out, "\t\t{}{own}", rule_text(rule, table));
        }
        out.push_str("\t}\n");
    }
    out.push_str("}\n");
}

fn list_set(out: &mut String, set: &Set, is_v6: bool) -> fmt::Result {
    let word = if set.is_map { "map" } else { "set" };
    writeln!(out, "\t{word} {} {{", set.name)?;
    let types: Vec<&str> = set
        .parts
        .iter()
        .map(|part| match part {
            Part::Ip | Part::Net if is_v6 => "ipv6_addr",
            Part::Ip | Part::Net => "ipv4_addr",
            Part::Protocol => "inet_proto",
            Part::Port | Part::ProtocolPort => "inet_service",
        })
        .collect();
    let value = if set.is_map { " : verdict" } else { "" };
    writeln!(out, "\t\ttype {}{value}", types.join(" . "))?;
    if let [Part::Net] = set.parts {
        out.push_str("\t\tflags interval\n");
    }
    if let Some(seconds) = set.timeout_seconds {
        // 65535 is the size of sets that rules fill and that were given none.
        writeln!(
            out,
            "\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout {}",
            duration(seconds)
        )?;
    }
    if !set.comment.is_empty() {
        writeln!(out, "\t\tcomment \"{}\"", set.comment)?;
    }
    if !set.elements.is_empty() {
        out.push_str("\t\telements = { ");
        // Five plain ports on a line, two plain addresses, of everything else one.
        let each = match set.parts {
            [Part::Port] => 5,
            [_] => 2,
            _ => 1,
        };
        for (n, (key, element)) in set.elements.iter().enumerate() {
            if n > 0 {
                out.push_str(if n % each == 0 { ",\n\t\t\t     " } else { ", " });
            }
            out.push_str(&element_text(set, key, element, is_v6));
        }
        out.push_str(" }\n");
    }
    out.push_str("\t}\n");
    Ok(())
}

/// `10.96.0.1 . tcp . 443 : goto service-…`.
pub(crate) fn element_text(set: &Set, key: &Key, element: &Element, is_v6: bool) -> String {
    let mut out = key.text(set.parts, " . ");
    if let Some(comment) = &element.comment {
        let _ = write!(out, " comment \"{comment}\"");
    }
    if let Some(verdict) = &element.verdict {
        out.push_str(" : ");
        let _ = statement(&mut out, verdict, is_v6);
    }
    out
}

/// `3h`, `1h30m`: the largest units that say it. Source: datatype.c `time_print`.
fn duration(seconds: u32) -> String {
    let mut out = String::new();
    let mut rest = seconds;
    for (unit, length) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        if rest >= length {
            let _ = write!(out, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// A rule as `nft list` prints it.
pub fn rule_text(rule: &Rule, table: &NftTable) -> String {
    let mut out = String::new();
    let mut comment = None;
    for found in &rule.matches {
        match found {
            Match::Comment(text) => comment = Some(text),
            // What another statement says by the way.
            Match::Written { text, .. } if text.is_empty() => {}
            other => {
                let _ = expression(&mut out, other, table);
                out.push(' ');
            }
        }
    }
    match &rule.target {
        Some(Target::Vmap { map, flags }) => {
            keys(&mut out, table, map, flags);
            let _ = write!(out, " vmap @{map}");
        }
        Some(target) => {
            let _ = statement(&mut out, target, table.is_v6);
        }
        None => {}
    }
    out.truncate(out.trim_end().len());
    if let Some(text) = comment {
        let _ = write!(out, " comment \"{text}\"");
    }
    out
}

fn is_not(inverted: bool) -> &'static str {
    if inverted { "!= " } else { "" }
}

/// `ip daddr . meta l4proto . th dport`.
fn keys(out: &mut String, table: &NftTable, set: &str, flags: &str) {
    let Some(set) = table.sets.get(set) else { return };
    for (n, (part, flag)) in set.parts.iter().zip(flags.split(',')).enumerate() {
        if n > 0 {
            out.push_str(" . ");
        }
        let side = if flag.starts_with("dst") { 'd' } else { 's' };
        let _ = match part {
            Part::Ip | Part::Net => write!(out, "{} {side}addr", table.ip()),
            Part::Protocol => out.write_str("meta l4proto"),
            // A set of ports alone is asked by one protocol, which the flag names.
            Part::Port if flag.len() > 3 => write!(out, "{} {side}port", &flag[3..]),
            Part::Port | Part::ProtocolPort => write!(out, "th {side}port"),
        };
    }
}

fn expression(out: &mut String, found: &Match, table: &NftTable) -> fmt::Result {
    let ip = match found {
        Match::Src { net, .. } | Match::Dst { net, .. } if net.addr().is_ipv6() => "ip6",
        _ => table.ip(),
    };
    match found {
        Match::Written { text, .. } => out.write_str(text),
        Match::Src { not, net } => {
            write!(out, "{ip} saddr {}", is_not(*not))?;
            prefix(out, net)
        }
        Match::Dst { not, net } => {
            write!(out, "{ip} daddr {}", is_not(*not))?;
            prefix(out, net)
        }
        Match::SrcIn { not, nets } | Match::DstIn { not, nets } => {
            let side = if matches!(found, Match::SrcIn { .. }) {
                's'
            } else {
                'd'
            };
            write!(out, "{ip} {side}addr {}{{ ", is_not(*not))?;
            for (n, net) in nets.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                prefix(out, net)?;
            }
            out.write_str(" }")
        }
        Match::InInterface { not, name } => write!(out, "iifname {}\"{}\"", is_not(*not), wild(name)),
        Match::OutInterface { not, name } => write!(out, "oifname {}\"{}\"", is_not(*not), wild(name)),
        Match::Protocol { not, protocol } => write!(out, "meta l4proto {}{protocol}", is_not(*not)),
        Match::DstPort { protocol, not, ports } => {
            write!(out, "{protocol} dport {}{}", is_not(*not), ports.0)?;
            if ports.1 == ports.0 {
                Ok(())
            } else {
                write!(out, "-{}", ports.1)
            }
        }
        Match::SrcPort { protocol, not, ports } => {
            write!(out, "{protocol} sport {}{}", is_not(*not), ports.0)?;
            if ports.1 == ports.0 {
                Ok(())
            } else {
                write!(out, "-{}", ports.1)
            }
        }
        Match::CtState { not, states } => {
            use super::CtStateName as S;
            let word = |s: &S| match s {
                S::New => "new",
                S::Established => "established",
                S::Related => "related",
                S::Invalid => "invalid",
                S::Untracked => "untracked",
                S::Dnat => "dnat",
                S::Snat => "snat",
            };
            let what = if states.iter().any(|s| matches!(s, S::Dnat | S::Snat)) {
                "status"
            } else {
                "state"
            };
            let words: Vec<&str> = states.iter().map(word).collect();
            write!(out, "ct {what} {}{}", is_not(*not), words.join(","))
        }
        Match::Mark { not, value, mask } => {
            let sign = if *not { "!=" } else { "==" };
            write!(out, "meta mark & 0x{mask:08x} {sign} 0x{value:08x}")
        }
        Match::SetMark { op, value } => {
            let sign = if *op == MarkOp::Or { '|' } else { '^' };
            write!(out, "meta mark set meta mark {sign} 0x{value:08x}")
        }
        Match::AddrType { src, not, .. } => {
            let side = if *src { 's' } else { 'd' };
            write!(out, "fib {side}addr type {}local", is_not(*not))
        }
        Match::RecentCheck { not, name, .. } => write!(out, "{ip} saddr {}@{name}", is_not(*not)),
        Match::RecentSet { name } => write!(out, "update @{name} {{ {ip} saddr }}"),
        Match::Set { not, name, flags } => {
            keys(out, table, name, flags);
            write!(out, " {}@{name}", is_not(*not))
        }
        // Nothing that writes nftables here has these.
        Match::Comment(_)
        | Match::MultiportDst { .. }
        | Match::CtOrigDst { .. }
        | Match::StatisticRandom { .. }
        | Match::PhysdevIsIn { .. }
        | Match::TcpFlags { .. }
        | Match::IcmpType { .. }
        | Match::NotModelled(_)
        | Match::Ipvs { .. }
        | Match::PhysdevIsBridged { .. } => Ok(()),
    }
}

/// `veth+` is `veth*`.
fn wild(name: &str) -> String {
    name.replace('+', "*")
}

fn statement(out: &mut String, target: &Target, is_v6: bool) -> fmt::Result {
    match target {
        Target::Accept => out.write_str("accept"),
        Target::Drop => out.write_str("drop"),
        Target::Return => out.write_str("return"),
        Target::Jump(chain) => write!(out, "jump {chain}"),
        Target::Goto(chain) => write!(out, "goto {chain}"),
        Target::Reject(RejectWith::PortUnreachable) => out.write_str("reject"),
        Target::Reject(with) => out.write_str(match with {
            RejectWith::TcpReset => "reject with tcp reset",
            RejectWith::HostUnreachable => "reject with icmp host-unreachable",
            RejectWith::NetUnreachable => "reject with icmp net-unreachable",
            _ => "reject with icmp admin-prohibited",
        }),
        Target::Dnat { to, port } => match (port, is_v6) {
            (Some(port), false) => write!(out, "dnat to {to}:{port}"),
            (Some(port), true) => write!(out, "dnat to [{to}]:{port}"),
            (None, _) => write!(out, "dnat to {to}"),
        },
        Target::Snat { to, .. } => write!(out, "snat to {to}"),
        Target::Masquerade { random_fully } => out.write_str(if *random_fully {
            "masquerade fully-random"
        } else {
            "masquerade"
        }),
        Target::DnatOneOf(ways) => {
            let ip = if is_v6 { "ip6" } else { "ip" };
            write!(out, "dnat {ip} to numgen random mod {} map {{ ", ways.len())?;
            for (n, (to, _)) in ways.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                write!(out, "{n} : {} . {}", to.ip(), to.port())?;
            }
            out.write_str(" }")
        }
        Target::GotoOneOf(ways) => {
            write!(out, "numgen random mod {} vmap {{ ", ways.len())?;
            for (n, (chain, _)) in ways.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                write!(out, "{n} : goto {chain}")?;
            }
            out.write_str(" }")
        }
        Target::Notrack => out.write_str("notrack"),
        Target::Zone(zone) => write!(out, "ct zone set {zone}"),
        Target::TcpMss(Some(mss)) => write!(out, "tcp option maxseg size set {mss}"),
        Target::TcpMss(None) => out.write_str("tcp option maxseg size set rt mtu"),
        Target::Log { prefix } => write!(out, "log prefix \"{prefix}\""),
        Target::Mark { value, .. } => write!(out, "meta mark set 0x{value:08x}"),
        Target::Vmap { .. } | Target::Written { .. } | Target::NotModelled(_) => Ok(()),
    }
}
