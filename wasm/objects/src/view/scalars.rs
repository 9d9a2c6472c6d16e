//! Scalars that several kinds share: ports, protocols, int-or-string.

use super::Labels;
use super::value::{Fit, Misfit, Read, entries, text, words};
use hoplab_source::decimal;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;

/// A number, or a name: `targetPort: 8080`, `targetPort: http`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A name, or a percentage.
    String(String),
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrString::Int(number) => number.fmt(f),
            IntOrString::String(text) => text.fmt(f),
        }
    }
}

impl Read for IntOrString {
    fn read(value: &Value) -> Fit<Self> {
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        match (value, number) {
            (Value::String(text), _) => Ok(IntOrString::String(text.clone())),
            (_, Some(number)) => Ok(IntOrString::Int(number)),
            _ => Err(Misfit::expected("an integer or a string", value)),
        }
    }
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP, which a port has unless it says otherwise.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

words! { Protocol { Tcp "TCP", Udp "UDP", Sctp "SCTP" } }

impl Protocol {
    /// `TCP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Any scalar as text, for hoplab's own kinds, which do not care whether a value is quoted.
pub(crate) fn scalar_text(value: &Value) -> Fit<String> {
    match value {
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(decimal::without_exponent(&number.to_string())),
        _ => text(value).map(str::to_owned),
    }
}

/// Any scalar as text, if there is one.
pub(crate) fn optional_text(value: &Value) -> Fit<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    scalar_text(value).map(Some)
}

/// Any scalar as text, by key.
pub(crate) fn texts(value: &Value) -> Fit<Labels> {
    let mut map = Labels::new();
    entries(value, &mut |key, value| {
        map.insert(key.to_owned(), scalar_text(value)?);
        Ok(())
    })?;
    Ok(map)
}

/// What the API server says of a port outside 1 to 65535.
pub(crate) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";

/// A port number. 0, which stands for absence, is refused by validation.
pub(crate) fn port(value: &Value) -> Fit<u16> {
    let number = i64::read(value)?;
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| Misfit::invalid(&number.to_string(), PORT_RANGE))
}

/// A port number, where 0 means that none is given.
pub(crate) fn optional_port(value: &Value) -> Fit<Option<u16>> {
    match Option::<i64>::read(value)? {
        None | Some(0) => Ok(None),
        Some(_) => port(value).map(Some),
    }
}

/// What the API server says of what is no address.
pub(crate) const IP_ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

/// Reads an address; the empty text is none.
pub(crate) fn optional_ip(value: &Value) -> Fit<Option<IpAddr>> {
    match Option::<String>::read(value)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => ip_of(text).map(Some),
    }
}

/// Reads a list of addresses.
pub(crate) fn ips(value: &Value) -> Fit<Vec<IpAddr>> {
    Vec::<String>::read(value)?
        .iter()
        .map(|text| ip_of(text))
        .collect()
}

/// Reads an address, with the API server's words if it is none.
pub(crate) fn ip_of(text: &str) -> Fit<IpAddr> {
    text.parse()
        .map_err(|_| Misfit::invalid(&format!("\"{text}\""), IP_ADDRESS))
}
