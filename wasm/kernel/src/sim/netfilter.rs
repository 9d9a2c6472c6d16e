//! A packet at a hook: tables in the order of their priorities, connection tracking and translation between them.

use super::cursor::Cursor;
use super::{Sim, icmp};
use crate::conntrack::nat::{self, Manip, Range};
use crate::conntrack::{CtInfo, CtRef, Direction, SctpState, TcpState, Tuple, setting};
use crate::interface::Scope;
use crate::nf::eval::{self, Around, Decision, Evaluated, Seen};
use crate::nf::hooks::{self, Station};
use crate::nf::nft::{BaseChain, NftTable};
use crate::nf::{RejectWith, TableName};
use crate::stack::Stack;
use hoplab_source::order;
use hoplab_trace::{ConntrackState, DropCause, HookName, LegEnd, Name, NatKind, RuleVerdict, StepKind};
use hoplab_wire::{Header, IcmpKind, Packet};
use std::net::IpAddr;
use std::sync::Arc;

/// What a hook said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookEnd {
    Pass,
    Drop,
    /// Connection tracking could not keep it.
    Lost(DropCause),
    Reject(RejectWith),
    /// IPVS gave it another destination: it goes out from here.
    Redirected,
}

impl Sim<'_> {
    /// Everything that runs at one hook.
    pub(super) fn hook(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        iif: Option<&Name>,
        oif: Option<&Name>,
    ) -> HookEnd {
        let Some(v4) = cursor.skb.packet.src_ip().map(|ip| ip.is_ipv4()) else {
            return HookEnd::Pass;
        };
        let mut after = i32::MIN;
        for (station, priority) in hooks::stations(hook) {
            if !stack.ns.nftables.is_empty() {
                let end = self.nft_filters(cursor, stack, hook, (iif, oif), after..priority);
                if end != HookEnd::Pass {
                    return end;
                }
                after = priority;
            }
            let end = match station {
                // nf_conntrack_in: what has its connection already is not looked at again.
                Station::Conntrack if stack.tracks && cursor.skb.ipvs.is_none() => self.track(cursor, stack),
                Station::Confirm if stack.tracks => self.confirm(cursor),
                Station::Table(TableName::Nat) => self.nat(cursor, stack, hook, iif, oif, v4),
                Station::Table(table) => self.table(cursor, stack, hook, table, iif, oif, v4),
                Station::Ipvs if !stack.ns.ipvs.is_empty() => self.ipvs(cursor, stack, hook),
                Station::Conntrack | Station::Confirm | Station::Ipvs => HookEnd::Pass,
            };
            if end != HookEnd::Pass {
                return end;
            }
        }
        if stack.ns.nftables.is_empty() {
            return HookEnd::Pass;
        }
        self.nft_filters(cursor, stack, hook, (iif, oif), after..i32::MAX)
    }

    /// Base chains of the type filter whose priorities are in a range, the lower first.
    fn nft_filters(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        devices: (Option<&Name>, Option<&Name>),
        priorities: std::ops::Range<i32>,
    ) -> HookEnd {
        for (table, base) in nft_chains(cursor, stack, hook, false) {
            if !priorities.contains(&base.priority) {
                continue;
            }
            let Some(evaluated) = self.asked(cursor, stack, hook, devices, &|seen, around| {
                eval::evaluate_nft(table, &base.name, seen, around)
            }) else {
                continue;
            };
            let end = self.said(cursor, hook, table.label(), evaluated);
            if end != HookEnd::Pass {
                return end;
            }
        }
        HookEnd::Pass
    }

    /// Ends a packet that a hook stopped.
    pub(super) fn end_at_hook(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        end: HookEnd,
    ) -> Option<Box<Cursor>> {
        let HookEnd::Reject(with) = end else {
            let cause = match end {
                HookEnd::Lost(cause) => cause,
                _ => DropCause::Rule,
            };
            self.drop_packet(cursor, cause, None);
            return None;
        };
        let kind = match with {
            RejectWith::TcpReset => None,
            RejectWith::PortUnreachable => Some(IcmpKind::PortUnreachable),
            RejectWith::HostUnreachable => Some(IcmpKind::HostUnreachable),
            RejectWith::NetUnreachable => Some(IcmpKind::NetUnreachable),
            RejectWith::AdminProhibited => Some(IcmpKind::AdminProhibited),
        };
        match kind {
            Some(kind) => {
                if self.icmp_error(&cursor, stack, kind) {
                    cursor.step(StepKind::IcmpError { kind }, None);
                }
            }
            None => self.reset_for(&cursor, icmp::attach(cursor.skb.ct)),
        }
        cursor.step(
            StepKind::Drop {
                cause: DropCause::Rejected,
            },
            None,
        );
        self.finish(*cursor, LegEnd::Refused);
        None
    }

    #[allow(clippy::too_many_arguments, reason = "the arguments of a netfilter hook")]
    fn table(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        table: TableName,
        iif: Option<&Name>,
        oif: Option<&Name>,
        v4: bool,
    ) -> HookEnd {
        let Some(evaluated) = self.ask(cursor, stack, hook, table, iif, oif, v4) else {
            return HookEnd::Pass;
        };
        self.said(cursor, hook, table.name(), evaluated)
    }

    /// Notes what a table said.
    fn said(
        &mut self,
        cursor: &mut Cursor,
        hook: HookName,
        table: &'static str,
        evaluated: Evaluated,
    ) -> HookEnd {
        if evaluated.untracked {
            cursor.skb.ct = Some(CtRef::Untracked);
        }
        cursor.skb.zone = evaluated.zone.unwrap_or(cursor.skb.zone);
        let (verdict, end) = match evaluated.decision {
            Decision::Drop => (RuleVerdict::Drop, HookEnd::Drop),
            Decision::Reject(with) => (RuleVerdict::Reject, HookEnd::Reject(with)),
            _ => (RuleVerdict::Accept, HookEnd::Pass),
        };
        let kind = StepKind::Hook {
            hook,
            table,
            hits: evaluated.hits,
            verdict,
        };
        cursor.step(kind, evaluated.origin);
        end
    }

    #[allow(clippy::too_many_arguments, reason = "the arguments of a netfilter hook")]
    fn ask(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        table: TableName,
        iif: Option<&Name>,
        oif: Option<&Name>,
        v4: bool,
    ) -> Option<Evaluated> {
        let found = stack.ruleset(v4).tables.get(&table)?;
        self.asked(cursor, stack, hook, (iif, oif), &|seen, around| {
            eval::evaluate(found, hook, seen, around)
        })
    }

    /// Asks about a packet as it is at a hook.
    fn asked(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        (iif, oif): (Option<&Name>, Option<&Name>),
        ask: &dyn Fn(&Seen<'_>, &mut Around<'_>) -> Option<Evaluated>,
    ) -> Option<Evaluated> {
        let mut seen = Seen::of(&cursor.skb.packet, cursor.skb.ct, self.now)?;
        seen.iif = iif.map(|n| &**n);
        seen.oif = oif.map(|n| &**n);
        seen.physdev_in = cursor.skb.nf_bridge;
        seen.ipvs = cursor.skb.ipvs;
        seen.bridged = cursor.skb.nf_bridge && matches!(hook, HookName::Forward | HookName::Postrouting);
        let mut around = Around {
            stack,
            state: self.overlay.stack_mut(stack.id),
            mark: &mut cursor.skb.mark,
            chooser: self.chooser,
            unknowns: &mut self.unknowns,
        };
        let evaluated = ask(&seen, &mut around);
        if let Some(mss) = evaluated.as_ref().and_then(|e| e.mss) {
            self.clamp(cursor, stack, mss);
        }
        evaluated
    }

    /// TCPMSS: a SYN's segment size becomes at most this, or at most what the ways there and back take. Source:
    /// net/netfilter/xt_TCPMSS.c tcpmss_mangle_packet: it is never made larger.
    fn clamp(&mut self, cursor: &mut Cursor, stack: &Stack, asked: Option<u16>) {
        let (Some(back), Some(at)) = (cursor.skb.packet.src_ip(), cursor.skb.packet.ip_index()) else {
            return;
        };
        let headers = if back.is_ipv4() { 40 } else { 60 };
        let most = asked.or_else(|| {
            let ahead = cursor.skb.dst.as_ref()?.mtu_bytes;
            let way_back = self.mtu_to(stack, back).unwrap_or(u32::MAX);
            u16::try_from(ahead.min(way_back)).ok()?.checked_sub(headers)
        });
        if let (Some(Header::Tcp(tcp)), Some(most)) = (
            Arc::make_mut(&mut cursor.skb.packet).headers.get_mut(at + 1),
            most,
        ) {
            tcp.mss_bytes = tcp.mss_bytes.map(|old| old.min(most));
        }
    }

    /// `nf_conntrack_in`: finds or makes the entry.
    fn track(&mut self, cursor: &mut Cursor, stack: &Stack) -> HookEnd {
        let settings = &stack.ns.sysctls.conntrack;
        let zone = cursor.skb.zone;
        let tuple_of = |packet: &Packet| Tuple::of(packet).map(|tuple| Tuple { zone, ..tuple });
        let now = self.now;
        let packet = Arc::clone(&cursor.skb.packet);
        let table = &mut self.overlay.stack_mut(cursor.netns).conntrack;
        let kind = packet.icmp().map(|i| i.kind);
        if cursor.skb.ct.is_none()
            && let Some(IcmpKind::NeighbourSolicitation { .. } | IcmpKind::NeighbourAdvertisement { .. }) =
                kind
        {
            // nf_conntrack_icmpv6_error: neighbour discovery is never tracked.
            cursor.skb.ct = Some(CtRef::Untracked);
        }
        if cursor.skb.ct.is_none() {
            let quoted = packet.icmp().and_then(|i| i.quoted.as_ref());
            cursor.skb.ct = Some(match (quoted, tuple_of(&packet)) {
                (Some(quoted), _) => match tuple_of(quoted).and_then(|t| table.find(&t.inverse(), now)) {
                    Some((entry, direction)) => CtRef::Tracked {
                        entry: entry.id,
                        direction,
                        state: CtInfo::Related,
                    },
                    None => CtRef::Invalid,
                },
                (None, None) => CtRef::Invalid,
                (None, Some(tuple)) => {
                    let flags = packet.tcp_flags();
                    let reopened = table.find(&tuple, now).filter(|(entry, direction)| {
                        // A SYN on an old connection starts a new one.
                        *direction == Direction::Original
                            && flags.is_some_and(|f| f.syn && !f.ack)
                            && matches!(entry.tcp, Some(TcpState::TimeWait | TcpState::Close))
                    });
                    if let Some(old) = reopened.map(|(entry, _)| entry.id) {
                        table.remove(old);
                    }
                    match table.find(&tuple, now) {
                        Some((entry, direction)) => {
                            let answered = direction == Direction::Reply || entry.seen_reply;
                            let state = if answered {
                                CtInfo::Established
                            } else {
                                CtInfo::New
                            };
                            CtRef::Tracked {
                                entry: entry.id,
                                direction,
                                state,
                            }
                        }
                        None => match flags.map(TcpState::first) {
                            Some(None) => CtRef::Invalid,
                            // valid_new of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c: of ICMP only a
                            // request opens a connection.
                            None if kind.is_some_and(|k| !matches!(k, IcmpKind::EchoRequest { .. })) => {
                                CtRef::Invalid
                            }
                            None if packet.sctp_chunk().is_some_and(|c| SctpState::first(c).is_none()) => {
                                CtRef::Invalid
                            }
                            tcp => {
                                // __nf_conntrack_alloc. Differs: early_drop makes room where by the luck of their
                                // hashes an entry that is not assured is near; here none ever is.
                                let max = setting::value(settings, setting::MAX);
                                if max > 0 && table.count(now) >= max as usize {
                                    table.stats.drop += 1;
                                    return HookEnd::Lost(DropCause::TableFull);
                                }
                                let entry = table.create(tuple, tcp.flatten(), now);
                                CtRef::Tracked {
                                    entry,
                                    direction: Direction::Original,
                                    state: CtInfo::New,
                                }
                            }
                        },
                    }
                }
            });
            if let Some(CtRef::Tracked {
                entry,
                direction,
                state: CtInfo::New | CtInfo::Established,
            }) = cursor.skb.ct
            {
                table.note(entry, direction, &packet, settings, now);
            }
            if cursor.skb.ct == Some(CtRef::Invalid) {
                table.stats.invalid += 1;
            }
        }
        let (state, reply) = match cursor.skb.ct {
            Some(CtRef::Tracked { direction, state, .. }) => {
                let state = match state {
                    CtInfo::New => ConntrackState::New,
                    CtInfo::Established => ConntrackState::Established,
                    CtInfo::Related => ConntrackState::Related,
                };
                (state, direction == Direction::Reply)
            }
            Some(CtRef::Untracked) => (ConntrackState::Untracked, false),
            Some(CtRef::Invalid) | None => (ConntrackState::Invalid, false),
        };
        cursor.step(StepKind::Conntrack { state, reply }, None);
        HookEnd::Pass
    }

    /// `nf_conntrack_confirm`.
    fn confirm(&mut self, cursor: &mut Cursor) -> HookEnd {
        let Some(CtRef::Tracked {
            entry,
            direction: Direction::Original,
            state: CtInfo::New,
        }) = cursor.skb.ct
        else {
            return HookEnd::Pass;
        };
        let now = self.now;
        let table = &mut self.overlay.stack_mut(cursor.netns).conntrack;
        match table.confirm(entry, now) {
            Some(entry) => {
                cursor.skb.ct = Some(CtRef::Tracked {
                    entry,
                    direction: Direction::Original,
                    state: CtInfo::New,
                });
                HookEnd::Pass
            }
            None => HookEnd::Lost(DropCause::Clash),
        }
    }

    /// `nf_nat_inet_fn`: the nat table is asked once for each connection and end; every packet is rewritten alike.
    fn nat(
        &mut self,
        cursor: &mut Cursor,
        stack: &Stack,
        hook: HookName,
        iif: Option<&Name>,
        oif: Option<&Name>,
        v4: bool,
    ) -> HookEnd {
        let (Some(manip), Some(ct)) = (Manip::of(hook), cursor.skb.ct) else {
            return HookEnd::Pass;
        };
        let CtRef::Tracked {
            entry,
            direction,
            state,
        } = ct
        else {
            return HookEnd::Pass;
        };
        let mut asked = None;
        let mut done = true;
        if (stack.ruleset(v4).tables.contains_key(&TableName::Nat) || !stack.ns.nftables.is_empty())
            && state == CtInfo::New
            && direction == Direction::Original
        {
            done = self
                .overlay
                .stack_mut(stack.id)
                .conntrack
                .entry(entry)
                .is_none_or(|e| match manip {
                    Manip::Source => e.source_nat_done,
                    Manip::Destination => e.destination_nat_done,
                });
        }
        if !done {
            let mut evaluated = self
                .ask(cursor, stack, hook, TableName::Nat, iif, oif, v4)
                .map(|evaluated| (TableName::Nat.name(), evaluated));
            // nf_nat_inet_fn: the next chain is asked while none has said anything.
            for (table, base) in nft_chains(cursor, stack, hook, true) {
                if evaluated
                    .as_ref()
                    .is_some_and(|(_, e)| e.decision != Decision::Accept)
                {
                    break;
                }
                let next = self.asked(cursor, stack, hook, (iif, oif), &|seen, around| {
                    eval::evaluate_nft(table, &base.name, seen, around)
                });
                if let Some(next) = next
                    && let Some((name, before)) = evaluated.replace((table.label(), next))
                {
                    self.said(cursor, hook, name, before);
                }
            }
            let decision = evaluated
                .as_ref()
                .map(|(_, e)| e)
                .map_or(Decision::Accept, |e| e.decision);
            let range = match decision {
                Decision::Dnat { to, port } => Range {
                    address: Some(to),
                    port,
                    random_fully: false,
                },
                Decision::Snat { to, random_fully } => Range {
                    address: Some(to),
                    port: None,
                    random_fully,
                },
                Decision::Masquerade { random_fully } => {
                    let address = masquerade_address(cursor, stack, oif);
                    Range {
                        address,
                        port: None,
                        random_fully,
                    }
                }
                _ => Range::KEEP,
            };
            let dropped = decision == Decision::Drop
                || matches!(decision, Decision::Masquerade { .. }) && range.address.is_none();
            let now = self.now;
            let table = &mut self.overlay.stack_mut(stack.id).conntrack;
            let set_up = dropped || table.set_up_nat(entry, manip, range, now);
            let verdict = match decision {
                _ if dropped || !set_up => RuleVerdict::Drop,
                Decision::Dnat { .. } => RuleVerdict::Dnat,
                Decision::Snat { .. } | Decision::Masquerade { .. } => RuleVerdict::Snat,
                _ => RuleVerdict::Accept,
            };
            asked = Some((evaluated, verdict));
        }
        let rewritten = self.rewrite(cursor, ct, manip);
        match asked {
            Some((Some((table, evaluated)), verdict)) => {
                let kind = StepKind::Hook {
                    hook,
                    table,
                    hits: evaluated.hits,
                    verdict,
                };
                cursor.step(kind, evaluated.origin);
                if verdict == RuleVerdict::Drop {
                    return HookEnd::Drop;
                }
                if let Some(kind) = rewritten
                    && verdict == RuleVerdict::Accept
                {
                    cursor.step(StepKind::Nat { hook, kind }, None);
                }
            }
            _ => {
                if let Some(kind) = rewritten {
                    cursor.step(StepKind::Nat { hook, kind }, None);
                }
            }
        }
        HookEnd::Pass
    }

    fn rewrite(&mut self, cursor: &mut Cursor, ct: CtRef, manip: Manip) -> Option<NatKind> {
        let table = &self.overlay.stack_mut(cursor.netns).conntrack;
        let (kind, target) = nat::rewriting(table, ct, manip)?;
        nat::rewrite(Arc::make_mut(&mut cursor.skb.packet), ct, manip, target);
        Some(kind)
    }
}

