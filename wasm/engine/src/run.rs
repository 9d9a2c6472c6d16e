//! One request: a client process in a stack of the world, run until it has its answer, told as a trace.

use crate::asked;
use crate::client::{Client, Message, Report};
use crate::judge::judge;
use crate::legs::leg;
use crate::lookup::Around;
use crate::resolver::{LookUp, Query, Resolver};
use crate::tools::{Questions, Tool};
use crate::unmodelled::unknowns;
use crate::{AskError, From, Http, Request, Sample, Target, World};
use hoplab_dataplane::dns::resolv::{Libc, ResolvConf, hosts_lookup};
use hoplab_dataplane::dns::resolved::{Order, UPLINK};
use hoplab_dataplane::plan::{INTERNET, Owner};
use hoplab_kernel::overlay::Overlay;
use hoplab_kernel::process::Purpose;
use hoplab_kernel::sim::{Chooser, ConversationInfo, ConversationKind, Flight, Limits, RunEnd, Sim};
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_objects::view::Pod;
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use hoplab_trace::{Exchange, Leg, MessageSeen, Micros, Outcome, Place, SubTrace, Trace, Unknown, Verdict};
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::RecordType;
use hoplab_wire::http;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How a request is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Fixes every random choice.
    pub seed: u64,
    /// Fixes the first choices instead of the seed, to go every way ([`crate::next_script`]).
    pub script: Option<Vec<usize>>,
    /// Own port; `None`: ephemeral.
    pub source_port: Option<u16>,
    /// How long after the world's last packet it starts.
    pub after: Duration,
    /// TTL of what the request's own sockets send; `None`: the kernel's default.
    pub ttl_hops: Option<u8>,
    /// Names are looked up by these means instead of one look-up of the C library.
    pub means: Option<Means>,
}

/// How a name is looked up.
#[derive(Clone, Debug)]
pub enum Means {
    /// As a tool does that asks name servers by itself.
    Tool(Questions),
    /// By the C library: addresses of these types, as getaddrinfo and gethostbyname2 look them up.
    Addresses(Vec<RecordType>),
    /// For any request by name: addresses of this type alone, as `curl -6` asks for.
    Family(RecordType),
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            script: None,
            source_port: None,
            after: Duration::ZERO,
            ttl_hops: None,
            means: None,
        }
    }
}

/// A request that was run.
#[derive(Clone)]
pub struct Run {
    /// Its story.
    pub trace: Trace,
    /// What its packets left behind.
    pub overlay: Overlay,
    /// Every packet, for captures.
    pub flights: Arc<Vec<Flight>>,
    /// Every question that who asked sent to name servers.
    pub queries: Vec<Query>,
}

/// Who asks, and what it reads.
struct Asks<'a> {
    files: &'a BTreeMap<String, String>,
    libc: Libc,
    seed: u64,
    means: Option<&'a Means>,
    stack: &'a Arc<NetNs>,
}

/// What a client needs to know before it starts.
struct Plan {
    resolver: Option<Box<dyn LookUp>>,
    address: Option<IpAddr>,
    port: u16,
    message: Message,
    /// Parts of the request that are not modelled.
    unknowns: Vec<Unknown>,
}

