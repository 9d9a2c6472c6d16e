//! A trace as JSON, in the shape that the command line documents.

use crate::fields::changed;
use crate::{Leg, Locate, MessageSeen, Step, StepKind, Trace};
use hoplab_source::Origin;
use serde_json::{Map, Value, json};

/// Version of the shape; grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// The whole trace as one object.
pub fn to_json(trace: &Trace, locate: &dyn Locate) -> Value {
    let mut out = Map::new();
    out.insert("format".into(), FORMAT.into());
    out.extend(body(trace, locate));
    Value::Object(out)
}

fn body(trace: &Trace, locate: &dyn Locate) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("outcome", trace.outcome.to_string().into());
    put("verdict", trace.verdict.to_string().into());
    put("reason", trace.reason.clone().into());
    put("from", trace.from.clone().into());
    put("to", trace.to.clone().into());
    if let Some(backend) = &trace.backend {
        let text = backend.to_string();
        put("backend", text.strip_prefix("pod:").unwrap_or(&text).into());
    }
    if let Some(source) = trace.source {
        put("source", source.to_string().into());
    }
    if let Some(status) = trace.exchange.status {
        put("status", status.into());
    }
    put("micros", trace.micros.into());
    if let Some(seen) = &trace.exchange.received {
        put("received", message(seen));
    }
    if let Some(seen) = &trace.exchange.response {
        put("response", message(seen));
    }
    if let Some((rcode, answers)) = &trace.dns {
        put("dns", json!({"rcode": rcode, "answers": answers}));
    }
    if let Some(lookup) = &trace.lookup {
        put("lookup", lookup.to_json(trace.micros));
    }
    put("legs", trace.legs.iter().map(|l| leg(l, locate)).collect());
    put(
        "subtraces",
        trace
            .subtraces
            .iter()
            .map(|s| json!({"why": s.why, "label": s.label, "trace": Value::Object(body(&s.trace, locate))}))
            .collect(),
    );
    put(
        "choices",
        trace
            .choices
            .iter()
            .map(|c| {
                let ways: Vec<_> = c
                    .ways
                    .iter()
                    .map(|(name, share)| json!({"name": name, "share": share}))
                    .collect();
                json!({"name": c.name, "taken": c.taken, "ways": ways})
            })
            .collect(),
    );
    put(
        "unknowns",
        trace
            .unknowns
            .iter()
            .map(|u| json!({"what": u.what, "why": u.why}))
            .collect(),
    );
    out
}

fn message(seen: &MessageSeen) -> Value {
    let headers: Vec<_> = seen
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "method": seen.method, "path": seen.path, "host": seen.host, "proto": seen.protocol,
        "headers": headers, "body": String::from_utf8_lossy(&seen.body),
    })
}

fn leg(leg: &Leg, locate: &dyn Locate) -> Value {
    let mut before = leg.steps().next().map(|(_, s)| s.packet.clone());
    let mut hops = Vec::with_capacity(leg.hops.len());
    for hop in &leg.hops {
        let mut steps = Vec::with_capacity(hop.steps.len());
        for step in &hop.steps {
            let came = before.take().unwrap_or_else(|| step.packet.clone());
            let mut old = Map::new();
            let mut new = Map::new();
            for (name, was, is) in changed(&came, &step.packet) {
                old.insert(name.clone(), was.into());
                new.insert(name, is.into());
            }
            let mut one = json!({
                "kind": kind(step), "micros": step.at.0, "names": step.names(),
                "text": step.sentence(&came, &hop.place), "before": old, "after": new,
            });
            if let Some(of) = &step.origin {
                one["origin"] = origin(of, locate);
            }
            steps.push(one);
            before = Some(step.packet.clone());
        }
        hops.push(json!({"place": hop.place.to_string(), "netns": hop.place.netns(), "steps": steps}));
    }
    let direction = if leg.direction == crate::Direction::Request {
        "request"
    } else {
        "reply"
    };
    let end = match leg.end {
        crate::LegEnd::Delivered => "delivered",
        crate::LegEnd::Dropped => "dropped",
        crate::LegEnd::Refused => "refused",
    };
    json!({"direction": direction, "label": leg.label, "end": end, "hops": hops})
}

/// An origin with its file and line, as every `-o json` prints it.
pub fn origin(origin: &Origin, locate: &dyn Locate) -> Value {
    let mut out = Map::new();
    if let Some(object) = &origin.object {
        out.insert("object".into(), object.to_string().into());
        out.insert("field".into(), origin.field.to_string().into());
    }
    out.insert("writer".into(), origin.writer.as_ref().into());
    if let Some(at) = locate.locate(origin) {
        out.insert("file".into(), at.file.into());
        out.insert("line".into(), at.line.into());
    }
    Value::Object(out)
}

/// The step's kind as a word.
fn kind(step: &Step) -> &'static str {
    match step.kind {
        StepKind::Originate { .. } => "originate",
        StepKind::Ingress { .. } => "ingress",
        StepKind::Egress { .. } => "egress",
        StepKind::Bridge { .. } => "bridge",
        StepKind::Neighbour { .. } => "neighbour",
        StepKind::Route { .. } => "route",
        StepKind::Hook { .. } => "hook",
        StepKind::Nat { .. } => "nat",
        StepKind::Conntrack { .. } => "conntrack",
        StepKind::Encap { .. } => "encap",
        StepKind::Decap { .. } => "decap",
        StepKind::Fragment { .. } => "fragment",
        StepKind::Reassemble { .. } => "reassemble",
        StepKind::Socket { .. } => "socket",
        StepKind::Drop { .. } => "drop",
        StepKind::Fault { .. } => "fault",
        StepKind::IcmpError { .. } => "icmp",
        StepKind::Process { .. } => "process",
    }
}
