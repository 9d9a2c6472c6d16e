//! Rules as `nft` takes them: each statement is printed as nftables 1.0.6 prints it, and means what the words of iptables
//! beside it mean.

use super::words::{Words, not_modelled};
use crate::output::Output;
use hoplab_kernel::nf::nft::NftTable;
use hoplab_kernel::nf::parse;
use hoplab_kernel::nf::save::Family;
use hoplab_kernel::nf::{Match, Rule, Target};
use hoplab_trace::Name;
use ipnet::IpNet;
use std::net::IpAddr;

/// What follows the words of an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// An address or prefix.
    Address,
    /// A port.
    Port,
    /// The name of an interface, printed in quotes.
    Device,
    /// A mark, printed with eight digits.
    Mark,
    /// Words with commas between, in this order.
    States,
    /// Anything else.
    Word,
}

/// Expressions, with the words of iptables that mean the same.
static EXPRESSIONS: &[(&str, &str, Of)] = &[
    ("ip saddr", "-s", Of::Address),
    ("ip daddr", "-d", Of::Address),
    ("ip6 saddr", "-s", Of::Address),
    ("ip6 daddr", "-d", Of::Address),
    ("tcp dport", "-p tcp --dport", Of::Port),
    ("tcp sport", "-p tcp --sport", Of::Port),
    ("udp dport", "-p udp --dport", Of::Port),
    ("udp sport", "-p udp --sport", Of::Port),
    ("sctp dport", "-p sctp --dport", Of::Port),
    ("sctp sport", "-p sctp --sport", Of::Port),
    ("icmp type", "-p icmp --icmp-type", Of::Word),
    ("ip protocol", "-p", Of::Word),
    ("meta l4proto", "-p", Of::Word),
    ("ct state", "-m conntrack --ctstate", Of::States),
    ("ct status", "-m conntrack --ctstate", Of::States),
    ("iifname", "-i", Of::Device),
    ("oifname", "-o", Of::Device),
    ("iif", "-i", Of::Device),
    ("oif", "-o", Of::Device),
    ("meta mark", "-m mark --mark", Of::Mark),
    ("mark", "-m mark --mark", Of::Mark),
];

/// Statements that end a rule, with those of iptables; `+`: a word follows.
static VERDICTS: &[(&str, &str)] = &[
    ("accept", "-j ACCEPT"),
    ("drop", "-j DROP"),
    ("return", "-j RETURN"),
    ("jump +", "-j"),
    ("goto +", "-g"),
    (
        "reject with tcp reset",
        "-p tcp -j REJECT --reject-with tcp-reset",
    ),
    (
        "reject with icmp host-unreachable",
        "-j REJECT --reject-with icmp-host-unreachable",
    ),
    (
        "reject with icmp net-unreachable",
        "-j REJECT --reject-with icmp-net-unreachable",
    ),
    (
        "reject with icmp admin-prohibited",
        "-j REJECT --reject-with icmp-admin-prohibited",
    ),
    ("reject", "-j REJECT"),
    ("dnat ip to +", "-j DNAT --to-destination"),
    ("dnat to +", "-j DNAT --to-destination"),
    ("snat ip to +", "-j SNAT --to-source"),
    ("snat to +", "-j SNAT --to-source"),
    ("masquerade fully-random", "-j MASQUERADE --random-fully"),
    ("masquerade", "-j MASQUERADE"),
    ("notrack", "-j CT --notrack"),
    ("meta mark set +", "-j MARK --set-xmark"),
    ("mark set +", "-j MARK --set-xmark"),
];

/// In which order states print. Source: nftables src/ct.c, ct_state_tbl's values.
const STATES: [&str; 7] = [
    "invalid",
    "established",
    "related",
    "new",
    "untracked",
    "snat",
    "dnat",
];

fn written(text: String, meaning: Match) -> Match {
    Match::Written {
        text: text.into(),
        meaning: Box::new(meaning),
    }
}

