//! One question for a link address, which no request asks.

use crate::{Run, Sample, World};
use hoplab_kernel::NetNsId;
use hoplab_kernel::sim::{Limits, Sim};
use hoplab_trace::{Exchange, Name, Outcome, Trace, Verdict};
use hoplab_wire::{Header, MacAddr};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// A question for a link address.
#[derive(Clone, Debug)]
pub struct LinkQuestion {
    /// Who asks.
    pub netns: NetNsId,
    /// Out of which interface.
    pub device: Name,
    /// For whom.
    pub target: Ipv4Addr,
    /// To whom the packet goes; `None`: to all.
    pub to: Option<MacAddr>,
    /// Whether it is asked as by who has no address yet.
    pub probes: bool,
    /// How long after the world's last packet.
    pub after: Duration,
}

impl World {
    /// Asks for a link address; each answer with its time in microseconds. What the stacks have learned stays as it was:
    /// the question is a program's own, not the kernel's.
    pub fn ask_link_address(&self, question: &LinkQuestion) -> (Run, Vec<(MacAddr, u64)>) {
        let mut chooser = Sample::seeded(1);
        let mut overlay = self.overlay().clone();
        overlay.now = overlay.now + question.after;
        let (started, mut before) = (overlay.now, overlay.clone());
        let mut sim = Sim::new(self.net(), overlay, &mut chooser, Limits::default());
        let (netns, device) = (question.netns, &question.device);
        sim.ask_for(netns, device, question.target, question.to, question.probes);
        sim.run();
        let unknowns = sim.unknowns().to_vec();
        before.now = sim.now();
        let (flights, _, _) = sim.into_parts();
        let came = flights
            .iter()
            .filter(|flight| !flight.forward)
            .filter_map(|flight| {
                let (at, step) = flight.steps.last()?;
                let sender = step.packet.headers.iter().find_map(|header| match header {
                    Header::Arp(arp) => Some(arp.sender_mac),
                    _ => None,
                });
                (*at == netns).then_some((sender?, step.at.0.saturating_sub(started.0)))
            });
        let answers = came.collect();
        let trace = Trace {
            from: String::new(),
            to: question.target.to_string(),
            outcome: Outcome::Unknown,
            verdict: Verdict::Unknown,
            reason: String::new(),
            backend: None,
            source: None,
            exchange: Exchange::default(),
            dns: None,
            micros: before.now.0.saturating_sub(started.0),
            legs: Vec::new(),
            subtraces: Vec::new(),
            lookup: None,
            choices: Vec::new(),
            unknowns,
        };
        let run = Run {
            trace,
            overlay: before,
            flights: Arc::new(flights),
            queries: Vec::new(),
        };
        (run, answers)
    }
}
