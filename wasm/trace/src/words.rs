//! A step in words: device first, present tense, only from what the step holds.

use crate::{
    BridgeDecision, ConntrackState, DropCause, HookName, NatKind, NeighbourState, Place, RouteDecision,
    RuleHit, RuleVerdict, Step, StepKind,
};
use hoplab_wire::{Header, IcmpKind, L4Protocol, Packet};
use std::fmt;
use std::net::SocketAddr;

impl fmt::Display for Place {
    /// As a Probe's source in one string: `node:worker-1`, `pod:shop/client`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Pod(name) => write!(f, "pod:{name}"),
            Self::Host(name) => write!(f, "host:{name}"),
            Self::HostNetNs(host, netns) => write!(f, "host:{host}/{netns}"),
            Self::External(address) => write!(f, "external:{address}"),
            Self::Router(name) => write!(f, "router:{name}"),
        }
    }
}

impl Place {
    /// As people say it: `worker-1`, `pod shop/client`, `203.0.113.7 outside`.
    pub fn in_words(&self) -> String {
        match self {
            Self::Node(name) | Self::Host(name) => name.to_string(),
            Self::Pod(name) => format!("pod {name}"),
            Self::HostNetNs(host, netns) => format!("{netns} on {host}"),
            Self::External(address) => format!("{address} outside"),
            // The one that a world implies has no name but its sort.
            Self::Router(name) if &**name == "router" => "the router".to_owned(),
            Self::Router(name) => format!("router {name}"),
        }
    }

    /// Name of the network namespace at this place.
    pub fn netns(&self) -> &str {
        match self {
            Self::Pod(_) => "pod",
            Self::HostNetNs(_, netns) => netns,
            _ => "root",
        }
    }
}

/// `10.244.2.4:8080`, or the bare address where there is no port: the outermost (or innermost) destination.
pub fn destination(packet: &Packet) -> String {
    end(packet, false)
}

/// The same of the source.
pub fn source(packet: &Packet) -> String {
    end(packet, true)
}

fn end(packet: &Packet, src: bool) -> String {
    let Some(at) = packet.ip_index() else {
        return String::new();
    };
    let address = if src { packet.src_ip() } else { packet.dst_ip() };
    let address = address.map(|a| a.to_string()).unwrap_or_default();
    let port = match packet.headers.get(at + 1) {
        Some(Header::Tcp(tcp)) => Some(if src { tcp.src } else { tcp.dst }),
        Some(Header::Udp(udp)) => Some(if src { udp.src } else { udp.dst }),
        Some(Header::Sctp(sctp)) => Some(if src { sctp.src } else { sctp.dst }),
        _ => None,
    };
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address,
    }
}

fn ttl(packet: &Packet) -> Option<u8> {
    packet.headers.iter().find_map(|h| match h {
        Header::Ipv4(ip) => Some(ip.ttl_hops),
        Header::Ipv6(ip) => Some(ip.hop_limit),
        _ => None,
    })
}

/// ICMP kinds in words.
pub fn icmp_words(kind: IcmpKind) -> String {
    match kind {
        IcmpKind::EchoRequest { .. } => "echo request".to_owned(),
        IcmpKind::EchoReply { .. } => "echo reply".to_owned(),
        IcmpKind::NetUnreachable => "network unreachable".to_owned(),
        IcmpKind::HostUnreachable => "host unreachable".to_owned(),
        IcmpKind::ProtocolUnreachable => "protocol unreachable".to_owned(),
        IcmpKind::PortUnreachable => "port unreachable".to_owned(),
        IcmpKind::FragmentationNeeded { mtu_bytes } => format!("fragmentation needed, next MTU {mtu_bytes}"),
        IcmpKind::AdminProhibited => "administratively prohibited".to_owned(),
        IcmpKind::TimeExceeded => "time to live exceeded".to_owned(),
        IcmpKind::NeighbourSolicitation { .. } => "neighbour solicitation".to_owned(),
        IcmpKind::NeighbourAdvertisement { .. } => "neighbour advertisement".to_owned(),
    }
}

