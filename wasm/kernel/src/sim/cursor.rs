//! Where a packet is while it walks.

use super::{Flight, Happening, RunEnd, Sim};
use crate::conntrack::CtRef;
use crate::net::NetNsId;
use crate::process::SocketId;
use hoplab_source::Origin;
use hoplab_trace::{DropCause, LegEnd, Micros, Name, Step, StepKind};
use hoplab_wire::{Header, Packet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The next thing to be done with a packet.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Made here: route, OUTPUT, and on.
    LocalOut,
    /// Made here for a way out that is known: neighbour discovery.
    LocalOutBy(Dst),
    /// A frame arrives at an interface.
    Receive { device: Name },
    /// A frame came in by a bridge port.
    BridgeIn { bridge: Name, port: Name },
    /// The bridge looks the destination up.
    BridgeForward { bridge: Name, port_in: Option<Name> },
    /// Out of a bridge port.
    BridgePort {
        bridge: Name,
        port: Name,
        forwarded: bool,
    },
    /// From a bridge up to the IP stack.
    PassUp { bridge: Name },
    /// `ip_rcv`: PREROUTING and the routing decision.
    IpIn { device: Name },
    /// INPUT and sockets.
    LocalDeliver { device: Name },
    /// POSTROUTING and on.
    Output,
    /// The link address of the next hop.
    Neighbour,
    /// A bridged packet whose new destination's link address had to be asked for.
    BridgedDnat { bridge: Name, port: Name },
    /// A complete frame leaves by an interface.
    Transmit { device: Name },
}

/// The routing decision that a packet carries along (`skb_dst`).
#[derive(Clone, Debug)]
pub(super) struct Dst {
    pub(super) device: Name,
    /// The next hop's address.
    pub(super) next_hop: IpAddr,
    pub(super) local: bool,
    pub(super) broadcast: bool,
    pub(super) mtu_bytes: u32,
    pub(super) preferred_src: Option<IpAddr>,
}

/// A packet inside a kernel.
#[derive(Clone, Debug)]
pub(super) struct Skb {
    pub(super) packet: Arc<Packet>,
    pub(super) mark: u32,
    /// The zone of connection tracking that a rule gave it.
    pub(super) zone: u16,
    pub(super) ct: Option<CtRef>,
    /// br_netfilter handles it: it came in by a bridge port (`nf_bridge_info`).
    pub(super) nf_bridge: bool,
    pub(super) dst: Option<Dst>,
    /// PREROUTING ran at the bridge and does not run again (`ip_sabotage_in`).
    pub(super) prerouted: bool,
    /// Interface that it came in by, of a packet that passes through.
    pub(super) iif: Option<Name>,
    /// IPVS sent it on: from which virtual address (`skb->ipvs_property`).
    pub(super) ipvs: Option<crate::ipvs::VirtualAddress>,
    /// It was put together from pieces, and may be cut again.
    pub(super) was_in_pieces: bool,
}

impl Skb {
    pub(super) fn new(packet: Arc<Packet>) -> Self {
        Self {
            packet,
            mark: 0,
            zone: 0,
            ct: None,
            nf_bridge: false,
            dst: None,
            prerouted: false,
            iif: None,
            ipvs: None,
            was_in_pieces: false,
        }
    }

    /// What a packet loses when it leaves a namespace or enters a tunnel (`skb_scrub_packet`).
    pub(super) fn scrub(&mut self) {
        self.ct = None;
        self.zone = 0;
        self.nf_bridge = false;
        self.dst = None;
        self.prerouted = false;
        self.iif = None;
        self.ipvs = None;
        self.was_in_pieces = false;
    }
}

/// A packet on its way, with the leg recorded so far.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) flight: u32,
    pub(super) conversation: u32,
    pub(super) forward: bool,
    pub(super) label: String,
    pub(super) cause: Option<u32>,
    pub(super) steps: Vec<(NetNsId, Step)>,
    pub(super) netns: NetNsId,
    pub(super) at: Micros,
    pub(super) stage: Stage,
    pub(super) skb: Skb,
    /// The socket that sent it.
    pub(super) sender: Option<SocketId>,
    /// Copies of one flooded frame.
    pub(super) flood: Option<usize>,
    /// Whether its link address was asked for just now.
    pub(super) resolved: bool,
}

/// Copies of one flooded frame: those that nobody wants are not kept, unless nobody wants any.
pub(super) struct Flood {
    alive: u32,
    kept: bool,
}

/// What a new packet needs to be told.
pub(super) struct Launch {
    pub(super) netns: NetNsId,
    pub(super) conversation: u32,
    pub(super) forward: bool,
    pub(super) label: String,
    pub(super) cause: Option<u32>,
    pub(super) process: Name,
    pub(super) from: Option<SocketAddr>,
    pub(super) to: Option<SocketAddr>,
    pub(super) sender: Option<SocketId>,
    pub(super) ct: Option<CtRef>,
    pub(super) stage: Stage,
}

