//! From a Corefile to chains: every directive in CoreDNS's order, each with its properties, errors worded as CoreDNS
//! words them. Source: plugin.cfg and the setup.go of each plug-in, CoreDNS 1.14.

mod backends;
mod filters;
mod rewrite;

use super::chain::{Block, Plugin};
use super::forward::Upstreams;
use super::kubernetes::Kubernetes;
use super::log::Errors;
use super::simple::{AnyType, Local, Minimal, Whoami};
use super::table::DnsTable;
use crate::dns::corefile::{Corefile, CorefileError, Directive, ErrorSort};
use backends::{autopath, external, file, forward, hosts_block, kubernetes, kubernetes_of, template};
use filters::{acl, bind, bufsize, cache, chaos, header, http_port, loadbalance, log, reload, view};
use hoplab_source::collections::BTreeMap;
use hoplab_source::decimal;
use hoplab_wire::dns::{Name, Rcode, RecordType};
use ipnet::IpNet;
use rewrite::rewrite;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a Corefile is read with.
pub(super) struct Surroundings<'a> {
    pub table: Arc<DnsTable>,
    pub own_addresses: Vec<IpAddr>,
    /// Interfaces where it runs, each with an address.
    pub interfaces: &'a [(String, IpAddr)],
    /// The pod's /etc/resolv.conf and /etc/hosts.
    pub resolv_conf: &'a str,
    pub hosts: &'a str,
    /// Files of mounted ConfigMaps, by path.
    pub files: &'a BTreeMap<String, String>,
    /// Where the ConfigMap is mounted.
    pub folder: &'a str,
}

/// Everything that a Corefile makes.
#[derive(Default)]
pub(super) struct Compiled {
    pub blocks: Vec<Block>,
    pub upstreams: Vec<Upstreams>,
    /// What is said and not modelled.
    pub problems: Vec<String>,
    /// Addresses and ports that answer HTTP for health, ready and prometheus, with the plug-in.
    pub http: Vec<(Option<IpAddr>, u16, &'static str)>,
    /// `reload` is on.
    pub reloads: bool,
    /// `lameduck` of `health`, as written.
    pub lameduck: String,
    /// Of the Corefile's text: another one brings new plug-ins.
    pub digest: u64,
    caches: usize,
}

struct Setup<'a> {
    around: &'a Surroundings<'a>,
    /// Zones of the server block.
    zones: Vec<Name>,
    out: &'a mut Compiled,
    made: Block,
    kubernetes: Option<Arc<Kubernetes>>,
}

