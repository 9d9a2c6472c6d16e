//! One thing that happened to one packet in one network namespace.

use crate::{Micros, Name};
use hoplab_source::Origin;
use hoplab_wire::{IcmpKind, L4Protocol, MacAddr, Packet};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One thing that happened to one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Micros,
    /// What.
    pub kind: StepKind,
    /// The packet after this step; shared with the step before when nothing changed.
    pub packet: Arc<Packet>,
    /// Why the thing that decided exists.
    pub origin: Option<Arc<Origin>>,
}

/// Netfilter's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookName {
    /// Before routing, for every packet that comes in.
    Prerouting,
    /// For packets to this stack.
    Input,
    /// For packets that pass through.
    Forward,
    /// For packets that this stack makes.
    Output,
    /// After routing, for every packet that goes out.
    Postrouting,
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        })
    }
}

/// What kind of thing a step is, with what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A socket (or the kernel itself: ICMP errors, ARP) made the packet.
    Originate {
        /// `curl`, `nginx`, `kernel`.
        process: Name,
        /// Local end.
        from: Option<SocketAddr>,
        /// Remote end as the process named it.
        to: Option<SocketAddr>,
    },
    /// The packet came in through an interface.
    Ingress {
        /// Its name.
        device: Name,
    },
    /// The packet left through an interface.
    Egress {
        /// Its name.
        device: Name,
    },
    /// A bridge decided.
    Bridge {
        /// `cni0`.
        bridge: Name,
        /// Port it came in by; `None`: from the bridge's own device.
        port_in: Option<Name>,
        /// Where it goes.
        decision: BridgeDecision,
    },
    /// The link address of the next hop.
    Neighbour {
        /// Next hop.
        ip: IpAddr,
        /// Its link address; `None` when nobody answered.
        mac: Option<MacAddr>,
        /// Out of which interface.
        device: Name,
        /// How it is known.
        state: NeighbourState,
    },
    /// The routing decision.
    Route {
        /// What was looked up.
        dst: IpAddr,
        /// What came of it.
        decision: RouteDecision,
    },
    /// One table's chain at one hook.
    Hook {
        /// Where.
        hook: HookName,
        /// `raw`, `mangle`, `nat`, `filter`.
        table: &'static str,
        /// Rules that matched or were jumped through, in order; rules that did not match are counted, not listed,
        /// except in the chain that decided.
        hits: Vec<RuleHit>,
        /// What the table said at last.
        verdict: RuleVerdict,
    },
    /// Addresses rewritten by an existing connection, no rule asked.
    Nat {
        /// Where.
        hook: HookName,
        /// Which rewriting.
        kind: NatKind,
    },
    /// The connection table looked at the packet.
    Conntrack {
        /// Its state.
        state: ConntrackState,
        /// Whether this packet is in the reply direction.
        reply: bool,
    },
    /// Boxed into outer headers.
    Encap {
        /// `flannel.1`.
        device: Name,
        /// Outer destination.
        remote: IpAddr,
        /// Bytes added.
        overhead_bytes: u16,
    },
    /// Outer headers taken off.
    Decap {
        /// `flannel.1`.
        device: Name,
        /// Bytes taken off.
        overhead_bytes: u16,
    },
    /// Cut into pieces because it is larger than the way out; the other pieces are legs of their own.
    Fragment {
        /// How many pieces.
        pieces: u16,
        /// MTU of the way out.
        mtu_bytes: u16,
    },
    /// A piece of a larger packet: put together with the others once all are here.
    Reassemble {
        /// Pieces that are here now.
        pieces: u16,
        /// Whether the packet is whole and goes on.
        whole: bool,
    },
    /// A socket took it, or nothing listens.
    Socket {
        /// The protocol.
        protocol: L4Protocol,
        /// Address and port that it was sent to.
        local: SocketAddr,
        /// Who listens; `None`: nobody.
        process: Option<Name>,
    },
    /// The packet ended here.
    Drop {
        /// Why.
        cause: DropCause,
    },
    /// A fault changed or ended it.
    Fault {
        /// Its name.
        name: Name,
    },
    /// The kernel answers with an ICMP error, which is a leg of its own.
    IcmpError {
        /// Which.
        kind: IcmpKind,
    },
    /// A note of what a process did with what it received (a DNS zone answered, a page served).
    Process {
        /// Who.
        process: Name,
        /// What, in words made when the process was built or by the process itself.
        what: Name,
    },
}

