//! Traces of packets: legs, hops, steps and outcomes, and their explanation in words.
//!
//! `kernel` records [`Step`]s while a packet walks, with values and shared names only; text is made here, when it is
//! asked for, from the step that decided.

pub mod fields;
pub mod json;
mod locate;
mod lookup;
mod outcome;
pub mod print;
mod step;
mod trace;
mod words;

pub use locate::{Locate, Located, Nowhere};
pub use lookup::{LookUp, Question};
pub use outcome::{Outcome, Verdict};
pub use step::{
    BridgeDecision, ConntrackState, DropCause, HookName, NatKind, NeighbourState, RouteDecision, RuleHit,
    RuleVerdict, Step, StepKind,
};
pub use trace::{
    Choice, Direction, Exchange, Hop, Leg, LegEnd, MessageSeen, Place, SubTrace, Trace, Unknown,
};
pub use words::{destination, icmp_words, source};

/// A shared name (of an interface, a chain, a process): made once when state is built, never while a packet walks.
pub type Name = std::sync::Arc<str>;

/// Simulated time since the world's start, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(pub u64);

impl std::ops::Add<std::time::Duration> for Micros {
    type Output = Self;
    fn add(self, after: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}
