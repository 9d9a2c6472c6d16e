//! The walk against the real Linux kernel: topologies whose paths were recorded from network namespaces of a real
//! kernel with real iptables (each file in `oracle/` says which, and when), walked here and compared line by line.

mod support;

use hoplab_kernel::NetNsId;
use hoplab_kernel::Overlay;
use hoplab_kernel::process::SocketError;
use hoplab_kernel::sim::{Flight, Limits, Sim};
use hoplab_trace::{Name, Step, StepKind};
use hoplab_wire::L4Protocol;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use support::party::{Answer, Client, Prefer, Question};
use support::{print, world};

/// Walks every request of a recording; says where the walk and the kernel differ.
fn differences(recording: &str) -> Vec<String> {
    let recording: Value = serde_json::from_str(recording).expect("a recording");
    let (net, names) = world::world(&recording);
    let mut overlay = Overlay::default();
    let mut out = Vec::new();
    for case in recording["requests"].as_array().expect("requests") {
        let request = &case["request"];
        let from = names
            .iter()
            .position(|n| Some(n.as_str()) == request["from"].as_str())
            .expect("a sender");
        let protocol = match request["proto"].as_str() {
            Some("udp") => L4Protocol::Udp,
            Some("icmp") => L4Protocol::Icmp,
            _ => L4Protocol::Tcp,
        };
        let dst = request["dst"]
            .as_str()
            .expect("a destination")
            .parse()
            .expect("an address");
        let question = Question {
            protocol,
            to: SocketAddr::new(dst, request["port"].as_u64().unwrap_or(0) as u16),
            size: request["size"].as_u64().unwrap_or(32) as usize,
            df: request["df"].as_bool().unwrap_or(false),
            patience: Duration::from_millis(800),
        };
        let backend = case["backend"].as_str().unwrap_or("");
        // The recorder asked until the wanted backend answered, and what those tries left behind counts.
        let tally = case["tally"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str());
        let others = tally.filter(|name| *name != backend && *name != "timeout");
        let again = request["repeat"].as_u64().filter(|n| *n > 1).map(|_| backend);
        let tries: Vec<&str> = others.chain(again).chain([backend]).collect();
        let (mut flights, mut told, mut unknowns) = (Vec::new(), None, Vec::new());
        for wanted in tries {
            let address = address_of(&recording, wanted).unwrap_or_default();
            let mut chooser = Prefer::new(&address);
            let mut sim = Sim::new(&net, overlay, &mut chooser, Limits::default());
            let (client, answer) = Client::new(question.clone());
            sim.spawn(NetNsId(from as u32), Box::new(client), Name::from("client"));
            sim.run();
            unknowns = sim.unknowns().to_vec();
            (flights, _, overlay) = sim.into_parts();
            told = answer.borrow().clone();
        }
        let id = case["id"].as_str().expect("an id");
        let mut differ = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                out.push(format!("{id}: {what}\n--- here\n{ours}\n--- Linux\n{theirs}\n"));
            }
        };
        let theirs = expected(case, protocol);
        differ("answer", describe(&told), theirs);
        for (direction, label) in [
            ("forward", forward_label(protocol)),
            ("reply", reply_label(protocol)),
        ] {
            let ours = way(&flights, label, &names);
            let theirs: Vec<&str> = case[direction]
                .as_array()
                .expect("a path")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let theirs: Vec<String> = theirs.iter().map(|l| tracked(l)).collect();
            differ(direction, ours.join("\n"), theirs.join("\n"));
        }
        let theirs: Vec<&str> = case["icmp"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        differ(
            "ICMP errors",
            print::icmp_errors(&flights, &names).join("\n"),
            theirs.join("\n"),
        );
        for (place, lines) in case["conntrack"].as_object().into_iter().flatten() {
            let [line] = lines.as_array().map_or(&[][..], |l| &l[..]) else {
                continue;
            };
            let netns = names.iter().position(|n| n == place).expect("a recorded place");
            let ours = print::newest_connection(&overlay, NetNsId(netns as u32));
            let theirs = print::recorded_connection(line.as_str().expect("a line"));
            differ(&format!("connection on {place}"), ours, theirs);
        }
        differ("unknowns", format!("{unknowns:?}"), "[]".to_owned());
    }
    out
}

