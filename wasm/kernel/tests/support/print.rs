//! A packet's way in a compact text: devices, hooks, rules that matched, rewritings.

use hoplab_kernel::conntrack::{Direction, TcpState, Tuple};
use hoplab_kernel::sim::Flight;
use hoplab_kernel::{NetNsId, Overlay};
use hoplab_trace::{HookName, RuleHit, StepKind};
use hoplab_wire::{Header, IcmpKind, L4Protocol, Packet};

/// Ports that are not chosen by the kernel.
const KNOWN_PORTS: [u16; 8] = [53, 80, 8080, 8472, 9999, 30_080, 30_081, 30_083];

fn port(port: u16) -> String {
    if KNOWN_PORTS.contains(&port) {
        port.to_string()
    } else {
        "*".to_owned()
    }
}

fn innermost(packet: &Packet) -> Packet {
    let last = packet.headers.iter().rposition(|h| matches!(h, Header::Ipv4(_)));
    Packet {
        headers: packet.headers[last.unwrap_or(0)..].to_vec(),
        payload: packet.payload.clone(),
    }
}

fn addresses(packet: &Packet) -> String {
    let (Some(src), Some(dst)) = (packet.src_ip(), packet.dst_ip()) else {
        return "?".to_owned();
    };
    match packet.ports() {
        Some((sport, dport)) => format!("{src}:{}>{dst}:{}", port(sport), port(dport)),
        None => format!("{src}>{dst}"),
    }
}

fn on_wire(packet: &Packet) -> String {
    let inner = innermost(packet);
    let tunnel = packet.headers.iter().any(|h| matches!(h, Header::Vxlan(_)));
    let tunnel = if tunnel { " in vxlan" } else { "" };
    format!(
        "{}{tunnel} ttl={}",
        addresses(&inner),
        inner.ttl_hops().unwrap_or(0)
    )
}

fn verdict(hit: &RuleHit) -> String {
    let (_, action) = hit.text.rsplit_once(" -j ").unwrap_or(("", &hit.text));
    let target = action.split(' ').next().unwrap_or("");
    match target {
        "ACCEPT" | "DROP" | "RETURN" => target.to_owned(),
        // nf_tables' own words for what iptables' targets say.
        "REJECT" => "DROP".to_owned(),
        "DNAT" | "SNAT" | "MASQUERADE" => "ACCEPT".to_owned(),
        "MARK" => "CONTINUE".to_owned(),
        chain => format!("JUMP {chain}"),
    }
}

/// One line a step, without what the recorded form does not have. A rewriting stands after the rules of its hook, as
/// it was recorded there.
pub fn lines(flight: &Flight, names: &[String]) -> Vec<String> {
    lines_from(flight, names, 0)
}

/// The same from a step on.
pub fn lines_from(flight: &Flight, names: &[String], first: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut before: Option<&Packet> = None;
    let mut rewriting: Option<(HookName, String)> = None;
    for (index, (netns, step)) in flight.steps.iter().enumerate() {
        let ns = &names[netns.0 as usize];
        let now = addresses(&step.packet);
        let hook = match &step.kind {
            StepKind::Hook { hook, .. } | StepKind::Nat { hook, .. } => Some(*hook),
            _ => None,
        };
        if let Some((at, line)) = rewriting.take_if(|(at, _)| hook != Some(*at)) {
            let _ = at;
            out.push(line);
        }
        let start = out.len();
        match &step.kind {
            StepKind::Ingress { device } if &**device != "lo" => {
                out.push(format!("{ns} in {device} {}", on_wire(&step.packet)));
            }
            StepKind::Egress { device } if &**device != "lo" => {
                out.push(format!("{ns} out {device} {}", on_wire(&step.packet)));
            }
            StepKind::Conntrack { .. } => out.push(format!("{ns} TRACK {now}")),
            StepKind::Hook {
                hook, table, hits, ..
            } => {
                for hit in hits.iter().filter(|h| h.matched) {
                    let rule = match hit.number {
                        0 => "policy DROP".to_owned(),
                        number => format!("#{number} {}", verdict(hit)),
                    };
                    out.push(format!("{ns} {hook} {table}/{} {rule}", hit.chain));
                }
            }
            _ => {}
        }
        if index < first {
            out.truncate(start);
        }
        if let (Some(hook), Some(old)) = (hook, before)
            && (old.src_ip(), old.dst_ip(), old.ports())
                != (step.packet.src_ip(), step.packet.dst_ip(), step.packet.ports())
        {
            rewriting = Some((hook, format!("{ns} {hook} {} => {now}", addresses(old))));
        }
        before = Some(&step.packet);
    }
    out.extend(rewriting.map(|(_, line)| line));
    out
}