impl Step {
    /// The device, hook or process where it happens: the left column of a list of hops.
    pub fn name(&self) -> String {
        match &self.kind {
            StepKind::Originate { process, .. } | StepKind::Process { process, .. } => process.to_string(),
            StepKind::Ingress { device }
            | StepKind::Egress { device }
            | StepKind::Neighbour { device, .. } => device.to_string(),
            StepKind::Encap { device, .. } | StepKind::Decap { device, .. } => device.to_string(),
            StepKind::Fragment { .. } => "fragment".to_owned(),
            StepKind::Reassemble { .. } => "reassemble".to_owned(),
            StepKind::Bridge { bridge, .. } => bridge.to_string(),
            StepKind::Route { .. } => "route".to_owned(),
            StepKind::Hook { hook, .. } | StepKind::Nat { hook, .. } => hook.to_string(),
            StepKind::Conntrack { .. } => "conntrack".to_owned(),
            StepKind::Socket { process, .. } => process.as_deref().unwrap_or("socket").to_owned(),
            StepKind::Drop { .. } => "dropped".to_owned(),
            StepKind::Fault { name } => name.to_string(),
            StepKind::IcmpError { .. } => "icmp".to_owned(),
        }
    }

    /// Names that a Probe's `hops` can ask for: interfaces, hooks, chains, processes, ports listened on.
    pub fn names(&self) -> Vec<String> {
        match &self.kind {
            StepKind::Hook { hook, hits, .. } => {
                let mut names = vec![hook.to_string()];
                for hit in hits.iter().filter(|h| h.depth > 0) {
                    if names.last().map(String::as_str) != Some(&*hit.chain) {
                        names.push(hit.chain.to_string());
                    }
                }
                names
            }
            StepKind::Bridge { bridge, decision, .. } => {
                let mut names = vec![bridge.to_string()];
                if let BridgeDecision::Forward { port } | BridgeDecision::Hairpin { port } = decision {
                    names.push(port.to_string());
                }
                names
            }
            StepKind::Socket {
                process,
                local,
                protocol,
            } => {
                let mut names: Vec<_> = process.iter().map(ToString::to_string).collect();
                if !is_icmp(*protocol) {
                    names.push(local.port().to_string());
                }
                names
            }
            StepKind::Route { .. } | StepKind::Conntrack { .. } | StepKind::Drop { .. } => Vec::new(),
            StepKind::IcmpError { .. } | StepKind::Neighbour { .. } => Vec::new(),
            StepKind::Fragment { .. } | StepKind::Reassemble { .. } => Vec::new(),
            _ => vec![self.name()],
        }
    }

    /// A few words for the list of hops, beside [`Step::name`]. `before` is the packet as it came.
    pub fn short(&self, before: &Packet, place: &Place) -> String {
        match &self.kind {
            StepKind::Originate { to, .. } => match to {
                Some(to) => format!("sends to {to}"),
                None => format!("sends to {}", destination(&self.packet)),
            },
            StepKind::Ingress { .. } => format!("enters {}", place.in_words()),
            StepKind::Egress { .. } => format!("leaves {}", place.in_words()),
            StepKind::Bridge { decision, .. } => match decision {
                BridgeDecision::Up => "up the bridge to IP".to_owned(),
                BridgeDecision::Forward { port } => format!("bridged to {port}"),
                BridgeDecision::Flood { ports } => format!("flooded to {} ports", ports.len()),
                BridgeDecision::SamePort => "not sent back by its own port".to_owned(),
                BridgeDecision::Hairpin { port } => format!("back out by {port}, hairpin"),
            },
            StepKind::Neighbour { mac, ip, .. } => match mac {
                Some(mac) => format!("{ip} is at {mac}"),
                None => format!("nobody answers for {ip}"),
            },
            StepKind::Route { decision, .. } => match decision {
                RouteDecision::Local { .. } => "for this machine".to_owned(),
                RouteDecision::Unicast {
                    via: Some(via),
                    device,
                    ..
                } => format!("next hop {via} on {device}"),
                RouteDecision::Unicast { device, .. } => format!("on link, {device}"),
                RouteDecision::Refused { kind, .. } => (*kind).to_owned(),
                RouteDecision::NoRoute => "no route".to_owned(),
            },
            StepKind::Hook {
                verdict, table, hits, ..
            } => match verdict {
                RuleVerdict::Dnat => format!("to {}", destination(&self.packet)),
                RuleVerdict::Snat => format!("from {}", source(&self.packet)),
                RuleVerdict::Drop => format!("{table} drops it"),
                RuleVerdict::Reject => format!("{table} rejects it"),
                RuleVerdict::Accept => accepted_by(hits).map_or_else(
                    || format!("{table}, nothing matches"),
                    |hit| format!("accepted, {}", hit.chain),
                ),
            },
            StepKind::Nat { kind, .. } => match kind {
                NatKind::Dnat | NatKind::UnSnat => format!("to {}", destination(&self.packet)),
                NatKind::Snat | NatKind::UnDnat => format!("from {}", source(&self.packet)),
            },
            StepKind::Conntrack { state, .. } => conntrack_word(*state).to_owned(),
            StepKind::Encap { remote, .. } => format!("boxed, to {remote}"),
            StepKind::Decap { .. } => "unboxed".to_owned(),
            StepKind::Fragment { pieces, mtu_bytes } => {
                format!("cut into {pieces} pieces for MTU {mtu_bytes}")
            }
            StepKind::Reassemble { whole: true, pieces } => format!("put together from {pieces} pieces"),
            StepKind::Reassemble { whole: false, pieces } => {
                format!("{pieces} pieces here, waits for the rest")
            }
            StepKind::Socket {
                process,
                local,
                protocol,
            } => {
                let end = own_end(*protocol, *local);
                match process {
                    Some(_) => format!("receives on {end}"),
                    None => format!("nothing listens on {end}"),
                }
            }
            StepKind::Drop { cause } => drop_words(cause, before),
            StepKind::Fault { name } => name.to_string(),
            StepKind::IcmpError { kind } => format!("answers {}", icmp_words(*kind)),
            StepKind::Process { what, .. } => what.to_string(),
        }
    }

