//! CoreDNS as a program: questions over UDP and TCP run through the plug-ins of their server block; what is none of the
//! cluster's names is asked of an upstream, with packets of its own.

use super::kubernetes::{Found, Kubernetes};
use hoplab_kernel::process::{Action, Event, Process, Program, Purpose, SocketId};
use hoplab_trace::Name as SharedName;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Edns, Message, Name, Question, Rcode, Record, RecordData, RecordType};
use indexmap::IndexMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long CoreDNS thinks. A small number, so that time moves; the figure itself carries no meaning.
const ANSWER_AFTER: Duration = Duration::from_micros(100);
/// How long one upstream is waited for. Source: coredns plugin/pkg/proxy/connect.go, readTimeout.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How many names an ExternalName may lead through.
const LONGEST_CHAIN: usize = 8;

/// A server block as compiled.
pub(super) struct Server {
    /// Zones with their ports.
    pub zones: Vec<(Name, u16)>,
    /// The plug-in that knows the cluster.
    pub kubernetes: Option<Kubernetes>,
    /// Whom it asks for the rest.
    pub forwards: Vec<Forward>,
    /// `loadbalance` is on: addresses take turns.
    pub balances: bool,
}

/// A `forward` line.
pub(super) struct Forward {
    /// For names in this zone.
    pub from: Name,
    /// Upstreams, asked in order. Differs: CoreDNS begins with a random one.
    pub to: Vec<SocketAddr>,
}

/// CoreDNS on one port.
#[derive(Clone)]
pub(super) struct CoreDns {
    name: SharedName,
    servers: Arc<Vec<Server>>,
    port: u16,
    stream: bool,
}

impl CoreDns {
    /// These server blocks on this port.
    pub fn new(servers: Arc<Vec<Server>>, port: u16, protocol: L4Protocol) -> Self {
        Self {
            name: "coredns".into(),
            servers,
            port,
            stream: protocol == L4Protocol::Tcp,
        }
    }
}

impl Program for CoreDns {
    fn name(&self) -> &SharedName {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(Running {
            server: self.clone(),
            streams: IndexMap::new(),
            pending: IndexMap::new(),
            last_token: 0,
        })
    }
}

/// What comes of a question.
enum Verdict {
    /// An answer, and a word of who gave it.
    Say { message: Message, note: String },
    /// An upstream must be asked first.
    Ask {
        question: Question,
        to: Vec<SocketAddr>,
        before: Vec<Record>,
    },
}

impl CoreDns {
    fn verdict(&self, query: &Message) -> Verdict {
        let refuse = |rcode: Rcode, note: String| Verdict::Say {
            message: Message::answer_to(query, rcode),
            note,
        };
        if query.flags.opcode != 0 {
            return refuse(Rcode::NotImp, "only ordinary queries are answered".to_owned());
        }
        let Some(question) = query.questions.first() else {
            return refuse(Rcode::FormErr, "the query holds no question".to_owned());
        };
        let name = &question.name;
        let Some(server) = self.server_for(name) else {
            return refuse(Rcode::Refused, format!("no server block is for {name}"));
        };
        if let Some(kubernetes) = &server.kubernetes
            && let Some(zone) = kubernetes.zone_of(name)
        {
            // The zone with the case of the question.
            let zone = Name::from_labels(name.labels()[name.labels().len() - zone.labels().len()..].to_vec());
            let zone = zone.unwrap_or_default();
            let found = kubernetes.find(name, question.record_type, &zone);
            if found != Found::NxDomain || !kubernetes.falls_through(name) {
                return self.of_cluster(kubernetes, &zone, query, question, found);
            }
        }
        match server
            .forwards
            .iter()
            .find(|forward| name.is_within(&forward.from))
        {
            Some(forward) => Verdict::Ask {
                question: question.clone(),
                to: forward.to.clone(),
                before: Vec::new(),
            },
            None => refuse(Rcode::ServFail, format!("no plug-in answers {name}")),
        }
    }

    fn server_for(&self, name: &Name) -> Option<&Server> {
        let keyed = self
            .servers
            .iter()
            .flat_map(|s| s.zones.iter().map(move |z| (z, s)));
        let fits = keyed.filter(|((zone, port), _)| *port == self.port && name.is_within(zone));
        fits.max_by_key(|((zone, _), _)| zone.labels().len())
            .map(|(_, server)| server)
    }

