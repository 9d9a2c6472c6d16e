//! A Probe's `expect` held against a trace. Each field that does not hold gives one reason in words.

mod blame;
mod dns;
mod hops;
mod http;
mod several;

pub(crate) use several::judge_all;

use crate::facts::{Facts, addresses_of_pods, is_backend};
use hoplab_objects::view::hoplab::{BackendStatus, Expect, Source, SourceExpect};
use hoplab_trace::{Place, Trace};
use std::net::IpAddr;

/// What is wrong with one request. Nothing: all that is expected of each request holds; `shares`, `distinctBackends`
/// and shares of mirrors are expected of all together ([`judge_all`]).
pub(crate) fn judge(facts: &dyn Facts, expect: &Expect, trace: &Trace) -> Vec<String> {
    let mut failures = Vec::new();
    let mut wrong = |reason: String| failures.push(reason);
    if let Some(wanted) = &expect.verdict
        && *wanted != trace.verdict.to_string()
    {
        wrong(format!(
            "expected verdict {wanted}, got {}{}",
            trace.verdict,
            blame::reason(trace)
        ));
    }
    if let Some(wanted) = &expect.outcome
        && *wanted != trace.outcome.to_string()
    {
        wrong(format!(
            "expected outcome {wanted}, got {}{}",
            trace.outcome,
            blame::reason(trace)
        ));
    }
    if let Some(wanted) = &expect.dropped_by {
        failures.extend(blame::dropped_by(wanted, trace));
    }
    if let Some(wanted) = &expect.status {
        failures.extend(status(wanted, trace));
    }
    if let Some(wanted) = &expect.backend {
        failures.extend(backend(facts, wanted, trace));
    }
    if let Some(wanted) = &expect.source {
        failures.extend(source(facts, wanted, trace));
    }
    if let Some(wanted) = &expect.received {
        failures.extend(http::received(wanted, trace));
    }
    if let Some(wanted) = &expect.response {
        failures.extend(http::response(wanted, trace));
    }
    if let Some(wanted) = &expect.dns {
        failures.extend(dns::judge(facts, wanted, trace));
    }
    if expect.mirrored_to.is_some() {
        failures.push("expect.mirroredTo: mirrored requests are not modelled yet".to_owned());
    }
    failures.extend(hops::passes(&expect.hops, trace));
    failures.extend(hops::avoids(&expect.not_hops, trace));
    for wanted in &expect.headers_at {
        failures.extend(hops::headers_at(wanted, trace));
    }
    if let Some(within) = expect.within
        && u128::from(trace.micros) > within.as_micros()
    {
        failures.push(format!(
            "expected an answer within {within:?}, it took {}",
            milliseconds(trace.micros)
        ));
    }
    for case in &expect.cases {
        failures.extend(one_case(facts, case, trace));
    }
    failures
}

/// A case holds where its backend answered; without a backend it always must.
fn one_case(facts: &dyn Facts, case: &Expect, trace: &Trace) -> Vec<String> {
    let Some(wanted) = &case.backend else {
        return judge(facts, case, trace);
    };
    let Some(answered) = &trace.backend else {
        return Vec::new();
    };
    match is_backend(facts, answered, wanted) {
        Ok(false) => Vec::new(),
        Ok(true) => judge(facts, case, trace)
            .into_iter()
            .map(|reason| format!("where {wanted} answered: {reason}"))
            .collect(),
        Err(why) => vec![why],
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

fn status(wanted: &BackendStatus, trace: &Trace) -> Option<String> {
    let list = |statuses: &[u16]| {
        statuses
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let expected = match wanted {
        BackendStatus::OneOf(statuses) => list(statuses),
        BackendStatus::Not(statuses) => format!("other than {}", list(statuses)),
    };
    let Some(found) = trace.exchange.status else {
        return Some(format!(
            "expected status {expected}, no answer with a status came ({}){}",
            trace.outcome,
            blame::reason(trace)
        ));
    };
    let holds = match wanted {
        BackendStatus::OneOf(statuses) => statuses.contains(&found),
        BackendStatus::Not(statuses) => !statuses.contains(&found),
    };
    (!holds).then(|| format!("expected status {expected}, got {found}"))
}

fn backend(facts: &dyn Facts, wanted: &str, trace: &Trace) -> Option<String> {
    let Some(answered) = &trace.backend else {
        return Some(format!(
            "expected backend {wanted}, nobody answered ({}){}",
            trace.outcome,
            blame::reason(trace)
        ));
    };
    match is_backend(facts, answered, wanted) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "expected backend {wanted}, {} answered",
            place_name(answered)
        )),
        Err(why) => Some(why),
    }
}

/// A place as a Probe writes it.
pub(crate) fn place_name(place: &Place) -> String {
    match place {
        Place::Pod(name) => name.to_string(),
        Place::Node(name) => format!("node:{name}"),
        Place::Host(name) => format!("host:{name}"),
        Place::HostNetNs(name, netns) => format!("host:{name}/{netns}"),
        Place::External(address) => format!("external:{address}"),
        Place::Router(name) => format!("router {name}"),
    }
}

fn source(facts: &dyn Facts, wanted: &SourceExpect, trace: &Trace) -> Option<String> {
    let (described, addresses) = match wanted {
        SourceExpect::Text(text) => match one_string_source(facts, text) {
            Ok(addresses) => (text.clone(), addresses),
            Err(why) => return Some(why),
        },
        SourceExpect::Party(party) => match party_source(facts, party) {
            Ok(found) => found,
            Err(why) => return Some(why),
        },
    };
    match trace.source {
        Some(found) if addresses.contains(&found) => None,
        Some(found) => Some(format!("expected source {described}, the backend saw {found}")),
        None => Some(format!(
            "expected source {described}, no backend saw the request ({}){}",
            trace.outcome,
            blame::reason(trace)
        )),
    }
}

fn one_string_source(facts: &dyn Facts, text: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    match text.split_once(':') {
        Some(("node" | "host", _)) => facts
            .addresses(text)
            .ok_or_else(|| format!("expected source {text}: there is none of that name")),
        Some(("external", address)) => address
            .parse()
            .map(|ip| vec![ip])
            .map_err(|_| format!("expected source {text}: that is no address")),
        _ => addresses_of_pods(facts, text).map_err(|why| format!("expected source {text}: {why}")),
    }
}

fn party_source(facts: &dyn Facts, party: &Source) -> Result<(String, Vec<IpAddr>), String> {
    if party.cluster.is_some() {
        return Err("source.cluster: several clusters are not modelled yet".to_owned());
    }
    let described = match (&party.pod, &party.node, &party.host, &party.external) {
        (Some(pod), None, None, None) => format!("pod:{pod}"),
        (None, Some(node), None, None) => format!("node:{node}"),
        (None, None, Some(host), None) => format!("host:{host}"),
        (None, None, None, Some(address)) => return Ok((address.to_string(), vec![*address])),
        _ => {
            return Err(
                "expect.source: expected an address, or exactly one of pod, node, host and external"
                    .to_owned(),
            );
        }
    };
    let addresses = one_string_source(facts, &described)?;
    Ok((described, addresses))
}
