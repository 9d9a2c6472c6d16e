//! Bytes to HTTP/1.x messages.

use super::{HEAD_LIMIT_BYTES, Headers, Request, Response, has_body};
use std::fmt;

/// Bytes that are no HTTP/1.x message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHttp {
    /// The first line is none of HTTP.
    StartLine,
    /// A header line without a name, with a space before the colon, or folded.
    Header,
    /// Length headers that say nothing clear.
    Length,
    /// A chunk without its size.
    Chunk,
    /// A head longer than [`HEAD_LIMIT_BYTES`].
    TooLong,
}

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartLine => "the first line is not one of HTTP/1.x",
            Self::Header => "a header line cannot be read",
            Self::Length => "the length of the body is not clear",
            Self::Chunk => "a chunk has no size",
            Self::TooLong => "the headers are too long",
        })
    }
}

impl std::error::Error for NotHttp {}

/// What a message's head says about its body.
enum BodyLength {
    /// Known.
    Bytes(usize),
    /// Chunked.
    Chunked,
    /// All until the connection closes.
    UntilClose,
}

struct Head<'a> {
    first: &'a str,
    headers: Headers,
    length: usize,
}

/// The head, once its empty line is there. Bare line feeds end lines too (RFC 9112 §2.2).
fn head(bytes: &[u8]) -> Result<Option<Head<'_>>, NotHttp> {
    let window = &bytes[..bytes.len().min(HEAD_LIMIT_BYTES)];
    let end = window.iter().enumerate().find_map(|(i, byte)| {
        let rest = window.get(i + 1..)?;
        if *byte != b'\n' {
            return None;
        }
        if rest.first() == Some(&b'\n') {
            Some(i + 2)
        } else if rest.starts_with(b"\r\n") {
            Some(i + 3)
        } else {
            None
        }
    });
    let Some(length) = end else {
        return if bytes.len() >= HEAD_LIMIT_BYTES {
            Err(NotHttp::TooLong)
        } else {
            Ok(None)
        };
    };
    let text = std::str::from_utf8(&bytes[..length]).map_err(|_| NotHttp::Header)?;
    let mut lines = text.lines();
    let first = lines.next().ok_or(NotHttp::StartLine)?;
    let mut headers = Headers::default();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(NotHttp::Header)?;
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NotHttp::Header);
        }
        headers.push(name, value.trim());
    }
    Ok(Some(Head {
        first,
        headers,
        length,
    }))
}

/// RFC 9112 §6.3; `response` says whether a missing length means "until close".
fn body_length(headers: &Headers, response: bool) -> Result<BodyLength, NotHttp> {
    if let Some(coding) = headers.all("Transfer-Encoding").last() {
        let last = coding.rsplit(',').next().unwrap_or(coding).trim();
        return if last.eq_ignore_ascii_case("chunked") {
            Ok(BodyLength::Chunked)
        } else if response {
            Ok(BodyLength::UntilClose)
        } else {
            Err(NotHttp::Length)
        };
    }
    let mut lengths = headers.all("Content-Length");
    match lengths.next() {
        Some(first) => {
            if lengths.any(|other| other != first) || !first.bytes().all(|b| b.is_ascii_digit()) {
                return Err(NotHttp::Length);
            }
            first.parse().map(BodyLength::Bytes).map_err(|_| NotHttp::Length)
        }
        None if response => Ok(BodyLength::UntilClose),
        None => Ok(BodyLength::Bytes(0)),
    }
}

/// Chunks put together, and how many bytes they took (RFC 9112 §7.1).
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, NotHttp> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line_end) = rest.iter().position(|b| *b == b'\n') else {
            return if rest.len() > 1024 {
                Err(NotHttp::Chunk)
            } else {
                Ok(None)
            };
        };
        let line = std::str::from_utf8(&rest[..line_end]).map_err(|_| NotHttp::Chunk)?;
        let size = line.split(';').next().unwrap_or(line).trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| NotHttp::Chunk)?;
        at += line_end + 1;
        if size == 0 {
            return trailers(bytes, at).map(|end| end.map(|end| (body, end)));
        }
        let Some(end) = at.checked_add(size) else {
            return Err(NotHttp::Chunk);
        };
        let Some(data) = bytes.get(at..end) else {
            return Ok(None);
        };
        body.extend_from_slice(data);
        at = end;
        match bytes.get(at..) {
            Some([b'\r', b'\n', ..]) => at += 2,
            Some([b'\n', ..]) => at += 1,
            Some([] | [b'\r']) | None => return Ok(None),
            Some(_) => return Err(NotHttp::Chunk),
        }
    }
}

