//! What a stop says: name, heading, sentence, tags, headers, rules. All of it from the steps that it holds.

use super::fold::{Raw, What};
use crate::{Place, RuleView, Tag};
use hoplab_source::Origin;
use hoplab_trace::{HookName, Locate, NatKind, RouteDecision, RuleHit, RuleVerdict, StepKind};
use hoplab_wire::{ArpOp, Header, IcmpKind, Packet};
use std::sync::Arc;

/// An origin as a place in a source.
pub(crate) fn place(origin: &Origin, locate: &dyn Locate) -> Option<Place> {
    let object = origin.object.as_ref()?;
    let at = locate.locate(origin);
    Some(Place {
        object: object.to_string(),
        field: origin.field.to_string(),
        writer: origin.writer.to_string(),
        line: at.as_ref().map(|l| l.line),
        column: at.as_ref().map(|l| l.column),
        file: at.map(|l| l.file),
    })
}

/// The last of a pod's name, or a machine's name: `cart-5c9f8-x9k2p`, `worker-1`.
fn whose(place: &hoplab_trace::Place) -> String {
    match place {
        hoplab_trace::Place::Pod(name) => name.rsplit('/').next().unwrap_or(name).to_owned(),
        hoplab_trace::Place::HostNetNs(host, netns) => format!("{host} {netns}"),
        hoplab_trace::Place::External(address) => address.to_string(),
        hoplab_trace::Place::Node(name)
        | hoplab_trace::Place::Host(name)
        | hoplab_trace::Place::Router(name) => name.to_string(),
    }
}

fn device(raw: &Raw<'_>) -> Option<String> {
    raw.steps.iter().find_map(|(s, _)| match &s.kind {
        StepKind::Egress { device } | StepKind::Ingress { device } => Some(device.to_string()),
        _ => None,
    })
}

/// The left column of the list.
pub(crate) fn name(raw: &Raw<'_>, network: Option<&str>) -> String {
    let (lead, _) = raw.lead();
    match raw.what {
        What::Leaves | What::Arrives => match (raw.place, device(raw)) {
            (hoplab_trace::Place::Pod(_), Some(device)) => format!("{} {device}", whose(raw.place)),
            (_, _) => whose(raw.place),
        },
        What::CardOut if raw.shape.is_none() => device(raw).unwrap_or_default(),
        What::CardOut | What::CardIn => format!("{} {}", whose(raw.place), device(raw).unwrap_or_default()),
        What::Wire => match raw.place {
            hoplab_trace::Place::External(_) | hoplab_trace::Place::Router(_) => {
                network.unwrap_or("internet").to_owned()
            }
            _ => network.unwrap_or("network").to_owned(),
        },
        What::Passes => whose(raw.place),
        _ => lead.name(),
    }
}

