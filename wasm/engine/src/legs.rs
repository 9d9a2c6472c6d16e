//! From the flights of a run to the legs of a trace.

use hoplab_kernel::NetNsId;
use hoplab_kernel::sim::Flight;
use hoplab_trace::{Direction, Hop, Leg, Place};
use hoplab_wire::Header;
use hoplab_wire::dns::Message;

/// The flight's name; a DNS query says what it asks.
fn label(flight: &Flight) -> String {
    let Some((_, first)) = flight.steps.first() else {
        return flight.label.clone();
    };
    let to_dns = first
        .packet
        .headers
        .iter()
        .any(|h| matches!(h, Header::Udp(udp) if udp.dst == 53));
    match Message::parse(&first.packet.payload.0) {
        Ok(query) if to_dns && !query.flags.response => match query.questions.first() {
            Some(question) => format!("query {} {}", question.record_type, question.name),
            None => flight.label.clone(),
        },
        _ => flight.label.clone(),
    }
}

/// One flight as a leg: consecutive steps in one stack become a hop.
pub fn leg(flight: &Flight, place_of: &dyn Fn(NetNsId) -> Place) -> Leg {
    let mut hops: Vec<(NetNsId, Hop)> = Vec::new();
    for (netns, step) in &flight.steps {
        match hops.last_mut() {
            Some((last, hop)) if last == netns => hop.steps.push(step.clone()),
            _ => hops.push((
                *netns,
                Hop {
                    place: place_of(*netns),
                    steps: vec![step.clone()],
                },
            )),
        }
    }
    Leg {
        direction: if flight.forward {
            Direction::Request
        } else {
            Direction::Reply
        },
        label: label(flight),
        hops: hops.into_iter().map(|(_, hop)| hop).collect(),
        end: flight.end,
    }
}
