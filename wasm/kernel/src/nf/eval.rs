//! One table's chain asked about one packet.
//!
//! Models net/ipv4/netfilter/ip_tables.c `ipt_do_table`: rules from top to bottom, jumps with return, goto without.

use super::nft::{self, NftTable};
use super::save::{self, Family};
use super::set::{Ends, Set};
use super::{AddrType, Chain, CtStateName, MarkOp, Match, Policy, RejectWith, Rule, Table, Target};
use crate::conntrack::{Conntrack, CtInfo, CtRef, Tuple};
use crate::ipvs::VirtualAddress;
use crate::overlay::StackState;
use crate::sim::Chooser;
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::{HookName, Micros, Name, RuleHit, Unknown};
use hoplab_wire::{L4Protocol, Packet};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What rules can see of a packet.
pub(crate) struct Seen<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: L4Protocol,
    /// `None`: ICMP, or a later piece of a packet.
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) iif: Option<&'a str>,
    pub(crate) oif: Option<&'a str>,
    /// Came in by a bridge port and goes out by one.
    pub(crate) bridged: bool,
    /// Came in by a bridge port.
    pub(crate) physdev_in: bool,
    /// The virtual address that IPVS sent it on from.
    pub(crate) ipvs: Option<VirtualAddress>,
    pub(crate) ct: Option<CtRef>,
    pub(crate) now: Micros,
    /// TCP's flags, as bits of the header.
    pub(crate) tcp_flags: Option<u8>,
    /// ICMP's type and code.
    pub(crate) icmp: Option<(u8, u8)>,
}

impl<'a> Seen<'a> {
    pub(crate) fn of(packet: &Packet, ct: Option<CtRef>, now: Micros) -> Option<Seen<'a>> {
        let v6 = packet.protocol() == Some(L4Protocol::Icmpv6);
        Some(Seen {
            src: packet.src_ip()?,
            dst: packet.dst_ip()?,
            protocol: packet.protocol()?,
            ports: packet.ports(),
            iif: None,
            oif: None,
            bridged: false,
            physdev_in: false,
            ipvs: None,
            ct,
            now,
            tcp_flags: packet.tcp_flags().map(|f| f.bits()),
            icmp: packet.icmp().map(|icmp| icmp.kind.type_and_code(v6)),
        })
    }

    fn ends(&self) -> Ends {
        Ends {
            addresses: [self.src, self.dst],
            protocol: self.protocol,
            ports: self.ports,
        }
    }
}

/// What a table decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decision {
    Accept,
    Drop,
    Reject(RejectWith),
    Dnat { to: IpAddr, port: Option<u16> },
    Snat { to: IpAddr, random_fully: bool },
    Masquerade { random_fully: bool },
}

/// A decision with the rules that led to it.
pub(crate) struct Evaluated {
    pub(crate) decision: Decision,
    pub(crate) untracked: bool,
    pub(crate) zone: Option<u16>,
    /// What TCPMSS asks for: a size, or as much as the way takes.
    pub(crate) mss: Option<Option<u16>>,
    pub(crate) hits: Vec<RuleHit>,
    pub(crate) origin: Option<Arc<Origin>>,
}

/// What an evaluation reads and changes besides the packet.
pub(crate) struct Around<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) state: &'a mut StackState,
    pub(crate) mark: &'a mut u32,
    pub(crate) chooser: &'a mut dyn Chooser,
    pub(crate) unknowns: &'a mut Vec<Unknown>,
}

/// The kernel allows no jump deeper than the number of chains; rulesets that agents write stay far below this.
const MAX_DEPTH: usize = 64;
/// Rules asked for one packet in one table before the model gives up.
const MAX_RULES: usize = 1_000_000;
/// Rules before the deciding one that are listed although they did not match.
const NEAR: usize = 3;

/// The name of a hook's built-in chain.
pub(crate) fn builtin_name(hook: HookName) -> &'static str {
    match hook {
        HookName::Prerouting => "PREROUTING",
        HookName::Input => "INPUT",
        HookName::Forward => "FORWARD",
        HookName::Output => "OUTPUT",
        HookName::Postrouting => "POSTROUTING",
    }
}

struct Frame<'a> {
    chain: &'a Arc<Chain>,
    next: usize,
    /// Of a run of statistic rules: up to which index the draw decided, and which it took.
    drawn: Option<(usize, Option<usize>)>,
}