    /// One sentence: what happened, by whom, why. `before` is the packet as it came to this step.
    pub fn sentence(&self, before: &Packet, place: &Place) -> String {
        let here = place.in_words();
        match &self.kind {
            StepKind::Originate { process, from, to } => match (from, to) {
                (Some(from), Some(to)) => format!("{process} in {here} sends from {from} to {to}."),
                (_, Some(to)) => format!("{process} in {here} sends to {to}."),
                _ => format!("{process} of {here} sends to {}.", destination(&self.packet)),
            },
            StepKind::Ingress { device } => format!("{device}: the packet enters {here}."),
            StepKind::Egress { device } => format!("{device}: the packet leaves {here}."),
            StepKind::Bridge {
                bridge,
                port_in,
                decision,
            } => bridge_sentence(bridge, port_in.as_deref(), decision, &here),
            StepKind::Neighbour {
                ip,
                mac,
                device,
                state,
            } => match (mac, state) {
                (Some(mac), NeighbourState::Permanent) => {
                    format!("{device}: {ip} is at {mac}, a permanent entry that an agent wrote.")
                }
                (Some(mac), NeighbourState::Resolved) => {
                    format!("{device}: {ip} answered the ARP question; it is at {mac}.")
                }
                (Some(mac), _) => format!("{device}: {ip} is at {mac}, known from before."),
                (None, NeighbourState::NotNeeded) => format!("{device}: no link address is needed."),
                (None, _) => format!("{device}: nobody answers the ARP question for {ip}."),
            },
            StepKind::Route { dst, decision } => {
                route_sentence(&dst.to_string(), decision, &here, before, &self.packet)
            }
            StepKind::Hook {
                hook,
                table,
                hits,
                verdict,
            } => hook_sentence(self, *hook, table, hits, *verdict, before),
            StepKind::Nat { hook, kind } => {
                let (end, old, new) = match kind {
                    NatKind::Dnat | NatKind::UnSnat => {
                        ("destination", destination(before), destination(&self.packet))
                    }
                    NatKind::Snat | NatKind::UnDnat => ("source", source(before), source(&self.packet)),
                };
                let verb = match kind {
                    NatKind::UnDnat | NatKind::UnSnat => "is put back to",
                    NatKind::Dnat | NatKind::Snat => "becomes",
                };
                format!(
                    "{hook}: {end} {old} {verb} {new}. No rule does this: conntrack remembers the connection."
                )
            }
            StepKind::Conntrack { state, reply } => {
                let way = if *reply { ", in its reply direction" } else { "" };
                format!("conntrack: the packet is {}{way}.", conntrack_word(*state))
            }
            StepKind::Encap {
                device,
                remote,
                overhead_bytes,
            } => {
                let vni = vni(&self.packet)
                    .map(|v| format!(", VNI {v}"))
                    .unwrap_or_default();
                format!("{device}: boxed in VXLAN{vni}, to {remote}. {overhead_bytes} bytes more.")
            }
            StepKind::Decap {
                device,
                overhead_bytes,
            } => {
                format!(
                    "{device}: the outer headers come off, {overhead_bytes} bytes less. Inside is a packet for {}.",
                    destination(&self.packet)
                )
            }
            StepKind::Fragment { pieces, mtu_bytes } => {
                format!(
                    "{here}: the packet is larger than the way out (MTU {mtu_bytes}) and is cut into {pieces} pieces."
                )
            }
            StepKind::Reassemble { pieces, whole: true } => {
                format!("{here}: all {pieces} pieces are here; the packet is whole again and goes on.")
            }
            StepKind::Reassemble { pieces, whole: false } => {
                format!(
                    "{here}: a piece of a larger packet; with {pieces} of them here it waits for the rest."
                )
            }
            StepKind::Socket {
                protocol,
                local,
                process,
            } => {
                let end = own_end(*protocol, *local);
                match process {
                    // A client does not listen.
                    Some(process) => format!("{process} in {here} receives it at {end} ({protocol})."),
                    None => format!("Nothing in {here} listens on {end} ({protocol})."),
                }
            }
            StepKind::Drop { cause } => format!("{here}: {}.", drop_words(cause, before)),
            StepKind::Fault { name } => format!("{here}: fault {name} acts here."),
            StepKind::IcmpError { kind } => format!(
                "{here} answers {} with ICMP {}.",
                source(before),
                icmp_words(*kind)
            ),
            StepKind::Process { process, what } => format!("{process}: {what}."),
        }
    }
}

