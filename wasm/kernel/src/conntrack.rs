//! The connection table of one namespace.
//!
//! Models net/netfilter/nf_conntrack_core.c: an entry has a tuple for each direction; it is found by either once it
//! is confirmed, which happens when its first packet leaves the stack's hooks (POSTROUTING or INPUT).

pub mod nat;
mod sctp;
mod tcp;
mod tuple;

pub use sctp::SctpState;
pub use tcp::TcpState;
pub use tuple::Tuple;

use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use std::time::Duration;

/// An entry's key, unique in its table; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u32);

/// Direction of a packet within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// As the first packet.
    Original,
    /// The other way.
    Reply,
}

/// What a packet carries along once connection tracking has seen it (`skb->_nfct`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtRef {
    /// A packet of a connection.
    Tracked {
        /// The entry.
        entry: EntryId,
        /// Which way.
        direction: Direction,
        /// NEW, ESTABLISHED or RELATED.
        state: CtInfo,
    },
    /// NOTRACK.
    Untracked,
    /// Fits nothing.
    Invalid,
}

/// State of a packet with respect to its connection (`enum ip_conntrack_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtInfo {
    /// No reply was seen yet.
    New,
    /// A reply was seen, or this is one.
    Established,
    /// An ICMP error about a packet of the connection.
    Related,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its key.
    pub id: EntryId,
    /// As the first packet was when it came.
    pub original: Tuple,
    /// As replies are when they come.
    pub reply: Tuple,
    /// Whether the reply tuple differs because the source was rewritten (IPS_SRC_NAT).
    pub source_nat: bool,
    /// Whether the destination was rewritten (IPS_DST_NAT).
    pub destination_nat: bool,
    /// Whether the POSTROUTING or INPUT decision was made (IPS_SRC_NAT_DONE).
    pub source_nat_done: bool,
    /// Whether the PREROUTING or OUTPUT decision was made (IPS_DST_NAT_DONE).
    pub destination_nat_done: bool,
    /// Whether it can be found by its tuples.
    pub confirmed: bool,
    /// `[UNREPLIED]` when false.
    pub seen_reply: bool,
    /// `[ASSURED]`.
    pub assured: bool,
    /// TCP's state; of other protocols none.
    pub tcp: Option<TcpState>,
    /// SCTP's state; of other protocols none.
    pub sctp: Option<SctpState>,
    /// `mark=`.
    pub mark: u32,
    /// Packets and bytes in each direction: original, reply.
    pub counters: [(u64, u64); 2],
    /// When the first packet came.
    pub created: Micros,
    /// When it is forgotten.
    pub expires: Micros,
}

impl Entry {
    /// The tuple of one direction.
    pub fn tuple(&self, direction: Direction) -> &Tuple {
        match direction {
            Direction::Original => &self.original,
            Direction::Reply => &self.reply,
        }
    }
}

/// nf_conntrack_udp_timeout.
const UDP: Duration = Duration::from_secs(30);
/// nf_conntrack_udp_timeout_stream.
const UDP_STREAM: Duration = Duration::from_secs(120);
/// A UDP flow counts as a stream once it has lasted for so long. Source: nf_conntrack_proto_udp.c.
const UDP_STREAM_AFTER: Duration = Duration::from_secs(2);
/// nf_conntrack_icmp_timeout.
const ICMP: Duration = Duration::from_secs(30);
/// nf_conntrack_gre_timeout and nf_conntrack_gre_timeout_stream.
const GRE: Duration = Duration::from_secs(30);
const GRE_STREAM: Duration = Duration::from_secs(180);
/// nf_conntrack_generic_timeout.
const GENERIC: Duration = Duration::from_secs(600);

/// The connection table of one namespace. It lists entries from the oldest.
#[derive(Clone, Debug, Default)]
pub struct Conntrack {
    entries: BTreeMap<EntryId, Entry>,
    by_tuple: IndexMap<Tuple, (EntryId, Direction)>,
    next: u32,
}

impl Conntrack {
    /// Confirmed entries that have not expired at `now`, oldest first.
    pub fn entries(&self, now: Micros) -> impl Iterator<Item = &Entry> {
        self.entries
            .values()
            .filter(move |e| e.confirmed && e.expires > now)
    }

    /// One entry, confirmed or not.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn entry_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The confirmed, unexpired entry that a packet with this tuple belongs to.
    pub fn find(&self, tuple: &Tuple, now: Micros) -> Option<(&Entry, Direction)> {
        let (id, direction) = *self.by_tuple.get(tuple)?;
        self.entries
            .get(&id)
            .filter(|e| e.expires > now)
            .map(|e| (e, direction))
    }

    /// Whether a reply with this tuple would belong to another connection (`nf_conntrack_tuple_taken`).
    pub fn is_taken(&self, tuple: &Tuple, by_other_than: EntryId, now: Micros) -> bool {
        self.find(tuple, now).is_some_and(|(e, _)| e.id != by_other_than)
    }

