//! A packet as bytes, with lengths and checksums as RFC 791, 8200, 768, 9293, 792, 4443, 826, 9260 and 7348 say.

use crate::{ArpOp, Header, Icmp, IcmpKind, L4Protocol, Packet, SctpChunk, Tcp};
use std::net::IpAddr;

/// An ICMP error quotes at most so much: the whole error stays within 576 bytes.
/// Source: net/ipv4/icmp.c `icmp_send` (RFC 1812 §4.3.2.3).
const QUOTED_MAX_BYTES: usize = 576 - 20 - 8;
/// The same for IPv6: within the smallest MTU that a link may have. Source: RFC 4443 §3.
const QUOTED_MAX_BYTES_V6: usize = 1280 - 40 - 8;

fn quoted_max_bytes(quoted: &Packet) -> usize {
    match quoted.headers.first() {
        Some(Header::Ipv6(_)) => QUOTED_MAX_BYTES_V6,
        _ => QUOTED_MAX_BYTES,
    }
}

/// Poly1305's tag behind a message. Source: the WireGuard paper, §5.4.6.
const WIREGUARD_TAG_BYTES: usize = 16;

impl Header {
    /// Length of this header alone, in bytes.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Ethernet(_) => 14,
            Self::Arp(_) => 28,
            Self::Ipv4(_) => 20,
            Self::Ipv6(_) => 40,
            Self::Tcp(tcp) => 20 + if tcp.mss_bytes.is_some() { 4 } else { 0 },
            Self::Udp(_) | Self::Vxlan(_) | Self::Geneve(_) => 8,
            Self::Vlan(_) | Self::Gre => 4,
            // Its head and the tag behind what it holds.
            Self::WireGuard(_) => 16 + WIREGUARD_TAG_BYTES,
            Self::Sctp(sctp) => 12 + chunk_header_bytes(sctp.chunk),
            Self::Icmp(icmp) => match (icmp.kind, &icmp.quoted) {
                // The address, and one option.
                (IcmpKind::NeighbourSolicitation { .. } | IcmpKind::NeighbourAdvertisement { .. }, _) => 32,
                (_, Some(quoted)) => 8 + quoted.len_bytes().min(quoted_max_bytes(quoted)),
                (_, None) => 8,
            },
        }
    }
}

impl Packet {
    /// Length of the whole packet on the wire, in bytes (Ethernet without padding and checksum).
    pub fn len_bytes(&self) -> usize {
        self.len_from(0)
    }

    /// Length of the outermost IP packet: what an MTU limits.
    pub fn ip_len_bytes(&self) -> usize {
        self.ip_index().map_or(0, |i| self.len_from(i))
    }

    fn len_from(&self, first: usize) -> usize {
        self.headers[first..].iter().map(Header::len_bytes).sum::<usize>()
            + self.payload.0.len()
            + self.padding_bytes()
    }

    /// SCTP pads a data chunk to four bytes, WireGuard what it holds to sixteen.
    fn padding_bytes(&self) -> usize {
        let chunk = match self.headers.last() {
            Some(Header::Sctp(_)) => self.payload.0.len().wrapping_neg() & 3,
            _ => 0,
        };
        let boxed = self
            .headers
            .iter()
            .position(|h| matches!(h, Header::WireGuard(_)));
        boxed.map_or(chunk, |at| {
            let inner: usize = self.headers[at + 1..].iter().map(Header::len_bytes).sum();
            chunk + ((inner + chunk + self.payload.0.len()).wrapping_neg() & 15)
        })
    }

