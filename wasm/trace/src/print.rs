//! A trace as text for people: who asked whom, what became of it, and each packet's way.

use crate::fields::changed;
use crate::{Direction, Leg, Locate, Place, RuleVerdict, Step, StepKind, SubTrace, Trace};
use hoplab_source::Origin;
use hoplab_wire::Packet;
use std::fmt::Write as _;

/// Width of the column of names.
const NAME_COLUMN: usize = 16;

/// The whole trace, look-ups and ARP first as they happened. Control characters of names are escaped.
pub fn to_text(trace: &Trace, locate: &dyn Locate) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} to {}", trace.from, trace.to);
    let _ = writeln!(out, "  {}", headline(trace));
    let _ = writeln!(out, "  {}", trace.reason);
    for unknown in &trace.unknowns {
        let _ = writeln!(out, "  ? not decided: {}: {}", unknown.what, unknown.why);
    }
    for choice in &trace.choices {
        if let Some((way, share)) = choice.ways.get(choice.taken) {
            let _ = writeln!(out, "  chosen at random: {way} ({}), {}", percent(*share), choice.name);
        }
    }
    for sub in &trace.subtraces {
        subtrace(&mut out, sub, locate);
    }
    for leg in &trace.legs {
        one_leg(&mut out, leg, locate, "");
    }
    visible(&out)
}

/// `delivered, status 200, in 1.840 ms; answered by shop/cart-x2x7p, which saw 10.244.1.2`.
pub fn headline(trace: &Trace) -> String {
    let mut line = trace.outcome.to_string();
    if let Some(status) = trace.exchange.status {
        let _ = write!(line, ", status {status}");
    }
    let _ = write!(line, ", verdict {}", trace.verdict);
    let _ = write!(line, ", {}", millis(trace.micros));
    if let Some(backend) = &trace.backend {
        let _ = write!(line, "; answered by {}", backend.in_words());
        if let Some(source) = trace.source {
            let _ = write!(line, ", which saw {source}");
        }
    }
    line
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

fn subtrace(out: &mut String, sub: &SubTrace, locate: &dyn Locate) {
    let _ = writeln!(out, "\n| {} {}: {}", sub.why, sub.label, sub.trace.reason);
    for leg in &sub.trace.legs {
        one_leg(out, leg, locate, "| ");
    }
}

fn one_leg(out: &mut String, leg: &Leg, locate: &dyn Locate, margin: &str) {
    let arrow = if leg.direction == Direction::Request { "->" } else { "<-" };
    let ends = leg.hops.first().zip(leg.hops.last());
    let way = ends.map(|(a, b)| format!("{} to {}", a.place.in_words(), b.place.in_words())).unwrap_or_default();
    let _ = writeln!(out, "{}\n{margin}{arrow} {}   {way}   at {}", margin.trim_end(), leg.label, millis(leg.start().0));
    let mut before = leg.steps().next().map(|(_, s)| s.packet.clone());
    let mut number = 0;
    for hop in &leg.hops {
        let _ = writeln!(out, "{margin}   {}", hop.place.in_words());
        for step in &hop.steps {
            let came = before.take().unwrap_or_else(|| step.packet.clone());
            if worth_a_line(step) {
                number += 1;
                one_step(out, margin, number, step, &came, &hop.place, locate);
            }
            before = Some(step.packet.clone());
        }
    }
}

/// Steps that only confirm the usual are left out of the text; `-o json` has them all.
fn worth_a_line(step: &Step) -> bool {
    match &step.kind {
        StepKind::Conntrack { .. } => false,
        StepKind::Hook { verdict: RuleVerdict::Accept, hits, .. } => hits.iter().any(|h| h.matched),
        _ => true,
    }
}

fn one_step(
    out: &mut String,
    margin: &str,
    number: usize,
    step: &Step,
    before: &Packet,
    place: &Place,
    locate: &dyn Locate,
) {
    let name = step.name();
    let sentence = step.sentence(before, place);
    let sentence = sentence.strip_prefix(&format!("{name}: ")).unwrap_or(&sentence);
    let _ = writeln!(out, "{margin}   {number:>3}  {name:<NAME_COLUMN$} {sentence}");
    let indent = " ".repeat(8 + NAME_COLUMN + 1);
    if let StepKind::Hook { hits, .. } = &step.kind {
        let mut shown = hits.iter().filter(|h| h.matched && !h.text.is_empty()).peekable();
        while let Some(hit) = shown.next() {
            let lead = "  ".repeat(usize::from(hit.depth));
            let last = shown.peek().is_none();
            let _ = writeln!(out, "{margin}{indent}{lead}{}", hit.text);
            if last && let Some(origin) = &hit.origin {
                let _ = writeln!(out, "{margin}{indent}{lead}  from {}", whence(origin, locate));
            }
        }
    } else if let Some(origin) = &step.origin
        && !matches!(step.kind, StepKind::Ingress { .. } | StepKind::Egress { .. })
    {
        let _ = writeln!(out, "{margin}{indent}from {}", whence(origin, locate));
    }
    for (field, was, is) in changed(before, &step.packet) {
        if matches!(step.kind, StepKind::Hook { .. } | StepKind::Nat { .. })
            && let (Some(was), Some(is)) = (was, is)
        {
            let _ = writeln!(out, "{margin}{indent}{field}: {was} -> {is}");
        }
    }
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
        assert_eq!(visible("a\u{1b}[31mred\nb\u{202e}"), "a\\u{1b}[31mred\nb\\u{202e}");
    }
}
