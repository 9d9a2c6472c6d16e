//! CoreDNS as a program: its Corefile's server blocks over the tables that its plug-ins read.

use super::corefile::{Corefile, Directive, ServerBlock};
use super::kubernetes::{Found, Kubernetes, PodMode};
use super::table::DnsTable;
use super::zone::{Upstream, Zones};
use hoplab_kernel::netns::Listener;
use hoplab_kernel::process::{Action, Event, Process, Program};
use hoplab_objects::relate::Relations;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{ClusterIp, ConfigMap, Container, Pod, Service};
use hoplab_objects::{Object, Store};
use hoplab_source::{FieldPath, ObjectKey};
use hoplab_trace::Name as SharedName;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType};
use indexmap::IndexMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long CoreDNS thinks. A small number, so that time moves; the figure itself carries no meaning.
const ANSWER_AFTER: Duration = Duration::from_micros(100);

/// What a CoreDNS pod listens on.
#[derive(Default)]
pub struct DnsListeners {
    /// Its sockets.
    pub listeners: Vec<Listener>,
    /// What could not be read or is not modelled.
    pub problems: Vec<String>,
}

/// Plug-ins that change no answer that the model gives: accepted and passed over.
static WITHOUT_EFFECT: &[&str] =
    &["errors", "health", "ready", "prometheus", "cache", "loop", "reload", "log", "loadbalance", "bufsize", "metadata", "debug"];

/// A server block as compiled.
struct Server {
    zones: Vec<(Name, u16)>,
    kubernetes: Option<Kubernetes>,
    forwards: Vec<Name>,
    /// `loadbalance` is on: addresses take turns.
    balances: bool,
}

struct CoreDns {
    name: SharedName,
    servers: Arc<Vec<Server>>,
    zones: Arc<Zones>,
    port: u16,
}

impl Program for CoreDns {
    fn name(&self) -> &SharedName {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(Running { servers: Arc::clone(&self.servers), zones: Arc::clone(&self.zones), port: self.port, streams: IndexMap::new() })
    }
}

struct Running {
    servers: Arc<Vec<Server>>,
    zones: Arc<Zones>,
    port: u16,
    streams: IndexMap<hoplab_kernel::process::SocketId, Vec<u8>>,
}

/// An answer, and a word of who gave it.
struct Reply {
    message: Message,
    note: String,
}

impl Running {
    fn answer(&self, query: &Message) -> Reply {
        let Some(question) = query.questions.first() else {
            return Reply { message: Message::answer_to(query, Rcode::FormErr), note: "the query holds no question".to_owned() };
        };
        let server = self
            .servers
            .iter()
            .flat_map(|s| s.zones.iter().map(move |z| (z, s)))
            .filter(|((zone, port), _)| *port == self.port && question.name.is_within(zone))
            .max_by_key(|((zone, _), _)| zone.labels().len());
        let Some((_, server)) = server else {
            let note = format!("no server block is for {}", question.name);
            return Reply { message: Message::answer_to(query, Rcode::Refused), note };
        };
        let mut reply = self.by_plugins(server, query, &question.name, question.record_type);
        if server.balances {
            rotate(&mut reply.message.answers, usize::from(query.id));
        }
        reply.message.edns = query.edns.as_ref().map(|edns| hoplab_wire::dns::Edns { options: Vec::new(), ..edns.clone() });
        reply
    }

    /// The plug-in chain: kubernetes, then forward.
    fn by_plugins(&self, server: &Server, query: &Message, name: &Name, record_type: RecordType) -> Reply {
        if let Some(kubernetes) = &server.kubernetes
            && let Some(zone) = kubernetes.zone_of(name)
        {
            let found = kubernetes.find(name, record_type, zone);
            if found != Found::NxDomain || !kubernetes.falls_through(name) {
                return self.from_kubernetes(server, kubernetes, zone, query, record_type, found);
            }
        }
        if server.forwards.iter().any(|from| name.is_within(from)) {
            return self.forward(query, name, record_type);
        }
        let note = format!("no plug-in answers {name}");
        Reply { message: Message::answer_to(query, Rcode::ServFail), note }
    }

