//! Segments that leave: new ones, repeated ones, acknowledgements, resets, and the timers that send them.

use super::{
    ACK, DATA_RETRIES, DATA_TIMEOUT, MAX_TIMEOUT, SYN_ACK_RETRIES, SYN_TIMEOUT, Segment, State, Timer,
    WINDOW, headers_bytes,
};
use crate::conntrack::CtRef;
use crate::process::{SocketError, SocketId};
use crate::sim::cursor::{Cursor, Launch, Stage};
use crate::sim::icmp::ip_header;
use crate::sim::{Happening, Sim};
use hoplab_wire::{Header, L4Protocol, Packet, Payload, Tcp as TcpHeader, TcpFlags};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

impl Sim<'_> {
    /// Sends a new segment and remembers it until it is acknowledged.
    pub(super) fn transmit_segment(&mut self, id: SocketId, flags: TcpFlags, bytes: Vec<u8>, label: String) {
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        let seq = tcp.snd_nxt;
        let segment = Segment {
            seq,
            flags,
            bytes: bytes.clone(),
            label: label.clone(),
        };
        tcp.snd_nxt = seq.wrapping_add(segment.len());
        let first = tcp.unacked.is_empty();
        tcp.unacked.push_back(segment);
        if first {
            tcp.retries = 0;
            self.arm_retransmit(id);
        }
        self.send_segment(id, seq, flags, bytes, label);
    }

    /// Puts one segment on its way.
    pub(super) fn send_segment(
        &mut self,
        id: SocketId,
        seq: u32,
        flags: TcpFlags,
        bytes: Vec<u8>,
        label: String,
    ) {
        let mss = if flags.syn {
            Some(self.advertised_mss(id))
        } else {
            None
        };
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        let Some(tcp) = &mut socket.tcp else { return };
        if flags.ack {
            tcp.ack_owed = 0;
            tcp.ack_generation = tcp.ack_generation.wrapping_add(1);
        }
        let header = TcpHeader {
            src: socket.local.port(),
            dst: socket.remote.port(),
            seq,
            ack: if flags.ack { tcp.rcv_nxt } else { 0 },
            flags,
            window: WINDOW,
            mss_bytes: mss,
        };
        let (local, remote, netns) = (socket.local, socket.remote, socket.netns);
        let (conversation, forward, cause) = (socket.conversation, socket.opener, socket.last_flight);
        let process = self
            .parties
            .get(socket.process.0 as usize)
            .map_or(&self.nothing, |p| &p.name);
        let process = Arc::clone(process);
        let ip_id = u16::try_from((self.flights.len() + 1) & 0xffff).unwrap_or(0);
        let Some(ip) = ip_header(local.ip(), remote.ip(), L4Protocol::Tcp, ip_id, true, 0) else {
            return;
        };
        let launch = Launch {
            netns,
            conversation,
            forward,
            label,
            cause,
            process,
            from: Some(local),
            to: Some(remote),
            sender: Some(id),
            ct: None,
            stage: Stage::LocalOut,
        };
        let flight = self.launch(
            Packet::new(vec![ip, Header::Tcp(header)], Payload::from(bytes)),
            launch,
        );
        self.sockets.note_flight(id, flight);
    }

    pub(super) fn arm_retransmit(&mut self, id: SocketId) {
        let Some(netns) = self.sockets.get(id).map(|s| s.netns) else {
            return;
        };
        let linear = self
            .stack(netns)
            .map_or(0, |s| u32::from(s.ns.sysctls.tcp_syn_linear_timeouts));
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        tcp.generation = tcp.generation.wrapping_add(1);
        let generation = tcp.generation;
        let (base, doublings) = match tcp.state {
            State::SynSent => (SYN_TIMEOUT, tcp.retries.saturating_sub(linear)),
            State::SynReceived => (SYN_TIMEOUT, tcp.retries),
            _ => (DATA_TIMEOUT, tcp.retries),
        };
        let wait = base.saturating_mul(1 << doublings.min(16)).min(MAX_TIMEOUT);
        self.schedule(
            wait,
            Happening::SocketTimer {
                socket: id,
                generation,
                kind: Timer::Retransmit,
            },
        );
    }

    pub(in crate::sim) fn socket_timer(&mut self, id: SocketId, generation: u32, kind: Timer) {
        if self.sctp_timer(id, generation) {
            return;
        }
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        let netns = socket.netns;
        let Some(tcp) = &socket.tcp else { return };
        match kind {
            Timer::DelayedAck => {
                if tcp.ack_generation == generation && tcp.ack_owed > 0 {
                    self.send_ack(id);
                }
            }
            Timer::Retransmit => {
                if tcp.generation != generation || tcp.unacked.is_empty() {
                    return;
                }
                let settings = self
                    .stack(netns)
                    .map(|s| s.ns.sysctls.clone())
                    .unwrap_or_default();
                let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
                    return;
                };
                // tcp_write_timeout: linear time-outs do not count against tcp_syn_retries.
                let most = match tcp.state {
                    State::SynSent => {
                        u32::from(settings.tcp_syn_retries) + u32::from(settings.tcp_syn_linear_timeouts)
                    }
                    State::SynReceived => SYN_ACK_RETRIES,
                    _ => DATA_RETRIES,
                };
                if tcp.retries >= most {
                    self.fail(id, SocketError::TimedOut);
                    return;
                }
                tcp.retries += 1;
                self.retransmit(id);
                self.arm_retransmit(id);
            }
        }
    }

    /// Sends the oldest unacknowledged segment again.
    pub(super) fn retransmit(&mut self, id: SocketId) {
        let Some(tcp) = self.sockets.get(id).and_then(|s| s.tcp.as_ref()) else {
            return;
        };
        let Some(segment) = tcp.unacked.front() else {
            return;
        };
        let label = match tcp.retries {
            0 => format!("{} again", segment.label),
            n => format!("{} again, try {}", segment.label, n + 1),
        };
        let (seq, flags, bytes) = (segment.seq, segment.flags, segment.bytes.clone());
        self.send_segment(id, seq, flags, bytes, label);
    }

    /// The path's MTU turned out smaller: what is unacknowledged is cut anew and sent again
    /// (`tcp_v4_mtu_reduced`, `tcp_simple_retransmit`).
    pub(in crate::sim) fn tcp_smaller(&mut self, id: SocketId, mtu_bytes: u16) {
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        let room = usize::from(mtu_bytes).saturating_sub(headers_bytes(socket.remote) as usize);
        let Some(tcp) = &mut socket.tcp else { return };
        if room == 0 || room >= tcp.mss_bytes {
            return;
        }
        tcp.mss_bytes = room;
        let mut cut = VecDeque::new();
        for segment in std::mem::take(&mut tcp.unacked) {
            if segment.bytes.len() <= room {
                cut.push_back(segment);
                continue;
            }
            let count = segment.bytes.len().div_ceil(room);
            let mut seq = segment.seq;
            for (number, part) in segment.bytes.chunks(room).enumerate() {
                let last = number + 1 == count;
                let flags = TcpFlags {
                    psh: segment.flags.psh && last,
                    fin: segment.flags.fin && last,
                    ..segment.flags
                };
                let label = format!("{}, part {} of {count}", segment.label, number + 1);
                let part = Segment {
                    seq,
                    flags,
                    bytes: part.to_vec(),
                    label,
                };
                seq = seq.wrapping_add(part.len());
                cut.push_back(part);
            }
        }
        tcp.unacked = cut;
        let again: Vec<(u32, TcpFlags, Vec<u8>, String)> = tcp
            .unacked
            .iter()
            .map(|s| (s.seq, s.flags, s.bytes.clone(), s.label.clone()))
            .collect();
        for (seq, flags, bytes, label) in again {
            self.send_segment(id, seq, flags, bytes, label);
        }
        self.arm_retransmit(id);
    }

    pub(super) fn send_ack(&mut self, id: SocketId) {
        let Some(tcp) = self.sockets.get(id).and_then(|s| s.tcp.as_ref()) else {
            return;
        };
        let seq = tcp.snd_nxt;
        self.send_segment(id, seq, ACK, Vec::new(), "ACK".to_owned());
    }

    /// Acknowledgements that no answer of the process carried.
    pub(in crate::sim) fn send_due_acks(&mut self) {
        for id in std::mem::take(&mut self.sockets.ack_due) {
            if self
                .sockets
                .get(id)
                .and_then(|s| s.tcp.as_ref())
                .is_some_and(|t| t.ack_owed > 0)
            {
                self.send_ack(id);
            }
        }
    }

    /// `tcp_v4_send_reset`, `nf_send_reset`: RST for a segment that belongs to nothing.
    pub(in crate::sim) fn reset_for(&mut self, about: &Cursor, ct: Option<CtRef>) {
        let packet = &about.skb.packet;
        let (Some(src), Some(dst), Some(Header::Tcp(of))) = (packet.src_ip(), packet.dst_ip(), packet.l4())
        else {
            return;
        };
        if of.flags.rst {
            return;
        }
        let length = u32::try_from(packet.payload.0.len()).unwrap_or(0);
        let taken = length
            .wrapping_add(u32::from(of.flags.syn))
            .wrapping_add(u32::from(of.flags.fin));
        // RFC 9293 §3.10.7.1.
        let (seq, ack, flags) = if of.flags.ack {
            (
                of.ack,
                0,
                TcpFlags {
                    rst: true,
                    ..TcpFlags::default()
                },
            )
        } else {
            (0, of.seq.wrapping_add(taken), TcpFlags { rst: true, ..ACK })
        };
        let header = TcpHeader {
            src: of.dst,
            dst: of.src,
            seq,
            ack,
            flags,
            window: 0,
            mss_bytes: None,
        };
        let Some(ip) = ip_header(dst, src, L4Protocol::Tcp, 0, true, 0) else {
            return;
        };
        let launch = Launch {
            netns: about.netns,
            conversation: about.conversation,
            forward: !about.forward,
            label: "RST".to_owned(),
            cause: Some(about.flight),
            process: Arc::clone(&self.kernel),
            from: Some(SocketAddr::new(dst, of.dst)),
            to: Some(SocketAddr::new(src, of.src)),
            sender: None,
            ct,
            stage: Stage::LocalOut,
        };
        self.launch(
            Packet::new(vec![ip, Header::Tcp(header)], Payload::default()),
            launch,
        );
    }
}
