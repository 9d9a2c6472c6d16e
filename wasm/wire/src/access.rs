//! Reading and changing the outermost IP packet of a header stack.

use crate::{Header, Icmp, IcmpKind, L4Protocol, Packet, TcpFlags};
use std::net::IpAddr;

impl Packet {
    /// The header right after the outermost IP header.
    pub fn l4(&self) -> Option<&Header> {
        self.headers.get(self.ip_index()? + 1)
    }

    /// Protocol that the outermost IP header names.
    pub fn protocol(&self) -> Option<L4Protocol> {
        match &self.headers[self.ip_index()?] {
            Header::Ipv4(ip) => Some(ip.protocol),
            Header::Ipv6(ip) => Some(ip.protocol),
            _ => None,
        }
    }

    /// Source and destination port of TCP, UDP or SCTP right inside the outermost IP header.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self.l4()? {
            Header::Tcp(tcp) => Some((tcp.src, tcp.dst)),
            Header::Udp(udp) => Some((udp.src, udp.dst)),
            Header::Sctp(sctp) => Some((sctp.src, sctp.dst)),
            _ => None,
        }
    }

    /// TCP flags, of a TCP packet.
    pub fn tcp_flags(&self) -> Option<TcpFlags> {
        match self.l4()? {
            Header::Tcp(tcp) => Some(tcp.flags),
            _ => None,
        }
    }

    /// The ICMP header, of an ICMP packet.
    pub fn icmp(&self) -> Option<&Icmp> {
        match self.l4()? {
            Header::Icmp(icmp) => Some(icmp),
            _ => None,
        }
    }

    /// Time to live (hop limit) of the outermost IP header.
    pub fn ttl_hops(&self) -> Option<u8> {
        match &self.headers[self.ip_index()?] {
            Header::Ipv4(ip) => Some(ip.ttl_hops),
            Header::Ipv6(ip) => Some(ip.hop_limit),
            _ => None,
        }
    }

    /// Whether routers must not cut the packet: DF, or IPv6.
    pub fn do_not_fragment(&self) -> bool {
        match self.ip_index().map(|i| &self.headers[i]) {
            Some(Header::Ipv4(ip)) => ip.df,
            _ => true,
        }
    }

    /// Whether the outermost IP packet is a piece of a larger one.
    pub fn is_fragment(&self) -> bool {
        match self.ip_index().map(|i| &self.headers[i]) {
            Some(Header::Ipv4(ip)) => ip.mf || ip.fragment_offset_bytes != 0,
            _ => false,
        }
    }

    /// Sets the time to live of the outermost IP header.
    pub fn set_ttl_hops(&mut self, ttl_hops: u8) {
        let Some(i) = self.ip_index() else { return };
        match &mut self.headers[i] {
            Header::Ipv4(ip) => ip.ttl_hops = ttl_hops,
            Header::Ipv6(ip) => ip.hop_limit = ttl_hops,
            _ => {}
        }
    }

    /// Sets the source address of the outermost IP header; an address of the other family changes nothing.
    pub fn set_src_ip(&mut self, address: IpAddr) {
        let Some(i) = self.ip_index() else { return };
        match (&mut self.headers[i], address) {
            (Header::Ipv4(ip), IpAddr::V4(a)) => ip.src = a,
            (Header::Ipv6(ip), IpAddr::V6(a)) => ip.src = a,
            _ => {}
        }
    }

    /// Sets the destination address of the outermost IP header; an address of the other family changes nothing.
    pub fn set_dst_ip(&mut self, address: IpAddr) {
        let Some(i) = self.ip_index() else { return };
        match (&mut self.headers[i], address) {
            (Header::Ipv4(ip), IpAddr::V4(a)) => ip.dst = a,
            (Header::Ipv6(ip), IpAddr::V6(a)) => ip.dst = a,
            _ => {}
        }
    }

    /// Sets the source port (of an ICMP echo: the identifier).
    pub fn set_src_port(&mut self, port: u16) {
        let Some(i) = self.ip_index() else { return };
        match self.headers.get_mut(i + 1) {
            Some(Header::Tcp(tcp)) => tcp.src = port,
            Some(Header::Udp(udp)) => udp.src = port,
            Some(Header::Sctp(sctp)) => sctp.src = port,
            Some(Header::Icmp(icmp)) => set_echo_id(icmp, port),
            _ => {}
        }
    }

    /// Sets the destination port (of an ICMP echo: the identifier).
    pub fn set_dst_port(&mut self, port: u16) {
        let Some(i) = self.ip_index() else { return };
        match self.headers.get_mut(i + 1) {
            Some(Header::Tcp(tcp)) => tcp.dst = port,
            Some(Header::Udp(udp)) => udp.dst = port,
            Some(Header::Sctp(sctp)) => sctp.dst = port,
            Some(Header::Icmp(icmp)) => set_echo_id(icmp, port),
            _ => {}
        }
    }

    /// The packet from its outermost IP header on, without what is around it.
    pub fn from_ip(&self) -> Option<Self> {
        let i = self.ip_index()?;
        Some(Self {
            headers: self.headers[i..].to_vec(),
            payload: self.payload.clone(),
        })
    }
}

fn set_echo_id(icmp: &mut Icmp, new: u16) {
    match &mut icmp.kind {
        IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. } => *id = new,
        _ => {}
    }
}
