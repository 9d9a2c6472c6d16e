//! CoreDNS running on one port: messages in over UDP and TCP, through the chain, to upstreams with packets of its own.

use super::cache;
use super::chain::{self, Ask, Context, Exchanges, Served, edns_of, question};
use super::forward::{DEADLINE, Policy, READ_TIMEOUT};
use super::log::DURATION;
use super::memory::{self, Memory};
use super::setup::Compiled;
use crate::dns::wire::{self, ANSWER_AFTER, whole_messages};
use hoplab_kernel::process::{Action, Event, Process, Program, Purpose, Remembered, SocketError, SocketId};
use hoplab_source::collections::IndexMap;
use hoplab_source::decimal;
use hoplab_trace::{Micros, Name as SharedName};
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Message, Name, Rcode, RecordType};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Tokens of one question's attempts: its own number times this, and the attempt.
const ATTEMPTS: u64 = 1000;
/// How long passes before upstreams that refuse at once are asked again. Differs: CoreDNS asks again without a pause.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a health check waits. Source: plugin/pkg/proxy/health.go (1 s).
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// CoreDNS on one port.
#[derive(Clone)]
pub(super) struct CoreDns {
    name: SharedName,
    compiled: Arc<Compiled>,
    pub port: u16,
    pub stream: bool,
}

impl CoreDns {
    /// These server blocks on this port.
    pub fn new(compiled: Arc<Compiled>, port: u16, protocol: L4Protocol) -> Self {
        Self {
            name: "coredns".into(),
            compiled,
            port,
            stream: protocol == L4Protocol::Tcp,
        }
    }

    /// The same program under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    fn running(&self, caches: cache::Store) -> Running {
        Running {
            server: self.clone(),
            streams: IndexMap::new(),
            pending: IndexMap::new(),
            checks: IndexMap::new(),
            last: 0,
            turn: 0,
            caches,
            counted: Vec::new(),
            log: Vec::new(),
        }
    }
}

impl Program for CoreDns {
    fn name(&self) -> &SharedName {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(self.running(cache::Store::new()))
    }

    fn resume(&self, remembered: &Remembered) -> Box<dyn Process> {
        let memory = remembered.downcast_ref::<Memory>();
        // A new Corefile brings new plug-ins, with empty caches.
        let same = memory.filter(|memory| memory.corefile == self.compiled.digest);
        Box::new(self.running(same.map_or_else(cache::Store::new, |memory| memory.caches.clone())))
    }
}

/// A question under way.
#[derive(Clone)]
struct Pending {
    /// `None`: the cache's own.
    client: Option<SocketId>,
    query: Message,
    remote: SocketAddr,
    local: SocketAddr,
    size: usize,
    began: Micros,
    exchanges: Exchanges,
    asking: Option<Asking>,
    attempt: u64,
}

/// A question to an upstream under way.
#[derive(Clone)]
struct Asking {
    ask: Ask,
    id: u16,
    order: Vec<SocketAddr>,
    /// Which of them is next, and how many were skipped as down in this round.
    next: usize,
    to: SocketAddr,
    began: Micros,
    stream: bool,
    socket: Option<SocketId>,
    buffer: Vec<u8>,
    error: String,
    /// Every upstream counts as down: this attempt is the last.
    hopeless: bool,
    /// When this attempt began, and whether the next round is waited for.
    sent: Micros,
    pausing: bool,
}

/// Health checks of an upstream that has failed.
struct Check {
    fails: u32,
    interval: Duration,
    socket: Option<SocketId>,
    /// Whether a probe waits for its answer; else the next one is awaited.
    waiting: bool,
    up: bool,
    /// When its timer counts; one that comes earlier was set for what is over.
    due: Micros,
}