/// What a bridge does with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeDecision {
    /// Addressed to the bridge itself (or the routing code must see it): up to the IP stack.
    Up,
    /// The MAC table knows the port.
    Forward {
        /// The port.
        port: Name,
    },
    /// Unknown or group address: all other ports, and up for group addresses.
    Flood {
        /// The ports.
        ports: Vec<Name>,
    },
    /// To the port that it came from, without hairpin mode: not sent.
    SamePort,
    /// The same, allowed by hairpin mode.
    Hairpin {
        /// The port.
        port: Name,
    },
}

/// How a link address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// Written by an agent (flanneld) or an administrator.
    Permanent,
    /// In the cache.
    Reachable,
    /// Asked for just now (the ARP legs are beside this one).
    Resolved,
    /// Nobody answered.
    Failed,
    /// The interface needs none (point to point, loopback).
    NotNeeded,
}

/// What came of a look-up in the routing tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDecision {
    /// For this stack.
    Local {
        /// The address's interface.
        device: Name,
    },
    /// Out by an interface.
    Unicast {
        /// The route's prefix.
        prefix: IpNet,
        /// The next hop; `None`: on link.
        via: Option<IpAddr>,
        /// Out of which interface.
        device: Name,
        /// `main`, or a number.
        table: Name,
        /// Preferred source address, if it was chosen here.
        src: Option<IpAddr>,
    },
    /// A route of type unreachable, prohibit or blackhole.
    Refused {
        /// `unreachable`, `prohibit`, `blackhole`.
        kind: &'static str,
        /// The route's prefix.
        prefix: IpNet,
    },
    /// Nothing matches.
    NoRoute,
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHit {
    /// The chain.
    pub chain: Name,
    /// How many jumps deep, 0 for a built-in chain.
    pub depth: u8,
    /// Number of the rule in its chain, from 1; 0: the chain's policy or end.
    pub number: u32,
    /// How many rules the chain has.
    pub of: u32,
    /// Whether it matched.
    pub matched: bool,
    /// The rule as `iptables-save` prints it (`-A KUBE-SVC-… -j KUBE-SEP-…`); empty for a policy.
    pub text: Name,
    /// Why the rule exists.
    pub origin: Option<Arc<Origin>>,
}

/// What a table said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Goes on; the chain's policy or an ACCEPT.
    Accept,
    /// Silence.
    Drop,
    /// An ICMP error or RST goes back.
    Reject,
    /// Destination rewritten.
    Dnat,
    /// Source rewritten.
    Snat,
}

/// Which rewriting conntrack did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// Destination, as the first packet's.
    Dnat,
    /// Source, as the first packet's.
    Snat,
    /// The reply's source put back.
    UnDnat,
    /// The reply's destination put back.
    UnSnat,
}

/// ctstate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConntrackState {
    /// First packet of a connection.
    New,
    /// Seen in both directions.
    Established,
    /// Belongs to another one (an ICMP error).
    Related,
    /// Fits nothing.
    Invalid,
    /// Not tracked by a NOTRACK rule.
    Untracked,
}

/// Why a packet ended without being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// A rule said DROP; the Hook step before names it.
    Rule,
    /// A rule said REJECT; an ICMP error or RST goes back.
    Rejected,
    /// No route.
    NoRoute,
    /// Nobody answered for the next hop.
    NeighbourFailed,
    /// TTL used up.
    TtlExceeded,
    /// Too big for the way out, and DF is set.
    TooBig {
        /// MTU of the way out.
        mtu_bytes: u16,
    },
    /// Nothing listens there (an RST or port unreachable goes back).
    NoSocket,
    /// The table of connections has no room for one more.
    TableFull,
    /// Another packet's connection has its tuple already.
    Clash,
    /// `ip_forward` is off.
    ForwardingOff,
    /// Reverse-path filter.
    ReversePath,
    /// A source that cannot be (martian).
    Martian,
    /// The interface is down.
    LinkDown,
    /// The frame is for another station.
    OtherHost,
    /// The bridge would send it back where it came from.
    SamePort,
    /// Nothing else is plugged in there.
    NoListener,
    /// Duplicate, late or otherwise of no use to the socket.
    SocketIgnored,
    /// Went round without end: the run's limit on steps ended it.
    Loop,
    /// Waits for the other pieces of a fragmented packet.
    AwaitsFragments,
    /// What would become of it here is not modelled.
    NotModelled,
    /// A fault.
    Fault,
}
