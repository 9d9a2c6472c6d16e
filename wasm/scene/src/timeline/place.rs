//! Where stops stand on the drawing, and the ways between them.

use super::fold::{Raw, What};
use super::services;
use super::way::{Way, Ways, cut, distance, length, through};
use crate::layout::Rect;
use crate::{Point, Scene, ShapeKind, TreeItem};
use hoplab_source::collections::BTreeMap;
use hoplab_trace::{RuleVerdict, StepKind};

/// How far from a box a packet parks.
const PARK: f64 = 9.0;

/// One stop's place.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) shape: Option<String>,
    pub(crate) path: Vec<Point>,
    pub(crate) at: Point,
    pub(crate) edges: Vec<String>,
    /// Name of the network that it is on.
    pub(crate) network: Option<String>,
}

/// Knows the scene, and remembers the ways that it found.
pub(crate) struct Placer<'s> {
    scene: &'s Scene,
    ways: Ways<'s>,
    /// Which shape stands for a thing that is folded.
    folded: BTreeMap<&'s str, &'s str>,
    /// The network that a card is plugged into.
    networks: BTreeMap<&'s str, &'s str>,
    found: BTreeMap<(String, String), Option<Way>>,
}

/// A stretch of a leg: between two shapes, with the stops that park on it.
struct Stretch {
    way: Way,
    /// Stops that stand on it, the one that starts it first.
    stops: Vec<usize>,
}

impl<'s> Placer<'s> {
    pub(crate) fn of(scene: &'s Scene) -> Self {
        let mut folded = BTreeMap::new();
        gather(&scene.tree, &mut folded);
        let mut networks = BTreeMap::new();
        for edge in &scene.edges {
            if edge.to.starts_with("network:") {
                networks.insert(edge.from.as_str(), edge.to.as_str());
            }
        }
        Self {
            scene,
            ways: Ways::of(scene),
            folded,
            networks,
            found: BTreeMap::new(),
        }
    }

    /// The shape of a stop, if the scene holds it or what it is folded into.
    fn shape(&self, raw: &Raw<'_>, before: Option<&str>) -> Option<String> {
        if raw.what == What::Wire {
            return before.and_then(|b| self.networks.get(b)).map(|n| (*n).to_owned());
        }
        let id = raw.shape.as_deref()?;
        if self.ways.shape(id).is_some() {
            return Some(id.to_owned());
        }
        let folded = self
            .folded
            .get(id)
            .copied()
            .filter(|f| self.ways.shape(f).is_some());
        let whole = || {
            let pod = id.strip_prefix("if:")?.rsplit_once('/')?.0;
            let pod = self.folded.get(pod).copied().unwrap_or(pod);
            // A closed node's inside is no place of its own: the packet is on its way through.
            self.ways
                .shape(pod)
                .filter(|s| s.kind != ShapeKind::Node)
                .map(|_| pod)
        };
        folded
            .filter(|f| self.ways.shape(f).is_some_and(|s| s.kind != ShapeKind::Node))
            .or_else(whole)
            .map(ToOwned::to_owned)
    }

    fn way(&mut self, from: &str, to: &str) -> Option<Way> {
        let key = (from.to_owned(), to.to_owned());
        if let Some(known) = self.found.get(&key) {
            return known.clone();
        }
        let way = self.ways.between(from, to);
        self.found.insert(key, way.clone());
        way
    }

    /// Places the stops of one leg.
    pub(crate) fn place(&mut self, raws: &[Raw<'_>]) -> Vec<Spot> {
        let mut shapes: Vec<Option<String>> = Vec::with_capacity(raws.len());
        let mut last: Option<String> = None;
        for raw in raws {
            let shape = self.shape(raw, last.as_deref());
            if shape.is_some() {
                last.clone_from(&shape);
            }
            shapes.push(shape);
        }
        // Shapes that wires lead to; a machine's ground has none, what happens there is beside the next thing.
        let anchored: Vec<Option<&str>> = shapes
            .iter()
            .map(|s| {
                s.as_deref()
                    .filter(|id| self.ways.shape(id).is_some_and(|s| s.kind != ShapeKind::Node))
            })
            .collect();
        let anchored: Vec<Option<String>> = anchored.into_iter().map(|a| a.map(ToOwned::to_owned)).collect();
        let stretches = self.stretches(&anchored);
        let mut spots = self.spots(&anchored, &stretches);
        for ((spot, shape), raw) in spots.iter_mut().zip(shapes).zip(raws) {
            if raw.what == What::Wire {
                spot.network = shape
                    .as_deref()
                    .and_then(|s| self.ways.shape(s))
                    .map(|s| s.label.clone());
            }
            spot.shape = shape;
        }
        spots
    }

    fn stretches(&mut self, anchored: &[Option<String>]) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut from: Option<String> = None;
        for (i, shape) in anchored.iter().enumerate() {
            match (shape, &from) {
                (Some(to), Some(start)) if to != start => {
                    let way = self.way(start, to).unwrap_or_default();
                    stretches.push(Stretch {
                        way,
                        stops: std::mem::take(&mut open),
                    });
                    from = Some(to.clone());
                }
                (Some(to), None) => from = Some(to.clone()),
                _ => {}
            }
            open.push(i);
        }
        stretches.push(Stretch {
            way: Way::default(),
            stops: open,
        });
        stretches
    }

