//! Packets for this stack: INPUT, tunnels, sockets; and pieces of packets put together or cut.
//!
//! Models net/ipv4/ip_input.c `ip_local_deliver`, ip_fragment.c, ip_output.c `ip_do_fragment`.

use super::cursor::{Cursor, Stage};
use super::netfilter::HookEnd;
use super::{Happening, Sim};
use crate::NetNsId;
use crate::stack::Stack;
use hoplab_source::order;
use hoplab_trace::{DropCause, HookName, LegEnd, Name, StepKind};
use hoplab_wire::{Header, IcmpKind, L4Protocol, Packet, Payload};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What pieces of one packet have in common: stack, source, destination, protocol, identification.
pub(super) type FragmentKey = (NetNsId, IpAddr, IpAddr, L4Protocol, u16);

/// Pieces that arrived, and the offset at which the packet ends once its last piece is here.
#[derive(Default)]
pub(super) struct Pieces {
    parts: Vec<(u16, Packet)>,
    end: Option<usize>,
}

/// Packets of which pieces are missing that one stack keeps (ipfrag_high_thresh, roughly).
const MAX_INCOMPLETE: usize = 256;

impl Sim<'_> {
    /// `ip_local_deliver`.
    pub(super) fn local_deliver(
        &mut self,
        cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        device: &Name,
    ) -> Option<Box<Cursor>> {
        let mut cursor = self.reassemble(cursor)?;
        match self.hook(&mut cursor, stack, HookName::Input, Some(device), None) {
            HookEnd::Pass => {}
            HookEnd::Redirected => return self.ipvs_xmit(cursor, stack),
            ended => return self.end_at_hook(cursor, stack, ended),
        }
        let packet = Arc::clone(&cursor.skb.packet);
        let (Some(src), Some(dst), Some(protocol)) = (packet.src_ip(), packet.dst_ip(), packet.protocol())
        else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return None;
        };
        if let Some(inside) = self.tunnel_of(stack, &packet) {
            let port = packet.ports().map_or(0, |(_, port)| port);
            let process = Some(Arc::clone(&self.kernel));
            cursor.step(
                StepKind::Socket {
                    protocol,
                    local: SocketAddr::new(dst, port),
                    process,
                },
                None,
            );
            return self.decapsulate(cursor, stack, inside);
        }
        match packet.l4() {
            Some(Header::Icmp(_)) => self.icmp_in(cursor, stack),
            Some(Header::Tcp(tcp)) => {
                let (local, remote) = (SocketAddr::new(dst, tcp.dst), SocketAddr::new(src, tcp.src));
                self.tcp_in(cursor, stack, local, remote, *tcp);
            }
            Some(Header::Udp(udp)) => {
                let (local, remote) = (SocketAddr::new(dst, udp.dst), SocketAddr::new(src, udp.src));
                self.udp_in(cursor, stack, local, remote);
            }
            Some(Header::Sctp(sctp)) => {
                let (local, remote) = (SocketAddr::new(dst, sctp.dst), SocketAddr::new(src, sctp.src));
                self.sctp_in(cursor, stack, local, remote, *sctp);
            }
            _ => {
                self.drop_packet(cursor, DropCause::NotModelled, None);
            }
        }
        None
    }

    /// Nothing listens: the Socket step, the answer, the end.
    pub(super) fn no_socket(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        protocol: L4Protocol,
        local: SocketAddr,
    ) {
        cursor.step(
            StepKind::Socket {
                protocol,
                local,
                process: None,
            },
            None,
        );
        match protocol {
            L4Protocol::Tcp => self.reset_for(&cursor, None),
            _ => {
                let kind = IcmpKind::PortUnreachable;
                if self.icmp_error(&cursor, stack, kind) {
                    cursor.step(StepKind::IcmpError { kind }, None);
                }
            }
        }
        self.drop_packet(cursor, DropCause::NoSocket, None);
    }

    /// Connection tracking needs whole packets: pieces wait for each other before PREROUTING (`nf_defrag_ipv4`).
    pub(super) fn defragment(&mut self, cursor: Box<Cursor>, stack: &Stack) -> Option<Box<Cursor>> {
        if stack.tracks {
            self.reassemble(cursor)
        } else {
            Some(cursor)
        }
    }

    /// `ip_defrag`: the packet once its last missing piece is here.
    fn reassemble(&mut self, mut cursor: Box<Cursor>) -> Option<Box<Cursor>> {
        let Some(at) = cursor.skb.packet.ip_index() else {
            return Some(cursor);
        };
        let Some(Header::Ipv4(ip)) = cursor.skb.packet.headers.get(at).cloned() else {
            return Some(cursor);
        };
        if !ip.mf && ip.fragment_offset_bytes == 0 {
            return Some(cursor);
        }
        let key = (
            cursor.netns,
            IpAddr::V4(ip.src),
            IpAddr::V4(ip.dst),
            ip.protocol,
            ip.id,
        );
        if !self.fragments.contains_key(&key) && self.fragments.len() >= MAX_INCOMPLETE {
            self.fragments.shift_remove_index(0);
        }
        let pieces = self.fragments.entry(key).or_default();
        let packet = &cursor.skb.packet;
        let length = packet.ip_len_bytes().saturating_sub(20);
        if !ip.mf {
            pieces.end = Some(usize::from(ip.fragment_offset_bytes) + length);
        }
        if !pieces
            .parts
            .iter()
            .any(|(offset, _)| *offset == ip.fragment_offset_bytes)
        {
            pieces.parts.push((ip.fragment_offset_bytes, (**packet).clone()));
            order::sort_by_key(&mut pieces.parts, |(offset, _)| *offset);
        }
        let count = u16::try_from(pieces.parts.len()).unwrap_or(u16::MAX);
        let whole = pieces.whole(at);
        let is_whole = whole.is_some();
        cursor.step(
            StepKind::Reassemble {
                pieces: count,
                whole: is_whole,
            },
            None,
        );
        match whole {
            Some(packet) => {
                self.fragments.swap_remove(&key);
                cursor.skb.packet = Arc::new(packet);
                cursor.skb.was_in_pieces = true;
                if let Some((_, step)) = cursor.steps.last_mut() {
                    step.packet = Arc::clone(&cursor.skb.packet);
                }
                Some(cursor)
            }
            None => {
                self.finish(*cursor, LegEnd::Delivered);
                None
            }
        }
    }

    /// `ip_do_fragment`: each piece goes on as a leg of its own, at the cursor's stage.
    pub(super) fn fragment(&mut self, mut cursor: Box<Cursor>, mtu_bytes: u32) {
        let Some(pieces) = cut(&cursor.skb.packet, mtu_bytes) else {
            self.unknown(
                "fragmentation".to_owned(),
                "only IPv4 packets with some payload are cut",
            );
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return;
        };
        let count = pieces.len();
        let kind = StepKind::Fragment {
            pieces: u16::try_from(count).unwrap_or(u16::MAX),
            mtu_bytes: u16::try_from(mtu_bytes).unwrap_or(u16::MAX),
        };
        cursor.step(kind, None);
        let label = cursor.label.clone();
        for (number, piece) in pieces.into_iter().enumerate() {
            let mut copy = cursor.clone();
            if number > 0 {
                copy.flight = u32::try_from(self.flights.len()).unwrap_or(u32::MAX);
                copy.cause = Some(cursor.flight);
                copy.flood = None;
                self.flights.push(None);
            }
            copy.label = format!("{label} (piece {} of {count})", number + 1);
            copy.skb.packet = Arc::new(piece);
            copy.skb.was_in_pieces = false;
            let at = copy.at;
            self.schedule_at(at, Happening::Packet(copy));
        }
    }

    /// Where the packet goes on after a bridge cut it again.
    pub(super) fn refragment(&mut self, mut cursor: Box<Cursor>, mtu_bytes: u32, port: Name) {
        cursor.stage = Stage::Transmit { device: port };
        self.fragment(cursor, mtu_bytes);
    }
}

