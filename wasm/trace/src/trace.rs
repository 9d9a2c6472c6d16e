//! A request's whole story: legs of hops of steps, and what became of it.

use crate::{LookUp, Micros, Name, Outcome, Step, Verdict};
use std::net::IpAddr;

/// Where a network namespace is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A node's own (root) namespace.
    Node(Name),
    /// A pod's: `shop/client`.
    Pod(Name),
    /// A declared host.
    Host(Name),
    /// A named namespace of a declared host.
    HostNetNs(Name, Name),
    /// An undeclared machine on the Internet.
    External(IpAddr),
    /// A router that the world implies (between the node network and the Internet).
    Router(Name),
}

/// Which way a leg goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Away from who asked.
    Request,
    /// Back.
    Reply,
}

/// Consecutive steps in one network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Whose namespace.
    pub place: Place,
    /// In order; never empty.
    pub steps: Vec<Step>,
}

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// A socket (or the kernel) took it.
    Delivered,
    /// It is gone; the last step says why.
    Dropped,
    /// It was turned back with an error, which is the next leg.
    Refused,
}

/// A packet's way in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Which way.
    pub direction: Direction,
    /// `SYN`, `GET /`, `200 OK`, `ARP who has 10.244.1.3`.
    pub label: String,
    /// In order; consecutive hops differ in place.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub end: LegEnd,
}

impl Leg {
    /// When the first step was.
    pub fn start(&self) -> Micros {
        self.hops
            .first()
            .and_then(|h| h.steps.first())
            .map_or(Micros(0), |s| s.at)
    }

    /// Every step with its place, in order.
    pub fn steps(&self) -> impl Iterator<Item = (&Place, &Step)> {
        self.hops
            .iter()
            .flat_map(|h| h.steps.iter().map(move |s| (&h.place, s)))
    }
}

/// A trace that belongs to another one.
#[derive(Clone, Debug, PartialEq)]
pub struct SubTrace {
    /// `dns`, `arp`, `ndp`.
    pub why: &'static str,
    /// What was asked: `web.shop.svc.cluster.local A`.
    pub label: String,
    /// The trace.
    pub trace: Trace,
}

/// Something that the engine does not model and that could decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// `NetworkPolicy shop/deny-all`.
    pub what: String,
    /// What it could change, and why it is not known.
    pub why: String,
}

/// One random point of a run: which way was taken, and the share of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// `KUBE-SVC-… on worker-1`.
    pub name: String,
    /// Index into `ways`.
    pub taken: usize,
    /// Name and share of each, in order; shares add up to 1.
    pub ways: Vec<(String, f64)>,
}

/// An HTTP message as one side saw it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MessageSeen {
    /// `GET`; empty for other protocols.
    pub method: String,
    /// `/cart?x=1`.
    pub path: String,
    /// Host header with its port as sent.
    pub host: String,
    /// `HTTP/1.1`.
    pub protocol: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the two ends saw of each other at the application's level.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The request as the backend received it.
    pub received: Option<MessageSeen>,
    /// The answer as the client received it.
    pub response: Option<MessageSeen>,
    /// HTTP status or gRPC code.
    pub status: Option<u16>,
}

/// A request's whole story.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// As asked: `shop/client`.
    pub from: String,
    /// As asked: `http://cart.shop/`.
    pub to: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What rules thought of it.
    pub verdict: Verdict,
    /// One sentence from the step that decided.
    pub reason: String,
    /// Who answered.
    pub backend: Option<Place>,
    /// Source address that the backend saw.
    pub source: Option<IpAddr>,
    /// What was said.
    pub exchange: Exchange,
    /// Answer section of a dns request as `NAME TYPE DATA`, with its rcode.
    pub dns: Option<(String, Vec<String>)>,
    /// The look-up of its name.
    pub lookup: Option<Box<LookUp>>,
    /// Simulated time until the answer or until the requester gave up.
    pub micros: u64,
    /// In the order in which they start.
    pub legs: Vec<Leg>,
    /// Look-ups and ARP, in the order in which they start.
    pub subtraces: Vec<SubTrace>,
    /// Random points on the way.
    pub choices: Vec<Choice>,
    /// What is not modelled and could decide.
    pub unknowns: Vec<Unknown>,
}
