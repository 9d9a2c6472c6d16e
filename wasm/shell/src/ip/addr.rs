//! `ip addr`. Models iproute2 ip/ipaddress.c print_addrinfo.

use super::link::{Of, Selected, brief_head, first_line, garbage, link_line, link_netns, one_line};
use super::{Options, argument, selector, shown};
use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_kernel::edit::is_secondary;
use hoplab_kernel::interface::{IfAddr, Interface, Scope};
use ipnet::IpNet;
use std::fmt::Write as _;

#[derive(Clone, Debug, Default)]
struct Addresses {
    scope: Option<Scope>,
    to: Option<IpNet>,
}

pub(super) fn run(stack: &Stack<'_>, options: &Options, args: &[&str]) -> Ended {
    let args = shown(
        "ip",
        "address",
        &[
            "add", "change", "replace", "delete", "save", "restore", "flush", "help",
        ],
        args,
    )?;
    let mut selected = Selected::default();
    let mut addresses = Addresses::default();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut plain = None;
        selected.take(word, &mut words, |word, words| {
            match word {
                "scope" => addresses.scope = Some(scope(argument(words)?)?),
                "to" => addresses.to = Some(prefix(argument(words)?)?),
                "label" | "permanent" | "dynamic" | "secondary" | "primary" | "tentative" | "group"
                | "vrf" | "nomaster" | "deprecated" | "temporary" => return Err(selector("address", word)),
                _ => plain = Some(word),
            }
            Ok(())
        })?;
        match plain {
            Some(word) if selected.device.is_some() => return Err(garbage(word)),
            Some(word) => selected.device = Some(word),
            None => {}
        }
    }
    let mut out = String::new();
    for interface in selected.interfaces(stack)? {
        let shown: Vec<&IfAddr> = interface
            .addresses
            .iter()
            .filter(|a| options.shows(a.net.addr().is_ipv4()))
            .filter(|a| addresses.scope.is_none_or(|scope| a.scope == scope))
            .filter(|a| addresses.to.is_none_or(|to| to.contains(&a.net.addr())))
            .collect();
        let narrowed = options.family.is_some() || addresses.scope.is_some() || addresses.to.is_some();
        if narrowed && shown.is_empty() {
            continue;
        }
        if options.brief {
            let all: String = shown.iter().map(|a| format!("{} ", a.net)).collect();
            let _ = writeln!(out, "{} {all}", brief_head(stack, interface));
        } else if options.one_line {
            for address in shown {
                let line = format!(
                    "{}: {}    {}",
                    interface.index,
                    interface.name,
                    address_lines(interface, address)
                );
                out.push_str(&one_line(options, &line));
            }
        } else {
            let with_link = options.family.is_none() && addresses.to.is_none();
            out.push_str(&full(stack, with_link, interface, &shown));
        }
    }
    Ok(out)
}

/// Without the link's own line (one family alone) the far end's namespace ends the first.
fn full(stack: &Stack<'_>, with_link: bool, interface: &Interface, shown: &[&IfAddr]) -> String {
    let mut lines = first_line(stack, interface, Of::Addr);
    if with_link {
        let _ = write!(lines, "\n    {}", link_line(stack, interface));
    } else {
        lines.push_str(&link_netns(stack, interface));
    }
    for address in shown {
        let _ = write!(lines, "\n    {}", address_lines(interface, address));
    }
    lines.push('\n');
    lines
}

/// `inet 10.244.1.5/24 brd 10.244.1.255 scope global eth0` and its lifetime.
fn address_lines(interface: &Interface, address: &IfAddr) -> String {
    let at = interface.addresses.iter().position(|a| a == address).unwrap_or(0);
    let secondary = if is_secondary(&interface.addresses[..at], address) {
        "secondary "
    } else {
        ""
    };
    let scope = match address.scope {
        Scope::Global => "global",
        Scope::Link => "link",
        Scope::Host => "host",
    };
    let line = match address.net {
        IpNet::V4(net) => {
            let broadcast = if address.broadcast {
                format!(" brd {}", net.broadcast())
            } else {
                String::new()
            };
            format!(
                "inet {net}{broadcast} scope {scope} {secondary}{}",
                interface.name
            )
        }
        IpNet::V6(net) => format!("inet6 {net} scope {scope} "),
    };
    format!("{line}\n       valid_lft forever preferred_lft forever")
}

pub(super) fn scope(word: &str) -> Result<Scope, Output> {
    match word {
        "global" => Ok(Scope::Global),
        "link" => Ok(Scope::Link),
        "host" => Ok(Scope::Host),
        _ => Err(Output::failed(
            super::USAGE,
            format!("Error: argument \"{word}\" is wrong: invalid \"scope\" value."),
        )),
    }
}

/// An address or prefix, as `to` takes it.
pub(super) fn prefix(word: &str) -> Result<IpNet, Output> {
    word.parse::<IpNet>()
        .or_else(|_| word.parse().map(|ip: std::net::IpAddr| IpNet::from(ip)))
        .map_err(|_| {
            Output::failed(
                1,
                format!("Error: any valid prefix is expected rather than \"{word}\"."),
            )
        })
}
