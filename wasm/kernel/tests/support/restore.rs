//! Reads iptables-save text back into a ruleset: the inverse of `nf::save`, for tests only.

use hoplab_kernel::nf::{
    AddrType, Chain, CtStateName, MarkOp, Match, Policy, RejectWith, Rule, Ruleset, Table, TableName, Target,
};
use hoplab_trace::{HookName, Name};
use hoplab_wire::L4Protocol;
use std::collections::VecDeque;
use std::sync::Arc;

/// Panics on what it does not know: a test's text must be understood whole.
/// `sets` are ipset's lines: rules that ask a set of one address are read as asking for that address.
pub fn restore(text: &str, sets: &str) -> Ruleset {
    let mut rules = Ruleset::default();
    let mut table = None;
    for line in text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('*') {
            let name = match name {
                "raw" => TableName::Raw,
                "mangle" => TableName::Mangle,
                "nat" => TableName::Nat,
                "filter" => TableName::Filter,
                other => panic!("table {other}"),
            };
            rules.tables.insert(name, Table::default());
            table = Some(name);
        } else if line == "COMMIT" {
            table = None;
        } else {
            let table = rules
                .tables
                .get_mut(&table.expect("inside a table"))
                .expect("just inserted");
            line_of(table, &without_sets(line, sets));
        }
    }
    rules
}

fn without_sets(line: &str, sets: &str) -> String {
    let mut line = line.to_owned();
    while let Some(at) = line.find("-m set --match-set ") {
        let words: Vec<&str> = line[at..].splitn(6, ' ').collect();
        let members: Vec<&str> = sets
            .lines()
            .filter_map(|l| l.strip_prefix("add ")?.strip_prefix(words[3]))
            .map(str::trim)
            .collect();
        assert_eq!((members.len(), words[4]), (1, "src"), "{line}");
        line = format!("{}-s {} {}", &line[..at], members[0], words[5]);
    }
    line
}

fn line_of(table: &mut Table, line: &str) {
    if let Some(rest) = line.strip_prefix(':') {
        let mut words = rest.split_whitespace();
        let name = words.next().expect("a chain name");
        let policy = match words.next() {
            Some("DROP") => Policy::Drop,
            _ => Policy::Accept,
        };
        let hook = match name {
            "PREROUTING" => Some(HookName::Prerouting),
            "INPUT" => Some(HookName::Input),
            "FORWARD" => Some(HookName::Forward),
            "OUTPUT" => Some(HookName::Output),
            "POSTROUTING" => Some(HookName::Postrouting),
            _ => None,
        };
        let chain = Chain {
            name: Name::from(name),
            builtin: hook.map(|h| (h, policy)),
            rules: Vec::new(),
        };
        table.own.insert(Name::from(name), Arc::new(chain));
        return;
    }
    let mut words = words(line);
    assert_eq!(words.pop_front().as_deref(), Some("-A"), "{line}");
    let chain = words.pop_front().expect("a chain name");
    let rule = rule(&mut words, line);
    let chain = table.own.get_mut(&*chain).expect("a declared chain");
    Arc::get_mut(chain).expect("not shared yet").rules.push(rule);
}

fn words(line: &str) -> VecDeque<String> {
    let mut out = VecDeque::new();
    let mut word = String::new();
    let (mut quoted, mut any) = (false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            '\\' if quoted => word.extend(chars.next()),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    out.push_back(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => word.push(c),
        }
    }
    if any || !word.is_empty() {
        out.push_back(word);
    }
    out
}

fn number(text: &str) -> u32 {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).expect("a hexadecimal number"),
        None => text.parse().expect("a number"),
    }
}

fn masked(text: &str) -> (u32, u32) {
    match text.split_once('/') {
        Some((value, mask)) => (number(value), number(mask)),
        None => (number(text), u32::MAX),
    }
}

fn ports(text: &str) -> (u16, u16) {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    (first.parse().expect("a port"), last.parse().expect("a port"))
}

fn protocol(text: &str) -> L4Protocol {
    match text {
        "tcp" => L4Protocol::Tcp,
        "udp" => L4Protocol::Udp,
        "sctp" => L4Protocol::Sctp,
        "icmp" => L4Protocol::Icmp,
        other => panic!("protocol {other}"),
    }
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse()
        .unwrap_or_else(|_| text.parse::<std::net::IpAddr>().expect("an address").into())
}