/// What is written inside the packet.
pub(crate) fn flag(packet: &Packet, label: &str) -> String {
    match packet.headers.last() {
        Some(Header::Tcp(tcp)) => {
            let f = tcp.flags;
            let payload = !packet.payload.0.is_empty();
            let word = label.split_whitespace().next().unwrap_or_default();
            match () {
                () if f.rst => "RST",
                () if f.syn && f.ack => "SYN ACK",
                () if f.syn => "SYN",
                () if payload && !word.is_empty() => word,
                () if f.fin => "FIN",
                () => "ACK",
            }
            .to_owned()
        }
        Some(Header::Icmp(icmp)) => match icmp.kind {
            IcmpKind::EchoRequest { .. } => "echo".to_owned(),
            IcmpKind::EchoReply { .. } => "reply".to_owned(),
            IcmpKind::NeighbourSolicitation { .. } => "who has".to_owned(),
            IcmpKind::NeighbourAdvertisement { .. } => "is at".to_owned(),
            _ => "ICMP".to_owned(),
        },
        Some(Header::Arp(arp)) => if arp.op == ArpOp::Request {
            "who has"
        } else {
            "is at"
        }
        .to_owned(),
        Some(Header::Udp(udp)) if udp.dst == 53 => "query".to_owned(),
        Some(Header::Udp(udp)) if udp.src == 53 => "answer".to_owned(),
        Some(Header::Udp(_)) => "UDP".to_owned(),
        Some(Header::Sctp(sctp)) => sctp.chunk.name().to_owned(),
        _ => label.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

/// The packet's tail: `tcp`, `udp`, `icmp`, `arp`.
pub(crate) fn protocol(packet: &Packet) -> &'static str {
    match packet.headers.last() {
        Some(Header::Tcp(_)) => "tcp",
        Some(Header::Udp(_)) => "udp",
        Some(Header::Sctp(_)) => "sctp",
        Some(Header::Icmp(_)) => "icmp",
        Some(Header::Arp(_)) => "arp",
        _ => "ip",
    }
}

fn ip(address: Option<std::net::IpAddr>) -> String {
    address.map_or_else(|| "its link".to_owned(), |a| a.to_string())
}

fn tunnels(packet: &Packet) -> usize {
    packet
        .headers
        .iter()
        .filter(|h| matches!(h, Header::Vxlan(_)))
        .count()
}

/// The few words of the list.
pub(crate) fn short(raw: &Raw<'_>, label: &str) -> String {
    let (lead, before) = raw.lead();
    let boxed = tunnels(&lead.packet) > 0;
    match raw.what {
        What::Leaves => {
            let to = hoplab_trace::destination(&lead.packet);
            if to.is_empty() {
                label.to_owned()
            } else {
                format!("{} to {to}", flag(&lead.packet, label))
            }
        }
        What::Wire => format!("{} to {}", ip(lead.packet.src_ip()), ip(lead.packet.dst_ip())),
        What::CardOut if boxed => "outer packet leaves".to_owned(),
        What::CardIn if boxed => "outer packet arrives".to_owned(),
        What::Passes => {
            route(raw).map_or_else(|| lead.short(before, raw.place), |(s, b)| s.short(&b, raw.place))
        }
        What::Bridge => match &lead.kind {
            StepKind::Bridge {
                decision: hoplab_trace::BridgeDecision::Forward { port },
                ..
            } => format!("to {port}"),
            _ => lead.short(before, raw.place),
        },
        _ => lead.short(before, raw.place),
    }
}

fn route<'t>(raw: &Raw<'t>) -> Option<(&'t hoplab_trace::Step, Arc<Packet>)> {
    raw.steps
        .iter()
        .find(|(s, _)| matches!(s.kind, StepKind::Route { .. }))
        .cloned()
}

/// The heading of the inspector.
pub(crate) fn title(raw: &Raw<'_>) -> String {
    let here = raw.place.in_words();
    let (lead, _) = raw.lead();
    match raw.what {
        What::Leaves => match raw.place {
            hoplab_trace::Place::Pod(_) if device(raw).as_deref() == Some("lo") => {
                "Stays in the pod".to_owned()
            }
            hoplab_trace::Place::Pod(_) => "Leaves the pod".to_owned(),
            _ => format!("Starts at {here}"),
        },
        What::Enters => "Enters the node".to_owned(),
        What::Hook(hook) => hook_title(raw, hook),
        What::Bridge => "Through the bridge".to_owned(),
        What::Route => match &lead.kind {
            StepKind::Route {
                decision: RouteDecision::Unicast { device, .. },
                ..
            } => format!("Routed to {device}"),
            StepKind::Route {
                decision: RouteDecision::NoRoute,
                ..
            } => "No route".to_owned(),
            _ => "Not routed".to_owned(),
        },
        What::Boxed => "Boxed inside VXLAN".to_owned(),
        What::Unboxed => "Unboxed".to_owned(),
        What::CardOut => format!("Leaves {here}"),
        What::Wire => "On the wire".to_owned(),
        What::CardIn => format!("Arrives at {here}"),
        What::Arrives => match &lead.kind {
            StepKind::Socket { process: Some(_), .. } => "Delivered".to_owned(),
            StepKind::Socket { process: None, .. } => "Nothing listens".to_owned(),
            _ => format!("Arrives at {here}"),
        },
        What::Passes => format!("Passes {here}"),
        What::Ends => match &lead.kind {
            StepKind::Fault { name } => format!("Fault {name}"),
            _ => "Ends here".to_owned(),
        },
    }
}

