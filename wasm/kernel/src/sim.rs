//! One run: processes and packets on one virtual clock, over an overlay of what packets leave behind.
//!
//! Events wait in one queue, ordered by time and then by when they were put there. A packet is an event each time
//! it has crossed a wire; between two wires it walks through one stack at once, stage by stage, in a bounded loop.

mod arp;
mod bridge;
mod cursor;
mod datagram;
mod fault;
mod icmp;
mod ipvs;
mod latency;
mod local;
mod ndp;
mod neighbour;
mod netfilter;
mod party;
mod sctp;
mod socket;
mod tcp;
mod transmit;
mod tunnel;
pub(crate) mod walk;

use crate::NetNs;
use crate::net::{Net, NetNsId};
use crate::overlay::{FIRST_ON_DEMAND, Overlay};
use crate::process::{Process, Purpose, SocketError, SocketId};
use crate::stack::Stack;
use cursor::Cursor;
use hoplab_source::collections::IndexMap;
use hoplab_trace::{Choice, LegEnd, Micros, Name, Step, Unknown};
use hoplab_wire::L4Protocol;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A packet's way from where it was made to where it ended.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Index among the flights of the run.
    pub id: u32,
    /// The conversation that it belongs to.
    pub conversation: u32,
    /// Whether it goes from who opened the conversation to the other side.
    pub forward: bool,
    /// `SYN`, `GET /`, `ARP who has 10.244.1.3`.
    pub label: String,
    /// In order, each with the stack where it happened.
    pub steps: Vec<(NetNsId, Step)>,
    /// How it ended.
    pub end: LegEnd,
    /// The flight that it answers or was caused by.
    pub cause: Option<u32>,
}

/// Decides every random point of a run.
pub trait Chooser {
    /// Index of the way taken; `ways` has each with its weight, which add up to 1.
    fn choose(&mut self, name: &dyn Fn() -> String, ways: &dyn Fn() -> Vec<(String, f64)>) -> usize;
    /// What was decided so far.
    fn choices(&self) -> &[Choice];
}

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stages that all packets together may pass.
    pub max_steps: u32,
    /// Simulated time, in microseconds.
    pub max_micros: u64,
    /// Packets.
    pub max_flights: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_steps: 200_000,
            max_micros: 600_000_000,
            max_flights: 10_000,
        }
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Nothing more will happen.
    Idle,
    /// The main process (the first one spawned) finished, and its connections were closed.
    Finished,
    /// A limit: stages.
    StepLimit,
    /// A limit: simulated time.
    TimeLimit,
    /// A limit: packets.
    FlightLimit,
}

/// A process of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// What a conversation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// A process opened a connection or sent datagrams.
    Flow(Purpose),
    /// A stack asked for a link address.
    Neighbour {
        /// Out of which interface.
        device: Name,
        /// Whose address.
        target: IpAddr,
    },
}

/// The party that took a conversation's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptor {
    /// Its stack.
    pub netns: NetNsId,
    /// Who it is.
    pub process: Name,
    /// Its own end.
    pub local: SocketAddr,
    /// The other end as it saw it.
    pub peer: SocketAddr,
    /// When.
    pub at: Micros,
}

/// One conversation: a connection, a question with its answers, a resolution of a link address.
#[derive(Clone, Debug)]
pub struct ConversationInfo {
    /// Index among the conversations of the run.
    pub id: u32,
    /// What it is about.
    pub kind: ConversationKind,
    /// Protocol; `None`: ARP.
    pub protocol: Option<L4Protocol>,
    /// Stack that opened it.
    pub opener: NetNsId,
    /// Process that opened it.
    pub opener_process: Name,
    /// When.
    pub opened_at: Micros,
    /// The opener's own end.
    pub local: Option<SocketAddr>,
    /// Where to, as the opener named it.
    pub to: Option<SocketAddr>,
    /// Who took it; `None`: nobody yet.
    pub acceptor: Option<Acceptor>,
    /// Sockets of both sides, in the order of their making.
    pub sockets: Vec<SocketId>,
    /// When the opener's connection was there, or its first answer came.
    pub answered_at: Option<Micros>,
    /// What the opener's socket was told, and when.
    pub error: Option<(SocketError, Micros)>,
    /// The conversation that the opener was busy with when it opened this one.
    pub parent: Option<u32>,
    /// The flight that waits for this conversation (ARP).
    pub cause: Option<u32>,
}

