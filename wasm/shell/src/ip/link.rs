//! `ip link`. Models iproute2 ip/ipaddress.c print_linkinfo.

use super::{Options, argument, selector, shown};
use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_kernel::interface::{Interface, InterfaceKind, TunnelKind};
use hoplab_source::order;
use hoplab_wire::MacAddr;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// What the first lines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// `ip link`: with the mode.
    Link,
    /// `ip addr`.
    Addr,
}

/// Which interfaces are meant: by `dev`, `up`, `type`, `master`.
#[derive(Clone, Debug, Default)]
pub(super) struct Selected<'w> {
    pub device: Option<&'w str>,
    up: bool,
    kind: Option<&'w str>,
    master: Option<&'w str>,
}

impl<'w> Selected<'w> {
    /// Takes one selector; what is not one of these is given to `other`.
    pub fn take(
        &mut self,
        word: &'w str,
        words: &mut std::slice::Iter<'_, &'w str>,
        other: impl FnOnce(&'w str, &mut std::slice::Iter<'_, &'w str>) -> Result<(), Output>,
    ) -> Result<(), Output> {
        match word {
            "up" => self.up = true,
            "dev" => self.device = Some(argument(words)?),
            "type" => self.kind = Some(argument(words)?),
            "master" => self.master = Some(argument(words)?),
            _ => return other(word, words),
        }
        Ok(())
    }

    /// The interfaces meant, by index. A `dev` that does not exist ends the command.
    pub fn interfaces<'s>(&self, stack: &'s Stack<'_>) -> Result<Vec<&'s Interface>, Output> {
        for device in [self.device, self.master].into_iter().flatten() {
            if !stack.netns.interfaces.contains_key(device) {
                return Err(Output::failed(1, format!("Device \"{device}\" does not exist.")));
            }
        }
        let mut found: Vec<&Interface> = stack
            .netns
            .interfaces
            .values()
            .filter(|i| self.device.is_none_or(|name| *i.name == *name))
            .filter(|i| !self.up || i.up)
            .filter(|i| self.kind.is_none_or(|kind| kind == kind_name(&i.kind)))
            .filter(|i| {
                self.master
                    .is_none_or(|master| i.master.as_deref() == Some(master))
            })
            .collect();
        order::sort_by_key(&mut found, |i| i.index);
        Ok(found)
    }
}

pub(super) fn run(stack: &Stack<'_>, options: &Options, args: &[&str]) -> Ended {
    let args = shown(
        "ip",
        "link",
        &[
            "set", "add", "delete", "change", "replace", "property", "afstats", "xstats", "help",
        ],
        args,
    )?;
    let mut selected = Selected::default();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let selected_so_far = selected.clone();
        selected.take(word, &mut words, |word, _| match word {
            "group" | "vrf" | "nomaster" => Err(selector("link", word)),
            _ if selected_so_far.device.is_some() => Err(garbage(word)),
            _ => Ok(()),
        })?;
        if selected.device.is_none() && !matches!(*word, "up" | "type" | "master") {
            selected.device = Some(word);
        }
    }
    let mut out = String::new();
    for interface in selected.interfaces(stack)? {
        if options.brief {
            let _ = writeln!(
                out,
                "{} {} {} ",
                brief_head(stack, interface),
                interface.mac,
                flags(stack, interface)
            );
            continue;
        }
        let mut lines = first_line(stack, interface, Of::Link);
        let _ = write!(lines, "\n    {}", link_line(stack, interface));
        if options.details {
            lines.push_str(&details(interface));
        }
        out.push_str(&one_line(options, &lines));
    }
    Ok(out)
}

/// What iproute2 says of a word too much.
pub(super) fn garbage(word: &str) -> Output {
    Output::failed(
        super::USAGE,
        format!("Error: either \"dev\" is duplicate, or \"{word}\" is a garbage."),
    )
}

/// Lines as they are, or joined by backslashes (`-o`).
pub(super) fn one_line(options: &Options, lines: &str) -> String {
    let joined = if options.one_line {
        lines.replace('\n', "\\")
    } else {
        lines.to_owned()
    };
    format!("{joined}\n")
}

/// `cni0             UP            `: name and state of `-br`.
pub(super) fn brief_head(stack: &Stack<'_>, interface: &Interface) -> String {
    format!(
        "{:<16} {:<14}",
        full_name(stack, interface),
        state(stack, interface)
    )
}

