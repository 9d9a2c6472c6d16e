//! A node off the path: its ground, what runs on it, its card on the lower edge.

use super::draft::{Draft, Rect, at};
use super::keep::Keep;
use super::pods::{Cell, by_workload, stack};
use super::shapes::{self, PodDetail};
use crate::input::{NodeInput, PodInput};
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind};

const HEAD: f64 = 32.0;
const PAD: f64 = 8.0;
const ROW: f64 = 24.0;
const KEPT: f64 = 40.0;
const GAP: f64 = 4.0;
/// Boxes shown; the rest folds into the last.
const MOST: usize = 4;
/// Left of kept pods, for their wires.
const GUTTER: f64 = 10.0;
pub(crate) const CARD: (f64, f64) = (44.0, 26.0);

/// One compact node, measured.
#[derive(Clone)]
pub(crate) struct Compact<'a> {
    pub(crate) node: &'a NodeInput,
    pods: usize,
    folded: Vec<Cell<'a>>,
    kept: Vec<&'a PodInput>,
    /// Least width.
    pub(crate) width: f64,
    /// To the node's lower edge.
    pub(crate) height: f64,
}

impl<'a> Compact<'a> {
    pub(crate) fn measure(node: &'a NodeInput, pods: &[&'a PodInput], keep: &Keep) -> Self {
        let (kept, off): (Vec<&PodInput>, Vec<&PodInput>) = pods.iter().partition(|p| keep.has(&p.id()));
        let folded = folded(node, off);
        let head = width(&node.name, Face::Title) + width(&node.address, Face::Mono) + 56.0;
        let boxes = folded.iter().map(|c| match c {
            Cell::Pod(pod, _) => width(&pod.label(), Face::Name),
            Cell::Stack(_, label, _) => width(label, Face::Name),
        });
        let near = kept.iter().map(|p| width(&p.label(), Face::Name) + GUTTER);
        let wide = boxes
            .chain(near)
            .fold(head, |w, b| w.max(b + 2.0 * PAD + 18.0))
            .min(260.0);
        let rows = folded.len() as f64 * (ROW + GAP) + kept.len() as f64 * (KEPT + GAP);
        Self {
            node,
            pods: pods.len(),
            folded,
            kept,
            width: wide.ceil(),
            height: HEAD + rows + 6.0 + CARD.1,
        }
    }

    /// Draws it with its lower edge at `bottom`; gives the point where its cable leaves.
    pub(crate) fn draw(&self, draft: &mut Draft, x: f64, wide: f64, bottom: f64) -> Point {
        let ground = Rect::new(x, bottom - self.height, wide, self.height);
        let id = format!("node:{}", self.node.name);
        draft.put(shapes::node(self.node, ground, self.pods));
        let card = Rect::new(
            ground.mid_x() - CARD.0 / 2.0,
            bottom - CARD.1 / 2.0,
            CARD.0,
            CARD.1,
        );
        let mut interface = shapes::device(&self.node.name, &self.node.uplink, ShapeKind::Interface, card);
        interface.lines.clear();
        let uplink = interface.id.clone();
        for device in [&self.node.bridge, &self.node.tunnel].into_iter().flatten() {
            draft.fold(format!("if:node:{}/{}", self.node.name, device.name), &id);
        }
        let mut y = ground.y + HEAD;
        for cell in &self.folded {
            let rect = Rect::new(ground.x + PAD, y, ground.w - 2.0 * PAD, ROW);
            y += ROW + GAP;
            match cell {
                Cell::Pod(pod, _) => draft.put(shapes::pod(pod, rect, &id, PodDetail::Name)),
                Cell::Stack(stack_id, label, pods) => {
                    draft.put(stack(stack_id, label, pods, rect, &self.node.name, &[]));
                    for pod in pods {
                        draft.fold(pod.id(), stack_id);
                    }
                }
            }
        }
        for (i, pod) in self.kept.iter().enumerate() {
            let rect = Rect::new(ground.x + PAD + GUTTER, y, ground.w - 2.0 * PAD - GUTTER, KEPT);
            y += KEPT + GAP;
            draft.put(shapes::pod(pod, rect, &id, PodDetail::Address));
            let lane = ground.x + PAD + 2.0 + 3.0 * (i % 2) as f64;
            let mid = rect.mid_y().round();
            let points = vec![
                at(rect.x, mid),
                at(lane, mid),
                at(lane, card.mid_y()),
                at(card.x, card.mid_y()),
            ];
            draft.wire(
                format!("veth:{}", pod.id()),
                EdgeKind::Veth,
                &pod.id(),
                &uplink,
                points,
            );
        }
        let foot = at(card.mid_x(), card.bottom());
        draft.put(interface);
        foot
    }
}

/// Workloads, and the rest in the last box.
fn folded<'a>(node: &NodeInput, off: Vec<&'a PodInput>) -> Vec<Cell<'a>> {
    by_workload(&node.name, off, MOST)
}

/// Nodes that are too many to be drawn one by one, as one box.
pub(crate) fn crowd(draft: &mut Draft, nodes: &[&NodeInput], pods: usize, rect: Rect) -> Point {
    let id = "nodes:more";
    let mut shape = shapes::plain(id, ShapeKind::Node, rect, format!("{} more nodes", nodes.len()));
    shape
        .lines
        .push(shapes::line("address", shapes::counted(pods, "pod", "pods")));
    let names: Vec<&str> = nodes.iter().take(5).map(|n| n.name.as_str()).collect();
    shape.spoken = format!(
        "{} more nodes with {}: {} and more",
        nodes.len(),
        shapes::counted(pods, "pod", "pods"),
        names.join(", ")
    );
    if nodes.iter().any(|n| !n.ready) {
        shape.health = crate::Health::Trouble;
    }
    draft.put(shape);
    for node in nodes {
        draft.fold(format!("node:{}", node.name), id);
    }
    at(rect.mid_x(), rect.bottom())
}