/// Base chains of nftables at a hook, of a type and of the packet's family, by priority.
fn nft_chains<'s>(
    cursor: &Cursor,
    stack: &'s Stack,
    hook: HookName,
    is_nat: bool,
) -> Vec<(&'s NftTable, &'s BaseChain)> {
    let v6 = cursor.skb.packet.src_ip().is_some_and(|ip| ip.is_ipv6());
    let tables = stack
        .ns
        .nftables
        .iter()
        .filter(|table| table.is_inet || table.is_v6 == v6);
    let mut found: Vec<_> = tables
        .flat_map(|table| table.base_chains.iter().map(move |base| (table, base)))
        .filter(|(_, base)| base.hook == hook && base.is_nat == is_nat)
        .collect();
    // nf_hook_entries_grow: of the same priority the one that was made last comes first.
    found.reverse();
    order::sort_by_key(&mut found, |(_, base)| base.priority);
    found
}

/// `nf_nat_masquerade_ipv4`: the outgoing device's address on the way to the next hop; of IPv6 that for whom it goes to.
fn masquerade_address(cursor: &Cursor, stack: &Stack, oif: Option<&Name>) -> Option<IpAddr> {
    let next_hop = cursor
        .skb
        .dst
        .as_ref()
        .map(|d| d.next_hop)
        .filter(IpAddr::is_ipv4)
        .or_else(|| cursor.skb.packet.dst_ip())?;
    stack.select_address(oif?, next_hop, Scope::Global)
}