/// What the words of iptables mean. `None`: they mean nothing.
fn meant(words: &[&str], v6: bool, known: &dyn Fn(&str) -> bool) -> Option<Rule> {
    let family = if v6 { Family::V6 } else { Family::V4 };
    parse::rules(words, family, known).ok()?.into_iter().next()
}

/// One rule, up to the end of its line.
pub(super) fn read(words: &mut Words<'_>, table: &NftTable) -> Result<Rule, Output> {
    let mut rule = Rule::new(Vec::new(), None, None);
    let nothing = || Match::Comment("".into());
    while !words.at_end() {
        let start = words.at;
        if words.take("counter") {
            if words.take("packets") {
                for _ in 0..3 {
                    words.next();
                }
            }
            rule.matches.push(written(COUNTER.to_owned(), nothing()));
        } else if words.take("comment") {
            rule.matches
                .push(Match::Comment(words.next().trim_matches('"').into()));
        } else if words.take("log") {
            let prefix = if words.take("prefix") {
                format!(" prefix \"{}\"", words.next().trim_matches('"'))
            } else {
                String::new()
            };
            rule.matches.push(written(format!("log{prefix}"), nothing()));
        } else if rule.target.is_some() {
            return Err(words.error("Statement after terminal statement has no effect", start));
        } else if !verdict(words, table, &mut rule)? {
            expression(words, table, &mut rule)?;
        }
    }
    Ok(rule)
}

/// As a counter prints that has counted nothing.
pub(super) const COUNTER: &str = "counter packets 0 bytes 0";

fn verdict(words: &mut Words<'_>, table: &NftTable, rule: &mut Rule) -> Result<bool, Output> {
    let fits = |(nft, _): &&(&str, &str)| {
        let said = nft.split(' ').enumerate();
        said.clone()
            .all(|(n, word)| word == "+" || words.ahead(n) == word)
    };
    let Some((nft, iptables)) = VERDICTS.iter().find(fits) else {
        return Ok(false);
    };
    words.at += nft.split(' ').count();
    let last = words.all.get(words.at - 1).map_or("", |(_, word)| *word);
    let mut asked: Vec<&str> = iptables.split(' ').collect();
    if nft.ends_with('+') {
        asked.push(last);
    }
    let known = |chain: &str| table.chains.chain(chain).is_some();
    if matches!(asked[0], "-g") && !known(last) || *nft == "jump +" && !known(last) {
        return Err(words.error("Could not process rule: No such file or directory", words.at - 1));
    }
    let Some(found) = meant(&asked, table.is_v6, &known) else {
        return Err(not_modelled(&format!("{nft} {last}")));
    };
    // The protocol that a reset needs is written out, unless the rule asks for it already.
    let asks = |known: &Match| matches!(known, Match::Written { meaning, .. } if Some(&**meaning) == found.matches.first());
    if iptables.starts_with("-p") && !rule.matches.iter().any(asks) {
        let text = "meta l4proto tcp".to_owned();
        rule.matches
            .extend(found.matches.iter().map(|m| written(text.clone(), m.clone())));
    }
    if found
        .target
        .as_ref()
        .is_none_or(|t| matches!(t, Target::NotModelled(_)))
    {
        return Err(not_modelled(&format!("{nft} {last}")));
    }
    rule.target = found.target;
    Ok(true)
}