fn rule(words: &mut VecDeque<String>, line: &str) -> Rule {
    let mut matches = Vec::new();
    let mut target = None;
    let mut not = false;
    let mut l4 = None;
    while let Some(word) = words.pop_front() {
        let mut next = || {
            words
                .pop_front()
                .unwrap_or_else(|| panic!("{word} wants a value: {line}"))
        };
        let found = match word.as_str() {
            "!" => {
                not = true;
                continue;
            }
            "-s" => Match::Src {
                not,
                net: net(&next()),
            },
            "-d" => Match::Dst {
                not,
                net: net(&next()),
            },
            "-i" => Match::InInterface {
                not,
                name: Name::from(next()),
            },
            "-o" => Match::OutInterface {
                not,
                name: Name::from(next()),
            },
            "-p" => {
                l4 = Some(protocol(&next()));
                Match::Protocol {
                    not,
                    protocol: l4.expect("just set"),
                }
            }
            "-m" => {
                let module = next();
                let bare = words.front().is_none_or(|w| w != "!" && !w.ends_with("port"));
                match module.as_str() {
                    "tcp" | "udp" | "sctp" if bare => Match::DstPort {
                        protocol: protocol(&module),
                        not: false,
                        ports: (0, u16::MAX),
                    },
                    _ => continue,
                }
            }
            "--dport" => Match::DstPort {
                protocol: l4.expect("-p first"),
                not,
                ports: ports(&next()),
            },
            "--sport" => Match::SrcPort {
                protocol: l4.expect("-p first"),
                not,
                ports: ports(&next()),
            },
            "--dports" => Match::MultiportDst {
                ports: next().split(',').map(ports).collect(),
            },
            "--comment" => Match::Comment(Name::from(next())),
            "--ctorigdst" => {
                let net = Some(net(&next()));
                let mut port = None;
                if words.front().is_some_and(|w| w == "--ctorigdstport") {
                    words.pop_front();
                    port = words.pop_front().map(|p| p.parse().expect("a port"));
                }
                Match::CtOrigDst { net, port }
            }
            "--ctstate" => Match::CtState {
                not,
                states: next().split(',').map(ct_state).collect(),
            },
            "--mark" => {
                let (value, mask) = masked(&next());
                Match::Mark { not, value, mask }
            }
            "--mode" => {
                assert_eq!((next().as_str(), next().as_str()), ("random", "--probability"));
                Match::StatisticRandom {
                    probability: next().parse().expect("a probability"),
                }
            }
            "--dst-type" | "--src-type" => {
                let src = word == "--src-type";
                let kind = match next().as_str() {
                    "LOCAL" => AddrType::Local,
                    "UNICAST" => AddrType::Unicast,
                    "BROADCAST" => AddrType::Broadcast,
                    "MULTICAST" => AddrType::Multicast,
                    other => panic!("address type {other}"),
                };
                Match::AddrType {
                    src,
                    not,
                    kind,
                    limit_iface_in: false,
                }
            }
            "--rcheck" => {
                assert_eq!(next(), "--seconds");
                let seconds = number(&next());
                let mut word = next();
                let reap = word == "--reap";
                if reap {
                    word = next();
                }
                assert_eq!(word, "--name");
                let name = Name::from(next());
                assert_eq!(
                    (next().as_str(), next().as_str(), next().as_str()),
                    ("--mask", "255.255.255.255", "--rsource")
                );
                Match::RecentCheck {
                    not,
                    name,
                    seconds,
                    reap,
                }
            }
            "--set" => {
                assert_eq!(next(), "--name");
                let name = Name::from(next());
                assert_eq!(
                    (next().as_str(), next().as_str(), next().as_str()),
                    ("--mask", "255.255.255.255", "--rsource")
                );
                Match::RecentSet { name }
            }
            "--physdev-is-bridged" => Match::PhysdevIsBridged { not },
            "-g" => {
                target = Some(Target::Goto(Name::from(next())));
                continue;
            }
            "-j" => {
                target = Some(target_of(words, line));
                continue;
            }
            other => panic!("{other} in {line}"),
        };
        matches.push(found);
        not = false;
    }
    Rule::new(matches, target, None)
}

fn ct_state(text: &str) -> CtStateName {
    match text {
        "NEW" => CtStateName::New,
        "ESTABLISHED" => CtStateName::Established,
        "RELATED" => CtStateName::Related,
        "INVALID" => CtStateName::Invalid,
        "UNTRACKED" => CtStateName::Untracked,
        "DNAT" => CtStateName::Dnat,
        "SNAT" => CtStateName::Snat,
        other => panic!("state {other}"),
    }
}

fn target_of(words: &mut VecDeque<String>, line: &str) -> Target {
    let mut next = || {
        words
            .pop_front()
            .unwrap_or_else(|| panic!("a target wants a value: {line}"))
    };
    match next().as_str() {
        "ACCEPT" => Target::Accept,
        "DROP" => Target::Drop,
        "RETURN" => Target::Return,
        "LOG" => {
            assert_eq!(next(), "--log-prefix");
            Target::Log {
                prefix: Name::from(next()),
            }
        }
        "REJECT" => {
            if words.pop_front().is_none() {
                return Target::Reject(RejectWith::PortUnreachable);
            }
            Target::Reject(match words.pop_front().as_deref() {
                Some("icmp-port-unreachable") => RejectWith::PortUnreachable,
                Some("icmp-host-unreachable") => RejectWith::HostUnreachable,
                Some("icmp-net-unreachable") => RejectWith::NetUnreachable,
                Some("icmp-admin-prohibited") => RejectWith::AdminProhibited,
                Some("tcp-reset") => RejectWith::TcpReset,
                other => panic!("reject with {other:?}"),
            })
        }
        "DNAT" => {
            assert_eq!(next(), "--to-destination");
            let to = next();
            match to.parse::<std::net::SocketAddr>() {
                Ok(to) => Target::Dnat {
                    to: to.ip(),
                    port: Some(to.port()),
                },
                Err(_) => Target::Dnat {
                    to: to.parse().expect("an address"),
                    port: None,
                },
            }
        }
        "MASQUERADE" => Target::Masquerade {
            random_fully: words.pop_front().is_some(),
        },
        "SNAT" => {
            assert_eq!(next(), "--to-source");
            let to = next().parse().expect("an address");
            Target::Snat {
                to,
                random_fully: words.pop_front().is_some(),
            }
        }
        "MARK" => {
            assert_eq!(next(), "--set-xmark");
            let (value, mask) = masked(&next());
            Target::Mark {
                op: MarkOp::SetXmark,
                value,
                mask,
            }
        }
        "CT" => {
            assert_eq!(next(), "--notrack");
            Target::Notrack
        }
        chain => Target::Jump(Name::from(chain)),
    }
}
