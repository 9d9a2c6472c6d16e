//! Name servers asked as tools ask them, without a C library. BIND's dig, host and nslookup ask one question after the
//! other, a server's tries first; busybox's nslookup asks all at once on one socket. Source: BIND 9.20 bin/dig/dighost.c
//! (recv_done, next_origin); busybox 1.37 networking/nslookup.c (send_queries).

use crate::resolver::{LookUp, Query, Resolved};
use hoplab_kernel::process::{Action, Event, Purpose, SocketError, SocketId};
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Edns, Message, Name, Rcode, RecordType};
use std::net::SocketAddr;
use std::time::Duration;

/// Tokens of conversations and their timers; a client's own stay below.
const TOKEN_BASE: u64 = 1 << 32;

/// What a tool asks, whom and how.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The program, as it shows in the trace.
    pub tool: &'static str,
    /// Whole names, in order.
    pub names: Vec<String>,
    /// Types; more than one only with `all_at_once`.
    pub types: Vec<RecordType>,
    /// In order.
    pub servers: Vec<SocketAddr>,
    /// How often the first server is asked.
    pub tries: u32,
    /// How long a try waits; with `all_at_once` all tries of a server together.
    pub wait: Duration,
    /// Over TCP.
    pub stream: bool,
    /// RD, AD, CD.
    pub flags: [bool; 3],
    /// The OPT record.
    pub edns: Option<Edns>,
    /// A cut answer is taken as it is.
    pub takes_cut: bool,
    /// A SERVFAIL is no answer where another server can be asked.
    pub past_servfail: bool,
    /// Every name and type together, as busybox asks; else a name at a time, the next one after NXDOMAIN.
    pub all_at_once: bool,
}

/// A question of the conversation at hand.
struct Asked {
    id: u16,
    name: usize,
    record: RecordType,
    /// Its place among all questions that were sent; `None`: not sent.
    query: Option<usize>,
    done: bool,
}

/// A tool at work.
pub struct Tool {
    plan: Questions,
    seed: u16,
    sent: u16,
    name: usize,
    server: usize,
    tries_left: u32,
    token: u64,
    socket: Option<SocketId>,
    stream: bool,
    buffer: Vec<u8>,
    asked: Vec<Asked>,
    /// busybox: how often a SERVFAIL is still asked again at once.
    servfails_left: usize,
    now: Micros,
    resolved: Resolved,
    finished: bool,
}

impl Tool {
    /// A tool that asks this.
    pub fn new(plan: Questions, seed: u64) -> Self {
        Self {
            seed: u16::try_from(seed % 65_536).unwrap_or(0),
            sent: 0,
            name: 0,
            server: 0,
            tries_left: plan.tries.max(1),
            token: TOKEN_BASE,
            socket: None,
            stream: plan.stream,
            buffer: Vec::new(),
            asked: Vec::new(),
            servfails_left: 0,
            now: Micros(0),
            resolved: Resolved::default(),
            finished: false,
            plan,
        }
    }

    /// Questions of the name at hand, or of every name, not yet sent.
    fn prepare(&mut self) {
        let names = if self.plan.all_at_once {
            0..self.plan.names.len()
        } else {
            self.name..self.name + 1
        };
        self.asked.clear();
        for record in self.plan.types.clone() {
            for name in names.clone() {
                self.sent = self.sent.wrapping_add(1);
                // Real tools choose ids by chance; here they follow from the run's seed.
                let id = self
                    .seed
                    .wrapping_mul(40_503)
                    .wrapping_add(self.sent.wrapping_mul(10_007));
                self.asked.push(Asked {
                    id,
                    name,
                    record,
                    query: None,
                    done: false,
                });
            }
        }
    }

