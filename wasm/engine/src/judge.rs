//! What became of a request, and why: from what the client saw and from the step that decided.

use crate::client::Report;
use crate::lookup::Around;
use crate::{Request, World};
use hoplab_kernel::process::SocketError;
use hoplab_objects::view::Namespace;
use hoplab_trace::{
    DropCause, Leg, Outcome, Place, RouteDecision, RuleVerdict, Step, StepKind, Trace, Unknown, Verdict,
};
use hoplab_wire::Packet;
use hoplab_wire::dns::Message;

/// A step with the packet as it came to it, and where.
struct Decided<'t> {
    place: &'t Place,
    step: &'t Step,
    before: &'t Packet,
}

/// Fills in outcome, verdict, reason and answers.
pub(crate) fn judge(world: &World, trace: &mut Trace, report: &Report, request: &Request) {
    trace.dns = match request {
        Request::Dns { .. } => report
            .resolved
            .as_ref()
            .and_then(|r| r.answer.as_ref())
            .map(answers),
        _ => None,
    };
    trace.outcome = outcome(trace, report, request);
    let denied = all_legs(trace).find_map(|leg| deciding(leg, is_denial));
    trace.verdict = if denied.is_some() {
        Verdict::Denied
    } else {
        Verdict::Allowed
    };
    // A denial on the way that did not stop the request (a look-up that a second server answered) denies nothing.
    if trace.outcome == Outcome::Delivered {
        trace.verdict = Verdict::Allowed;
    }
    trace.reason = reason(world, trace, report, request);
    if trace.outcome == Outcome::Unknown && trace.unknowns.is_empty() {
        trace.unknowns.push(Unknown {
            what: "the end of this request".to_owned(),
            why: "no packet of it came to an end that the model knows".to_owned(),
        });
    }
    if !trace.unknowns.is_empty() {
        trace.verdict = Verdict::Unknown;
    }
}

fn all_legs(trace: &Trace) -> impl Iterator<Item = &Leg> {
    trace
        .legs
        .iter()
        .chain(trace.subtraces.iter().flat_map(|s| &s.trace.legs))
}

fn is_denial(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::Hook {
            verdict: RuleVerdict::Drop | RuleVerdict::Reject,
            ..
        }
    )
}

fn deciding(leg: &Leg, wanted: impl Fn(&StepKind) -> bool) -> Option<Decided<'_>> {
    let mut before: Option<&Packet> = None;
    for (place, step) in leg.steps() {
        if wanted(&step.kind) {
            return Some(Decided {
                place,
                step,
                before: before.unwrap_or(&step.packet),
            });
        }
        before = Some(&step.packet);
    }
    None
}

fn answers(message: &Message) -> (String, Vec<String>) {
    let lines = message
        .answers
        .iter()
        .map(|r| format!("{} {} {}", absolute(&r.name.to_string()), r.record_type(), r.data));
    (message.rcode().to_string(), lines.collect())
}

fn absolute(name: &str) -> String {
    if name.ends_with('.') {
        name.to_owned()
    } else {
        format!("{name}.")
    }
}

fn outcome(trace: &Trace, report: &Report, request: &Request) -> Outcome {
    let modelled = trace.unknowns.iter().all(|u| u.what != "TLS");
    if let Request::Dns { .. } = request {
        return match &report.resolved {
            Some(resolved)
                if resolved.answer.is_some() || resolved.queries.iter().any(|q| q.answer.is_some()) =>
            {
                Outcome::Delivered
            }
            _ => silent(trace, report.error),
        };
    }
    if report.answered {
        return if modelled {
            Outcome::Delivered
        } else {
            Outcome::Unknown
        };
    }
    if let Some(resolved) = &report.resolved
        && resolved.address.is_none()
    {
        return Outcome::Unresolved;
    }
    if report.connected {
        return match report.error {
            Some(SocketError::Reset | SocketError::Refused) => Outcome::Reset,
            _ => Outcome::Stalled,
        };
    }
    silent(trace, report.error)
}

/// Without an answer and without a connection.
fn silent(trace: &Trace, error: Option<SocketError>) -> Outcome {
    if all_legs(trace).any(|l| {
        deciding(l, |k| {
            matches!(
                k,
                StepKind::Drop {
                    cause: DropCause::TtlExceeded | DropCause::Loop
                }
            )
        })
        .is_some()
    }) {
        return Outcome::Looped;
    }
    if all_legs(trace).any(|l| {
        deciding(l, |k| {
            matches!(
                k,
                StepKind::Drop {
                    cause: DropCause::NotModelled
                }
            )
        })
        .is_some()
    }) {
        return Outcome::Unknown;
    }
    match error {
        Some(SocketError::Refused | SocketError::Reset) => Outcome::Refused,
        Some(SocketError::HostUnreachable | SocketError::NetUnreachable) => Outcome::Unreachable,
        _ => Outcome::Dropped,
    }
}