struct Running {
    server: CoreDns,
    /// Bytes of TCP connections that are no whole message yet.
    streams: IndexMap<SocketId, Vec<u8>>,
    pending: IndexMap<u64, Pending>,
    checks: IndexMap<SocketAddr, Check>,
    last: u64,
    /// For `policy round_robin`.
    turn: usize,
    caches: cache::Store,
    /// Counters that went up by one.
    counted: Vec<String>,
    /// Lines that were printed.
    log: Vec<String>,
}

impl Process for Running {
    fn remembers(&self, before: Option<&Remembered>, now: Micros) -> Option<Remembered> {
        if self.last == 0 {
            return None;
        }
        let before = before.and_then(|before| before.downcast_ref::<Memory>());
        let digest = self.server.compiled.digest;
        Some(Arc::new(Memory::after(
            before,
            digest,
            &self.caches,
            &self.counted,
            &self.log,
            now,
        )))
    }

    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Opened { token, socket } => {
                if token < ATTEMPTS {
                    if let Some((_, check)) = self.check_of(token) {
                        check.socket = Some(socket);
                    }
                } else if let Some(asking) = self.asking(token) {
                    asking.socket = Some(socket);
                }
            }
            Event::Connected { socket, .. } => {
                if let Some(token) = self.waiting_on(socket)
                    && let Some(pending) = self.pending.get(&token)
                    && let Some(asking) = &pending.asking
                {
                    actions.push(Action::Send {
                        socket,
                        bytes: wire::framed(&upstream_query(asking, &pending.query).to_bytes()),
                        label: "query".to_owned(),
                        after: Duration::ZERO,
                    });
                }
            }
            Event::Data {
                socket,
                local,
                peer,
                bytes,
                at,
            } => {
                if let Some(token) = self.waiting_on(socket) {
                    self.upstream_said(token, bytes, at, actions);
                } else if let Some(check) = self.checks.values_mut().find(|c| c.socket == Some(socket)) {
                    // Any answer at all means that it is up. Source: plugin/pkg/proxy/health.go.
                    *check = Check {
                        fails: 0,
                        up: true,
                        waiting: false,
                        socket: None,
                        interval: check.interval,
                        due: at,
                    };
                } else if self.server.stream {
                    for message in whole_messages(self.streams.entry(socket).or_default(), bytes) {
                        self.asked(socket, &message, (peer, local), at, actions);
                    }
                } else {
                    self.asked(socket, bytes, (peer, local), at, actions);
                }
            }
            Event::Failed { socket, error, at } => match self.waiting_on(socket) {
                Some(token) => {
                    let why = match error {
                        SocketError::Refused => "connection refused",
                        SocketError::HostUnreachable => "no route to host",
                        SocketError::NetUnreachable => "network is unreachable",
                        SocketError::NotPermitted => "operation not permitted",
                        SocketError::Reset => "connection reset by peer",
                        _ => "i/o timeout",
                    };
                    self.attempt_failed(token, why, at, actions);
                }
                None => {
                    self.streams.swap_remove(&socket);
                    let check = self.checks.values().position(|c| c.socket == Some(socket));
                    if let Some(index) = check {
                        self.health_failed(index as u64 + 1, at, actions);
                    }
                }
            },
            Event::Timer { token, at } if token < ATTEMPTS => self.health_timer(token, at, actions),
            Event::Timer { token, at } => match self.asking(token) {
                Some(asking) if asking.pausing => {
                    asking.pausing = false;
                    self.next_upstream(token / ATTEMPTS, at, actions);
                }
                Some(_) => self.attempt_failed(token / ATTEMPTS, "i/o timeout", at, actions),
                None => {}
            },
            Event::Closed { socket, at } => match self.waiting_on(socket) {
                Some(token) => self.attempt_failed(token, "EOF", at, actions),
                None => {
                    self.streams.swap_remove(&socket);
                    actions.push(Action::Close {
                        socket,
                        after: Duration::ZERO,
                    });
                }
            },
            Event::Start { .. } => {}
        }
    }
}

