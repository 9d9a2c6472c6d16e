//! A packet: a stack of headers, outermost first, and a payload.

use crate::MacAddr;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A packet on a wire or inside a kernel. Headers outermost first: `[Ethernet, Ipv4, Udp, Vxlan, Ethernet, Ipv4, Tcp]`.
/// Lengths and checksums are not stored: they follow from what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Outermost first.
    pub headers: Vec<Header>,
    /// What the innermost header carries.
    pub payload: Payload,
}

/// Application bytes, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Payload(pub Arc<[u8]>);

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// Ethernet II.
    Ethernet(Ethernet),
    /// ARP for IPv4 over Ethernet, RFC 826.
    Arp(Arp),
    /// RFC 791.
    Ipv4(Ipv4),
    /// RFC 8200.
    Ipv6(Ipv6),
    /// RFC 9293.
    Tcp(Tcp),
    /// RFC 768.
    Udp(Udp),
    /// RFC 9260.
    Sctp(Sctp),
    /// RFC 792 and RFC 4443.
    Icmp(Icmp),
    /// RFC 7348.
    Vxlan(Vxlan),
    /// IEEE 802.1Q, right after Ethernet.
    Vlan(Vlan),
    /// RFC 8926, without options.
    Geneve(Geneve),
    /// RFC 2784 and RFC 2890, without key.
    Gre,
    /// A data message of WireGuard; what is inside is encrypted on the wire.
    WireGuard(WireGuard),
}

/// Ethernet II; the ethertype follows from the next header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Sender on this link.
    pub src: MacAddr,
    /// Receiver on this link.
    pub dst: MacAddr,
}

/// ARP operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpOp {
    /// Who has `target_ip`? Tell `sender_ip`.
    Request,
    /// `sender_ip` is at `sender_mac`.
    Reply,
}

/// ARP for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Question or answer.
    pub op: ArpOp,
    /// Who speaks.
    pub sender_mac: MacAddr,
    /// Who speaks.
    pub sender_ip: Ipv4Addr,
    /// Zero in a question.
    pub target_mac: MacAddr,
    /// Who is asked for.
    pub target_ip: Ipv4Addr,
}

/// Transport protocol of an IP packet, as far as modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum L4Protocol {
    /// 6.
    Tcp,
    /// 17.
    Udp,
    /// 132.
    Sctp,
    /// 1.
    Icmp,
    /// 58.
    Icmpv6,
    /// 4: IPv4 inside.
    Ipip,
    /// 41: IPv6 inside.
    Ipv6,
    /// 47.
    Gre,
}

impl L4Protocol {
    /// The number in the IP header (IANA protocol numbers).
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Ipip => 4,
            Self::Ipv6 => 41,
            Self::Gre => 47,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmpv6 => 58,
            Self::Sctp => 132,
        }
    }

    /// `tcp`, `udp`, `sctp`, `icmp`, `ipv6-icmp`: as iptables spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmpv6 => "ipv6-icmp",
            Self::Sctp => "sctp",
            Self::Ipip => "ipencap",
            Self::Ipv6 => "ipv6",
            Self::Gre => "gre",
        }
    }
}

impl fmt::Display for L4Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// IPv4, without options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// What comes next; kept because fragments and quoted packets may have no next header here.
    pub protocol: L4Protocol,
    /// Time to live, in hops.
    pub ttl_hops: u8,
    /// Differentiated services and ECN.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Do not fragment.
    pub df: bool,
    /// More fragments follow.
    pub mf: bool,
    /// Offset of this fragment in bytes, a multiple of 8.
    pub fragment_offset_bytes: u16,
}

/// IPv6, without extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// What comes next.
    pub protocol: L4Protocol,
    /// Hop limit.
    pub hop_limit: u8,
}

/// TCP flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// Synchronise.
    pub syn: bool,
    /// Acknowledge.
    pub ack: bool,
    /// No more data.
    pub fin: bool,
    /// Reset.
    pub rst: bool,
    /// Push.
    pub psh: bool,
}