fn vni(packet: &Packet) -> Option<u32> {
    packet.headers.iter().find_map(|h| match h {
        Header::Vxlan(v) => Some(v.vni),
        Header::Geneve(g) => Some(g.vni),
        _ => None,
    })
}

fn accepted_by(hits: &[RuleHit]) -> Option<&RuleHit> {
    hits.iter().rev().find(|h| h.matched && h.number > 0)
}

fn conntrack_word(state: ConntrackState) -> &'static str {
    match state {
        ConntrackState::New => "NEW, the first of its connection",
        ConntrackState::Established => "ESTABLISHED",
        ConntrackState::Related => "RELATED to a connection",
        ConntrackState::Invalid => "INVALID",
        ConntrackState::Untracked => "UNTRACKED",
    }
}

fn bridge_sentence(bridge: &str, port_in: Option<&str>, decision: &BridgeDecision, here: &str) -> String {
    let from = port_in.map(|p| format!(" from {p}")).unwrap_or_default();
    match decision {
        BridgeDecision::Up => {
            format!(
                "{bridge}: the frame{from} is addressed to the bridge's own MAC, so it goes up to {here}'s IP stack."
            )
        }
        BridgeDecision::Forward { port } => {
            format!(
                "{bridge}: the MAC table knows the receiver behind {port}, so the frame{from} leaves by that port."
            )
        }
        BridgeDecision::Flood { ports } => {
            format!(
                "{bridge}: the frame{from} is for everyone or for an unknown MAC, so it leaves by all other ports ({}).",
                ports.join(", ")
            )
        }
        BridgeDecision::SamePort => {
            format!(
                "{bridge}: the receiver is behind the port that the frame came from, and hairpin mode is off, so it is not sent."
            )
        }
        BridgeDecision::Hairpin { port } => {
            format!(
                "{bridge}: the receiver is behind {port} itself; hairpin mode lets the frame go back there."
            )
        }
    }
}

/// Forwarding takes one from the TTL (RFC 1812 §5.3.1), before the FORWARD hook.
fn fallen_ttl(before: &Packet, after: &Packet) -> String {
    match (ttl(before), ttl(after)) {
        (Some(old), Some(new)) if new < old => format!(" TTL falls from {old} to {new}."),
        _ => String::new(),
    }
}

fn route_sentence(
    dst: &str,
    decision: &RouteDecision,
    here: &str,
    before: &Packet,
    after: &Packet,
) -> String {
    let hops = fallen_ttl(before, after);
    match decision {
        RouteDecision::Local { .. } => format!("route: {dst} is an address of {here} itself."),
        RouteDecision::Unicast {
            prefix,
            via: Some(via),
            device,
            ..
        } => {
            format!("route: {dst} matches {prefix}, next hop {via} on {device}.{hops}")
        }
        RouteDecision::Unicast { prefix, device, .. } => {
            format!("route: {dst} matches {prefix}, on the link of {device}.{hops}")
        }
        RouteDecision::Refused { kind, prefix } => format!("route: {dst} matches {prefix}, of type {kind}."),
        RouteDecision::NoRoute => format!("route: no route of {here} leads to {dst}."),
    }
}

fn because(step: &Step, hits: &[RuleHit]) -> String {
    let origin = step.origin.as_ref().or_else(|| {
        hits.iter()
            .rev()
            .find(|h| h.matched)
            .and_then(|h| h.origin.as_ref())
    });
    match origin {
        Some(origin) => match &origin.object {
            Some(object) => format!(" ({object}, written by {})", origin.writer),
            None => format!(" (written by {})", origin.writer),
        },
        None => String::new(),
    }
}

