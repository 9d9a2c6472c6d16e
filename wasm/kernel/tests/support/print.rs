//! A packet's way in a compact text: devices, hooks, rules that matched, rewritings.

use hoplab_kernel::sim::Flight;
use hoplab_trace::{HookName, RuleHit, StepKind};
use hoplab_wire::{Header, Packet};

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
