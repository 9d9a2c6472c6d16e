//! Virtual servers of the kernel's own load balancer, and which real server a connection gets.
//!
//! Models net/netfilter/ipvs (Linux 6.12): ip_vs_core.c, ip_vs_{rr,wrr,lc,wlc,dh,sh,sed,nq}.c. Packets are rewritten
//! with the method of `ipvsadm -m` (masquerading), the only one that kube-proxy uses.

use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What a virtual server is found by.
pub type VirtualAddress = (L4Protocol, SocketAddr);

/// A virtual server.
#[derive(Clone, Debug)]
pub struct VirtualServer {
    /// How real servers are chosen.
    pub scheduler: Scheduler,
    /// Clients stay with their real server for so many seconds.
    pub persistent_seconds: Option<u32>,
    /// In order.
    pub real_servers: Vec<RealServer>,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// A real server.
#[derive(Clone, Debug)]
pub struct RealServer {
    /// Where it is.
    pub address: SocketAddr,
    /// Its share; zero: no new connections.
    pub weight: u32,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// Ways to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// One after the other.
    RoundRobin,
    /// The same by weight.
    WeightedRoundRobin,
    /// Fewest connections.
    LeastConnection,
    /// The same by weight.
    WeightedLeastConnection,
    /// By the destination's address.
    DestinationHashing,
    /// By the source's address.
    SourceHashing,
    /// Shortest expected delay.
    ShortestExpectedDelay,
    /// An idle server if there is one, else the shortest expected delay.
    NeverQueue,
}

/// Their names. Source: ipvsadm(8).
static NAMES: &[(&str, Scheduler)] = &[
    ("rr", Scheduler::RoundRobin),
    ("wrr", Scheduler::WeightedRoundRobin),
    ("lc", Scheduler::LeastConnection),
    ("wlc", Scheduler::WeightedLeastConnection),
    ("dh", Scheduler::DestinationHashing),
    ("sh", Scheduler::SourceHashing),
    ("sed", Scheduler::ShortestExpectedDelay),
    ("nq", Scheduler::NeverQueue),
];

impl Scheduler {
    /// One by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, found)| *found)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(name, _)| name)
    }
}

/// Connections and what schedulers remember, in one stack.
#[derive(Clone, Debug, Default)]
pub struct IpvsState {
    /// By protocol, client and virtual address.
    connections: IndexMap<(L4Protocol, SocketAddr, SocketAddr), Connection>,
    /// The last place and weight of round robin.
    turns: IndexMap<VirtualAddress, (usize, u32)>,
    /// Persistence: client's address and virtual server, to the real server and until when.
    templates: IndexMap<(IpAddr, VirtualAddress), (SocketAddr, Micros)>,
}

/// One connection.
#[derive(Clone, Debug)]
struct Connection {
    real: SocketAddr,
    /// TCP's ESTABLISHED; all else counts as inactive.
    active: bool,
    expires: Micros,
}

/// Time-outs of `ipvsadm -l --timeout`: established TCP, TCP after FIN, UDP.
const TCP: Duration = Duration::from_secs(900);
const TCP_FIN: Duration = Duration::from_secs(120);
const UDP: Duration = Duration::from_secs(300);

impl IpvsState {
    /// Active and inactive connections of a real server behind a virtual one, as `ipvsadm -Ln` counts them.
    pub fn counts(&self, virtual_address: VirtualAddress, real: SocketAddr, now: Micros) -> (usize, usize) {
        let of = self
            .connections
            .iter()
            .filter(|((protocol, _, vip), connection)| {
                (*protocol, *vip) == virtual_address && connection.real == real && connection.expires > now
            });
        let (active, inactive): (Vec<_>, Vec<_>) = of.partition(|(_, connection)| connection.active);
        (active.len(), inactive.len())
    }

    /// The real server of a connection that exists.
    pub(crate) fn known(
        &self,
        client: SocketAddr,
        (protocol, vip): VirtualAddress,
        now: Micros,
    ) -> Option<SocketAddr> {
        let found = self.connections.get(&(protocol, client, vip))?;
        (found.expires > now).then_some(found.real)
    }

    /// The virtual address that a real server's answer must come from.
    pub(crate) fn answered_as(
        &self,
        protocol: L4Protocol,
        real: SocketAddr,
        client: SocketAddr,
        now: Micros,
    ) -> Option<SocketAddr> {
        let mut connections = self.connections.iter().rev();
        let found = connections.find(|((proto, peer, _), connection)| {
            (*proto, *peer) == (protocol, client) && connection.real == real && connection.expires > now
        });
        found.map(|((_, _, vip), _)| *vip)
    }

