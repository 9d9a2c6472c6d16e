//! A trace as text for people: who asked whom, what became of it, and each packet's way.

use crate::{
    BridgeDecision, Direction, Leg, Locate, NeighbourState, Place, RuleHit, RuleVerdict, Step, StepKind,
    SubTrace, Trace,
};
use hoplab_source::{Origin, decimal};
use hoplab_wire::Packet;
use std::fmt::Write as _;

/// Width of the column of names.
const NAME_COLUMN: usize = 14;

/// The whole trace. Look-ups and ARP are summed up, steps that decide nothing are left out, and a leg that goes the
/// way of an earlier one says so; [`crate::json`] has every step. Control characters of names are escaped.
pub fn to_text(trace: &Trace, locate: &dyn Locate) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} to {}", trace.from, trace.to);
    let _ = writeln!(out, "  {}", headline(trace));
    let _ = writeln!(out, "  {}", trace.reason);
    for unknown in &trace.unknowns {
        let _ = writeln!(out, "  ? not decided: {}: {}", unknown.what, unknown.why);
    }
    for sentence in trace
        .lookup
        .iter()
        .flat_map(|lookup| lookup.sentences(trace.micros))
    {
        let _ = writeln!(out, "  {sentence}");
    }
    beside(&mut out, trace);
    chances(&mut out, trace);
    let mut told: Vec<&Leg> = Vec::new();
    for leg in &trace.legs {
        let earlier = told
            .iter()
            .find(|l| l.direction == leg.direction && way(l) == way(leg))
            .copied();
        one_leg(&mut out, leg, earlier, locate);
        told.push(leg);
    }
    visible(&out)
}

