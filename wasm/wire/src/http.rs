//! HTTP/1.1 messages to and from bytes. Source: RFC 9110, RFC 9112.

mod parse;

pub use parse::{NotHttp, response_is_whole};

/// Most bytes that a message's head may take: what nginx and Go's net/http take in all by default is of this order.
pub const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The target as sent: `/cart?x=1`.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// In order, names as sent.
    pub headers: Headers,
    /// What follows; chunks put together.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: String,
    /// `200`.
    pub status: u16,
    /// `OK`; may be empty.
    pub reason: String,
    /// In order, names as sent.
    pub headers: Headers,
    /// What follows; chunks put together.
    pub body: Vec<u8>,
}

/// Header fields, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a field; names ignore case.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Adds a field after the others.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Puts a field in the place of all of its name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.push(name, value);
    }
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version: "HTTP/1.1".to_owned(),
            ..Self::default()
        }
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The query, without the question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the connection stays open after the answer (RFC 9112 §9.3).
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(&self.version, &self.headers)
    }

    /// As bytes. A body that no header declares is declared.
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = format!(
            "{} {} {}",
            one_line(&self.method),
            one_line(&self.target),
            one_line(&self.version)
        );
        write(&line, &self.headers, &self.body, false)
    }
}

impl Response {
    /// A response with the usual reason, without headers and body.
    pub fn new(status: u16) -> Self {
        Self {
            version: "HTTP/1.1".to_owned(),
            status,
            reason: reason(status).to_owned(),
            ..Self::default()
        }
    }

    /// The same, with a body of a type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    /// As bytes, with `Content-Length` where the status has a body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = format!(
            "{} {} {}",
            one_line(&self.version),
            self.status,
            one_line(&self.reason)
        );
        write(&line, &self.headers, &self.body, has_body(self.status))
    }

    /// As bytes of an answer to HEAD: the headers of the body, but not the body.
    pub fn head_to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        bytes.truncate(bytes.len() - if has_body(self.status) { self.body.len() } else { 0 });
        bytes
    }
}

/// RFC 9112 §6.3: 1xx, 204 and 304 have none.
fn has_body(status: u16) -> bool {
    !(status < 200 || status == 204 || status == 304)
}

fn keeps_alive(version: &str, headers: &Headers) -> bool {
    let option = |wanted: &str| {
        headers
            .all("Connection")
            .flat_map(|value| value.split(','))
            .any(|o| o.trim().eq_ignore_ascii_case(wanted))
    };
    if version == "HTTP/1.0" {
        option("keep-alive")
    } else {
        !option("close")
    }
}

/// Text without line breaks, so that no value can end a line.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}

fn write(line: &str, headers: &Headers, body: &[u8], always_length: bool) -> Vec<u8> {
    let mut head = format!("{line}\r\n");
    for (name, value) in &headers.0 {
        if name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("Transfer-Encoding") {
            continue;
        }
        head.push_str(&format!("{}: {}\r\n", one_line(name), one_line(value)));
    }
    if always_length || !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The usual reason of a status (RFC 9110 §15 and the IANA registry).
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