/// `3: veth5@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP …`.
pub(super) fn first_line(stack: &Stack<'_>, interface: &Interface, of: Of) -> String {
    let mut line = format!(
        "{}: {}: {} mtu {} qdisc {}",
        interface.index,
        full_name(stack, interface),
        flags(stack, interface),
        interface.mtu_bytes,
        queueing(stack, interface),
    );
    if let Some(master) = &interface.master {
        let _ = write!(line, " master {master}");
    }
    let mode = if of == Of::Link { " mode DEFAULT" } else { "" };
    let _ = write!(
        line,
        " state {}{mode} group default qlen 1000",
        state(stack, interface)
    );
    line
}

/// `link/ether 9a:… brd ff:… link-netnsid 0`.
pub(super) fn link_line(stack: &Stack<'_>, interface: &Interface) -> String {
    let (kind, broadcast) = match &interface.kind {
        InterfaceKind::Loopback => ("loopback", MacAddr::ZERO),
        InterfaceKind::Tunnel(tunnel) if !tunnel.carries_frames() => {
            let kind = kind_name(&interface.kind);
            let end = |address: Option<IpAddr>| address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let word = if tunnel.remote.is_some() { "peer" } else { "brd" };
            return format!("link/{kind} {} {word} {}", end(tunnel.local), end(tunnel.remote));
        }
        _ => ("ether", MacAddr::BROADCAST),
    };
    let mut line = format!("link/{kind} {} brd {broadcast}", interface.mac);
    line.push_str(&link_netns(stack, interface));
    line
}

/// ` link-netnsid 0` of a cable that leads elsewhere.
pub(super) fn link_netns(stack: &Stack<'_>, interface: &Interface) -> String {
    match &interface.kind {
        InterfaceKind::Veth { peer } if peer.netns != stack.id => match stack.netns_name(peer.netns) {
            Some(name) => format!(" link-netns {name}"),
            None => format!(" link-netnsid {}", stack.netnsid(peer.netns)),
        },
        _ => String::new(),
    }
}

/// `veth5@if2`, `eth0`.
pub(super) fn full_name(stack: &Stack<'_>, interface: &Interface) -> String {
    match &interface.kind {
        InterfaceKind::Veth { peer } if peer.netns == stack.id => {
            format!("{}@{}", interface.name, peer.device)
        }
        InterfaceKind::Veth { peer } => match stack.peer(peer) {
            Some((index, _)) => format!("{}@if{index}", interface.name),
            None => format!("{}@NONE", interface.name),
        },
        InterfaceKind::Vlan { lower, .. } => format!("{}@{lower}", interface.name),
        InterfaceKind::Tunnel(tunnel) if matches!(tunnel.kind, TunnelKind::Ipip | TunnelKind::Gre) => {
            format!("{}@NONE", interface.name)
        }
        _ => interface.name.to_string(),
    }
}

/// As `type` selects, and `-d` prints.
fn kind_name(kind: &InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::Loopback | InterfaceKind::Physical { .. } => "",
        InterfaceKind::Veth { .. } => "veth",
        InterfaceKind::Bridge(_) => "bridge",
        InterfaceKind::Vxlan(_) => "vxlan",
        InterfaceKind::Vlan { .. } => "vlan",
        InterfaceKind::Tunnel(tunnel) => match tunnel.kind {
            TunnelKind::Ipip => "ipip",
            TunnelKind::Gre => "gre",
            TunnelKind::Geneve { .. } => "geneve",
            TunnelKind::WireGuard { .. } => "wireguard",
        },
        InterfaceKind::Dummy => "dummy",
    }
}

/// Whether a signal is there: a bridge has one while one of its ports has.
pub(crate) fn carrier(stack: &Stack<'_>, interface: &Interface) -> bool {
    match &interface.kind {
        InterfaceKind::Bridge(_) => {
            let mut ports = stack
                .netns
                .interfaces
                .values()
                .filter(|i| i.master.as_ref() == Some(&interface.name));
            ports.any(|port| port.up && carrier(stack, port))
        }
        InterfaceKind::Veth { peer } => {
            let far = stack.net.stack(peer.netns);
            far.and_then(|netns| netns.interfaces.get(&peer.device))
                .is_none_or(|far| far.up)
        }
        _ => true,
    }
}

