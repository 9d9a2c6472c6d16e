//! A stub resolver inside a process: `/etc/hosts` first, then the search list; for each name A and AAAA in parallel
//! from one socket, as glibc's getaddrinfo does. Source: resolv.conf(5); glibc 2.41 resolv/res_query.c,
//! resolv/res_send.c (one socket a server and name, both questions on it).

use hoplab_dataplane::dns::resolv::ResolvConf;
use hoplab_kernel::process::{Action, Event, Purpose, SocketId};
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Message, Name, Rcode, RecordData, RecordType};
use std::net::{IpAddr, SocketAddr};
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
    query: usize,
    /// Still to be sent, once the socket is there.
    unsent: Option<Vec<u8>>,
    done: bool,
}

/// A look-up in progress.
pub struct Resolver {
    conf: ResolvConf,
    candidates: Vec<String>,
    types: Vec<RecordType>,
    candidate: usize,
    server: usize,
    attempt: u32,
    round: u64,
    socket: Option<SocketId>,
    outstanding: Vec<Outstanding>,
    resolved: Resolved,
    hosts: Option<IpAddr>,
    finished: bool,
    any_record: bool,
    seed: u16,
    sent: u16,
}

impl Resolver {
    /// A look-up of the addresses of `name` by the settings of `conf`, whose candidates `names` gives in order.
    /// `hosts`: what `/etc/hosts` says.
    pub fn addresses(conf: ResolvConf, name: &str, hosts: Option<IpAddr>) -> Self {
        Self::new(conf, name, vec![RecordType::A, RecordType::Aaaa], hosts, false)
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
            round: 0,
            socket: None,
            outstanding: Vec::new(),
            resolved: Resolved::default(),
            hosts,
            finished: false,
            any_record,
            seed: 0,
            sent: 0,
        }
    }

    /// The same, with other query ids.
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = u16::try_from(seed % 65_536).unwrap_or(0);
        self
    }

    /// The result, once there is one.
    pub fn result(&mut self) -> Option<Resolved> {
        self.finished.then(|| std::mem::take(&mut self.resolved))
    }

    /// Something happened to the process; `Some(now)` once the look-up is over.
    pub fn on(&mut self, event: &Event<'_>, actions: &mut Vec<Action>) -> Option<Micros> {
        match event {
            Event::Start { at } => {
                if let Some(address) = self.hosts {
                    self.resolved.address = Some(address);
                    self.resolved.from_hosts = true;
                    self.finished = true;
                    return Some(*at);
                }
                self.ask(actions);
                return self.finished.then_some(*at);
            }
            Event::Opened { token, socket } if *token == TOKEN_BASE + self.round => {
                self.socket = Some(*socket);
                for question in &mut self.outstanding {
                    if let Some(bytes) = question.unsent.take() {
                        let label = "query".to_owned();
                        actions.push(Action::Send {
                            socket: *socket,
                            bytes,
                            label,
                            after: Duration::ZERO,
                        });
                    }
                }
            }
            Event::Data {
                socket, bytes, at, ..
            } if self.socket == Some(*socket) => {
                let message = Message::parse(bytes).ok()?;
                let o = self
                    .outstanding
                    .iter_mut()
                    .find(|o| o.id == message.id && !o.done)?;
                o.done = true;
                let query = o.query;
                self.resolved.queries[query].answer = Some(message);
                if self.outstanding.iter().all(|o| o.done) {
                    self.judge(actions);
                }
                return self.finished.then_some(*at);
            }
            Event::Failed { socket, at, .. } if self.socket == Some(*socket) => {
                self.outstanding.iter_mut().for_each(|o| o.done = true);
                self.judge(actions);
                return self.finished.then_some(*at);
            }
            Event::Timer { token, at } if *token == TOKEN_BASE + self.round => {
                if !self.finished && self.outstanding.iter().any(|o| !o.done) {
                    self.next_server(actions);
                }
                return self.finished.then_some(*at);
            }
            _ => {}
        }
        None
    }

    /// Sends the questions of this candidate to this server.
    fn ask(&mut self, actions: &mut Vec<Action>) {
        self.outstanding.clear();
        let (Some(name), Some(server)) = (
            self.candidates.get(self.candidate),
            self.conf.nameservers.get(self.server),
        ) else {
            self.finished = true;
            return;
        };
        let server = SocketAddr::new(*server, self.conf.port);
        let Ok(wire_name) = Name::parse(name) else {
            self.finished = true;
            return;
        };
        self.round += 1;
        self.socket = None;
        let mut first = None;
        for record in &self.types {
            self.sent = self.sent.wrapping_add(1);
            // Real resolvers choose ids by chance; here they follow from the run's seed.
            let id = self
                .seed
                .wrapping_mul(40_503)
                .wrapping_add(self.sent.wrapping_mul(10_007));
            let bytes = Message::query(id, wire_name.clone(), *record).to_bytes();
            let query = self.resolved.queries.len();
            self.resolved.queries.push(Query {
                name: name.clone(),
                record: *record,
                server,
                answer: None,
            });
            let unsent = if first.is_none() {
                None
            } else {
                Some(bytes.clone())
            };
            first.get_or_insert(bytes);
            self.outstanding.push(Outstanding {
                id,
                query,
                unsent,
                done: false,
            });
        }
        let types: Vec<String> = self.types.iter().map(ToString::to_string).collect();
        let question = format!("{} {}", name.trim_end_matches('.'), types.join(" and "));
        actions.push(Action::SendDatagram {
            token: TOKEN_BASE + self.round,
            protocol: L4Protocol::Udp,
            to: server,
            from_port: None,
            bytes: first.unwrap_or_default(),
            df: false,
            purpose: Purpose::Dns { question },
        });
        let after = Duration::from_secs(u64::from(self.conf.timeout_seconds));
        actions.push(Action::SetTimer {
            token: TOKEN_BASE + self.round,
            after,
        });
    }

    /// All questions of this candidate are answered (or failed): is it found?
    fn judge(&mut self, actions: &mut Vec<Action>) {
        let answers: Vec<Message> = self
            .outstanding
            .iter()
            .filter_map(|o| self.resolved.queries.get(o.query).and_then(|q| q.answer.clone()))
            .collect();
        let servfail = |m: &Message| !matches!(m.rcode(), Rcode::NoError | Rcode::NxDomain);
        if answers.is_empty() || answers.iter().any(servfail) {
            self.resolved.answer = answers.into_iter().next().or(self.resolved.answer.take());
            return self.next_server(actions);
        }
        let addresses: Vec<IpAddr> = answers.iter().flat_map(addresses).collect();
        // The model's sockets speak IPv4 first: a pod without a global IPv6 address cannot use AAAA (RFC 6724 rule 1).
        let address = addresses
            .iter()
            .find(|a| a.is_ipv4())
            .or(addresses.first())
            .copied();
        let found = if self.any_record {
            answers
                .iter()
                .any(|m| m.rcode() == Rcode::NoError && !m.answers.is_empty())
        } else {
            address.is_some()
        };
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
        self.candidate += 1;
        self.server = 0;
        self.attempt = 0;
        self.ask(actions);
    }

    /// The next server of the list; after the last one the next attempt.
    fn next_server(&mut self, actions: &mut Vec<Action>) {
        self.server += 1;
        if self.server >= self.conf.nameservers.len() {
            self.server = 0;
            self.attempt += 1;
        }
        if self.attempt >= self.conf.attempts {
            self.finished = true;
            return;
        }
        self.ask(actions);
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
