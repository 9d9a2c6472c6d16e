//! The lane that packets run down inside an opened node: which hooks and devices stand in it, at which height.

use super::keep::{Keep, Way};
use crate::input::NodeInput;
use hoplab_source::order;
use hoplab_trace::HookName;

/// Between things in the lane: room for a packet to park.
pub(crate) const GAP: f64 = 16.0;
/// A hook that rewrites shows the old and the new address.
pub(crate) const REWRITES: f64 = 54.0;
/// Any other hook.
const CHIP: f64 = 24.0;
/// The bridge.
pub(crate) const BRIDGE: f64 = 26.0;
const TUNNEL: f64 = 32.0;
/// A card, half over the node's lower edge.
pub(crate) const CARD: f64 = 26.0;
const HEAD: f64 = 32.0;

/// What stands in the lane below the bridge, from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A hook, in the lane.
    Hook(HookName),
    /// INPUT or OUTPUT: beside the lane, for packets of the node's own processes.
    Local(HookName),
    /// The tunnel.
    Tunnel,
}

/// The lane of one node, from top to bottom.
#[derive(Clone)]
pub(crate) struct Lane {
    /// PREROUTING between a pod and the bridge.
    pub(crate) above_bridge: bool,
    pub(crate) slots: Vec<Slot>,
    /// The path comes by the wire and leaves by it: PREROUTING stands in a lane up, POSTROUTING and the tunnel in a
    /// lane down beside it, FORWARD where the one turns into the other.
    pub(crate) turns: bool,
}

impl Lane {
    /// `ends`: a pod of this node is on the path.
    pub(crate) fn of(node: &NodeInput, keep: &Keep, ends: bool) -> Self {
        let hook = |h| keep.hook(&node.name, h);
        let local = hook(HookName::Output).is_some() || hook(HookName::Input).is_some();
        let turns = !ends
            && !local
            && hook(HookName::Prerouting) == Some(Way::Up)
            && hook(HookName::Postrouting) == Some(Way::Down);
        if turns {
            let tunnel = keep.has(&format!(
                "if:node:{}/{}",
                node.name,
                node.tunnel.as_ref().map_or("", |t| t.name.as_str())
            ));
            let mut slots = vec![Slot::Hook(HookName::Forward), Slot::Hook(HookName::Postrouting)];
            slots.extend(tunnel.then_some(Slot::Tunnel));
            return Self {
                above_bridge: false,
                slots,
                turns,
            };
        }
        let mut slots = Vec::new();
        if hook(HookName::Postrouting) == Some(Way::Up) {
            slots.push(Slot::Hook(HookName::Postrouting));
        }
        slots.push(Slot::Hook(HookName::Forward));
        if hook(HookName::Output).is_some() {
            slots.push(Slot::Local(HookName::Output));
        }
        if hook(HookName::Postrouting) == Some(Way::Down) {
            slots.push(Slot::Hook(HookName::Postrouting));
        }
        if node.tunnel.is_some() {
            slots.push(Slot::Tunnel);
        }
        if hook(HookName::Input).is_some() {
            slots.push(Slot::Local(HookName::Input));
        }
        let pre = hook(HookName::Prerouting);
        if pre == Some(Way::Up) {
            slots.push(Slot::Hook(HookName::Prerouting));
        }
        Self {
            above_bridge: pre == Some(Way::Down),
            slots,
            turns,
        }
    }

    fn needs(slot: Slot) -> f64 {
        match slot {
            Slot::Hook(HookName::Forward) => CHIP,
            Slot::Hook(_) | Slot::Local(_) => REWRITES,
            Slot::Tunnel => TUNNEL,
        }
    }
}

/// Heights that all opened nodes share, so that like stands beside like.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    pub(crate) top: f64,
    pub(crate) pods: f64,
    /// PREROUTING above the bridge.
    pub(crate) above: f64,
    pub(crate) bridge: f64,
    slots: Vec<(Slot, f64, u8)>,
    pub(crate) card: f64,
    /// The nodes' lower edge.
    pub(crate) bottom: f64,
}

/// The order in which slots stand when nodes with different ones are beside each other.
fn rank(slot: Slot, up: bool) -> u8 {
    match slot {
        Slot::Hook(HookName::Postrouting) if up => 0,
        Slot::Hook(HookName::Forward) => 1,
        Slot::Local(HookName::Output) => 2,
        Slot::Hook(HookName::Postrouting) => 3,
        Slot::Tunnel => 4,
        Slot::Local(_) => 5,
        Slot::Hook(_) => 6,
    }
}

impl Levels {
    /// `pods` is the height of the tallest node's pods, `table` that of the largest kube-proxy table; the nodes'
    /// lower edge should be at `least`, as far as that goes without looking torn apart, and must not be above `must`.
    pub(crate) fn of(lanes: &[&Lane], top: f64, pods: f64, table: f64, least: f64, must: f64) -> Self {
        let above = lanes.iter().any(|l| l.above_bridge);
        let mut union: Vec<(u8, Slot)> = Vec::new();
        for lane in lanes {
            let forward = lane
                .slots
                .iter()
                .position(|s| *s == Slot::Hook(HookName::Forward))
                .unwrap_or(0);
            for (i, slot) in lane.slots.iter().enumerate() {
                let entry = (rank(*slot, i < forward), *slot);
                if !union.contains(&entry) {
                    union.push(entry);
                }
            }
        }
        order::sort_by_key(&mut union, |(rank, _)| *rank);
        let under_pods = 9.0 + if above { GAP + REWRITES + GAP } else { 32.0 };
        let stacked = |under: f64, stretch: f64| {
            let bridge = top + HEAD + pods + under_pods + under;
            let table_bottom = bridge + BRIDGE + GAP + table;
            let mut y = bridge + BRIDGE;
            let mut slots = Vec::new();
            for (rank, slot) in &union {
                y += GAP + stretch;
                if matches!(slot, Slot::Local(_)) {
                    // Beside the lane, below the table.
                    y = y.max(table_bottom + GAP);
                }
                slots.push((*slot, y.round(), *rank));
                y += Lane::needs(*slot);
            }
            (bridge, slots, (y + GAP + stretch).max(table_bottom + GAP).round())
        };
        let (_, _, card) = stacked(0.0, 0.0);
        let spare = (least - card - CARD / 2.0).max(0.0);
        let under = (spare * 0.25).min(36.0);
        let stretch = ((spare - under) / (union.len() as f64 + 1.0)).min(34.0);
        let (_, _, card) = stacked(under, stretch);
        let stretch = stretch + (must - card - CARD / 2.0).max(0.0) / (union.len() as f64 + 1.0);
        let (bridge, slots, card) = stacked(under, stretch);
        let card = card.max((must - CARD / 2.0).ceil());
        Self {
            top,
            pods: (top + HEAD).round(),
            above: (top + HEAD + pods + 9.0 + GAP + under / 2.0).round(),
            bridge: bridge.round(),
            slots,
            card,
            bottom: card + CARD / 2.0,
        }
    }

    /// Upper edge and height of a slot.
    pub(crate) fn slot(&self, slot: Slot, above_forward: bool) -> (f64, f64) {
        let rank = rank(slot, above_forward);
        let y = self
            .slots
            .iter()
            .find(|(s, _, r)| *s == slot && *r == rank)
            .map_or(self.bridge, |(_, y, _)| *y);
        (y, Lane::needs(slot))
    }
}