    /// Opens a socket to the server at hand and sends what is not answered.
    fn open(&mut self, actions: &mut Vec<Action>) {
        let Some(server) = self.plan.servers.get(self.server).copied() else {
            self.finished = true;
            return;
        };
        let Some(first) = self.asked.iter().position(|asked| !asked.done) else {
            self.finished = true;
            return;
        };
        self.token += 1;
        self.socket = None;
        self.buffer.clear();
        let asked = &self.asked[first];
        let name = self
            .plan
            .names
            .get(asked.name)
            .map_or("", |name| name.trim_end_matches('.'));
        let purpose = Purpose::Dns {
            question: format!("{name} {}", asked.record),
        };
        if self.stream {
            actions.push(Action::Connect {
                token: self.token,
                protocol: L4Protocol::Tcp,
                to: server,
                from_port: None,
                purpose,
            });
        } else {
            let Some(bytes) = self.bytes(first) else {
                self.finished = true;
                return;
            };
            actions.push(Action::SendDatagram {
                token: self.token,
                protocol: L4Protocol::Udp,
                to: server,
                from_port: None,
                bytes,
                df: false,
                purpose,
            });
        }
        self.servfails_left = 2 * self.asked.len();
        self.wait(actions);
    }

    fn wait(&self, actions: &mut Vec<Action>) {
        let after = match (self.plan.all_at_once, self.stream) {
            (true, _) => self.plan.wait / self.plan.tries.max(1),
            // Source: dighost.h TCP_TIMEOUT is twice UDP_TIMEOUT.
            (false, true) => self.plan.wait * 2,
            (false, false) => self.plan.wait,
        };
        actions.push(Action::SetTimer {
            token: self.token,
            after,
        });
    }

    /// The bytes of a question, which is noted as sent.
    fn bytes(&mut self, index: usize) -> Option<Vec<u8>> {
        let server = *self.plan.servers.get(self.server)?;
        let asked = self.asked.get_mut(index)?;
        let text = self.plan.names.get(asked.name)?;
        let name = Name::parse(text).ok()?;
        asked.query = Some(self.resolved.queries.len());
        self.resolved.queries.push(Query {
            name: text.trim_end_matches('.').to_owned(),
            record: asked.record,
            server,
            answer: None,
            sent: self.now,
            came: self.now,
            bytes: 0,
            stream: self.stream,
            error: None,
        });
        let mut message = Message::query(asked.id, name, asked.record);
        let [recursion, authentic, checking_disabled] = self.plan.flags;
        message.flags.recursion_desired = recursion;
        message.flags.authentic = authentic;
        message.flags.checking_disabled = checking_disabled;
        message.edns.clone_from(&self.plan.edns);
        let bytes = message.to_bytes();
        if !self.stream {
            return Some(bytes);
        }
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        Some([&length.to_be_bytes()[..], &bytes].concat())
    }

    fn send(&mut self, index: usize, actions: &mut Vec<Action>) {
        if let (Some(socket), Some(bytes)) = (self.socket, self.bytes(index)) {
            actions.push(Action::Send {
                socket,
                bytes,
                label: "query".to_owned(),
                after: Duration::ZERO,
            });
        }
    }

    fn send_rest(&mut self, again: bool, actions: &mut Vec<Action>) {
        for index in 0..self.asked.len() {
            if !self.asked[index].done && (again || self.asked[index].query.is_none()) {
                self.send(index, actions);
            }
        }
    }

