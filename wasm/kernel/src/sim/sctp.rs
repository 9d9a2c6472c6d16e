//! SCTP associations with one address at each end: four-way handshake, data, shutdown, abort, retransmission.
//!
//! Models net/sctp/{sm_make_chunk,sm_statefuns,sm_sideeffect}.c; RFC 9260.
//! Differs: one chunk a packet, one stream, every packet of data is acknowledged at once, no heartbeats; the cookie
//! holds nothing, and what it would hold is taken from the packet that brings it.

use super::cursor::{Cursor, Launch, Stage};
use super::icmp::ip_header;
use super::socket::listener;
use super::{Happening, Sim, tcp};
use crate::process::{SocketError, SocketId};
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, StepKind};
use hoplab_wire::{Header, L4Protocol, Packet, Payload, Sctp as SctpHeader, SctpChunk};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where an association is, RFC 9260 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    CookieWait,
    CookieEchoed,
    Established,
    ShutdownSent,
    ShutdownAckSent,
}

/// One association.
pub(super) struct Sctp {
    state: State,
    /// What the other end puts into its packets.
    own_tag: u32,
    /// What this end puts into its packets.
    peer_tag: u32,
    next_tsn: u32,
    /// The last of the other end's that came.
    received_tsn: u32,
    unacked: VecDeque<(SctpChunk, Vec<u8>, String)>,
    /// Written before the handshake was done.
    backlog: Vec<(Vec<u8>, String)>,
    received: Vec<u8>,
    close_wanted: bool,
    retries: u32,
    generation: u32,
}

/// net.sctp.rto_initial, and its largest, rto_max.
const FIRST_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// net.sctp.max_init_retransmits and association_max_retrans.
const INIT_RETRIES: u32 = 8;
const DATA_RETRIES: u32 = 10;
/// Common header and the head of a data chunk.
const HEADERS_BYTES: u32 = 12 + 16;

fn label_of(chunk: SctpChunk) -> String {
    chunk.name().to_owned()
}

