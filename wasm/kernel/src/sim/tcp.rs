//! TCP sockets: handshake, data, acknowledgements, close, reset, retransmission.
//!
//! Models net/ipv4/tcp_{input,output,timer}.c; RFC 9293, RFC 6298.
//! Differs: no congestion or receive window, no selective acknowledgement and no timestamps; wires lose nothing by
//! themselves, so that these would change no path, only the number of packets in flight.

use super::cursor::{Cursor, Launch, Stage};
use super::icmp::ip_header;
use super::socket::{Socket, listener};
use super::{Happening, Sim};
use crate::conntrack::CtRef;
use crate::process::{SocketError, SocketId};
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, StepKind};
use hoplab_wire::{Header, L4Protocol, Packet, Payload, Tcp as TcpHeader, TcpFlags};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a connection is, RFC 9293 §3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    Closing,
    CloseWait,
    LastAck,
    TimeWait,
    Closed,
}

/// A connection's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Retransmit,
    DelayedAck,
}

/// A segment that was sent and not yet acknowledged.
struct Segment {
    seq: u32,
    flags: TcpFlags,
    bytes: Vec<u8>,
    label: String,
}

impl Segment {
    /// Sequence numbers that it takes.
    fn len(&self) -> u32 {
        let data = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        data.wrapping_add(u32::from(self.flags.syn))
            .wrapping_add(u32::from(self.flags.fin))
    }
}

/// One connection.
pub(super) struct Tcp {
    pub(super) state: State,
    snd_nxt: u32,
    rcv_nxt: u32,
    /// Largest payload of a segment sent.
    mss_bytes: usize,
    unacked: VecDeque<Segment>,
    /// Written before the handshake was done.
    backlog: VecDeque<(Vec<u8>, String)>,
    /// Closed before the handshake was done.
    fin_wanted: bool,
    /// Received, not yet pushed to the process.
    received: Vec<u8>,
    /// Full segments received and not acknowledged.
    ack_owed: u32,
    /// Times the oldest segment was sent again.
    retries: u32,
    generation: u32,
    ack_generation: u32,
}

impl Tcp {
    fn new(state: State, isn: u32, rcv_nxt: u32, mss_bytes: usize) -> Self {
        Self {
            state,
            snd_nxt: isn,
            rcv_nxt,
            mss_bytes,
            unacked: VecDeque::new(),
            backlog: VecDeque::new(),
            fin_wanted: false,
            received: Vec::new(),
            ack_owed: 0,
            retries: 0,
            generation: 0,
            ack_generation: 0,
        }
    }

    pub(super) fn end(&mut self) {
        self.state = State::Closed;
        self.unacked.clear();
        self.backlog.clear();
        self.ack_owed = 0;
        self.generation = self.generation.wrapping_add(1);
        self.ack_generation = self.ack_generation.wrapping_add(1);
    }

    fn fin_acknowledged(&self) -> bool {
        !self.unacked.iter().any(|s| s.flags.fin)
    }
}

const SYN: TcpFlags = TcpFlags {
    syn: true,
    ack: false,
    fin: false,
    rst: false,
    psh: false,
};
const ACK: TcpFlags = TcpFlags {
    syn: false,
    ack: true,
    fin: false,
    rst: false,
    psh: false,
};

/// TCP_TIMEOUT_INIT.
const SYN_TIMEOUT: Duration = Duration::from_secs(1);
/// TCP_RTO_MIN: what data is sent again after, doubled each time.
const DATA_TIMEOUT: Duration = Duration::from_millis(200);
/// TCP_RTO_MAX.
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// tcp_synack_retries.
const SYN_ACK_RETRIES: u32 = 5;
/// tcp_retries2.
const DATA_RETRIES: u32 = 15;
/// TCP_DELACK_MIN.
const DELAYED_ACK: Duration = Duration::from_millis(40);
/// The window that is told; Linux starts with this one.
const WINDOW: u16 = 64_240;
/// IP and TCP headers without options.
const HEADERS_BYTES: u32 = 40;
/// TCP_MSS_DEFAULT: where the other side names none.
const DEFAULT_MSS: u16 = 536;

