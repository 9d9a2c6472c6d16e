//! TCP sockets: handshake, data, acknowledgements, close, reset, retransmission.
//!
//! Models net/ipv4/tcp_{input,output,timer}.c; RFC 9293, RFC 6298.
//! Differs: no congestion or receive window, no selective acknowledgement and no timestamps; wires lose nothing by
//! themselves, so that these would change no path, only the number of packets in flight.

mod input;
mod output;

use super::Sim;
use crate::process::SocketId;
use hoplab_wire::TcpFlags;
use std::collections::VecDeque;
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
fn headers_bytes(to: std::net::SocketAddr) -> u32 {
    if to.is_ipv4() { 40 } else { 60 }
}
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
        u16::try_from(mtu.saturating_sub(headers_bytes(remote))).unwrap_or(DEFAULT_MSS)
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
        if self.sctp_close(id) {
            return;
        }
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
        if self.sctp_abort(id) {
            return;
        }
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
}
