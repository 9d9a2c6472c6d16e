//! Address translation: which tuple a connection gets, and the rewriting of each of its packets.
//!
//! Models net/netfilter/nf_nat_core.c.

use super::{Conntrack, CtInfo, CtRef, Direction, EntryId, Tuple};
use hoplab_trace::{HookName, Micros, NatKind};
use hoplab_wire::{Header, Packet};
use std::net::IpAddr;
use std::sync::Arc;

/// Which end a hook rewrites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manip {
    /// Source: POSTROUTING and INPUT.
    Source,
    /// Destination: PREROUTING and OUTPUT.
    Destination,
}

impl Manip {
    /// `HOOK2MANIP`; FORWARD rewrites nothing.
    pub fn of(hook: HookName) -> Option<Self> {
        match hook {
            HookName::Prerouting | HookName::Output => Some(Self::Destination),
            HookName::Postrouting | HookName::Input => Some(Self::Source),
            HookName::Forward => None,
        }
    }
}

/// What a NAT rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// New address; `None`: unchanged.
    pub address: Option<IpAddr>,
    /// New port; `None`: unchanged if that is free.
    pub port: Option<u16>,
    /// `--random-fully`.
    pub random_fully: bool,
}

impl Range {
    /// Changes nothing unless the tuple is taken (`nf_nat_alloc_null_binding`).
    pub const KEEP: Self = Self {
        address: None,
        port: None,
        random_fully: false,
    };
}

/// How many ports are tried before giving up.
const ATTEMPTS: u32 = 64_512;

impl Conntrack {
    /// Gives a new connection its translation at one hook. False: no port is free, the packet is lost
    /// (`nf_nat_setup_info`).
    pub(crate) fn set_up_nat(&mut self, id: EntryId, manip: Manip, range: Range, now: Micros) -> bool {
        let Some(entry) = self.entry(id) else { return true };
        let current = entry.reply.inverse();
        let Some(new) = self.unique_tuple(id, current, manip, range, now) else {
            return false;
        };
        let Some(entry) = self.entry_mut(id) else {
            return true;
        };
        if new != current {
            entry.reply = new.inverse();
            match manip {
                Manip::Source => entry.source_nat = true,
                Manip::Destination => entry.destination_nat = true,
            }
        }
        match manip {
            Manip::Source => entry.source_nat_done = true,
            Manip::Destination => entry.destination_nat_done = true,
        }
        true
    }

    /// `get_unique_tuple`: the address that the rule asks for, the port kept when replies stay unique.
    fn unique_tuple(
        &self,
        id: EntryId,
        current: Tuple,
        manip: Manip,
        range: Range,
        now: Micros,
    ) -> Option<Tuple> {
        let mut tuple = current;
        match manip {
            Manip::Source => tuple.src = range.address.unwrap_or(tuple.src),
            Manip::Destination => {
                tuple.dst = range.address.unwrap_or(tuple.dst);
                if !tuple.is_icmp() {
                    tuple.dst_port = range.port.unwrap_or(tuple.dst_port);
                }
                // Destination ports are never searched for unless a range was given.
                return Some(tuple);
            }
        }
        if let Some(port) = range.port {
            tuple.src_port = port;
        }
        let free = |t: &Tuple| !self.is_taken(&t.inverse(), id, now);
        if !range.random_fully && free(&tuple) {
            return Some(tuple);
        }
        // nf_nat_l4proto_unique_tuple: ports of the same class as the original one.
        let (first, count) = if tuple.is_icmp() {
            (0_u32, 65_536_u32)
        } else {
            match tuple.src_port {
                0..512 => (1, 511),
                512..1024 => (600, 424),
                _ => (1024, 64_512),
            }
        };
        let start = if range.random_fully {
            scatter(id, tuple)
        } else {
            u32::from(tuple.src_port).wrapping_sub(first).wrapping_add(1)
        };
        for step in 0..count.min(ATTEMPTS) {
            let port = first + start.wrapping_add(step) % count;
            tuple.src_port = u16::try_from(port).unwrap_or(u16::MAX);
            if free(&tuple) {
                return Some(tuple);
            }
        }
        None
    }
}