    /// A new entry, which can not be found yet.
    pub(crate) fn create(&mut self, tuple: Tuple, tcp: Option<TcpState>, now: Micros) -> EntryId {
        let id = EntryId(self.next);
        self.next = self.next.wrapping_add(1);
        let entry = Entry {
            id,
            original: tuple,
            reply: tuple.inverse(),
            source_nat: false,
            destination_nat: false,
            source_nat_done: false,
            destination_nat_done: false,
            confirmed: false,
            seen_reply: false,
            assured: false,
            tcp,
            sctp: None,
            mark: 0,
            counters: [(0, 0); 2],
            created: now,
            expires: now + Duration::from_secs(30),
        };
        self.entries.insert(id, entry);
        id
    }

    /// Makes an entry findable. False: another connection took one of its tuples in the meantime, and the packet is
    /// lost (`__nf_conntrack_confirm`).
    pub(crate) fn confirm(&mut self, id: EntryId, now: Micros) -> bool {
        let Some((original, reply, confirmed)) =
            self.entries.get(&id).map(|e| (e.original, e.reply, e.confirmed))
        else {
            return true;
        };
        if confirmed {
            return true;
        }
        if self.is_taken(&original, id, now) || self.is_taken(&reply, id, now) {
            self.entries.remove(&id);
            return false;
        }
        for tuple in [original, reply] {
            if let Some((old, _)) = self.by_tuple.swap_remove(&tuple) {
                self.remove(old);
            }
        }
        self.by_tuple.insert(original, (id, Direction::Original));
        self.by_tuple.insert(reply, (id, Direction::Reply));
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.confirmed = true;
        }
        true
    }

    /// Forgets an entry (`conntrack -D`, or a packet that never got through).
    pub fn remove(&mut self, id: EntryId) {
        if let Some(entry) = self.entries.remove(&id) {
            for tuple in [entry.original, entry.reply] {
                if self.by_tuple.get(&tuple).is_some_and(|(owner, _)| *owner == id) {
                    self.by_tuple.swap_remove(&tuple);
                }
            }
        }
    }

    /// Forgets an entry that was never confirmed: its first packet was dropped.
    pub(crate) fn abandon(&mut self, id: EntryId) {
        if self.entries.get(&id).is_some_and(|e| !e.confirmed) {
            self.entries.remove(&id);
        }
    }

    /// Forgets what has expired.
    pub fn age(&mut self, now: Micros) {
        let old: Vec<EntryId> = self
            .entries
            .values()
            .filter(|e| e.expires <= now)
            .map(|e| e.id)
            .collect();
        for id in old {
            self.remove(id);
        }
    }

    /// Notes a packet of an entry: state, assured, time-out, counters (`nf_conntrack_handle_packet`).
    pub(crate) fn note(
        &mut self,
        id: EntryId,
        direction: Direction,
        packet: &hoplab_wire::Packet,
        now: Micros,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let reply = direction == Direction::Reply;
        entry.seen_reply |= reply;
        let counter = &mut entry.counters[usize::from(reply)];
        counter.0 += 1;
        counter.1 += packet.ip_len_bytes() as u64;
        let timeout = match entry.original.protocol {
            L4Protocol::Tcp => {
                let flags = packet.tcp_flags().unwrap_or_default();
                let old = entry.tcp.unwrap_or(TcpState::SynSent);
                let new = old.next(flags, direction);
                entry.tcp = Some(new);
                if entry.seen_reply
                    && matches!(old, TcpState::SynReceived | TcpState::Established)
                    && new == TcpState::Established
                {
                    entry.assured = true;
                }
                if flags.rst && !entry.seen_reply {
                    TcpState::Close.timeout()
                } else {
                    new.timeout()
                }
            }
            L4Protocol::Udp if entry.seen_reply => {
                if now >= entry.created + UDP_STREAM_AFTER {
                    entry.assured = true;
                    UDP_STREAM
                } else {
                    UDP
                }
            }
            L4Protocol::Udp => UDP,
            L4Protocol::Icmp | L4Protocol::Icmpv6 => ICMP,
            L4Protocol::Sctp => {
                let (old, chunk) = (entry.sctp, packet.sctp_chunk());
                let first = || chunk.and_then(SctpState::first).unwrap_or(SctpState::Closed);
                let state = match (old, chunk) {
                    (Some(old), Some(chunk)) => old.next(chunk, direction),
                    (Some(old), None) => old,
                    (None, _) => first(),
                };
                entry.sctp = Some(state);
                let opened = old == Some(SctpState::CookieEchoed) && state == SctpState::Established;
                entry.assured |= reply && opened;
                state.timeout()
            }
            L4Protocol::Gre if entry.seen_reply => {
                entry.assured = true;
                GRE_STREAM
            }
            L4Protocol::Gre => GRE,
            L4Protocol::Ipip | L4Protocol::Ipv6 => GENERIC,
        };
        entry.expires = now + timeout;
    }
}
