//! Tunnels and VLANs: what is around a packet on the wire, how many bytes that takes, and that tshark reads it so.

mod support;

use hoplab_kernel::sim::{Flight, Limits, Sim};
use hoplab_kernel::{NetNsId, Overlay};
use hoplab_trace::{Name, StepKind};
use hoplab_wire::pcapng::{Capture, LinkType};
use hoplab_wire::{Header, L4Protocol, Packet};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;
use support::party::{Answer, Client, Prefer, Question};
use support::world;

/// Machines `a` (10.0.0.1) and `b` (10.0.0.2) with a device of this sort on each, 192.168.7.1 and .2.
fn machines(device: &dyn Fn(&str, &str) -> Value) -> Value {
    let machine = |name: &str, own: &str, other: &str, last: u8| {
        let mut device = device(own, other);
        device["name"] = json!("t0");
        // A VLAN's card has the link address of the one below.
        let group = if device["type"] == "vlan" { "00" } else { "07" };
        device["mac"] = json!(format!("02:00:00:00:{group}:0{last}"));
        device["addrs"] = json!([format!("192.168.7.{last}/24")]);
        json!({"name": name, "links": [
            {"name": "eth0", "type": "veth-peer", "mac": format!("02:00:00:00:00:0{last}"), "mtu": 1500,
             "addrs": [format!("{own}/24")]},
            device,
        ], "servers": [{"name": name, "port": 8080}]})
    };
    json!({"network": {"mtu": 1500}, "netns": [
        machine("a", "10.0.0.1", "10.0.0.2", 1),
        machine("b", "10.0.0.2", "10.0.0.1", 2),
    ]})
}

/// The answer to a request through the devices, and every packet.
fn ask(description: &Value) -> (Answer, Vec<Flight>) {
    let (net, _) = world::world(description);
    let mut chooser = Prefer::new("");
    let mut sim = Sim::new(&net, Overlay::default(), &mut chooser, Limits::default());
    let (client, answer) = Client::new(Question {
        protocol: L4Protocol::Tcp,
        to: "192.168.7.2:8080".parse().expect("an address"),
        size: 100,
        df: false,
        patience: Duration::from_secs(5),
    });
    sim.spawn(NetNsId(0), Box::new(client), Name::from("client"));
    sim.run();
    assert_eq!(sim.unknowns(), []);
    let (flights, ..) = sim.into_parts();
    let answer = answer.borrow().clone().expect("an end");
    (answer, flights)
}

/// The packets on the wire between the machines.
fn on_wire(flights: &[Flight]) -> Vec<Packet> {
    let steps = flights.iter().flat_map(|f| f.steps.iter());
    let sent = steps.filter(|(_, s)| matches!(&s.kind, StepKind::Egress { device } if &**device == "eth0"));
    sent.map(|(_, s)| (*s.packet).clone()).collect()
}

