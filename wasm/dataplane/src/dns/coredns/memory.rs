//! What a CoreDNS remembers from one request of a session to the next: its caches, its counters, what it has printed.
//! And how it tells: health, ready and prometheus answer HTTP. Source: plugin/health, plugin/ready, plugin/metrics of
//! CoreDNS 1.14. Differs: of the counters those that follow from questions are there, and the label
//! `plugin` is empty where neither loadbalance nor cache hands the answers on; UDP and TCP fill their caches apart within one request.

use super::cache;
use super::process::CoreDns;
use hoplab_kernel::process::{Action, Event, Process, Program, Remembered, SocketId};
use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::{Micros, Name as SharedName};
use hoplab_wire::dns::{Message, Rcode};
use hoplab_wire::http::{Request, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Lines that are kept.
const LINES_KEPT: usize = 500;

/// What a CoreDNS remembers.
#[derive(Default)]
pub struct Memory {
    pub(super) corefile: u64,
    pub(super) caches: cache::Store,
    counters: BTreeMap<String, u64>,
    log: Vec<String>,
}

/// An answer in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Of this name, in lower case…
    pub name: String,
    /// …and type.
    pub record: String,
    /// `NXDOMAIN`, `no records`, or the data of its records.
    pub answer: String,
    /// Whole seconds that it is still good for.
    pub left_seconds: u32,
}

impl Memory {
    /// Lines that it has printed about requests, oldest first.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// What its caches hold now, those that expire first first.
    pub fn held(&self, now: Micros) -> Vec<Held> {
        let mut all: Vec<Held> = Vec::new();
        for (key, item) in self.caches.iter() {
            let left_seconds = item.left_seconds(now);
            if left_seconds > 0 {
                all.push(Held {
                    name: key.name().to_owned(),
                    record: key.record_type().to_string(),
                    answer: item.answer(),
                    left_seconds,
                });
            }
        }
        hoplab_source::order::sort_by_key(&mut all, |held| held.left_seconds);
        all
    }

    /// What is remembered after a run.
    pub(super) fn after(
        before: Option<&Self>,
        corefile: u64,
        caches: &cache::Store,
        counted: &[String],
        log: &[String],
        now: Micros,
    ) -> Self {
        let mut memory = Self {
            corefile,
            ..Self::default()
        };
        if let Some(before) = before {
            memory.counters = before.counters.clone();
            memory.log.clone_from(&before.log);
            if before.corefile == corefile {
                memory.caches = before.caches.clone();
            }
        }
        cache::merge(&mut memory.caches, caches, now);
        for name in counted {
            let count = memory.counters.get(name).copied().unwrap_or(0);
            memory.counters.insert(name.clone(), count + 1);
        }
        memory.log.extend(log.iter().cloned());
        let over = memory.log.len().saturating_sub(LINES_KEPT);
        memory.log.drain(..over);
        memory
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let mut family = "";
        for (name, count) in self.counters.iter() {
            let of = name.split('{').next().unwrap_or_default();
            if of != family && !of.ends_with("_count") {
                out.push_str(&format!("# TYPE {of} counter\n"));
            }
            family = of;
            out.push_str(&format!("{name} {count}\n"));
        }
        out
    }
}

/// The counters of one answer. Source: plugin/metrics/vars/report.go.
pub(super) fn of_answer(
    query: &Message,
    answer: Option<&Message>,
    (zone, plugin): (&str, &str),
    remote: SocketAddr,
    server: &CoreDns,
) -> [String; 2] {
    let kind = super::chain::question(query).record_type;
    let rcode = answer.map_or(Rcode::NoError, Message::rcode);
    let family = if remote.is_ipv4() { 1 } else { 2 };
    let proto = if server.stream { "tcp" } else { "udp" };
    let port = server.port;
    [
        format!(
            "coredns_dns_requests_total{{family=\"{family}\",proto=\"{proto}\",server=\"dns://:{port}\",type=\"{kind}\",view=\"\",zone=\"{zone}\"}}"
        ),
        format!(
            "coredns_dns_responses_total{{plugin=\"{plugin}\",rcode=\"{rcode}\",server=\"dns://:{port}\",view=\"\",zone=\"{zone}\"}}"
        ),
    ]
}

/// The counter of an upstream's answer. Source: plugin/pkg/proxy/metrics.go.
pub(super) fn of_upstream(to: SocketAddr, rcode: Rcode) -> String {
    format!(
        "coredns_proxy_request_duration_seconds_count{{proxy_name=\"forward\",rcode=\"{rcode}\",to=\"{to}\"}}"
    )
}

/// One of the plug-ins that answer HTTP.
pub(super) struct Web {
    pub name: SharedName,
    /// `health`, `ready` or `prometheus`.
    pub plugin: &'static str,
}

impl Program for Web {
    fn name(&self) -> &SharedName {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(Answering {
            plugin: self.plugin,
            metrics: String::new(),
            buffers: IndexMap::new(),
        })
    }

    fn resume(&self, remembered: &Remembered) -> Box<dyn Process> {
        let memory = remembered.downcast_ref::<Memory>();
        Box::new(Answering {
            plugin: self.plugin,
            metrics: memory.map(Memory::metrics).unwrap_or_default(),
            buffers: IndexMap::new(),
        })
    }
}

struct Answering {
    plugin: &'static str,
    metrics: String,
    buffers: IndexMap<SocketId, Vec<u8>>,
}

impl Process for Answering {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        let (socket, bytes) = match event {
            Event::Data { socket, bytes, .. } => (socket, bytes),
            Event::Closed { socket, .. } => {
                actions.push(Action::Close {
                    socket,
                    after: Duration::ZERO,
                });
                return;
            }
            _ => return,
        };
        let buffer = self.buffers.entry(socket).or_default();
        buffer.extend_from_slice(bytes);
        while let Ok(Some((request, used))) = Request::parse(buffer) {
            buffer.drain(..used);
            let text = "text/plain; charset=utf-8";
            let response = match (self.plugin, request.path()) {
                ("health", "/health") | ("ready", "/ready") => Response::new(200).body(text, "OK"),
                ("prometheus", "/metrics") => Response::new(200).body(
                    "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
                    self.metrics.clone(),
                ),
                _ => Response::new(404).body(text, "404 page not found\n"),
            };
            actions.push(Action::Send {
                socket,
                label: format!("{} {}", response.status, response.reason),
                bytes: response.to_bytes(),
                after: Duration::ZERO,
            });
            if !request.keeps_alive() {
                actions.push(Action::Close {
                    socket,
                    after: Duration::ZERO,
                });
            }
        }
    }
}

/// The same with lines that it printed beside requests.
pub fn noted(remembered: Option<&Remembered>, lines: &[String]) -> Remembered {
    let before = remembered.and_then(|r| r.downcast_ref::<Memory>());
    let corefile = before.map_or(0, |before| before.corefile);
    let none = cache::Store::new();
    Arc::new(Memory::after(before, corefile, &none, &[], lines, Micros(0)))
}

/// What a CoreDNS remembers, as the stack keeps it.
pub fn memory(remembered: &Remembered) -> Option<Arc<Memory>> {
    Arc::clone(remembered).downcast().ok()
}
