//! Rules as `iptables-save` prints them.
//!
//! Source: iptables 1.8 (iptables-save.c, the `save` functions of extensions/libxt_*.c and libipt_*.c).

use super::{
    AddrType, Chain, CtStateName, MarkOp, Match, Policy, RejectWith, Rule, Ruleset, Table, TableName, Target,
};
use hoplab_source::{decimal, order};
use hoplab_trace::Name;
use ipnet::IpNet;
use std::fmt::{self, Write};
use std::sync::Arc;

/// Address family of a ruleset: what `iptables` or `ip6tables` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `iptables`.
    V4,
    /// `ip6tables`.
    V6,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TableName {
    /// `raw`, `mangle`, `nat`, `filter`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Mangle => "mangle",
            Self::Nat => "nat",
            Self::Filter => "filter",
        }
    }

    /// Its built-in chains in the order of `iptables-save`.
    pub fn builtin_chains(self) -> &'static [&'static str] {
        match self {
            Self::Raw => &["PREROUTING", "OUTPUT"],
            Self::Mangle => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
            Self::Nat => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
            Self::Filter => &["INPUT", "FORWARD", "OUTPUT"],
        }
    }
}

/// Tables in the order in which iptables-nft prints them.
const PRINT_ORDER: [TableName; 4] = [
    TableName::Mangle,
    TableName::Raw,
    TableName::Filter,
    TableName::Nat,
];

/// A rule in a chain, as `iptables-save` prints it: `-A KUBE-SERVICES -d 10.96.0.10/32 …`.
pub fn rule_text(rule: &Rule, chain: &str) -> String {
    rule_text_of(rule, chain, Family::V4)
}

/// A rule in a chain of one family.
pub fn rule_text_of(rule: &Rule, chain: &str, family: Family) -> String {
    let mut out = format!("-A {chain}");
    for rank in 0..5 {
        for found in rule.matches.iter().filter(|m| head_rank(m) == Some(rank)) {
            let _ = head_text(&mut out, found);
        }
    }
    let rest: Vec<&Match> = rule.matches.iter().filter(|m| head_rank(m).is_none()).collect();
    let mut at = 0;
    while let Some(found) = rest.get(at) {
        at += module_text(&mut out, found, rest.get(at + 1).copied());
    }
    if let Some(target) = &rule.target {
        let _ = target_text(&mut out, target, family);
    }
    // A mask of one address, in the family's own words.
    match family {
        Family::V4 => out,
        Family::V6 => out.replace(
            " --mask 255.255.255.255 ",
            " --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ",
        ),
    }
}

/// A whole ruleset as `iptables-save` prints it, without the comment lines that hold version and date.
pub fn iptables_save(rules: &Ruleset) -> String {
    iptables_save_of(rules, Family::V4)
}

/// A whole ruleset of one family.
pub fn iptables_save_of(rules: &Ruleset, family: Family) -> String {
    let mut out = String::new();
    for name in PRINT_ORDER {
        if let Some(table) = rules.tables.get(&name) {
            save_table(&mut out, name, table, family);
        }
    }
    out
}

fn save_table(out: &mut String, name: TableName, table: &Table, family: Family) {
    let _ = writeln!(out, "*{name}");
    let chains = chains_in_order(name, table);
    for builtin in name.builtin_chains() {
        let policy = match table.chain(builtin).and_then(|c| c.builtin) {
            Some((_, Policy::Drop)) => "DROP",
            _ => "ACCEPT",
        };
        let _ = writeln!(out, ":{builtin} {policy} [0:0]");
    }
    for chain in chains.iter().filter(|c| c.builtin.is_none()) {
        let _ = writeln!(out, ":{} - [0:0]", chain.name);
    }
    for chain in chains {
        for rule in &chain.rules {
            out.push_str(&rule_text_of(rule, &chain.name, family));
            out.push('\n');
        }
    }
    out.push_str("COMMIT\n");
}

impl Table {
    /// Built-in chains first, then the others by name, as iptables-nft lists them.
    pub fn chains_in_order(&self, name: TableName) -> Vec<&Arc<Chain>> {
        chains_in_order(name, self)
    }
}