    fn of_cluster(
        &self,
        kubernetes: &Kubernetes,
        zone: &Name,
        query: &Message,
        question: &Question,
        mut found: Found,
    ) -> Verdict {
        let mut message = Message::answer_to(query, Rcode::NoError);
        message.flags.authoritative = true;
        // Aliases in the cluster's own zone are followed here; one that leads out is asked of an upstream.
        for _ in 0..LONGEST_CHAIN {
            let Found::Alias(record, target) = found else {
                break;
            };
            message.answers.push(record);
            if question.record_type == RecordType::Cname {
                return Verdict::Say {
                    message,
                    note: format!("the kubernetes plug-in answers with the name {target}"),
                };
            }
            if kubernetes.zone_of(&target).is_none() {
                let question = Question {
                    name: target.clone(),
                    ..question.clone()
                };
                let forwards = self
                    .server_for(&target)
                    .map_or(&[] as &[Forward], |server| &server.forwards);
                return match forwards.iter().find(|forward| target.is_within(&forward.from)) {
                    Some(forward) => Verdict::Ask {
                        question,
                        to: forward.to.clone(),
                        before: message.answers,
                    },
                    // Source: plugin/backend_lookup.go A: without an answer for the target the CNAME goes too.
                    None => {
                        message.answers.clear();
                        message.authorities.push(kubernetes.soa(zone));
                        Verdict::Say {
                            message,
                            note: format!("nobody to ask for {target}"),
                        }
                    }
                };
            }
            found = match kubernetes.find(&target, question.record_type, zone) {
                Found::Records(records, extra) => Found::Records(records, extra),
                Found::Alias(record, next) => Found::Alias(record, next),
                // A target in the own zone that has nothing takes the CNAME with it.
                Found::NoData | Found::NxDomain => {
                    message.answers.clear();
                    Found::NoData
                }
            };
        }
        let note = match found {
            Found::Records(answers, extra) => {
                let note = format!(
                    "the kubernetes plug-in answers with {}",
                    count(answers.len(), "record")
                );
                message.answers.extend(answers);
                message.additionals = extra;
                note
            }
            Found::NoData | Found::Alias(..) => {
                message.answers.clear();
                message.authorities.push(kubernetes.soa(zone));
                "the kubernetes plug-in knows the name, without such a record".to_owned()
            }
            Found::NxDomain => {
                message.set_rcode(Rcode::NxDomain);
                message.authorities.push(kubernetes.soa(zone));
                "the kubernetes plug-in knows no such name".to_owned()
            }
        };
        if self
            .server_for(&question.name)
            .is_some_and(|server| server.balances)
        {
            rotate(&mut message.answers, usize::from(query.id));
        }
        Verdict::Say { message, note }
    }
}

/// A question that waits for an upstream.
struct Pending {
    client: SocketId,
    query: Message,
    /// As the upstream is asked it.
    question: Question,
    /// Records that go before what the upstream says: the CNAME of an ExternalName Service.
    before: Vec<Record>,
    id: u16,
    /// Upstreams still to try.
    left: Vec<SocketAddr>,
    /// The socket to the one that is asked, once it is known.
    socket: Option<SocketId>,
}

struct Running {
    server: CoreDns,
    /// Bytes of TCP connections that are no whole message yet.
    streams: IndexMap<SocketId, Vec<u8>>,
    /// By token.
    pending: IndexMap<u64, Pending>,
    last_token: u64,
}

impl Process for Running {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Opened { token, socket } => {
                if let Some(pending) = self.pending.get_mut(&token) {
                    pending.socket = Some(socket);
                }
            }
            Event::Data { socket, bytes, .. } => match self.waiting_on(socket) {
                Some(token) => self.upstream_said(token, bytes, actions),
                None if self.server.stream => {
                    for message in whole_messages(self.streams.entry(socket).or_default(), bytes) {
                        self.asked(socket, &message, actions);
                    }
                }
                None => self.asked(socket, bytes, actions),
            },
            Event::Failed { socket, .. } => match self.waiting_on(socket) {
                Some(token) => self.next_upstream(token, actions),
                None => {
                    self.streams.swap_remove(&socket);
                }
            },
            Event::Timer { token, .. } => self.next_upstream(token, actions),
            Event::Closed { socket, .. } => {
                self.streams.swap_remove(&socket);
                actions.push(Action::Close {
                    socket,
                    after: Duration::ZERO,
                });
            }
            Event::Start { .. } | Event::Connected { .. } => {}
        }
    }
}

impl Running {
    fn waiting_on(&self, socket: SocketId) -> Option<u64> {
        self.pending
            .iter()
            .find(|(_, pending)| pending.socket == Some(socket))
            .map(|(token, _)| *token)
    }

    fn asked(&mut self, client: SocketId, bytes: &[u8], actions: &mut Vec<Action>) {
        // What is no question is not answered.
        let Some(query) = Message::parse(bytes)
            .ok()
            .filter(|message| !message.flags.response)
        else {
            return;
        };
        match self.server.verdict(&query) {
            Verdict::Say { message, note } => {
                actions.push(Action::Note {
                    socket: client,
                    what: note,
                });
                send(client, &query, message, self.server.stream, actions);
            }
            Verdict::Ask { question, to, before } => {
                self.last_token += 1;
                let token = self.last_token;
                let id = u16::try_from((u64::from(query.id) + token * 7919) % 65521).unwrap_or(1);
                let pending = Pending {
                    client,
                    query,
                    question,
                    before,
                    id,
                    left: to,
                    socket: None,
                };
                self.pending.insert(token, pending);
                self.next_upstream(token, actions);
            }
        }
    }

