//! Captures as pcapng: section header, interface description and enhanced packet blocks.
//!
//! Source: draft-ietf-opsawg-pcapng.

/// Link type of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// Frames start with an Ethernet header.
    Ethernet,
    /// Packets start with an IP header.
    Raw,
}

/// An interface of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceId(u32);

/// Writes one capture: interfaces may be added at any time before their first packet.
#[derive(Clone, Debug)]
pub struct Capture {
    bytes: Vec<u8>,
    interfaces: u32,
}

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;

impl Capture {
    /// An empty capture made by `application`.
    pub fn new(application: &str) -> Self {
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(u64::MAX.to_le_bytes());
        option(&mut body, SHB_USERAPPL, application.as_bytes());
        end_of_options(&mut body);
        let mut capture = Self {
            bytes: Vec::new(),
            interfaces: 0,
        };
        capture.block(0x0a0d_0d0a, &body);
        capture
    }

    /// Adds an interface: `worker-1 cni0`. Times of its packets count nanoseconds (`if_tsresol` 9).
    pub fn interface(&mut self, name: &str, description: &str, link: LinkType) -> InterfaceId {
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        let mut body = Vec::new();
        let link: u16 = match link {
            LinkType::Ethernet => 1,
            LinkType::Raw => 101,
        };
        body.extend(link.to_le_bytes());
        body.extend([0; 2]);
        body.extend(0_u32.to_le_bytes());
        option(&mut body, IF_NAME, name.as_bytes());
        if !description.is_empty() {
            option(&mut body, IF_DESCRIPTION, description.as_bytes());
        }
        option(&mut body, IF_TSRESOL, &[9]);
        end_of_options(&mut body);
        self.block(1, &body);
        id
    }

    /// Adds a packet seen on `interface`, `nanos` after the epoch, with comments.
    pub fn packet(&mut self, interface: InterfaceId, nanos: u64, frame: &[u8], comments: &[&str]) {
        let mut body = Vec::with_capacity(frame.len() + 64);
        body.extend(interface.0.to_le_bytes());
        let [b0, b1, b2, b3, b4, b5, b6, b7] = nanos.to_le_bytes();
        body.extend([b4, b5, b6, b7, b0, b1, b2, b3]);
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(frame);
        pad(&mut body);
        for comment in comments {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
        }
        if !comments.is_empty() {
            end_of_options(&mut body);
        }
        self.block(6, &body);
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A value longer than an option can hold is cut, at a character's end.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut end = value.len().min(usize::from(u16::MAX));
    while end < value.len() && end > 0 && value[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(end).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(&value[..end]);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the blocks back: type and body, checking both lengths and the alignment.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let length = word(&bytes[4..]) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(&bytes[length - 4..]) as usize, length);
            out.push((word(bytes), bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        out
    }

    #[test]
    fn blocks_are_aligned_and_carry_name_time_and_comment() {
        let mut capture = Capture::new("hoplab");
        let eth0 = capture.interface("n1 eth0", "", LinkType::Ethernet);
        capture.packet(eth0, 0x1_0000_0002, &[1, 2, 3, 4, 5], &["DNAT by KUBE-SEP"]);
        let read = blocks(&capture.into_bytes());
        assert_eq!(
            read.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
            [0x0a0d_0d0a, 1, 6]
        );
        assert!(read[1].1.windows(7).any(|w| w == b"n1 eth0"));
        let epb = &read[2].1;
        assert_eq!(epb[4..20], [1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0]);
        assert!(epb.windows(16).any(|w| w == b"DNAT by KUBE-SEP"));
    }
}