/// Where the trailer section ends: after its empty line.
fn trailers(bytes: &[u8], mut at: usize) -> Result<Option<usize>, NotHttp> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line_end) = rest.iter().position(|b| *b == b'\n') else {
            return if rest.len() > HEAD_LIMIT_BYTES {
                Err(NotHttp::TooLong)
            } else {
                Ok(None)
            };
        };
        at += line_end + 1;
        if matches!(&rest[..line_end], [] | [b'\r']) {
            return Ok(Some(at));
        }
    }
}

impl Request {
    /// Reads one request and how many bytes it took; `None`: there is more to come.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, NotHttp> {
        if bytes.iter().take(HEAD_LIMIT_BYTES).any(|b| *b == b'\n') || bytes.len() > 64 {
            // A first line that cannot be HTTP is refused before its head is complete.
            let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            let method = line.split(|b| *b == b' ').next().unwrap_or_default();
            if method.is_empty() || method.len() > 32 || !method.iter().all(|b| is_token(*b)) {
                return Err(NotHttp::StartLine);
            }
        }
        let Some(head) = head(bytes)? else { return Ok(None) };
        let mut parts = head.first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotHttp::StartLine);
        };
        if method.is_empty() || target.is_empty() || !version.starts_with("HTTP/1.") {
            return Err(NotHttp::StartLine);
        }
        let rest = &bytes[head.length..];
        let (body, taken) = match body_length(&head.headers, false)? {
            BodyLength::Bytes(count) => match rest.get(..count) {
                Some(body) => (body.to_vec(), count),
                None => return Ok(None),
            },
            BodyLength::Chunked => match chunks(rest)? {
                Some(body) => body,
                None => return Ok(None),
            },
            BodyLength::UntilClose => return Err(NotHttp::Length),
        };
        let request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            headers: head.headers,
            body,
        };
        Ok(Some((request, head.length + taken)))
    }

    /// Whether bytes look like the start of an HTTP/1.x request: as far as they go.
    pub fn begins(bytes: &[u8]) -> bool {
        let line = bytes
            .split(|b| *b == b'\r' || *b == b'\n')
            .next()
            .unwrap_or_default();
        let mut parts = line.splitn(3, |b| *b == b' ');
        let method = parts.next().unwrap_or_default();
        let known = !method.is_empty()
            && method.len() <= 32
            && method.iter().all(|b| is_token(*b) && !b.is_ascii_lowercase());
        known && parts.next().is_some() && parts.next().is_some_and(|v| v.starts_with(b"HTTP/1."))
    }
}

impl Response {
    /// Reads one response and how many bytes it took. `to_head`: it answers HEAD. `closed`: no more will come, which
    /// ends a body of unknown length. `None`: there is more to come.
    pub fn parse(bytes: &[u8], to_head: bool, closed: bool) -> Result<Option<(Self, usize)>, NotHttp> {
        if bytes.len() >= 7 && !bytes.starts_with(b"HTTP/1.") {
            return Err(NotHttp::StartLine);
        }
        let Some(head) = head(bytes)? else { return Ok(None) };
        let mut parts = head.first.splitn(3, ' ');
        let (version, status) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !version.starts_with("HTTP/1.") || status.len() != 3 {
            return Err(NotHttp::StartLine);
        }
        let status: u16 = status.parse().map_err(|_| NotHttp::StartLine)?;
        let rest = &bytes[head.length..];
        let (body, taken) = if to_head || !has_body(status) {
            (Vec::new(), 0)
        } else {
            match body_length(&head.headers, true)? {
                BodyLength::Bytes(count) => match rest.get(..count) {
                    Some(body) => (body.to_vec(), count),
                    None => return Ok(None),
                },
                BodyLength::Chunked => match chunks(rest)? {
                    Some(body) => body,
                    None => return Ok(None),
                },
                BodyLength::UntilClose if closed => (rest.to_vec(), rest.len()),
                BodyLength::UntilClose => return Ok(None),
            }
        };
        let reason = parts.next().unwrap_or_default().to_owned();
        let response = Self {
            version: version.to_owned(),
            status,
            reason,
            headers: head.headers,
            body,
        };
        Ok(Some((response, head.length + taken)))
    }
}

/// Whether a whole response is there, so that a client need not wait for more. Bytes that are no HTTP count as whole:
/// nothing that comes later makes them one.
pub fn response_is_whole(bytes: &[u8], to_head: bool) -> bool {
    !matches!(Response::parse(bytes, to_head, false), Ok(None))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