/// What went wrong in a plug-in's lines.
type Wrong = CorefileError;
type Made = Result<(), Wrong>;
type Build = fn(&mut Setup<'_>, &[&Directive]) -> Made;

/// What a directive means to the model.
enum Role {
    /// It changes no answer.
    Silent,
    /// It makes a part of the chain.
    Part(Build),
    /// CoreDNS knows it, the model does not.
    Unmodelled,
}

/// Every directive, in the order of the chain. Source: plugin.cfg, CoreDNS 1.14.
static ORDER: &[(&str, Role)] = &[
    ("root", Role::Silent),
    (
        "metadata",
        Role::Part(|s, _| {
            s.made.metadata = true;
            Ok(())
        }),
    ),
    ("geoip", Role::Silent),
    ("cancel", Role::Silent),
    ("tls", Role::Unmodelled),
    ("quic", Role::Unmodelled),
    ("grpc_server", Role::Unmodelled),
    ("https", Role::Unmodelled),
    ("https3", Role::Unmodelled),
    ("timeouts", Role::Silent),
    ("multisocket", Role::Silent),
    ("reload", Role::Part(reload)),
    ("nsid", Role::Silent),
    ("bufsize", Role::Part(bufsize)),
    ("bind", Role::Part(bind)),
    ("debug", Role::Silent),
    ("trace", Role::Silent),
    ("ready", Role::Part(|s, d| http_port(s, d, "ready", 8181))),
    ("health", Role::Part(|s, d| http_port(s, d, "health", 8080))),
    ("pprof", Role::Silent),
    (
        "prometheus",
        Role::Part(|s, d| http_port(s, d, "prometheus", 9153)),
    ),
    (
        "errors",
        Role::Part(|s, _| {
            s.push(Errors);
            Ok(())
        }),
    ),
    ("log", Role::Part(log)),
    ("dnstap", Role::Silent),
    (
        "local",
        Role::Part(|s, _| {
            s.push(Local);
            Ok(())
        }),
    ),
    ("dns64", Role::Unmodelled),
    ("acl", Role::Part(acl)),
    (
        "any",
        Role::Part(|s, _| {
            s.push(AnyType);
            Ok(())
        }),
    ),
    ("chaos", Role::Part(chaos)),
    ("loadbalance", Role::Part(loadbalance)),
    ("tsig", Role::Unmodelled),
    ("cache", Role::Part(cache)),
    ("rewrite", Role::Part(rewrite)),
    ("header", Role::Part(header)),
    ("dnssec", Role::Unmodelled),
    ("autopath", Role::Part(autopath)),
    (
        "minimal",
        Role::Part(|s, _| {
            s.push(Minimal);
            Ok(())
        }),
    ),
    ("template", Role::Part(template)),
    ("transfer", Role::Silent),
    ("hosts", Role::Part(hosts_block)),
    ("route53", Role::Unmodelled),
    ("azure", Role::Unmodelled),
    ("clouddns", Role::Unmodelled),
    ("k8s_external", Role::Part(external)),
    ("kubernetes", Role::Part(kubernetes)),
    ("file", Role::Part(file)),
    ("auto", Role::Unmodelled),
    ("secondary", Role::Unmodelled),
    ("etcd", Role::Unmodelled),
    // Found beside the chain: `looped`.
    ("loop", Role::Silent),
    ("forward", Role::Part(forward)),
    ("grpc", Role::Unmodelled),
    ("erratic", Role::Unmodelled),
    (
        "whoami",
        Role::Part(|s, _| {
            s.push(Whoami);
            Ok(())
        }),
    ),
    ("on", Role::Silent),
    ("sign", Role::Unmodelled),
    ("view", Role::Part(view)),
    ("nomad", Role::Unmodelled),
];

fn wrong(at: &Directive, what: impl Into<String>) -> Wrong {
    CorefileError::parsing(at.line, what)
}

/// An error that the plug-in tells without its place.
fn untold(at: &Directive, what: impl Into<String>) -> Wrong {
    CorefileError {
        sort: ErrorSort::Plain,
        ..wrong(at, what)
    }
}

/// Whether CoreDNS has a plug-in of this name.
pub(super) fn is_known(name: &str) -> bool {
    ORDER.iter().any(|(known, _)| *known == name)
}

/// Caddy's ArgErr.
fn arguments(at: &Directive) -> Wrong {
    let last = at.words.last().map_or("", String::as_str);
    wrong(
        at,
        format!("Wrong argument count or unexpected line ending after '{last}'"),
    )
}

fn unknown_property(at: &Directive) -> Wrong {
    wrong(at, format!("unknown property '{}'", at.words[0]))
}

fn word(at: &Directive, index: usize) -> Result<&str, Wrong> {
    at.words
        .get(index)
        .map(String::as_str)
        .ok_or_else(|| arguments(at))
}

fn number<T: std::str::FromStr>(at: &Directive, index: usize) -> Result<T, Wrong> {
    let text = word(at, index)?;
    text.parse()
        .map_err(|_| untold(at, format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))
}

/// Go's durations: `30s`, `1h30m`, `500ms`; a bare number where `bare` allows it means seconds.
fn duration(at: &Directive, index: usize) -> Result<Duration, Wrong> {
    let text = word(at, index)?;
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(u64::from(seconds)));
    }
    let bad = || untold(at, format!("time: invalid duration \"{text}\""));
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let (amount, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let amount: f64 = decimal::parse(amount).ok_or_else(bad)?;
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(bad()),
        };
        total += Duration::try_from_secs_f64(amount * scale).map_err(|_| bad())?;
        rest = after;
    }
    Ok(total)
}

