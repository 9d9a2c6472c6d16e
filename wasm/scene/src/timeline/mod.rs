//! A trace laid over a scene: legs made of stops, each at a shape, with the way there along drawn wires.

mod fold;
mod headers;
mod place;
mod way;
pub(crate) mod words;

use crate::layout::{DIRECT, UP};
use crate::{LegKind, Scene, Stop, Timeline, TimelineLeg};
use fold::{Raw, What, fold};
use headers::Headers;
use hoplab_source::collections::BTreeSet;
use hoplab_source::order;
use hoplab_trace::{Direction, DropCause, Leg, LegEnd, Locate, Outcome, Place, StepKind, Trace};
use place::Placer;
use std::sync::Arc;

/// Lays a trace over a scene.
pub fn animate(trace: &Trace, scene: &Scene, locate: &dyn Locate) -> Timeline {
    let mut told: Vec<(&Leg, LegKind)> = Vec::new();
    collect(trace, false, &mut told);
    order::sort_by_key(&mut told, |(leg, _)| leg.start());
    let mut placer = Placer::of(scene);
    let mut timeline = Timeline {
        legs: Vec::new(),
        stops: Vec::new(),
        layers: Vec::new(),
        interesting: 0,
    };
    let mut headers = Headers::default();
    for (leg, kind) in told {
        let raws = fold(leg);
        let Some(first) = leg.steps().next().map(|(_, s)| s) else {
            continue;
        };
        let sent = Arc::clone(&first.packet);
        let index = u32::try_from(timeline.legs.len()).unwrap_or(u32::MAX);
        let start = u32::try_from(timeline.stops.len()).unwrap_or(u32::MAX);
        let placed = placer.place(&raws);
        for (i, (raw, spot)) in raws.iter().zip(placed).enumerate() {
            let came = raw
                .steps
                .first()
                .map_or_else(|| Arc::clone(&sent), |(_, before)| Arc::clone(before));
            let (lead, _) = raw.lead();
            let now = raw.steps.last().map_or(&lead.packet, |(s, _)| &s.packet);
            timeline.stops.push(Stop {
                leg: index,
                number: u32::try_from(i + 1).unwrap_or(u32::MAX),
                shape: spot.shape,
                path: spot.path,
                at: spot.at,
                name: words::name(raw, spot.network.as_deref()),
                place: raw.place.in_words(),
                short: words::short(raw, &leg.label),
                title: words::title(raw),
                sentence: words::sentence(raw),
                tags: if raw.what == What::Wire {
                    Vec::new()
                } else {
                    words::tags(raw)
                },
                micros: lead.at.0,
                packet: headers.of(now, &came, &sent),
                rules: words::rules(raw, locate),
                origin: words::origin(raw).and_then(|o| words::place(o, locate)),
                edges: spot.edges,
                lit: placer.lit(raw),
            });
        }
        let end = u32::try_from(timeline.stops.len()).unwrap_or(u32::MAX);
        timeline.legs.push(TimelineLeg {
            label: leg.label.clone(),
            kind,
            flag: words::flag(&sent, &leg.label),
            protocol: words::protocol(&sent).to_owned(),
            first: start,
            end,
            micros: leg.start().0,
            end_state: end_state(leg).to_owned(),
        });
    }
    timeline.layers = headers.layers();
    timeline.interesting = interesting(trace, &timeline);
    timeline
}

fn collect<'t>(trace: &'t Trace, side: bool, out: &mut Vec<(&'t Leg, LegKind)>) {
    for leg in &trace.legs {
        let kind = match (side, leg.direction) {
            (true, _) => LegKind::Side,
            (false, Direction::Request) => LegKind::Request,
            (false, Direction::Reply) => LegKind::Reply,
        };
        out.push((leg, kind));
    }
    for sub in &trace.subtraces {
        collect(&sub.trace, true, out);
    }
}

fn end_state(leg: &Leg) -> &'static str {
    match leg.end {
        LegEnd::Delivered => "delivered",
        LegEnd::Refused => "refused",
        LegEnd::Dropped => {
            let cause = leg.steps().filter_map(|(_, s)| {
                if let StepKind::Drop { cause } = &s.kind {
                    Some(cause)
                } else {
                    None
                }
            });
            match cause.last() {
                Some(DropCause::NoRoute | DropCause::NeighbourFailed) => "unreachable",
                Some(DropCause::TtlExceeded | DropCause::Loop) => "looped",
                Some(DropCause::NoSocket | DropCause::Rejected) => "refused",
                Some(DropCause::NotModelled) => "unknown",
                _ => "dropped",
            }
        }
    }
}

