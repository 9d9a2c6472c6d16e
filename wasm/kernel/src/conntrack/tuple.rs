//! What identifies a connection in one direction.

use hoplab_wire::{Header, IcmpKind, L4Protocol, Packet};
use std::net::IpAddr;

/// Addresses, protocol and ports of one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol.
    pub protocol: L4Protocol,
    /// Source port; of an ICMP echo its identifier.
    pub src_port: u16,
    /// Destination port; of an ICMP echo its type: 8 request, 0 reply (IPv6: 128, 129).
    pub dst_port: u16,
    /// Zone: connections of different zones know nothing of each other (`CT --zone`).
    pub zone: u16,
}

impl Tuple {
    /// Of a packet's outermost IP header. `None`: an ICMP error, a piece of a packet, or no IP.
    pub fn of(packet: &Packet) -> Option<Self> {
        let (src, dst, protocol) = (packet.src_ip()?, packet.dst_ip()?, packet.protocol()?);
        let (src_port, dst_port) = match packet.l4()? {
            Header::Icmp(icmp) => match (icmp.kind, protocol) {
                (IcmpKind::EchoRequest { id, .. }, L4Protocol::Icmpv6) => (id, 128),
                (IcmpKind::EchoReply { id, .. }, L4Protocol::Icmpv6) => (id, 129),
                (IcmpKind::EchoRequest { id, .. }, _) => (id, 8),
                (IcmpKind::EchoReply { id, .. }, _) => (id, 0),
                _ => return None,
            },
            // nf_conntrack_proto_generic.c, and GRE without a key: addresses alone.
            _ if matches!(protocol, L4Protocol::Ipip | L4Protocol::Ipv6 | L4Protocol::Gre) => (0, 0),
            _ => packet.ports()?,
        };
        Some(Self {
            src,
            dst,
            protocol,
            src_port,
            dst_port,
            zone: 0,
        })
    }

    /// As an answer to a packet with this tuple has it (`nf_ct_invert_tuple`).
    pub fn inverse(&self) -> Self {
        let (src_port, dst_port) = match self.protocol {
            L4Protocol::Icmp => (self.src_port, 8 - self.dst_port.min(8)),
            L4Protocol::Icmpv6 => (self.src_port, if self.dst_port == 128 { 129 } else { 128 }),
            _ => (self.dst_port, self.src_port),
        };
        Self {
            src: self.dst,
            dst: self.src,
            protocol: self.protocol,
            src_port,
            dst_port,
            zone: self.zone,
        }
    }

    /// Whether this is ICMP, whose "ports" are identifier and type.
    pub fn is_icmp(&self) -> bool {
        matches!(self.protocol, L4Protocol::Icmp | L4Protocol::Icmpv6)
    }
}