fn reason(world: &World, trace: &Trace, report: &Report, request: &Request) -> String {
    let told = |d: &Decided<'_>| d.step.sentence(d.before, d.place);
    let denial = || all_legs(trace).find_map(|leg| deciding(leg, is_denial));
    let backend = trace.backend.as_ref().map(Place::in_words).unwrap_or_default();
    match trace.outcome {
        Outcome::Delivered => match (request, trace.exchange.status) {
            (Request::Dns { .. }, _) => match &trace.dns {
                Some((rcode, answers)) if answers.is_empty() => {
                    format!("Answered by {backend}: {rcode}, no records.")
                }
                Some((rcode, answers)) => format!("Answered by {backend}: {rcode}, {}.", answers.join("; ")),
                None => format!("Answered by {backend}."),
            },
            (_, Some(status)) => format!("Answered by {backend} with status {status}."),
            _ => format!("Answered by {backend}."),
        },
        Outcome::Refused => match denial() {
            Some(d) => format!("Refused by {}: {}", d.place.in_words(), told(&d)),
            None => refused_by_socket(world, trace),
        },
        Outcome::Dropped => match denial().or_else(|| last_drop(trace)) {
            Some(d) => format!("Dropped on {}: {}", d.place.in_words(), told(&d)),
            None => "No answer came, and no packet says why.".to_owned(),
        },
        Outcome::Unreachable => match unreachable_step(trace).or_else(|| last_drop(trace)) {
            Some(d) => format!("Unreachable from {}: {}", d.place.in_words(), told(&d)),
            None => "Unreachable: there is no way to the destination.".to_owned(),
        },
        Outcome::Unresolved => unresolved(world, report, denial().map(|d| told(&d))),
        Outcome::Reset => format!("{backend} took the connection and then reset it."),
        Outcome::Stalled => match denial().or_else(|| last_drop(trace)) {
            Some(d) => format!(
                "Connected to {backend}, then no progress. On {}: {}",
                d.place.in_words(),
                told(&d)
            ),
            None => format!("Connected to {backend}, which never answered."),
        },
        Outcome::Looped => "The packet went round until its time to live was used up.".to_owned(),
        Outcome::Rejected => "The TLS handshake was rejected.".to_owned(),
        Outcome::Unknown => match trace.unknowns.first() {
            Some(unknown) => format!("Not decided: {}: {}.", unknown.what, unknown.why),
            None => "Not decided.".to_owned(),
        },
    }
}

fn last_drop(trace: &Trace) -> Option<Decided<'_>> {
    let real = |k: &StepKind| matches!(k, StepKind::Drop { cause } if *cause != DropCause::SocketIgnored);
    let legs: Vec<&Leg> = all_legs(trace).collect();
    legs.into_iter().rev().find_map(|leg| deciding(leg, real))
}

fn unreachable_step(trace: &Trace) -> Option<Decided<'_>> {
    all_legs(trace).find_map(|leg| {
        deciding(leg, |k| {
            matches!(
                k,
                StepKind::Route {
                    decision: RouteDecision::NoRoute | RouteDecision::Refused { .. },
                    ..
                } | StepKind::Drop {
                    cause: DropCause::NeighbourFailed | DropCause::NoRoute
                }
            )
        })
    })
}

/// RST or port unreachable from where nothing listens: says what does listen there.
fn refused_by_socket(world: &World, trace: &Trace) -> String {
    let found =
        all_legs(trace).find_map(|l| deciding(l, |k| matches!(k, StepKind::Socket { process: None, .. })));
    let Some(decided) = found else {
        return match last_drop(trace) {
            Some(d) => format!(
                "Refused by {}: {}",
                d.place.in_words(),
                d.step.sentence(d.before, d.place)
            ),
            None => "Refused.".to_owned(),
        };
    };
    let mut text = format!(
        "Refused by {}: {}",
        decided.place.in_words(),
        decided.step.sentence(decided.before, decided.place)
    );
    let listens = world
        .stack_at(decided.place)
        .and_then(|id| world.stack(id))
        .map(|stack| {
            stack
                .listeners
                .iter()
                .map(|l| match l.port {
                    Some(port) => format!("{port}/{}", l.protocol),
                    None => format!("every {} port", l.protocol),
                })
                .collect::<Vec<_>>()
        });
    match listens {
        Some(ports) if !ports.is_empty() => text.push_str(&format!(" It listens on {}.", ports.join(", "))),
        Some(_) => text.push_str(" It listens on no port."),
        None => {}
    }
    text
}

fn unresolved(world: &World, report: &Report, denial: Option<String>) -> String {
    let Some(resolved) = &report.resolved else {
        return "The name has no address.".to_owned();
    };
    if let Some(denial) = denial {
        return format!("No answer from the name server. {denial}");
    }
    if resolved.queries.iter().all(|q| q.answer.is_none()) {
        let server = resolved
            .queries
            .first()
            .map(|q| q.server.ip().to_string())
            .unwrap_or_default();
        return format!("No answer from the name server {server}.");
    }
    let mut names: Vec<&str> = Vec::new();
    for query in &resolved.queries {
        if !names.contains(&query.name.as_str()) {
            names.push(&query.name);
        }
    }
    let mut text = format!(
        "No such name: {} has no address.",
        names.join(" has no address, ")
    );
    let asked = names.last().copied().unwrap_or_default();
    let mut labels = asked.split('.');
    if let (Some(service), Some(namespace)) = (labels.next(), labels.next())
        && labels.next().is_none_or(|l| l == "svc")
    {
        let all: Vec<&str> = world
            .store()
            .all::<Namespace>()
            .map(|(o, _)| o.key.name.as_str())
            .collect();
        if !all.contains(&namespace) {
            text.push_str(&format!(" Namespace {namespace} does not exist"));
            match hoplab_objects::names::did_you_mean(namespace, all.iter().copied()) {
                Some(near) => text.push_str(&format!("; {near} does.")),
                None => text.push('.'),
            }
        } else {
            text.push_str(&format!(" Namespace {namespace} has no Service {service}."));
        }
    }
    text
}
