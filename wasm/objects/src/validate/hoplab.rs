//! hoplab's own kinds: Probe, Assert, Step, Fault, Host.

use super::Check;
use crate::codes;
use crate::selector::Selector;
use crate::view::hoplab::{Assert, Expect, Fault, Host, ObjectRef, Probe, Source, Step};
use serde_json::Value;

/// What can become of a request.
const OUTCOMES: [&str; 10] = [
    "delivered",
    "refused",
    "reset",
    "stalled",
    "rejected",
    "dropped",
    "unreachable",
    "looped",
    "unresolved",
    "unknown",
];
/// What a fault can do.
const FAULTS: [&str; 12] = [
    "down",
    "stop",
    "loss",
    "delay",
    "duplicate",
    "reorder",
    "drop",
    "mtu",
    "unready",
    "stale",
    "fill",
    "set",
];

/// Checks a Probe.
pub(super) fn probe(check: &mut Check<'_>, probe: &Probe) {
    source(check, "spec.from", &probe.spec.from);
    let request = &probe.spec.request;
    let given = [
        ("http", request.http.is_some()),
        ("grpc", request.grpc.is_some()),
        ("tls", request.tls.is_some()),
        ("tcp", request.tcp.is_some()),
        ("udp", request.udp.is_some()),
        ("sctp", request.sctp.is_some()),
        ("icmp", request.icmp.is_some()),
        ("dns", request.dns.is_some()),
    ];
    exactly_one(check, "spec.request", &given);
    let transports = [
        ("tcp", &request.tcp),
        ("udp", &request.udp),
        ("sctp", &request.sctp),
    ];
    for (name, transport) in transports
        .into_iter()
        .filter_map(|(name, transport)| Some((name, transport.as_ref()?)))
    {
        if transport.host.is_empty() {
            check.required(&format!("spec.request.{name}.host"));
        }
        if transport.port == 0 {
            check.required(&format!("spec.request.{name}.port"));
        }
    }
    let urls = [
        ("http", request.http.as_ref().map(|http| &http.url)),
        ("grpc", request.grpc.as_ref().map(|grpc| &grpc.url)),
    ];
    for (name, url) in urls.into_iter().filter_map(|(name, url)| Some((name, url?))) {
        if !url.contains("://") {
            let reason = "must be an absolute URL such as http://web.shop/cart";
            check.invalid(
                codes::INVALID_VALUE,
                &format!("spec.request.{name}.url"),
                format_args!("\"{url}\""),
                reason,
            );
        }
    }
    if request.dns.as_ref().is_some_and(|dns| dns.name.is_empty()) {
        check.required("spec.request.dns.name");
    }
    if request.icmp.as_ref().is_some_and(|icmp| icmp.host.is_empty()) {
        check.required("spec.request.icmp.host");
    }
    if probe.spec.times == Some(0) {
        check.invalid(codes::INVALID_VALUE, "spec.times", 0, "must be at least 1");
    }
    expect(check, "spec.expect", &probe.spec.expect);
}

fn expect(check: &mut Check<'_>, path: &str, expect: &Expect) {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    check.one_of(
        &format!("{path}.verdict"),
        &word(&expect.verdict),
        &["allowed", "denied", "unknown"],
    );
    check.one_of(&format!("{path}.outcome"), &word(&expect.outcome), &OUTCOMES);
    for (index, case) in expect.cases.iter().enumerate() {
        self::expect(check, &format!("{path}.cases[{index}]"), case);
    }
}

fn source(check: &mut Check<'_>, path: &str, source: &Source) {
    let given = [
        ("pod", source.pod.is_some()),
        ("node", source.node.is_some()),
        ("host", source.host.is_some()),
        ("external", source.external.is_some()),
    ];
    exactly_one(check, path, &given);
    if let Some(pod) = &source.pod {
        let parts: Vec<&str> = pod.split('/').collect();
        if !(2..=3).contains(&parts.len()) || parts.iter().any(|part| part.is_empty()) {
            let message = format!("found \"{pod}\", expected namespace/name or namespace/kind/name");
            check.error(codes::INVALID_SOURCE, &format!("{path}.pod"), message);
        }
    }
}

