//! Just enough of an HTTP client to ask a server on this machine.

use crate::process::Failure;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
pub struct Answer {
    /// `200`.
    pub status: u16,
    head: String,
    /// As it came: not decompressed.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; names ignore case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

/// Asks `127.0.0.1:port` for a path, as HTTP/1.0 so that the answer comes whole and the connection ends.
pub fn get(port: u16, path: &str, encodings: &str) -> Result<Answer, Failure> {
    let failed = |error: std::io::Error| Failure(format!("GET {path}: {error}"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .map_err(failed)?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\naccept-encoding: {encodings}\r\n\r\n"
    )
    .map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| Failure(format!("GET {path}: no answer")))?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Ok(Answer {
        status,
        head,
        body: bytes.split_off(end + 4),
    })
}