fn expression(words: &mut Words<'_>, table: &NftTable, rule: &mut Rule) -> Result<(), Output> {
    let fits = |(nft, ..): &&(&str, &str, Of)| {
        let mut said = nft.split(' ').enumerate();
        said.all(|(n, word)| words.ahead(n) == word)
    };
    let Some((nft, iptables, of)) = EXPRESSIONS.iter().find(fits) else {
        return Err(not_modelled(&format!("\"{}\"", words.ahead(0))));
    };
    words.at += nft.split(' ').count();
    let not = words.take("!=");
    let inverted = if not { "!= " } else { "" };
    words.take("==");
    let vmap = words.take("vmap");
    let value = words.next();
    let destination = nft.ends_with("daddr") || nft.ends_with("dport");
    let v6 = nft.starts_with("ip6");
    if let Some(name) = value.strip_prefix('@') {
        let Some(set) = table.sets.get(name).filter(|set| set.is_map == vmap) else {
            return Err(words.error("No such file or directory", words.at - 1));
        };
        let protocol = if *of == Of::Port {
            nft.split(' ').next().unwrap_or("")
        } else {
            ""
        };
        let flags: Name = format!("{}{protocol}", if destination { "dst" } else { "src" }).into();
        let name = Name::clone(&set.name);
        if vmap {
            rule.target = Some(Target::Vmap { map: name, flags });
        } else {
            rule.matches.push(Match::Set { not, name, flags });
        }
        return Ok(());
    }
    let listed = value == "{";
    if vmap {
        return Err(not_modelled("a verdict map without a name"));
    }
    let mut values = vec![value];
    if listed {
        values = words.list();
    }
    if *of == Of::States {
        while words.take(",") {
            values.push(words.next());
        }
    }
    let bad = |words: &Words<'_>| words.error("syntax error, unexpected string", words.at - 1);
    if listed && *of == Of::Address {
        let net = |text: &&str| {
            text.parse()
                .ok()
                .or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
        };
        let mut nets: Vec<IpNet> = values.iter().filter_map(net).collect();
        if nets.len() != values.len() {
            return Err(bad(words));
        }
        hoplab_source::order::sort(&mut nets);
        rule.matches.push(match destination {
            true => Match::DstIn { not, nets },
            false => Match::SrcIn { not, nets },
        });
        return Ok(());
    }
    if listed && (*of != Of::Port || not || !destination) {
        return Err(not_modelled(&format!("a set of its own after {nft}")));
    }
    let mut asked: Vec<&str> = iptables.split(' ').collect();
    let option = asked.pop().unwrap_or_default();
    if not {
        asked.push("!");
    }
    let (shown, given) = match of {
        Of::Port if listed => {
            let mut ports: Vec<u16> = values.iter().filter_map(|text| text.parse().ok()).collect();
            hoplab_source::order::sort(&mut ports);
            let texts: Vec<String> = ports.iter().map(ToString::to_string).collect();
            (format!("{{ {} }}", texts.join(", ")), texts.join(","))
        }
        Of::Port => {
            let ports = value.replacen('-', ":", 1);
            (value.to_owned(), ports)
        }
        Of::Device => {
            let name = value.trim_matches('"');
            (format!("\"{name}\""), name.replacen('*', "+", 1))
        }
        Of::Mark => {
            let number = value.strip_prefix("0x").map(|hex| u32::from_str_radix(hex, 16));
            let number = number.unwrap_or_else(|| value.parse()).map_err(|_| bad(words))?;
            (format!("0x{number:08x}"), number.to_string())
        }
        Of::States => {
            let rank = |text: &&str| STATES.iter().position(|state| state == text);
            let mut values = values.clone();
            hoplab_source::order::sort_by_key(&mut values, rank);
            (values.join(","), values.join(",").to_ascii_uppercase())
        }
        Of::Address | Of::Word => (value.to_owned(), value.to_owned()),
    };
    asked.extend(match (*of, listed) {
        (Of::Port, true) => ["-m", "multiport", "--dports"].as_slice(),
        _ => std::slice::from_ref(&option),
    });
    asked.push(&given);
    let Some(found) = meant(&asked, v6, &|_| false) else {
        return Err(bad(words));
    };
    // The number of a port is printed for a service's name.
    let shown = match found.matches.last() {
        Some(Match::DstPort { ports, .. } | Match::SrcPort { ports, .. }) if ports.0 == ports.1 => {
            ports.0.to_string()
        }
        _ => shown,
    };
    let nft = if *nft == "mark" { "meta mark" } else { nft };
    let mut text = format!("{nft} {inverted}{shown}");
    for meaning in found.matches {
        rule.matches.push(written(std::mem::take(&mut text), meaning));
    }
    Ok(())
}
