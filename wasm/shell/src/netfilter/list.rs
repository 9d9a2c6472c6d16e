//! `iptables -L`. Models iptables 1.8.9 iptables/nft-shared.c print_rule_details and the `print` functions of extensions.

use crate::at::At;
use crate::output::Ended;
use hoplab_kernel::edit::netfilter::{In, references};
use hoplab_kernel::nf::parse::service_name;
use hoplab_kernel::nf::restore::empty_table;
use hoplab_kernel::nf::save::{Family, reject_name, rule_text_of, tcp_flags};
use hoplab_kernel::nf::{AddrType, Chain, MarkOp, Match, Policy, Rule, Table, Target};
use hoplab_source::decimal;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::fmt::Write as _;

/// How much is shown.
pub(super) struct Shown {
    pub numeric: bool,
    pub verbose: bool,
    pub exact: bool,
    pub numbers: bool,
}

pub(super) fn list(at: &At<'_>, place: In, chain: Option<&str>, shown: &Shown) -> Ended {
    let rules = super::ruleset(at.netns(), place.family);
    let empty = empty_table(place.table);
    let table: &Table = rules.tables.get(&place.table).unwrap_or(&empty);
    let chains = table.chains_in_order(place.table);
    let wanted: Vec<_> = chains
        .iter()
        .filter(|c| chain.is_none_or(|name| *c.name == *name))
        .collect();
    if wanted.is_empty() {
        return Err(super::no_chain(
            place.family,
            place.table,
            chain.unwrap_or_default(),
        ));
    }
    let mut out = String::new();
    for (i, chain) in wanted.into_iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let _ = match chain.builtin {
            // Differs: the packets that reach a policy are not counted here, and none are printed.
            Some((_, policy)) => {
                let policy = if policy == Policy::Drop { "DROP" } else { "ACCEPT" };
                writeln!(out, "Chain {} (policy {policy})", chain.name)
            }
            None => {
                let count: usize = chains.iter().map(|other| references(other, &chain.name)).sum();
                writeln!(out, "Chain {} ({count} references)", chain.name)
            }
        };
        if shown.numbers {
            out.push_str("num  ");
        }
        out.push_str(if shown.verbose {
            " pkts bytes target     prot opt in     out     source               destination         \n"
        } else {
            "target     prot opt source               destination         \n"
        });
        for (n, rule) in chain.rules.iter().enumerate() {
            line(&mut out, at, place, chain, n + 1, rule, shown);
        }
    }
    Ok(out)
}

/// `12345`, `123K`: as xt_print_counters shortens numbers.
fn count(n: u64, exact: bool) -> String {
    if exact {
        return format!("{n:>8}");
    }
    let mut n = n;
    for unit in ["", "K", "M", "G"] {
        if n < 100_000 {
            return if unit.is_empty() {
                format!("{n:>5}")
            } else {
                format!("{n:>4}{unit}")
            };
        }
        n = (n + 500) / 1000;
    }
    format!("{n:>4}T")
}

fn line(out: &mut String, at: &At<'_>, place: In, chain: &Chain, n: usize, rule: &Rule, shown: &Shown) {
    if shown.numbers {
        let _ = write!(out, "{n:<4} ");
    }
    if shown.verbose {
        let text = rule_text_of(rule, &chain.name, place.family);
        let (packets, bytes) = at.world.counters(at.id, place.table.name(), &text);
        let _ = write!(
            out,
            "{} {} ",
            count(packets, shown.exact),
            count(bytes, shown.exact)
        );
    }
    let (name, goes) = match &rule.target {
        Some(target) => target_name(target),
        None => (String::new(), false),
    };
    let _ = write!(out, "{name:<9} ");
    let mut head = Head::default();
    let mut extra = String::new();
    for found in &rule.matches {
        if !head.take(found) {
            match_text(&mut extra, found, shown.numeric);
        }
    }
    let protocol = match (head.protocol, shown.numeric) {
        (Some((number, _)), true) => number.to_string(),
        (Some((_, name)), false) => name.to_owned(),
        (None, true) => "0".to_owned(),
        (None, false) => "all".to_owned(),
    };
    let _ = write!(out, "{}{protocol:<4} -- ", mark(head.not_protocol, " "));
    if shown.verbose {
        let interface = |name: &Option<(bool, Name)>| match name {
            Some((not, name)) => format!("{}{name}", mark(*not, "")),
            None if shown.numeric => "*".to_owned(),
            None => "any".to_owned(),
        };
        let _ = write!(
            out,
            " {:<6} {:<6} ",
            interface(&head.input),
            interface(&head.output)
        );
    }
    let address = |net: &Option<(bool, IpNet)>| match net {
        None if shown.numeric && place.family == Family::V4 => (false, "0.0.0.0/0".to_owned()),
        None if shown.numeric => (false, "::/0".to_owned()),
        None => (false, "anywhere".to_owned()),
        Some((not, net)) if net.prefix_len() == net.max_prefix_len() => (*not, net.addr().to_string()),
        Some((not, net)) => (*not, net.to_string()),
    };
    for (not, text) in [address(&head.source), address(&head.destination)] {
        let _ = write!(out, "{}{text:<19} ", mark(not, " "));
    }
    out.truncate(out.len() - 1);
    out.push(' ');
    if goes {
        out.push_str(" [goto] ");
    }
    out.push_str(&extra);
    if let Some(target) = &rule.target {
        target_text(out, target, place.family, shown.numeric);
    }
    out.push('\n');
}