    fn from_kubernetes(
        &self,
        server: &Server,
        kubernetes: &Kubernetes,
        zone: &Name,
        query: &Message,
        record_type: RecordType,
        found: Found,
    ) -> Reply {
        let mut message = Message::answer_to(query, Rcode::NoError);
        message.flags.authoritative = true;
        let note;
        match found {
            Found::Records(answers, extra) => {
                note = format!("the kubernetes plug-in answers with {}", count(answers.len(), "record"));
                message.answers = answers;
                message.additionals = extra;
            }
            Found::Alias(record, target) => {
                let chased = if record_type == RecordType::Cname { Some(Vec::new()) } else { self.chase(server, kubernetes, query, &target, record_type) };
                match chased {
                    Some(records) => {
                        note = format!("the kubernetes plug-in answers with the name {target}");
                        message.answers.push(record);
                        message.answers.extend(records);
                    }
                    None => {
                        note = format!("{target} is in the cluster's own zone and has no such record");
                        message.authorities.push(kubernetes.soa(zone));
                    }
                }
            }
            Found::NoData => {
                note = "the kubernetes plug-in knows the name, without such a record".to_owned();
                message.authorities.push(kubernetes.soa(zone));
            }
            Found::NxDomain => {
                note = "the kubernetes plug-in knows no such name".to_owned();
                message.set_rcode(Rcode::NxDomain);
                message.authorities.push(kubernetes.soa(zone));
            }
        }
        Reply { message, note }
    }

    /// The records of an ExternalName's target; `None`: it is in the cluster's zone and has none.
    fn chase(&self, server: &Server, own: &Kubernetes, query: &Message, target: &Name, record_type: RecordType) -> Option<Vec<Record>> {
        if own.zone_of(target).is_none() {
            return Some(self.forward(query, target, record_type).message.answers);
        }
        // An alias may name another alias; each look-up is bounded by the number of plug-in calls below.
        let mut wanted = target.clone();
        let mut chain = Vec::new();
        for _ in 0..8 {
            let Some(zone) = own.zone_of(&wanted) else {
                chain.extend(self.forward(query, &wanted, record_type).message.answers);
                return Some(chain);
            };
            match own.find(&wanted, record_type, zone) {
                Found::Records(records, _) => {
                    chain.extend(records);
                    return Some(chain);
                }
                Found::Alias(record, next) => {
                    chain.push(record);
                    wanted = next;
                }
                Found::NoData | Found::NxDomain => return None,
            }
        }
        let _ = server;
        None
    }

    fn forward(&self, query: &Message, name: &Name, record_type: RecordType) -> Reply {
        let mut message = Message::answer_to(query, Rcode::NoError);
        message.flags.recursion_available = true;
        let note = match self.zones.find(name, record_type) {
            Upstream::Records(records) => {
                message.answers = records;
                "forwarded; the zone outside answers".to_owned()
            }
            Upstream::NoData => "forwarded; the zone outside has no such record".to_owned(),
            Upstream::NxDomain => {
                message.set_rcode(Rcode::NxDomain);
                "forwarded; the zone outside has no such name".to_owned()
            }
            Upstream::NoZone => {
                message.set_rcode(Rcode::NxDomain);
                format!("forwarded; no Zone document of this world holds {name}")
            }
        };
        Reply { message, note }
    }

