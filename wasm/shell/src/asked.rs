//! What commands that send packets have in common: asking the world, and reading the answer off its packets.

use hoplab_dataplane::dns::resolv::{Libc, ResolvConf, hosts_lookup};
use hoplab_engine::{Around, AskError, From, Means, Query, Questions, Request, Run, RunOptions, World};
use hoplab_kernel::NetNsId;
use hoplab_trace::{LegEnd, Micros};
use hoplab_wire::dns::{Name, RecordData, RecordType};
use hoplab_wire::{Header, Packet};
use std::net::IpAddr;
use std::time::Duration;

/// Where a command runs.
pub(crate) struct Asker<'w> {
    pub world: &'w mut World,
    pub from: From,
    /// Its stack; `None`: one that is made in the run.
    pub netns: Option<NetNsId>,
    pub seed: u64,
}

/// Addresses that the C library found.
#[derive(Default)]
pub(crate) struct Found {
    /// In the order of the answers, those of the first type first.
    pub addresses: Vec<IpAddr>,
    /// The name at the end of its aliases, and the aliases.
    pub name: String,
    pub aliases: Vec<String>,
    /// Whether any name server said anything.
    pub answered: bool,
}

impl Asker<'_> {
    /// Asks, and keeps what the packets left behind.
    pub fn ask(&mut self, request: &Request, after: Duration) -> Result<Run, AskError> {
        self.ask_by(request, after, None, None)
    }

    /// The same with another TTL than the kernel's.
    pub fn ask_with(
        &mut self,
        request: &Request,
        after: Duration,
        ttl_hops: Option<u8>,
    ) -> Result<Run, AskError> {
        self.ask_by(request, after, ttl_hops, None)
    }

    /// Sends a request to an address of one record type alone; `None`: of any.
    pub fn ask_of(&mut self, request: &Request, only: Option<RecordType>) -> Result<Run, AskError> {
        self.ask_by(request, Duration::ZERO, None, only.map(Means::Family))
    }

    fn ask_by(
        &mut self,
        request: &Request,
        after: Duration,
        ttl_hops: Option<u8>,
        means: Option<Means>,
    ) -> Result<Run, AskError> {
        let options = RunOptions {
            seed: self.seed,
            after,
            ttl_hops,
            means,
            ..RunOptions::default()
        };
        self.seed = self.seed.wrapping_add(0x9e37_79b9);
        let run = self.world.run(&self.from, request, &options)?;
        self.world.commit(&run);
        Ok(run)
    }

    fn dns(name: &str, record: RecordType) -> Request {
        Request::Dns {
            name: name.to_owned(),
            record: record.to_string(),
            server: None,
        }
    }

    /// Asks name servers as a tool does.
    pub fn tool(&mut self, plan: &Questions) -> Result<Vec<Query>, AskError> {
        let name = plan.names.first().map_or("", String::as_str);
        for name in &plan.names {
            Name::parse(name).map_err(|_| AskError::Malformed {
                found: name.clone(),
                expected: "a name",
            })?;
        }
        let record = plan.types.first().copied().unwrap_or(RecordType::A);
        let request = Self::dns(name, record);
        let run = self.ask_by(&request, Duration::ZERO, None, Some(Means::Tool(plan.clone())))?;
        Ok(run.queries)
    }

    /// Looks a name up as the C library does.
    pub fn addresses(&mut self, name: &str, types: &[RecordType]) -> Result<Found, AskError> {
        let request = Self::dns(name, types.first().copied().unwrap_or(RecordType::A));
        let run = self.ask_by(
            &request,
            Duration::ZERO,
            None,
            Some(Means::Addresses(types.to_vec())),
        )?;
        let mut found = Found {
            answered: run.queries.iter().any(|q| q.answer.is_some()),
            ..Found::default()
        };
        for record in types {
            let of_type = run.queries.iter().rev().filter(|q| q.record == *record);
            let Some(message) = of_type.filter_map(|q| q.answer.as_ref()).next() else {
                continue;
            };
            for answer in &message.answers {
                let owner = answer.name.to_string().trim_end_matches('.').to_owned();
                match answer.data {
                    RecordData::A(ip) => found.addresses.push(IpAddr::V4(ip)),
                    RecordData::Aaaa(ip) => found.addresses.push(IpAddr::V6(ip)),
                    RecordData::Cname(_) if !found.aliases.contains(&owner) => {
                        found.aliases.push(owner);
                        continue;
                    }
                    _ => continue,
                }
                found.name = owner;
            }
        }
        Ok(found)
    }

    /// What the C library here reads of names: `/etc/resolv.conf`, and the text of `/etc/hosts`.
    pub fn names(&self) -> Result<(ResolvConf, String), AskError> {
        self.world.names_at(&self.from)
    }

    /// Whether an interface here has an IPv6 address beside the loopback's; `global`: one that leads beyond its link.
    pub fn speaks_v6(&self, global: bool) -> bool {
        let stack = self.netns.and_then(|id| Around::stack(&*self.world, id));
        let mut addresses = stack
            .into_iter()
            .flat_map(|stack| stack.interfaces.values())
            .flat_map(|interface| &interface.addresses)
            .map(|address| address.net.addr());
        addresses.any(|ip| match ip {
            IpAddr::V6(v6) => !(v6.is_loopback() || global && v6.is_unicast_link_local()),
            IpAddr::V4(_) => false,
        })
    }

    /// Puts addresses in the order in which the C library gives them here.
    pub fn prefer(&self, libc: Libc, addresses: &mut [IpAddr]) {
        if let Some(stack) = self.netns.and_then(|id| Around::stack(&*self.world, id)) {
            hoplab_engine::prefer(libc, addresses, stack);
        }
    }

    /// What `/etc/hosts` says of a name.
    pub fn hosts(&self, name: &str) -> Option<IpAddr> {
        let (_, hosts) = self.names().ok()?;
        hosts_lookup(&hosts, name)
    }
}

/// A packet that came back to who asked, and when.
pub(crate) struct Answer<'r> {
    pub packet: &'r Packet,
    pub at: Micros,
}

/// What came back on the request's own conversation, delivered to who asked.
pub(crate) fn replies(run: &Run) -> Vec<Answer<'_>> {
    let legs = run
        .trace
        .legs
        .iter()
        .filter(|leg| leg.direction == hoplab_trace::Direction::Reply);
    legs.filter(|leg| leg.end == LegEnd::Delivered)
        .filter_map(|leg| {
            let step = leg.hops.last()?.steps.last()?;
            Some(Answer {
                packet: &step.packet,
                at: step.at,
            })
        })
        .collect()
}

/// When the request's first packet was sent, and by which address to which.
pub(crate) fn sent(run: &Run) -> Option<(Micros, IpAddr, IpAddr)> {
    let leg = run
        .trace
        .legs
        .iter()
        .find(|leg| leg.direction == hoplab_trace::Direction::Request)?;
    let step = leg.hops.first()?.steps.first()?;
    Some((step.at, step.packet.src_ip()?, step.packet.dst_ip()?))
}

/// The ICMP header of a packet: the outermost one.
pub(crate) fn icmp(packet: &Packet) -> Option<&hoplab_wire::Icmp> {
    packet.headers.iter().find_map(|header| match header {
        Header::Icmp(icmp) => Some(icmp),
        _ => None,
    })
}