fn mark(not: bool, else_: &'static str) -> &'static str {
    if not { "!" } else { else_ }
}

#[derive(Default)]
struct Head {
    protocol: Option<(u8, &'static str)>,
    not_protocol: bool,
    input: Option<(bool, Name)>,
    output: Option<(bool, Name)>,
    source: Option<(bool, IpNet)>,
    destination: Option<(bool, IpNet)>,
}

impl Head {
    /// Whether a match has a column of its own.
    fn take(&mut self, found: &Match) -> bool {
        match found {
            Match::Protocol { not, protocol } => {
                self.protocol = Some((protocol.number(), protocol.name()));
                self.not_protocol = *not;
            }
            Match::InInterface { not, name } => self.input = Some((*not, name.clone())),
            Match::OutInterface { not, name } => self.output = Some((*not, name.clone())),
            Match::Src { not, net } => self.source = Some((*not, *net)),
            Match::Dst { not, net } => self.destination = Some((*not, *net)),
            _ => return false,
        }
        true
    }
}

fn port(number: u16, numeric: bool) -> String {
    match service_name(number).filter(|_| !numeric) {
        Some(name) => name.to_owned(),
        None => number.to_string(),
    }
}

fn ports((first, last): (u16, u16), numeric: bool, several: &str) -> String {
    if first == last {
        port(first, numeric)
    } else {
        format!("{several}{}:{}", port(first, numeric), port(last, numeric))
    }
}

/// What stands after the addresses; each part begins with a blank.
fn match_text(out: &mut String, found: &Match, numeric: bool) {
    let inverted = |not: bool| if not { "!" } else { "" };
    let _ = match found {
        Match::DstPort {
            ports: (0, u16::MAX), ..
        }
        | Match::SrcPort {
            ports: (0, u16::MAX), ..
        } => Ok(()),
        Match::DstPort {
            protocol,
            not,
            ports: p,
        }
        | Match::SrcPort {
            protocol,
            not,
            ports: p,
        } => {
            let side = if matches!(found, Match::DstPort { .. }) {
                "dpt"
            } else {
                "spt"
            };
            let plural = if p.0 == p.1 { "" } else { "s" };
            let name = if out.ends_with(&format!(" {protocol}")) {
                String::new()
            } else {
                format!(" {protocol}")
            };
            write!(
                out,
                "{name} {side}{plural}:{}{}",
                inverted(*not),
                ports(*p, numeric, "")
            )
        }
        Match::MultiportDst { ports: list } => {
            let list: Vec<String> = list.iter().map(|p| ports(*p, numeric, "")).collect();
            write!(out, " multiport dports {}", list.join(","))
        }
        Match::Comment(text) => write!(out, " /* {text} */"),
        Match::CtState { .. } => {
            let words = rule_words(found);
            write!(
                out,
                " {}",
                words.replace("-m conntrack ", "").replace("--ctstate", "ctstate")
            )
        }
        Match::Written { text, .. } => {
            write!(
                out,
                " {}",
                text.replace("-m state ", "").replace("--state", "state")
            )
        }
        Match::TcpFlags { not, mask, set } => {
            let text = if numeric {
                format!("0x{mask:02X}/0x{set:02X}")
            } else {
                format!("{}/{}", tcp_flags(*mask), tcp_flags(*set))
            };
            write!(out, " tcp flags:{}{text}", inverted(*not))
        }
        Match::IcmpType { not, kind, code } => {
            let code_text = code.map(|code| format!(" code {code}")).unwrap_or_default();
            match (numeric, kind, code) {
                (false, 8, None) => write!(out, " icmp {}echo-request", inverted(*not)),
                (false, 0, None) => write!(out, " icmp {}echo-reply", inverted(*not)),
                (false, ..) => write!(out, " icmp {}type {kind}{code_text}", inverted(*not)),
                _ => write!(out, " {}icmptype {kind}{code_text}", inverted(*not)),
            }
        }
        Match::Mark { not, value, mask } => {
            let mask = if *mask == u32::MAX {
                String::new()
            } else {
                format!("/{mask:#x}")
            };
            write!(
                out,
                " mark match {}{value:#x}{mask}",
                if *not { "! " } else { "" }
            )
        }
        Match::AddrType {
            src,
            not,
            kind,
            limit_iface_in,
        } => {
            let side = if *src { "src" } else { "dst" };
            let kind = match kind {
                AddrType::Local => "LOCAL",
                AddrType::Unicast => "UNICAST",
                AddrType::Broadcast => "BROADCAST",
                AddrType::Multicast => "MULTICAST",
            };
            let limit = if *limit_iface_in { " limit-in" } else { "" };
            write!(out, " ADDRTYPE match {side}-type {}{kind}{limit}", inverted(*not))
        }
        Match::StatisticRandom { probability } => {
            write!(
                out,
                " statistic mode random probability {}",
                decimal::fixed(*probability, 11)
            )
        }
        Match::PhysdevIsBridged { not } => {
            write!(
                out,
                " PHYSDEV match{} --physdev-is-bridged",
                if *not { " !" } else { "" }
            )
        }
        Match::Set { not, name, flags } => {
            write!(out, " {}match-set {name} {flags}", if *not { "! " } else { "" })
        }
        // In the words of a rule, where this tool would find others.
        other => write!(out, " {}", rule_words(other)),
    };
}

/// One match as `iptables-save` prints it.
fn rule_words(found: &Match) -> String {
    let rule = Rule::new(vec![found.clone()], None, None);
    rule_text_of(&rule, "x", Family::V4).replace("-A x ", "")
}

/// The target's column, and whether it is gone to.
fn target_name(target: &Target) -> (String, bool) {
    match target {
        Target::Goto(name) => (name.to_string(), true),
        Target::Jump(name) => (name.to_string(), false),
        Target::Notrack | Target::Zone(_) | Target::Written { .. } => ("CT".to_owned(), false),
        other => {
            let rule = Rule::new(Vec::new(), Some(other.clone()), None);
            let text = rule_text_of(&rule, "x", Family::V4);
            let name = text.split(" -j ").nth(1).and_then(|rest| rest.split(' ').next());
            (name.unwrap_or_default().to_owned(), false)
        }
    }
}

fn target_text(out: &mut String, target: &Target, family: Family, numeric: bool) {
    let _ = match target {
        Target::Reject(with) => write!(out, " reject-with {}", reject_name(*with, family)),
        Target::Dnat { to, port: Some(port) } => write!(out, " to:{}", std::net::SocketAddr::new(*to, *port)),
        Target::Dnat { to, port: None } => write!(out, " to:{to}"),
        Target::Snat { to, random_fully } => {
            write!(
                out,
                " to:{to}{}",
                if *random_fully { " random-fully" } else { "" }
            )
        }
        Target::Masquerade { random_fully: true } => write!(out, " random-fully"),
        Target::Mark { op, value, mask } => match (op, *mask) {
            (MarkOp::Or, _) => write!(out, " MARK or {value:#x}"),
            (MarkOp::Xor, _) => write!(out, " MARK xor {value:#x}"),
            (MarkOp::SetXmark, u32::MAX) => write!(out, " MARK set {value:#x}"),
            (MarkOp::SetXmark, mask) if mask == *value => write!(out, " MARK or {value:#x}"),
            (MarkOp::SetXmark, mask) => write!(out, " MARK xset {value:#x}/{mask:#x}"),
        },
        Target::Notrack => write!(out, " CT notrack"),
        Target::Written { .. } => write!(out, " NOTRACK"),
        Target::Zone(zone) => write!(out, " CT zone {zone}"),
        Target::TcpMss(Some(mss)) => write!(out, " TCPMSS set {mss}"),
        Target::TcpMss(None) => write!(out, " TCPMSS clamp to PMTU"),
        Target::Log { prefix } => {
            let level = if numeric {
                "LOG flags 0 level 4"
            } else {
                "LOG level warn"
            };
            let prefix = if prefix.is_empty() {
                String::new()
            } else {
                format!(" prefix \"{prefix}\"")
            };
            write!(out, " {level}{prefix}")
        }
        Target::NotModelled(text) => match text.split_once(' ') {
            Some((_, options)) => write!(out, " {options}"),
            None => Ok(()),
        },
        _ => Ok(()),
    };
}