enum Happening {
    Packet(Box<Cursor>),
    Start(ProcessId),
    ProcessTimer {
        process: ProcessId,
        token: u64,
    },
    Act {
        process: ProcessId,
        action: crate::process::Action,
        conversation: Option<u32>,
    },
    SocketTimer {
        socket: SocketId,
        generation: u32,
        kind: tcp::Timer,
    },
    NeighbourTimer {
        key: neighbour::Key,
        try_number: u8,
    },
}

struct Scheduled {
    at: Micros,
    order: u64,
    what: Happening,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One run over a world's stacks.
pub struct Sim<'a> {
    net: Net,
    overlay: Overlay,
    chooser: &'a mut dyn Chooser,
    limits: Limits,
    started: Micros,
    now: Micros,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    /// Queued happenings that go on by themselves after the main process finished: packets and delayed actions.
    live: u32,
    stages: u32,
    exhausted: Option<RunEnd>,
    stacks: IndexMap<NetNsId, Arc<Stack>>,
    flights: Vec<Option<Flight>>,
    conversations: Vec<ConversationInfo>,
    sockets: socket::Sockets,
    parties: Vec<party::Party>,
    inbox: VecDeque<party::Letter>,
    waiting: IndexMap<neighbour::Key, neighbour::Waiting>,
    floods: Vec<cursor::Flood>,
    fragments: IndexMap<local::FragmentKey, local::Pieces>,
    unknowns: Vec<Unknown>,
    finished_at: Option<Micros>,
    kernel: Name,
    nothing: Name,
    /// TTL of packets of the main process (IP_TTL of its sockets); `None`: the default.
    pub ttl_hops: Option<u8>,
}

/// How long after the main process finished its closing connections are still followed.
const GRACE: Duration = Duration::from_secs(1);

impl<'a> Sim<'a> {
    /// A run over `net`, starting at the overlay's clock.
    pub fn new(net: &Net, overlay: Overlay, chooser: &'a mut dyn Chooser, limits: Limits) -> Self {
        Self {
            net: net.clone(),
            started: overlay.now,
            now: overlay.now,
            overlay,
            chooser,
            limits,
            queue: BinaryHeap::new(),
            order: 0,
            live: 0,
            stages: 0,
            exhausted: None,
            stacks: IndexMap::new(),
            flights: Vec::new(),
            conversations: Vec::new(),
            sockets: socket::Sockets::default(),
            parties: Vec::new(),
            inbox: VecDeque::new(),
            waiting: IndexMap::new(),
            floods: Vec::new(),
            fragments: IndexMap::new(),
            unknowns: Vec::new(),
            finished_at: None,
            kernel: Name::from("kernel"),
            nothing: Name::from(""),
            ttl_hops: None,
        }
    }

    /// Adds a process that begins when the run does. The first one is the main process.
    pub fn spawn(&mut self, netns: NetNsId, process: Box<dyn Process>, name: Name) -> ProcessId {
        let id = self.add_party(netns, name, process, None);
        self.schedule(Duration::ZERO, Happening::Start(id));
        id
    }

    /// Runs until nothing more happens, the main process has finished, or a limit is reached.
    pub fn run(&mut self) -> RunEnd {
        loop {
            self.deliver_letters();
            if let Some(end) = self.exhausted {
                return end;
            }
            if let Some(at) = self.finished_at
                && (self.live == 0 || self.now > at + GRACE)
            {
                return RunEnd::Finished;
            }
            let Some(Reverse(next)) = self.queue.pop() else {
                return RunEnd::Idle;
            };
            if next.at.0.saturating_sub(self.started.0) > self.limits.max_micros {
                self.now = Micros(self.started.0.saturating_add(self.limits.max_micros));
                return RunEnd::TimeLimit;
            }
            self.now = self.now.max(next.at);
            if matches!(next.what, Happening::Packet(_) | Happening::Act { .. }) {
                self.live -= 1;
            }
            self.happen(next.what);
        }
    }

