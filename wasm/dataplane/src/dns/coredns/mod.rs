//! CoreDNS as a program in its pods: its Corefile read from the ConfigMap that is mounted, its plug-ins in its own order,
//! its sockets. NodeLocal DNSCache is the same program on a node.

mod autopath;
mod cache;
mod chain;
mod external;
mod file;
mod forward;
mod hosts;
mod kubernetes;
mod log;
mod looped;
mod memory;
mod pattern;
mod process;
mod rewrite;
mod running;
mod setup;
mod simple;
mod source;
mod table;
mod template;
mod view;

pub use memory::{Held, Memory, memory, noted};
pub use running::{Judged, Running};
pub use source::{local_addresses, serves_names};
pub(super) use table::DnsTable;

use super::Names;
use super::corefile::{Corefile, CorefileError};
use hoplab_kernel::netns::Listener;
use hoplab_objects::relate::Relations;
use hoplab_objects::view::{Container, Pod};
use hoplab_objects::{Object, Store};
use hoplab_source::FieldPath;
use hoplab_source::order;
use hoplab_wire::L4Protocol;
use memory::Web;
use process::CoreDns;
use setup::{Compiled, Surroundings, compile};
use source::Source;
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
    /// Which Corefile each CoreDNS runs with.
    pub running: &'a [Running],
    /// Of a CoreDNS: where it is.
    pub place: Option<&'a Place<'a>>,
}

/// Where a CoreDNS is, as far as its Corefile can ask.
pub struct Place<'a> {
    /// Its /etc/resolv.conf, which it forwards to.
    pub resolv_conf: &'a str,
    /// Its /etc/hosts.
    pub hosts: &'a str,
    /// Its own addresses.
    pub own: Vec<IpAddr>,
    /// On its node's network.
    pub host_network: bool,
    /// Addresses and ports of the Services in front of it, each with its own port.
    pub services: Vec<(SocketAddr, u16)>,
}

impl Place<'_> {
    /// Whether what is wrong may lie in the pod's own addresses.
    fn decides_alone(&self) -> bool {
        !self.host_network
    }
}

/// The lines that CoreDNS prints when it starts with this Corefile: its servers and its version.
/// Source: coremain/run.go; core/dnsserver/onstartup.go.
pub fn startup_lines(running: &Running, pod: &Pod) -> Vec<String> {
    if let Some(last) = running.last_words() {
        let loops = last.contains("plugin/loop");
        let mut lines = if loops {
            servers(running.read_text(), pod)
        } else {
            Vec::new()
        };
        lines.push(last);
        return lines;
    }
    servers(running.first_read(), pod)
}

fn servers(text: &str, pod: &Pod) -> Vec<String> {
    let none = hoplab_source::collections::BTreeMap::new();
    let Ok(file) = Corefile::parse(text, &none, setup::is_known) else {
        return Vec::new();
    };
    let container = pod.spec.running_containers().find(|c| serves_names(c));
    let mut lines = Vec::new();
    for block in &file.blocks {
        let bound = block.directives.iter().filter(|d| d.words[0] == "bind");
        let hosts: Vec<&str> = bound.flat_map(|d| &d.words[1..]).map(String::as_str).collect();
        for (zone, port) in &block.zones {
            if hosts.is_empty() {
                lines.push(format!("{zone}.:{port}"));
            }
            lines.extend(hosts.iter().map(|host| format!("{zone}.:{port} on {host}")));
        }
    }
    let tag = container
        .and_then(|c| c.image.rsplit_once(":v"))
        .map_or("1.14.0", |(_, tag)| tag);
    lines.push(format!("CoreDNS-{}", tag.split('@').next().unwrap_or(tag)));
    lines
}