/// ICMP errors at each device, as recorded.
pub fn icmp_errors(flights: &[Flight], names: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for (netns, step) in flights.iter().flat_map(|f| f.steps.iter()) {
        let (way, device) = match &step.kind {
            StepKind::Ingress { device } => ("in", device),
            StepKind::Egress { device } => ("out", device),
            _ => continue,
        };
        let Some((icmp, quoted)) = step.packet.icmp().and_then(|i| Some((i, i.quoted.as_ref()?))) else {
            continue;
        };
        let kind = match icmp.kind {
            IcmpKind::PortUnreachable => "ICMP-3/3",
            IcmpKind::HostUnreachable => "ICMP-3/1",
            IcmpKind::NetUnreachable => "ICMP-3/0",
            IcmpKind::FragmentationNeeded { .. } => "ICMP-3/4",
            IcmpKind::TimeExceeded => "ICMP-11/0",
            _ => "ICMP",
        };
        let mtu = match icmp.kind {
            IcmpKind::FragmentationNeeded { mtu_bytes } => format!(" mtu={mtu_bytes}"),
            _ => String::new(),
        };
        let ns = &names[netns.0 as usize];
        out.push(format!(
            "{ns}/{device} {way} {kind} {}{mtu} about {}",
            addresses(&step.packet),
            addresses(quoted)
        ));
    }
    out
}

fn ends(tuple: &Tuple) -> String {
    match tuple.protocol {
        L4Protocol::Icmp => format!(
            "src={} dst={} type={} code=0",
            tuple.src, tuple.dst, tuple.dst_port
        ),
        _ => {
            let (sport, dport) = (port(tuple.src_port), port(tuple.dst_port));
            format!("src={} dst={} sport={sport} dport={dport}", tuple.src, tuple.dst)
        }
    }
}

/// The newest connection that is not a tunnel's, without what hangs on the recorder's timing.
pub fn newest_connection(overlay: &Overlay, netns: NetNsId) -> String {
    let Some(state) = overlay.stack(netns) else {
        return String::new();
    };
    let mine = |t: &Tuple| t.dst_port != 8472;
    let found = state
        .conntrack
        .entries(overlay.now)
        .filter(|e| mine(&e.original))
        .last();
    let Some(entry) = found else { return String::new() };
    let protocol = entry.original.protocol;
    let first = match entry.tcp {
        Some(TcpState::SynSent) => " SYN_SENT",
        _ => "",
    };
    let unreplied = if entry.seen_reply { "" } else { " [UNREPLIED]" };
    let assured = if entry.assured { " [ASSURED]" } else { "" };
    let (original, reply) = (entry.tuple(Direction::Original), entry.tuple(Direction::Reply));
    format!(
        "{protocol}{first} {}{unreplied} {}{assured}",
        ends(original),
        ends(reply)
    )
}

/// A line of `conntrack -L` in the same form.
pub fn recorded_connection(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut out = vec![words.next().expect("a protocol").to_owned()];
    for word in words.skip(2) {
        match word.split_once('=') {
            Some(("sport" | "dport", value)) => {
                let (key, _) = word.split_once('=').expect("just split");
                out.push(format!("{key}={}", port(value.parse().expect("a port"))));
            }
            Some(("mark" | "zone" | "use" | "id", _)) => {}
            Some(_) => out.push(word.to_owned()),
            None if word.starts_with('[') || word == "SYN_SENT" => out.push(word.to_owned()),
            None => {}
        }
    }
    out.join(" ")
}
