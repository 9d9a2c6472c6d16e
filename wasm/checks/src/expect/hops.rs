//! Names that a request passes, and its headers there.

use hoplab_objects::view::hoplab::HeadersAt;
use hoplab_trace::{Direction, Leg, Place, Step, Trace, fields};

/// The request's own legs. Those of one try are alike; a name is passed in order when one leg passes it so.
fn requests(trace: &Trace) -> impl Iterator<Item = &Leg> {
    trace
        .legs
        .iter()
        .filter(|leg| leg.direction == Direction::Request)
}

/// Names of the place itself, and of what happens there, in order.
fn names(leg: &Leg) -> Vec<(&Place, String)> {
    let mut names = Vec::new();
    for hop in &leg.hops {
        names.push((&hop.place, bare(&hop.place)));
        for step in &hop.steps {
            names.extend(step.names().into_iter().map(|name| (&hop.place, name)));
        }
    }
    names
}

/// `worker-1`, `shop/client`: a place without what it is.
fn bare(place: &Place) -> String {
    let name = super::place_name(place);
    let name = name.strip_prefix("router ").unwrap_or(&name);
    name.split_once(':')
        .filter(|(kind, _)| matches!(*kind, "node" | "host" | "external"))
        .map_or(name, |(_, name)| name)
        .to_owned()
}

/// Whether a wanted name is this one: itself, a chain by its family (`KUBE-SVC`, nftables' `service`), a pod without its namespace or with
/// what it is, or with its place before it (`worker-1/eth0`).
fn is(wanted: &str, place: &Place, name: &str) -> bool {
    let family = |wanted: &str, name: &str| {
        name.strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('-'))
            && wanted
                .chars()
                .all(|c| c.is_ascii_uppercase() || c == '-' || c.is_ascii_digit())
            && wanted.contains(|c: char| c.is_ascii_uppercase())
    };
    // `service-ULMVA6XW-ns1/svc1/tcp/p80`.
    let hashed = |wanted: &str, name: &str| {
        let rest = name.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('-'));
        rest.and_then(|rest| rest.split_once('-'))
            .is_some_and(|(hash, rest)| {
                hash.len() == 8
                    && rest.contains('/')
                    && hash.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            })
    };
    let own = |wanted: &str| wanted == name || family(wanted, name) || hashed(wanted, name);
    let at_place = || {
        wanted
            .strip_prefix(&bare(place))
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(own)
    };
    let is_place = *name == bare(place)
        && (wanted == super::place_name(place)
            || wanted.strip_prefix("pod:") == Some(name)
            || matches!(place, Place::Pod(pod) if pod.rsplit('/').next() == Some(wanted)));
    own(wanted) || is_place || at_place()
}

/// How far a list of names is passed in order: the index of the first that is not.
fn first_missing(wanted: &[String], leg: &Leg) -> usize {
    let mut next = 0;
    for (place, name) in names(leg) {
        if wanted.get(next).is_some_and(|wanted| is(wanted, place, &name)) {
            next += 1;
        }
    }
    next
}

pub(super) fn passes(wanted: &[String], trace: &Trace) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    let furthest = requests(trace)
        .map(|leg| (first_missing(wanted, leg), leg))
        .max_by_key(|(index, _)| *index);
    let Some((index, leg)) = furthest else {
        return Some(format!(
            "expected hops {}, the request was never sent ({})",
            wanted.join(", "),
            trace.outcome
        ));
    };
    let missing = wanted.get(index)?;
    let after = match index {
        0 => String::new(),
        index => format!(" after {}", wanted[index - 1]),
    };
    let mut passed: Vec<String> = names(leg).into_iter().map(|(_, name)| name).collect();
    passed.dedup();
    Some(format!(
        "expected hop {missing}{after}; the request passed {}",
        passed.join(", ")
    ))
}

pub(super) fn avoids(unwanted: &[String], trace: &Trace) -> Option<String> {
    for leg in requests(trace) {
        for (place, name) in names(leg) {
            if let Some(unwanted) = unwanted.iter().find(|unwanted| is(unwanted, place, &name)) {
                return Some(format!(
                    "expected not to pass {unwanted}; the request passed {name} at {}",
                    bare(place)
                ));
            }
        }
    }
    None
}

pub(super) fn headers_at(wanted: &HeadersAt, trace: &Trace) -> Option<String> {
    let here = |place: &Place, step: &Step| {
        step.names().iter().any(|name| is(&wanted.hop, place, name)) || is(&wanted.hop, place, &bare(place))
    };
    let mut closest: Option<Vec<String>> = None;
    for leg in requests(trace) {
        for (_, step) in leg.steps().filter(|(place, step)| here(place, step)) {
            let found = fields::fields(&step.packet);
            let differing: Vec<String> = wanted
                .fields
                .iter()
                .filter_map(|(name, value)| {
                    let now = found
                        .iter()
                        .find(|(known, _)| known == name)
                        .map(|(_, value)| value.as_str());
                    (now != Some(value.as_str()))
                        .then(|| format!("{name} {value}, got {}", now.unwrap_or("no such header")))
                })
                .collect();
            if differing.is_empty() {
                return None;
            }
            if closest
                .as_ref()
                .is_none_or(|closest| differing.len() < closest.len())
            {
                closest = Some(differing);
            }
        }
    }
    Some(match closest {
        Some(differing) => format!("at {}: expected {}", wanted.hop, differing.join("; expected ")),
        None => format!(
            "expected headers at {}: the request did not pass there",
            wanted.hop
        ),
    })
}