/// A Corefile with its files, compiled.
fn compiled(
    text: &str,
    source: &Source,
    place: &Place<'_>,
    table: &Arc<DnsTable>,
) -> Result<(Corefile, Compiled), CorefileError> {
    let file = Corefile::parse(text, &source.files, setup::is_known)?;
    let loopback = ("lo".to_owned(), IpAddr::from([127, 0, 0, 1]));
    let eth0 = place.own.iter().map(|address| ("eth0".to_owned(), *address));
    let interfaces: Vec<(String, IpAddr)> = std::iter::once(loopback).chain(eth0).collect();
    let surroundings = Surroundings {
        table: Arc::clone(table),
        own_addresses: place.own.clone(),
        interfaces: &interfaces,
        resolv_conf: place.resolv_conf,
        hosts: place.hosts,
        files: &source.files,
        folder: &source.folder,
    };
    let mut made = compile(&file, &surroundings)?;
    // FNV-1a.
    made.digest = text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok((file, made))
}

/// What a CoreDNS container listens on, by the Corefile in force.
pub fn coredns_listeners(
    object: &Object,
    pod: &Pod,
    container: &Container,
    path: &FieldPath,
    around: &Around<'_>,
) -> DnsListeners {
    let mut out = DnsListeners::default();
    let source = match Source::of(&object.key, pod, container, around.store) {
        Ok(source) => source,
        Err(problem) => {
            out.problems.push(problem);
            return out;
        }
    };
    let running = around.running.iter().find(|running| running.pod == object.key);
    let (Some(text), Some(place)) = (running.and_then(|r| r.corefile.as_ref()), around.place) else {
        return out;
    };
    let table = around.names.table(around.store);
    // A Corefile in force was read without an error once; what it reads may have changed since.
    match compiled(text, &source, place, table) {
        Ok((_, mut made)) => {
            out.problems.append(&mut made.problems);
            listen(Arc::new(made), object, path, &mut out.listeners);
        }
        Err(error) => out.problems.push(error.to_string()),
    }
    out
}

/// A server that passes every question on to the servers of a resolv.conf.
pub fn stub_forwarder(name: &str, address: &str, resolv_conf: &str) -> Vec<Listener> {
    let none = hoplab_source::collections::BTreeMap::new();
    let text = format!(".:53 {{\nforward . /etc/resolv.conf {{\npolicy sequential\n}}\nbind {address}\n}}\n");
    let made = Corefile::parse(&text, &none, setup::is_known).and_then(|file| {
        let surroundings = Surroundings {
            table: Arc::default(),
            own_addresses: Vec::new(),
            interfaces: &[],
            resolv_conf,
            hosts: "",
            files: &none,
            folder: "",
        };
        compile(&file, &surroundings)
    });
    let made = Arc::new(made.unwrap_or_default());
    let address = address.parse().ok();
    let listener = |protocol| Listener {
        protocol,
        address,
        port: Some(53),
        program: Arc::new(CoreDns::new(Arc::clone(&made), 53, protocol).named(name)),
        origin: None,
    };
    vec![listener(L4Protocol::Udp), listener(L4Protocol::Tcp)]
}

fn listen(compiled: Arc<Compiled>, object: &Object, path: &FieldPath, out: &mut Vec<Listener>) {
    let origin = Arc::new(object.origin(&path.key("image")));
    let mut push = |protocol, address, port, program| {
        out.push(Listener {
            protocol,
            address,
            port: Some(port),
            program,
            origin: Some(Arc::clone(&origin)),
        });
    };
    for (address, port, plugin) in &compiled.http {
        let web = Web {
            name: "coredns".into(),
            plugin,
        };
        push(L4Protocol::Tcp, *address, *port, Arc::new(web));
    }
    let mut sockets: Vec<(u16, Option<IpAddr>)> = Vec::new();
    for block in &compiled.blocks {
        for (_, port) in &block.zones {
            if block.bind.is_empty() {
                sockets.push((*port, None));
            }
            sockets.extend(block.bind.iter().map(|address| (*port, Some(*address))));
        }
    }
    order::sort(&mut sockets);
    sockets.dedup();
    for (port, address) in sockets {
        for protocol in [L4Protocol::Udp, L4Protocol::Tcp] {
            let program = CoreDns::new(Arc::clone(&compiled), port, protocol);
            push(protocol, address, port, Arc::new(program));
        }
    }
}