    fn reply_bytes(reply: &Reply, limit_bytes: usize) -> Vec<u8> {
        let bytes = reply.message.to_bytes();
        if bytes.len() <= limit_bytes {
            return bytes;
        }
        let mut cut = reply.message.clone();
        cut.flags.truncated = true;
        cut.additionals.clear();
        while cut.to_bytes().len() > limit_bytes && cut.answers.pop().is_some() {}
        cut.to_bytes()
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
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

impl Process for Running {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        let Event::Data { socket, bytes, .. } = event else {
            if let Event::Closed { socket, .. } = event {
                self.streams.swap_remove(&socket);
                actions.push(Action::Close { socket, after: Duration::ZERO });
            }
            return;
        };
        // Over TCP each message comes behind its length (RFC 1035 §4.2.2); over UDP a datagram is one message.
        let stream = self.streams.contains_key(&socket) || Message::parse(bytes).is_err();
        if !stream {
            let Ok(query) = Message::parse(bytes) else { return };
            let reply = self.answer(&query);
            send(socket, &reply, Self::reply_bytes(&reply, query.udp_limit_bytes()), actions);
            return;
        }
        let buffer = self.streams.entry(socket).or_default();
        buffer.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Some(length) = buffer.first_chunk::<2>().map(|b| usize::from(u16::from_be_bytes(*b))) {
            if buffer.len() < length + 2 {
                break;
            }
            messages.push(buffer[2..length + 2].to_vec());
            buffer.drain(..length + 2);
        }
        for message in messages {
            let Ok(query) = Message::parse(&message) else { continue };
            let reply = self.answer(&query);
            let body = Self::reply_bytes(&reply, usize::from(u16::MAX));
            let mut framed = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
            framed.extend(body);
            send(socket, &reply, framed, actions);
        }
    }
}

fn send(socket: hoplab_kernel::process::SocketId, reply: &Reply, bytes: Vec<u8>, actions: &mut Vec<Action>) {
    actions.push(Action::Note { socket, what: reply.note.clone() });
    let label = match reply.message.answers.len() {
        0 if reply.message.rcode() == Rcode::NoError => "NODATA".to_owned(),
        0 => reply.message.rcode().to_string(),
        _ => format!("{}, {}", reply.message.rcode(), count(reply.message.answers.len(), "answer")),
    };
    actions.push(Action::Send { socket, bytes, label, after: ANSWER_AFTER });
}

/// The Corefile of a CoreDNS container: a key of the ConfigMap that it mounts.
fn corefile(object: &Object, pod: &Pod, container: &Container, store: &Store) -> Result<(String, ObjectKey), String> {
    let mounted = container.volume_mounts.iter().find_map(|mount| {
        pod.spec.volumes.iter().find(|v| v.name == mount.name)?.config_map.as_ref()
    });
    let Some(mounted) = mounted else {
        return Err(format!("{}: no ConfigMap with a Corefile is mounted", object.key));
    };
    let key = ObjectKey::new("", "ConfigMap", object.key.namespace.clone(), mounted.name.clone());
    let map = store
        .view::<ConfigMap>(&object.key.namespace, &mounted.name)
        .ok_or_else(|| format!("{}: {key} does not exist", object.key))?;
    let text = map.data.get("Corefile").ok_or_else(|| format!("{key} has no key Corefile"))?;
    Ok((text.clone(), key))
}

fn names(words: &[String]) -> Vec<Name> {
    words.iter().filter_map(|w| Name::parse(w).ok()).collect()
}

fn kubernetes(directive: &Directive, block: &ServerBlock, context: &Context<'_>, problems: &mut Vec<String>) -> Kubernetes {
    let mut zones = names(&directive.words[1..]);
    if zones.is_empty() {
        zones = block.zones.iter().filter_map(|(zone, _)| Name::parse(zone).ok()).collect();
    }
    let mut plugin = Kubernetes {
        zones,
        pods: PodMode::Disabled,
        ttl_seconds: 5,
        endpoint_pod_names: false,
        ignore_empty_service: false,
        fallthrough: None,
        own_addresses: context.own_addresses.clone(),
        own_service: context.own_service.clone(),
        table: Arc::clone(&context.table),
    };
    for property in &directive.block {
        let argument = property.words.get(1).map(String::as_str);
        match (property.words[0].as_str(), argument) {
            ("pods", Some("disabled")) => plugin.pods = PodMode::Disabled,
            ("pods", Some("insecure")) => plugin.pods = PodMode::Insecure,
            ("pods", Some("verified")) => plugin.pods = PodMode::Verified,
            ("ttl", Some(ttl)) if ttl.parse::<u32>().is_ok_and(|t| t <= 3600) => {
                plugin.ttl_seconds = ttl.parse().unwrap_or(5);
            }
            ("endpoint_pod_names", _) => plugin.endpoint_pod_names = true,
            ("ignore", Some("empty_service")) => plugin.ignore_empty_service = true,
            ("fallthrough", _) => plugin.fallthrough = Some(names(&property.words[1..])),
            ("endpoint" | "kubeconfig" | "tls" | "apiserver_qps" | "startup_timeout", _) => {}
            _ => problems.push(format!("Corefile:{}: kubernetes {} is not modelled", property.line, property.words.join(" "))),
        }
    }
    plugin
}

struct Context<'a> {
    table: Arc<DnsTable>,
    own_addresses: Vec<IpAddr>,
    own_service: Option<(String, String)>,
    settings: &'a ClusterSettings,
}

