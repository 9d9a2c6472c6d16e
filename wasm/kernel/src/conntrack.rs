//! The connection table of one namespace.
//!
//! Models net/netfilter/nf_conntrack_core.c: an entry has a tuple for each direction; it is found by either once it
//! is confirmed, which happens when its first packet leaves the stack's hooks (POSTROUTING or INPUT).

pub mod nat;
mod sctp;
pub mod setting;
mod tcp;
mod tuple;

pub use sctp::SctpState;
pub use tcp::TcpState;
pub use tuple::Tuple;

use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use std::sync::Arc;
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
    /// It lost the race to another with the same original tuple: only answers find it (IPS_NAT_CLASH).
    pub clashed: bool,
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

/// A UDP flow counts as a stream once it has lasted for so long. Source: nf_conntrack_proto_udp.c.
const UDP_STREAM_AFTER: Duration = Duration::from_secs(2);
/// How long an entry lives that lost a race. Source: nf_conntrack_core.c `nf_ct_resolve_clash_harder`.
const CLASHED: Duration = Duration::from_secs(1);

/// What `conntrack -S` counts, as far as anything here counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets that belong to no connection and cannot open one.
    pub invalid: u32,
    /// Entries that could not be put in the table.
    pub insert_failed: u32,
    /// Packets lost for it, or because the table was full.
    pub drop: u32,
    /// Races that ended without a loss.
    pub clash_resolve: u32,
}

/// The connection table of one namespace. It lists entries from the oldest. A copy shares its entries until they change.
#[derive(Clone, Debug, Default)]
pub struct Conntrack {
    entries: BTreeMap<EntryId, Arc<Entry>>,
    by_tuple: IndexMap<Tuple, (EntryId, Direction)>,
    next: u32,
    /// Counters.
    pub stats: Stats,
}

impl Conntrack {
    /// Confirmed entries that have not expired at `now`, oldest first; those that only answers find are not listed.
    pub fn entries(&self, now: Micros) -> impl Iterator<Item = &Entry> {
        self.entries
            .values()
            .map(|entry| &**entry)
            .filter(move |e| e.confirmed && !e.clashed && e.expires > now)
    }

    /// How many entries there are (`nf_conntrack_count`).
    pub fn count(&self, now: Micros) -> usize {
        self.entries.values().filter(|e| e.expires > now).count()
    }

    /// One entry, confirmed or not.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(&id).map(|entry| &**entry)
    }

    pub(crate) fn entry_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.entries.get_mut(&id).map(Arc::make_mut)
    }

    /// The confirmed, unexpired entry that a packet with this tuple belongs to.
    pub fn find(&self, tuple: &Tuple, now: Micros) -> Option<(&Entry, Direction)> {
        let (id, direction) = *self.by_tuple.get(tuple)?;
        self.entries
            .get(&id)
            .filter(|e| e.expires > now)
            .map(|e| (&**e, direction))
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
            clashed: false,
            counters: [(0, 0); 2],
            created: now,
            expires: now + Duration::from_secs(30),
        };
        self.entries.insert(id, Arc::new(entry));
        id
    }

    /// Makes an entry findable: the entry that its packet belongs to now. `None`: another connection took one of its
    /// tuples in the meantime, and the packet is lost. Source: `__nf_conntrack_confirm`, `__nf_ct_resolve_clash`,
    /// `nf_ct_resolve_clash_harder`.
    pub(crate) fn confirm(&mut self, id: EntryId, now: Micros) -> Option<EntryId> {
        let Some(entry) = self.entries.get(&id).filter(|e| !e.confirmed) else {
            return Some(id);
        };
        let (original, reply) = (entry.original, entry.reply);
        let other = |tuple| self.find(tuple, now).map(|(e, _)| e).filter(|e| e.id != id);
        let mut tuples = vec![(original, Direction::Original), (reply, Direction::Reply)];
        let mut clashed = false;
        if let Some(winner) = other(&original).or_else(|| other(&reply)) {
            // allow_clash of the protocol.
            let may = matches!(original.protocol, L4Protocol::Udp | L4Protocol::Gre);
            let undecided = !winner.source_nat_done && !winner.destination_nat_done;
            if may && (undecided || (winner.original, winner.reply) == (original, reply)) {
                let winner = winner.id;
                self.stats.clash_resolve += 1;
                self.entries.remove(&id);
                return Some(winner);
            }
            if !may || other(&reply).is_some() {
                self.stats.insert_failed += 1;
                self.stats.drop += 1;
                self.entries.remove(&id);
                return None;
            }
            self.stats.clash_resolve += 1;
            clashed = true;
            tuples.remove(0);
        }
        for (tuple, direction) in tuples {
            if let Some((old, _)) = self.by_tuple.swap_remove(&tuple)
                && old != id
            {
                self.remove(old);
            }
            self.by_tuple.insert(tuple, (id, direction));
        }
        if let Some(entry) = self.entry_mut(id) {
            entry.confirmed = true;
            if clashed {
                entry.clashed = true;
                entry.expires = now + CLASHED;
            }
        }
        Some(id)
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
        settings: &setting::Changed,
        now: Micros,
    ) {
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        let reply = direction == Direction::Reply;
        let answered = entry.seen_reply;
        entry.seen_reply |= reply;
        let counter = &mut entry.counters[usize::from(reply)];
        counter.0 += 1;
        counter.1 += packet.ip_len_bytes() as u64;
        let stream = usize::from(entry.seen_reply);
        let setting = match entry.original.protocol {
            L4Protocol::Tcp => {
                let flags = packet.tcp_flags().unwrap_or_default();
                // nf_conntrack_tcp_packet: where the only answer is RST there is no connection to be remembered.
                if flags.rst && !answered {
                    entry.tcp = Some(TcpState::Close);
                    entry.expires = now;
                    return;
                }
                let old = entry.tcp.unwrap_or(TcpState::SynSent);
                let new = old.next(flags, direction);
                entry.tcp = Some(new);
                entry.assured |= entry.seen_reply
                    && matches!(old, TcpState::SynReceived | TcpState::Established)
                    && new == TcpState::Established;
                setting::TCP + new as usize
            }
            L4Protocol::Udp if entry.seen_reply => {
                let lasts = now >= entry.created + UDP_STREAM_AFTER;
                entry.assured |= lasts;
                setting::UDP + usize::from(lasts)
            }
            L4Protocol::Udp => setting::UDP,
            L4Protocol::Icmp => setting::ICMP,
            L4Protocol::Icmpv6 => setting::ICMP + 1,
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
                setting::SCTP + state as usize
            }
            L4Protocol::Gre => {
                entry.assured |= entry.seen_reply;
                setting::GRE + stream
            }
            L4Protocol::Ipip | L4Protocol::Ipv6 => setting::GENERIC,
        };
        if !entry.clashed {
            entry.expires = now + setting::timeout(settings, setting);
        }
    }
}