impl TcpFlags {
    /// As bits of the header. Source: RFC 9293 §3.1.
    pub fn bits(self) -> u8 {
        let bits = [self.fin, self.syn, self.rst, self.psh, self.ack];
        bits.iter()
            .enumerate()
            .fold(0, |all, (i, set)| all | u8::from(*set) << i)
    }
}

impl IcmpKind {
    /// Type and code on the wire, of ICMPv6 or of ICMP. Source: RFC 792, RFC 4443, RFC 4861.
    pub fn type_and_code(self, v6: bool) -> (u8, u8) {
        let (six, four) = match self {
            Self::EchoRequest { .. } => ((128, 0), (8, 0)),
            Self::EchoReply { .. } => ((129, 0), (0, 0)),
            Self::NetUnreachable => ((1, 0), (3, 0)),
            Self::HostUnreachable => ((1, 3), (3, 1)),
            Self::ProtocolUnreachable => ((4, 1), (3, 2)),
            Self::PortUnreachable => ((1, 4), (3, 3)),
            Self::FragmentationNeeded { .. } => ((2, 0), (3, 4)),
            Self::AdminProhibited => ((1, 1), (3, 13)),
            Self::TimeExceeded => ((3, 0), (11, 0)),
            // ICMPv6 alone has these.
            Self::NeighbourSolicitation { .. } => ((135, 0), (135, 0)),
            Self::NeighbourAdvertisement { .. } => ((136, 0), (136, 0)),
        };
        if v6 { six } else { four }
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.syn, "SYN"),
            (self.fin, "FIN"),
            (self.rst, "RST"),
            (self.psh, "PSH"),
            (self.ack, "ACK"),
        ];
        let mut first = true;
        for (_, name) in names.into_iter().filter(|(set, _)| *set) {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
            first = false;
        }
        Ok(())
    }
}

/// TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, if `flags.ack`.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window, unscaled.
    pub window: u16,
    /// Maximum segment size option, on a SYN.
    pub mss_bytes: Option<u16>,
}

/// UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
}

/// SCTP, one chunk a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
    /// Verification tag.
    pub tag: u32,
    /// The chunk.
    pub chunk: SctpChunk,
}

/// SCTP chunk, as far as modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpChunk {
    /// Opens an association.
    Init {
        /// What the answers are to carry; the first TSN too.
        tag: u32,
    },
    /// Answers INIT.
    InitAck {
        /// As of INIT.
        tag: u32,
    },
    /// Third packet.
    CookieEcho {
        /// What the cookie holds of INIT.
        tag: u32,
    },
    /// Fourth packet.
    CookieAck,
    /// User data.
    Data {
        /// Its number.
        tsn: u32,
        /// A message begins with it.
        first: bool,
        /// A message ends with it.
        last: bool,
    },
    /// Acknowledges data.
    Sack {
        /// All up to this one.
        tsn: u32,
    },
    /// Begins to end an association.
    Shutdown {
        /// As of SACK.
        tsn: u32,
    },
    /// Answers SHUTDOWN.
    ShutdownAck,
    /// Last packet.
    ShutdownComplete,
    /// Ends an association at once.
    Abort,
}

impl SctpChunk {
    /// `INIT ACK`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init { .. } => "INIT",
            Self::InitAck { .. } => "INIT ACK",
            Self::CookieEcho { .. } => "COOKIE ECHO",
            Self::CookieAck => "COOKIE ACK",
            Self::Data { .. } => "DATA",
            Self::Sack { .. } => "SACK",
            Self::Shutdown { .. } => "SHUTDOWN",
            Self::ShutdownAck => "SHUTDOWN ACK",
            Self::ShutdownComplete => "SHUTDOWN COMPLETE",
            Self::Abort => "ABORT",
        }
    }
}

/// ICMP (version 4 or 6, by the IP header before it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type and code.
    pub kind: IcmpKind,
    /// An error's quoted packet, from its IP header on.
    pub quoted: Option<Arc<Packet>>,
}