impl Pieces {
    fn whole(&self, at: usize) -> Option<Packet> {
        let end = self.end?;
        let (_, first) = self.parts.first().filter(|(offset, _)| *offset == 0)?;
        let mut packet = first.clone();
        let mut payload = first.payload.0.to_vec();
        let mut reached = first.ip_len_bytes().saturating_sub(20);
        for (offset, part) in &self.parts[1..] {
            if usize::from(*offset) != reached {
                return None;
            }
            reached += part.payload.0.len();
            payload.extend_from_slice(&part.payload.0);
        }
        if reached != end {
            return None;
        }
        packet.payload = Payload::from(payload);
        if let Some(Header::Ipv4(ip)) = packet.headers.get_mut(at) {
            ip.mf = false;
        }
        Some(packet)
    }
}

/// Pieces of at most `mtu_bytes`, all but the last a multiple of eight bytes long. The first keeps all inner headers.
fn cut(packet: &Packet, mtu_bytes: u32) -> Option<Vec<Packet>> {
    let at = packet.ip_index()?;
    let Some(Header::Ipv4(ip)) = packet.headers.get(at) else {
        return None;
    };
    let room = (mtu_bytes as usize).checked_sub(20)? & !7;
    let inner: usize = packet.headers[at + 1..].iter().map(Header::len_bytes).sum();
    if room == 0 || inner > room {
        return None;
    }
    let bytes = &packet.payload.0;
    let mut pieces = Vec::new();
    let (mut offset, mut from) = (usize::from(ip.fragment_offset_bytes), 0);
    loop {
        let take = if from == 0 && pieces.is_empty() {
            room - inner
        } else {
            room
        }
        .min(bytes.len() - from);
        let last = from + take == bytes.len();
        let mut header = *ip;
        header.mf = !last || ip.mf;
        header.fragment_offset_bytes = u16::try_from(offset).ok()?;
        let mut headers = packet.headers[..at].to_vec();
        headers.push(Header::Ipv4(header));
        if pieces.is_empty() {
            headers.extend_from_slice(&packet.headers[at + 1..]);
            offset += inner;
        }
        pieces.push(Packet::new(
            headers,
            Payload::from(bytes[from..from + take].to_vec()),
        ));
        offset += take;
        from += take;
        if last {
            return Some(pieces);
        }
    }
}