    /// The packet as it is on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut inner = self.payload.0.to_vec();
        let boxed = self.headers.iter().any(|h| matches!(h, Header::WireGuard(_)));
        if !boxed {
            inner.resize(inner.len() + self.padding_bytes(), 0);
        }
        for (i, header) in self.headers.iter().enumerate().rev() {
            let around = i.checked_sub(1).and_then(|o| self.headers.get(o));
            let mut bytes = header_bytes(header, around, self.headers.get(i + 1), inner.len());
            match header {
                Header::Tcp(_) => checksum_l4(&mut bytes, &inner, 16, around, L4Protocol::Tcp),
                Header::Udp(_) => {
                    checksum_l4(&mut bytes, &inner, 6, around, L4Protocol::Udp);
                    if bytes[6..8] == [0, 0] && !is_fragment(around) {
                        bytes[6..8].copy_from_slice(&[0xff, 0xff]);
                    }
                }
                Header::Icmp(_) => match around {
                    Some(Header::Ipv6(_)) => checksum_l4(&mut bytes, &inner, 2, around, L4Protocol::Icmpv6),
                    _ => {
                        let sum = ones_complement(fold(&bytes, fold(&inner, 0)));
                        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
                    }
                },
                Header::Sctp(sctp) => {
                    if let SctpChunk::Data { .. } = sctp.chunk {
                        let length = 16 + self.payload.0.len();
                        bytes[14..16]
                            .copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
                    }
                    let sum = crc32c(bytes.iter().chain(&inner));
                    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
                }
                _ => {}
            }
            if let Header::WireGuard(_) = header {
                inner.resize((inner.len() + 15) & !15, 0);
                conceal(&mut inner);
            }
            bytes.extend_from_slice(&inner);
            inner = bytes;
        }
        inner
    }
}

/// Stands for ChaCha20-Poly1305: nobody on the way can read it, and it is as long.
fn conceal(inner: &mut Vec<u8>) {
    inner.resize(inner.len() + WIREGUARD_TAG_BYTES, 0);
    let mut state = 0x9e37_79b9_u32;
    for byte in inner {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte ^= state.to_be_bytes()[0];
    }
}

/// What IEEE says of what comes next.
fn ethertype(next: Option<&Header>) -> [u8; 2] {
    match next {
        Some(Header::Arp(_)) => [0x08, 0x06],
        Some(Header::Ipv6(_)) => [0x86, 0xdd],
        Some(Header::Vlan(_)) => [0x81, 0],
        Some(Header::Ethernet(_)) => [0x65, 0x58],
        _ => [0x08, 0],
    }
}

fn is_fragment(ip: Option<&Header>) -> bool {
    matches!(ip, Some(Header::Ipv4(ip)) if ip.mf || ip.fragment_offset_bytes != 0)
}