fn exactly_one(check: &mut Check<'_>, path: &str, fields: &[(&str, bool)]) {
    let found: Vec<&str> = fields
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    match found.as_slice() {
        [_] => {}
        [] => {
            check.error(
                codes::EXACTLY_ONE,
                path,
                format!("found none, expected exactly one of {}", names.join(", ")),
            );
        }
        several => {
            let message = format!(
                "found {}, expected exactly one of {}",
                several.join(" and "),
                names.join(", ")
            );
            check.error(codes::EXACTLY_ONE, path, message);
        }
    }
}

/// Checks an Assert.
pub(super) fn assert(check: &mut Check<'_>, assert: &Assert) {
    let spec = &assert.spec;
    exactly_one(
        check,
        "spec",
        &[("object", spec.object.is_some()), ("node", spec.node.is_some())],
    );
    if let Some(object) = &spec.object {
        reference(check, "spec.object", object);
    }
    for (index, field) in spec.fields.iter().enumerate() {
        if field.path.is_empty() {
            check.required(&format!("spec.fields[{index}].path"));
        }
    }
    if let Some(node) = &spec.node {
        for (field, text) in [("at", &node.at), ("command", &node.command)] {
            if text.is_empty() {
                check.required(&format!("spec.node.{field}"));
            }
        }
    }
}

fn reference(check: &mut Check<'_>, path: &str, object: &ObjectRef) {
    for (field, text) in [("apiVersion", &object.api_version), ("kind", &object.kind)] {
        if text.is_empty() {
            check.required(&format!("{path}.{field}"));
        }
    }
    exactly_one(
        check,
        path,
        &[
            ("name", object.name.is_some()),
            ("selector", object.selector.is_some()),
        ],
    );
    if let Some(Err(error)) = object.selector.as_deref().map(Selector::parse) {
        check.error(
            codes::INVALID_SELECTOR,
            &format!("{path}.selector"),
            error.to_string(),
        );
    }
}

/// Checks a Step, apart from the objects that it applies.
pub(super) fn step(check: &mut Check<'_>, step: &Step) {
    for (index, object) in step.spec.delete.iter().enumerate() {
        reference(check, &format!("spec.delete[{index}]"), object);
    }
    for (index, patch) in step.spec.patch.iter().enumerate() {
        reference(check, &format!("spec.patch[{index}].object"), &patch.object);
    }
    for (index, fault) in step.spec.fault.iter().enumerate() {
        let path = format!("spec.fault[{index}]");
        if fault.name.is_empty() {
            check.required(&format!("{path}.name"));
        }
        place_and_action(check, &path, &fault.at, &fault.action);
    }
}

/// Checks a Fault.
/// What a listener of a host can do.
const BEHAVIORS: [&str; 4] = ["http", "echo", "silent", "reset"];

pub(super) fn host(check: &mut Check<'_>, host: &Host) {
    for (index, listen) in host.spec.listen.iter().enumerate() {
        let path = format!("spec.listen[{index}].behavior");
        match &listen.behavior {
            None => {}
            Some(Value::String(word)) => check.one_of(&path, word, &BEHAVIORS),
            Some(other) => {
                let reason = format!("expected one of {}", BEHAVIORS.join(", "));
                check.invalid(codes::UNSUPPORTED_VALUE, &path, other, &reason);
            }
        }
    }
}

pub(super) fn fault(check: &mut Check<'_>, fault: &Fault) {
    place_and_action(check, "spec", &fault.spec.at, &fault.spec.action);
}

fn place_and_action(check: &mut Check<'_>, path: &str, at: &str, action: &str) {
    for (field, text) in [("at", at), ("do", action)] {
        if text.is_empty() {
            check.required(&format!("{path}.{field}"));
        }
    }
    check.one_of(&format!("{path}.do"), action, &FAULTS);
}
