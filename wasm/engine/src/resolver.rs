//! A stub resolver inside a process: `/etc/hosts` first, then the search list; for each name A and AAAA in parallel
//! from one socket, as getaddrinfo does. Source: resolv.conf(5); glibc 2.41 resolv/res_query.c, resolv/res_send.c (one
//! socket a server and name, both questions on it); musl 1.2.5 src/network/lookup_name.c, res_msend.c (every server at
//! once).
//!
//! Differs: musl asks all servers from one socket; here each server has a socket of its own.

use crate::preferred;
use hoplab_dataplane::dns::resolv::{Libc, ResolvConf};
use hoplab_kernel::NetNs;
use hoplab_kernel::process::{Action, Event, Purpose, SocketError, SocketId};
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Edns, Message, Name, Rcode, RecordData, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Tokens of look-ups' sockets and timers; the client's own stay below.
const TOKEN_BASE: u64 = 1 << 32;

/// One question that went over the wire, and what came of it.
#[derive(Clone, Debug)]
pub struct Query {
    /// `web.shop.svc.cluster.local`.
    pub name: String,
    /// `A`.
    pub record: RecordType,
    /// Who was asked.
    pub server: SocketAddr,
    /// The answer; `None`: none came.
    pub answer: Option<Message>,
    /// When it was sent.
    pub sent: Micros,
    /// When the answer, or the error, came.
    pub came: Micros,
    /// Size of the answer, in bytes.
    pub bytes: usize,
    /// Over TCP.
    pub stream: bool,
    /// What came instead of an answer.
    pub error: Option<SocketError>,
}

/// Who looks something up before it goes on: a C library, or a tool by itself.
pub(crate) trait LookUp {
    /// The result, once there is one.
    fn result(&mut self) -> Option<Resolved>;
    /// Something happened to the process; `Some(now)` once the look-up is over.
    fn on(&mut self, event: &Event<'_>, actions: &mut Vec<Action>) -> Option<Micros>;
}

/// What a look-up gave.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The address to use.
    pub address: Option<IpAddr>,
    /// The name that was found.
    pub found: Option<String>,
    /// Every question, in order.
    pub queries: Vec<Query>,
    /// The last answer that decided.
    pub answer: Option<Message>,
    /// `/etc/hosts` answered.
    pub from_hosts: bool,
}

/// A question on its way.
struct Outstanding {
    id: u16,
    record: RecordType,
    /// Its place among all questions; `None` until it is sent.
    query: Option<usize>,
    done: bool,
    /// Answered in full; else the server's refusal to.
    usable: bool,
    /// How often musl asks again at once after a SERVFAIL.
    retries_left: u8,
}

/// A conversation with one server: its questions share a socket.
struct Talk {
    token: u64,
    server: SocketAddr,
    socket: Option<SocketId>,
    /// Over TCP: bytes that are no whole message yet.
    stream: Option<Vec<u8>>,
    outstanding: Vec<Outstanding>,
}

/// A look-up in progress.
pub struct Resolver {
    conf: ResolvConf,
    candidates: Vec<String>,
    types: Vec<RecordType>,
    candidate: usize,
    /// glibc: how many servers of this round were tried.
    server: usize,
    attempt: u32,
    /// Token of the last conversation.
    token: u64,
    /// Token of the timer that counts: that of the round's first conversation.
    round: u64,
    talks: Vec<Talk>,
    resolved: Resolved,
    hosts: Option<IpAddr>,
    hosts_last: bool,
    finished: bool,
    any_record: bool,
    /// The stack that is going to speak: what it can reach decides which address comes first.
    speaks: Option<Arc<NetNs>>,
    seed: u16,
    sent: u16,
    now: Micros,
}

impl Resolver {
    /// A look-up of addresses of `name` of some types by the settings of `conf`, whose candidates `names` gives in order.
    /// `hosts`: what `/etc/hosts` says.
    pub fn addresses_of(conf: ResolvConf, name: &str, types: Vec<RecordType>, hosts: Option<IpAddr>) -> Self {
        Self::new(conf, name, types, hosts, false)
    }