/// ICMP type and code in words that both versions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpKind {
    /// 8/0, or 128/0.
    EchoRequest {
        /// Identifier: conntrack's and the socket's key.
        id: u16,
        /// Sequence number.
        sequence: u16,
    },
    /// 0/0, or 129/0.
    EchoReply {
        /// Identifier of the request.
        id: u16,
        /// Sequence number of the request.
        sequence: u16,
    },
    /// 3/0, or 1/0 no route.
    NetUnreachable,
    /// 3/1, or 1/3 address unreachable.
    HostUnreachable,
    /// 3/2 protocol unreachable (6: parameter problem 4/1).
    ProtocolUnreachable,
    /// 3/3, or 1/4.
    PortUnreachable,
    /// 3/4, or 2/0 packet too big.
    FragmentationNeeded {
        /// MTU of the next hop in bytes.
        mtu_bytes: u16,
    },
    /// 3/13, or 1/1: administratively prohibited.
    AdminProhibited,
    /// 11/0, or 3/0.
    TimeExceeded,
    /// 135/0: who has this address? RFC 4861 §4.3, with the asker's own link address as an option.
    NeighbourSolicitation {
        /// Who is asked for.
        target: Ipv6Addr,
        /// Who asks.
        link: MacAddr,
    },
    /// 136/0: `target` is at `link`. RFC 4861 §4.4, with the answerer's link address as an option.
    NeighbourAdvertisement {
        /// Who was asked for.
        target: Ipv6Addr,
        /// Where it is.
        link: MacAddr,
        /// Whether it forwards packets of others.
        router: bool,
    },
}

impl IcmpKind {
    /// Whether it is an error about another packet.
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::EchoRequest { .. }
                | Self::EchoReply { .. }
                | Self::NeighbourSolicitation { .. }
                | Self::NeighbourAdvertisement { .. }
        )
    }
}

/// VXLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Network identifier, 24 bits.
    pub vni: u32,
}

/// 802.1Q.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// VLAN identifier, 12 bits.
    pub id: u16,
}

/// Geneve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geneve {
    /// Network identifier, 24 bits.
    pub vni: u32,
}

/// WireGuard's data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireGuard {
    /// Index that the receiver chose for the session.
    pub receiver: u32,
    /// Messages sent in it before.
    pub counter: u64,
}

impl Packet {
    /// Headers and a payload.
    pub fn new(headers: Vec<Header>, payload: Payload) -> Self {
        Self { headers, payload }
    }

    /// Index of the outermost IP header.
    pub fn ip_index(&self) -> Option<usize> {
        self.headers
            .iter()
            .position(|h| matches!(h, Header::Ipv4(_) | Header::Ipv6(_)))
    }

    /// The chunk of an SCTP packet.
    pub fn sctp_chunk(&self) -> Option<SctpChunk> {
        match self.l4() {
            Some(Header::Sctp(sctp)) => Some(sctp.chunk),
            _ => None,
        }
    }

    /// Outermost IP source.
    pub fn src_ip(&self) -> Option<IpAddr> {
        self.headers.iter().find_map(|header| match header {
            Header::Ipv4(ip) => Some(IpAddr::V4(ip.src)),
            Header::Ipv6(ip) => Some(IpAddr::V6(ip.src)),
            _ => None,
        })
    }

    /// Outermost IP destination.
    pub fn dst_ip(&self) -> Option<IpAddr> {
        self.headers.iter().find_map(|header| match header {
            Header::Ipv4(ip) => Some(IpAddr::V4(ip.dst)),
            Header::Ipv6(ip) => Some(IpAddr::V6(ip.dst)),
            _ => None,
        })
    }

    /// The outermost Ethernet header, if the packet starts with one.
    pub fn ethernet(&self) -> Option<&Ethernet> {
        match self.headers.first() {
            Some(Header::Ethernet(ethernet)) => Some(ethernet),
            _ => None,
        }
    }
}