/// `delivered, status 200, verdict allowed, 1.840 ms; answered by pod shop/cart-x2x7p, which saw 10.244.1.2`.
pub fn headline(trace: &Trace) -> String {
    let mut line = trace.outcome.to_string();
    if let Some(status) = trace.exchange.status {
        let _ = write!(line, ", status {status}");
    }
    let _ = write!(line, ", verdict {}, {}", trace.verdict, millis(trace.micros));
    if let Some(backend) = &trace.backend {
        let _ = write!(line, "; answered by {}", backend.in_words());
        if let Some(source) = trace.source {
            let _ = write!(line, ", which saw {source}");
        }
    }
    line
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

/// Look-ups and ARP, a line each.
fn beside(out: &mut String, trace: &Trace) {
    let mut why = "";
    let width = trace
        .subtraces
        .iter()
        .map(|s| s.label.chars().count())
        .max()
        .unwrap_or(0);
    for sub in &trace.subtraces {
        if sub.why != why {
            why = sub.why;
            let _ = writeln!(out, "\n  {why}");
        }
        let SubTrace { label, trace, .. } = sub;
        let by = trace
            .backend
            .as_ref()
            .map(|b| format!("   by {}", b.in_words()))
            .unwrap_or_default();
        let answers: Vec<&str> = trace
            .legs
            .iter()
            .filter(|l| l.direction == Direction::Reply)
            .map(|l| l.label.as_str())
            .collect();
        let answer = if answers.is_empty() {
            "no answer".to_owned()
        } else {
            answers.join("; ")
        };
        let _ = writeln!(
            out,
            "    {label:<width$}   {answer}   {}{by}",
            millis(trace.micros)
        );
    }
}

/// Random points, each once: the same point of a look-up's two questions is one line.
fn chances(out: &mut String, trace: &Trace) {
    let mut lines: Vec<String> = Vec::new();
    for choice in &trace.choices {
        if let Some((way, share)) = choice.ways.get(choice.taken) {
            let percent = decimal::fixed(share * 100.0, 0);
            let line = format!("    {way}, {percent} % at {}", choice.name);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(out, "\n  chosen at random\n{}", lines.join("\n"));
    }
}

/// The interfaces that a leg passes, place by place: two legs with the same ones go the same way.
fn way(leg: &Leg) -> Vec<(&Place, &str)> {
    leg.steps()
        .filter_map(|(place, step)| match &step.kind {
            StepKind::Ingress { device } | StepKind::Egress { device } => Some((place, &**device)),
            _ => None,
        })
        .collect()
}

fn one_leg(out: &mut String, leg: &Leg, earlier: Option<&Leg>, locate: &dyn Locate) {
    let arrow = if leg.direction == Direction::Request {
        "->"
    } else {
        "<-"
    };
    let ends = leg.hops.first().zip(leg.hops.last());
    let from_to = ends
        .map(|(a, b)| format!("{} to {}", a.place.in_words(), b.place.in_words()))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "\n{arrow} {}   {from_to}   at {}",
        leg.label,
        millis(leg.start().0)
    );
    if let Some(earlier) = earlier {
        let _ = writeln!(out, "   the same way as {}", earlier.label);
    }
    let mut before = leg.steps().next().map(|(_, s)| s.packet.clone());
    let mut number = 0;
    for hop in &leg.hops {
        let mut headed = false;
        let mut last: Option<&Step> = None;
        for (i, step) in hop.steps.iter().enumerate() {
            let came = before.take().unwrap_or_else(|| step.packet.clone());
            if worth_a_line(step, last, hop.steps.get(i + 1)) {
                number += 1;
                if earlier.is_none() || decides(step) {
                    if !headed {
                        let _ = writeln!(out, "   {}", hop.place.in_words());
                        headed = true;
                    }
                    one_step(out, number, step, &came, &hop.place, locate);
                }
            }
            before = Some(step.packet.clone());
            last = Some(step);
        }
    }
}

/// Steps that only confirm the usual are left out of the text.
fn worth_a_line(step: &Step, last: Option<&Step>, next: Option<&Step>) -> bool {
    match &step.kind {
        StepKind::Conntrack { .. } => false,
        StepKind::Neighbour { state, .. } => {
            matches!(state, NeighbourState::Resolved | NeighbourState::Failed)
        }
        StepKind::Hook {
            verdict: RuleVerdict::Accept,
            hits,
            ..
        } => accepts(hits),
        // Coming up from a bridge or out of a tunnel, and going into them, is said by the bridge or the tunnel.
        StepKind::Ingress { device } => !matches!(
            last.map(|s| &s.kind),
            Some(StepKind::Bridge { bridge: at, decision: BridgeDecision::Up, .. } | StepKind::Decap { device: at, .. })
                if at == device
        ),
        StepKind::Egress { device } => !matches!(
            next.map(|s| &s.kind),
            Some(StepKind::Bridge { bridge: at, .. } | StepKind::Encap { device: at, .. }) if at == device
        ),
        _ => true,
    }
}

/// Whether a rule said ACCEPT, rather than none saying anything.
fn accepts(hits: &[RuleHit]) -> bool {
    hits.iter()
        .rev()
        .find(|h| h.matched)
        .is_some_and(|h| h.text.ends_with("-j ACCEPT"))
}

/// Steps that say something even on a way that was told before.
fn decides(step: &Step) -> bool {
    match &step.kind {
        StepKind::Hook { verdict, .. } => *verdict != RuleVerdict::Accept,
        StepKind::Nat { .. }
        | StepKind::Drop { .. }
        | StepKind::Fault { .. }
        | StepKind::IcmpError { .. } => true,
        StepKind::Socket { process, .. } => process.is_none(),
        StepKind::Process { .. } => true,
        _ => false,
    }
}

fn one_step(
    out: &mut String,
    number: usize,
    step: &Step,
    before: &Packet,
    place: &Place,
    locate: &dyn Locate,
) {
    let name = step.name();
    let sentence = step.sentence(before, place);
    let sentence = sentence.strip_prefix(&format!("{name}: ")).unwrap_or(&sentence);
    let _ = writeln!(out, "   {number:>3}  {name:<NAME_COLUMN$} {sentence}");
    let indent = " ".repeat(8 + NAME_COLUMN + 1);
    if let StepKind::Hook { hits, .. } = &step.kind {
        let matched: Vec<&RuleHit> = hits.iter().filter(|h| h.matched && !h.text.is_empty()).collect();
        if let Some(last) = matched.last() {
            let chains: Vec<&str> = path_to(&matched);
            if chains.len() > 1 {
                let _ = writeln!(out, "{indent}{}", chains.join(" > "));
            }
            let _ = writeln!(out, "{indent}{}", last.text);
            if let Some(origin) = &last.origin {
                let _ = writeln!(out, "{indent}from {}", whence(origin, locate));
            }
        }
    } else if let Some(origin) = &step.origin
        && !matches!(step.kind, StepKind::Ingress { .. } | StepKind::Egress { .. })
        && origin.object.is_some()
    {
        let _ = writeln!(out, "{indent}from {}", whence(origin, locate));
    }
}

/// The chains that lead to the last rule, by their depth: what returned without a word is left out.
fn path_to<'h>(matched: &[&'h RuleHit]) -> Vec<&'h str> {
    let mut chains: Vec<&str> = Vec::new();
    let mut depth = u8::MAX;
    for hit in matched.iter().rev() {
        if hit.depth < depth {
            chains.push(&hit.chain);
            depth = hit.depth;
        }
    }
    chains.reverse();
    chains
}

/// `shop.yaml:12 Service shop/cart spec.ports[0] (kube-proxy)`.
pub fn whence(origin: &Origin, locate: &dyn Locate) -> String {
    let mut text = String::new();
    if let Some(at) = locate.locate(origin) {
        let _ = write!(text, "{}:{} ", at.file, at.line);
    }
    match &origin.object {
        Some(object) => {
            let _ = write!(text, "{object} {} (by {})", origin.field, origin.writer);
        }
        None => {
            let _ = write!(text, "{}", origin.writer);
        }
    }
    text
}

/// The same text with control characters (other than the line feeds of this printer) escaped, so that a name from a
/// manifest cannot drive a terminal.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c == '\n' || !(c.is_control() || bidi) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            visible("a\u{1b}[31mred\nb\u{202e}"),
            "a\\u{1b}[31mred\nb\\u{202e}"
        );
    }
}