    /// Notes a packet of a client: `flags` are TCP's SYN, and FIN or RST.
    pub(crate) fn note(
        &mut self,
        client: SocketAddr,
        (protocol, vip): VirtualAddress,
        real: SocketAddr,
        (opens, closes): (bool, bool),
        now: Micros,
    ) {
        let tcp = protocol == L4Protocol::Tcp;
        let kept = match (tcp, opens || closes) {
            (true, false) => TCP,
            (true, true) => TCP_FIN,
            (false, _) => UDP,
        };
        let connection = Connection {
            real,
            active: tcp && !opens && !closes,
            expires: now + kept,
        };
        self.connections.insert((protocol, client, vip), connection);
    }

    /// The real server of a new connection. `None`: there is none to choose.
    pub(crate) fn schedule(
        &mut self,
        server: &VirtualServer,
        virtual_address: VirtualAddress,
        client: IpAddr,
        now: Micros,
    ) -> Option<usize> {
        let template = (client, virtual_address);
        let usable = |index: &usize| {
            server
                .real_servers
                .get(*index)
                .is_some_and(|real| real.weight > 0)
        };
        if server.persistent_seconds.is_some()
            && let Some((real, until)) = self.templates.get(&template)
            && *until > now
        {
            let same = server
                .real_servers
                .iter()
                .position(|other| other.address == *real);
            if let Some(index) = same.filter(usable) {
                self.stay(server, template, index, now);
                return Some(index);
            }
        }
        let from_end = self.choose(server, virtual_address, client, now)?;
        let index = server.real_servers.len() - 1 - from_end;
        self.stay(server, template, index, now);
        Some(index)
    }

    fn stay(
        &mut self,
        server: &VirtualServer,
        template: (IpAddr, VirtualAddress),
        index: usize,
        now: Micros,
    ) {
        if let Some(seconds) = server.persistent_seconds {
            let until = now + Duration::from_secs(u64::from(seconds));
            self.templates
                .insert(template, (server.real_servers[index].address, until));
        }
    }