impl Running {
    /// The exchange that an attempt's token belongs to, if that attempt is the current one.
    fn asking(&mut self, token: u64) -> Option<&mut Asking> {
        let pending = self.pending.get_mut(&(token / ATTEMPTS))?;
        (pending.attempt == token % ATTEMPTS).then_some(pending.asking.as_mut())?
    }

    fn waiting_on(&self, socket: SocketId) -> Option<u64> {
        let waits = |p: &Pending| p.asking.as_ref().is_some_and(|a| a.socket == Some(socket));
        self.pending
            .iter()
            .find(|(_, p)| waits(p))
            .map(|(token, _)| *token)
    }

    fn asked(
        &mut self,
        client: SocketId,
        bytes: &[u8],
        (remote, local): (SocketAddr, SocketAddr),
        at: Micros,
        actions: &mut Vec<Action>,
    ) {
        // What is no question is not answered.
        let Some(query) = Message::parse(bytes)
            .ok()
            .filter(|message| !message.flags.response)
        else {
            return;
        };
        let refused = if query.flags.opcode != 0 && query.flags.opcode != 4 {
            Some((Rcode::NotImp, "only ordinary queries are answered"))
        } else if query.questions.len() != 1 {
            Some((Rcode::FormErr, "a query holds one question"))
        } else if query.edns.as_ref().is_some_and(|edns| edns.version != 0) {
            Some((Rcode::BadVers, "EDNS version 0 is the only one"))
        } else {
            None
        };
        if let Some((rcode, note)) = refused {
            actions.push(Action::Note {
                socket: client,
                what: note.to_owned(),
            });
            let mut message = Message::answer_to(&query, Rcode::NoError);
            message.edns = edns_of(&query);
            message.set_rcode(rcode);
            wire::send_as_it_is(client, &query, &message, self.server.stream, actions);
            return;
        }
        self.last += 1;
        let token = self.last;
        let pending = Pending {
            client: Some(client),
            query,
            remote,
            local,
            size: bytes.len(),
            began: at,
            exchanges: Vec::new(),
            asking: None,
            attempt: 0,
        };
        self.pending.insert(token, pending);
        self.run(token, at, actions);
    }

    /// Runs a question through the chain with what upstreams have said so far.
    fn run(&mut self, token: u64, at: Micros, actions: &mut Vec<Action>) {
        let compiled = Arc::clone(&self.server.compiled);
        let Some(pending) = self.pending.get(&token).cloned() else {
            return;
        };
        let mut cx = Context {
            blocks: &compiled.blocks,
            port: self.server.port,
            remote: pending.remote,
            local: pending.local,
            stream: self.server.stream,
            now: at,
            size: pending.size,
            chance: usize::from(pending.query.id),
            caches: &mut self.caches,
            exchanges: &pending.exchanges,
            depth: 0,
            notes: Vec::new(),
            log: Vec::new(),
            refreshing: pending.client.is_none(),
            refresh: Vec::new(),
            counted: Vec::new(),
            zone: String::new(),
            writer: "",
        };
        let served = chain::serve(&mut cx, &pending.query);
        let (notes, log, refresh) = (cx.notes, cx.log, cx.refresh);
        let (mut counted, zone, writer) = (cx.counted, cx.zone, cx.writer);
        let written = matches!(&served, Ok(Served::Answer(_)));
        let message = match served {
            Err(ask) => return self.ask(token, *ask, at, actions),
            Ok(Served::Answer(message)) => Some(message),
            Ok(Served::Failed(rcode, _)) => Some(Message::answer_to(&pending.query, rcode)),
            Ok(Served::Dropped) => None,
        };
        self.pending.swap_remove(&token);
        self.counted.append(&mut counted);
        let Some(client) = pending.client else { return };
        self.counted.extend(memory::of_answer(
            &pending.query,
            message.as_ref(),
            (&zone, if written { writer } else { "" }),
            pending.remote,
            &self.server,
        ));
        let took = Duration::from_micros(at.0.saturating_sub(pending.began.0)) + ANSWER_AFTER;
        let seconds = format!("{}.{:09}", took.as_secs(), took.subsec_nanos());
        let seconds = format!("{}s", decimal::without_exponent(&seconds));
        let lines: Vec<String> = log.iter().map(|line| line.replace(DURATION, &seconds)).collect();
        self.log.extend(lines.iter().cloned());
        for what in notes.into_iter().chain(lines) {
            actions.push(Action::Note { socket: client, what });
        }
        if let Some(message) = message {
            wire::send(client, &pending.query, message, self.server.stream, actions);
        }
        for query in refresh {
            self.last += 1;
            let own = Pending {
                client: None,
                query,
                began: at,
                exchanges: Vec::new(),
                asking: None,
                attempt: 0,
                ..pending.clone()
            };
            self.pending.insert(self.last, own);
            self.run(self.last, at, actions);
        }
    }