impl World {
    /// Runs one request from one place. The world stays as it is; [`World::commit`] keeps what the run left behind.
    pub fn run(&self, from: &From, request: &Request, options: &RunOptions) -> Result<Run, AskError> {
        let source = self.stack_of(from)?;
        let mut chooser = match &options.script {
            Some(script) => Sample::scripted(script.clone()),
            None => Sample::seeded(options.seed),
        };
        let mut overlay = self.overlay.clone();
        overlay.now = overlay.now + options.after;
        let started = overlay.now;
        let mut sim = Sim::new(self.net(), overlay, &mut chooser, Limits::default());
        let source = match (source, from) {
            (Some(id), _) => id,
            (None, From::External(address)) => {
                sim.outside(INTERNET, *address)
                    .ok_or_else(|| AskError::NotRunning {
                        what: "external",
                        name: address.to_string(),
                        why: "is an address inside the world".to_owned(),
                    })?
            }
            (None, _) => {
                return Err(AskError::NotModelled {
                    what: from.to_string(),
                });
            }
        };
        let stack = sim.netns(source).ok_or_else(|| AskError::NotModelled {
            what: from.to_string(),
        })?;
        let of_pod = self.files_of_pod(from)?;
        let asks = Asks {
            files: of_pod.as_ref().unwrap_or(&stack.files),
            libc: self.libc(from)?,
            seed: options.seed,
            means: options.means.as_ref(),
            stack: &stack,
        };
        let plan = self.planned(&asks, request)?;
        let report = Rc::new(RefCell::new(Report::default()));
        let name = match &options.means {
            Some(Means::Tool(questions)) => questions.tool,
            Some(Means::Addresses(_)) => "getent",
            Some(Means::Family(_)) | None => process_name(request),
        };
        let client = Client::new(
            plan.resolver,
            plan.address,
            plan.port,
            options.source_port,
            plan.message,
            Rc::clone(&report),
        );
        sim.spawn(source, Box::new(client), name.into());
        sim.ttl_hops = options.ttl_hops;
        let end = sim.run();
        let mut missing = plan.unknowns;
        missing.extend(sim.unknowns().iter().cloned());
        missing.extend(limit_reached(end));
        let now = sim.now();
        let (flights, conversations, overlay) = sim.into_parts();
        let place_of = |id: NetNsId| match overlay.on_demand(id) {
            Some(stack) => stack.place.clone(),
            // Namespaces that were made by hand are in the net alone.
            None => match self.net().stack(id) {
                Some(stack) => stack.place.clone(),
                None => self.plan().place(id),
            },
        };
        let report = report.borrow().clone();
        let finished = if report.finished == Micros(0) {
            now
        } else {
            report.finished
        };
        let mut trace = Trace {
            from: from.to_string(),
            to: text_of(request),
            outcome: Outcome::Unknown,
            verdict: Verdict::Allowed,
            reason: String::new(),
            backend: None,
            source: None,
            exchange: Exchange::default(),
            dns: None,
            lookup: None,
            micros: finished.0.saturating_sub(started.0),
            legs: Vec::new(),
            subtraces: Vec::new(),
            choices: chooser.choices().to_vec(),
            unknowns: missing,
        };
        tell(&mut trace, &flights, &conversations, &place_of, request);
        if let Some(resolved) = report.resolved.as_ref().filter(|r| !r.queries.is_empty()) {
            let by_itself = matches!(options.means, Some(Means::Tool(_)));
            let library = if by_itself {
                String::new()
            } else {
                self.library_in_words(from)?
            };
            let ndots = if by_itself {
                0
            } else {
                self.names_at(from)?.0.ndots
            };
            trace.lookup = Some(Box::new(hoplab_trace::LookUp {
                asked: name_asked(request).to_owned(),
                library,
                ndots,
                questions: asked::questions(resolved, &flights, &conversations, &place_of),
                micros: report.looked_up.0.saturating_sub(started.0),
            }));
        }
        if let Some(main) = main_conversation(&conversations, request)
            && let Some(acceptor) = &main.acceptor
        {
            trace.backend = Some(place_of(acceptor.netns));
            trace.source = Some(acceptor.peer.ip());
        }
        trace.exchange = exchange(request, &report, &flights, &conversations);
        let mut pods = pods_met(&trace);
        // A policy of the pod that was asked for counts although no route led there.
        let asked = report.peer.and_then(|peer| self.plan().owner_of(peer.ip()));
        if let Some(Owner::Pod(key)) = &asked
            && !pods.contains(key)
        {
            pods.push(key.clone());
        }
        let service = match &asked {
            Some(Owner::ClusterIp(key)) => Some(key),
            _ => None,
        };
        trace.unknowns.extend(self.plan().unknown().iter().cloned());
        trace.unknowns.extend(unknowns(
            &self.undecided,
            self.store(),
            self.settings(),
            &pods.iter().collect::<Vec<_>>(),
            service,
        ));
        judge(self, &mut trace, &report, request);
        if let Some(note) = crate::stale::note(self, &trace) {
            trace.reason.push_str(&note);
        }
        Ok(Run {
            trace,
            overlay,
            flights: Arc::new(flights),
            queries: report.resolved.map(|r| r.queries).unwrap_or_default(),
        })
    }

