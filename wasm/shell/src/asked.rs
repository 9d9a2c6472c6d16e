//! What commands that send packets have in common: asking the world, and reading the answer off its packets.

use hoplab_engine::{Around, AskError, From, Request, Run, RunOptions, World};
use hoplab_kernel::NetNsId;
use hoplab_kernel::sim::Flight;
use hoplab_trace::{LegEnd, Micros};
use hoplab_wire::dns::Message;
use hoplab_wire::{Header, IcmpKind, L4Protocol, Packet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Where a command runs.
pub(crate) struct Asker<'w> {
    pub world: &'w mut World,
    pub from: From,
    /// Its stack; `None`: one that is made in the run.
    pub netns: Option<NetNsId>,
    pub seed: u64,
}

impl Asker<'_> {
    /// Asks, and keeps what the packets left behind.
    pub fn ask(&mut self, request: &Request, after: Duration) -> Result<Run, AskError> {
        self.ask_with(request, after, None)
    }

    /// The same with another TTL than the kernel's.
    pub fn ask_with(
        &mut self,
        request: &Request,
        after: Duration,
        ttl_hops: Option<u8>,
    ) -> Result<Run, AskError> {
        let options = RunOptions {
            seed: self.seed,
            after,
            ttl_hops,
            ..RunOptions::default()
        };
        self.seed = self.seed.wrapping_add(0x9e37_79b9);
        let run = self.world.run(&self.from, request, &options)?;
        self.world.commit(&run);
        Ok(run)
    }
}

impl Asker<'_> {
    /// What `/etc/hosts` says of a name.
    pub fn hosts(&self, name: &str) -> Option<IpAddr> {
        let stack = Around::stack(&*self.world, self.netns?)?;
        stack.files.get("/etc/hosts")?.lines().find_map(|line| {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|known| known.eq_ignore_ascii_case(name))
                .then_some(address)
        })
    }
}

/// A packet that came back to who asked, and when.
pub(crate) struct Answer<'r> {
    pub packet: &'r Packet,
    pub at: Micros,
}

fn first(flight: &Flight) -> Option<(NetNsId, &Packet, Micros)> {
    flight
        .steps
        .first()
        .map(|(netns, step)| (*netns, &*step.packet, step.at))
}

fn last(flight: &Flight) -> Option<(NetNsId, &Packet, Micros)> {
    flight
        .steps
        .last()
        .map(|(netns, step)| (*netns, &*step.packet, step.at))
}

/// One question to a name server, and its answer.
pub(crate) struct Question {
    /// Who was asked.
    pub server: SocketAddr,
    /// When the question was sent.
    pub sent: Micros,
    /// The answer, its size in bytes, and when it came.
    pub answer: Option<(Message, usize, Micros)>,
    /// What an ICMP error that came instead says.
    pub refused: Option<&'static str>,
    /// The question.
    pub asked: Message,
}

/// Every question that the asking stack sent in a run, in order.
pub(crate) fn questions(run: &Run) -> Vec<Question> {
    let Some(own) = run
        .flights
        .iter()
        .find_map(|flight| first(flight).map(|(netns, ..)| netns))
    else {
        return Vec::new();
    };
    let mut questions = Vec::new();
    for flight in &run.flights {
        let Some((netns, packet, sent)) = first(flight) else {
            continue;
        };
        let Ok(asked) = Message::parse(&packet.payload.0) else {
            continue;
        };
        if netns != own
            || !flight.forward
            || asked.flags.response
            || packet.protocol() != Some(L4Protocol::Udp)
        {
            continue;
        }
        let (Some(ip), Some((_, port))) = (packet.dst_ip(), packet.ports()) else {
            continue;
        };
        let mut question = Question {
            server: SocketAddr::new(ip, port),
            sent,
            answer: None,
            refused: None,
            asked,
        };
        let back = run
            .flights
            .iter()
            .filter(|other| other.conversation == flight.conversation && !other.forward);
        for reply in back.filter(|reply| reply.end == LegEnd::Delivered) {
            let Some((_, packet, at)) = last(reply) else {
                continue;
            };
            if let Some(error) = icmp(packet) {
                question.refused = Some(match error.kind {
                    IcmpKind::HostUnreachable => "host unreachable",
                    IcmpKind::NetUnreachable => "network unreachable",
                    _ => "connection refused",
                });
            } else if let Ok(message) = Message::parse(&packet.payload.0)
                && message.id == question.asked.id
            {
                question.answer = Some((message, packet.payload.0.len(), at));
            }
        }
        questions.push(question);
    }
    questions
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
