//! `bridge`, as iproute2 6.1 reads and prints it: `fdb`, `link`.

mod change;

use crate::at::At;
use crate::ip::{argument, shown};
use crate::output::{Ended, Output, ended};
use crate::stack::Stack;
use hoplab_kernel::interface::{Interface, InterfaceKind};
use hoplab_source::order;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Source: iproute2 bridge/bridge.c: `exit(-1)`.
const USAGE: i32 = 255;

/// Runs `bridge ARGS`.
pub(crate) fn command(at: &mut At<'_>, args: &[&str]) -> Output {
    let changed = match args {
        [object, verb, rest @ ..] if !object.starts_with('-') => change::run(at, object, verb, rest),
        _ => None,
    };
    ended(match changed {
        Some(changed) => changed,
        None => at.stack().and_then(|stack| parse(&stack, args)),
    })
}

/// The same over a stack alone.
#[cfg(test)]
pub(crate) fn only_shown(stack: &Stack<'_>, args: &[&str]) -> Output {
    ended(parse(stack, args))
}

fn parse(stack: &Stack<'_>, args: &[&str]) -> Ended {
    let mut rest = args;
    let mut details = false;
    while let Some((option, after)) = rest.split_first().filter(|(word, _)| word.starts_with('-')) {
        rest = after;
        match option.trim_start_matches('-') {
            "d" | "det" | "details" => details = true,
            "c" | "color" | "n" => {}
            "s" | "stats" | "statistics" | "j" | "json" | "o" | "oneline" | "p" | "pretty" | "b"
            | "batch" => {
                return Err(Output::not_modelled(
                    USAGE,
                    "bridge",
                    &format!("option \"{option}\""),
                ));
            }
            _ => {
                return Err(Output::failed(
                    USAGE,
                    format!("Option \"{option}\" is unknown, try \"bridge help\"."),
                ));
            }
        }
    }
    let Some((object, rest)) = rest.split_first() else {
        return Err(Output::failed(
            USAGE,
            "Usage: bridge [ -d[etails] ] OBJECT { COMMAND | help }\nwhere  OBJECT := { link | fdb }",
        ));
    };
    let objects = ["link", "fdb", "mdb", "vlan", "vni", "monitor"];
    match objects.iter().find(|known| known.starts_with(object)) {
        Some(&"link") => link(stack, details, shown("bridge", "link", &["set", "help"], rest)?),
        Some(&"fdb") => {
            let verbs = ["add", "append", "delete", "replace", "get", "flush", "help"];
            fdb(stack, shown("bridge", "fdb", &verbs, rest)?)
        }
        Some(known) => Err(Output::not_modelled(
            USAGE,
            "bridge",
            &format!("object \"{known}\""),
        )),
        None => Err(Output::failed(
            USAGE,
            format!("Object \"{object}\" is unknown, try \"bridge help\"."),
        )),
    }
}

fn link(stack: &Stack<'_>, details: bool, args: &[&str]) -> Ended {
    let mut device = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        device = Some(if *word == "dev" {
            argument(&mut words)?
        } else {
            *word
        });
    }
    if let Some(device) = device.filter(|device| !stack.netns.interfaces.contains_key(*device)) {
        return Err(Output::failed(1, format!("Cannot find device \"{device}\"")));
    }
    let mut out = String::new();
    let mut ports: Vec<_> = stack
        .netns
        .interfaces
        .values()
        .filter(|i| i.master.is_some())
        .collect();
    order::sort_by_key(&mut ports, |port| port.index);
    for port in ports
        .into_iter()
        .filter(|port| device.is_none_or(|device| *port.name == *device))
    {
        let flags = crate::ip::flags(stack, port);
        let forwards = port.up && crate::ip::carrier(stack, port);
        let state = if forwards { "forwarding" } else { "disabled" };
        let master = port.master.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "{}: {}: {flags} mtu {} master {master} state {state} priority 32 cost 2 ",
            port.index,
            port_name(stack, port),
            port.mtu_bytes,
        );
        if details {
            let hairpin = if port.hairpin { "on" } else { "off" };
            let _ = writeln!(
                out,
                "    hairpin {hairpin} guard off root_block off fastleave off learning on flood on mcast_flood on bcast_flood on"
            );
        }
    }
    Ok(out)
}

