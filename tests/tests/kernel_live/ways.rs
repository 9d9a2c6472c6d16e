//! A packet's way through each machine, as lines that the engine's flights and the kernel's captures have in common.

use crate::frame::{Ip, Label};
use crate::machines::Machines;
use crate::observe::{Edge, Group, Seen};
use hoplab_kernel::NetNsId;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_kernel::sim::Flight;
use hoplab_trace::{HookName, Place, RuleHit, StepKind};
use hoplab_wire::{Header, IcmpKind, Packet};
use std::collections::{BTreeMap, BTreeSet};

/// By place: what passed interfaces, and what passed hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub frames: BTreeMap<String, Vec<String>>,
    pub hooks: BTreeMap<String, Vec<String>>,
}

/// Ports that mean something; all others were chosen by a kernel and print as `*`.
pub struct Ports(pub BTreeSet<u16>);

impl Ports {
    pub fn text(&self, port: u16) -> String {
        if self.0.contains(&port) {
            port.to_string()
        } else {
            "*".to_owned()
        }
    }

    fn ends(&self, src: std::net::IpAddr, dst: std::net::IpAddr, ports: Option<(u16, u16)>) -> String {
        match ports {
            Some((sport, dport)) => format!("{src} {} > {dst} {}", self.text(sport), self.text(dport)),
            None => format!("{src} > {dst}"),
        }
    }

    fn of(&self, packet: &Packet) -> String {
        match (packet.src_ip(), packet.dst_ip()) {
            (Some(src), Some(dst)) => self.ends(src, dst, packet.ports()),
            _ => "?".to_owned(),
        }
    }

    fn real(&self, ip: &Ip) -> String {
        self.ends(ip.src, ip.dst, ip.ports)
    }
}

fn innermost(packet: &Packet) -> Packet {
    let last = packet
        .headers
        .iter()
        .rposition(|h| matches!(h, Header::Ipv4(_) | Header::Ipv6(_)));
    Packet {
        headers: packet.headers[last.unwrap_or(0)..].to_vec(),
        payload: packet.payload.clone(),
    }
}

fn is_boxed(packet: &Packet) -> bool {
    let ip = |h: &&Header| matches!(h, Header::Ipv4(_) | Header::Ipv6(_));
    packet.headers.iter().filter(ip).count() > 1
}

fn verdict(hit: &RuleHit, table: &str) -> String {
    if is_iptables(table) {
        return verdict_of(&hit.text);
    }
    // nftables' own text. Where a map or a number led to is the chain of the next line.
    let text = hit.text.split(" comment \"").next().unwrap_or_default();
    let text = match hit.text.rsplit_once(" : ") {
        Some((_, verdict)) if text.contains("vmap") => verdict.trim_end_matches(" }"),
        _ => text,
    };
    let words: Vec<&str> = text.split(' ').collect();
    let has = |all: &[&str]| words.iter().any(|word| all.contains(word));
    let said = match words.last() {
        _ if has(&["goto"]) => "GOTO",
        _ if has(&["jump"]) => "JUMP",
        _ if has(&["reject", "drop"]) => "DROP",
        _ if has(&["dnat", "snat", "masquerade", "accept"]) || text.contains("dnat ") => "ACCEPT",
        Some(&"return") => "RETURN",
        _ => "CONTINUE",
    };
    said.to_owned()
}

/// Whether a table is one of iptables; others print as steps call them, and without names of chains in verdicts.
fn is_iptables(table: &str) -> bool {
    matches!(table, "raw" | "mangle" | "nat" | "filter")
}

/// The same of the kernel's trace.
fn shown<'t>(table: &'t str, verdict: &'t str) -> (&'t str, &'t str) {
    match table {
        _ if is_iptables(table) => (table, verdict),
        "kube-proxy" => (table, verdict.split(' ').next().unwrap_or(verdict)),
        _ => ("nftables", verdict.split(' ').next().unwrap_or(verdict)),
    }
}

/// What a rule as iptables-save prints it says, in nf_tables' words.
pub fn verdict_of(rule: &str) -> String {
    if let Some((_, chain)) = rule.rsplit_once(" -g ") {
        return format!("GOTO {chain}");
    }
    let Some((_, action)) = rule.rsplit_once(" -j ") else {
        return "CONTINUE".to_owned();
    };
    match action.split(' ').next().unwrap_or("") {
        target @ ("ACCEPT" | "DROP" | "RETURN") => target.to_owned(),
        // nf_tables' own words for what iptables' targets say.
        "REJECT" => "DROP".to_owned(),
        "DNAT" | "SNAT" | "MASQUERADE" => "ACCEPT".to_owned(),
        "MARK" | "LOG" | "CT" => "CONTINUE".to_owned(),
        chain => format!("JUMP {chain}"),
    }
}