/// What the rule's own comment says: `, "shop/web has no endpoints"`.
fn remark(hit: &RuleHit) -> String {
    let comment = hit
        .text
        .split_once("--comment ")
        .map(|(_, rest)| match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => rest.split(' ').next().unwrap_or_default(),
        });
    comment.map(|c| format!(", \"{c}\"")).unwrap_or_default()
}

fn hook_sentence(
    step: &Step,
    hook: HookName,
    table: &str,
    hits: &[RuleHit],
    verdict: RuleVerdict,
    before: &Packet,
) -> String {
    let why = because(step, hits);
    let fall = fallen_ttl(before, &step.packet);
    match verdict {
        RuleVerdict::Dnat => {
            format!(
                "{hook}: destination {} becomes {}{why}.",
                destination(before),
                destination(&step.packet)
            )
        }
        RuleVerdict::Snat => format!(
            "{hook}: source {} becomes {}{why}.",
            source(before),
            source(&step.packet)
        ),
        RuleVerdict::Drop => match accepted_by(hits) {
            Some(hit) => format!(
                "{hook}: rule {} of {} drops the packet{}{why}.",
                hit.number,
                hit.chain,
                remark(hit)
            ),
            None => format!("{hook}: the policy of table {table} drops the packet."),
        },
        RuleVerdict::Reject => match accepted_by(hits) {
            Some(hit) => format!(
                "{hook}: rule {} of {} rejects the packet{}{why}.",
                hit.number,
                hit.chain,
                remark(hit)
            ),
            None => format!("{hook}: table {table} rejects the packet{why}."),
        },
        RuleVerdict::Accept => match accepted_by(hits) {
            Some(hit) if hit.text.ends_with("-j ACCEPT") => {
                format!(
                    "{hook}: accepted by rule {} of {}{why}.{fall}",
                    hit.number, hit.chain
                )
            }
            Some(_) => format!(
                "{hook}: rules of table {table} match, and none of them stops or changes the packet.{fall}"
            ),
            None => format!("{hook}: no rule of table {table} matches, so it passes.{fall}"),
        },
    }
}

fn is_icmp(protocol: L4Protocol) -> bool {
    matches!(protocol, L4Protocol::Icmp | L4Protocol::Icmpv6)
}

/// A socket's own end; ICMP has no ports, only the identifier that its socket is found by.
fn own_end(protocol: L4Protocol, local: SocketAddr) -> String {
    if is_icmp(protocol) || local.port() == 0 {
        local.ip().to_string()
    } else {
        local.to_string()
    }
}

fn drop_words(cause: &DropCause, before: &Packet) -> String {
    match cause {
        DropCause::Rule => "dropped by a rule; no answer goes back".to_owned(),
        DropCause::Rejected => "rejected by a rule; an error goes back".to_owned(),
        DropCause::NoRoute => format!(
            "no route to {}",
            before.dst_ip().map(|d| d.to_string()).unwrap_or_default()
        ),
        DropCause::NeighbourFailed => "nobody answers for the next hop".to_owned(),
        DropCause::TtlExceeded => "the time to live is used up".to_owned(),
        DropCause::TooBig { mtu_bytes } => {
            format!("too big for the way out (MTU {mtu_bytes}) and may not be cut")
        }
        DropCause::NoSocket => "nothing listens there".to_owned(),
        DropCause::TableFull => "nf_conntrack: table full, dropping packet".to_owned(),
        DropCause::Clash => "another packet opened the same connection just now".to_owned(),
        DropCause::ForwardingOff => "not for this machine, and ip_forward is off".to_owned(),
        DropCause::ReversePath => {
            "the way back to the source is by another interface, and rp_filter is strict".to_owned()
        }
        DropCause::Martian => "a source address that cannot come from there".to_owned(),
        DropCause::LinkDown => "the interface is down".to_owned(),
        DropCause::OtherHost => "the frame is for another station".to_owned(),
        DropCause::SamePort => "the bridge does not send a frame back where it came from".to_owned(),
        DropCause::NoListener => "nobody is plugged in there".to_owned(),
        DropCause::SocketIgnored => "the socket has no use for it".to_owned(),
        DropCause::Loop => "it goes round without end".to_owned(),
        DropCause::AwaitsFragments => "a piece of a larger packet, kept until the rest is here".to_owned(),
        DropCause::NotModelled => "what becomes of it here is not modelled".to_owned(),
        DropCause::Fault => "a fault drops it".to_owned(),
    }
}