fn hook_title(raw: &Raw<'_>, hook: HookName) -> String {
    let (lead, _) = raw.lead();
    match &lead.kind {
        StepKind::Hook { verdict, .. } => match verdict {
            RuleVerdict::Dnat => "Destination rewritten",
            RuleVerdict::Snat => "Source rewritten",
            RuleVerdict::Drop => "Dropped by a rule",
            RuleVerdict::Reject => "Rejected by a rule",
            RuleVerdict::Accept if hook == HookName::Forward => "Allowed through",
            RuleVerdict::Accept => "Allowed",
        },
        StepKind::Nat { kind, .. } => match kind {
            NatKind::Dnat => "Destination rewritten again",
            NatKind::Snat => "Source rewritten again",
            NatKind::UnDnat => "Source put back",
            NatKind::UnSnat => "Destination put back",
        },
        _ => "Netfilter",
    }
    .to_owned()
}

/// What happened here, by whom, why.
pub(crate) fn sentence(raw: &Raw<'_>) -> String {
    let (lead, before) = raw.lead();
    if raw.what == What::Wire {
        let (from, to) = (ip(lead.packet.src_ip()), ip(lead.packet.dst_ip()));
        return if tunnels(&lead.packet) > 0 {
            format!(
                "Switches see only the outer headers, from {from} to {to}. What is boxed inside is hidden from them."
            )
        } else {
            format!(
                "The packet crosses the network from {from} to {to}, as it left {}.",
                raw.place.in_words()
            )
        };
    }
    let mut said = lead.sentence(before, raw.place);
    for (i, (step, before)) in raw.steps.iter().enumerate() {
        let tells = match &step.kind {
            StepKind::Route { .. } => matches!(raw.what, What::Leaves | What::Passes),
            StepKind::Process { .. }
            | StepKind::IcmpError { .. }
            | StepKind::Fragment { .. }
            | StepKind::Reassemble { .. }
            | StepKind::Fault { .. } => true,
            StepKind::Drop { .. } => !matches!(raw.what, What::Hook(_)),
            StepKind::Nat { .. } => true,
            StepKind::Hook { verdict, .. } => *verdict != RuleVerdict::Accept,
            StepKind::Neighbour { .. } => matches!(raw.what, What::Boxed),
            _ => false,
        };
        if tells && i != raw.lead {
            said.push(' ');
            said.push_str(&step.sentence(before, raw.place));
        }
    }
    said
}

fn tag(text: impl Into<String>, kind: &str) -> Tag {
    Tag {
        text: text.into(),
        kind: kind.to_owned(),
    }
}

/// Hops that the packet may still go: that of the header which routers look at here.
fn ttl(packet: &Packet) -> Option<u8> {
    packet.headers.iter().find_map(|h| match h {
        Header::Ipv4(ip) => Some(ip.ttl_hops),
        Header::Ipv6(ip) => Some(ip.hop_limit),
        _ => None,
    })
}