impl Sim<'_> {
    /// Initial sequence numbers are spaced out, and the same in the same world.
    fn initial_sequence(&mut self) -> u32 {
        self.overlay.opened = self.overlay.opened.wrapping_add(1);
        self.overlay.opened.wrapping_mul(0x9e37_79b1)
    }

    fn advertised_mss(&mut self, id: SocketId) -> u16 {
        let Some((netns, remote)) = self.sockets.get(id).map(|s| (s.netns, s.remote)) else {
            return DEFAULT_MSS;
        };
        let Some(stack) = self.stack(netns) else {
            return DEFAULT_MSS;
        };
        let mtu = self.mtu_towards(&stack, remote).min(65_535);
        u16::try_from(mtu.saturating_sub(HEADERS_BYTES)).unwrap_or(DEFAULT_MSS)
    }

    /// `tcp_v4_connect`.
    pub(super) fn tcp_open(&mut self, id: SocketId) {
        let isn = self.initial_sequence();
        let mss = self.advertised_mss(id);
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.tcp = Some(Tcp::new(State::SynSent, isn, 0, usize::from(mss)));
        }
        self.transmit_segment(id, SYN, Vec::new(), "SYN".to_owned());
    }

    /// Writes to a stream.
    pub(super) fn tcp_send(&mut self, id: SocketId, bytes: Vec<u8>, label: String) {
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        match tcp.state {
            State::SynSent | State::SynReceived => tcp.backlog.push_back((bytes, label)),
            State::Established | State::CloseWait if !bytes.is_empty() => {
                let mss = tcp.mss_bytes.max(1);
                let count = bytes.len().div_ceil(mss);
                for (number, part) in bytes.chunks(mss).enumerate() {
                    if self.too_many() {
                        return;
                    }
                    let flags = TcpFlags {
                        psh: number + 1 == count,
                        ..ACK
                    };
                    let label = if count == 1 {
                        label.clone()
                    } else {
                        format!("{label} ({} of {count})", number + 1)
                    };
                    self.transmit_segment(id, flags, part.to_vec(), label);
                }
            }
            _ => {}
        }
    }

    /// Closes in order.
    pub(super) fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        let Some(tcp) = &mut socket.tcp else {
            // A datagram socket that is gone hears nothing more.
            if socket.opener {
                self.sockets.remove(id);
            }
            return;
        };
        match tcp.state {
            State::SynSent => {
                tcp.end();
                self.sockets.remove(id);
            }
            State::SynReceived => tcp.fin_wanted = true,
            State::Established | State::CloseWait => {
                tcp.state = if tcp.state == State::Established {
                    State::FinWait1
                } else {
                    State::LastAck
                };
                self.transmit_segment(id, TcpFlags { fin: true, ..ACK }, Vec::new(), "FIN".to_owned());
            }
            _ => {}
        }
    }

    /// Ends the connection with RST.
    pub(super) fn abort(&mut self, id: SocketId) {
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        let open = !matches!(tcp.state, State::SynSent | State::TimeWait | State::Closed);
        let seq = tcp.snd_nxt;
        if open {
            self.send_segment(
                id,
                seq,
                TcpFlags { rst: true, ..ACK },
                Vec::new(),
                "RST".to_owned(),
            );
        }
        if let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) {
            tcp.end();
        }
        self.sockets.remove(id);
    }

    /// Sends a new segment and remembers it until it is acknowledged.
    fn transmit_segment(&mut self, id: SocketId, flags: TcpFlags, bytes: Vec<u8>, label: String) {
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
    fn send_segment(&mut self, id: SocketId, seq: u32, flags: TcpFlags, bytes: Vec<u8>, label: String) {
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
        let ip_id = u16::try_from(self.flights.len() & 0xffff).unwrap_or(0);
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

    fn arm_retransmit(&mut self, id: SocketId) {
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

    pub(super) fn socket_timer(&mut self, id: SocketId, generation: u32, kind: Timer) {
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
    fn retransmit(&mut self, id: SocketId) {
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
    pub(super) fn tcp_smaller(&mut self, id: SocketId, mtu_bytes: u16) {
        let room = usize::from(mtu_bytes).saturating_sub(HEADERS_BYTES as usize);
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
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

    fn send_ack(&mut self, id: SocketId) {
        let Some(tcp) = self.sockets.get(id).and_then(|s| s.tcp.as_ref()) else {
            return;
        };
        let seq = tcp.snd_nxt;
        self.send_segment(id, seq, ACK, Vec::new(), "ACK".to_owned());
    }

    /// Acknowledgements that no answer of the process carried.
    pub(super) fn send_due_acks(&mut self) {
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

    /// `tcp_v4_rcv`.
    pub(super) fn tcp_in(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        local: SocketAddr,
        remote: SocketAddr,
        header: TcpHeader,
    ) {
        let protocol = L4Protocol::Tcp;
        if let Some(id) = self.sockets.connected(stack.id, protocol, local, remote) {
            let process = self.process_name(id);
            cursor.step(
                StepKind::Socket {
                    protocol,
                    local,
                    process,
                },
                None,
            );
            self.segment_in(cursor, id, header);
            return;
        }
        let opens = header.flags.syn && !header.flags.ack && !header.flags.rst;
        let Some(found) = listener(stack, protocol, local).filter(|_| opens) else {
            // A reset is never answered, and a stray one closes nothing.
            if header.flags.rst {
                cursor.step(
                    StepKind::Socket {
                        protocol,
                        local,
                        process: None,
                    },
                    None,
                );
                self.drop_packet(cursor, DropCause::SocketIgnored, None);
            } else {
                self.no_socket(cursor, stack, protocol, local);
            }
            return;
        };
        let process = self.server(stack, found);
        let isn = self.initial_sequence();
        let mut tcp = Tcp::new(
            State::SynReceived,
            isn,
            header.seq.wrapping_add(1),
            usize::from(DEFAULT_MSS),
        );
        let peer_mss = usize::from(header.mss_bytes.unwrap_or(DEFAULT_MSS));
        tcp.mss_bytes = peer_mss;
        let conversation = cursor.conversation;
        let id = self.sockets.add(Socket {
            netns: stack.id,
            process,
            protocol,
            local,
            remote,
            conversation,
            opener: false,
            tcp: Some(tcp),
            last_flight: Some(cursor.flight),
            sequence: 0,
            gone: false,
        });
        let own_mss = usize::from(self.advertised_mss(id));
        if let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) {
            tcp.mss_bytes = peer_mss.min(own_mss);
        }
        self.accepted(conversation, stack.id, local, remote, Some(process));
        if let Some(info) = self.conversations.get_mut(conversation as usize) {
            info.sockets.push(id);
        }
        let process = self.process_name(id);
        cursor.step(
            StepKind::Socket {
                protocol,
                local,
                process,
            },
            None,
        );
        self.finish(*cursor, LegEnd::Delivered);
        self.transmit_segment(
            id,
            TcpFlags { ack: true, ..SYN },
            Vec::new(),
            "SYN ACK".to_owned(),
        );
    }

    /// `tcp_rcv_state_process`.
    fn segment_in(&mut self, cursor: Box<Cursor>, id: SocketId, header: TcpHeader) {
        self.sockets.note_flight(id, cursor.flight);
        let bytes = Arc::clone(&cursor.skb.packet.payload.0);
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        let flags = header.flags;
        match tcp.state {
            State::SynSent => {
                let acceptable = flags.ack && header.ack == tcp.snd_nxt;
                if flags.rst && acceptable {
                    self.finish(*cursor, LegEnd::Delivered);
                    self.fail(id, SocketError::Refused);
                } else if flags.syn && acceptable {
                    tcp.rcv_nxt = header.seq.wrapping_add(1);
                    tcp.mss_bytes = tcp
                        .mss_bytes
                        .min(usize::from(header.mss_bytes.unwrap_or(DEFAULT_MSS)));
                    tcp.unacked.clear();
                    tcp.generation = tcp.generation.wrapping_add(1);
                    tcp.state = State::Established;
                    self.finish(*cursor, LegEnd::Delivered);
                    self.send_ack(id);
                    self.tell_connected(id);
                    self.flush_backlog(id);
                } else {
                    self.drop_packet(cursor, DropCause::SocketIgnored, None);
                }
            }
            State::Closed => self.drop_packet(cursor, DropCause::SocketIgnored, None),
            _ if flags.rst => {
                if header.seq != tcp.rcv_nxt {
                    self.drop_packet(cursor, DropCause::SocketIgnored, None);
                    return;
                }
                let heard = !matches!(tcp.state, State::SynReceived | State::TimeWait);
                tcp.end();
                self.finish(*cursor, LegEnd::Delivered);
                if heard {
                    self.tell(id, SocketError::Reset);
                }
                self.sockets.remove(id);
            }
            State::SynReceived if flags.syn && !flags.ack => {
                // The client did not get the SYN ACK.
                self.finish(*cursor, LegEnd::Delivered);
                self.retransmit(id);
            }
            _ => self.established_in(cursor, id, header, &bytes),
        }
    }

    /// A segment of an open connection: acknowledgement, then data, then FIN.
    fn established_in(&mut self, cursor: Box<Cursor>, id: SocketId, header: TcpHeader, bytes: &[u8]) {
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        let flags = header.flags;
        if flags.ack {
            let before = tcp.unacked.len();
            while tcp.unacked.front().is_some_and(|s| {
                let end = s.seq.wrapping_add(s.len());
                i32::from_ne_bytes(header.ack.wrapping_sub(end).to_ne_bytes()) >= 0
            }) {
                tcp.unacked.pop_front();
            }
            if tcp.unacked.len() != before {
                tcp.retries = 0;
                tcp.generation = tcp.generation.wrapping_add(1);
            }
            let rearm = tcp.unacked.len() != before && !tcp.unacked.is_empty();
            let done = tcp.fin_acknowledged();
            let opened = tcp.state == State::SynReceived && !tcp.unacked.iter().any(|s| s.flags.syn);
            match tcp.state {
                State::SynReceived if opened => tcp.state = State::Established,
                State::FinWait1 if done => tcp.state = State::FinWait2,
                State::Closing if done => tcp.state = State::TimeWait,
                State::LastAck if done => {
                    tcp.end();
                    self.sockets.remove(id);
                    self.finish(*cursor, LegEnd::Delivered);
                    return;
                }
                _ => {}
            }
            if rearm {
                self.arm_retransmit(id);
            }
            if opened {
                self.tell_connected(id);
                self.flush_backlog(id);
            }
        }
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        if bytes.is_empty() && !flags.fin && !flags.syn {
            self.finish(*cursor, LegEnd::Delivered);
            return;
        }
        if header.seq != tcp.rcv_nxt || flags.syn {
            // Old, or after a gap: say again what is expected.
            self.drop_packet(cursor, DropCause::SocketIgnored, None);
            self.send_ack(id);
            return;
        }
        self.finish(*cursor, LegEnd::Delivered);
        self.take_data(id, bytes, flags);
    }

    fn take_data(&mut self, id: SocketId, bytes: &[u8], flags: TcpFlags) {
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        let peer = socket.remote;
        let Some(tcp) = &mut socket.tcp else { return };
        tcp.rcv_nxt = tcp.rcv_nxt.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
        tcp.received.extend_from_slice(bytes);
        tcp.ack_owed += 1;
        // Every second segment is acknowledged at once, a single one a little later or by the answer.
        let mut at_once = tcp.ack_owed > 1;
        let pushed = if flags.psh || flags.fin {
            std::mem::take(&mut tcp.received)
        } else {
            Vec::new()
        };
        let mut closed = false;
        if flags.fin {
            tcp.rcv_nxt = tcp.rcv_nxt.wrapping_add(1);
            at_once = true;
            closed = matches!(tcp.state, State::Established | State::FinWait1 | State::FinWait2);
            tcp.state = match tcp.state {
                State::Established => State::CloseWait,
                State::FinWait1 => State::Closing,
                State::FinWait2 => State::TimeWait,
                other => other,
            };
        }
        let generation = tcp.ack_generation;
        if at_once {
            self.sockets.ack_due.push(id);
        } else {
            self.schedule(
                DELAYED_ACK,
                Happening::SocketTimer {
                    socket: id,
                    generation,
                    kind: Timer::DelayedAck,
                },
            );
        }
        if !pushed.is_empty() {
            self.tell_data(id, peer, pushed);
        }
        if closed {
            self.tell_closed(id);
        }
    }

    fn flush_backlog(&mut self, id: SocketId) {
        let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) else {
            return;
        };
        let backlog = std::mem::take(&mut tcp.backlog);
        let fin = std::mem::take(&mut tcp.fin_wanted);
        for (bytes, label) in backlog {
            self.tcp_send(id, bytes, label);
        }
        if fin {
            self.close(id);
        }
    }

    /// `tcp_v4_send_reset`, `nf_send_reset`: RST for a segment that belongs to nothing.
    pub(super) fn reset_for(&mut self, about: &Cursor, ct: Option<CtRef>) {
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