    /// Begins to ask an upstream.
    fn ask(&mut self, token: u64, ask: Ask, at: Micros, actions: &mut Vec<Action>) {
        let compiled = Arc::clone(&self.server.compiled);
        let Some(upstreams) = compiled.upstreams.get(ask.forward) else {
            return;
        };
        let busy = |p: &&Pending| p.asking.as_ref().is_some_and(|a| a.ask.forward == ask.forward);
        let busy = self.pending.values().filter(busy).count();
        let Some(pending) = self.pending.get_mut(&token) else {
            return;
        };
        if upstreams.max_concurrent > 0 && busy >= upstreams.max_concurrent {
            // Source: plugin/forward/forward.go ErrLimitExceeded.
            let error = format!("concurrent queries exceeded maximum {}", upstreams.max_concurrent);
            let mut refused = Message::answer_to(&ask.query, Rcode::Refused);
            refused.flags.recursion_desired = true;
            if let Some(socket) = pending.client {
                actions.push(Action::Note { socket, what: error });
            }
            pending.exchanges.push((ask, Ok(refused)));
            return self.run(token, at, actions);
        }
        let mut order = upstreams.to.clone();
        if !order.is_empty() {
            let first = match upstreams.policy {
                Policy::Sequential => 0,
                Policy::Random => usize::from(pending.query.id) / 7,
                Policy::RoundRobin => {
                    self.turn += 1;
                    self.turn - 1
                }
            };
            let length = order.len();
            order.rotate_left(first % length);
        }
        let id = u16::try_from((u64::from(pending.query.id) + token * 7919) % 65521).unwrap_or(1);
        pending.asking = Some(Asking {
            id,
            order,
            next: 0,
            to: pending.local,
            began: at,
            stream: upstreams.force_tcp || (self.server.stream && !upstreams.prefer_udp),
            socket: None,
            buffer: Vec::new(),
            error: "no healthy proxies".to_owned(),
            hopeless: false,
            sent: at,
            pausing: false,
            ask,
        });
        self.next_upstream(token, at, actions);
    }

    /// Asks the next upstream that is not down; past the deadline the look-up has failed.
    /// Source: plugin/forward/forward.go ServeDNS.
    fn next_upstream(&mut self, token: u64, at: Micros, actions: &mut Vec<Action>) {
        let compiled = Arc::clone(&self.server.compiled);
        let checks = &self.checks;
        let Some(pending) = self.pending.get_mut(&token) else {
            return;
        };
        let Some(asking) = &mut pending.asking else { return };
        let Some(upstreams) = compiled.upstreams.get(asking.ask.forward) else {
            return;
        };
        let is_down = |to: &SocketAddr| {
            upstreams.max_fails > 0
                && checks
                    .get(to)
                    .is_some_and(|check| check.fails >= upstreams.max_fails)
        };
        let all_down = asking.order.iter().all(is_down);
        let late = Duration::from_micros(at.0.saturating_sub(asking.began.0)) >= DEADLINE;
        let count = asking.order.len();
        let given_up = std::mem::replace(&mut asking.hopeless, all_down);
        let turn = (0..count).map(|n| (asking.next + n) % count);
        let chosen = turn
            .into_iter()
            .find(|index| all_down || !is_down(&asking.order[*index]));
        let Some(index) = chosen.filter(|_| !(late || given_up || all_down && upstreams.failfast)) else {
            let error = std::mem::take(&mut asking.error);
            let ask = asking.ask.clone();
            if let Some(socket) = pending.client {
                let what = "no upstream answered".to_owned();
                actions.push(Action::Note { socket, what });
            }
            pending.asking = None;
            pending.exchanges.push((ask, Err(error)));
            return self.run(token, at, actions);
        };
        asking.next = index + 1;
        asking.to = asking.order[index];
        asking.socket = None;
        asking.buffer.clear();
        asking.sent = at;
        self.send(token, actions);
    }

