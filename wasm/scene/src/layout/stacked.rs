//! A path on a phone that does not fit into strips: its nodes whole, below each other, as wide as the screen; the wire at
//! the bottom. Nothing is made smaller: the drawing is longer than the screen and follows the packet.

use super::Options;
use super::choose::Pods;
use super::columns::wire_below;
use super::draft::Draft;
use super::keep::Keep;
use super::lane::{CARD, Levels};
use super::opened::{Context, Opened};
use super::pods::Fold;
use crate::input::Input;
use crate::{Density, Point};
use hoplab_source::order;

const EDGE: f64 = 8.0;
/// Between nodes, their cards included.
const GAP: f64 = CARD / 2.0 + 12.0;
/// Beside the nodes, for the cables of the upper ones.
const GUTTER: f64 = 12.0;

/// Lays out the path's own world.
pub(crate) fn draw(path: &Input, options: &Options, keep: &Keep) -> Draft {
    let pods = Pods::of(path);
    let mut draft = Draft {
        width: options.width.max(320.0),
        ..Draft::default()
    };
    let mut nodes: Vec<_> = path.nodes.iter().collect();
    // In the path's order.
    order::sort_by_key(&mut nodes, |n| {
        let held = pods.on(&n.name).iter().filter_map(|p| keep.place(&p.id())).min();
        let own = keep.node(&n.name);
        own.or(held).unwrap_or(usize::MAX)
    });
    let gutter = if nodes.len() > 1 { GUTTER } else { 0.0 };
    let context = Context {
        services: &[],
        keep,
        density: Density::Middle,
        fold: Fold::All,
    };
    let wide = draft.width - 2.0 * EDGE - gutter;
    let measured: Vec<Opened<'_>> = nodes
        .iter()
        .map(|n| Opened::measure(n, pods.on(&n.name), &context, wide))
        .collect();
    let wide = measured.iter().map(|m| m.width).fold(wide, f64::max);
    draft.width = draft.width.max(wide + 2.0 * EDGE + gutter);
    let (mut y, mut bottom) = (EDGE, EDGE);
    let mut feet: Vec<(String, String, Point)> = Vec::new();
    for node in &measured {
        let levels = Levels::of(&[&node.lane], y, node.pods_height(), 0.0, 0.0, 0.0);
        let foot = node.draw(&mut draft, EDGE, wide, &levels, keep);
        let card = format!("if:node:{}/{}", node.node.name, node.node.uplink.name);
        feet.push((card, node.node.network.clone(), foot));
        bottom = levels.bottom;
        y = bottom + GAP;
    }
    draft.height = bottom + EDGE;
    wire_below(&mut draft, path, &feet, bottom, false);
    draft
}
