//! What is expected of several requests together: shares and how many backends answered.

use super::{judge, place_name};
use crate::facts::{Facts, is_backend};
use hoplab_objects::view::hoplab::Expect;
use hoplab_source::collections::{BTreeMap, BTreeSet};
use hoplab_source::decimal;
use hoplab_trace::Trace;

/// How far a share may be from what is expected.
const TOLERANCE: f64 = 0.05;

/// What is wrong with these requests, each and together. A reason that many share is given once, with their number.
pub(crate) fn judge_all(facts: &dyn Facts, expect: &Expect, traces: &[Trace]) -> Vec<String> {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for trace in traces {
        for reason in judge(facts, expect, trace) {
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason, 1)),
            }
        }
    }
    let total = traces.len();
    let mut failures: Vec<String> = reasons
        .into_iter()
        .map(|(reason, count)| {
            if total > 1 {
                format!("{count} of {total} requests: {reason}")
            } else {
                reason
            }
        })
        .collect();
    if let Some(wanted) = expect.distinct_backends {
        let answered: BTreeSet<String> = traces
            .iter()
            .filter_map(|trace| Some(place_name(trace.backend.as_ref()?)))
            .collect();
        if answered.len() != wanted as usize {
            let names: Vec<&str> = answered.iter().map(String::as_str).collect();
            let who = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            failures.push(format!(
                "expected {wanted} distinct backends, {} answered: {who}",
                answered.len()
            ));
        }
    }
    let weights = weights(traces);
    for (backend, wanted) in &expect.shares {
        let mut share = 0.0;
        for (trace, weight) in traces.iter().zip(&weights) {
            match trace
                .backend
                .as_ref()
                .map(|answered| is_backend(facts, answered, backend))
            {
                Some(Ok(true)) => share += weight,
                Some(Err(why)) => {
                    failures.push(why);
                    break;
                }
                _ => {}
            }
        }
        if (share - wanted).abs() > TOLERANCE {
            failures.push(format!(
                "expected {backend} to answer {} of the requests, it answered {} of them",
                decimal::short(*wanted),
                decimal::fixed(share, 3)
            ));
        }
    }
    failures
}

/// How much each request counts, in all 1. Where the requests took every way that there is, each way counts by its own
/// probability, shared by the requests that took it: the shares are then exact. Else every request counts the same.
fn weights(traces: &[Trace]) -> Vec<f64> {
    let way = |trace: &Trace| -> Vec<(String, usize)> {
        trace
            .choices
            .iter()
            .map(|choice| (choice.name.clone(), choice.taken))
            .collect()
    };
    let mut ways: BTreeMap<Vec<(String, usize)>, (f64, usize)> = BTreeMap::new();
    for trace in traces {
        let probability: f64 = trace
            .choices
            .iter()
            .filter_map(|choice| Some(choice.ways.get(choice.taken)?.1))
            .product();
        ways.entry(way(trace)).or_insert((probability, 0)).1 += 1;
    }
    let total: f64 = ways.values().map(|(probability, _)| probability).sum();
    let complete = (total - 1.0).abs() < 1e-6;
    traces
        .iter()
        .map(|trace| match ways.get(&way(trace)) {
            Some((probability, count)) if complete => probability / *count as f64,
            _ => 1.0 / traces.len().max(1) as f64,
        })
        .collect()
}