    fn said(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut whole = bytes.to_vec();
        if self.stream {
            self.buffer.extend_from_slice(bytes);
            match self
                .buffer
                .first_chunk::<2>()
                .map(|b| usize::from(u16::from_be_bytes(*b)))
            {
                Some(length) if self.buffer.len() >= length + 2 => {
                    whole = self.buffer[2..length + 2].to_vec()
                }
                _ => return,
            }
        }
        let Ok(message) = Message::parse(&whole) else {
            return;
        };
        let Some(index) = self.asked.iter().position(|a| a.id == message.id && !a.done) else {
            return;
        };
        if let Some(query) = self.asked[index]
            .query
            .and_then(|q| self.resolved.queries.get_mut(q))
        {
            query.answer = Some(message.clone());
            query.came = self.now;
            query.bytes = whole.len();
        }
        if let (true, Some(socket)) = (self.stream, self.socket) {
            actions.push(Action::Close {
                socket,
                after: Duration::ZERO,
            });
        }
        let rcode = message.rcode();
        if self.plan.all_at_once {
            if rcode == Rcode::ServFail && self.servfails_left > 0 {
                self.servfails_left -= 1;
                return self.send(index, actions);
            }
            self.asked[index].done = true;
            self.resolved.answer = Some(message);
            self.finished = self.asked.iter().all(|a| a.done);
            return;
        }
        if message.flags.truncated && !self.stream && !self.plan.takes_cut {
            self.stream = true;
            self.asked[index].query = None;
            return self.open(actions);
        }
        if rcode == Rcode::ServFail && self.plan.past_servfail && self.server + 1 < self.plan.servers.len() {
            self.server += 1;
            return self.open(actions);
        }
        self.asked[index].done = true;
        if rcode == Rcode::NxDomain && self.name + 1 < self.plan.names.len() {
            self.resolved.answer = Some(message);
            self.name += 1;
            self.server = 0;
            self.stream = self.plan.stream;
            self.tries_left = self.plan.tries.max(1);
            self.prepare();
            return self.open(actions);
        }
        self.resolved.found = self.plan.names.get(self.name).cloned();
        self.resolved.answer = Some(message);
        self.finished = true;
    }

    /// No answer came in time, or an error instead.
    fn missed(&mut self, error: SocketError, actions: &mut Vec<Action>) {
        let silent = self.asked.iter().filter(|a| !a.done).filter_map(|a| a.query);
        for query in silent {
            if let Some(query) = self.resolved.queries.get_mut(query) {
                query.error = Some(error);
                query.came = self.now;
            }
        }
        if self.plan.all_at_once && error != SocketError::TimedOut {
            // busybox says so and goes on waiting.
            return;
        }
        self.tries_left = self.tries_left.saturating_sub(1);
        if self.tries_left > 0 && self.plan.all_at_once && self.socket.is_some() {
            self.send_rest(true, actions);
            return self.wait(actions);
        }
        if self.tries_left > 0 && !self.stream {
            return self.open(actions);
        }
        self.server += 1;
        if self.plan.all_at_once {
            self.tries_left = self.plan.tries.max(1);
            self.finished = self.asked.iter().any(|a| a.done);
        }
        if !self.finished {
            self.open(actions);
        }
    }
}

impl LookUp for Tool {
    fn result(&mut self) -> Option<Resolved> {
        self.finished.then(|| std::mem::take(&mut self.resolved))
    }

    fn on(&mut self, event: &Event<'_>, actions: &mut Vec<Action>) -> Option<Micros> {
        match event {
            Event::Start { at } => {
                self.now = *at;
                self.prepare();
                self.open(actions);
            }
            Event::Opened { token, socket } if *token == self.token => {
                self.socket = Some(*socket);
                if !self.stream {
                    self.send_rest(false, actions);
                }
            }
            Event::Connected { socket, at, .. } if self.socket == Some(*socket) => {
                self.now = *at;
                self.send_rest(true, actions);
            }
            Event::Data {
                socket, bytes, at, ..
            } if self.socket == Some(*socket) => {
                self.now = *at;
                self.said(bytes, actions);
            }
            Event::Failed { socket, error, at } if self.socket == Some(*socket) => {
                self.now = *at;
                if self.stream && self.asked.iter().all(|a| a.query.is_none()) {
                    // The connection itself failed: noted as a question that never went out.
                    let _ = self
                        .asked
                        .iter()
                        .position(|a| !a.done)
                        .and_then(|i| self.bytes(i));
                }
                self.missed(*error, actions);
            }
            Event::Closed { socket, at } if self.socket == Some(*socket) => {
                self.now = *at;
                self.missed(SocketError::Reset, actions);
            }
            Event::Timer { token, at } if *token == self.token && !self.finished => {
                self.now = *at;
                self.missed(SocketError::TimedOut, actions);
            }
            _ => {}
        }
        self.finished.then_some(self.now)
    }
}
