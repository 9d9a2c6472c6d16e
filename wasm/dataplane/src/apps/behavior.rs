//! The annotation `hoplab.dev/behavior`: what a pod's containers do, in a small YAML.
//!
//! ```yaml
//! listen:
//! - {port: 8080, protocol: TCP, status: 503, body: "try later", delay: 200ms}
//! - {port: 9000, error: reset}      # reset: RST once connected; silent: takes the connection and never answers
//! ```
//! An empty list: nothing listens.

use hoplab_objects::yaml::{self, Limits};
use hoplab_source::SourceId;
use hoplab_wire::L4Protocol;
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;

/// The annotation's name.
pub const ANNOTATION: &str = "hoplab.dev/behavior";

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// RST once connected.
    Reset,
    /// No answer, ever.
    Silent,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its protocol.
    pub protocol: L4Protocol,
    /// Its port.
    pub port: u16,
    /// HTTP status; `None`: 200 and the request described.
    pub status: Option<u16>,
    /// HTTP body.
    pub body: String,
    /// How long it thinks.
    pub delay: Duration,
    /// What goes wrong.
    pub fault: Option<Fault>,
}

/// What the annotation says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    /// In order.
    pub listen: Vec<Listen>,
}

/// Why an annotation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BehaviorError {
    /// Not YAML.
    #[error("annotation hoplab.dev/behavior: {0}")]
    Yaml(String),
    /// A field that does not exist or does not fit.
    #[error("annotation hoplab.dev/behavior: {field}: expected {expected}")]
    Field {
        /// Where.
        field: String,
        /// What would do.
        expected: &'static str,
    },
}

fn field(name: impl Into<String>, expected: &'static str) -> BehaviorError {
    BehaviorError::Field {
        field: name.into(),
        expected,
    }
}

impl Behavior {
    /// Reads the annotation's value.
    pub fn parse(text: &str) -> Result<Self, BehaviorError> {
        let documents = yaml::documents(SourceId(0), text, &Limits::default());
        if let Some(wrong) = documents.diagnostics.first() {
            return Err(BehaviorError::Yaml(wrong.message.clone()));
        }
        let value = documents
            .value
            .into_iter()
            .next()
            .map(|d| d.value)
            .unwrap_or(Value::Null);
        let object = value
            .as_object()
            .ok_or_else(|| field("", "a mapping with `listen`"))?;
        if let Some(unknown) = object.keys().find(|k| *k != "listen") {
            return Err(field(unknown.clone(), "only `listen`"));
        }
        let list = object
            .get("listen")
            .and_then(Value::as_array)
            .ok_or_else(|| field("listen", "a list"))?;
        let listen = list
            .iter()
            .enumerate()
            .map(|(i, v)| one(i, v))
            .collect::<Result<_, _>>()?;
        Ok(Self { listen })
    }
}

fn one(index: usize, value: &Value) -> Result<Listen, BehaviorError> {
    let at = |name: &str| format!("listen[{index}].{name}");
    let object = value
        .as_object()
        .ok_or_else(|| field(format!("listen[{index}]"), "a mapping"))?;
    let known = ["port", "protocol", "status", "body", "delay", "error"];
    if let Some(unknown) = object.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(field(at(unknown), "port, protocol, status, body, delay or error"));
    }
    let number = |name: &str| {
        object
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|n| u16::try_from(n).ok())
    };
    let port = number("port")
        .filter(|p| *p > 0)
        .ok_or_else(|| field(at("port"), "a port from 1 to 65535"))?;
    let protocol = match object.get("protocol").and_then(Value::as_str).unwrap_or("TCP") {
        "TCP" => L4Protocol::Tcp,
        "UDP" => L4Protocol::Udp,
        "SCTP" => L4Protocol::Sctp,
        _ => return Err(field(at("protocol"), "TCP, UDP or SCTP")),
    };
    let status = match object.get("status") {
        None => None,
        Some(_) => Some(
            number("status")
                .filter(|s| (200..600).contains(s))
                .ok_or_else(|| field(at("status"), "an HTTP status from 200 to 599"))?,
        ),
    };
    let delay = match object.get("delay") {
        None => Duration::ZERO,
        Some(value) => value
            .as_str()
            .and_then(hoplab_objects::duration::parse)
            .ok_or_else(|| field(at("delay"), "a duration such as 200ms"))?,
    };
    let fault = match object.get("error").and_then(Value::as_str) {
        None if object.contains_key("error") => return Err(field(at("error"), "reset or silent")),
        None => None,
        Some("reset") => Some(Fault::Reset),
        Some("silent") => Some(Fault::Silent),
        Some(_) => return Err(field(at("error"), "reset or silent")),
    };
    let body = object
        .get("body")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok(Listen {
        protocol,
        port,
        status,
        body,
        delay,
        fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_listeners_and_says_what_is_wrong() {
        let good =
            Behavior::parse("listen: [{port: 8080, status: 503, delay: 200ms}, {port: 9, error: silent}]");
        let good = good.expect("reads");
        assert_eq!(good.listen[0].status, Some(503));
        assert_eq!(good.listen[0].delay, Duration::from_millis(200));
        assert_eq!(good.listen[1].fault, Some(Fault::Silent));
        assert_eq!(Behavior::parse("listen: []").map(|b| b.listen.len()), Ok(0));
        for (text, wrong) in [
            ("listen: [{port: 0}]", "listen[0].port"),
            ("listen: [{port: 1, error: x}]", "listen[0].error"),
            ("serve: 1", "serve"),
            ("listen: [{prot: 1}]", "listen[0].prot"),
            ("listen: [", "annotation"),
        ] {
            let error = Behavior::parse(text).expect_err(text).to_string();
            assert!(error.contains(wrong), "{text}: {error}");
        }
    }
}
