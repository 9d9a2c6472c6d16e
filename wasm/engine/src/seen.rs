//! What committed runs sent: the last packets at every interface, and how often each rule matched.

use crate::Run;
use hoplab_kernel::NetNsId;
use hoplab_kernel::sim::Flight;
use hoplab_source::collections::BTreeMap;
use hoplab_trace::StepKind;
use std::collections::VecDeque;
use std::sync::Arc;

/// Runs whose packets are kept.
const RUNS_KEPT: usize = 64;

/// Packets and bytes by namespace, table and the text of a rule in its chain.
type Counters = BTreeMap<(NetNsId, &'static str, String), (u64, u64)>;

/// What committed runs sent. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Seen {
    runs: Arc<VecDeque<Arc<Vec<Flight>>>>,
    counters: Arc<Counters>,
}

impl Seen {
    pub(crate) fn note(&mut self, run: &Run) {
        let runs = Arc::make_mut(&mut self.runs);
        if runs.len() == RUNS_KEPT {
            runs.pop_front();
        }
        runs.push_back(Arc::clone(&run.flights));
        let counters = Arc::make_mut(&mut self.counters);
        for (netns, step) in run.flights.iter().flat_map(|flight| &flight.steps) {
            let StepKind::Hook { table, hits, .. } = &step.kind else {
                continue;
            };
            let bytes = step.packet.ip_len_bytes() as u64;
            for hit in hits.iter().filter(|hit| hit.matched && hit.number > 0) {
                let entry = counters
                    .entry((*netns, *table, hit.text.to_string()))
                    .or_default();
                *entry = (entry.0 + 1, entry.1 + bytes);
            }
        }
    }

    /// The packets of the last runs, in order.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.runs.iter().flat_map(|run| run.iter())
    }

    pub(crate) fn counters(&self, netns: NetNsId, table: &str, rule: &str) -> (u64, u64) {
        let found = self
            .counters
            .iter()
            .find(|((n, t, text), _)| *n == netns && *t == table && text == rule);
        found.map(|(_, count)| *count).unwrap_or_default()
    }

    pub(crate) fn zero(&mut self, netns: NetNsId, table: &str, chain: Option<&str>) {
        let of_chain = |text: &str| chain.is_none_or(|chain| text.split(' ').nth(1) == Some(chain));
        Arc::make_mut(&mut self.counters)
            .retain(|(n, t, text), _| *n != netns || *t != table || !of_chain(text));
    }
}