    /// The image of the first container where something is asked from; `None`: no pod.
    pub fn image(&self, from: &From) -> Result<Option<&str>, AskError> {
        let From::Pod(pod) = from else { return Ok(None) };
        let key = Around::pod(self, pod)?;
        let pod = self.store().view::<Pod>(&key.namespace, &key.name);
        Ok(pod
            .and_then(|pod| pod.spec.containers.first())
            .map(|c| c.image.as_str()))
    }

    /// The C library there, by the image.
    fn libc(&self, from: &From) -> Result<Libc, AskError> {
        Ok(self.image(from)?.map_or(Libc::Glibc, Libc::of_image))
    }

    /// The C library there, and why it was taken.
    fn library_in_words(&self, from: &From) -> Result<String, AskError> {
        Ok(match self.image(from)? {
            None => "glibc".to_owned(),
            Some(image) => match Libc::of_image(image) {
                Libc::Musl => format!("musl (of the image {image})"),
                Libc::Glibc => {
                    format!("glibc (assumed: nothing says that the image {image} is built on musl)")
                }
            },
        })
    }

    /// The files of a pod: one on its node's network has its own.
    fn files_of_pod(&self, from: &From) -> Result<Option<BTreeMap<String, String>>, AskError> {
        let From::Pod(pod) = from else { return Ok(None) };
        Ok(self.plan().files_of_pod(&Around::pod(self, pod)?))
    }

    /// What `/etc/resolv.conf` and `/etc/hosts` say there, the first as the C library there reads it.
    pub fn names_at(&self, from: &From) -> Result<(ResolvConf, String), AskError> {
        let mut files = self.files_of_pod(from)?;
        if files.is_none() {
            files = self
                .stack_of(from)?
                .and_then(|id| self.stack(id))
                .map(|s| s.files.clone());
        }
        let mut files = files.unwrap_or_default();
        let libc = self.libc(from)?;
        let conf = conf_of(libc, &files);
        let hosts = files.remove("/etc/hosts").filter(|_| order(libc, &files).files);
        Ok((conf, hosts.unwrap_or_default()))
    }