struct Evaluation<'a, 'b> {
    table: &'a Table,
    /// The sets that rules can ask: those of the nftables table, or of ipset.
    sets: &'a IndexMap<Name, Arc<Set>>,
    /// For the rules' text, where they are nftables'.
    nft: Option<&'a NftTable>,
    seen: &'a Seen<'a>,
    around: &'a mut Around<'b>,
    hits: Vec<RuleHit>,
    untracked: bool,
    zone: Option<u16>,
    mss: Option<Option<u16>>,
}

/// Asks a table's built-in chain. `None`: it has none, or one that says nothing.
pub(crate) fn evaluate(
    table: &Table,
    hook: HookName,
    seen: &Seen<'_>,
    around: &mut Around<'_>,
) -> Option<Evaluated> {
    let chain = table.chain(builtin_name(hook))?;
    if chain.rules.is_empty() && !matches!(chain.builtin, Some((_, Policy::Drop))) {
        return None;
    }
    let sets = &around.stack.ns.ipsets;
    Some(Evaluation::new(table, sets, None, seen, around).whole(chain))
}

/// Asks a base chain of an nftables table. `None`: it says nothing.
pub(crate) fn evaluate_nft(
    table: &NftTable,
    chain: &str,
    seen: &Seen<'_>,
    around: &mut Around<'_>,
) -> Option<Evaluated> {
    let chain = table
        .chains
        .chain(chain)
        .filter(|chain| !chain.rules.is_empty() || matches!(chain.builtin, Some((_, Policy::Drop))))?;
    Some(Evaluation::new(&table.chains, &table.sets, Some(table), seen, around).whole(chain))
}

impl<'a, 'b> Evaluation<'a, 'b> {
    fn new(
        table: &'a Table,
        sets: &'a IndexMap<Name, Arc<Set>>,
        nft: Option<&'a NftTable>,
        seen: &'a Seen<'a>,
        around: &'a mut Around<'b>,
    ) -> Self {
        Self {
            table,
            sets,
            nft,
            seen,
            around,
            hits: Vec::new(),
            untracked: false,
            zone: None,
            mss: None,
        }
    }

    fn whole(mut self, chain: &'a Arc<Chain>) -> Evaluated {
        let (decision, origin) = self.run(chain);
        Evaluated {
            decision,
            untracked: self.untracked,
            zone: self.zone,
            mss: self.mss,
            hits: self.hits,
            origin,
        }
    }

