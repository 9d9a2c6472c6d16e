//! Processes of a run: what happens to them, and what they do.

use super::{ConversationInfo, ConversationKind, Happening, ProcessId, Sim, socket::Socket};
use crate::NetNsId;
use crate::process::{Action, Event, Process, Purpose, SocketError, SocketId};
use hoplab_trace::{Name, Step, StepKind};
use hoplab_wire::L4Protocol;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A process that runs.
pub(super) struct Party {
    pub(super) netns: NetNsId,
    pub(super) name: Name,
    /// `None` while it is being told something.
    process: Option<Box<dyn Process>>,
    finished: bool,
}

/// Something that happened to a process, not yet told.
pub(super) struct Letter {
    to: ProcessId,
    /// What it is busy with when it reads this.
    conversation: Option<u32>,
    news: News,
}

enum News {
    Start,
    Timer {
        token: u64,
    },
    Opened {
        token: u64,
        socket: SocketId,
    },
    Connected {
        socket: SocketId,
        local: SocketAddr,
        peer: SocketAddr,
    },
    Data {
        socket: SocketId,
        local: SocketAddr,
        peer: SocketAddr,
        bytes: Vec<u8>,
    },
    Closed {
        socket: SocketId,
    },
    Failed {
        socket: SocketId,
        error: SocketError,
    },
}

impl Letter {
    pub(super) fn start(to: ProcessId) -> Self {
        Self {
            to,
            conversation: None,
            news: News::Start,
        }
    }

    pub(super) fn timer(to: ProcessId, token: u64) -> Self {
        Self {
            to,
            conversation: None,
            news: News::Timer { token },
        }
    }

    fn about(socket: &Socket, news: News) -> Self {
        Self {
            to: socket.process,
            conversation: Some(socket.conversation),
            news,
        }
    }
}