/// A fixed stand-in for the kernel's random offset: same world, same port.
fn scatter(id: EntryId, tuple: Tuple) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut mix = |value: u32| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    };
    mix(id.0);
    for address in [tuple.src, tuple.dst] {
        match address {
            IpAddr::V4(a) => mix(u32::from(a)),
            IpAddr::V6(a) => a
                .octets()
                .chunks(4)
                .for_each(|c| mix(u32::from_le_bytes([c[0], c[1], c[2], c[3]]))),
        }
    }
    mix(u32::from(tuple.src_port) << 16 | u32::from(tuple.dst_port));
    hash
}

/// What rewriting one hook does to a packet of a connection: the kind, and the tuple it must have afterwards.
pub(crate) fn rewriting(table: &Conntrack, ct: CtRef, manip: Manip) -> Option<(NatKind, Tuple)> {
    let CtRef::Tracked { entry, direction, .. } = ct else {
        return None;
    };
    let entry = table.entry(entry)?;
    // nf_nat_packet: replies have the opposite end rewritten.
    let wanted = match (manip, direction) {
        (Manip::Source, Direction::Original) => (entry.source_nat, NatKind::Snat),
        (Manip::Destination, Direction::Original) => (entry.destination_nat, NatKind::Dnat),
        (Manip::Source, Direction::Reply) => (entry.destination_nat, NatKind::UnDnat),
        (Manip::Destination, Direction::Reply) => (entry.source_nat, NatKind::UnSnat),
    };
    let target = match direction {
        Direction::Original => entry.reply.inverse(),
        Direction::Reply => entry.original.inverse(),
    };
    wanted.0.then_some((wanted.1, target))
}