impl Sim<'_> {
    fn association(&mut self, id: SocketId) -> Option<&mut Sctp> {
        self.sockets.get_mut(id)?.sctp.as_mut()
    }

    fn tag(&mut self) -> u32 {
        self.overlay.opened = self.overlay.opened.wrapping_add(1);
        self.overlay.opened.wrapping_mul(0x85eb_ca6b) | 1
    }

    fn new_association(&mut self, state: State, peer_tag: u32, received_tsn: u32) -> Sctp {
        let own_tag = self.tag();
        Sctp {
            state,
            own_tag,
            peer_tag,
            next_tsn: own_tag,
            received_tsn,
            unacked: VecDeque::new(),
            backlog: Vec::new(),
            received: Vec::new(),
            close_wanted: false,
            retries: 0,
            generation: 0,
        }
    }

    /// `sctp_connect`.
    pub(super) fn sctp_open(&mut self, id: SocketId) {
        let association = self.new_association(State::CookieWait, 0, 0);
        let chunk = SctpChunk::Init {
            tag: association.own_tag,
        };
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.sctp = Some(association);
        }
        self.sctp_reliably(id, chunk, Vec::new(), label_of(chunk));
    }

    /// Writes one message.
    pub(super) fn sctp_send(&mut self, id: SocketId, bytes: Vec<u8>, label: String) {
        let Some((netns, remote)) = self.sockets.get(id).map(|s| (s.netns, s.remote)) else {
            return;
        };
        let Some(stack) = self.stack(netns) else { return };
        let mtu = self.mtu_towards(&stack, remote);
        let Some(association) = self.association(id) else {
            return;
        };
        match association.state {
            State::CookieWait | State::CookieEchoed => association.backlog.push((bytes, label)),
            State::Established => {
                let ip = if remote.is_ipv4() { 20 } else { 40 };
                let room = (mtu.saturating_sub(HEADERS_BYTES + ip).max(4) & !3) as usize;
                let count = bytes.len().div_ceil(room);
                for (number, part) in (1..).zip(bytes.chunks(room)) {
                    if self.too_many() {
                        return;
                    }
                    let Some(association) = self.association(id) else {
                        return;
                    };
                    let chunk = SctpChunk::Data {
                        tsn: association.next_tsn,
                        first: number == 1,
                        last: number == count,
                    };
                    association.next_tsn = association.next_tsn.wrapping_add(1);
                    let label = if count == 1 {
                        label.clone()
                    } else {
                        format!("{label} ({number} of {count})")
                    };
                    self.sctp_reliably(id, chunk, part.to_vec(), label);
                }
            }
            State::ShutdownSent | State::ShutdownAckSent => {}
        }
    }

    /// Closes in order; an association that is not there yet ends at once. True: this is an association.
    pub(super) fn sctp_close(&mut self, id: SocketId) -> bool {
        let Some(association) = self.association(id) else {
            return false;
        };
        match association.state {
            State::CookieWait | State::CookieEchoed => self.sockets.remove(id),
            State::Established if association.unacked.is_empty() => {
                association.state = State::ShutdownSent;
                let tsn = association.received_tsn;
                let chunk = SctpChunk::Shutdown { tsn };
                self.sctp_reliably(id, chunk, Vec::new(), label_of(chunk));
            }
            State::Established => association.close_wanted = true,
            State::ShutdownSent | State::ShutdownAckSent => {}
        }
        true
    }

    /// Ends it with ABORT. True: this is an association.
    pub(super) fn sctp_abort(&mut self, id: SocketId) -> bool {
        if self.association(id).is_none() {
            return false;
        }
        self.sctp_chunk(id, SctpChunk::Abort, Vec::new(), label_of(SctpChunk::Abort));
        self.sockets.remove(id);
        true
    }

    /// Sends a chunk and remembers it until it is answered.
    fn sctp_reliably(&mut self, id: SocketId, chunk: SctpChunk, bytes: Vec<u8>, label: String) {
        let Some(association) = self.association(id) else {
            return;
        };
        association
            .unacked
            .push_back((chunk, bytes.clone(), label.clone()));
        if association.unacked.len() == 1 {
            association.retries = 0;
            self.sctp_arm(id);
        }
        self.sctp_chunk(id, chunk, bytes, label);
    }

    fn sctp_arm(&mut self, id: SocketId) {
        let Some(association) = self.association(id) else {
            return;
        };
        association.generation = association.generation.wrapping_add(1);
        let generation = association.generation;
        let wait = FIRST_TIMEOUT
            .saturating_mul(1 << association.retries.min(8))
            .min(MAX_TIMEOUT);
        self.schedule(
            wait,
            Happening::SocketTimer {
                socket: id,
                generation,
                kind: tcp::Timer::Retransmit,
            },
        );
    }

    /// The timer of an association. True: this is one.
    pub(super) fn sctp_timer(&mut self, id: SocketId, generation: u32) -> bool {
        let Some(association) = self.association(id) else {
            return false;
        };
        let Some((chunk, bytes, label)) = association.unacked.front().cloned() else {
            return true;
        };
        if association.generation != generation {
            return true;
        }
        let opening = matches!(association.state, State::CookieWait | State::CookieEchoed);
        if association.retries >= if opening { INIT_RETRIES } else { DATA_RETRIES } {
            self.fail(id, SocketError::TimedOut);
            return true;
        }
        association.retries += 1;
        let label = format!("{label} again, try {}", association.retries + 1);
        self.sctp_chunk(id, chunk, bytes, label);
        self.sctp_arm(id);
        true
    }

    /// Puts one chunk on its way.
    fn sctp_chunk(&mut self, id: SocketId, chunk: SctpChunk, bytes: Vec<u8>, label: String) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        let Some(association) = &socket.sctp else { return };
        let (local, remote, tag) = (socket.local, socket.remote, association.peer_tag);
        let way = (socket.conversation, socket.opener, socket.last_flight);
        let (netns, process) = (socket.netns, socket.process);
        let process = self.parties.get(process.0 as usize);
        let process = Arc::clone(process.map_or(&self.nothing, |p| &p.name));
        let flight = self.sctp_packet((local, remote, tag), chunk, bytes, |stage| Launch {
            netns,
            conversation: way.0,
            forward: way.1,
            label,
            cause: way.2,
            process,
            from: Some(local),
            to: Some(remote),
            sender: Some(id),
            ct: None,
            stage,
        });
        if let Some(flight) = flight {
            self.sockets.note_flight(id, flight);
        }
    }

    fn sctp_packet(
        &mut self,
        (local, remote, tag): (SocketAddr, SocketAddr, u32),
        chunk: SctpChunk,
        bytes: Vec<u8>,
        launch: impl FnOnce(Stage) -> Launch,
    ) -> Option<u32> {
        let id = u16::try_from((self.flights.len() + 1) & 0xffff).unwrap_or(0);
        let ip = ip_header(local.ip(), remote.ip(), L4Protocol::Sctp, id, true, 0)?;
        let header = Header::Sctp(SctpHeader {
            src: local.port(),
            dst: remote.port(),
            tag,
            chunk,
        });
        let packet = Packet::new(vec![ip, header], Payload::from(bytes));
        Some(self.launch(packet, launch(Stage::LocalOut)))
    }

    /// An answer to a packet that belongs to no association.
    fn sctp_answer(&mut self, about: &Cursor, tag: u32, chunk: SctpChunk) {
        let packet = Arc::clone(&about.skb.packet);
        let (Some(src), Some(dst), Some((sport, dport))) = (packet.src_ip(), packet.dst_ip(), packet.ports())
        else {
            return;
        };
        let (local, remote) = (SocketAddr::new(dst, dport), SocketAddr::new(src, sport));
        let process = Arc::clone(&self.kernel);
        let (netns, conversation, forward, cause) = (
            about.netns,
            about.conversation,
            !about.forward,
            Some(about.flight),
        );
        self.sctp_packet((local, remote, tag), chunk, Vec::new(), |stage| Launch {
            netns,
            conversation,
            forward,
            label: label_of(chunk),
            cause,
            process,
            from: Some(local),
            to: Some(remote),
            sender: None,
            ct: None,
            stage,
        });
    }

    /// `sctp_rcv`.
    pub(super) fn sctp_in(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        local: SocketAddr,
        remote: SocketAddr,
        header: SctpHeader,
    ) {
        let protocol = L4Protocol::Sctp;
        let known = self.sockets.connected(stack.id, protocol, local, remote);
        let found = listener(stack, protocol, local);
        let process = match (known, found) {
            (Some(id), _) => self.process_name(id),
            (None, Some(found)) => Some(Arc::clone(found.program.name())),
            (None, None) => None,
        };
        cursor.step(
            StepKind::Socket {
                protocol,
                local,
                process,
            },
            None,
        );
        match (known, found, header.chunk) {
            (Some(id), ..) => self.chunk_in(cursor, id, header),
            (None, Some(_), SctpChunk::Init { tag }) => {
                // Nothing is kept until the cookie comes back.
                let own = self.tag();
                self.sctp_answer(&cursor, tag, SctpChunk::InitAck { tag: own });
                self.finish(*cursor, LegEnd::Delivered);
            }
            (None, Some(found), SctpChunk::CookieEcho { tag }) => {
                let process = self.server(stack, found);
                let mut association = self.new_association(State::Established, tag, tag.wrapping_sub(1));
                association.own_tag = header.tag;
                association.next_tsn = header.tag;
                let id = self.accept(
                    &cursor,
                    stack.id,
                    process,
                    (protocol, local, remote),
                    None,
                    Some(association),
                );
                self.finish(*cursor, LegEnd::Delivered);
                let chunk = SctpChunk::CookieAck;
                self.sctp_chunk(id, chunk, Vec::new(), label_of(chunk));
                self.tell_connected(id);
            }
            // An ABORT, and the end of a shutdown, are never answered.
            (None, _, SctpChunk::Abort | SctpChunk::ShutdownComplete) => {
                self.drop_packet(cursor, DropCause::SocketIgnored, None);
            }
            (None, ..) => {
                let tag = match header.chunk {
                    SctpChunk::Init { tag } => tag,
                    _ => header.tag,
                };
                self.sctp_answer(&cursor, tag, SctpChunk::Abort);
                self.drop_packet(cursor, DropCause::NoSocket, None);
            }
        }
    }

    /// A chunk of an association that is known.
    fn chunk_in(&mut self, cursor: Box<Cursor>, id: SocketId, header: SctpHeader) {
        self.sockets.note_flight(id, cursor.flight);
        let bytes = Arc::clone(&cursor.skb.packet.payload.0);
        self.finish(*cursor, LegEnd::Delivered);
        let Some(association) = self.association(id) else {
            return;
        };
        let state = association.state;
        match header.chunk {
            SctpChunk::Abort => {
                let opening = matches!(state, State::CookieWait | State::CookieEchoed);
                self.fail(
                    id,
                    if opening {
                        SocketError::Refused
                    } else {
                        SocketError::Reset
                    },
                );
            }
            SctpChunk::InitAck { tag } if state == State::CookieWait => {
                association.peer_tag = tag;
                association.received_tsn = tag.wrapping_sub(1);
                association.state = State::CookieEchoed;
                association.unacked.clear();
                let chunk = SctpChunk::CookieEcho {
                    tag: association.own_tag,
                };
                self.sctp_reliably(id, chunk, Vec::new(), label_of(chunk));
            }
            SctpChunk::CookieEcho { .. } => {
                // The other end did not get the answer.
                let chunk = SctpChunk::CookieAck;
                self.sctp_chunk(id, chunk, Vec::new(), label_of(chunk));
            }
            SctpChunk::CookieAck if state == State::CookieEchoed => {
                association.state = State::Established;
                association.unacked.clear();
                let backlog = std::mem::take(&mut association.backlog);
                self.tell_connected(id);
                for (bytes, label) in backlog {
                    self.sctp_send(id, bytes, label);
                }
            }
            SctpChunk::Data { tsn, last, .. } => {
                let expected = association.received_tsn.wrapping_add(1);
                let mut whole = Vec::new();
                if tsn == expected {
                    association.received_tsn = tsn;
                    association.received.extend_from_slice(&bytes);
                    if last {
                        whole = std::mem::take(&mut association.received);
                    }
                }
                let chunk = SctpChunk::Sack {
                    tsn: association.received_tsn,
                };
                self.sctp_chunk(id, chunk, Vec::new(), label_of(chunk));
                if let (false, Some(peer)) = (whole.is_empty(), self.sockets.get(id).map(|s| s.remote)) {
                    self.tell_data(id, peer, whole);
                }
            }
            SctpChunk::Sack { tsn } => {
                let done = |chunk: &SctpChunk| match chunk {
                    SctpChunk::Data { tsn: sent, .. } => {
                        i32::from_ne_bytes(tsn.wrapping_sub(*sent).to_ne_bytes()) >= 0
                    }
                    _ => false,
                };
                while association.unacked.front().is_some_and(|(c, ..)| done(c)) {
                    association.unacked.pop_front();
                }
                association.retries = 0;
                let (empty, close) = (association.unacked.is_empty(), association.close_wanted);
                if !empty {
                    self.sctp_arm(id);
                } else if close {
                    self.sctp_close(id);
                }
            }
            SctpChunk::Shutdown { .. } if state == State::Established => {
                association.state = State::ShutdownAckSent;
                association.unacked.clear();
                self.tell_closed(id);
                let chunk = SctpChunk::ShutdownAck;
                self.sctp_reliably(id, chunk, Vec::new(), label_of(chunk));
            }
            SctpChunk::ShutdownAck if state == State::ShutdownSent => {
                let chunk = SctpChunk::ShutdownComplete;
                self.sctp_chunk(id, chunk, Vec::new(), label_of(chunk));
                self.sockets.remove(id);
            }
            SctpChunk::ShutdownComplete => self.sockets.remove(id),
            _ => {}
        }
    }
}