fn header_bytes(
    header: &Header,
    around: Option<&Header>,
    next: Option<&Header>,
    inner_len: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len_bytes() + inner_len);
    let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
    match header {
        Header::Ethernet(ethernet) => {
            out.extend(ethernet.dst.0);
            out.extend(ethernet.src.0);
            out.extend(ethertype(next));
        }
        Header::Arp(arp) => {
            let op = match arp.op {
                ArpOp::Request => 1,
                ArpOp::Reply => 2,
            };
            out.extend([0, 1, 8, 0, 6, 4, 0, op]);
            out.extend(arp.sender_mac.0);
            out.extend(arp.sender_ip.octets());
            out.extend(arp.target_mac.0);
            out.extend(arp.target_ip.octets());
        }
        Header::Ipv4(ip) => {
            out.extend([0x45, ip.tos]);
            out.extend(length(20 + inner_len));
            out.extend(ip.id.to_be_bytes());
            let flags =
                u16::from(ip.df) << 14 | u16::from(ip.mf) << 13 | (ip.fragment_offset_bytes / 8) & 0x1fff;
            out.extend(flags.to_be_bytes());
            out.extend([ip.ttl_hops, ip.protocol.number(), 0, 0]);
            out.extend(ip.src.octets());
            out.extend(ip.dst.octets());
            let sum = ones_complement(fold(&out, 0));
            out[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        Header::Ipv6(ip) => {
            out.extend([0x60, 0, 0, 0]);
            out.extend(length(inner_len));
            out.extend([ip.protocol.number(), ip.hop_limit]);
            out.extend(ip.src.octets());
            out.extend(ip.dst.octets());
        }
        Header::Tcp(tcp) => tcp_bytes(tcp, &mut out),
        Header::Udp(udp) => {
            out.extend(udp.src.to_be_bytes());
            out.extend(udp.dst.to_be_bytes());
            out.extend(length(8 + inner_len));
            out.extend([0, 0]);
        }
        Header::Sctp(sctp) => {
            out.extend(sctp.src.to_be_bytes());
            out.extend(sctp.dst.to_be_bytes());
            out.extend(sctp.tag.to_be_bytes());
            out.extend([0; 4]);
            chunk_bytes(sctp.chunk, &mut out);
        }
        Header::Icmp(icmp) => icmp_bytes(icmp, matches!(around, Some(Header::Ipv6(_))), &mut out),
        Header::Vxlan(vxlan) => {
            out.extend([0x08, 0, 0, 0]);
            out.extend((vxlan.vni << 8).to_be_bytes());
        }
        Header::Vlan(vlan) => {
            out.extend(vlan.id.to_be_bytes());
            out.extend(ethertype(next));
        }
        Header::Geneve(geneve) => {
            out.extend([0, 0]);
            out.extend(ethertype(next));
            out.extend((geneve.vni << 8).to_be_bytes());
        }
        Header::Gre => {
            out.extend([0, 0]);
            out.extend(ethertype(next));
        }
        Header::WireGuard(message) => {
            out.extend([4, 0, 0, 0]);
            out.extend(message.receiver.to_le_bytes());
            out.extend(message.counter.to_le_bytes());
        }
    }
    out
}

fn tcp_bytes(tcp: &Tcp, out: &mut Vec<u8>) {
    out.extend(tcp.src.to_be_bytes());
    out.extend(tcp.dst.to_be_bytes());
    out.extend(tcp.seq.to_be_bytes());
    out.extend(if tcp.flags.ack { tcp.ack } else { 0 }.to_be_bytes());
    let words: u8 = if tcp.mss_bytes.is_some() { 6 } else { 5 };
    let f = tcp.flags;
    let flags = u8::from(f.fin)
        | u8::from(f.syn) << 1
        | u8::from(f.rst) << 2
        | u8::from(f.psh) << 3
        | u8::from(f.ack) << 4;
    out.extend([words << 4, flags]);
    out.extend(tcp.window.to_be_bytes());
    out.extend([0; 4]);
    if let Some(mss) = tcp.mss_bytes {
        out.extend([2, 4]);
        out.extend(mss.to_be_bytes());
    }
}

fn icmp_bytes(icmp: &Icmp, v6: bool, out: &mut Vec<u8>) {
    let (kind, code) = icmp.kind.type_and_code(v6);
    let rest: u32 = match icmp.kind {
        IcmpKind::EchoRequest { id, sequence } | IcmpKind::EchoReply { id, sequence } => {
            u32::from(id) << 16 | u32::from(sequence)
        }
        // Solicited, override; router where it is one.
        IcmpKind::NeighbourAdvertisement { router, .. } => u32::from(router) << 31 | 0x6000_0000,
        // The octet that names no protocol known here: the next header of the IPv6 header.
        IcmpKind::ProtocolUnreachable if v6 => 6,
        IcmpKind::FragmentationNeeded { mtu_bytes } => u32::from(mtu_bytes),
        _ => 0,
    };
    out.extend([kind, code, 0, 0]);
    out.extend(rest.to_be_bytes());
    // Options 1 and 2, of one unit of eight bytes: source and target link-layer address (RFC 4861 §4.6.1).
    let about = match icmp.kind {
        IcmpKind::NeighbourSolicitation { target, link } => Some((target, 1, link)),
        IcmpKind::NeighbourAdvertisement { target, link, .. } => Some((target, 2, link)),
        _ => None,
    };
    if let Some((target, option, link)) = about {
        out.extend(target.octets());
        out.extend([option, 1]);
        out.extend(link.0);
    }
    if let Some(quoted) = &icmp.quoted {
        let mut bytes = quoted.to_bytes();
        bytes.truncate(quoted_max_bytes(quoted));
        out.extend(bytes);
    }
}

fn chunk_header_bytes(chunk: SctpChunk) -> usize {
    match chunk {
        SctpChunk::Init { .. } => 20,
        // With the cookie: a parameter of four bytes' head and four of content.
        SctpChunk::InitAck { .. } => 28,
        SctpChunk::CookieEcho { .. } | SctpChunk::Shutdown { .. } => 8,
        SctpChunk::CookieAck | SctpChunk::Abort | SctpChunk::ShutdownAck | SctpChunk::ShutdownComplete => 4,
        SctpChunk::Data { .. } | SctpChunk::Sack { .. } => 16,
    }
}

/// What both ends announce: receive window, streams out and in. Source: net/sctp, its defaults.
const SCTP_OPENING: [u8; 8] = [0, 1, 0xa0, 0, 0, 10, 0xff, 0xff];

fn chunk_bytes(chunk: SctpChunk, out: &mut Vec<u8>) {
    let length = u8::try_from(chunk_header_bytes(chunk)).unwrap_or(0);
    let (kind, flags, first) = match chunk {
        SctpChunk::Data { tsn, first, last } => (0, u8::from(first) << 1 | u8::from(last), Some(tsn)),
        SctpChunk::Init { tag } => (1, 0, Some(tag)),
        SctpChunk::InitAck { tag } => (2, 0, Some(tag)),
        SctpChunk::Sack { tsn } => (3, 0, Some(tsn)),
        SctpChunk::Abort => (6, 0, None),
        SctpChunk::Shutdown { tsn } => (7, 0, Some(tsn)),
        SctpChunk::ShutdownAck => (8, 0, None),
        SctpChunk::CookieEcho { tag } => (10, 0, Some(tag)),
        SctpChunk::CookieAck => (11, 0, None),
        SctpChunk::ShutdownComplete => (14, 0, None),
    };
    let end = out.len() + usize::from(length);
    out.extend([kind, flags, 0, length]);
    out.extend(first.map(u32::to_be_bytes).into_iter().flatten());
    match chunk {
        SctpChunk::Init { tag } | SctpChunk::InitAck { tag } => {
            out.extend(SCTP_OPENING);
            out.extend(tag.to_be_bytes());
            if out.len() < end {
                // State Cookie, RFC 9260 §3.3.3.
                out.extend([0, 7, 0, 8]);
                out.extend(tag.to_be_bytes());
            }
        }
        SctpChunk::Sack { .. } => out.extend(&SCTP_OPENING[..4]),
        _ => {}
    }
    out.resize(end, 0);
}

fn checksum_l4(header: &mut [u8], inner: &[u8], at: usize, ip: Option<&Header>, protocol: L4Protocol) {
    if is_fragment(ip) {
        // The sum of the whole packet cannot be known from one piece; the first piece carries what it carried.
        return;
    }
    let length = u32::try_from(header.len() + inner.len()).unwrap_or(u32::MAX);
    let mut pseudo = Vec::with_capacity(40);
    let (src, dst) = match ip {
        Some(Header::Ipv4(ip)) => (IpAddr::V4(ip.src), IpAddr::V4(ip.dst)),
        Some(Header::Ipv6(ip)) => (IpAddr::V6(ip.src), IpAddr::V6(ip.dst)),
        _ => return,
    };
    for address in [src, dst] {
        match address {
            IpAddr::V4(a) => pseudo.extend(a.octets()),
            IpAddr::V6(a) => pseudo.extend(a.octets()),
        }
    }
    pseudo.extend(length.to_be_bytes());
    pseudo.extend([0, 0, 0, protocol.number()]);
    let sum = ones_complement(fold(&pseudo, fold(header, fold(inner, 0))));
    header[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Adds 16-bit words, RFC 1071; every part but the last must have an even length.
fn fold(bytes: &[u8], start: u32) -> u32 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

fn ones_complement(sum: u32) -> u16 {
    !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(u16::MAX)
}

/// CRC32c, RFC 9260 appendix A.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ethernet, Ipv4, MacAddr, Payload, TcpFlags, Udp, Vxlan};
    use std::sync::Arc;

    fn ipv4(protocol: L4Protocol, last: u8) -> Header {
        Header::Ipv4(Ipv4 {
            src: [10, 244, 1, 2].into(),
            dst: [10, 244, 2, last].into(),
            protocol,
            ttl_hops: 63,
            tos: 0,
            id: 7,
            df: true,
            mf: false,
            fragment_offset_bytes: 0,
        })
    }

    fn ethernet() -> Header {
        Header::Ethernet(Ethernet {
            src: MacAddr([2, 0, 0, 0, 0, 1]),
            dst: MacAddr([2, 0, 0, 0, 0, 2]),
        })
    }

    fn tcp() -> Header {
        let flags = TcpFlags {
            syn: true,
            ..TcpFlags::default()
        };
        Header::Tcp(Tcp {
            src: 40000,
            dst: 80,
            seq: 9,
            ack: 0,
            flags,
            window: 64240,
            mss_bytes: Some(1460),
        })
    }

    /// Decodes with another implementation and recomputes its checksums.
    fn check(packet: &Packet) {
        let bytes = packet.to_bytes();
        assert_eq!(bytes.len(), packet.len_bytes());
        let sliced = etherparse::SlicedPacket::from_ethernet(&bytes).expect("etherparse reads what we write");
        let etherparse::NetSlice::Ipv4(ip) = sliced.net.expect("an IP packet") else {
            panic!("IPv4")
        };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), packet.ip_len_bytes());
        match sliced.transport {
            Some(etherparse::TransportSlice::Tcp(t)) => {
                assert_eq!(
                    t.to_header().checksum,
                    t.calc_checksum_ipv4(ip.header().source(), ip.header().destination())
                        .expect("length fits")
                );
            }
            Some(etherparse::TransportSlice::Udp(u)) => {
                let expected = u
                    .to_header()
                    .calc_checksum_ipv4(&header, u.payload())
                    .expect("length fits");
                assert_eq!(u.checksum(), expected);
            }
            Some(etherparse::TransportSlice::Icmpv4(i)) => assert!(i.is_checksum_valid()),
            other => panic!("a known transport, not {other:?}"),
        }
    }

    trait ChecksumValid {
        fn is_checksum_valid(&self) -> bool;
    }

    impl ChecksumValid for etherparse::Icmpv4Slice<'_> {
        fn is_checksum_valid(&self) -> bool {
            self.icmp_type().calc_checksum(self.payload()) == self.checksum()
        }
    }

    #[test]
    fn another_decoder_agrees_about_lengths_and_checksums() {
        let body = Payload::from(b"hello".to_vec());
        check(&Packet::new(
            vec![ethernet(), ipv4(L4Protocol::Tcp, 3), tcp()],
            Payload::default(),
        ));
        check(&Packet::new(
            vec![
                ethernet(),
                ipv4(L4Protocol::Udp, 3),
                Header::Udp(Udp { src: 5, dst: 53 }),
            ],
            body.clone(),
        ));
        let echo = Icmp {
            kind: IcmpKind::EchoRequest { id: 3, sequence: 1 },
            quoted: None,
        };
        check(&Packet::new(
            vec![ethernet(), ipv4(L4Protocol::Icmp, 3), Header::Icmp(echo)],
            body.clone(),
        ));
        let quoted = Packet::new(vec![ipv4(L4Protocol::Tcp, 9), tcp()], Payload::default());
        let error = Icmp {
            kind: IcmpKind::PortUnreachable,
            quoted: Some(Arc::new(quoted)),
        };
        check(&Packet::new(
            vec![ethernet(), ipv4(L4Protocol::Icmp, 3), Header::Icmp(error)],
            Payload::default(),
        ));
        let inner = [ethernet(), ipv4(L4Protocol::Tcp, 4), tcp()];
        let outer = [
            ethernet(),
            ipv4(L4Protocol::Udp, 3),
            Header::Udp(Udp {
                src: 50001,
                dst: 8472,
            }),
            Header::Vxlan(Vxlan { vni: 1 }),
        ];
        check(&Packet::new(outer.into_iter().chain(inner).collect(), body));
    }
}