/// Rewrites one end of a packet as a rewriting says. An ICMP error has its outer address and the packet that it quotes
/// rewritten (`nf_nat_icmp_reply_translation`).
pub(crate) fn rewrite(packet: &mut Packet, ct: CtRef, manip: Manip, target: Tuple) {
    let related = matches!(
        ct,
        CtRef::Tracked {
            state: CtInfo::Related,
            ..
        }
    );
    match manip {
        Manip::Source => packet.set_src_ip(target.src),
        Manip::Destination => packet.set_dst_ip(target.dst),
    }
    if !related {
        match manip {
            Manip::Source => packet.set_src_port(target.src_port),
            Manip::Destination if target.is_icmp() => packet.set_dst_port(target.src_port),
            Manip::Destination => packet.set_dst_port(target.dst_port),
        }
        return;
    }
    // The quoted packet went the other way: its source is this packet's destination end.
    let inner = target.inverse();
    let Some(at) = packet.ip_index() else { return };
    let Some(Header::Icmp(icmp)) = packet.headers.get_mut(at + 1) else {
        return;
    };
    let Some(quoted) = &mut icmp.quoted else { return };
    let quoted = Arc::make_mut(quoted);
    match manip {
        Manip::Source => {
            quoted.set_dst_ip(inner.dst);
            quoted.set_dst_port(if inner.is_icmp() {
                inner.src_port
            } else {
                inner.dst_port
            });
        }
        Manip::Destination => {
            quoted.set_src_ip(inner.src);
            quoted.set_src_port(inner.src_port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::Entry;
    use hoplab_wire::L4Protocol;
    use std::time::Duration;

    const NOW: Micros = Micros(1);

    fn tuple(src: &str, src_port: u16) -> Tuple {
        let dst = "10.0.0.9".parse().expect("an address");
        Tuple {
            src: src.parse().expect("an address"),
            dst,
            protocol: L4Protocol::Udp,
            src_port,
            dst_port: 53,
            zone: 0,
        }
    }

    fn masquerade(table: &mut Conntrack, original: Tuple, random_fully: bool) -> Entry {
        let id = table.create(original, None, NOW);
        let address = Some("172.30.0.1".parse().expect("an address"));
        assert!(table.set_up_nat(
            id,
            Manip::Source,
            Range {
                address,
                port: None,
                random_fully
            },
            NOW
        ));
        assert_eq!(table.confirm(id, NOW), Some(id));
        table.entry(id).expect("just made").clone()
    }

    #[test]
    fn masquerade_keeps_the_port_while_replies_stay_unique_and_takes_the_next_free_one_otherwise() {
        let mut table = Conntrack::default();
        assert_eq!(
            masquerade(&mut table, tuple("10.244.1.2", 40_000), false)
                .reply
                .dst_port,
            40_000
        );
        assert_eq!(
            masquerade(&mut table, tuple("10.244.1.3", 40_000), false)
                .reply
                .dst_port,
            40_001
        );
        assert_eq!(
            masquerade(&mut table, tuple("10.244.1.4", 40_000), false)
                .reply
                .dst_port,
            40_002
        );
        assert_eq!(
            masquerade(&mut table, tuple("10.244.1.5", 300), false)
                .reply
                .dst_port,
            300
        );
        assert_eq!(
            masquerade(&mut table, tuple("10.244.1.6", 300), false)
                .reply
                .dst_port,
            301
        );
    }

    #[test]
    fn random_fully_takes_another_port_and_the_same_one_in_the_same_world() {
        let port = || {
            masquerade(&mut Conntrack::default(), tuple("10.244.1.2", 40_000), true)
                .reply
                .dst_port
        };
        assert_ne!(port(), 40_000);
        assert!(port() >= 1024);
        assert_eq!(port(), port());
    }

    #[test]
    fn no_free_port_loses_the_packet() {
        let mut table = Conntrack::default();
        // Privileged ports below 512: 1 to 511.
        for host in 0..511_u32 {
            let source = std::net::Ipv4Addr::from(0x0af4_0000 + host).to_string();
            masquerade(&mut table, tuple(&source, 300), false);
        }
        let id = table.create(tuple("10.245.0.1", 300), None, NOW);
        let address = Some("172.30.0.1".parse().expect("an address"));
        assert!(!table.set_up_nat(
            id,
            Manip::Source,
            Range {
                address,
                port: None,
                random_fully: false
            },
            NOW
        ));
    }

    #[test]
    fn an_entry_is_found_both_ways_until_it_expires() {
        let mut table = Conntrack::default();
        let entry = masquerade(&mut table, tuple("10.244.1.2", 40_000), false);
        for (tuple, direction) in [
            (entry.original, Direction::Original),
            (entry.reply, Direction::Reply),
        ] {
            assert_eq!(
                table.find(&tuple, NOW).map(|(e, d)| (e.id, d)),
                Some((entry.id, direction))
            );
        }
        let later = NOW + Duration::from_secs(31);
        assert!(table.find(&entry.reply, later).is_none());
        table.age(later);
        assert_eq!(table.entries(NOW).count(), 0);
    }

    /// Two datagrams of one socket, each translated before the other is confirmed, as resolvers send them.
    fn race(first: &str, second: &str) -> (Conntrack, [Option<EntryId>; 2], [EntryId; 2]) {
        let mut table = Conntrack::default();
        let ids = [first, second].map(|to| {
            let id = table.create(tuple("10.244.1.2", 40_000), None, NOW);
            let range = Range {
                address: Some(to.parse().expect("an address")),
                ..Range::KEEP
            };
            assert!(table.set_up_nat(id, Manip::Destination, range, NOW));
            id
        });
        let confirmed = ids.map(|id| table.confirm(id, NOW));
        (table, confirmed, ids)
    }

    #[test]
    fn of_two_datagrams_at_once_the_second_joins_the_first_when_both_were_sent_to_the_same() {
        let (table, confirmed, [winner, loser]) = race("10.244.2.3", "10.244.2.3");
        assert_eq!(confirmed, [Some(winner); 2]);
        assert!(table.entry(loser).is_none());
        assert_eq!((table.stats.clash_resolve, table.stats.drop), (1, 0));
    }

    #[test]
    fn of_two_datagrams_at_once_sent_to_two_the_second_is_found_by_its_answer_alone() {
        let (table, confirmed, [winner, loser]) = race("10.244.2.3", "10.244.2.4");
        assert_eq!(confirmed, [Some(winner), Some(loser)]);
        assert_eq!(table.entries(NOW).map(|e| e.id).collect::<Vec<_>>(), [winner]);
        let answer = table.entry(loser).expect("it is there").reply;
        assert_eq!(table.find(&answer, NOW).map(|(e, _)| e.id), Some(loser));
        assert!(table.find(&answer, NOW + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn of_two_syns_at_once_the_second_is_lost() {
        let mut table = Conntrack::default();
        let tcp = Tuple {
            protocol: L4Protocol::Tcp,
            ..tuple("10.244.1.2", 40_000)
        };
        let [first, second] = [0; 2].map(|_| table.create(tcp, None, NOW));
        assert_eq!(
            (table.confirm(first, NOW), table.confirm(second, NOW)),
            (Some(first), None)
        );
        assert_eq!((table.stats.insert_failed, table.stats.drop), (1, 1));
    }
}