    /// Sends the question to the upstream that is chosen.
    fn send(&mut self, token: u64, actions: &mut Vec<Action>) {
        let Some(pending) = self.pending.get_mut(&token) else {
            return;
        };
        pending.attempt = (pending.attempt + 1) % ATTEMPTS;
        let attempt = token * ATTEMPTS + pending.attempt;
        let Some(asking) = &pending.asking else { return };
        let asked = question(&asking.ask.query);
        let why = format!(
            "{} {}",
            asked.name.to_string().trim_end_matches('.'),
            asked.record_type
        );
        if let Some(socket) = pending.client {
            let what = format!("forwards {why} to {}", asking.to);
            actions.push(Action::Note { socket, what });
        }
        let purpose = Purpose::Upstream { why };
        actions.push(if asking.stream {
            Action::Connect {
                token: attempt,
                protocol: L4Protocol::Tcp,
                to: asking.to,
                from_port: None,
                purpose,
            }
        } else {
            Action::SendDatagram {
                token: attempt,
                protocol: L4Protocol::Udp,
                to: asking.to,
                from_port: None,
                bytes: upstream_query(asking, &pending.query).to_bytes(),
                df: false,
                purpose,
            }
        });
        actions.push(Action::SetTimer {
            token: attempt,
            after: READ_TIMEOUT,
        });
    }

    fn attempt_failed(&mut self, token: u64, why: &str, at: Micros, actions: &mut Vec<Action>) {
        let compiled = Arc::clone(&self.server.compiled);
        let Some(asking) = self.pending.get_mut(&token).and_then(|p| p.asking.as_mut()) else {
            return;
        };
        let (to, forward) = (asking.to, asking.ask.forward);
        let verb = if why == "connection refused" {
            "read"
        } else {
            "dial"
        };
        let protocol = if asking.stream { "tcp" } else { "udp" };
        asking.error = format!("{verb} {protocol} {to}: {why}");
        asking.socket = None;
        let round_is_over = asking.next % asking.order.len().max(1) == 0;
        let at_once = Duration::from_micros(at.0.saturating_sub(asking.sent.0)) < PAUSE;
        let pauses = round_is_over && at_once && !asking.hopeless;
        asking.pausing = pauses;
        let upstreams = compiled.upstreams.get(forward);
        if let Some(upstreams) = upstreams.filter(|u| u.max_fails > 0) {
            let fresh = self.checks.get(&to).is_none_or(|check| check.up);
            if fresh {
                let check = Check {
                    fails: 0,
                    interval: upstreams.health_check,
                    socket: None,
                    waiting: true,
                    up: false,
                    due: at,
                };
                self.checks.insert(to, check);
                self.probe(to, at, actions);
            }
        }
        if !pauses {
            return self.next_upstream(token, at, actions);
        }
        if let Some(pending) = self.pending.get_mut(&token) {
            pending.attempt = (pending.attempt + 1) % ATTEMPTS;
            actions.push(Action::SetTimer {
                token: token * ATTEMPTS + pending.attempt,
                after: PAUSE,
            });
        }
    }