impl Sim<'_> {
    pub(super) fn add_party(
        &mut self,
        netns: NetNsId,
        name: Name,
        process: Box<dyn Process>,
        program: Option<usize>,
    ) -> ProcessId {
        let id = ProcessId(u32::try_from(self.parties.len()).unwrap_or(u32::MAX));
        self.parties.push(Party {
            netns,
            name,
            process: Some(process),
            finished: false,
        });
        if let Some(program) = program {
            self.sockets.running.insert((netns, program), id);
        }
        id
    }

    /// Notes what processes remember once the run is over.
    pub(super) fn remember(&mut self) {
        for party in &self.parties {
            let Some(process) = &party.process else { continue };
            let before = self.overlay.stack(party.netns);
            let before = before.and_then(|state| state.remembered.get(&party.name));
            if let Some(remembered) = process.remembers(before, self.now) {
                let state = self.overlay.stack_mut(party.netns);
                state.remembered.insert(Arc::clone(&party.name), remembered);
            }
        }
    }

    pub(super) fn process_name(&self, socket: SocketId) -> Option<Name> {
        let socket = self.sockets.get(socket).filter(|s| !s.gone)?;
        self.parties
            .get(socket.process.0 as usize)
            .map(|p| Arc::clone(&p.name))
    }

    /// Tells processes what happened until nothing is left to tell, then sends the acknowledgements still due.
    pub(super) fn deliver_letters(&mut self) {
        while let Some(letter) = self.inbox.pop_front() {
            self.stages += 1;
            if self.stages > self.limits.max_steps {
                self.exhausted = Some(super::RunEnd::StepLimit);
                return;
            }
            self.deliver(&letter);
        }
        self.send_due_acks();
    }

    fn deliver(&mut self, letter: &Letter) {
        let at = self.now;
        let Some(party) = self.parties.get_mut(letter.to.0 as usize).filter(|p| !p.finished) else {
            return;
        };
        let Some(mut process) = party.process.take() else {
            return;
        };
        let event = match &letter.news {
            News::Start => Event::Start { at },
            News::Timer { token } => Event::Timer { token: *token, at },
            News::Opened { token, socket } => Event::Opened {
                token: *token,
                socket: *socket,
            },
            News::Connected { socket, local, peer } => Event::Connected {
                socket: *socket,
                local: *local,
                peer: *peer,
                at,
            },
            News::Data {
                socket,
                local,
                peer,
                bytes,
            } => Event::Data {
                socket: *socket,
                local: *local,
                peer: *peer,
                bytes,
                at,
            },
            News::Closed { socket } => Event::Closed { socket: *socket, at },
            News::Failed { socket, error } => Event::Failed {
                socket: *socket,
                error: *error,
                at,
            },
        };
        let mut actions = Vec::new();
        process.on(event, &mut actions);
        if let Some(party) = self.parties.get_mut(letter.to.0 as usize) {
            party.process = Some(process);
        }
        for action in actions {
            self.act(letter.to, action, letter.conversation);
        }
    }

    /// Does what a process wants done; what shall wait is queued.
    pub(super) fn act(&mut self, process: ProcessId, mut action: Action, conversation: Option<u32>) {
        if self.parties.get(process.0 as usize).is_none_or(|p| p.finished) {
            return;
        }
        let wait = match &mut action {
            Action::Send { after, .. } | Action::Close { after, .. } => std::mem::take(after),
            _ => Duration::ZERO,
        };
        if !wait.is_zero() {
            self.schedule(
                wait,
                Happening::Act {
                    process,
                    action,
                    conversation,
                },
            );
            return;
        }
        match action {
            Action::Connect {
                token,
                protocol,
                to,
                from_port,
                purpose,
            } => {
                self.connect(process, token, protocol, to, from_port, purpose, conversation);
            }
            Action::SendDatagram {
                token,
                protocol,
                to,
                from_port,
                bytes,
                df,
                purpose,
            } => {
                let opened = self.open_socket(process, token, protocol, to, from_port, purpose, conversation);
                if let Some(socket) = opened {
                    self.send_datagram(socket, bytes, df, None);
                }
            }
            Action::Send {
                socket, bytes, label, ..
            } => {
                if self.owns(process, socket) {
                    self.send(socket, bytes, label);
                }
            }
            Action::Close { socket, .. } => {
                if self.owns(process, socket) {
                    self.close(socket);
                }
            }
            Action::Abort { socket } => {
                if self.owns(process, socket) {
                    self.abort(socket);
                }
            }
            Action::SetTimer { token, after } => {
                self.schedule(after, Happening::ProcessTimer { process, token })
            }
            Action::Note { socket, what } => self.note(process, socket, &what),
            Action::NotModelled { what, why } => self.unknown(what, why),
            Action::Finish => self.finish_process(process),
        }
    }

    fn owns(&self, process: ProcessId, socket: SocketId) -> bool {
        self.sockets.get(socket).is_some_and(|s| s.process == process)
    }

    fn send(&mut self, socket: SocketId, bytes: Vec<u8>, label: String) {
        match self.sockets.get(socket).map(|s| s.protocol) {
            Some(L4Protocol::Tcp) => self.tcp_send(socket, bytes, label),
            Some(L4Protocol::Sctp) => self.sctp_send(socket, bytes, label),
            Some(_) => self.send_datagram(socket, bytes, false, Some(label)),
            None => {}
        }
    }

    /// The exit of a process closes its sockets.
    fn finish_process(&mut self, process: ProcessId) {
        let own: Vec<SocketId> = self.sockets.of(process).collect();
        for socket in own {
            self.close(socket);
        }
        if let Some(party) = self.parties.get_mut(process.0 as usize) {
            party.finished = true;
        }
        if process == ProcessId(0) {
            self.finished_at.get_or_insert(self.now);
        }
    }

    /// A note beside the last leg that reached or left the socket.
    fn note(&mut self, process: ProcessId, socket: SocketId, what: &str) {
        let flight = self.sockets.get(socket).and_then(|s| s.last_flight);
        let (Some(party), Some(flight)) = (self.parties.get(process.0 as usize), flight) else {
            return;
        };
        let kind = StepKind::Process {
            process: Arc::clone(&party.name),
            what: Name::from(what),
        };
        let netns = party.netns;
        let at = self.now;
        if let Some(Some(flight)) = self.flights.get_mut(flight as usize)
            && let Some((_, last)) = flight.steps.last()
        {
            let packet = Arc::clone(&last.packet);
            flight.steps.push((
                netns,
                Step {
                    at,
                    kind,
                    packet,
                    origin: None,
                },
            ));
        }
    }

    pub(super) fn tell(&mut self, socket: SocketId, error: SocketError) {
        let now = self.now;
        let Some(found) = self.sockets.get(socket).filter(|s| !s.gone) else {
            return;
        };
        self.inbox
            .push_back(Letter::about(found, News::Failed { socket, error }));
        if found.opener
            && let Some(info) = self.conversations.get_mut(found.conversation as usize)
        {
            info.error.get_or_insert((error, now));
        }
    }

    pub(super) fn tell_opened(&mut self, socket: SocketId, token: u64) {
        if let Some(found) = self.sockets.get(socket) {
            self.inbox
                .push_back(Letter::about(found, News::Opened { token, socket }));
        }
    }

    pub(super) fn tell_connected(&mut self, socket: SocketId) {
        let now = self.now;
        let Some(found) = self.sockets.get(socket) else {
            return;
        };
        // cil_sock4_getpeername: the process sees what it asked for.
        let peer = found.lb.as_ref().map_or(found.remote, |lb| lb.asked);
        let local = found.local;
        self.inbox
            .push_back(Letter::about(found, News::Connected { socket, local, peer }));
        if found.opener
            && let Some(info) = self.conversations.get_mut(found.conversation as usize)
        {
            info.answered_at.get_or_insert(now);
        }
    }

    pub(super) fn tell_data(&mut self, socket: SocketId, peer: SocketAddr, bytes: Vec<u8>) {
        let now = self.now;
        let Some(found) = self.sockets.get(socket) else {
            return;
        };
        // cil_sock4_recvmsg.
        let peer = found.lb.as_ref().map_or(peer, |lb| lb.asked);
        let local = found.local;
        self.inbox.push_back(Letter::about(
            found,
            News::Data {
                socket,
                local,
                peer,
                bytes,
            },
        ));
        if found.opener
            && let Some(info) = self.conversations.get_mut(found.conversation as usize)
        {
            info.answered_at.get_or_insert(now);
        }
    }

    pub(super) fn tell_closed(&mut self, socket: SocketId) {
        if let Some(found) = self.sockets.get(socket) {
            self.inbox
                .push_back(Letter::about(found, News::Closed { socket }));
        }
    }

    pub(super) fn open_flow(
        &mut self,
        process: ProcessId,
        protocol: L4Protocol,
        to: SocketAddr,
        purpose: Purpose,
        parent: Option<u32>,
    ) -> Option<u32> {
        let party = self.parties.get(process.0 as usize)?;
        let id = u32::try_from(self.conversations.len()).ok()?;
        self.conversations.push(ConversationInfo {
            id,
            kind: ConversationKind::Flow(purpose),
            protocol: Some(protocol),
            opener: party.netns,
            opener_process: Arc::clone(&party.name),
            opened_at: self.now,
            local: None,
            to: Some(to),
            acceptor: None,
            sockets: Vec::new(),
            answered_at: None,
            error: None,
            parent,
            cause: None,
        });
        Some(id)
    }
}
