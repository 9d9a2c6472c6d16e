//! What the backend received, and what the client got back.

use hoplab_objects::view::hoplab::{Received, Redirect, Response, Tls};
use hoplab_trace::{MessageSeen, Trace};

/// All values of a header, joined with `,`; blanks around commas do not count.
fn header(message: &MessageSeen, name: &str) -> Option<String> {
    let values: Vec<&str> = message
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| normal(&values.join(",")))
}

/// A header's value without blanks around commas.
fn normal(value: &str) -> String {
    value.split(',').map(str::trim).collect::<Vec<_>>().join(",")
}

fn headers(what: &str, wanted: &[(String, String)], message: &MessageSeen) -> Vec<String> {
    let mut failures = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (name, _) in wanted {
        if seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        seen.push(name.clone());
        let all = wanted
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        let expected = normal(&all.collect::<Vec<_>>().join(","));
        match header(message, name) {
            Some(found) if found == expected => {}
            Some(found) => failures.push(format!("{what}: expected header {name}: {expected}, got {found}")),
            None => failures.push(format!(
                "{what}: expected header {name}: {expected}, it is absent"
            )),
        }
    }
    failures
}

fn presence(what: &str, present: &[String], absent: &[String], message: &MessageSeen) -> Vec<String> {
    let missing = present
        .iter()
        .filter(|name| header(message, name).is_none())
        .map(|name| format!("{what}: expected a header {name}, it is absent"));
    let unwanted = absent.iter().filter_map(|name| {
        Some(format!(
            "{what}: expected no header {name}, got {}",
            header(message, name)?
        ))
    });
    missing.chain(unwanted).collect()
}

fn is(what: &str, field: &str, wanted: Option<&String>, found: &str) -> Option<String> {
    let wanted = wanted?;
    (wanted != found).then(|| format!("{what}: expected {field} {wanted}, got {found}"))
}

pub(super) fn received(wanted: &Received, trace: &Trace) -> Vec<String> {
    let what = "received";
    let mut failures = Vec::new();
    match &wanted.tls {
        Some(Tls::Used(false)) | None => {}
        Some(_) => failures.push("received.tls: TLS is not modelled yet".to_owned()),
    }
    let Some(message) = &trace.exchange.received else {
        failures.push(format!(
            "{what}: no backend received a request ({}){}",
            trace.outcome,
            super::blame::reason(trace)
        ));
        return failures;
    };
    failures.extend(is(what, "path", wanted.path.as_ref(), &message.path));
    failures.extend(is(what, "host", wanted.host.as_ref(), &message.host));
    failures.extend(is(what, "method", wanted.method.as_ref(), &message.method));
    failures.extend(is(what, "proto", wanted.proto.as_ref(), &message.protocol));
    failures.extend(headers(what, &wanted.headers.0, message));
    failures.extend(presence(
        what,
        &wanted.present_headers,
        &wanted.absent_headers,
        message,
    ));
    failures
}

pub(super) fn response(wanted: &Response, trace: &Trace) -> Vec<String> {
    let what = "response";
    let mut failures = Vec::new();
    if wanted.certificate.is_some() {
        failures.push("response.certificate: TLS is not modelled yet".to_owned());
    }
    let Some(message) = &trace.exchange.response else {
        failures.push(format!(
            "{what}: no answer came ({}){}",
            trace.outcome,
            super::blame::reason(trace)
        ));
        return failures;
    };
    failures.extend(is(what, "proto", wanted.proto.as_ref(), &message.protocol));
    failures.extend(headers(what, &wanted.headers.0, message));
    failures.extend(presence(
        what,
        &wanted.present_headers,
        &wanted.absent_headers,
        message,
    ));
    for (name, values) in &wanted.headers_one_of {
        let found = header(message, name);
        if !values
            .iter()
            .any(|value| found.as_deref() == Some(&normal(value)))
        {
            let got = found.map_or_else(|| "it is absent".to_owned(), |found| format!("got {found}"));
            failures.push(format!(
                "{what}: expected header {name} to be one of {}, {got}",
                values.join(", ")
            ));
        }
    }
    if let Some(wanted) = &wanted.redirect {
        failures.extend(redirect(wanted, message));
    }
    failures
}

/// `Location` taken apart: scheme, host, effective port, path, query. A relative one has a path only.
struct Location {
    scheme: Option<String>,
    host: Option<String>,
    port: Option<String>,
    path: String,
    query: Option<String>,
}

fn location(text: &str) -> Location {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let (authority, tail) = match (&scheme, rest.find(['/', '?', '#'])) {
        (Some(_), Some(end)) => rest.split_at(end),
        (Some(_), None) => (rest, ""),
        (None, _) => ("", rest),
    };
    let tail = tail.split('#').next().unwrap_or_default();
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (tail, None),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, Some(port.to_owned()))
        }
        _ => (authority, None),
    };
    let default = match scheme.as_deref() {
        Some("http") => Some("80".to_owned()),
        Some("https") => Some("443".to_owned()),
        _ => None,
    };
    Location {
        host: scheme.is_some().then(|| host.to_owned()),
        port: port.or(default),
        scheme,
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        },
        query,
    }
}

fn redirect(wanted: &Redirect, message: &MessageSeen) -> Vec<String> {
    let Some(text) = header(message, "location") else {
        return vec!["response: expected a redirect, there is no header Location".to_owned()];
    };
    let found = location(&text);
    let fields = [
        ("scheme", &wanted.scheme, found.scheme.as_deref()),
        ("host", &wanted.host, found.host.as_deref()),
        ("port", &wanted.port, found.port.as_deref()),
        ("path", &wanted.path, Some(found.path.as_str())),
        ("query", &wanted.query, found.query.as_deref()),
    ];
    fields
        .into_iter()
        .filter_map(|(field, wanted, found)| {
            let wanted = wanted.as_deref()?;
            (found != Some(wanted)).then(|| {
                format!(
                    "response: expected a redirect to {field} {wanted}, got {} (Location: {text})",
                    found.unwrap_or("none")
                )
            })
        })
        .collect()
}