    fn run(&mut self, first: &'a Arc<Chain>) -> (Decision, Option<Arc<Origin>>) {
        let mut frames = vec![Frame {
            chain: first,
            next: 0,
            drawn: None,
        }];
        let mut asked = 0;
        while let Some(frame) = frames.last_mut() {
            let chain = frame.chain;
            let left = chain.rules.get(frame.next..).unwrap_or_default();
            let passed = left.iter().take_while(|rule| self.is_elsewhere(rule)).count();
            let Some(rule) = left.get(passed) else {
                frames.pop();
                continue;
            };
            let index = frame.next + passed;
            frame.next = index + 1;
            asked += passed + 1;
            let matches = self.matches(rule, index, frame);
            let depth = frames.len() - 1;
            if asked > MAX_RULES || depth > MAX_DEPTH {
                self.unknown(chain, "the ruleset has no end");
                return (Decision::Drop, None);
            }
            if !matches {
                continue;
            }
            let Some(mut target) = rule.target.as_ref() else {
                self.hit(chain, index, depth, true);
                continue;
            };
            let mut origin = &rule.origin;
            let drawn;
            match target {
                Target::Vmap { map, flags } => {
                    let Some(set) = self.sets.get(map) else {
                        self.unknown(chain, "it asks a map that does not exist");
                        continue;
                    };
                    let Some((key, element)) = set.find(&self.seen.ends(), flags) else {
                        continue;
                    };
                    let Some(verdict) = &element.verdict else { continue };
                    self.hit(chain, index, depth, true);
                    if let (Some(hit), Some(table)) = (self.hits.last_mut(), self.nft) {
                        let entry = nft::element_text(set, key, element, table.is_v6);
                        hit.text = format!("{} {{ {entry} }}", hit.text).into();
                        hit.origin.clone_from(&element.origin);
                    }
                    (target, origin) = (verdict, &element.origin);
                    if !matches!(target, Target::Jump(_) | Target::Goto(_) | Target::Return) {
                        let decision = match target {
                            Target::Drop => Decision::Drop,
                            _ => Decision::Accept,
                        };
                        return (decision, origin.clone());
                    }
                }
                Target::GotoOneOf(ways) => {
                    let taken = self.one_of(&chain.name, ways.len(), &|n| ways[n].1.to_string());
                    let Some((to, _)) = ways.get(taken) else { continue };
                    drawn = Target::Goto(Arc::clone(to));
                    self.hit(chain, index, depth, true);
                    target = &drawn;
                }
                Target::DnatOneOf(ways) => {
                    let taken = self.one_of(&chain.name, ways.len(), &|n| ways[n].0.to_string());
                    let Some((to, why)) = ways.get(taken) else {
                        continue;
                    };
                    self.deciding(chain, index, depth);
                    let decision = Decision::Dnat {
                        to: to.ip(),
                        port: Some(to.port()),
                    };
                    return (decision, Some(Arc::clone(why)));
                }
                _ => {}
            }
            let decision = match target {
                Target::Accept => Some(Decision::Accept),
                Target::Drop => Some(Decision::Drop),
                Target::Reject(with) => Some(Decision::Reject(*with)),
                Target::Dnat { to, port } => Some(Decision::Dnat { to: *to, port: *port }),
                Target::Snat { to, random_fully } => Some(Decision::Snat {
                    to: *to,
                    random_fully: *random_fully,
                }),
                Target::Masquerade { random_fully } => Some(Decision::Masquerade {
                    random_fully: *random_fully,
                }),
                Target::Return
                | Target::Jump(_)
                | Target::Goto(_)
                | Target::Mark { .. }
                | Target::Notrack
                | Target::Zone(_)
                | Target::TcpMss(_)
                | Target::DnatOneOf(_)
                | Target::GotoOneOf(_)
                | Target::Vmap { .. }
                | Target::Written { .. }
                | Target::NotModelled(_)
                | Target::Log { .. } => None,
            };
            if let Some(decision) = decision {
                self.deciding(chain, index, depth);
                return (decision, origin.clone());
            }
            if !matches!(rule.target, Some(Target::Vmap { .. } | Target::GotoOneOf(_))) {
                self.hit(chain, index, depth, true);
            }
            match target {
                Target::Return => {
                    frames.pop();
                }
                Target::Jump(name) | Target::Goto(name) => {
                    let Some(next) = self.table.chain(name) else {
                        self.unknown(chain, "it jumps to a chain that does not exist");
                        continue;
                    };
                    if matches!(target, Target::Goto(_)) {
                        frames.pop();
                    }
                    frames.push(Frame {
                        chain: next,
                        next: 0,
                        drawn: None,
                    });
                }
                Target::Mark { op, value, mask } => {
                    let mark = &mut *self.around.mark;
                    *mark = match op {
                        MarkOp::Or => *mark | value,
                        MarkOp::Xor => *mark ^ value,
                        MarkOp::SetXmark => (*mark & !mask) ^ value,
                    };
                }
                Target::Notrack => self.untracked = true,
                Target::Zone(zone) => self.zone = Some(*zone),
                Target::TcpMss(mss) => self.mss = Some(*mss),
                Target::Written { meaning, .. } if **meaning == Target::Notrack => self.untracked = true,
                Target::NotModelled(text) => self.not_modelled(text, "the packet was taken to go on"),
                _ => {}
            }
        }
        let policy = first.builtin.map_or(Policy::Accept, |(_, policy)| policy);
        let of = u32::try_from(first.rules.len()).unwrap_or(u32::MAX);
        if policy == Policy::Drop {
            let chain = Arc::clone(&first.name);
            self.hits.push(RuleHit {
                chain,
                depth: 0,
                number: 0,
                of,
                matched: true,
                text: Name::from(""),
                origin: None,
            });
            return (Decision::Drop, None);
        }
        (Decision::Accept, None)
    }

