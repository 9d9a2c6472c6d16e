//! Segments that arrive: handshake, acknowledgements, data, FIN and RST. RFC 9293 §3.10.7.

use super::{DEFAULT_MSS, DELAYED_ACK, SYN, State, Tcp, Timer};
use crate::process::{SocketError, SocketId};
use crate::sim::cursor::Cursor;
use crate::sim::socket::listener;
use crate::sim::{Happening, Sim};
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, StepKind};
use hoplab_wire::{L4Protocol, Tcp as TcpHeader, TcpFlags};
use std::net::SocketAddr;
use std::sync::Arc;

impl Sim<'_> {
    /// `tcp_v4_rcv`.
    pub(in crate::sim) fn tcp_in(
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
        let id = self.accept(
            &cursor,
            stack.id,
            process,
            (protocol, local, remote),
            Some(tcp),
            None,
        );
        let own_mss = usize::from(self.advertised_mss(id));
        if let Some(tcp) = self.sockets.get_mut(id).and_then(|s| s.tcp.as_mut()) {
            tcp.mss_bytes = peer_mss.min(own_mss);
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
}
