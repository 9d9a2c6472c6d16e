//! A CoreDNS container's server blocks, as its Corefile and the cluster make them.

use super::Names;
use super::corefile::{Corefile, Directive, ServerBlock};
use super::kubernetes::{Kubernetes, PodMode};
use super::resolv::ResolvConf;
use super::server::{CoreDns, Forward, Server};
use super::table::DnsTable;
use hoplab_kernel::netns::Listener;
use hoplab_objects::relate::Relations;
use hoplab_objects::view::{ClusterIp, ConfigMap, Container, Pod, Service};
use hoplab_objects::{Object, Store};
use hoplab_source::{FieldPath, ObjectKey};
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::Name;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a CoreDNS pod listens on.
#[derive(Default)]
pub struct DnsListeners {
    /// Its sockets.
    pub listeners: Vec<Listener>,
    /// What could not be read or is not modelled.
    pub problems: Vec<String>,
}

/// What a pod's servers read of the world around them.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Every object.
    pub store: &'a Store,
    /// Who selects whom.
    pub relations: &'a Relations,
    /// What is known of names.
    pub names: &'a Names,
    /// The pod's /etc/resolv.conf, which a CoreDNS in it forwards to.
    pub resolv_conf: &'a str,
}

/// Plug-ins that change no answer that the model gives: accepted and passed over.
static WITHOUT_EFFECT: &[&str] = &[
    "errors",
    "health",
    "ready",
    "prometheus",
    "cache",
    "loop",
    "reload",
    "log",
    "loadbalance",
    "bufsize",
    "metadata",
    "debug",
];

/// The Corefile of a CoreDNS container: a key of the ConfigMap that it mounts.
fn corefile(
    object: &Object,
    pod: &Pod,
    container: &Container,
    store: &Store,
) -> Result<(String, ObjectKey), String> {
    let mounted = container.volume_mounts.iter().find_map(|mount| {
        pod.spec
            .volumes
            .iter()
            .find(|v| v.name == mount.name)?
            .config_map
            .as_ref()
    });
    let Some(mounted) = mounted else {
        return Err(format!("{}: no ConfigMap with a Corefile is mounted", object.key));
    };
    let key = ObjectKey::new(
        "",
        "ConfigMap",
        object.key.namespace.clone(),
        mounted.name.clone(),
    );
    let map = store
        .view::<ConfigMap>(&object.key.namespace, &mounted.name)
        .ok_or_else(|| format!("{}: {key} does not exist", object.key))?;
    let text = map
        .data
        .get("Corefile")
        .ok_or_else(|| format!("{key} has no key Corefile"))?;
    Ok((text.clone(), key))
}

fn names(words: &[String]) -> Vec<Name> {
    words.iter().filter_map(|w| Name::parse(w).ok()).collect()
}

fn kubernetes(
    directive: &Directive,
    block: &ServerBlock,
    context: &Context<'_>,
    problems: &mut Vec<String>,
) -> Kubernetes {
    let mut zones = names(&directive.words[1..]);
    if zones.is_empty() {
        zones = block
            .zones
            .iter()
            .filter_map(|(zone, _)| Name::parse(zone).ok())
            .collect();
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
            _ => problems.push(format!(
                "Corefile:{}: kubernetes {} is not modelled",
                property.line,
                property.words.join(" ")
            )),
        }
    }
    plugin
}

/// `forward FROM TO…`: TO is an address, or a file like /etc/resolv.conf that names some.
fn forward(directive: &Directive, context: &Context<'_>, problems: &mut Vec<String>) -> Option<Forward> {
    let from = Name::parse(directive.words.get(1)?).ok()?;
    let mut to = Vec::new();
    for word in directive.words.get(2..).unwrap_or_default() {
        let plain = word.strip_prefix("dns://").unwrap_or(word);
        if word.starts_with('/') {
            let conf = ResolvConf::parse(context.resolv_conf);
            to.extend(
                conf.nameservers
                    .iter()
                    .map(|server| SocketAddr::new(*server, conf.port)),
            );
        } else if let Ok(address) = plain.parse::<SocketAddr>() {
            to.push(address);
        } else if let Ok(address) = plain.parse::<IpAddr>() {
            to.push(SocketAddr::new(address, 53));
        } else {
            problems.push(format!(
                "Corefile:{}: forward to {word} is not modelled",
                directive.line
            ));
        }
    }
    Some(Forward { from, to })
}

struct Context<'a> {
    table: Arc<DnsTable>,
    own_addresses: Vec<IpAddr>,
    own_service: Option<(String, String)>,
    /// The pod's /etc/resolv.conf.
    resolv_conf: &'a str,
}

fn compile(file: &Corefile, context: &Context<'_>, problems: &mut Vec<String>) -> Vec<Server> {
    let mut servers = Vec::new();
    for block in &file.blocks {
        let zones = block
            .zones
            .iter()
            .filter_map(|(z, port)| Some((Name::parse(z).ok()?, *port)))
            .collect();
        let mut server = Server {
            zones,
            kubernetes: None,
            forwards: Vec::new(),
            balances: false,
        };
        for directive in &block.directives {
            match directive.words[0].as_str() {
                "kubernetes" => server.kubernetes = Some(kubernetes(directive, block, context, problems)),
                "forward" => server.forwards.extend(forward(directive, context, problems)),
                "loadbalance" => server.balances = true,
                plugin if WITHOUT_EFFECT.contains(&plugin) => {}
                plugin => problems.push(format!(
                    "Corefile:{}: plug-in {plugin} is not modelled",
                    directive.line
                )),
            }
        }
        servers.push(server);
    }
    servers
}

/// What a CoreDNS container listens on, by its Corefile.
pub fn coredns_listeners(
    object: &Object,
    pod: &Pod,
    container: &Container,
    path: &FieldPath,
    around: &Around<'_>,
) -> DnsListeners {
    let Around {
        store,
        relations,
        names: all_names,
        resolv_conf,
    } = *around;
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
    let context = Context {
        table: Arc::clone(all_names.table(store)),
        own_addresses,
        own_service,
        resolv_conf,
    };
    let servers = Arc::new(compile(&file, &context, &mut out.problems));
    let mut ports: Vec<u16> = servers
        .iter()
        .flat_map(|s| s.zones.iter().map(|(_, port)| *port))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        for protocol in [L4Protocol::Udp, L4Protocol::Tcp] {
            let program = CoreDns::new(Arc::clone(&servers), port, protocol);
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