    /// A rule that says something that nothing here knows.
    fn not_modelled(&mut self, text: &str, taken: &str) {
        let what = format!("{text} on {}", place_name(&self.around.stack.ns.place));
        if !self.around.unknowns.iter().any(|u| u.what == what) {
            let why = format!("it is not modelled; {taken}");
            self.around.unknowns.push(Unknown { what, why });
        }
    }

    fn unknown(&mut self, chain: &Chain, why: &str) {
        let place = &self.around.stack.ns.place;
        let what = format!("chain {} on {place:?}", chain.name);
        if !self.around.unknowns.iter().any(|u| u.what == what) {
            self.around.unknowns.push(Unknown {
                what,
                why: why.to_owned(),
            });
        }
    }

    fn deciding(&mut self, chain: &Arc<Chain>, index: usize, depth: usize) {
        for near in index.saturating_sub(NEAR)..index {
            if !self
                .hits
                .iter()
                .any(|h| h.number as usize == near + 1 && Arc::ptr_eq(&h.chain, &chain.name))
            {
                self.hit(chain, near, depth, false);
            }
        }
        self.hit(chain, index, depth, true);
    }

    fn hit(&mut self, chain: &Arc<Chain>, index: usize, depth: usize, matched: bool) {
        let Some(rule) = chain.rules.get(index) else {
            return;
        };
        let v4 = self.seen.src.is_ipv4();
        let family = if v4 { Family::V4 } else { Family::V6 };
        let text = rule.text.get(v4, || match self.nft {
            Some(table) => nft::rule_text(rule, table),
            None => save::rule_text_of(rule, &chain.name, family),
        });
        self.hits.push(RuleHit {
            chain: Arc::clone(&chain.name),
            depth: u8::try_from(depth).unwrap_or(u8::MAX),
            number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            of: u32::try_from(chain.rules.len()).unwrap_or(u32::MAX),
            matched,
            text,
            origin: rule.origin.clone(),
        });
    }

    /// Whether a rule is for another destination: most rules of a long chain are, and it is written first.
    #[inline]
    fn is_elsewhere(&self, rule: &Rule) -> bool {
        matches!(rule.matches.first(), Some(Match::Dst { not, net }) if within(net, self.seen.dst) == *not)
    }

    fn matches(&mut self, rule: &Rule, index: usize, frame: &mut Frame<'_>) -> bool {
        if !rule.matches.iter().all(|m| self.holds(m)) {
            return false;
        }
        if !is_random(rule) {
            return true;
        }
        if frame.drawn.is_none_or(|(until, _)| index > until) {
            frame.drawn = Some(self.draw(frame.chain, index));
        }
        frame.drawn.is_some_and(|(_, taken)| taken == Some(index))
    }

    /// `numgen random mod N`.
    fn one_of(&mut self, chain: &str, count: usize, way: &dyn Fn(usize) -> String) -> usize {
        if count < 2 {
            return 0;
        }
        let place = &self.around.stack.ns.place;
        let share = 1.0 / count as f64;
        self.around
            .chooser
            .choose(&|| format!("{chain} on {}", place_name(place)), &|| {
                (0..count).map(|n| (way(n), share)).collect()
            })
    }

    /// Consecutive random rules are one choice; what is left goes to the rule after them.
    fn draw(&mut self, chain: &Chain, first: usize) -> (usize, Option<usize>) {
        let mut ways: Vec<(usize, f64)> = Vec::new();
        let mut left = 1.0;
        let mut last = first;
        for (offset, rule) in chain.rules[first..].iter().enumerate() {
            let Some(probability) = random_of(rule) else { break };
            last = first + offset;
            if offset == 0 || rule.matches.iter().all(|m| self.holds(m)) {
                let share = left * save::kernel_probability(probability);
                ways.push((last, share));
                left -= share;
            }
        }
        let rest = chain.rules.get(last + 1);
        let place = &self.around.stack.ns.place;
        let name = || format!("{} on {}", chain.name, place_name(place));
        let list = || {
            let mut list: Vec<(String, f64)> = ways
                .iter()
                .map(|(i, share)| (way_name(chain.rules.get(*i)), *share))
                .collect();
            if left > f64::EPSILON {
                list.push((way_name(rest), left));
            }
            list
        };
        let taken = self.around.chooser.choose(&name, &list);
        (last, ways.get(taken).map(|(index, _)| *index))
    }