    fn planned(&self, asks: &Asks<'_>, request: &Request) -> Result<Plan, AskError> {
        let files = asks.files;
        let order = order(asks.libc, files);
        let conf = || conf_of(asks.libc, files);
        let seeded = |resolver: Resolver| Some(Box::new(resolver.seeded(asks.seed)) as Box<dyn LookUp>);
        let resolver = |target: &Target| match target {
            Target::Name(name) => {
                let only = match asks.means {
                    Some(Means::Family(record)) => Some(*record),
                    _ => None,
                };
                let hosts = files.get("/etc/hosts").filter(|_| order.files);
                let hosts = hosts.and_then(|text| hosts_lookup(text, name));
                let hosts = hosts.filter(|ip| only.is_none_or(|r| (r == RecordType::A) == ip.is_ipv4()));
                let types = only.map_or_else(|| vec![RecordType::A, RecordType::Aaaa], |r| vec![r]);
                let resolver = Resolver::addresses_of(conf(), name, types, hosts);
                seeded(resolver.for_stack(asks.stack).hosts_last(!order.files_first))
            }
            _ => None,
        };
        let plan = |target: &Target, port: u16, message: Message| -> Result<Plan, AskError> {
            Ok(Plan {
                resolver: resolver(target),
                address: self.address_of(target)?,
                port,
                message,
                unknowns: Vec::new(),
            })
        };
        match request {
            Request::Http(http) => self.planned_http(http, &plan),
            Request::Tcp {
                host,
                port,
                payload_bytes,
            } => plan(
                host,
                *port,
                Message::Stream {
                    protocol: L4Protocol::Tcp,
                    bytes: payload(*payload_bytes),
                },
            ),
            Request::Sctp {
                host,
                port,
                payload_bytes,
            } => plan(
                host,
                *port,
                Message::Stream {
                    protocol: L4Protocol::Sctp,
                    bytes: payload(*payload_bytes),
                },
            ),
            Request::Udp {
                host,
                port,
                payload_bytes,
                dont_fragment,
            } => plan(
                host,
                *port,
                Message::Datagram {
                    protocol: L4Protocol::Udp,
                    bytes: payload(*payload_bytes),
                    df: *dont_fragment,
                },
            ),
            Request::Icmp {
                host,
                payload_bytes,
                dont_fragment,
            } => plan(
                host,
                0,
                Message::Datagram {
                    protocol: L4Protocol::Icmp,
                    bytes: payload(*payload_bytes),
                    df: *dont_fragment,
                },
            ),
            Request::Dns { name, record, server } => {
                let mut conf = conf();
                if let Some((target, port)) = server {
                    let address = self.address_of(target)?;
                    let hosts = files.get("/etc/hosts");
                    let address = address.or_else(|| match target {
                        Target::Name(name) => hosts.and_then(|text| hosts_lookup(text, name)),
                        _ => None,
                    });
                    conf.nameservers = vec![address.ok_or_else(|| AskError::NotModelled {
                        what: format!("a name server by name ({target})"),
                    })?];
                    conf.port = *port;
                }
                let record = record.parse().map_err(|()| AskError::Malformed {
                    found: record.clone(),
                    expected: "a record type such as A, AAAA, SRV, PTR, CNAME or TXT",
                })?;
                Ok(Plan {
                    resolver: match asks.means {
                        None | Some(Means::Family(_)) => seeded(Resolver::records(conf, name, record)),
                        Some(Means::Addresses(types)) => {
                            seeded(Resolver::addresses_of(conf, name, types.clone(), None))
                        }
                        Some(Means::Tool(questions)) => {
                            Some(Box::new(Tool::new(questions.clone(), asks.seed)))
                        }
                    },
                    address: None,
                    port: 0,
                    message: Message::Nothing,
                    unknowns: Vec::new(),
                })
            }
        }
    }