fn chains_in_order(name: TableName, table: &Table) -> Vec<&Arc<Chain>> {
    let builtin = name.builtin_chains().iter().filter_map(|b| table.chain(b));
    let shared = table.shared.iter().flat_map(|s| s.iter());
    let mut others: Vec<(&Name, &Arc<Chain>)> = table
        .own
        .iter()
        .chain(shared.filter(|(chain, _)| !table.own.contains_key(*chain)))
        .filter(|(chain, _)| !name.builtin_chains().contains(&&***chain))
        .collect();
    order::sort_by(&mut others, |a, b| a.0.cmp(b.0));
    builtin.chain(others.into_iter().map(|(_, c)| c)).collect()
}

/// Matches that are part of a rule's head, in iptables' order.
fn head_rank(found: &Match) -> Option<u8> {
    match found {
        Match::Src { .. } => Some(0),
        Match::Dst { .. } => Some(1),
        Match::InInterface { .. } => Some(2),
        Match::OutInterface { .. } => Some(3),
        Match::Protocol { .. } => Some(4),
        Match::NotModelled(text) if text.starts_with("-p ") || text.starts_with("! -p ") => Some(4),
        _ => None,
    }
}

fn not(inverted: bool) -> &'static str {
    if inverted { " !" } else { "" }
}

fn head_text(out: &mut String, found: &Match) -> fmt::Result {
    match found {
        // Every address: not printed unless inverted.
        Match::Src { not: false, net } | Match::Dst { not: false, net } if net.prefix_len() == 0 => Ok(()),
        Match::Src { not: n, net } => write!(out, "{} -s {}", not(*n), net.trunc()),
        Match::Dst { not: n, net } => write!(out, "{} -d {}", not(*n), net.trunc()),
        Match::InInterface { not: n, name } => write!(out, "{} -i {name}", not(*n)),
        Match::OutInterface { not: n, name } => write!(out, "{} -o {name}", not(*n)),
        Match::Protocol { not: n, protocol } => write!(out, "{} -p {protocol}", not(*n)),
        Match::NotModelled(text) => write!(out, " {text}"),
        _ => Ok(()),
    }
}

/// `FIN,SYN`, as libxt_tcp prints flags.
pub fn tcp_flags(bits: u8) -> String {
    let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
    let set: Vec<&str> = (0..6)
        .filter(|i| bits & (1 << i) != 0)
        .map(|i| names[i])
        .collect();
    if set.is_empty() {
        "NONE".to_owned()
    } else {
        set.join(",")
    }
}

fn port_range(ports: (u16, u16)) -> String {
    if ports.0 == ports.1 {
        ports.0.to_string()
    } else {
        format!("{}:{}", ports.0, ports.1)
    }
}

/// Every port: iptables prints no option for it. Source: `print_port` in libxt_tcp.c and libxt_udp.c.
const ALL_PORTS: (u16, u16) = (0, u16::MAX);