    /// What the run could not decide because it is not modelled.
    pub fn unknowns(&self) -> &[Unknown] {
        &self.unknowns
    }

    /// The virtual time now.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The place of a stack, also of one that was made on demand.
    pub fn place(&self, id: NetNsId) -> Option<hoplab_trace::Place> {
        match self.overlay.on_demand(id) {
            Some(ns) => Some(ns.place.clone()),
            None => self.net.stack(id).map(|ns| ns.place.clone()),
        }
    }

    /// The state of a stack as it was before the run.
    pub fn netns(&self, id: NetNsId) -> Option<Arc<NetNs>> {
        self.overlay
            .on_demand(id)
            .or_else(|| self.net.stack(id))
            .map(Arc::clone)
    }

    /// What happened, and what is left behind.
    pub fn into_parts(mut self) -> (Vec<Flight>, Vec<ConversationInfo>, Overlay) {
        // Packets that were still on their way, or waited, have their legs shown as far as they came.
        let queued = std::mem::take(&mut self.queue).into_sorted_vec();
        let on_the_way = queued.into_iter().filter_map(|Reverse(s)| match s.what {
            Happening::Packet(cursor) => Some(cursor),
            _ => None,
        });
        let parked = std::mem::take(&mut self.waiting)
            .into_values()
            .flat_map(|w| w.parked);
        for cursor in on_the_way.chain(parked).collect::<Vec<_>>() {
            self.record(*cursor, LegEnd::Dropped);
        }
        self.remember();
        self.overlay.now = self.now;
        let flights = self.flights.into_iter().flatten().collect::<Vec<_>>();
        (renumbered(flights), self.conversations, self.overlay)
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Packet(cursor) => self.walk(cursor),
            Happening::Start(process) => self.inbox.push_back(party::Letter::start(process)),
            Happening::ProcessTimer { process, token } => {
                self.inbox.push_back(party::Letter::timer(process, token))
            }
            Happening::Act {
                process,
                action,
                conversation,
            } => self.act(process, action, conversation),
            Happening::SocketTimer {
                socket,
                generation,
                kind,
            } => self.socket_timer(socket, generation, kind),
            Happening::NeighbourTimer { key, try_number } => self.neighbour_timer(key, try_number),
        }
    }

    fn schedule(&mut self, after: Duration, what: Happening) {
        self.schedule_at(self.now + after, what);
    }

    fn schedule_at(&mut self, at: Micros, what: Happening) {
        if matches!(what, Happening::Packet(_) | Happening::Act { .. }) {
            self.live += 1;
        }
        self.order += 1;
        self.queue.push(Reverse(Scheduled {
            at,
            order: self.order,
            what,
        }));
    }

    fn stack(&mut self, id: NetNsId) -> Option<Arc<Stack>> {
        if let Some(stack) = self.stacks.get(&id) {
            return Some(Arc::clone(stack));
        }
        let ns = if id.0 >= FIRST_ON_DEMAND {
            Arc::clone(self.overlay.on_demand(id)?)
        } else {
            Arc::clone(self.net.stack(id)?)
        };
        let stack = Arc::new(Stack::new(id, ns));
        self.overlay.stack_mut(id).conntrack.age(self.now);
        self.stacks.insert(id, Arc::clone(&stack));
        Some(stack)
    }

    fn unknown(&mut self, what: String, why: &str) {
        if !self.unknowns.iter().any(|u| u.what == what) {
            self.unknowns.push(Unknown {
                what,
                why: why.to_owned(),
            });
        }
    }
}

/// Flights that were not kept (copies of a flooded frame that nobody wanted) leave no gap in the numbers.
fn renumbered(mut flights: Vec<Flight>) -> Vec<Flight> {
    let new: IndexMap<u32, u32> = flights.iter().zip(0..).map(|(f, i)| (f.id, i)).collect();
    for flight in &mut flights {
        flight.id = new.get(&flight.id).copied().unwrap_or(flight.id);
        flight.cause = flight.cause.and_then(|c| new.get(&c).copied());
    }
    flights
}
