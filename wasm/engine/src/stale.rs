//! Words about rules that a halted kube-proxy left behind.

use crate::World;
use hoplab_dataplane::plan::AS_OF;
use hoplab_trace::{Place, StepKind, Trace};

/// That a rule on the way was written from an older state of the cluster, and whether where it led is still there.
pub(crate) fn note(world: &World, trace: &Trace) -> Option<String> {
    for hop in trace.legs.iter().flat_map(|leg| &leg.hops) {
        let stale = hop.steps.iter().find_map(|step| {
            let hook = matches!(step.kind, StepKind::Hook { .. });
            // Of a Service's own rules; the fixed ones never change.
            let origin = step
                .origin
                .as_ref()
                .filter(|origin| hook && origin.object.is_some())?;
            let (writer, revision) = origin.writer.split_once(AS_OF)?;
            Some((writer, revision, step.packet.dst_ip()?))
        });
        let Some((writer, revision, to)) = stale else {
            continue;
        };
        let place = Place::in_words(&hop.place);
        let gone = match world.plan().owner_of(to) {
            Some(_) => String::new(),
            None => format!(", and {to} is nobody's address any more"),
        };
        return Some(format!(
            " The rule on {place} is stale: {writer} there has followed nothing since revision {revision}{gone}."
        ));
    }
    None
}