/// `veth5@if2`. Source: iproute2 bridge/link.c: the far end's index is looked up here, in the wrong namespace, and so
/// may print as the name of an interface that has nothing to do with it.
fn port_name(stack: &Stack<'_>, port: &Interface) -> String {
    match &port.kind {
        InterfaceKind::Veth { peer } => {
            let Some((index, _)) = stack.peer(peer) else {
                return port.name.to_string();
            };
            match stack.netns.interfaces.values().find(|i| i.index == index) {
                Some(same) => format!("{}@{}", port.name, same.name),
                None => format!("{}@if{index}", port.name),
            }
        }
        _ => port.name.to_string(),
    }
}

/// One line of `bridge fdb`.
struct Line {
    index: u32,
    device: Name,
    mac: MacAddr,
    master: Option<Name>,
    remote: Option<IpAddr>,
    permanent: bool,
}

fn fdb(stack: &Stack<'_>, args: &[&str]) -> Ended {
    let (mut bridge, mut device): (Option<&str>, Option<&str>) = (None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "br" => bridge = Some(argument(&mut words)?),
            "dev" | "brport" => device = Some(argument(&mut words)?),
            "vlan" | "state" | "dynamic" => {
                return Err(Output::not_modelled(
                    USAGE,
                    "bridge fdb show",
                    &format!("selector \"{word}\""),
                ));
            }
            other => device = Some(other),
        }
    }
    let known = |name: &str| stack.netns.interfaces.contains_key(name);
    if let Some(bridge) = bridge.filter(|bridge| !known(bridge)) {
        return Err(Output::failed(
            USAGE,
            format!("Cannot find bridge device \"{bridge}\""),
        ));
    }
    if let Some(device) = device.filter(|device| !known(device)) {
        return Err(Output::failed(USAGE, format!("Cannot find device \"{device}\"")));
    }
    let mut lines = lines(stack);
    order::sort_by_key(&mut lines, |line| line.index);
    let mut out = String::new();
    for line in lines {
        let of_bridge =
            bridge.is_none_or(|bridge| line.master.as_deref() == Some(bridge) || *line.device == *bridge);
        if !of_bridge || device.is_some_and(|device| *line.device != *device) {
            continue;
        }
        let _ = write!(out, "{} ", line.mac);
        if device.is_none() {
            let _ = write!(out, "dev {} ", line.device);
        }
        if let Some(remote) = line.remote {
            let _ = write!(out, "dst {remote} ");
        }
        out.push_str(if line.remote.is_some() { "self " } else { "" });
        if let Some(master) = &line.master {
            let _ = write!(out, "master {master} ");
        }
        // Source: iproute2 bridge/fdb.c: the state ends the line, a learned entry's is empty.
        out.push_str(if line.permanent { "permanent\n" } else { "\n" });
    }
    Ok(out)
}

fn lines(stack: &Stack<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let index = |name: &str| stack.netns.interfaces.get(name).map_or(u32::MAX, |i| i.index);
    for interface in stack.netns.interfaces.values() {
        // A port's own address, and a bridge's, are permanent entries of the bridge.
        let own_master = match &interface.kind {
            InterfaceKind::Bridge(_) => Some(&interface.name),
            _ => interface.master.as_ref(),
        };
        if let Some(master) = own_master {
            lines.push(Line {
                index: interface.index,
                device: interface.name.clone(),
                mac: interface.mac,
                master: Some(master.clone()),
                remote: None,
                permanent: true,
            });
        }
        match &interface.kind {
            InterfaceKind::Bridge(bridge) => lines.extend(bridge.fdb.iter().map(|(mac, entry)| Line {
                index: index(&entry.device),
                device: entry.device.clone(),
                mac: *mac,
                master: Some(interface.name.clone()),
                remote: None,
                permanent: entry.permanent,
            })),
            InterfaceKind::Vxlan(vxlan) => lines.extend(vxlan.fdb.iter().map(|(mac, entry)| Line {
                index: interface.index,
                device: interface.name.clone(),
                mac: *mac,
                master: None,
                remote: entry.remote,
                permanent: entry.permanent,
            })),
            _ => {}
        }
    }
    for (device, mac, remote) in &stack.remotes {
        if !lines
            .iter()
            .any(|line| line.mac == *mac && line.device == *device)
        {
            lines.push(Line {
                index: index(device),
                device: device.clone(),
                mac: *mac,
                master: None,
                remote: Some(*remote),
                permanent: false,
            });
        }
    }
    for (bridge, mac, port) in &stack.learned {
        if !lines
            .iter()
            .any(|line| line.mac == *mac && line.master.as_ref() == Some(bridge))
        {
            lines.push(Line {
                index: index(port),
                device: port.clone(),
                mac: *mac,
                master: Some(bridge.clone()),
                remote: None,
                permanent: false,
            });
        }
    }
    lines
}