    /// A look-up of one record type, as `dig +search` does: the answer counts, not an address.
    pub fn records(conf: ResolvConf, name: &str, record: RecordType) -> Self {
        Self::new(conf, name, vec![record], None, true)
    }

    fn new(
        conf: ResolvConf,
        name: &str,
        types: Vec<RecordType>,
        hosts: Option<IpAddr>,
        any_record: bool,
    ) -> Self {
        let candidates = conf.candidates(name);
        Self {
            conf,
            candidates,
            types,
            candidate: 0,
            server: 0,
            attempt: 0,
            token: TOKEN_BASE,
            round: TOKEN_BASE,
            talks: Vec::new(),
            resolved: Resolved::default(),
            hosts,
            hosts_last: false,
            finished: false,
            any_record,
            speaks: None,
            seed: 0,
            sent: 0,
            now: Micros(0),
        }
    }

    /// The same, with other query ids.
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = u16::try_from(seed % 65_536).unwrap_or(0);
        self
    }

    /// The same, with /etc/hosts only where name servers have no answer.
    pub fn hosts_last(mut self, last: bool) -> Self {
        self.hosts_last = last;
        self
    }

    /// The same, for a socket of a stack.
    pub fn for_stack(mut self, stack: &Arc<NetNs>) -> Self {
        self.speaks = Some(Arc::clone(stack));
        self
    }

    /// Sends the questions of this candidate: glibc to one server, musl to all of them at once.
    fn ask(&mut self, actions: &mut Vec<Action>) {
        self.talks.clear();
        if self.candidate >= self.candidates.len() || self.conf.nameservers.is_empty() {
            self.finished = true;
            return;
        }
        let servers: Vec<usize> = match self.conf.libc {
            Libc::Musl => (0..self.conf.nameservers.len()).collect(),
            Libc::Glibc => vec![self.server],
        };
        // One wait covers the whole round.
        self.round = self.token + 1;
        let count = self.conf.nameservers.len();
        let first = if self.conf.rotate {
            usize::from(self.seed) % count
        } else {
            0
        };
        for server in servers {
            let address = self.conf.nameservers[(first + server) % count];
            let server = SocketAddr::new(address, self.conf.port);
            self.open(server, self.types.clone(), self.conf.use_vc, actions);
        }
        actions.push(Action::SetTimer {
            token: self.round,
            after: Duration::from_micros(self.conf.wait_micros(self.server)),
        });
    }

    /// Begins a conversation about some types with a server.
    fn open(&mut self, server: SocketAddr, types: Vec<RecordType>, stream: bool, actions: &mut Vec<Action>) {
        self.token += 1;
        let name = self.candidates[self.candidate].clone();
        let shown: Vec<String> = types.iter().map(ToString::to_string).collect();
        let purpose = Purpose::Dns {
            question: format!("{} {}", name.trim_end_matches('.'), shown.join(" and ")),
        };
        let outstanding: Vec<Outstanding> = types
            .into_iter()
            .map(|record| {
                self.sent = self.sent.wrapping_add(1);
                Outstanding {
                    // Real resolvers choose ids by chance; here they follow from the run's seed.
                    id: self
                        .seed
                        .wrapping_mul(40_503)
                        .wrapping_add(self.sent.wrapping_mul(10_007)),
                    record,
                    query: None,
                    done: false,
                    usable: false,
                    retries_left: 2,
                }
            })
            .collect();
        self.talks.push(Talk {
            token: self.token,
            server,
            socket: None,
            stream: stream.then(Vec::new),
            outstanding,
        });
        let index = self.talks.len() - 1;
        if stream {
            actions.push(Action::Connect {
                token: self.token,
                protocol: L4Protocol::Tcp,
                to: server,
                from_port: None,
                purpose,
            });
            return;
        }
        match self.message(index, 0) {
            Some(bytes) => actions.push(Action::SendDatagram {
                token: self.token,
                protocol: L4Protocol::Udp,
                to: server,
                from_port: None,
                bytes,
                df: false,
                purpose,
            }),
            None => self.finished = true,
        }
    }

    /// The bytes of a question, which is noted as sent.
    fn message(&mut self, talk: usize, question: usize) -> Option<Vec<u8>> {
        let name = &self.candidates[self.candidate];
        let wire_name = Name::parse(name).ok()?;
        let talk = &mut self.talks[talk];
        let asked = talk.outstanding.get_mut(question)?;
        if asked.query.is_none() {
            asked.query = Some(self.resolved.queries.len());
            self.resolved.queries.push(Query {
                name: name.clone(),
                record: asked.record,
                server: talk.server,
                answer: None,
                sent: self.now,
                came: self.now,
                bytes: 0,
                stream: talk.stream.is_some(),
                error: None,
            });
        }
        let mut message = Message::query(asked.id, wire_name, asked.record);
        if self.conf.edns0 {
            // Source: glibc resolv/resolv-internal.h RESOLV_EDNS_BUFFER_SIZE.
            message.edns = Some(Edns {
                udp_payload_bytes: 1200,
                extended_rcode: 0,
                version: 0,
                dnssec_ok: false,
                options: Vec::new(),
            });
        }
        let bytes = message.to_bytes();
        Some(match &talk.stream {
            Some(_) => [
                &u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()[..],
                &bytes,
            ]
            .concat(),
            None => bytes,
        })
    }

    /// Sends what of a conversation is still unsent; with `single-request` one after the other.
    fn send_next(&mut self, talk: usize, actions: &mut Vec<Action>) {
        for question in 0..self.talks[talk].outstanding.len() {
            let waits = self.talks[talk].outstanding[..question].iter().any(|o| !o.done);
            let unsent = self.talks[talk].outstanding[question].query.is_none();
            if unsent && !(waits && self.conf.single_request) {
                self.resend(talk, question, actions);
            }
        }
    }

    fn resend(&mut self, talk: usize, question: usize, actions: &mut Vec<Action>) {
        if let (Some(socket), Some(bytes)) = (self.talks[talk].socket, self.message(talk, question)) {
            actions.push(Action::Send {
                socket,
                bytes,
                label: "query".to_owned(),
                after: Duration::ZERO,
            });
        }
    }

    /// An error came instead of answers.
    fn failed(&mut self, talk: usize, error: SocketError) {
        for asked in self.talks[talk].outstanding.iter().filter(|o| !o.done) {
            if let Some(query) = asked.query.and_then(|q| self.resolved.queries.get_mut(q)) {
                query.error = Some(error);
                query.came = self.now;
            }
        }
    }

    /// Bytes came from a server.
    fn said(&mut self, talk: usize, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut whole = vec![bytes.to_vec()];
        if let Some(buffer) = &mut self.talks[talk].stream {
            whole.clear();
            buffer.extend_from_slice(bytes);
            while let Some(length) = buffer
                .first_chunk::<2>()
                .map(|b| usize::from(u16::from_be_bytes(*b)))
                && buffer.len() >= length + 2
            {
                whole.push(buffer[2..length + 2].to_vec());
                buffer.drain(..length + 2);
            }
        }
        for (message, bytes) in whole
            .iter()
            .filter_map(|b| Some((Message::parse(b).ok()?, b.len())))
        {
            let asked = &self.talks[talk].outstanding;
            let Some(index) = asked.iter().position(|o| o.id == message.id && !o.done) else {
                continue;
            };
            let usable = matches!(message.rcode(), Rcode::NoError | Rcode::NxDomain);
            let record = asked[index].record;
            if message.flags.truncated && self.talks[talk].stream.is_none() {
                // Too much for a datagram: again over TCP, glibc with every question, musl (since 1.2.4) with this one.
                let server = self.talks[talk].server;
                let types = match self.conf.libc {
                    Libc::Glibc => self.types.clone(),
                    Libc::Musl => vec![record],
                };
                for other in self.talks[talk]
                    .outstanding
                    .iter_mut()
                    .filter(|o| types.contains(&o.record))
                {
                    other.done = true;
                    other.usable = false;
                }
                self.open(server, types, true, actions);
                continue;
            }
            let asked = &mut self.talks[talk].outstanding[index];
            if !usable && self.conf.libc == Libc::Musl {
                // Source: musl res_msend.c: SERVFAIL is asked again at once, anything else is passed over.
                if message.rcode() == Rcode::ServFail && asked.retries_left > 0 {
                    asked.retries_left -= 1;
                    self.resend(talk, index, actions);
                }
                continue;
            }
            asked.done = true;
            asked.usable = usable;
            if let Some(query) = asked.query {
                let query = &mut self.resolved.queries[query];
                query.answer = Some(message);
                query.came = self.now;
                query.bytes = bytes;
            }
            self.send_next(talk, actions);
        }
        let finished_stream =
            self.talks[talk].stream.is_some() && self.talks[talk].outstanding.iter().all(|o| o.done);
        if let (true, Some(socket)) = (finished_stream, self.talks[talk].socket) {
            actions.push(Action::Close {
                socket,
                after: Duration::ZERO,
            });
        }
        self.settle(actions);
    }

    /// Whether every type of this candidate is answered, and what follows from it.
    fn settle(&mut self, actions: &mut Vec<Action>) {
        let all = || self.talks.iter().flat_map(|talk| &talk.outstanding);
        let answered = self
            .types
            .iter()
            .all(|record| all().any(|o| o.record == *record && o.usable));
        if answered || all().all(|o| o.done) {
            self.judge(actions);
        }
    }

    /// The questions of this candidate are answered (or failed): is it found?
    fn judge(&mut self, actions: &mut Vec<Action>) {
        // Of each type the first answer that can be used, else any.
        let mut answers: Vec<Message> = Vec::new();
        for record in &self.types {
            let of_type = || {
                self.talks
                    .iter()
                    .flat_map(|t| &t.outstanding)
                    .filter(|o| o.record == *record)
            };
            let best = of_type()
                .find(|o| o.usable)
                .or_else(|| of_type().find(|o| o.done));
            let query = best
                .and_then(|o| o.query)
                .and_then(|q| self.resolved.queries.get(q));
            answers.extend(query.and_then(|q| q.answer.clone()));
        }
        let servfail = |m: &Message| !matches!(m.rcode(), Rcode::NoError | Rcode::NxDomain);
        if answers.is_empty() || answers.iter().any(servfail) {
            self.resolved.answer = answers.into_iter().next().or(self.resolved.answer.take());
            return self.next_server(actions);
        }
        let mut addresses: Vec<IpAddr> = answers.iter().flat_map(addresses).collect();
        if let Some(speaks) = &self.speaks {
            preferred::prefer(self.conf.libc, &mut addresses, speaks);
        }
        let address = addresses.first().copied();
        let found = if self.any_record {
            answers
                .iter()
                .any(|m| m.rcode() == Rcode::NoError && !m.answers.is_empty())
        } else {
            address.is_some()
        };
        let no_data = answers.iter().any(|m| m.rcode() == Rcode::NoError);
        let better = answers
            .iter()
            .find(|m| !m.answers.is_empty())
            .or(answers.first())
            .cloned();
        if found
            || self.resolved.answer.is_none()
            || better.as_ref().is_some_and(|m| m.rcode() == Rcode::NoError)
        {
            self.resolved.answer = better;
        }
        if found {
            self.resolved.address = address;
            self.resolved.found = self.candidates.get(self.candidate).cloned();
            self.finished = true;
            return;
        }
        // musl: a name that exists without such a record ends the search. Source: lookup_name.c name_from_dns.
        if no_data && self.conf.libc == Libc::Musl {
            self.finished = true;
            return;
        }
        self.next_candidate(actions);
    }

    fn next_candidate(&mut self, actions: &mut Vec<Action>) {
        self.candidate += 1;
        self.server = 0;
        self.attempt = 0;
        self.ask(actions);
    }

    /// The next server of the list; after the last one the next attempt.
    fn next_server(&mut self, actions: &mut Vec<Action>) {
        self.server += 1;
        if self.conf.libc == Libc::Musl || self.server >= self.conf.nameservers.len() {
            self.server = 0;
            self.attempt += 1;
        }
        if self.attempt < self.conf.attempts {
            return self.ask(actions);
        }
        // glibc goes on with the search list after a SERVFAIL, and ends after silence; musl ends after both.
        // Source: glibc resolv/res_query.c __res_context_search; musl lookup_name.c.
        let said = self.talks.iter().flat_map(|t| &t.outstanding).any(|o| {
            o.query
                .and_then(|q| self.resolved.queries.get(q))
                .is_some_and(|q| q.answer.is_some())
        });
        if said && self.conf.libc == Libc::Glibc && self.candidate + 1 < self.candidates.len() {
            self.next_candidate(actions);
        } else {
            self.finished = true;
        }
    }
}

