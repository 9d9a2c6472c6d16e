//! CoreDNS as a program in its pods: its Corefile read from the ConfigMap that is mounted, its plug-ins in its own order,
//! its sockets.

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
mod setup;
mod simple;
mod table;
mod template;
mod view;

pub use memory::{Memory, memory};
pub(super) use table::DnsTable;

use super::Names;
use super::corefile::Corefile;
use super::resolv::ResolvConf;
use hoplab_kernel::netns::Listener;
use hoplab_objects::relate::Relations;
use hoplab_objects::view::{ConfigMap, Container, Pod};
use hoplab_objects::{Object, Store};
use hoplab_source::order;
use hoplab_source::{FieldPath, ObjectKey};
use hoplab_wire::L4Protocol;
use memory::Web;
use process::CoreDns;
use setup::{Compiled, Surroundings, compile};
use std::net::IpAddr;
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
    /// The pod's /etc/hosts.
    pub hosts: &'a str,
}

/// The ConfigMap with the Corefile of a CoreDNS container, where it is mounted, and the Corefile's path.
fn mounted(pod: &Pod, container: &Container) -> Option<(String, String, String)> {
    let at = container
        .args
        .iter()
        .position(|arg| arg == "-conf" || arg == "--conf");
    let path = at.and_then(|at| container.args.get(at + 1));
    let path = path.map_or("/etc/coredns/Corefile", String::as_str);
    let map = |name: &str| {
        pod.spec
            .volumes
            .iter()
            .find(|v| v.name == name)?
            .config_map
            .as_ref()
    };
    let mounts = container
        .volume_mounts
        .iter()
        .filter_map(|m| Some((m, map(&m.name)?)));
    // The mount that the path is below; else the first, as in manifests that leave the argument out.
    let (mount, map) = mounts
        .clone()
        .filter(|(m, _)| path.starts_with(m.mount_path.as_str()))
        .max_by_key(|(m, _)| m.mount_path.len())
        .or_else(|| mounts.clone().next())?;
    Some((map.name.clone(), mount.mount_path.clone(), path.to_owned()))
}

/// What CoreDNS in a pod prints when it starts: its servers and its version, or why it does not. `None`: the pod holds
/// no CoreDNS. Source: coremain/run.go; core/dnsserver/onstartup.go.
pub fn startup_lines(
    key: &ObjectKey,
    pod: &Pod,
    store: &Store,
    nameservers: &[IpAddr],
) -> Option<Vec<String>> {
    let container = pod.spec.containers.iter().find(|c| {
        let name = c.image.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next() == Some("coredns")
    })?;
    let (name, _, file) = mounted(pod, container)?;
    let map = store.view::<ConfigMap>(&key.namespace, &name)?;
    let text = map.data.get(file.rsplit('/').next().unwrap_or("Corefile"))?;
    let file = match Corefile::parse(text) {
        Ok(file) => file,
        Err(error) => return Some(vec![error.to_string()]),
    };
    let zones = file.blocks.iter().flat_map(|block| &block.zones);
    let mut lines: Vec<String> = zones.map(|(zone, port)| format!("{zone}.:{port}")).collect();
    let tag = container.image.rsplit_once(":v").map_or("1.14", |(_, tag)| tag);
    lines.push(format!("CoreDNS-{}", tag.split('@').next().unwrap_or(tag)));
    if !pod.spec.host_network {
        lines.extend(looped::detected(&file, nameservers, &pod.addresses()));
    }
    Some(lines)
}

/// What a CoreDNS container listens on, by its Corefile.
pub fn coredns_listeners(
    object: &Object,
    pod: &Pod,
    container: &Container,
    path: &FieldPath,
    around: &Around<'_>,
) -> DnsListeners {
    let mut out = DnsListeners::default();
    match corefile(object, pod, container, around) {
        Ok(mut compiled) => {
            out.problems.append(&mut compiled.problems);
            if compiled.looped {
                return out;
            }
            listen(Arc::new(compiled), object, path, &mut out.listeners);
        }
        Err(problem) => out.problems.push(problem),
    }
    out
}

fn corefile(
    object: &Object,
    pod: &Pod,
    container: &Container,
    around: &Around<'_>,
) -> Result<Compiled, String> {
    let (name, folder, file) = mounted(pod, container)
        .ok_or_else(|| format!("{}: no ConfigMap with a Corefile is mounted", object.key))?;
    let namespace = &object.key.namespace;
    let key = ObjectKey::new("", "ConfigMap", namespace.clone(), name.clone());
    let map = around
        .store
        .view::<ConfigMap>(namespace, &name)
        .ok_or_else(|| format!("{}: {key} does not exist", object.key))?;
    let entry = file.rsplit('/').next().unwrap_or("Corefile");
    let text = map
        .data
        .get(entry)
        .ok_or_else(|| format!("{key} has no key {entry}"))?;
    let file = Corefile::parse(text).map_err(|error| error.to_string())?;
    let nameservers = ResolvConf::parse(around.resolv_conf).nameservers;
    let own = pod.addresses();
    let looped = !pod.spec.host_network && looped::detected(&file, &nameservers, &own).is_some();
    let surroundings = Surroundings {
        table: Arc::clone(around.names.table(around.store)),
        own_addresses: pod.addresses(),
        resolv_conf: around.resolv_conf,
        hosts: around.hosts,
        files: &map.data,
        folder: &folder,
    };
    let mut compiled = compile(&file, &surroundings)?;
    compiled.looped = looped;
    // FNV-1a.
    compiled.digest = text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(compiled)
}

fn listen(compiled: Arc<Compiled>, object: &Object, path: &FieldPath, out: &mut Vec<Listener>) {
    let mut ports: Vec<u16> = compiled
        .blocks
        .iter()
        .flat_map(|s| s.zones.iter().map(|(_, port)| *port))
        .collect();
    order::sort(&mut ports);
    ports.dedup();
    let origin = Arc::new(object.origin(&path.key("image")));
    for (port, plugin) in &compiled.http {
        out.push(Listener {
            protocol: L4Protocol::Tcp,
            address: None,
            port: Some(*port),
            program: Arc::new(Web {
                name: "coredns".into(),
                plugin,
            }),
            origin: Some(Arc::clone(&origin)),
        });
    }
    for port in ports {
        for protocol in [L4Protocol::Udp, L4Protocol::Tcp] {
            out.push(Listener {
                protocol,
                address: None,
                port: Some(port),
                program: Arc::new(CoreDns::new(Arc::clone(&compiled), port, protocol)),
                origin: Some(Arc::clone(&origin)),
            });
        }
    }
}