/// The way of one flight.
pub fn walked(flight: &Flight, ports: &Ports, place_of: &dyn Fn(NetNsId) -> Place) -> Way {
    let mut way = Way::default();
    let mut before: Option<&Packet> = None;
    let mut rewriting: Option<(String, HookName, String)> = None;
    for (netns, step) in &flight.steps {
        let place = place_of(*netns).to_string();
        let hook = match &step.kind {
            StepKind::Hook { hook, .. } | StepKind::Nat { hook, .. } => Some(*hook),
            _ => None,
        };
        if let Some((place, _, line)) = rewriting.take_if(|(_, at, _)| hook != Some(*at)) {
            rewritten(&mut way, place, line);
        }
        match &step.kind {
            StepKind::Ingress { device } | StepKind::Egress { device } if &**device != "lo" => {
                let inner = innermost(&step.packet);
                let direction = if matches!(step.kind, StepKind::Ingress { .. }) {
                    "in"
                } else {
                    "out"
                };
                let boxed = if is_boxed(&step.packet) { " boxed" } else { "" };
                let line = format!(
                    "{direction} {device} {} ttl {}{boxed}",
                    ports.of(&inner),
                    inner.ttl_hops().unwrap_or(0)
                );
                way.frames.entry(place.clone()).or_default().push(line);
            }
            StepKind::Conntrack { .. } => {
                let line = format!("TRACK {}", ports.of(&step.packet));
                way.hooks.entry(place.clone()).or_default().push(line);
            }
            // IPVS is asked beside the tables, and no trace tells of it.
            StepKind::Hook {
                hook, table, hits, ..
            } if *table != "ipvs" => {
                for hit in hits.iter().filter(|h| h.matched) {
                    let what = if hit.number == 0 {
                        "DROP".to_owned()
                    } else {
                        verdict(hit, table)
                    };
                    let line = format!("{hook} {table}/{} #{} {what}", hit.chain, hit.number);
                    way.hooks.entry(place.clone()).or_default().push(line);
                }
            }
            _ => {}
        }
        if let (Some(hook), Some(old)) = (hook, before)
            && (old.src_ip(), old.dst_ip(), old.ports())
                != (step.packet.src_ip(), step.packet.dst_ip(), step.packet.ports())
        {
            // The first rewriting of a hook says what the packet was before it.
            let line = match rewriting.take() {
                Some((.., line)) => {
                    let (from, _) = line.split_once(" => ").unwrap_or((&line, ""));
                    format!("{from} => {}", ports.of(&step.packet))
                }
                None => format!("{hook} {} => {}", ports.of(old), ports.of(&step.packet)),
            };
            rewriting = Some((place, hook, line));
        }
        before = Some(&step.packet);
    }
    if let Some((place, _, line)) = rewriting {
        rewritten(&mut way, place, line);
    }
    way
}

/// A port that a kernel chose becoming another one is nothing to be seen; without nf_tables no rewriting is, but at the
/// next interface.
fn rewritten(way: &mut Way, place: String, line: String) {
    if crate::uml::inside() {
        return;
    }
    let (before, after) = line.split_once(" => ").unwrap_or((&line, ""));
    if before.split_once(' ').is_none_or(|(_, ends)| ends != after) {
        way.hooks.entry(place).or_default().push(line);
    }
}

/// The way of the real packet with this label and key.
pub fn seen(all: &[(&Place, &Seen)], machines: &Machines, label: &[Label], key: u32, ports: &Ports) -> Way {
    let mut way = Way::default();
    let fits = |ip: &Ip| label.contains(&ip.label) && ip.key == key;
    for (place, seen) in all {
        for frame in &seen.frames {
            let Some(inner) = frame.packets.last().filter(|ip| fits(ip)) else {
                continue;
            };
            let direction = if frame.out { "out" } else { "in" };
            let boxed = if frame.packets.len() > 1 { " boxed" } else { "" };
            let line = format!(
                "{direction} {} {} ttl {}{boxed}",
                frame.device,
                ports.real(inner),
                inner.ttl
            );
            way.frames.entry(place.to_string()).or_default().push(line);
        }
        let machine = machines.at(place);
        let tracks = machine.is_some_and(|m| m.has_rules);
        let tunnels: Vec<&str> = machine
            .iter()
            .flat_map(|m| m.stack.interfaces.values())
            .filter(|i| matches!(i.kind, InterfaceKind::Vxlan(_) | InterfaceKind::Tunnel(_)))
            .map(|i| &*i.name)
            .collect();
        let mut groups = with_boxes(&seen.groups, &fits, &tunnels);
        if !label.contains(&Label::Udp)
            && let Some(first) = groups.first().copied()
        {
            let again = |g: &&Group| {
                g.edge == first.edge
                    && g.hook == first.hook
                    && (g.ip.ttl, ports.real(&g.ip)) == (first.ip.ttl, ports.real(&first.ip))
            };
            let at = groups.iter().skip(1).position(again);
            groups.truncate(at.map_or(usize::MAX, |at| at + 1));
        }
        let lines: Vec<String> = groups
            .into_iter()
            .fold((Vec::new(), None), |(mut lines, entered), group| {
                let entered = one_group(group, entered, tracks, ports, &mut lines);
                (lines, entered)
            })
            .0;
        if !lines.is_empty() {
            way.hooks.insert(place.to_string(), lines);
        }
    }
    // A segment that was sent again begins its way anew: the first time counts.
    if !label.contains(&Label::Udp) {
        way.frames.values_mut().for_each(once);
    }
    way
}

