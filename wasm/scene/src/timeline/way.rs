//! Ways over the drawing: from shape to shape along the wires that are drawn.

use crate::layout::Rect;
use crate::{Edge, EdgeKind, Point, Scene, Shape, ShapeKind};
use hoplab_source::collections::BTreeMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The scene's wires as a graph. A vertex is one end of an edge: `2 * edge` its start, `2 * edge + 1` its end.
pub(crate) struct Ways<'s> {
    edges: Vec<&'s Edge>,
    shapes: BTreeMap<&'s str, &'s Shape>,
    /// Ends of edges by shape.
    ends: BTreeMap<&'s str, Vec<usize>>,
}

/// A way between two shapes, from border to border.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    pub(crate) points: Vec<Point>,
    pub(crate) edges: Vec<String>,
}

/// Passing through a tunnel, or through a pod's card, that the packet does not visit is no way.
const DETOUR: f64 = 100_000.0;

impl<'s> Ways<'s> {
    pub(crate) fn of(scene: &'s Scene) -> Self {
        let edges: Vec<&Edge> = scene
            .edges
            .iter()
            .filter(|e| e.kind != EdgeKind::Writes && e.points.len() > 1)
            .collect();
        let mut ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, edge) in edges.iter().enumerate() {
            ends.entry(edge.from.as_str()).or_default().push(2 * i);
            ends.entry(edge.to.as_str()).or_default().push(2 * i + 1);
        }
        Self {
            edges,
            shapes: scene.shapes.iter().map(|s| (s.id.as_str(), s)).collect(),
            ends,
        }
    }

    /// Whether the drawing has the shape.
    pub(crate) fn shape(&self, id: &str) -> Option<&'s Shape> {
        self.shapes.get(id).copied()
    }

    /// Where an end of an edge is.
    fn point(&self, end: usize) -> Point {
        let points = &self.edges[end / 2].points;
        if end.is_multiple_of(2) {
            points[0]
        } else {
            points[points.len() - 1]
        }
    }

    fn owner(&self, end: usize) -> &'s str {
        let edge = self.edges[end / 2];
        if end.is_multiple_of(2) {
            &edge.from
        } else {
            &edge.to
        }
    }

    /// The shortest way along wires; `None`: there is none.
    pub(crate) fn between(&self, from: &str, to: &str) -> Option<Way> {
        let mut best: BTreeMap<usize, (u64, Option<usize>)> = BTreeMap::new();
        let mut heap = BinaryHeap::new();
        for end in self.ends.get(from)? {
            best.insert(*end, (0, None));
            heap.push(Reverse((0u64, *end)));
        }
        self.ends.get(to)?;
        let mut goal = None;
        while let Some(Reverse((cost, end))) = heap.pop() {
            if best.get(&end).is_some_and(|(c, _)| *c < cost) {
                continue;
            }
            if self.owner(end) == to {
                goal = Some(end);
                break;
            }
            let mut reach = |next: usize, more: f64| {
                let cost = cost + (more * 10.0) as u64;
                if best.get(&next).is_none_or(|(c, _)| cost < *c) {
                    best.insert(next, (cost, Some(end)));
                    heap.push(Reverse((cost, next)));
                }
            };
            let points = &self.edges[end / 2].points;
            let length: f64 = points.windows(2).map(|p| distance(p[0], p[1])).sum();
            reach(end ^ 1, length);
            let here = self.owner(end);
            if here != from
                && let Some(shape) = self.shapes.get(here)
            {
                let toll = match shape.kind {
                    ShapeKind::Tunnel | ShapeKind::Pod | ShapeKind::PodStack | ShapeKind::Outside => DETOUR,
                    _ => 1.0,
                };
                for next in self.ends.get(here).into_iter().flatten().filter(|n| **n != end) {
                    reach(*next, toll + distance(self.point(end), self.point(*next)));
                }
            }
        }
        let mut order = vec![goal?];
        while let Some((_, Some(before))) = order.last().and_then(|end| best.get(end)) {
            order.push(*before);
        }
        order.reverse();
        Some(self.drawn(&order))
    }

    fn drawn(&self, ends: &[usize]) -> Way {
        let mut way = Way::default();
        for pair in ends.windows(2) {
            let [a, b] = pair else { continue };
            if a / 2 == b / 2 {
                let edge = self.edges[a / 2];
                way.edges.push(edge.id.clone());
                let along: Vec<Point> = if a % 2 == 0 {
                    edge.points.clone()
                } else {
                    edge.points.iter().rev().copied().collect()
                };
                way.points.extend(along);
            } else if let Some(shape) = self.shapes.get(self.owner(*a)) {
                way.points.extend(through(shape, self.point(*a), self.point(*b)));
            }
        }
        way.points.dedup();
        way
    }
}

pub(crate) fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).abs() + (a.y - b.y).abs()
}

/// From one point of a shape's border to another: level and upright only.
pub(crate) fn through(shape: &Shape, from: Point, to: Point) -> Vec<Point> {
    if from.x == to.x || from.y == to.y {
        return vec![from, to];
    }
    let middle = Rect::of(shape).mid_y();
    vec![
        from,
        Point { x: from.x, y: middle },
        Point { x: to.x, y: middle },
        to,
    ]
}

/// The point after `run` pixels of a line, and the index of the stretch that it is on.
pub(crate) fn along(line: &[Point], run: f64) -> (Point, usize) {
    let mut left = run;
    for (i, pair) in line.windows(2).enumerate() {
        let [a, b] = pair else { continue };
        let stretch = distance(*a, *b);
        if left <= stretch && stretch > 0.0 {
            let part = left / stretch;
            return (
                Point {
                    x: a.x + (b.x - a.x) * part,
                    y: a.y + (b.y - a.y) * part,
                },
                i,
            );
        }
        left -= stretch;
    }
    (
        line.last().copied().unwrap_or(Point { x: 0.0, y: 0.0 }),
        line.len().saturating_sub(2),
    )
}

/// The stretch of a line between two distances from its start.
pub(crate) fn cut(line: &[Point], from: f64, to: f64) -> Vec<Point> {
    if line.is_empty() {
        return Vec::new();
    }
    let (a, i) = along(line, from);
    let (b, j) = along(line, to);
    let mut part = vec![a];
    part.extend(line.iter().skip(i + 1).take(j.saturating_sub(i)));
    part.push(b);
    part.dedup();
    part
}

/// Length of a line.
pub(crate) fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|p| distance(p[0], p[1])).sum()
}