impl Cursor {
    pub(super) fn step(&mut self, kind: StepKind, origin: Option<Arc<Origin>>) {
        let step = Step {
            at: self.at,
            kind,
            packet: Arc::clone(&self.skb.packet),
            origin,
        };
        self.steps.push((self.netns, step));
    }

    pub(super) fn to(mut self: Box<Self>, stage: Stage) -> Option<Box<Self>> {
        self.stage = stage;
        Some(self)
    }
}

impl Sim<'_> {
    /// Puts a new packet on its way. It starts walking as an event of its own, now.
    pub(super) fn launch(&mut self, mut packet: Packet, launch: Launch) -> u32 {
        let id = u32::try_from(self.flights.len()).unwrap_or(u32::MAX);
        if id >= self.limits.max_flights {
            self.exhausted = Some(RunEnd::FlightLimit);
            return id;
        }
        self.flights.push(None);
        let sender = launch.sender.and_then(|id| self.sockets.get(id));
        if let Some(ttl_hops) = self.ttl_hops.filter(|_| sender.is_some_and(|s| s.process.0 == 0)) {
            match packet.headers.first_mut() {
                Some(Header::Ipv4(ip)) => ip.ttl_hops = ttl_hops,
                Some(Header::Ipv6(ip)) => ip.hop_limit = ttl_hops,
                _ => {}
            }
        }
        let mut skb = Skb::new(Arc::new(packet));
        skb.ct = launch.ct;
        let mut cursor = Cursor {
            flight: id,
            conversation: launch.conversation,
            forward: launch.forward,
            label: launch.label,
            cause: launch.cause,
            steps: Vec::with_capacity(24),
            netns: launch.netns,
            at: self.now,
            stage: launch.stage,
            skb,
            sender: launch.sender,
            flood: None,
            resolved: false,
        };
        let process = launch.process;
        cursor.step(
            StepKind::Originate {
                process: Arc::clone(&process),
                from: launch.from,
                to: launch.to,
            },
            None,
        );
        let lb = launch.sender.and_then(|id| self.sockets.get_mut(id)?.lb.as_mut());
        if let Some((what, origin)) = lb.and_then(|lb| lb.told.take()) {
            cursor.step(StepKind::Process { process, what }, Some(origin));
        }
        self.schedule(Duration::ZERO, Happening::Packet(Box::new(cursor)));
        id
    }

    /// The packet's leg is over.
    pub(super) fn finish(&mut self, cursor: Cursor, end: LegEnd) {
        if let Some(flood) = cursor.flood.and_then(|f| self.floods.get_mut(f)) {
            flood.alive = flood.alive.saturating_sub(1);
            if end == LegEnd::Dropped && (flood.alive > 0 || flood.kept) {
                return;
            }
            flood.kept = true;
        }
        self.record(cursor, end);
    }

    pub(super) fn record(&mut self, cursor: Cursor, end: LegEnd) {
        let Some(slot) = self.flights.get_mut(cursor.flight as usize) else {
            return;
        };
        let mut flight = Flight {
            id: cursor.flight,
            conversation: cursor.conversation,
            forward: cursor.forward,
            label: cursor.label,
            steps: cursor.steps,
            end,
            cause: cursor.cause,
        };
        if slot.is_none() {
            *slot = Some(flight);
        } else {
            // A second copy of a flooded frame that somebody wanted.
            flight.id = u32::try_from(self.flights.len()).unwrap_or(u32::MAX);
            self.flights.push(Some(flight));
        }
    }

    /// The packet ends here.
    pub(super) fn drop_packet(
        &mut self,
        mut cursor: Box<Cursor>,
        cause: DropCause,
        origin: Option<Arc<Origin>>,
    ) {
        let refused = matches!(cause, DropCause::Rejected | DropCause::NoSocket);
        if let Some(CtRef::Tracked { entry, .. }) = cursor.skb.ct
            && !refused
        {
            self.overlay.stack_mut(cursor.netns).conntrack.abandon(entry);
        }
        cursor.step(StepKind::Drop { cause }, origin);
        self.finish(*cursor, if refused { LegEnd::Refused } else { LegEnd::Dropped });
    }

    /// One more copy of each of `count` for a frame that goes several ways.
    pub(super) fn flood(&mut self, cursor: &mut Cursor, count: u32) {
        match cursor.flood.and_then(|f| self.floods.get_mut(f)) {
            Some(flood) => flood.alive += count.saturating_sub(1),
            None => {
                cursor.flood = Some(self.floods.len());
                self.floods.push(Flood {
                    alive: count,
                    kept: false,
                });
            }
        }
    }

    /// Sends the packet over a wire: it goes on at the other end, later.
    pub(super) fn cross(&mut self, mut cursor: Box<Cursor>, netns: NetNsId, device: Name, after: Duration) {
        cursor.netns = netns;
        cursor.at = cursor.at + after;
        cursor.stage = Stage::Receive { device };
        self.schedule_at(cursor.at, Happening::Packet(cursor));
    }
}
