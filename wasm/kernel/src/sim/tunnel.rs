//! Tunnels: outer headers put around a packet, which is then a new packet of this stack, and taken off again.
//!
//! Models drivers/net/vxlan/vxlan_core.c, drivers/net/geneve.c, net/ipv4/{ip_tunnel,ipip,ip_gre}.c and
//! drivers/net/wireguard.
//! Differs: WireGuard's peers have a session from the start; its handshake and keep-alives are not sent.

use super::Sim;
use super::cursor::{Cursor, Stage};
use super::icmp::ip_header;
use crate::interface::{InterfaceKind, Tunnel, TunnelKind, VxlanDevice, WireGuardPeer};
use crate::overlay::{LearnedRemote, MAC_AGE};
use crate::stack::Stack;
use hoplab_trace::{DropCause, Name, StepKind};
use hoplab_wire::{Geneve, Header, IcmpKind, L4Protocol, MacAddr, Packet, Udp, Vxlan, WireGuard};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// UDP, VXLAN and the inner Ethernet header; the outer IP header comes to it.
const VXLAN_OVERHEAD_BYTES: u16 = 30;

impl Sim<'_> {
    /// `vxlan_xmit`: outer headers around the frame, which is then a new packet of this stack. The mark stays.
    pub(super) fn encapsulate(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        device: &Name,
        vxlan: &VxlanDevice,
    ) -> Option<Box<Cursor>> {
        let dst = cursor.skb.packet.ethernet().map(|e| e.dst)?;
        let permanent = vxlan
            .fdb
            .get(&dst)
            .and_then(|e| Some((e.remote?, e.origin.clone())));
        let learned = || {
            let entry = self
                .overlay
                .stack(stack.id)?
                .tunnel_fdb
                .get(&(Arc::clone(device), dst))?;
            (entry.at + MAC_AGE > self.now).then_some((entry.remote, None))
        };
        // The all-zeros entry is where unknown and group addresses go.
        let default = || {
            vxlan
                .fdb
                .get(&MacAddr::ZERO)
                .and_then(|e| Some((e.remote?, e.origin.clone())))
        };
        let Some((remote, origin)) = permanent.or_else(learned).or_else(default) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        let source_port = flow_source_port(&cursor.skb.packet);
        let id = u16::try_from(cursor.flight & 0xffff).unwrap_or(0);
        let Some(outer) = ip_header(vxlan.local, remote, L4Protocol::Udp, id, false, 0) else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return None;
        };
        let headers = [
            outer,
            Header::Udp(Udp {
                src: source_port,
                dst: vxlan.port,
            }),
            Header::Vxlan(Vxlan { vni: vxlan.vni }),
        ];
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        packet.headers.splice(0..0, headers);
        cursor.skb.scrub();
        let kind = StepKind::Encap {
            device: Arc::clone(device),
            remote,
            overhead_bytes: VXLAN_OVERHEAD_BYTES + if remote.is_ipv4() { 20 } else { 40 },
        };
        cursor.step(kind, origin);
        cursor.to(Stage::LocalOut)
    }

    /// `ip_tunnel_xmit`, `geneve_xmit`, `wg_xmit`: outer headers, and a new packet of this stack.
    pub(super) fn box_up(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        device: &Name,
        tunnel: &Tunnel,
    ) -> Option<Box<Cursor>> {
        let packet = &cursor.skb.packet;
        let to = packet.dst_ip();
        let v6 = to.is_some_and(|a| a.is_ipv6());
        let next_hop = cursor.skb.dst.as_ref().map(|d| d.next_hop);
        let udp = |src, dst| Header::Udp(Udp { src, dst });
        let inner = if v6 { L4Protocol::Ipv6 } else { L4Protocol::Ipip };
        let (remote, protocol, between) = match &tunnel.kind {
            TunnelKind::Ipip => (tunnel.remote.or(next_hop), inner, Vec::new()),
            TunnelKind::Gre => (tunnel.remote.or(next_hop), L4Protocol::Gre, vec![Header::Gre]),
            TunnelKind::Geneve { vni, port } => {
                let between = vec![
                    udp(flow_source_port(packet), *port),
                    Header::Geneve(Geneve { vni: *vni }),
                ];
                (tunnel.remote, L4Protocol::Udp, between)
            }
            TunnelKind::WireGuard { port, peers } => {
                let peer = to.and_then(|to| peer_of(peers, to));
                let Some((number, peer)) = peer else {
                    // No peer may have this address: ENOKEY, and an error to who sent it.
                    return self.refuse(cursor, stack, IcmpKind::HostUnreachable, DropCause::NoRoute);
                };
                let message = WireGuard {
                    receiver: number,
                    counter: u64::from(cursor.flight),
                };
                let between = vec![udp(*port, peer.endpoint.port()), Header::WireGuard(message)];
                (Some(peer.endpoint.ip()), L4Protocol::Udp, between)
            }
        };
        let src = tunnel
            .local
            .or_else(|| super::walk::source_address(stack, remote?, cursor.skb.mark));
        // Tunnels of the IP layer let nobody cut their packets, and pass on the time to live of what they hold.
        let plain = protocol != L4Protocol::Udp;
        let id = u16::try_from(cursor.flight & 0xffff).unwrap_or(0);
        let outer = src
            .zip(remote)
            .and_then(|(s, r)| ip_header(s, r, protocol, id, plain, 0));
        let (Some(mut outer), Some(remote)) = (outer, remote) else {
            self.drop_packet(cursor, DropCause::NoRoute, None);
            return None;
        };
        if let (Header::Ipv4(ip), true) = (&mut outer, plain) {
            ip.ttl_hops = packet.ttl_hops().unwrap_or(64);
        }
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        if !tunnel.carries_frames() && packet.ethernet().is_some() {
            packet.headers.remove(0);
        }
        let before = packet.len_bytes();
        packet.headers.splice(0..0, std::iter::once(outer).chain(between));
        let overhead = packet.len_bytes() - before;
        cursor.skb.scrub();
        let kind = StepKind::Encap {
            device: Arc::clone(device),
            remote,
            overhead_bytes: u16::try_from(overhead).unwrap_or(u16::MAX),
        };
        let origin = stack.interface(device).and_then(|i| i.origin.clone());
        cursor.step(kind, origin);
        cursor.to(Stage::LocalOut)
    }

    /// A packet for one of this stack's tunnels: the device, and how many headers are around what is inside.
    pub(super) fn tunnel_of(&self, stack: &Stack, packet: &Packet) -> Option<(Name, usize)> {
        let at = packet.ip_index()?;
        let (src, protocol) = (packet.src_ip()?, packet.protocol()?);
        let port = packet.ports().map(|(_, dst)| dst);
        let (first, second) = (packet.headers.get(at + 1)?, packet.headers.get(at + 2));
        let from = |tunnel: &Tunnel| tunnel.remote.is_none_or(|r| r == src);
        let fits = |kind: &InterfaceKind| match (kind, first, second) {
            (InterfaceKind::Vxlan(v), Header::Udp(_), Some(Header::Vxlan(h))) => {
                // vxlan_find_sock: each family has a socket of its own.
                let own = v.local.is_ipv4() == src.is_ipv4();
                (own && Some(v.port) == port && v.vni == h.vni).then_some(3)
            }
            (InterfaceKind::Tunnel(t), _, _) if from(t) => match (&t.kind, first, second) {
                (TunnelKind::Ipip, Header::Ipv4(_), _) if protocol == L4Protocol::Ipip => Some(1),
                (TunnelKind::Ipip, Header::Ipv6(_), _) if protocol == L4Protocol::Ipv6 => Some(1),
                (TunnelKind::Gre, Header::Gre, _) => Some(2),
                (TunnelKind::Geneve { vni, port: own }, Header::Udp(_), Some(Header::Geneve(h))) => {
                    (Some(*own) == port && *vni == h.vni).then_some(3)
                }
                (TunnelKind::WireGuard { port: own, .. }, Header::Udp(_), Some(Header::WireGuard(_))) => {
                    (Some(*own) == port).then_some(3)
                }
                _ => None,
            },
            _ => None,
        };
        let up = stack.ns.interfaces.values().filter(|i| i.up);
        let mut found = up.filter_map(|i| Some((Arc::clone(&i.name), at + fits(&i.kind)?)));
        found.next()
    }

    /// `vxlan_rcv`, `ip_tunnel_rcv`, `wg_packet_consume_data_done`: what is inside arrives at the tunnel's device.
    pub(super) fn decapsulate(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        (device, around): (Name, usize),
    ) -> Option<Box<Cursor>> {
        let remote = cursor.skb.packet.src_ip();
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        let before = packet.len_bytes();
        packet.headers.drain(..around);
        let overhead = before - packet.len_bytes();
        let kind = stack.interface(&device).map(|i| &i.kind);
        if let Some(InterfaceKind::Vxlan(v)) = kind
            && let (true, Some(remote), Some(ethernet)) = (v.learning, remote, cursor.skb.packet.ethernet())
        {
            let key = (Arc::clone(&device), ethernet.src);
            let learned = LearnedRemote { remote, at: self.now };
            self.overlay.stack_mut(stack.id).tunnel_fdb.insert(key, learned);
        }
        let stranger = match kind {
            // Who may speak with this address is another peer, or none.
            Some(InterfaceKind::Tunnel(Tunnel {
                kind: TunnelKind::WireGuard { peers, .. },
                ..
            })) => cursor
                .skb
                .packet
                .src_ip()
                .and_then(|src| peer_of(peers, src))
                .is_none_or(|(_, peer)| Some(peer.endpoint.ip()) != remote),
            _ => false,
        };
        cursor.skb.scrub();
        cursor.skb.mark = 0;
        cursor.step(
            StepKind::Decap {
                device: Arc::clone(&device),
                overhead_bytes: u16::try_from(overhead).unwrap_or(u16::MAX),
            },
            None,
        );
        if stranger {
            self.drop_packet(cursor, DropCause::Martian, None);
            return None;
        }
        cursor.to(Stage::Receive { device })
    }
}