fn compile(file: &Corefile, context: &Context<'_>, problems: &mut Vec<String>) -> Vec<Server> {
    let mut servers = Vec::new();
    for block in &file.blocks {
        let zones = block.zones.iter().filter_map(|(z, port)| Some((Name::parse(z).ok()?, *port))).collect();
        let mut server = Server { zones, kubernetes: None, forwards: Vec::new(), balances: false };
        for directive in &block.directives {
            match directive.words[0].as_str() {
                "kubernetes" => server.kubernetes = Some(kubernetes(directive, block, context, problems)),
                "forward" => server.forwards.extend(names(directive.words.get(1..2).unwrap_or_default())),
                "loadbalance" => server.balances = true,
                plugin if WITHOUT_EFFECT.contains(&plugin) => {}
                plugin => problems.push(format!("Corefile:{}: plug-in {plugin} is not modelled", directive.line)),
            }
        }
        servers.push(server);
    }
    let _ = context.settings;
    servers
}

/// What a CoreDNS container listens on, by its Corefile.
pub fn coredns_listeners(
    object: &Object,
    pod: &Pod,
    container: &Container,
    path: &FieldPath,
    store: &Store,
    relations: &Relations,
    settings: &ClusterSettings,
) -> DnsListeners {
    let mut out = DnsListeners::default();
    let (text, _) = match corefile(object, pod, container, store) {
        Ok(found) => found,
        Err(problem) => {
            out.problems.push(problem);
            return out;
        }
    };
    let file = match Corefile::parse(&text) {
        Ok(file) => file,
        Err(error) => {
            out.problems.push(error.to_string());
            return out;
        }
    };
    let services = relations.services_of_pod(&object.key);
    let own_addresses = services
        .iter()
        .filter_map(|key| store.view::<Service>(&key.namespace, &key.name))
        .filter_map(|s| match s.spec.cluster_ip {
            Some(ClusterIp::Ip(address)) => Some(address),
            _ => None,
        })
        .collect();
    let own_service = services.first().map(|k| (k.namespace.clone(), k.name.clone()));
    let context = Context { table: Arc::new(DnsTable::of(store)), own_addresses, own_service, settings };
    let servers = Arc::new(compile(&file, &context, &mut out.problems));
    let (zones, problems) = Zones::of(store);
    out.problems.extend(problems);
    let zones = Arc::new(zones);
    let mut ports: Vec<u16> = servers.iter().flat_map(|s| s.zones.iter().map(|(_, port)| *port)).collect();
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        for protocol in [L4Protocol::Udp, L4Protocol::Tcp] {
            let program =
                CoreDns { name: "coredns".into(), servers: Arc::clone(&servers), zones: Arc::clone(&zones), port };
            out.listeners.push(Listener {
                protocol,
                address: None,
                port: Some(port),
                program: Arc::new(program),
                origin: Some(Arc::new(object.origin(&path.key("image")))),
            });
        }
    }
    out
}
