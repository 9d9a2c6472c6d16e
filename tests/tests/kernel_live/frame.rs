//! What a frame of a real wire holds, as far as the comparison needs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub ttl: u8,
    pub ports: Option<(u16, u16)>,
    pub label: Label,
    /// What no translation changes: of a SYN its sequence number, of its answer the number that it acknowledges less
    /// one, of a datagram the four bytes at its front, of an echo its sequence number.
    pub key: u32,
    /// Type of a neighbour discovery message, and the address that it is about.
    pub discovery: Option<(u8, IpAddr)>,
    /// Type and code of an ICMP error, with the MTU that it tells and the packet that it quotes.
    pub error: Option<(u8, u8, u32, Box<Ip>)>,
}

/// Which packet of a conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Syn,
    SynAck,
    Reset,
    Udp,
    EchoRequest,
    EchoReply,
    Error,
    Other,
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The packets of a frame's payload, outermost first: more than one inside a tunnel.
pub fn packets(bytes: &[u8]) -> Vec<Ip> {
    let Some((ip, payload, protocol)) = read(bytes) else {
        return Vec::new();
    };
    let inside = match (protocol, ip.ports) {
        (17, Some((_, 8472 | 4789))) => payload.get(16 + 14..),
        (17, Some((_, 6081))) => payload
            .get(8)
            .and_then(|first| payload.get(16 + usize::from(first & 63) * 4 + 14..)),
        (4 | 41, _) => Some(payload),
        // GRE without a key or a checksum.
        (47, _) => payload.get(4..),
        _ => None,
    };
    let mut out = vec![ip];
    out.extend(inside.map(packets).unwrap_or_default());
    out
}

/// One packet as the kernel's trace tells it: header and the first bytes of what it carries.
pub fn traced(network: &[u8], transport: &[u8]) -> Option<Ip> {
    let length = match network.first()? >> 4 {
        4 => usize::from(network[0] & 15) * 4,
        _ => 40,
    };
    let mut bytes = network.get(..length.min(network.len()))?.to_vec();
    bytes.extend_from_slice(transport);
    read(&bytes).map(|(ip, ..)| ip)
}

fn read(bytes: &[u8]) -> Option<(Ip, &[u8], u8)> {
    let (src, dst, protocol, ttl, payload) = match bytes.first()? >> 4 {
        4 => {
            let length = usize::from(bytes[0] & 15) * 4;
            let address = |at| be32(bytes, at).map(|a| IpAddr::V4(Ipv4Addr::from(a)));
            let payload = bytes.get(length..)?;
            let piece = be16(bytes, 6)? & 0x1fff != 0;
            let protocol = if piece { 255 } else { *bytes.get(9)? };
            (address(12)?, address(16)?, protocol, *bytes.get(8)?, payload)
        }
        6 => {
            let address = |at: usize| {
                let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::V6(Ipv6Addr::from(octets)))
            };
            (
                address(8)?,
                address(24)?,
                bytes[6],
                *bytes.get(7)?,
                bytes.get(40..)?,
            )
        }
        _ => return None,
    };
    let mut ip = Ip {
        src,
        dst,
        ttl,
        ports: None,
        label: Label::Other,
        key: 0,
        discovery: None,
        error: None,
    };
    let ports = || Some((be16(payload, 0)?, be16(payload, 2)?));
    match protocol {
        6 => {
            ip.ports = ports();
            let (seq, ack) = (be32(payload, 4).unwrap_or(0), be32(payload, 8).unwrap_or(0));
            let flags = payload.get(13).copied().unwrap_or(0);
            ip.label = match flags & 0x17 {
                0x02 => Label::Syn,
                0x12 => Label::SynAck,
                f if f & 4 != 0 => Label::Reset,
                _ => Label::Other,
            };
            ip.key = if ip.label == Label::Syn {
                seq
            } else {
                ack.wrapping_sub(1)
            };
        }
        17 => {
            ip.ports = ports();
            ip.label = Label::Udp;
            ip.key = be32(payload, 8).unwrap_or(0);
        }
        1 | 58 => {
            let (kind, code) = (*payload.first()?, *payload.get(1)?);
            ip.label = match (protocol, kind) {
                (1, 8) | (58, 128) => Label::EchoRequest,
                (1, 0) | (58, 129) => Label::EchoReply,
                (1, 3 | 11 | 12) | (58, 1..=4) => Label::Error,
                _ => Label::Other,
            };
            ip.key = u32::from(be16(payload, 6).unwrap_or(0));
            if let (58, 135 | 136, Some(octets)) = (protocol, kind, payload.get(8..24)) {
                let octets: [u8; 16] = octets.try_into().ok()?;
                ip.discovery = Some((kind, IpAddr::from(octets)));
            }
            if ip.label == Label::Error
                && let Some((quoted, ..)) = payload.get(8..).and_then(read)
            {
                let mtu = match (protocol, kind, code) {
                    (1, 3, 4) => u32::from(be16(payload, 6)?),
                    (58, 2, _) => be32(payload, 4)?,
                    _ => 0,
                };
                ip.error = Some((kind, code, mtu, Box::new(quoted)));
            }
        }
        _ => {}
    }
    Some((ip, payload, protocol))
}