    /// Stops share a stretch out among themselves; the last one of a leg stands before its last shape.
    fn spots(&self, anchored: &[Option<String>], stretches: &[Stretch]) -> Vec<Spot> {
        let mut spots: Vec<Spot> = Vec::with_capacity(anchored.len());
        let mut at: Option<Point> = None;
        // What is left of the way that the packet is on, and the edges that light up on it.
        let mut behind: (Vec<Point>, Vec<String>) = (Vec::new(), Vec::new());
        for stretch in stretches {
            let line = &stretch.way.points;
            if line.len() < 2 {
                self.stand(anchored, stretch, &mut spots, &mut at, &mut behind);
                continue;
            }
            // Behind: the rest of the way here; then through the box; then the stretch to the next shape.
            let mut full = std::mem::take(&mut behind.0);
            let mut start = length(&full);
            let shape = stretch
                .stops
                .first()
                .and_then(|i| anchored.get(*i))
                .and_then(|s| s.as_deref());
            let shape = shape.and_then(|s| self.ways.shape(s));
            let mut on_network = None;
            if let (Some(end), Some(first), Some(shape)) =
                (full.last().copied(), line.first().copied(), shape)
                && distance(end, first) > 0.5
            {
                let across = through(shape, end, first);
                if shape.kind == ShapeKind::Network {
                    on_network = Some(start + length(&across) / 2.0);
                }
                start += length(&across);
                full.extend(across);
            }
            full.extend(line.iter().copied());
            full.dedup_by(|a, b| distance(*a, *b) < 0.05);
            let (total, count) = (length(line), stretch.stops.len());
            let mut done = 0.0;
            for k in 0..count {
                let share = total * (k + 1) as f64 / (count + 1) as f64;
                let run = match (count, on_network) {
                    // In the middle of the network, where there is room around it.
                    (_, Some(middle)) if k == 0 => middle,
                    (1, _) => start + PARK.min(total / 2.0),
                    _ => start + share,
                };
                let path = cut(&full, done, run);
                done = run;
                let here = path.last().copied().unwrap_or(Point { x: 0.0, y: 0.0 });
                let mut edges = std::mem::take(&mut behind.1);
                edges.extend(stretch.way.edges.first().cloned());
                edges.dedup();
                at = Some(here);
                let path = if spots.is_empty() { Vec::new() } else { path };
                spots.push(Spot {
                    shape: None,
                    path,
                    at: here,
                    edges,
                    network: None,
                });
            }
            behind = (cut(&full, done, start + total), stretch.way.edges.clone());
        }
        spots
    }

    /// Stops with nowhere to go: the end of a leg, or a leap over what is not drawn.
    fn stand(
        &self,
        anchored: &[Option<String>],
        stretch: &Stretch,
        spots: &mut Vec<Spot>,
        at: &mut Option<Point>,
        behind: &mut (Vec<Point>, Vec<String>),
    ) {
        for (k, i) in stretch.stops.iter().enumerate() {
            let (way, edges) = std::mem::take(behind);
            let total = length(&way);
            // Before the box, never over its text.
            let path = if way.len() > 1 {
                cut(&way, 0.0, (total - PARK).max(total / 2.0))
            } else {
                Vec::new()
            };
            let shape = anchored
                .get(*i)
                .and_then(|s| s.as_deref())
                .and_then(|s| self.ways.shape(s));
            let here = match (path.last(), shape, *at) {
                (Some(end), ..) => *end,
                (None, Some(shape), _) if k == 0 || at.is_none() => beside(Rect::of(shape)),
                (None, _, Some(at)) => at,
                (None, Some(shape), None) => beside(Rect::of(shape)),
                (None, None, None) => self.nowhere(anchored),
            };
            *at = Some(here);
            let path = if spots.is_empty() { Vec::new() } else { path };
            spots.push(Spot {
                shape: None,
                path,
                at: here,
                edges,
                network: None,
            });
        }
    }

    /// Where a leg is of which the drawing holds nothing.
    fn nowhere(&self, anchored: &[Option<String>]) -> Point {
        let any = anchored
            .iter()
            .flatten()
            .find_map(|id| self.ways.shape(id))
            .map(|s| beside(Rect::of(s)));
        any.unwrap_or(Point {
            x: self.scene.width / 2.0,
            y: self.scene.height / 2.0,
        })
    }

    /// Rows to light: the Services whose rules decided, and the endpoint that was chosen.
    pub(crate) fn lit(&self, raw: &Raw<'_>) -> Vec<String> {
        let mut lit = services(raw);
        let chosen = raw.steps.iter().find_map(|(s, _)| match &s.kind {
            StepKind::Hook {
                verdict: RuleVerdict::Dnat,
                ..
            } => s.packet.dst_ip(),
            _ => None,
        });
        if let Some(address) = chosen.filter(|_| raw.what != What::Wire) {
            let address = address.to_string();
            for shape in self.scene.shapes.iter().filter(|s| lit.contains(&s.id)) {
                if let Some(row) = shape
                    .lines
                    .iter()
                    .find(|l| l.text == address)
                    .and_then(|l| l.reference.clone())
                {
                    lit.push(row);
                    break;
                }
            }
        }
        lit
    }
}

/// Beside a box, where nothing is written.
fn beside(rect: Rect) -> Point {
    Point {
        x: rect.right() + PARK + 12.0,
        y: rect.mid_y(),
    }
}

/// Ids of things that are folded into another shape.
fn gather<'s>(tree: &'s [TreeItem], into: &mut BTreeMap<&'s str, &'s str>) {
    for item in tree {
        if let Some(shape) = item.shape.as_deref().filter(|s| *s != item.id) {
            into.insert(&item.id, shape);
        }
        gather(&item.children, into);
    }
}
