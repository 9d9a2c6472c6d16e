//! `ip neigh`. Models iproute2 ip/ipneigh.c print_neigh.

use super::{Options, argument, selector, shown};
use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;

struct Entry<'a> {
    device: &'a Name,
    ip: IpAddr,
    mac: Option<MacAddr>,
    state: &'static str,
}

pub(super) fn run(stack: &Stack<'_>, options: &Options, args: &[&str]) -> Ended {
    let args = shown(
        "ip",
        "neighbour",
        &["add", "delete", "change", "replace", "get", "flush", "help"],
        args,
    )?;
    let (mut device, mut to, mut state): (Option<&str>, Option<IpNet>, Option<String>) = (None, None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "dev" => device = Some(argument(&mut words)?),
            "nud" => state = Some(argument(&mut words)?.to_ascii_uppercase()),
            "to" => to = Some(super::addr::prefix(argument(&mut words)?)?),
            "proxy" | "unused" | "vrf" | "master" | "nomaster" => return Err(selector("neighbour", word)),
            other => to = Some(super::addr::prefix(other)?),
        }
    }
    if let Some(device) = device.filter(|device| !stack.netns.interfaces.contains_key(*device)) {
        return Err(Output::failed(1, format!("Cannot find device \"{device}\"")));
    }
    let configured = stack
        .netns
        .neighbours
        .iter()
        .map(|((device, ip), neighbour)| Entry {
            device,
            ip: *ip,
            mac: Some(neighbour.mac),
            state: if neighbour.permanent {
                "PERMANENT"
            } else {
                "REACHABLE"
            },
        });
    let learned = stack
        .neighbours
        .iter()
        .filter(|(device, ip, ..)| !stack.netns.neighbours.contains_key(&(device.clone(), *ip)))
        .map(|(device, ip, mac, state)| Entry {
            device,
            ip: *ip,
            mac: *mac,
            state,
        });
    let mut out = String::new();
    for entry in configured.chain(learned) {
        let wanted = options.shows(entry.ip.is_ipv4())
            && device.is_none_or(|device| **entry.device == *device)
            && to.is_none_or(|net| net.contains(&entry.ip))
            && state
                .as_ref()
                .is_none_or(|state| state == "ALL" || state == entry.state);
        if !wanted {
            continue;
        }
        let _ = write!(out, "{} ", entry.ip);
        if device.is_none() {
            let _ = write!(out, "dev {} ", entry.device);
        }
        if let Some(mac) = entry.mac {
            let _ = write!(out, "lladdr {mac} ");
        }
        let _ = writeln!(out, "{} ", entry.state);
    }
    Ok(out)
}