    fn planned_http(
        &self,
        http: &Http,
        plan: &dyn Fn(&Target, u16, Message) -> Result<Plan, AskError>,
    ) -> Result<Plan, AskError> {
        let (target, port) = match (&http.connect_to, &http.host) {
            (Some((target, port)), _) => (target.clone(), *port),
            (None, Some(host)) => (host.clone(), http.port),
            (None, None) => {
                return Err(AskError::Malformed {
                    found: "a URL without a host".to_owned(),
                    expected: "a host, or connectTo",
                });
            }
        };
        if http.tls {
            let message = Message::Stream {
                protocol: L4Protocol::Tcp,
                bytes: Vec::new(),
            };
            let mut planned = plan(&target, port, message)?;
            planned.unknowns.push(Unknown {
                what: "TLS".to_owned(),
                why: "the handshake of https is not modelled yet; the TCP connection is".to_owned(),
            });
            return Ok(planned);
        }
        let host = match &http.host {
            Some(Target::Name(name)) => name.clone(),
            Some(other) => self
                .address_of(other)?
                .map(|a| Target::Address(a).to_string())
                .unwrap_or_default(),
            None => self
                .address_of(&target)?
                .map(|a| Target::Address(a).to_string())
                .unwrap_or_default(),
        };
        let port_shown = http.port_given || http.host.is_none();
        let shown = if http.host.is_none() { port } else { http.port };
        let host = if port_shown && shown != 80 {
            format!("{host}:{shown}")
        } else {
            host
        };
        let mut message = http::Request::new(http.method.clone(), http.path.clone());
        message.headers.push("Host", host);
        message.headers.push("User-Agent", "curl/8.14.1");
        message.headers.push("Accept", "*/*");
        for (name, value) in &http.headers {
            if ["host", "user-agent", "accept"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
            {
                message.headers.set(name, value.clone());
            } else {
                message.headers.push(name.clone(), value.clone());
            }
        }
        message.body = payload(http.body_bytes);
        let label = format!("{} {}", http.method, http.path);
        plan(
            &target,
            port,
            Message::Http {
                bytes: message.to_bytes(),
                label,
                head: http.method == "HEAD",
            },
        )
    }
}

/// Where names are looked up: musl always in /etc/hosts and then at name servers.
fn order(libc: Libc, files: &BTreeMap<String, String>) -> Order {
    Order::of(files.get("/etc/nsswitch.conf").filter(|_| libc == Libc::Glibc))
}

/// What is asked, and how. A program whose C library goes to systemd-resolved makes it ask the links' servers.
fn conf_of(libc: Libc, files: &BTreeMap<String, String>) -> ResolvConf {
    let order = order(libc, files);
    let uplink = files.get(UPLINK).filter(|_| order.resolve);
    let text = uplink.or_else(|| files.get("/etc/resolv.conf"));
    let mut conf = ResolvConf::parse_as(libc, text.map_or("", String::as_str));
    if !order.dns && uplink.is_none() {
        conf.nameservers.clear();
    }
    conf
}

/// The name that a request looks up.
fn name_asked(request: &Request) -> &str {
    let host = match request {
        Request::Dns { name, .. } => return name,
        Request::Http(http) => http.connect_to.as_ref().map(|(to, _)| to).or(http.host.as_ref()),
        Request::Tcp { host, .. }
        | Request::Sctp { host, .. }
        | Request::Udp { host, .. }
        | Request::Icmp { host, .. } => Some(host),
    };
    match host {
        Some(Target::Name(name)) => name,
        _ => "",
    }
}

/// A payload of so many bytes that is easy to see in a capture.
fn payload(bytes: usize) -> Vec<u8> {
    b"hoplab ".iter().copied().cycle().take(bytes).collect()
}

fn process_name(request: &Request) -> &'static str {
    match request {
        Request::Http(_) => "curl",
        Request::Tcp { .. } | Request::Udp { .. } => "nc",
        Request::Sctp { .. } => "ncat",
        Request::Icmp { .. } => "ping",
        Request::Dns { .. } => "dig",
    }
}

/// A request in the one-string form.
fn text_of(request: &Request) -> String {
    match request {
        Request::Http(http) => {
            let scheme = if http.tls { "https" } else { "http" };
            let host = http.host.as_ref().map(ToString::to_string).unwrap_or_default();
            let port = if http.port_given {
                format!(":{}", http.port)
            } else {
                String::new()
            };
            format!("{scheme}://{host}{port}{}", http.path)
        }
        Request::Tcp { host, port, .. } => format!("{host}:{port}"),
        Request::Sctp { host, port, .. } => format!("sctp:{host}:{port}"),
        Request::Udp { host, port, .. } => format!("udp:{host}:{port}"),
        Request::Icmp { host, .. } => format!("icmp:{host}"),
        Request::Dns { name, record, .. } => format!("dns:{name}/{record}"),
    }
}

fn limit_reached(end: RunEnd) -> Option<Unknown> {
    let what = match end {
        RunEnd::Idle | RunEnd::Finished => return None,
        RunEnd::StepLimit => "steps",
        RunEnd::TimeLimit => "simulated time",
        RunEnd::FlightLimit => "packets",
    };
    Some(Unknown {
        what: format!("the end of this run ({what})"),
        why: "it was stopped at a limit before it was over".to_owned(),
    })
}

/// The conversation of the request itself; of a look-up the last question.
fn main_conversation<'c>(all: &'c [ConversationInfo], request: &Request) -> Option<&'c ConversationInfo> {
    let dns = matches!(request, Request::Dns { .. });
    all.iter().rev().find(|c| match &c.kind {
        ConversationKind::Flow(Purpose::Main) => true,
        ConversationKind::Flow(Purpose::Dns { .. }) => dns,
        _ => false,
    })
}