/// Where it went wrong; else the first rewriting; else the last stop of the request.
fn interesting(trace: &Trace, timeline: &Timeline) -> u32 {
    let main = |stop: &Stop| {
        timeline
            .legs
            .get(stop.leg as usize)
            .is_some_and(|l| l.kind != LegKind::Side)
    };
    let find = |kind: &str, all: bool| {
        timeline
            .stops
            .iter()
            .position(|s| (all || main(s)) && s.tags.iter().any(|t| t.kind == kind))
    };
    let wrong = (trace.outcome != Outcome::Delivered)
        .then(|| find("deny", false).or_else(|| find("deny", true)))
        .flatten();
    let found = wrong.or_else(|| find("nat", false)).or_else(|| find("nat", true));
    let fallback = || {
        timeline
            .legs
            .iter()
            .find(|l| l.kind == LegKind::Request)
            .map(|l| l.end.saturating_sub(1) as usize)
    };
    u32::try_from(found.or_else(fallback).unwrap_or(0)).unwrap_or(0)
}

/// The shapes that a trace passes, for [`crate::Options::keep`], in the order of the path; those of side trips after
/// them, without the inside of their nodes.
pub fn keep(trace: &Trace) -> Vec<String> {
    let mut kept = Kept::default();
    for leg in &trace.legs {
        keep_leg(leg, &mut kept);
    }
    let alone = trace.legs.is_empty();
    for sub in &trace.subtraces {
        keep_side(&sub.trace, alone && !matches!(sub.why, "arp" | "ndp"), &mut kept);
    }
    kept.ids
}

#[derive(Default)]
struct Kept {
    ids: Vec<String>,
    seen: BTreeSet<String>,
}

impl Kept {
    fn add(&mut self, id: String) {
        if self.seen.insert(id.clone()) {
            self.ids.push(id);
        }
    }
}

fn keep_side(trace: &Trace, whole: bool, kept: &mut Kept) {
    for leg in &trace.legs {
        if whole {
            keep_leg(leg, kept);
        } else {
            for hop in &leg.hops {
                match &hop.place {
                    Place::Pod(_) | Place::External(_) | Place::Router(_) => kept.add(hop.place.to_string()),
                    _ => {}
                }
            }
        }
    }
    for sub in &trace.subtraces {
        keep_side(&sub.trace, false, kept);
    }
}

fn keep_leg(leg: &Leg, kept: &mut Kept) {
    for raw in fold(leg) {
        kept.add(raw.place.to_string());
        if let Some(shape) = &raw.shape {
            let suffix = if raw.up && matches!(raw.what, What::Hook(_)) {
                UP
            } else {
                ""
            };
            kept.add(format!("{shape}{suffix}"));
        }
        for service in services(&raw) {
            kept.add(service);
        }
    }
    for hop in &leg.hops {
        if let Place::Node(_) = hop.place {
            let boxes = |wanted: fn(&StepKind) -> bool| hop.steps.iter().any(|s| wanted(&s.kind));
            let boxed = boxes(|k| matches!(k, StepKind::Encap { .. }));
            let unboxed = boxes(|k| matches!(k, StepKind::Decap { .. }));
            let index = leg.hops.iter().position(|h| std::ptr::eq(h, hop)).unwrap_or(0);
            let beside =
                |other: Option<&hoplab_trace::Hop>| other.is_some_and(|h| !matches!(h.place, Place::Pod(_)));
            let comes = index > 0 && beside(leg.hops.get(index - 1)) && !unboxed;
            let goes = beside(leg.hops.get(index + 1)) && !boxed;
            if comes || goes {
                kept.add(format!("{DIRECT}{}", hop.place));
            }
        }
    }
}

/// Services whose rules decided at a stop.
fn services(raw: &Raw<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if raw.what == What::Wire {
        return found;
    }
    for (step, _) in &raw.steps {
        let StepKind::Hook { hits, .. } = &step.kind else {
            continue;
        };
        let origins = hits
            .iter()
            .filter(|h| h.matched)
            .filter_map(|h| h.origin.as_deref());
        for origin in origins.chain(step.origin.as_deref()) {
            if let Some(object) = origin
                .object
                .as_ref()
                .filter(|o| o.kind == "Service" && o.group.is_empty())
            {
                let id = format!("service:{}/{}", object.namespace, object.name);
                if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
    }
    found
}
