//! From the flights of a run to the legs of a trace.

use hoplab_kernel::{Net, NetNsId};
use hoplab_kernel::sim::Flight;
use hoplab_trace::{Direction, Hop, Leg, Place};

/// One flight as a leg: consecutive steps in one stack become a hop.
pub fn leg(flight: &Flight, place_of: &dyn Fn(NetNsId) -> Place) -> Leg {
    let mut hops: Vec<(NetNsId, Hop)> = Vec::new();
    for (netns, step) in &flight.steps {
        match hops.last_mut() {
            Some((last, hop)) if last == netns => hop.steps.push(step.clone()),
            _ => hops.push((*netns, Hop { place: place_of(*netns), steps: vec![step.clone()] })),
        }
    }
    Leg {
        direction: if flight.forward { Direction::Request } else { Direction::Reply },
        label: flight.label.clone(),
        hops: hops.into_iter().map(|(_, hop)| hop).collect(),
        end: flight.end,
    }
}