/// Prints one match module; says how many matches it took (ports of one protocol share a module).
fn module_text(out: &mut String, found: &Match, next: Option<&Match>) -> usize {
    let _ = match (found, next) {
        (
            Match::SrcPort {
                protocol,
                not: n,
                ports,
            },
            Some(Match::DstPort {
                protocol: other,
                not: m,
                ports: dst,
            }),
        )
        | (
            Match::DstPort {
                protocol: other,
                not: m,
                ports: dst,
            },
            Some(Match::SrcPort {
                protocol,
                not: n,
                ports,
            }),
        ) if protocol == other => {
            let (src, dst) = (port_range(*ports), port_range(*dst));
            let _ = write!(
                out,
                " -m {protocol}{} --sport {src}{} --dport {dst}",
                not(*n),
                not(*m)
            );
            return 2;
        }
        (
            Match::SrcPort {
                protocol,
                not: false,
                ports,
            },
            _,
        )
        | (
            Match::DstPort {
                protocol,
                not: false,
                ports,
            },
            _,
        ) if *ports == ALL_PORTS => {
            write!(out, " -m {protocol}")
        }
        (
            Match::SrcPort {
                protocol,
                not: n,
                ports,
            },
            _,
        ) => {
            write!(out, " -m {protocol}{} --sport {}", not(*n), port_range(*ports))
        }
        // Every port: the module alone is printed.
        (
            Match::DstPort {
                protocol,
                not: false,
                ports: (0, u16::MAX),
            },
            _,
        ) => write!(out, " -m {protocol}"),
        (
            Match::DstPort {
                protocol,
                not: n,
                ports,
            },
            _,
        ) => {
            write!(out, " -m {protocol}{} --dport {}", not(*n), port_range(*ports))
        }
        (Match::TcpFlags { not: n, mask, set }, _) => {
            let (mask, set) = (tcp_flags(*mask), tcp_flags(*set));
            write!(out, " -m tcp{} --tcp-flags {mask} {set}", not(*n))
        }
        (Match::IcmpType { not: n, kind, code }, _) => {
            let code = code.map(|code| format!("/{code}")).unwrap_or_default();
            write!(out, " -m icmp{} --icmp-type {kind}{code}", not(*n))
        }
        (Match::Written { text, .. } | Match::NotModelled(text), _) => write!(out, " {text}"),
        (Match::MultiportDst { ports }, _) => {
            let list: Vec<String> = ports.iter().map(|p| port_range(*p)).collect();
            write!(out, " -m multiport --dports {}", list.join(","))
        }
        (Match::Comment(text), _) => write!(out, " -m comment --comment {}", quoted(text)),
        (Match::CtState { not: n, states }, _) => {
            write!(out, " -m conntrack{} --ctstate {}", not(*n), ct_states(states))
        }
        (Match::CtOrigDst { net, port }, _) => {
            out.push_str(" -m conntrack");
            if let Some(net) = net {
                let _ = write!(out, " --ctorigdst {}", bare_host(net));
            }
            match port {
                Some(port) => write!(out, " --ctorigdstport {port}"),
                None => Ok(()),
            }
        }
        (Match::Mark { not: n, value, mask }, _) => {
            let _ = write!(out, " -m mark{} --mark 0x{value:x}", not(*n));
            if *mask == u32::MAX {
                Ok(())
            } else {
                write!(out, "/0x{mask:x}")
            }
        }
        (Match::StatisticRandom { probability }, _) => {
            write!(
                out,
                " -m statistic --mode random --probability {}",
                decimal::fixed(kernel_probability(*probability), 11)
            )
        }
        (
            Match::AddrType {
                src,
                not: n,
                kind,
                limit_iface_in,
            },
            _,
        ) => {
            let side = if *src { "--src-type" } else { "--dst-type" };
            let kind = match kind {
                AddrType::Local => "LOCAL",
                AddrType::Unicast => "UNICAST",
                AddrType::Broadcast => "BROADCAST",
                AddrType::Multicast => "MULTICAST",
            };
            let limit = if *limit_iface_in { " --limit-iface-in" } else { "" };
            write!(out, " -m addrtype{} {side} {kind}{limit}", not(*n))
        }
        (
            Match::RecentCheck {
                not: n,
                name,
                seconds,
                reap,
            },
            _,
        ) => {
            let reap = if *reap { " --reap" } else { "" };
            let not = not(*n);
            write!(
                out,
                " -m recent{not} --rcheck --seconds {seconds}{reap} --name {name} --mask 255.255.255.255 --rsource"
            )
        }
        (Match::RecentSet { name }, _) => {
            write!(
                out,
                " -m recent --set --name {name} --mask 255.255.255.255 --rsource"
            )
        }
        (Match::PhysdevIsBridged { not: n }, _) => write!(out, " -m physdev{} --physdev-is-bridged", not(*n)),
        (Match::PhysdevIsIn { not: n }, _) => write!(out, " -m physdev{} --physdev-is-in", not(*n)),
        (
            Match::Ipvs {
                address,
                protocol,
                port,
            },
            _,
        ) => write!(
            out,
            " -m ipvs --vproto {} --vaddr {} --vport {port}",
            protocol.number(),
            IpNet::from(*address)
        ),
        (Match::Set { not: n, name, flags }, _) => {
            write!(out, " -m set{} --match-set {name} {flags}", not(*n))
        }
        (
            Match::Src { .. }
            | Match::Dst { .. }
            | Match::InInterface { .. }
            | Match::OutInterface { .. }
            | Match::Protocol { .. }
            // Only nftables has these.
            | Match::SrcIn { .. }
            | Match::DstIn { .. }
            | Match::SetMark { .. },
            _,
        ) => Ok(()),
    };
    1
}