/// Puts the flights where they belong: the request's own as legs, look-ups and ARP beside them.
fn tell(
    trace: &mut Trace,
    flights: &[Flight],
    conversations: &[ConversationInfo],
    place_of: &dyn Fn(NetNsId) -> Place,
    request: &Request,
) {
    let dns_is_main = matches!(request, Request::Dns { .. });
    for conversation in conversations {
        let legs: Vec<Leg> = flights
            .iter()
            .filter(|f| f.conversation == conversation.id)
            .map(|f| leg(f, place_of))
            .collect();
        let (why, label) = match &conversation.kind {
            ConversationKind::Flow(Purpose::Main) => {
                trace.legs.extend(legs);
                continue;
            }
            ConversationKind::Flow(Purpose::Dns { question }) => {
                if dns_is_main {
                    trace.legs.extend(legs);
                    continue;
                }
                ("dns", question.clone())
            }
            ConversationKind::Flow(Purpose::Upstream { why }) => ("upstream", why.clone()),
            ConversationKind::Neighbour { target, .. } => {
                let why = if target.is_ipv4() { "arp" } else { "ndp" };
                (why, format!("who has {target}"))
            }
        };
        let Some(first) = legs.first() else { continue };
        let reason = legs.last().map(|l| l.label.clone()).unwrap_or_default();
        let outcome = if conversation.answered_at.is_some() {
            Outcome::Delivered
        } else {
            Outcome::Dropped
        };
        let micros = conversation
            .answered_at
            .map_or(0, |at| at.0.saturating_sub(first.start().0));
        let from = place_of(conversation.opener).to_string();
        let sub = Trace {
            from,
            to: label.clone(),
            outcome,
            verdict: Verdict::Allowed,
            reason,
            backend: conversation.acceptor.as_ref().map(|a| place_of(a.netns)),
            source: conversation.acceptor.as_ref().map(|a| a.peer.ip()),
            exchange: Exchange::default(),
            dns: None,
            micros,
            legs,
            subtraces: Vec::new(),
            lookup: None,
            choices: Vec::new(),
            unknowns: Vec::new(),
        };
        trace.subtraces.push(SubTrace {
            why,
            label,
            trace: sub,
        });
    }
}

/// What the two ends saw of each other, from the bytes that arrived.
fn exchange(request: &Request, report: &Report, flights: &[Flight], all: &[ConversationInfo]) -> Exchange {
    let Request::Http(asked) = request else {
        return Exchange::default();
    };
    let mut seen = Exchange::default();
    if let Some(main) = main_conversation(all, request) {
        let mut bytes = Vec::new();
        for flight in flights.iter().filter(|f| f.conversation == main.id && f.forward) {
            if flight.end == hoplab_trace::LegEnd::Delivered
                && let Some((_, step)) = flight.steps.last()
            {
                bytes.extend_from_slice(&step.packet.payload.0);
            }
        }
        if let Ok(Some((received, _))) = http::Request::parse(&bytes) {
            seen.received = Some(MessageSeen {
                method: received.method.clone(),
                path: received.target.clone(),
                host: received.headers.first("host").unwrap_or_default().to_owned(),
                protocol: received.version.clone(),
                headers: received.headers.0.clone(),
                body: received.body,
            });
        }
    }
    if let Ok(Some((response, _))) = http::Response::parse(&report.received, asked.method == "HEAD", true) {
        seen.status = Some(response.status);
        seen.response = Some(MessageSeen {
            method: String::new(),
            path: String::new(),
            host: String::new(),
            protocol: response.version,
            headers: response.headers.0,
            body: response.body,
        });
    }
    seen
}

/// The pods whose stacks the packets of a trace met.
fn pods_met(trace: &Trace) -> Vec<ObjectKey> {
    let mut out: Vec<ObjectKey> = Vec::new();
    let subs = trace.subtraces.iter().flat_map(|s| &s.trace.legs);
    for (place, _) in trace.legs.iter().chain(subs).flat_map(Leg::steps) {
        if let Place::Pod(name) = place
            && let Some((namespace, name)) = name.split_once('/')
        {
            let key = ObjectKey::new("", "Pod", namespace, name);
            if !out.contains(&key) {
                out.push(key);
            }
        }
    }
    out
}
