//! Faults of links: packets lost, held back, sent twice, overtaken. Which ones is a choice of the run.
//!
//! Models net/sched/sch_netem.c, one effect a fault.

use super::Sim;
use super::cursor::Cursor;
use crate::netns::{LinkEffect, LinkFault};
use crate::nf::eval::place_name;
use crate::stack::Stack;
use hoplab_trace::{DropCause, Name, StepKind};
use std::sync::Arc;
use std::time::Duration;

/// How long a packet that shall be overtaken is held back: longer than any link takes.
const OVERTAKEN: Duration = Duration::from_millis(20);

impl Sim<'_> {
    /// What the faults of an interface do to a packet that leaves by it. `None`: it is lost.
    pub(super) fn suffer(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        device: &Name,
    ) -> Option<Box<Cursor>> {
        for fault in stack.ns.faults.iter().filter(|f| f.device == *device) {
            let (share, held) = match fault.effect {
                LinkEffect::Delay(by) => (1.0, by),
                LinkEffect::Reorder(share) => (share, OVERTAKEN),
                LinkEffect::Loss(share) | LinkEffect::Duplicate(share) => (share, Duration::ZERO),
            };
            if !self.strikes(stack, fault, share) {
                continue;
            }
            let kind = StepKind::Fault {
                name: Arc::clone(&fault.name),
            };
            cursor.step(kind, fault.origin.clone());
            match fault.effect {
                LinkEffect::Loss(_) => {
                    self.drop_packet(cursor, DropCause::Fault, fault.origin.clone());
                    return None;
                }
                LinkEffect::Delay(_) | LinkEffect::Reorder(_) => cursor.at = cursor.at + held,
                LinkEffect::Duplicate(_) => {
                    let mut copy = cursor.clone();
                    copy.flight = u32::try_from(self.flights.len()).unwrap_or(u32::MAX);
                    copy.cause = Some(cursor.flight);
                    copy.label = format!("{} (copy)", cursor.label);
                    copy.flood = None;
                    self.flights.push(None);
                    if let Some(next) = self.send_out(copy, stack, device) {
                        self.schedule_at(next.at, super::Happening::Packet(next));
                    }
                }
            }
        }
        Some(cursor)
    }

    fn strikes(&mut self, stack: &Stack, fault: &LinkFault, share: f64) -> bool {
        if share <= 0.0 || share >= 1.0 {
            return share >= 1.0;
        }
        let name = || {
            format!(
                "{} at {} {}",
                fault.name,
                place_name(&stack.ns.place),
                fault.device
            )
        };
        let ways = || vec![("strikes".to_owned(), share), ("spares".to_owned(), 1.0 - share)];
        self.chooser.choose(&name, &ways) == 0
    }
}
