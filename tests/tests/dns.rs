//! What goes over the wire for the questions of `scenarios/names`, read by others: every message by hickory-proto, and
//! all of them by tshark where it is installed.

#![allow(missing_docs)]

use hickory_proto::op::Message;
use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_wire::Packet;
use hoplab_wire::pcapng::{Capture, LinkType};
use std::path::PathBuf;
use std::process::Command;

/// Datagrams from and to port 53 of every probe, each with its probe's name.
fn datagrams() -> Vec<(String, Packet)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/names");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let (world, checks) = (read("world.yaml"), read("checks.yaml"));
    let loaded = World::load(
        &[SourceText {
            name: "world.yaml",
            text: &world,
        }],
        &Options::default(),
    );
    let probes = hoplab_objects::read::parse(&[SourceText {
        name: "checks.yaml",
        text: &checks,
    }])
    .value;
    let mut out = Vec::new();
    for probe in probes {
        let spec = &probe.value["spec"];
        let dns = &spec["request"]["dns"];
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let to = format!("dns:{}/{}", text(&dns["name"]), text(&dns["type"]));
        let from = From::parse(&text(&spec["from"]["pod"])).expect("a pod");
        let request = Request::parse(&to).expect(&to);
        let run = loaded
            .value
            .run(&from, &request, &RunOptions::default())
            .expect(&to);
        for flight in run.flights.iter() {
            let Some((_, step)) = flight.steps.last() else {
                continue;
            };
            if step
                .packet
                .ports()
                .is_some_and(|(from, to)| from == 53 || to == 53)
            {
                out.push((probe.key.name.clone(), Packet::clone(&step.packet)));
            }
        }
    }
    out
}

#[test]
fn another_library_reads_every_message() {
    let all = datagrams();
    assert!(all.len() > 600, "{} messages", all.len());
    for (name, packet) in all {
        let bytes = &packet.payload.0;
        let theirs = Message::from_vec(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = hoplab_wire::dns::Message::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(theirs.id(), ours.id, "{name}");
        assert_eq!(u16::from(theirs.response_code()), ours.rcode().number(), "{name}");
        assert_eq!(theirs.authoritative(), ours.flags.authoritative, "{name}");
        let sections = [
            (theirs.answers(), &ours.answers),
            (theirs.name_servers(), &ours.authorities),
            (theirs.additionals(), &ours.additionals),
        ];
        for (theirs, ours) in sections {
            assert_eq!(theirs.len(), ours.len(), "{name}");
            for (theirs, ours) in theirs.iter().zip(ours) {
                assert_eq!(theirs.ttl(), ours.ttl_seconds, "{name}");
                assert_eq!(
                    u16::from(theirs.record_type()),
                    ours.record_type().number(),
                    "{name}"
                );
                let owner = theirs.name().to_ascii();
                assert!(
                    owner.eq_ignore_ascii_case(&ours.name.to_string()),
                    "{name}: {owner}"
                );
                let data = theirs.data().to_string();
                let (mut a, mut b) = (
                    data.to_ascii_lowercase(),
                    ours.data.to_string().to_ascii_lowercase(),
                );
                [&mut a, &mut b]
                    .into_iter()
                    .for_each(|text| text.retain(|c| c != '"'));
                assert_eq!(a, b, "{name}");
            }
        }
    }
}

#[test]
fn tshark_finds_nothing_malformed() {
    let version = Command::new("tshark").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: tshark is not installed");
        return;
    }
    let mut capture = Capture::new("hoplab tests");
    let interface = capture.interface("any", "", LinkType::Raw);
    let all = datagrams();
    for (count, (_, packet)) in (0..).zip(&all) {
        let mut bare = packet.clone();
        while bare
            .headers
            .first()
            .is_some_and(|h| !matches!(h, hoplab_wire::Header::Ipv4(_) | hoplab_wire::Header::Ipv6(_)))
        {
            bare.headers.remove(0);
        }
        capture.packet(interface, 1000 * count, &bare.to_bytes(), &[]);
    }
    let path = std::env::temp_dir().join(format!("hoplab-dns-{}.pcapng", std::process::id()));
    std::fs::write(&path, capture.into_bytes()).expect("a file");
    let lines = |filter: &str| {
        let output = Command::new("tshark")
            .args(["-r", path.to_str().expect("a path"), "-Y", filter])
            .output()
            .expect("tshark runs");
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    let (bad, dns) = (lines("_ws.malformed"), lines("dns"));
    let _ = std::fs::remove_file(&path);
    assert_eq!((bad, dns), (0, all.len()));
}