/// The recording names a hook where connection tracking looks at the packet; the walk has a step for just that.
fn tracked(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        [ns, "PREROUTING" | "OUTPUT", packet] => format!("{ns} TRACK {packet}"),
        _ => line.to_owned(),
    }
}

fn forward_label(protocol: L4Protocol) -> &'static str {
    match protocol {
        L4Protocol::Tcp => "SYN",
        L4Protocol::Udp => "UDP",
        _ => "ICMP echo request",
    }
}

fn reply_label(protocol: L4Protocol) -> &'static str {
    match protocol {
        L4Protocol::Tcp => "SYN ACK",
        L4Protocol::Udp => "answer",
        _ => "ICMP echo reply",
    }
}

fn way(flights: &[Flight], label: &str, names: &[String]) -> Vec<String> {
    let fits = |f: &&Flight| match label {
        "UDP" => f.label.starts_with("UDP"),
        label => f.label == label,
    };
    let Some(first) = flights.iter().find(fits) else {
        return Vec::new();
    };
    let mut out = print::lines(first, names);
    let mut on = first;
    // A piece that waited for the others: the packet went on as the piece that came last.
    while let Some((place, step)) = on.steps.last()
        && matches!(step.kind, StepKind::Reassemble { whole: false, .. })
    {
        let whole = |(n, s): &(NetNsId, Step)| {
            n == place && matches!(s.kind, StepKind::Reassemble { whole: true, .. })
        };
        let rest = flights
            .iter()
            .find_map(|f| f.steps.iter().position(whole).map(|at| (f, at)));
        let Some((flight, at)) = rest else { break };
        out.extend(print::lines_from(flight, names, at));
        on = flight;
    }
    out
}

fn address_of(recording: &Value, name: &str) -> Option<String> {
    let ns = recording["netns"]
        .as_array()?
        .iter()
        .find(|n| n["name"].as_str() == Some(name))?;
    let address = ns["links"].as_array()?.first()?["addrs"]
        .as_array()?
        .first()?
        .as_str()?;
    address.split('/').next().map(str::to_owned)
}

fn describe(answer: &Option<Answer>) -> String {
    match answer {
        Some(Answer::Text(text)) => text.clone(),
        Some(Answer::Timeout) | None => "timeout".to_owned(),
        Some(Answer::Error(SocketError::Refused)) => "ECONNREFUSED".to_owned(),
        Some(Answer::Error(SocketError::MessageSize { .. })) => "EMSGSIZE".to_owned(),
        Some(Answer::Error(other)) => format!("{other:?}"),
    }
}

fn expected(case: &Value, protocol: L4Protocol) -> String {
    if protocol == L4Protocol::Icmp && case["error"].is_null() {
        // The recorder says which reply came; the walk's client has its payload back.
        return "x".repeat(32);
    }
    match (
        case["error"].as_str(),
        case["backend"].as_str(),
        case["src"].as_str(),
    ) {
        (Some(error), ..) => error.to_owned(),
        (_, Some(backend), Some(src)) => format!("{backend} {src}"),
        _ => String::new(),
    }
}

fn check(recording: &str) {
    let found = differences(recording);
    assert!(
        found.is_empty(),
        "{} differences\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn host_gateway_routes() {
    check(include_str!("oracle/hostgw.json"));
}

#[test]
fn vxlan() {
    check(include_str!("oracle/vxlan.json"));
}

#[test]
fn routed_pods_with_proxy_arp() {
    check(include_str!("oracle/ptp.json"));
}

#[test]
fn bridge_without_br_netfilter() {
    check(include_str!("oracle/no_br_netfilter.json"));
}

#[test]
fn tunnel_mtu() {
    check(include_str!("oracle/vxlan_mtu.json"));
}

#[test]
fn tunnel_over_a_narrow_network() {
    check(include_str!("oracle/vxlan_mtu_blackhole.json"));
}

#[test]
fn policy_chains() {
    check(include_str!("oracle/policy.json"));
}
