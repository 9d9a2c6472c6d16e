//! A trace as a capture file: every packet at every interface that it passed.

use hoplab_trace::{Micros, Place, Step, StepKind, SubTrace, Trace};
use hoplab_wire::pcapng::{Capture, InterfaceId, LinkType};
use std::collections::BTreeMap;

/// The file. Packets are in the order of time; each carries the leg that it belongs to as a comment.
pub(super) fn of(trace: &Trace) -> Vec<u8> {
    let mut packets = Vec::new();
    collect(trace, &mut packets);
    packets.sort_by_key(|packet| packet.at);
    let mut capture = Capture::new("hoplab");
    let mut interfaces: BTreeMap<String, InterfaceId> = BTreeMap::new();
    for packet in packets {
        let id = match interfaces.get(&packet.interface) {
            Some(id) => *id,
            None => {
                let id = capture.interface(&packet.interface, "", LinkType::Ethernet);
                interfaces.insert(packet.interface, id);
                id
            }
        };
        capture.packet(
            id,
            packet.at.0.saturating_mul(1000),
            &packet.bytes,
            &[&packet.comment],
        );
    }
    capture.into_bytes()
}

struct Seen {
    at: Micros,
    interface: String,
    bytes: Vec<u8>,
    comment: String,
}

fn collect(trace: &Trace, packets: &mut Vec<Seen>) {
    for SubTrace { trace, .. } in &trace.subtraces {
        collect(trace, packets);
    }
    for leg in &trace.legs {
        packets.extend(
            leg.steps()
                .filter_map(|(place, step)| seen(place, step, &leg.label)),
        );
    }
}

/// What a capture on the interface sees, where the step is one at an interface.
fn seen(place: &Place, step: &Step, label: &str) -> Option<Seen> {
    let (StepKind::Ingress { device } | StepKind::Egress { device }) = &step.kind else {
        return None;
    };
    let mut bytes = step.packet.to_bytes();
    // `lo` has Ethernet headers too, all of zeros but the type.
    if step.packet.ethernet().is_none() {
        let mut framed = vec![0; 12];
        let v6 = bytes.first().is_some_and(|first| first >> 4 == 6);
        framed.extend(if v6 { [0x86, 0xdd] } else { [0x08, 0x00] });
        framed.append(&mut bytes);
        bytes = framed;
    }
    Some(Seen {
        at: step.at,
        interface: format!("{place} {device}"),
        bytes,
        comment: label.to_owned(),
    })
}