/// The peer whose `AllowedIPs` hold an address, the longest prefix first, and its number.
fn peer_of(peers: &[WireGuardPeer], address: IpAddr) -> Option<(u32, &WireGuardPeer)> {
    let longest = |peer: &WireGuardPeer| {
        let nets = peer.allowed.iter().filter(|n| n.contains(&address));
        nets.map(IpNet::prefix_len).max()
    };
    let fitting = (1..).zip(peers).filter_map(|(n, p)| Some((longest(p)?, n, p)));
    fitting.max_by_key(|(length, ..)| *length).map(|(_, n, p)| (n, p))
}

/// `udp_flow_src_port`: a hash of the inner flow, within the range of ephemeral ports. The hash is a fixed one.
fn flow_source_port(packet: &Packet) -> u16 {
    let (sport, dport) = packet.ports().unwrap_or((0, 0));
    let mut hash = 0x811c_9dc5_u32;
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    for address in [packet.src_ip(), packet.dst_ip()].into_iter().flatten() {
        match address {
            IpAddr::V4(a) => mix(&a.octets()),
            IpAddr::V6(a) => mix(&a.octets()),
        }
    }
    mix(&sport.to_be_bytes());
    mix(&dport.to_be_bytes());
    let (first, count) = (32_768_u32, 28_232_u32);
    u16::try_from(first + (hash ^ hash >> 16) % count).unwrap_or(u16::MAX)
}