    /// The place of the chosen one in the kernel's list, which has the server that was added last first
    /// (`__ip_vs_update_dest`).
    fn choose(
        &mut self,
        server: &VirtualServer,
        at: VirtualAddress,
        client: IpAddr,
        now: Micros,
    ) -> Option<usize> {
        let reals: Vec<&RealServer> = server.real_servers.iter().rev().collect();
        let usable: Vec<usize> = (0..reals.len()).filter(|i| reals[*i].weight > 0).collect();
        let first = *usable.first()?;
        let counts = |i: usize| {
            let (active, inactive) = self.counts(at, reals[i].address, now);
            (active as u64, inactive as u64)
        };
        // ip_vs_dest_conn_overhead.
        let overhead = |i: usize| {
            let (active, inactive) = counts(i);
            (active << 8) + inactive
        };
        let weight = |i: usize| u64::from(reals[i].weight);
        // The first of those with the least cost a weight, compared without division as the kernel does.
        let least = |cost: &dyn Fn(usize) -> u64, weighted: bool| {
            let mut best = first;
            for &i in &usable {
                let (own, other) = if weighted {
                    (weight(i), weight(best))
                } else {
                    (1, 1)
                };
                if cost(best) * own > cost(i) * other {
                    best = i;
                }
            }
            best
        };
        Some(match server.scheduler {
            Scheduler::RoundRobin => {
                let last = self.turns.get(&at).map(|(last, _)| *last);
                let next = last.and_then(|last| usable.iter().find(|i| **i > last));
                let taken = next.copied().unwrap_or(first);
                self.turns.insert(at, (taken, 0));
                taken
            }
            Scheduler::WeightedRoundRobin => {
                let (mut i, mut current) = self.turns.get(&at).copied().unwrap_or((reals.len() - 1, 0));
                let most = reals.iter().map(|real| real.weight).max()?;
                let step = reals.iter().map(|real| real.weight).fold(0, divisor).max(1);
                loop {
                    i = (i + 1) % reals.len();
                    if i == 0 {
                        current = if current <= step { most } else { current - step };
                    }
                    if reals[i].weight >= current.max(1) {
                        break;
                    }
                }
                self.turns.insert(at, (i, current));
                i
            }
            Scheduler::LeastConnection => least(&overhead, false),
            Scheduler::WeightedLeastConnection => least(&overhead, true),
            Scheduler::ShortestExpectedDelay => least(&|i| counts(i).0 + 1, true),
            Scheduler::NeverQueue => {
                let idle = usable.iter().copied().find(|i| counts(*i).0 == 0);
                idle.unwrap_or_else(|| least(&|i| counts(i).0 + 1, true))
            }
            Scheduler::DestinationHashing => bucket(&reals, at.1.ip(), &usable)?,
            Scheduler::SourceHashing => bucket(&reals, client, &usable)?,
        })
    }
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// 256 buckets are dealt out to the real servers in turn, each as many as its weight. Models ip_vs_sh_reassign and
/// ip_vs_sh_hashkey, whose hash is `hash_32`; a server that takes nothing new has its bucket's clients refused.
fn bucket(reals: &[&RealServer], address: IpAddr, usable: &[usize]) -> Option<usize> {
    let folded = match address {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => address.octets().chunks(4).fold(0, |sum, part| {
            sum ^ u32::from_be_bytes([part[0], part[1], part[2], part[3]])
        }),
    };
    let hash = folded.wrapping_mul(0x61c8_8647) >> 24;
    let dealt = reals
        .iter()
        .enumerate()
        .flat_map(|(i, real)| std::iter::repeat_n(i, real.weight.max(1) as usize));
    let dealt: Vec<usize> = dealt.take(256).collect();
    let index = *dealt.get(hash as usize % dealt.len().max(1))?;
    usable.contains(&index).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 244, 0, n], 8080))
    }

    fn server(scheduler: &str, weights: &[u32]) -> VirtualServer {
        let real = |(n, weight): (usize, &u32)| RealServer {
            address: address(n as u8),
            weight: *weight,
            origin: None,
        };
        VirtualServer {
            scheduler: Scheduler::by_name(scheduler).expect("a scheduler"),
            persistent_seconds: None,
            real_servers: weights.iter().enumerate().map(real).collect(),
            origin: None,
        }
    }

    /// Opens connections from ports of one client, all established, and says where they went.
    fn taken(server: &VirtualServer, times: u16) -> Vec<usize> {
        let mut state = IpvsState::default();
        let vip = (L4Protocol::Tcp, SocketAddr::from(([10, 96, 0, 1], 80)));
        let client = |port| SocketAddr::from(([10, 244, 1, 2], port));
        (0..times)
            .map(|n| {
                let index = state
                    .schedule(server, vip, client(n).ip(), Micros(0))
                    .expect("there is a server");
                let real = server.real_servers[index].address;
                state.note(client(n), vip, real, (false, false), Micros(0));
                index
            })
            .collect()
    }

    #[test]
    fn each_scheduler_deals_as_its_manual_page_says() {
        assert_eq!(taken(&server("rr", &[1, 1, 1]), 4), [2, 1, 0, 2]);
        assert_eq!(
            taken(&server("rr", &[1, 0, 1]), 4),
            [2, 0, 2, 0],
            "weight 0 takes nothing new"
        );
        let mut weighted = taken(&server("wrr", &[3, 1]), 8);
        weighted.sort_unstable();
        assert_eq!(weighted, [0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(taken(&server("lc", &[1, 1]), 4), [1, 0, 1, 0]);
        let mut least = taken(&server("wlc", &[2, 1]), 6);
        least.sort_unstable();
        assert_eq!(least, [0, 0, 0, 0, 1, 1]);
        // (0+1)/2 < (0+1)/1, then (1+1)/2 = (0+1)/1 keeps the first of the list.
        assert_eq!(taken(&server("sed", &[2, 1]), 2), [0, 1]);
        assert_eq!(taken(&server("nq", &[2, 1]), 2), [1, 0], "an idle server first");
        for hashing in ["sh", "dh"] {
            let taken = taken(&server(hashing, &[1, 1, 1]), 5);
            assert!(taken.iter().all(|index| *index == taken[0]), "{taken:?}");
        }
    }

    #[test]
    fn persistent_clients_stay_until_the_time_is_over() {
        let mut server = server("rr", &[1, 1]);
        server.persistent_seconds = Some(60);
        let vip = (L4Protocol::Tcp, SocketAddr::from(([10, 96, 0, 1], 80)));
        let client: IpAddr = [10, 244, 1, 2].into();
        let mut state = IpvsState::default();
        let mut at = |seconds: u64| {
            let now = Micros(seconds * 1_000_000);
            state
                .schedule(&server, vip, client, now)
                .expect("there is a server")
        };
        assert_eq!(
            [at(0), at(30), at(80)],
            [1, 1, 1],
            "each connection starts the time anew"
        );
        assert_eq!(at(141), 0);
    }
}