/// `<BROADCAST,MULTICAST,UP,LOWER_UP>`. Source: iproute2 print_link_flags; linux/if.h.
pub(crate) fn flags(stack: &Stack<'_>, interface: &Interface) -> String {
    let mut flags = Vec::new();
    let carrier = carrier(stack, interface);
    if interface.up && !carrier {
        flags.push("NO-CARRIER");
    }
    match &interface.kind {
        InterfaceKind::Loopback => flags.push("LOOPBACK"),
        InterfaceKind::Dummy => flags.extend(["BROADCAST", "NOARP"]),
        InterfaceKind::Tunnel(tunnel) if !tunnel.carries_frames() => flags.extend(["POINTOPOINT", "NOARP"]),
        _ => flags.extend(["BROADCAST", "MULTICAST"]),
    }
    if interface.up {
        flags.push("UP");
        if carrier {
            flags.push("LOWER_UP");
        }
    }
    // IFLA_LINK in this namespace that is not up.
    if let InterfaceKind::Veth { peer } = &interface.kind
        && peer.netns == stack.id
        && stack
            .netns
            .interfaces
            .get(&peer.device)
            .is_some_and(|far| !far.up)
    {
        flags.push("M-DOWN");
    }
    format!("<{}>", flags.join(","))
}

/// operstate, RFC 2863: drivers that do not keep one show UNKNOWN while up.
pub(super) fn state(stack: &Stack<'_>, interface: &Interface) -> &'static str {
    match interface.kind {
        _ if !interface.up => "DOWN",
        InterfaceKind::Loopback
        | InterfaceKind::Dummy
        | InterfaceKind::Vxlan(_)
        | InterfaceKind::Tunnel(_) => "UNKNOWN",
        InterfaceKind::Veth { .. } if !carrier(stack, interface) => "LOWERLAYERDOWN",
        _ if !carrier(stack, interface) => "DOWN",
        _ => "UP",
    }
}

/// Virtual devices have no queue; a card has systemd's default one (sysctl.d/50-default.conf: fq_codel).
fn queueing(stack: &Stack<'_>, interface: &Interface) -> &'static str {
    match interface.kind {
        _ if !interface.up && !stack.netns.downed.contains(&interface.name) => "noop",
        InterfaceKind::Physical { .. } => "fq_codel",
        _ => "noqueue",
    }
}

/// What `-d` adds. Differs: numbers that the model does not have (queues, offloads, a bridge's timers) are left out
/// rather than made up.
fn details(interface: &Interface) -> String {
    let mut out = String::from(" promiscuity ");
    out.push_str(if interface.master.is_some() { "1 " } else { "0 " });
    match &interface.kind {
        InterfaceKind::Loopback | InterfaceKind::Physical { .. } => {}
        InterfaceKind::Veth { .. } => out.push_str("\n    veth "),
        InterfaceKind::Dummy => out.push_str("\n    dummy "),
        InterfaceKind::Vlan { id, .. } => {
            let _ = write!(out, "\n    vlan protocol 802.1Q id {id} <REORDER_HDR> ");
        }
        InterfaceKind::Tunnel(tunnel) => {
            let _ = write!(out, "\n    {} ", kind_name(&interface.kind));
            let end = |address: Option<IpAddr>| address.map_or_else(|| "any".to_owned(), |a| a.to_string());
            let (remote, local) = (end(tunnel.remote), end(tunnel.local));
            let _ = match &tunnel.kind {
                TunnelKind::Ipip => write!(out, "any remote {remote} local {local} ttl inherit pmtudisc "),
                TunnelKind::Gre => write!(out, "remote {remote} local {local} ttl inherit "),
                TunnelKind::Geneve { vni, port } => {
                    write!(
                        out,
                        "id {vni} remote {remote} ttl auto dstport {port} noudpcsum udp6zerocsumrx "
                    )
                }
                TunnelKind::WireGuard { .. } => Ok(()),
            };
        }
        InterfaceKind::Bridge(_) => out.push_str("\n    bridge "),
        InterfaceKind::Vxlan(vxlan) => {
            let learning = if vxlan.learning { "" } else { " nolearning" };
            let _ = write!(
                out,
                "\n    vxlan id {} local {} dev {} srcport 0 0 dstport {}{learning} ttl auto ageing 300 udpcsum \
                 noudp6zerocsumtx noudp6zerocsumrx ",
                vxlan.vni, vxlan.local, vxlan.lower, vxlan.port,
            );
        }
    }
    if interface.master.is_some() {
        let hairpin = if interface.hairpin { "on" } else { "off" };
        let _ = write!(
            out,
            "\n    bridge_slave state forwarding priority 32 cost 2 hairpin {hairpin} "
        );
    }
    out
}