fn once(lines: &mut Vec<String>) {
    let first = lines.first().cloned();
    if let Some(again) = (1..lines.len()).find(|i| lines.get(*i) == first.as_ref()) {
        lines.truncate(again);
    }
}

/// Each line the first time that it comes: how often a question is asked again hangs on how long one waits.
pub fn unique(mut all: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    for lines in all.values_mut() {
        let mut seen = BTreeSet::new();
        lines.retain(|l| seen.insert(l.clone()));
    }
    all
}

/// The groups of a packet, and those of the tunnel packet that it came in before them, or left in after them.
fn with_boxes<'g>(groups: &'g [Group], fits: &dyn Fn(&Ip) -> bool, tunnels: &[&str]) -> Vec<&'g Group> {
    let boxed = |g: &Group| matches!(g.ip.ports, Some((_, 8472 | 4789 | 6081)));
    let mut out: Vec<&Group> = Vec::new();
    let mut arriving: Vec<&Group> = Vec::new();
    let mut leaving = false;
    for group in groups {
        if fits(&group.ip) {
            out.append(&mut arriving);
            out.push(group);
            leaving = group.hook == "POSTROUTING" && tunnels.contains(&group.oif.as_str());
        } else if boxed(group) {
            match group.hook.as_str() {
                "PREROUTING" | "INPUT" => {
                    if group.hook == "PREROUTING" && group.edge == Some(Edge::Enter) {
                        arriving.clear();
                    }
                    arriving.push(group);
                }
                _ if leaving => {
                    out.push(group);
                    // The packet has left with its box; what follows is of another one.
                    leaving = !(group.hook == "POSTROUTING" && group.edge == Some(Edge::Exit));
                }
                _ => {}
            }
        } else {
            // Another packet's work: boxes before it and after it are its own.
            arriving.clear();
            leaving = false;
        }
    }
    out
}

fn one_group(
    group: &Group,
    entered: Option<(String, String)>,
    tracks: bool,
    ports: &Ports,
    lines: &mut Vec<String>,
) -> Option<(String, String)> {
    let now = ports.real(&group.ip);
    match group.edge {
        Some(Edge::Enter) => {
            // IPVS sends on what came by a hook: it has its connection already.
            let again = group.hook == "OUTPUT"
                && lines
                    .last()
                    .is_some_and(|l| l.starts_with("INPUT") || l.starts_with("OUTPUT"));
            if tracks && matches!(group.hook.as_str(), "PREROUTING" | "OUTPUT") && !again {
                lines.push(format!("TRACK {now}"));
            }
            Some((group.hook.clone(), now))
        }
        Some(Edge::Exit) => {
            if let Some((hook, before)) = &entered
                && *hook == group.hook
                && *before != now
            {
                lines.push(format!("{hook} {before} => {now}"));
            }
            None
        }
        None => {
            for (chain, number, verdict) in &group.rules {
                let (hook, (table, verdict)) = (&group.hook, shown(&group.table, verdict));
                lines.push(format!("{hook} {table}/{chain} #{number} {verdict}"));
            }
            entered
        }
    }
}

/// ICMP errors at each interface, of the engine.
pub fn errors_walked(
    flights: &[Flight],
    ports: &Ports,
    place_of: &dyn Fn(NetNsId) -> Place,
) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (netns, step) in flights.iter().flat_map(|f| f.steps.iter()) {
        let (direction, device) = match &step.kind {
            StepKind::Ingress { device } if &**device != "lo" => ("in", device),
            StepKind::Egress { device } if &**device != "lo" => ("out", device),
            _ => continue,
        };
        let packet = innermost(&step.packet);
        let Some((icmp, quoted)) = packet.icmp().and_then(|i| Some((i, i.quoted.as_ref()?))) else {
            continue;
        };
        let v6 = packet.src_ip().is_some_and(|ip| ip.is_ipv6());
        let (kind, code, mtu) = type_code(icmp.kind, v6);
        let line = format!(
            "{direction} {device} {} icmp {kind}/{code} mtu {mtu} about {}",
            ports.of(&packet),
            ports.of(quoted)
        );
        out.entry(place_of(*netns).to_string()).or_default().push(line);
    }
    out
}