    fn holds(&mut self, found: &Match) -> bool {
        let seen = self.seen;
        match found {
            Match::Src { not, net } => within(net, seen.src) != *not,
            Match::Dst { not, net } => within(net, seen.dst) != *not,
            Match::InInterface { not, name } => interface_fits(name, seen.iif) != *not,
            Match::OutInterface { not, name } => interface_fits(name, seen.oif) != *not,
            Match::Protocol { not, protocol } => (seen.protocol == *protocol) != *not,
            Match::DstPort { protocol, not, ports } => {
                seen.protocol == *protocol
                    && seen
                        .ports
                        .is_some_and(|(_, port)| (ports.0 <= port && port <= ports.1) != *not)
            }
            Match::SrcPort { protocol, not, ports } => {
                seen.protocol == *protocol
                    && seen
                        .ports
                        .is_some_and(|(port, _)| (ports.0 <= port && port <= ports.1) != *not)
            }
            Match::MultiportDst { ports } => seen
                .ports
                .is_some_and(|(_, port)| ports.iter().any(|r| r.0 <= port && port <= r.1)),
            Match::Comment(_) | Match::StatisticRandom { .. } => true,
            Match::CtState { not, states } => self.ct_state(states) != *not,
            Match::CtOrigDst { net, port } => {
                original(&self.around.state.conntrack, seen.ct).is_some_and(|t| {
                    net.is_none_or(|n| n.contains(&t.dst)) && port.is_none_or(|p| p == t.dst_port)
                })
            }
            Match::Mark { not, value, mask } => (*self.around.mark & mask == *value) != *not,
            Match::AddrType {
                src,
                not,
                kind,
                limit_iface_in,
            } => {
                let address = if *src { seen.src } else { seen.dst };
                self.addr_type(address, *kind, *limit_iface_in) != *not
            }
            Match::RecentCheck {
                not,
                name,
                seconds,
                reap,
            } => {
                let list = self.around.state.recent.get_mut(name);
                let since = Duration::from_secs(u64::from(*seconds));
                let fresh = |at: Micros| *seconds == 0 || at + since >= seen.now;
                let found = list.is_some_and(|list| {
                    if *reap {
                        list.retain(|_, at| fresh(*at));
                    }
                    list.get(&seen.src).is_some_and(|at| fresh(*at))
                });
                found != *not
            }
            Match::RecentSet { name } => {
                let list = self.around.state.recent.entry(Arc::clone(name)).or_default();
                list.insert(seen.src, seen.now);
                true
            }
            Match::PhysdevIsBridged { not } => seen.bridged != *not,
            Match::PhysdevIsIn { not } => seen.physdev_in != *not,
            Match::Ipvs {
                address,
                protocol,
                port,
            } => seen.ipvs == Some((*protocol, SocketAddr::new(*address, *port))),
            Match::SrcIn { not, nets } => nets.iter().any(|net| within(net, seen.src)) != *not,
            Match::DstIn { not, nets } => nets.iter().any(|net| within(net, seen.dst)) != *not,
            Match::SetMark { op, value } => {
                let mark = &mut *self.around.mark;
                *mark = if *op == MarkOp::Or {
                    *mark | value
                } else {
                    *mark ^ value
                };
                true
            }
            Match::Set { not, name, flags } => {
                let Some(set) = self.sets.get(name) else {
                    let what = format!("ipset {name} on {}", place_name(&self.around.stack.ns.place));
                    if !self.around.unknowns.iter().any(|u| u.what == what) {
                        let why =
                            "a rule asks it and nobody made it; the rule was taken not to match".to_owned();
                        self.around.unknowns.push(Unknown { what, why });
                    }
                    return false;
                };
                set.find(&seen.ends(), flags).is_some() != *not
            }
            Match::TcpFlags { not, mask, set } => {
                seen.tcp_flags.is_some_and(|flags| (flags & mask == *set) != *not)
            }
            Match::IcmpType { not, kind, code } => seen
                .icmp
                .is_some_and(|(k, c)| (k == *kind && code.is_none_or(|code| code == c)) != *not),
            Match::Written { meaning, .. } => self.holds(meaning),
            Match::NotModelled(text) => {
                self.not_modelled(text, "the rule was taken not to match");
                false
            }
        }
    }

