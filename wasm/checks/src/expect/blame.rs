//! Who stopped a request, and where: the end of each failure's reason.

use hoplab_objects::view::hoplab::DroppedBy;
use hoplab_trace::{Direction, LegEnd, Place, RuleVerdict, Step, StepKind, Trace};

/// The step that ended the request, where one did: of the last leg that was dropped or turned back, on its way there
/// before its way back.
fn stopped(trace: &Trace) -> Option<(&Place, &Step)> {
    let ended = |direction| {
        trace
            .legs
            .iter()
            .rev()
            .find(move |leg| leg.direction == direction && leg.end != LegEnd::Delivered)
    };
    let leg = ended(Direction::Request).or_else(|| ended(Direction::Reply))?;
    let decided = leg.steps().filter(|(_, step)| {
        matches!(
            step.kind,
            StepKind::Hook {
                verdict: RuleVerdict::Drop | RuleVerdict::Reject,
                ..
            } | StepKind::Fault { .. }
        )
    });
    decided.last().or_else(|| leg.steps().last())
}

/// `: why (at worker-1, FORWARD)`; empty for a request that nothing stopped.
pub(super) fn reason(trace: &Trace) -> String {
    let unknown: Vec<String> = trace
        .unknowns
        .iter()
        .map(|unknown| format!("{}: {}", unknown.what, unknown.why))
        .collect();
    let mut out = String::new();
    if !trace.reason.is_empty() {
        out.push_str(&format!(": {}", trace.reason.trim_end_matches('.')));
    }
    if let Some((place, step)) = stopped(trace) {
        out.push_str(&format!(" (at {}, {})", super::place_name(place), step.name()));
    }
    if !unknown.is_empty() {
        out.push_str(&format!("; not modelled: {}", unknown.join("; ")));
    }
    out
}

/// What is wrong with who stopped it.
pub(super) fn dropped_by(wanted: &DroppedBy, trace: &Trace) -> Option<String> {
    let fields = [("kind", &wanted.kind), ("name", &wanted.name), ("at", &wanted.at)];
    let expected: Vec<String> = fields
        .iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key} {value}")))
        .collect();
    let expected = expected.join(", ");
    let Some((place, step)) = stopped(trace) else {
        return Some(format!(
            "expected to be dropped by {expected}; nothing stopped it ({})",
            trace.outcome
        ));
    };
    let hit_origin = match &step.kind {
        StepKind::Hook { hits, .. } => hits
            .iter()
            .rev()
            .find(|hit| hit.matched)
            .and_then(|hit| hit.origin.as_ref()),
        _ => None,
    };
    let object = hit_origin
        .or(step.origin.as_ref())
        .and_then(|origin| origin.object.as_ref());
    let kind = object.map(|key| key.kind.clone()).unwrap_or_default();
    let name = object
        .map(hoplab_source::ObjectKey::namespaced_name)
        .unwrap_or_default();
    let at = super::place_name(place);
    let bare = at.split_once(':').map_or(at.as_str(), |(_, name)| name);
    let holds = wanted.kind.as_ref().is_none_or(|wanted| *wanted == kind)
        && wanted.name.as_ref().is_none_or(|wanted| *wanted == name)
        && wanted
            .at
            .as_ref()
            .is_none_or(|wanted| *wanted == at || wanted == bare);
    let who = if kind.is_empty() {
        "no object".to_owned()
    } else {
        format!("{kind} {name}")
    };
    (!holds).then(|| {
        format!(
            "expected to be dropped by {expected}; it was stopped by {who}, at {bare}, {}",
            step.name()
        )
    })
}
