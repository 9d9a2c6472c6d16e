//! One run: processes and packets on one virtual clock, over an overlay of what packets leave behind.

use crate::net::NetNsId;
use hoplab_trace::{Choice, LegEnd, Step};

/// A packet's way from where it was made to where it ended.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Index among the flights of the run.
    pub id: u32,
    /// The conversation that it belongs to.
    pub conversation: u32,
    /// Whether it goes from who opened the conversation to the other side.
    pub forward: bool,
    /// `SYN`, `GET /`, `ARP who has 10.244.1.3`.
    pub label: String,
    /// In order, each with the stack where it happened.
    pub steps: Vec<(NetNsId, Step)>,
    /// How it ended.
    pub end: LegEnd,
    /// The flight that it answers or was caused by.
    pub cause: Option<u32>,
}

/// Decides every random point of a run.
pub trait Chooser {
    /// Index of the way taken; `ways` has each with its weight, which add up to 1.
    fn choose(&mut self, name: &dyn Fn() -> String, ways: &dyn Fn() -> Vec<(String, f64)>) -> usize;
    /// What was decided so far.
    fn choices(&self) -> &[Choice];
}