    fn ct_state(&self, states: &[CtStateName]) -> bool {
        let table = &self.around.state.conntrack;
        let entry = match self.seen.ct {
            Some(CtRef::Tracked { entry, .. }) => table.entry(entry),
            _ => None,
        };
        states.iter().any(|state| match (state, self.seen.ct) {
            (CtStateName::New, Some(CtRef::Tracked { state, .. })) => state == CtInfo::New,
            (CtStateName::Established, Some(CtRef::Tracked { state, .. })) => state == CtInfo::Established,
            (CtStateName::Related, Some(CtRef::Tracked { state, .. })) => state == CtInfo::Related,
            (CtStateName::Invalid, ct) => matches!(ct, None | Some(CtRef::Invalid)),
            (CtStateName::Untracked, ct) => ct == Some(CtRef::Untracked),
            (CtStateName::Dnat, _) => entry.is_some_and(|e| e.destination_nat),
            (CtStateName::Snat, _) => entry.is_some_and(|e| e.source_nat),
            _ => false,
        })
    }

    fn addr_type(&self, address: IpAddr, kind: AddrType, limit_iface_in: bool) -> bool {
        let stack = self.around.stack;
        let local = match stack.local(address) {
            Some(device) => !limit_iface_in || self.seen.iif == Some(&**device),
            None => false,
        };
        let broadcast = || stack.broadcast(address).is_some();
        match kind {
            AddrType::Local => local,
            AddrType::Broadcast => broadcast(),
            AddrType::Multicast => address.is_multicast(),
            AddrType::Unicast => !local && !address.is_multicast() && !broadcast(),
        }
    }
}

/// Whether a prefix holds an address: the same as `IpNet::contains`, without making its last address.
#[inline]
pub(crate) fn within(net: &IpNet, address: IpAddr) -> bool {
    match (net, address) {
        (IpNet::V4(net), IpAddr::V4(a)) => {
            let differ = net.addr().to_bits() ^ a.to_bits();
            differ.checked_shr(32 - u32::from(net.prefix_len())).unwrap_or(0) == 0
        }
        (IpNet::V6(net), IpAddr::V6(a)) => {
            let differ = net.addr().to_bits() ^ a.to_bits();
            differ.checked_shr(128 - u32::from(net.prefix_len())).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn original(table: &Conntrack, ct: Option<CtRef>) -> Option<Tuple> {
    match ct? {
        CtRef::Tracked { entry, .. } => table.entry(entry).map(|e| e.original),
        _ => None,
    }
}

fn random_of(rule: &Rule) -> Option<f64> {
    rule.matches.iter().find_map(|m| match m {
        Match::StatisticRandom { probability } => Some(*probability),
        _ => None,
    })
}

fn is_random(rule: &Rule) -> bool {
    random_of(rule).is_some()
}

/// `default/web -> 10.244.1.2:8080` where the rule's comment says so, else the chain that it jumps to.
fn way_name(rule: Option<&Rule>) -> String {
    let Some(rule) = rule else {
        return "no rule".to_owned();
    };
    let comment = rule.matches.iter().find_map(|m| match m {
        Match::Comment(text) => Some(text.to_string()),
        _ => None,
    });
    comment.unwrap_or_else(|| match &rule.target {
        Some(Target::Jump(name) | Target::Goto(name)) => name.to_string(),
        _ => "the next rule".to_owned(),
    })
}

pub(crate) fn place_name(place: &hoplab_trace::Place) -> String {
    use hoplab_trace::Place;
    match place {
        Place::Node(name) | Place::Pod(name) | Place::Host(name) | Place::Router(name) => name.to_string(),
        Place::HostNetNs(host, name) => format!("{host}/{name}"),
        Place::External(address) => address.to_string(),
    }
}

fn interface_fits(pattern: &str, device: Option<&str>) -> bool {
    let device = device.unwrap_or("");
    match pattern.strip_suffix('+') {
        Some(prefix) => device.starts_with(prefix),
        None => device == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn within_is_contains(net: u32, length in 0..=32_u8, address: u32, near: bool) {
            let address = if near { net ^ (address & 0xff) } else { address };
            let net: IpNet = ipnet::Ipv4Net::new(net.into(), length).expect("a valid length").into();
            let address = IpAddr::V4(address.into());
            prop_assert_eq!(within(&net, address), net.contains(&address));
        }
    }
}