/// Neighbour discovery at each interface, of the engine.
pub fn discovery_walked(
    flights: &[Flight],
    machines: &Machines,
    place_of: &dyn Fn(NetNsId) -> Place,
) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (netns, step) in flights.iter().flat_map(|f| f.steps.iter()) {
        let (direction, device) = match &step.kind {
            StepKind::Ingress { device } => ("in", device),
            StepKind::Egress { device } => ("out", device),
            _ => continue,
        };
        let (kind, target): (u8, std::net::IpAddr) = match step.packet.icmp().map(|i| i.kind) {
            Some(IcmpKind::NeighbourSolicitation { target, .. }) => (135, target.into()),
            Some(IcmpKind::NeighbourAdvertisement { target, .. }) => (136, target.into()),
            _ => continue,
        };
        let place = place_of(*netns);
        if kind == 135 && !asks_or_is_asked(machines, &place, device, direction == "out", target) {
            continue;
        }
        let ends = (step.packet.src_ip(), step.packet.dst_ip());
        let line = format!(
            "{direction} {device} {kind} {target} {ends:?} {:?}",
            step.packet.ttl_hops()
        );
        out.entry(place.to_string()).or_default().push(line);
    }
    out
}

/// Whether a question is seen where it begins or where whom it asks for is. In between a real switch or bridge floods it,
/// while the engine's switch knows who answers.
fn asks_or_is_asked(
    machines: &Machines,
    place: &Place,
    device: &str,
    out: bool,
    target: std::net::IpAddr,
) -> bool {
    let Some(machine) = machines.at(place) else {
        return true;
    };
    let interfaces = &machine.stack.interfaces;
    let mut own = interfaces.values().flat_map(|i| &i.addresses);
    let is_port = interfaces.get(device).is_some_and(|i| i.master.is_some());
    if out {
        !is_port
    } else {
        own.any(|a| a.net.addr() == target)
    }
}

/// The same of the kernel.
pub fn discovery_seen(all: &[(&Place, &Seen)], machines: &Machines) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, seen) in all {
        for frame in &seen.frames {
            let Some(ip) = frame.packets.last() else { continue };
            let Some((kind, target)) = ip.discovery else {
                continue;
            };
            if kind == 135 && !asks_or_is_asked(machines, place, &frame.device, frame.out, target) {
                continue;
            }
            let direction = if frame.out { "out" } else { "in" };
            let ends = (Some(ip.src), Some(ip.dst));
            let line = format!(
                "{direction} {} {kind} {target} {ends:?} {:?}",
                frame.device,
                Some(ip.ttl)
            );
            out.entry(place.to_string()).or_default().push(line);
        }
    }
    out
}

/// The same of the kernel.
pub fn errors_seen(all: &[(&Place, &Seen)], ports: &Ports) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, seen) in all {
        for frame in &seen.frames {
            let Some(ip) = frame.packets.last() else { continue };
            let Some((kind, code, mtu, quoted)) = &ip.error else {
                continue;
            };
            let direction = if frame.out { "out" } else { "in" };
            let line = format!(
                "{direction} {} {} icmp {kind}/{code} mtu {mtu} about {}",
                frame.device,
                ports.real(ip),
                ports.real(quoted)
            );
            out.entry(place.to_string()).or_default().push(line);
        }
    }
    out
}

fn type_code(kind: IcmpKind, v6: bool) -> (u8, u8, u16) {
    let pair = |four: (u8, u8), six: (u8, u8)| {
        let (kind, code) = if v6 { six } else { four };
        (kind, code, 0)
    };
    match kind {
        IcmpKind::NetUnreachable => pair((3, 0), (1, 0)),
        IcmpKind::HostUnreachable => pair((3, 1), (1, 3)),
        IcmpKind::ProtocolUnreachable => pair((3, 2), (4, 1)),
        IcmpKind::PortUnreachable => pair((3, 3), (1, 4)),
        IcmpKind::AdminProhibited => pair((3, 13), (1, 1)),
        IcmpKind::TimeExceeded => pair((11, 0), (3, 0)),
        IcmpKind::FragmentationNeeded { mtu_bytes } => {
            let (kind, code, _) = pair((3, 4), (2, 0));
            (kind, code, mtu_bytes)
        }
        _ => pair((8, 0), (128, 0)),
    }
}
