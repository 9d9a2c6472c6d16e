//! Packets as typed header stacks and as bytes; DNS and HTTP messages; pcapng. Values only: no tables, no state.

mod access;
pub mod dns;
pub mod http;
mod mac;
mod packet;
pub mod pcapng;
mod serialize;

pub use mac::MacAddr;
pub use packet::{
    Arp, ArpOp, Ethernet, Geneve, Header, Icmp, IcmpKind, Ipv4, Ipv6, L4Protocol, Packet, Payload, Sctp,
    SctpChunk, Tcp, TcpFlags, Udp, Vlan, Vxlan, WireGuard,
};
