//! Domain names. Source: RFC 1035 §3.1, RFC 4343 (case).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// An absolute domain name. Compared without regard to ASCII case (RFC 4343); the case as written is kept and printed.
#[derive(Clone, Debug, Default)]
pub struct Name {
    labels: Vec<Box<[u8]>>,
}

/// Text or bytes that are no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAName {
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// A label of more than 63 bytes.
    LongLabel,
    /// More than 255 bytes as sent.
    TooLong,
    /// A backslash without what it escapes.
    Escape,
}

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLabel => "a label of the name is empty",
            Self::LongLabel => "a label of the name is longer than 63 bytes",
            Self::TooLong => "the name is longer than 255 bytes",
            Self::Escape => "the name ends in the middle of an escape",
        })
    }
}

impl std::error::Error for NotAName {}

impl Name {
    /// The root.
    pub const ROOT: Self = Self { labels: Vec::new() };

    /// The root, `.`.
    pub fn root() -> Self {
        Self::default()
    }

    /// From text, absolute with or without the final dot; `\.` and `\046` escape.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        if text == "." || text.is_empty() {
            return Ok(Self::root());
        }
        let mut labels: Vec<Box<[u8]>> = Vec::new();
        let mut label = Vec::new();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'.' => {
                    if label.is_empty() {
                        return Err(NotAName::EmptyLabel);
                    }
                    labels.push(std::mem::take(&mut label).into());
                }
                b'\\' => label.push(escaped(&mut bytes)?),
                other => label.push(other),
            }
        }
        if !label.is_empty() {
            labels.push(label.into());
        }
        Self::from_labels(labels)
    }

    /// From labels, the leftmost first.
    pub fn from_labels(labels: Vec<Box<[u8]>>) -> Result<Self, NotAName> {
        if labels.iter().any(|label| label.is_empty()) {
            return Err(NotAName::EmptyLabel);
        }
        if labels.iter().any(|label| label.len() > 63) {
            return Err(NotAName::LongLabel);
        }
        let name = Self { labels };
        if name.wire_len() > 255 {
            Err(NotAName::TooLong)
        } else {
            Ok(name)
        }
    }

    /// Labels, the leftmost first.
    pub fn labels(&self) -> &[Box<[u8]>] {
        &self.labels
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes as sent, without compression.
    pub fn wire_len(&self) -> usize {
        1 + self.labels.iter().map(|label| label.len() + 1).sum::<usize>()
    }

    /// Whether it is `zone` or below it.
    pub fn is_within(&self, zone: &Name) -> bool {
        let (own, above) = (self.labels.len(), zone.labels.len());
        own >= above
            && self.labels[own - above..]
                .iter()
                .zip(&zone.labels)
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// The name without its leftmost label; of the root none.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.labels.split_first()?;
        Some(Self {
            labels: rest.to_vec(),
        })
    }

    /// This name below `zone`: `web` and `example.com` make `web.example.com`.
    pub fn below(&self, zone: &Name) -> Result<Self, NotAName> {
        Self::from_labels(self.labels.iter().chain(&zone.labels).cloned().collect())
    }

    /// The same in lower case, without the final dot: a key for tables. The root is the empty text.
    pub fn key(&self) -> String {
        let mut text = self.to_string();
        text.make_ascii_lowercase();
        text.pop();
        text
    }
}

fn escaped(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<u8, NotAName> {
    let first = bytes.next().ok_or(NotAName::Escape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut number = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NotAName::Escape)?;
        number = number * 10 + u16::from(digit - b'0');
    }
    u8::try_from(number).map_err(|_| NotAName::Escape)
}

/// With the final dot: `web.shop.svc.cluster.local.`; the root is `.`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels.is_empty() {
            return f.write_str(".");
        }
        for label in &self.labels {
            for &byte in label.iter() {
                match byte {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", byte as char)?
                    }
                    0x21..=0x7e => write!(f, "{}", byte as char)?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::parse(text)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.labels.len() == other.labels.len()
            && self
                .labels
                .iter()
                .zip(&other.labels)
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for label in &self.labels {
            for byte in label.iter() {
                state.write_u8(byte.to_ascii_lowercase());
            }
            state.write_u8(0);
        }
    }
}

/// Canonical order, from the root down (RFC 4034 §6.1).
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |name: &Self| -> Vec<Vec<u8>> {
            name.labels.iter().rev().map(|l| l.to_ascii_lowercase()).collect()
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