    /// Asks the next upstream; without one the look-up has failed.
    fn next_upstream(&mut self, token: u64, actions: &mut Vec<Action>) {
        let Some(pending) = self.pending.get_mut(&token) else {
            return;
        };
        pending.socket = None;
        if pending.left.is_empty() {
            if let Some(pending) = self.pending.swap_remove(&token) {
                actions.push(Action::Note {
                    socket: pending.client,
                    what: "no upstream answered".to_owned(),
                });
                let message = Message::answer_to(&pending.query, Rcode::ServFail);
                send(
                    pending.client,
                    &pending.query,
                    message,
                    self.server.stream,
                    actions,
                );
            }
            return;
        }
        let to = pending.left.remove(0);
        let Question {
            name, record_type, ..
        } = &pending.question;
        let why = format!("{} {record_type}", name.to_string().trim_end_matches('.'));
        actions.push(Action::Note {
            socket: pending.client,
            what: format!("forwards {why} to {to}"),
        });
        actions.push(Action::SendDatagram {
            token,
            protocol: L4Protocol::Udp,
            to,
            from_port: None,
            bytes: Message::query(pending.id, name.clone(), *record_type).to_bytes(),
            df: false,
            purpose: Purpose::Upstream { why },
        });
        actions.push(Action::SetTimer {
            token,
            after: READ_TIMEOUT,
        });
    }

    fn upstream_said(&mut self, token: u64, bytes: &[u8], actions: &mut Vec<Action>) {
        let Ok(upstream) = Message::parse(bytes) else {
            return;
        };
        if self
            .pending
            .get(&token)
            .is_none_or(|pending| pending.id != upstream.id)
        {
            return;
        }
        let Some(pending) = self.pending.swap_remove(&token) else {
            return;
        };
        let mut message = Message::answer_to(&pending.query, Rcode::NoError);
        message.flags.recursion_available = upstream.flags.recursion_available;
        if pending.before.is_empty() {
            message.set_rcode(upstream.rcode());
            message.authorities = upstream.authorities;
            message.additionals = upstream.additionals;
        } else {
            // The CNAME is CoreDNS's own, whatever the upstream says of its target.
            message.flags.authoritative = true;
            message.answers = pending.before;
        }
        message.answers.extend(upstream.answers);
        send(
            pending.client,
            &pending.query,
            message,
            self.server.stream,
            actions,
        );
    }
}

/// Messages that are complete. Over TCP each comes behind its length (RFC 1035 §4.2.2).
pub(super) fn whole_messages(buffer: &mut Vec<u8>, bytes: &[u8]) -> Vec<Vec<u8>> {
    buffer.extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(length) = buffer
        .first_chunk::<2>()
        .map(|b| usize::from(u16::from_be_bytes(*b)))
    {
        if buffer.len() < length + 2 {
            break;
        }
        messages.push(buffer[2..length + 2].to_vec());
        buffer.drain(..length + 2);
    }
    messages
}

/// Sends an answer: cut to what the asking side takes over UDP, behind its length over TCP.
pub(super) fn send(
    socket: SocketId,
    query: &Message,
    mut answer: Message,
    stream: bool,
    actions: &mut Vec<Action>,
) {
    answer.edns = query.edns.as_ref().map(|edns| Edns {
        options: Vec::new(),
        ..edns.clone()
    });
    let label = match answer.answers.len() {
        0 if answer.rcode() == Rcode::NoError => "NODATA".to_owned(),
        0 => answer.rcode().to_string(),
        n => format!("{}, {}", answer.rcode(), count(n, "answer")),
    };
    let bytes = if stream {
        let body = answer.to_bytes_within(usize::from(u16::MAX));
        [
            u16::try_from(body.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes()
                .as_slice(),
            &body,
        ]
        .concat()
    } else {
        answer.to_bytes_within(query.udp_limit_bytes())
    };
    actions.push(Action::Send {
        socket,
        bytes,
        label,
        after: ANSWER_AFTER,
    });
}

fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// `loadbalance`: addresses take turns. CoreDNS shuffles by chance; here the query's id decides, which is chance
/// enough and the same for the same run.
fn rotate(records: &mut [Record], by: usize) {
    let is_address = |r: &Record| matches!(r.data, RecordData::A(_) | RecordData::Aaaa(_));
    let first = records.iter().position(is_address).unwrap_or(records.len());
    let addresses = &mut records[first..];
    if addresses.len() > 1 && addresses.iter().all(is_address) {
        addresses.rotate_left(by % addresses.len());
    }
}