    fn upstream_said(&mut self, token: u64, bytes: &[u8], at: Micros, actions: &mut Vec<Action>) {
        let compiled = Arc::clone(&self.server.compiled);
        let Some(pending) = self.pending.get_mut(&token) else {
            return;
        };
        let Some(asking) = &mut pending.asking else { return };
        let messages = if asking.stream {
            whole_messages(&mut asking.buffer, bytes)
        } else {
            vec![bytes.to_vec()]
        };
        let parsed = messages
            .iter()
            .filter_map(|m| Message::parse(m).ok())
            .find(|m| m.id == asking.id);
        let Some(message) = parsed else { return };
        if asking.stream
            && let Some(socket) = asking.socket
        {
            actions.push(Action::Close {
                socket,
                after: Duration::ZERO,
            });
        }
        let prefers_udp = compiled
            .upstreams
            .get(asking.ask.forward)
            .is_some_and(|u| u.prefer_udp);
        if message.flags.truncated && !asking.stream && prefers_udp {
            asking.stream = true;
            asking.socket = None;
            return self.send(token, actions);
        }
        // An answer to another question is none. Source: request.go Match.
        let same = question(&message).name == question(&asking.ask.query).name;
        let said = if same {
            message
        } else {
            Message::answer_to(&asking.ask.query, Rcode::FormErr)
        };
        let ask = asking.ask.clone();
        self.counted.push(memory::of_upstream(asking.to, said.rcode()));
        pending.asking = None;
        pending.exchanges.push((ask, Ok(said)));
        self.run(token, at, actions);
    }

    fn check_of(&mut self, token: u64) -> Option<(SocketAddr, &mut Check)> {
        let index = usize::try_from(token).ok()?.checked_sub(1)?;
        self.checks.get_index_mut(index).map(|(to, check)| (*to, check))
    }

    /// Sends a health check: `. NS`, without recursion desired being taken back. Source: plugin/pkg/proxy/health.go.
    fn probe(&mut self, to: SocketAddr, at: Micros, actions: &mut Vec<Action>) {
        let Some(index) = self.checks.get_index_of(&to) else {
            return;
        };
        let token = index as u64 + 1;
        if let Some(check) = self.checks.get_mut(&to) {
            check.waiting = true;
            check.due = at + HEALTH_TIMEOUT;
        }
        actions.push(Action::SendDatagram {
            token,
            protocol: L4Protocol::Udp,
            to,
            from_port: None,
            bytes: Message::query(u16::try_from(token).unwrap_or(1), Name::ROOT, RecordType::Ns).to_bytes(),
            df: false,
            purpose: Purpose::Upstream {
                why: format!("health check of {to}"),
            },
        });
        actions.push(Action::SetTimer {
            token,
            after: HEALTH_TIMEOUT,
        });
    }

    fn health_timer(&mut self, token: u64, at: Micros, actions: &mut Vec<Action>) {
        match self.check_of(token) {
            Some((_, check)) if check.up || at < check.due => {}
            Some((_, check)) if check.waiting => self.health_failed(token, at, actions),
            Some((to, _)) => self.probe(to, at, actions),
            None => {}
        }
    }

    fn health_failed(&mut self, token: u64, at: Micros, actions: &mut Vec<Action>) {
        if let Some((_, check)) = self.check_of(token).filter(|(_, check)| check.waiting) {
            check.fails += 1;
            check.waiting = false;
            check.socket = None;
            let after = check.interval;
            check.due = at + after;
            actions.push(Action::SetTimer { token, after });
        }
    }
}

/// The question as an upstream gets it: with the options that `rewrite` added, without the client's.
fn upstream_query(asking: &Asking, asked: &Message) -> Message {
    let mut query = asking.ask.query.clone();
    query.id = asking.id;
    let own = asked.edns.as_ref().map_or(&[][..], |edns| &edns.options);
    if let Some(edns) = &mut query.edns {
        edns.options.retain(|option| !own.contains(option));
    }
    query
}