/// The kernel keeps a probability in 31 bits: 1/3 prints as 0.33333333349. Source: libxt_statistic.c.
pub(crate) fn kernel_probability(probability: f64) -> f64 {
    const ONE: f64 = 2_147_483_648.0;
    (probability * ONE).round() / ONE
}

fn bare_host(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.trunc().to_string()
    }
}

fn ct_states(states: &[CtStateName]) -> String {
    use CtStateName::{Dnat, Established, Invalid, New, Related, Snat, Untracked};
    let order = [
        (Invalid, "INVALID"),
        (New, "NEW"),
        (Related, "RELATED"),
        (Established, "ESTABLISHED"),
        (Untracked, "UNTRACKED"),
        (Snat, "SNAT"),
        (Dnat, "DNAT"),
    ];
    let names: Vec<&str> = order
        .iter()
        .filter(|(s, _)| states.contains(s))
        .map(|(_, name)| *name)
        .collect();
    names.join(",")
}

/// Source: xtables_save_string in libxtables/xtables.c.
fn quoted(text: &str) -> String {
    if !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn target_text(out: &mut String, target: &Target, family: Family) -> fmt::Result {
    let random = |r: bool| if r { " --random-fully" } else { "" };
    match target {
        Target::Accept => out.write_str(" -j ACCEPT"),
        Target::Drop => out.write_str(" -j DROP"),
        Target::Return => out.write_str(" -j RETURN"),
        Target::Jump(chain) => write!(out, " -j {chain}"),
        Target::Goto(chain) => write!(out, " -g {chain}"),
        Target::Reject(with) => write!(out, " -j REJECT --reject-with {}", reject_name(*with, family)),
        // Only nftables has these.
        Target::DnatOneOf(_) | Target::GotoOneOf(_) | Target::Vmap { .. } => Ok(()),
        Target::Dnat { to, port } => {
            out.write_str(" -j DNAT --to-destination ")?;
            match port {
                Some(port) => write!(out, "{}", std::net::SocketAddr::new(*to, *port)),
                None => write!(out, "{to}"),
            }
        }
        Target::Snat { to, random_fully } => {
            write!(out, " -j SNAT --to-source {to}{}", random(*random_fully))
        }
        Target::Masquerade { random_fully } => write!(out, " -j MASQUERADE{}", random(*random_fully)),
        Target::Mark { op, value, mask } => {
            let mask = match op {
                MarkOp::Or => *value,
                MarkOp::Xor => 0,
                MarkOp::SetXmark => *mask,
            };
            write!(out, " -j MARK --set-xmark 0x{value:x}/0x{mask:x}")
        }
        Target::Notrack => out.write_str(" -j CT --notrack"),
        Target::Zone(zone) => write!(out, " -j CT --zone {zone}"),
        Target::TcpMss(Some(mss)) => write!(out, " -j TCPMSS --set-mss {mss}"),
        Target::TcpMss(None) => out.write_str(" -j TCPMSS --clamp-mss-to-pmtu"),
        Target::Written { text, .. } | Target::NotModelled(text) => write!(out, " -j {text}"),
        Target::Log { prefix } if prefix.is_empty() => out.write_str(" -j LOG"),
        Target::Log { prefix } => write!(out, " -j LOG --log-prefix {}", quoted(prefix)),
    }
}

/// `--reject-with` by its name.
pub fn reject_name(with: RejectWith, family: Family) -> &'static str {
    match (with, family) {
        (RejectWith::PortUnreachable, Family::V4) => "icmp-port-unreachable",
        (RejectWith::HostUnreachable, Family::V4) => "icmp-host-unreachable",
        (RejectWith::NetUnreachable, Family::V4) => "icmp-net-unreachable",
        (RejectWith::AdminProhibited, Family::V4) => "icmp-admin-prohibited",
        (RejectWith::PortUnreachable, Family::V6) => "icmp6-port-unreachable",
        (RejectWith::HostUnreachable, Family::V6) => "icmp6-addr-unreachable",
        (RejectWith::NetUnreachable, Family::V6) => "icmp6-no-route",
        (RejectWith::AdminProhibited, Family::V6) => "icmp6-adm-prohibited",
        (RejectWith::TcpReset, _) => "tcp-reset",
    }
}