impl LookUp for Resolver {
    fn result(&mut self) -> Option<Resolved> {
        if !self.finished {
            return None;
        }
        let mut resolved = std::mem::take(&mut self.resolved);
        if let (None, Some(address)) = (resolved.address, self.hosts) {
            resolved.address = Some(address);
            resolved.from_hosts = true;
        }
        Some(resolved)
    }

    fn on(&mut self, event: &Event<'_>, actions: &mut Vec<Action>) -> Option<Micros> {
        let of = |socket: SocketId| move |talk: &Talk| talk.socket == Some(socket);
        if let Event::Start { at }
        | Event::Connected { at, .. }
        | Event::Data { at, .. }
        | Event::Failed { at, .. }
        | Event::Timer { at, .. } = event
        {
            self.now = *at;
        }
        let at = match event {
            Event::Start { at } => {
                if let Some(address) = self.hosts.filter(|_| !self.hosts_last) {
                    self.resolved.address = Some(address);
                    self.resolved.from_hosts = true;
                    self.finished = true;
                    return Some(*at);
                }
                self.ask(actions);
                *at
            }
            Event::Opened { token, socket } => {
                let index = self.talks.iter().position(|talk| talk.token == *token)?;
                self.talks[index].socket = Some(*socket);
                if self.talks[index].stream.is_none() {
                    self.send_next(index, actions);
                }
                return None;
            }
            Event::Connected { socket, .. } => {
                let index = self.talks.iter().position(of(*socket))?;
                self.send_next(index, actions);
                return None;
            }
            Event::Data {
                socket, bytes, at, ..
            } => {
                let index = self.talks.iter().position(of(*socket))?;
                self.said(index, bytes, actions);
                *at
            }
            Event::Failed { socket, at, .. } | Event::Closed { socket, at } => {
                let index = self.talks.iter().position(of(*socket))?;
                if let Event::Failed { error, .. } = event {
                    self.failed(index, *error);
                }
                self.talks[index].socket = None;
                self.talks[index]
                    .outstanding
                    .iter_mut()
                    .for_each(|o| o.done = true);
                self.settle(actions);
                *at
            }
            Event::Timer { token, at } if *token == self.round => {
                if !self.finished {
                    self.next_server(actions);
                }
                *at
            }
            _ => return None,
        };
        self.finished.then_some(at)
    }
}

/// Addresses of an answer section.
fn addresses(message: &Message) -> Vec<IpAddr> {
    message
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RecordData::A(address) => Some(IpAddr::V4(*address)),
            RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
            _ => None,
        })
        .collect()
}