/// Small marks, the most telling first.
pub(crate) fn tags(raw: &Raw<'_>) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (step, _) in &raw.steps {
        match &step.kind {
            StepKind::Hook { verdict, .. } => match verdict {
                RuleVerdict::Dnat => tags.push(tag("DNAT", "nat")),
                RuleVerdict::Snat => tags.push(tag("SNAT", "nat")),
                RuleVerdict::Drop => tags.push(tag("DROP", "deny")),
                RuleVerdict::Reject => tags.push(tag("REJECT", "deny")),
                RuleVerdict::Accept => {}
            },
            StepKind::Nat { kind, .. } => tags.push(tag(
                match kind {
                    NatKind::Dnat => "DNAT",
                    NatKind::Snat => "SNAT",
                    NatKind::UnDnat => "un-DNAT",
                    NatKind::UnSnat => "un-SNAT",
                },
                "nat",
            )),
            StepKind::Encap { overhead_bytes, .. } => tags.push(tag(format!("+{overhead_bytes} B"), "encap")),
            StepKind::Decap { overhead_bytes, .. } => tags.push(tag(format!("−{overhead_bytes} B"), "encap")),
            StepKind::Fragment { pieces, .. } => tags.push(tag(format!("{pieces} pieces"), "warn")),
            StepKind::Fault { .. } => tags.push(tag("fault", "deny")),
            StepKind::Drop { .. } if !tags.iter().any(|t| t.kind == "deny") => {
                tags.push(tag("dropped", "deny"))
            }
            StepKind::Originate { .. } if matches!(step.packet.headers.last(), Some(Header::Tcp(t)) if t.flags.rst) =>
            {
                tags.push(tag("RST", "deny"));
            }
            _ => {}
        }
    }
    tags.dedup();
    let (first, last) = (
        raw.steps.first().map(|(_, before)| before),
        raw.steps.last().map(|(s, _)| &s.packet),
    );
    if let (Some(before), Some(now)) = (first, last)
        && tunnels(before) == tunnels(now)
        && let (Some(old), Some(new)) = (ttl(before), ttl(now))
        && new < old
    {
        tags.push(tag(format!("TTL {new}"), "plain"));
    }
    tags
}

/// The rules asked at a stop, in order.
pub(crate) fn rules(raw: &Raw<'_>, locate: &dyn Locate) -> Vec<RuleView> {
    if raw.what == What::Wire {
        return Vec::new();
    }
    let mut rules = Vec::new();
    for (step, _) in &raw.steps {
        if let StepKind::Hook {
            table, hits, verdict, ..
        } = &step.kind
        {
            rules.extend(hits.iter().map(|hit| rule(table, hit, *verdict, locate)));
        }
    }
    rules
}

fn rule(table: &str, hit: &RuleHit, verdict: RuleVerdict, locate: &dyn Locate) -> RuleView {
    let text = match (hit.text.is_empty(), hit.depth) {
        (false, _) => hit.text.to_string(),
        (true, 0) => {
            let policy = if verdict == RuleVerdict::Drop {
                "DROP"
            } else {
                "ACCEPT"
            };
            format!("-P {} {policy}", hit.chain)
        }
        (true, _) => format!("end of {}", hit.chain),
    };
    RuleView {
        table: table.to_owned(),
        chain: hit.chain.to_string(),
        depth: u32::from(hit.depth),
        text,
        number: hit.number,
        of: hit.of,
        matched: hit.matched,
        origin: hit.origin.as_ref().and_then(|o| place(o, locate)),
    }
}

/// Where the stop's decision comes from.
pub(crate) fn origin<'t>(raw: &Raw<'t>) -> Option<&'t Origin> {
    if raw.what == What::Wire {
        return None;
    }
    let (lead, _) = raw.lead();
    if let Some(origin) = lead.origin.as_deref().filter(|o| o.object.is_some()) {
        return Some(origin);
    }
    let hits = match &lead.kind {
        StepKind::Hook { hits, .. } => hits.as_slice(),
        _ => &[],
    };
    let ruled = hits
        .iter()
        .rev()
        .filter(|h| h.matched)
        .find_map(|h| h.origin.as_deref().filter(|o| o.object.is_some()));
    ruled.or_else(|| {
        raw.steps
            .iter()
            .find_map(|(s, _)| s.origin.as_deref().filter(|o| o.object.is_some()))
    })
}