/// Zones as words: names, or ranges that mean reverse zones; without a port.
fn zones(words: &[String]) -> Vec<Name> {
    words
        .iter()
        .flat_map(|word| match word.parse::<IpNet>() {
            Ok(net) => crate::dns::reverse::zones_of(net),
            Err(_) => vec![word.clone()],
        })
        .filter_map(|zone| Name::parse(&zone).ok())
        .collect()
}

fn rcode(at: &Directive, index: usize) -> Result<Rcode, Wrong> {
    let text = word(at, index)?.to_ascii_uppercase();
    let known = (0..=22).map(Rcode::from_number).find(|r| r.to_string() == text);
    known.ok_or_else(|| wrong(at, format!("unknown response code {text}")))
}

fn record_type(at: &Directive, index: usize) -> Result<RecordType, Wrong> {
    let text = word(at, index)?;
    text.parse()
        .map_err(|()| wrong(at, format!("invalid RR class {text}")))
}

impl Setup<'_> {
    fn push(&mut self, plugin: impl Plugin + 'static) {
        self.made.plugins.push(Box::new(plugin));
    }

    /// Zones that a directive names, else those of the server block.
    fn zones_or_own(&self, words: &[String]) -> Vec<Name> {
        let given = zones(words);
        if given.is_empty() {
            self.zones.clone()
        } else {
            given
        }
    }

    fn unmodelled(&mut self, at: &Directive, plugin: &str) {
        self.out.problems.push(format!(
            "Corefile:{}: {plugin} {} is not modelled",
            at.line,
            at.words.join(" ")
        ));
    }

    /// A file that a directive names: of the pod, or beside the Corefile.
    fn file(&self, path: &str) -> Option<&str> {
        match path {
            "/etc/resolv.conf" => Some(self.around.resolv_conf),
            "/etc/hosts" => Some(self.around.hosts),
            _ => {
                let files = self.around.files;
                let beside = || files.get(&format!("{}/{path}", self.around.folder));
                files.get(path).or_else(beside).map(String::as_str)
            }
        }
    }
}

/// Compiles a whole Corefile.
pub(super) fn compile(file: &Corefile, around: &Surroundings<'_>) -> Result<Compiled, Wrong> {
    let mut out = Compiled::default();
    for block in &file.blocks {
        let others = block.other_transports.iter();
        out.problems
            .extend(others.map(|zone| format!("Corefile: a server for {zone} is not modelled")));
        let mut setup = Setup {
            around,
            zones: block
                .zones
                .iter()
                .filter_map(|(z, _)| Name::parse(z).ok())
                .collect(),
            out: &mut out,
            made: Block::default(),
            kubernetes: None,
        };
        // autopath and k8s_external stand before the plug-in that they ask.
        if let Some(at) = block.directives.iter().find(|d| d.words[0] == "kubernetes") {
            let made = kubernetes_of(&mut setup, at).map_err(|e| e.of("kubernetes"))?;
            setup.kubernetes = Some(Arc::new(made));
        }
        for (name, role) in ORDER {
            let own: Vec<&Directive> = block.directives.iter().filter(|d| d.words[0] == *name).collect();
            let Some(first) = own.first() else { continue };
            match role {
                Role::Silent => {}
                Role::Unmodelled => setup
                    .out
                    .problems
                    .push(format!("Corefile:{}: plug-in {name} is not modelled", first.line)),
                Role::Part(build) => build(&mut setup, &own).map_err(|e| e.of(name))?,
            }
        }
        let mut made = setup.made;
        made.zones = block
            .zones
            .iter()
            .filter_map(|(z, port)| Some((Name::parse(z).ok()?, *port)))
            .collect();
        out.blocks.push(made);
    }
    Ok(out)
}

fn once(all: &[&Directive]) -> Made {
    match all {
        [_, second, ..] => Err(wrong(
            second,
            "this plugin can only be used once per Server Block",
        )),
        _ => Ok(()),
    }
}