/// What tshark names the protocols of the frames; `None`: there is no tshark.
fn dissected(name: &str, packets: &[Packet]) -> Option<String> {
    if Command::new("tshark").arg("--version").output().is_err() {
        // Past the test harness, which keeps what passing tests print to itself.
        let _ = writeln!(std::io::stdout(), "skipped: {name} in tshark: there is no tshark");
        return None;
    }
    let mut capture = Capture::new("hoplab");
    let interface = capture.interface("eth0", "", LinkType::Ethernet);
    for packet in packets {
        capture.packet(interface, 0, &packet.to_bytes(), &[]);
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pcapng"));
    std::fs::write(&file, capture.into_bytes()).expect("a file");
    let output = Command::new("tshark")
        .arg("-r")
        .arg(&file)
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
        ])
        .args(["-T", "fields", "-e", "frame.protocols", "-e", "_ws.malformed"])
        .args([
            "-e",
            "ip.checksum.status",
            "-e",
            "udp.checksum.status",
            "-e",
            "tcp.checksum.status",
        ])
        .output()
        .expect("tshark runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn check(name: &str, device: &dyn Fn(&str, &str) -> Value, overhead: usize, layers: &str) {
    let (answer, flights) = ask(&machines(device));
    assert_eq!(answer, Answer::Text("b 192.168.7.1".to_owned()), "{name}");
    let packets = on_wire(&flights);
    let syn = packets
        .iter()
        .find(|p| {
            p.headers
                .iter()
                .any(|h| matches!(h, Header::Tcp(t) if t.flags.syn && !t.flags.ack))
        })
        .expect("a SYN on the wire");
    // A SYN is 44 bytes of IP.
    assert_eq!(syn.len_bytes(), 14 + 44 + overhead, "{name}: {syn:?}");
    assert_eq!(syn.to_bytes().len(), syn.len_bytes(), "{name}");
    let Some(text) = dissected(name, &packets) else {
        return;
    };
    let line = text.lines().find(|l| l.contains(layers));
    assert!(line.is_some(), "{name}: no {layers} in\n{text}");
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.get(1), Some(&""), "{name}: malformed: {line}");
        // 0 is "bad"; a list inside tunnels.
        let bad = fields
            .iter()
            .skip(2)
            .any(|f| f.split(',').any(|status| status == "0"));
        assert!(!bad, "{name}: checksum: {line}");
    }
}

#[test]
fn ipip_adds_one_header() {
    let device = |own: &str, other: &str| json!({"type": "ipip", "mtu": 1480, "local": own, "remote": other});
    check("ipip", &device, 20, "eth:ethertype:ip:ip:tcp");
}

#[test]
fn gre_adds_four_bytes_more() {
    let device = |own: &str, other: &str| json!({"type": "gre", "mtu": 1476, "local": own, "remote": other});
    check("gre", &device, 24, "eth:ethertype:ip:gre:ip:tcp");
}

#[test]
fn geneve_carries_frames() {
    let device = |own: &str, other: &str| json!({"type": "geneve", "mtu": 1450, "local": own, "remote": other, "port": 6081});
    check(
        "geneve",
        &device,
        50,
        "eth:ethertype:ip:udp:geneve:eth:ethertype:ip:tcp",
    );
}

#[test]
fn wireguard_hides_what_it_carries_and_pads_it() {
    let device = |_: &str, other: &str| {
        json!({"type": "wireguard", "mtu": 1420, "port": 51820, "allowed": "192.168.7.0/24",
               "endpoint": format!("{other}:51820")})
    };
    // 44 bytes are padded to 48; IP, UDP, head and tag.
    check(
        "wireguard",
        &device,
        4 + 20 + 8 + 16 + 16,
        "eth:ethertype:ip:udp:wg",
    );
}

#[test]
fn a_vlan_is_a_tag_of_four_bytes() {
    let device = |_: &str, _: &str| json!({"type": "vlan", "mtu": 1500, "lower": "eth0", "id": 5});
    check("vlan", &device, 4, "eth:ethertype:vlan:ethertype:ip:tcp");
}

#[test]
fn frames_of_another_vlan_are_not_taken() {
    let mut description = machines(&|_, _| json!({"type": "vlan", "mtu": 1500, "lower": "eth0", "id": 5}));
    description["netns"][1]["links"][1]["id"] = json!(6);
    let (answer, _) = ask(&description);
    assert_ne!(answer, Answer::Text("b 192.168.7.1".to_owned()));
}

#[test]
fn a_wireguard_peer_may_only_use_the_addresses_that_it_was_given() {
    let mut description = machines(&|_, other| {
        json!({"type": "wireguard", "mtu": 1420, "port": 51820, "allowed": "192.168.7.0/24",
               "endpoint": format!("{other}:51820")})
    });
    description["netns"][1]["links"][1]["allowed"] = json!("192.168.8.0/24");
    let (answer, _) = ask(&description);
    assert_eq!(answer, Answer::Timeout);
}
