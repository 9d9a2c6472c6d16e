//! `ip route get`: the way that a packet would take, by the same look-up that packets go through.

use super::argument;
use super::rule::table_name;
use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_kernel::fib::{Answer, MAIN, Question, answer};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn run(stack: &Stack<'_>, args: &[&str]) -> Ended {
    let (mut to, mut from, mut iif, mut oif, mut mark) = (None, None, None, None, 0);
    let address = |word: &str| {
        word.parse::<IpAddr>().map_err(|_| {
            Output::failed(
                1,
                format!("Error: any valid prefix is expected rather than \"{word}\"."),
            )
        })
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "to" => to = Some(address(argument(&mut words)?)?),
            "from" => from = Some(address(argument(&mut words)?)?),
            "iif" => iif = Some(argument(&mut words)?),
            "oif" | "dev" => oif = Some(argument(&mut words)?),
            "mark" => {
                let text = argument(&mut words)?;
                let hex = text
                    .strip_prefix("0x")
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let invalid = || {
                    Output::failed(
                        super::USAGE,
                        format!("Error: argument \"{text}\" is wrong: invalid mark"),
                    )
                };
                mark = hex.or_else(|| text.parse().ok()).ok_or_else(invalid)?;
            }
            "connected" | "notify" | "vrf" | "ipproto" | "sport" | "dport" | "uid" | "fibmatch" | "as"
            | "tos" => {
                return Err(Output::not_modelled(
                    super::USAGE,
                    "ip route get",
                    &format!("\"{word}\""),
                ));
            }
            other => to = Some(address(other)?),
        }
    }
    let Some(to) = to else {
        return Err(Output::failed(1, "need at least a destination address"));
    };
    for device in [iif, oif].into_iter().flatten() {
        if !stack.netns.interfaces.contains_key(device) {
            return Err(Output::failed(1, format!("Cannot find device \"{device}\"")));
        }
    }
    let question = Question {
        to,
        from,
        iif,
        oif,
        mark,
    };
    let refused = |why: &str| Err(Output::failed(2, format!("RTNETLINK answers: {why}")));
    let found = answer(stack.id, &Arc::new(stack.netns.clone()), &question);
    // The kernel's own rules merge tables local and main until a rule is added.
    let own_rules = !stack.netns.rules.is_empty();
    let mut out = String::new();
    let mut flag = "";
    match &found {
        Answer::Unicast {
            via, device, table, ..
        } => {
            let _ = write!(out, "{to} ");
            source(&mut out, from);
            if let Some(via) = via {
                let _ = write!(out, "via {via} ");
            }
            let _ = write!(out, "dev {device} ");
            if *table != MAIN {
                let _ = write!(out, "table {} ", table_name(*table));
            }
        }
        Answer::Local { .. } | Answer::Broadcast { .. } => {
            let (word, device) = match &found {
                Answer::Broadcast { device, .. } => ("broadcast", device.to_string()),
                _ => ("local", "lo".to_owned()),
            };
            flag = if word == "local" {
                " <local>"
            } else {
                " <local,brd>"
            };
            let _ = write!(out, "{word} {to} ");
            source(&mut out, from);
            let _ = write!(out, "dev {device} ");
            if own_rules {
                out.push_str("table local ");
            }
        }
        Answer::Unreachable => return refused("No route to host"),
        Answer::Prohibited => return refused("Permission denied"),
        Answer::Blackhole => return refused("Invalid argument"),
        Answer::NoRoute => return refused("Network is unreachable"),
    }
    if let (None, Some(src)) = (from, found.source()) {
        let _ = write!(out, "src {src} ");
    }
    if mark != 0 {
        let text = if mark < 16 {
            mark.to_string()
        } else {
            format!("{mark:#x}")
        };
        let _ = write!(out, "mark {text} ");
    }
    if let Some(iif) = iif {
        flag = if flag.is_empty() { "" } else { flag };
        let _ = write!(out, "\n    cache{flag} iif {iif} ");
        out.push('\n');
        return Ok(out);
    }
    let _ = writeln!(out, "uid 0 \n    cache{flag} ");
    Ok(out)
}

fn source(out: &mut String, from: Option<IpAddr>) {
    if let Some(from) = from {
        let _ = write!(out, "from {from} ");
    }
}
