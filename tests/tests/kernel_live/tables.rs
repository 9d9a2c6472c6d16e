//! What connection tracking remembers of a request, here and there.

use crate::machines::{Machine, Machines};
use crate::ways::Ports;
use hoplab_engine::Run;
use hoplab_trace::Outcome;
use std::collections::BTreeSet;

/// Every entry that only one of them has, by machine.
pub fn differences(run: &Run, machines: &Machines, ports: &Ports) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    // By the time that the engine's caller gives up, what it asked for has been forgotten.
    if run.trace.outcome == Outcome::Dropped {
        return Ok(out);
    }
    for machine in machines.all.iter().filter(|m| m.has_rules) {
        let (ours, theirs) = (walked(run, machine, ports), real(machine, ports)?);
        if ours != theirs {
            let lines = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("\n    ");
            out.push(format!(
                "connections of {}\n  here:\n    {}\n  Linux:\n    {}",
                machine.place,
                lines(&ours),
                lines(&theirs)
            ));
        }
    }
    Ok(out)
}

fn line(ports: &Ports, protocol: &str, ends: &[(String, u16); 4], answered: bool) -> String {
    let end = |(address, port): &(String, u16)| format!("{address} {}", ports.text(*port));
    let [a, b, c, d] = ends.each_ref().map(end);
    let unreplied = if answered { "" } else { " [UNREPLIED]" };
    format!("{protocol} {a} > {b}, {c} > {d}{unreplied}")
}

fn walked(run: &Run, machine: &Machine, ports: &Ports) -> BTreeSet<String> {
    let state = run.overlay.stack(machine.id);
    let entries = state
        .into_iter()
        .flat_map(|state| state.conntrack.entries(run.overlay.now));
    entries
        .map(|entry| {
            let (o, r) = (&entry.original, &entry.reply);
            let ends = [
                (o.src, o.src_port),
                (o.dst, o.dst_port),
                (r.src, r.src_port),
                (r.dst, r.dst_port),
            ];
            let ends = ends.map(|(address, port)| (address.to_string(), port));
            line(ports, o.protocol.name(), &ends, entry.seen_reply)
        })
        .collect()
}

fn real(machine: &Machine, ports: &Ports) -> Result<BTreeSet<String>, String> {
    let mut out = BTreeSet::new();
    for family in ["ipv4", "ipv6"] {
        let listed = machine.namespace.run(&["conntrack", "-L", "-f", family], "")?;
        for text in listed.lines() {
            let values = |key: &str| -> Vec<String> {
                let found = text.split(' ').filter_map(|word| word.strip_prefix(key));
                found.map(str::to_owned).collect()
            };
            let (src, dst) = (values("src="), values("dst="));
            let (sport, dport) = (values("sport="), values("dport="));
            let port = |list: &[String], at: usize| list.get(at).and_then(|p| p.parse().ok()).unwrap_or(0);
            let ([a, c], [b, d]) = (&src[..], &dst[..]) else {
                continue;
            };
            // What a bridge says about groups is of its own accord (IGMP, MLD).
            if b.parse().is_ok_and(|to: std::net::IpAddr| to.is_multicast()) {
                continue;
            }
            let ends = [
                (a.clone(), port(&sport, 0)),
                (b.clone(), port(&dport, 0)),
                (c.clone(), port(&sport, 1)),
                (d.clone(), port(&dport, 1)),
            ];
            let protocol = text.split(' ').next().unwrap_or_default();
            out.insert(line(ports, protocol, &ends, !text.contains("[UNREPLIED]")));
        }
    }
    Ok(out)
}
