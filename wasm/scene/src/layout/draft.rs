//! A drawing while it is made: shapes, wires and rectangles.

use crate::{Edge, EdgeKind, Point, Shape, ShapeKind};
use hoplab_source::collections::BTreeMap;
use hoplab_source::order;

/// A number no less and no more than these: as `clamp`, which can print numbers, and so weighs more.
pub(crate) fn between(number: f64, least: f64, most: f64) -> f64 {
    number.max(least).min(most)
}

/// A rectangle; edges lie on whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) w: f64,
    pub(crate) h: f64,
}

impl Rect {
    pub(crate) fn new(x: f64, y: f64, w: f64, h: f64) -> Self {
        Self {
            x: x.round(),
            y: y.round(),
            w: w.round(),
            h: h.round(),
        }
    }

    pub(crate) fn of(shape: &Shape) -> Self {
        Self {
            x: shape.x,
            y: shape.y,
            w: shape.w,
            h: shape.h,
        }
    }

    pub(crate) fn right(self) -> f64 {
        self.x + self.w
    }

    pub(crate) fn bottom(self) -> f64 {
        self.y + self.h
    }

    pub(crate) fn mid_x(self) -> f64 {
        self.x + self.w / 2.0
    }

    /// Whether two rectangles share more than an edge.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// Whether a line of level and upright stretches runs through it.
    pub(crate) fn crossed(self, line: &[Point]) -> bool {
        line.windows(2).any(|pair| {
            let [a, b] = pair else { return false };
            let (x0, x1) = (a.x.min(b.x), a.x.max(b.x));
            let (y0, y1) = (a.y.min(b.y), a.y.max(b.y));
            x0 < self.right() && x1 > self.x && y0 < self.bottom() && y1 > self.y
        })
    }

    pub(crate) fn mid_y(self) -> f64 {
        self.y + self.h / 2.0
    }
}

/// A point.
pub(crate) fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// What a layout fills.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) edges: Vec<Edge>,
    /// Which shape stands for a thing: itself, or the one that it is folded into.
    pub(crate) drawn: BTreeMap<String, String>,
}

impl Draft {
    pub(crate) fn put(&mut self, shape: Shape) {
        self.drawn.insert(shape.id.clone(), shape.id.clone());
        self.shapes.push(shape);
    }

    /// `id` is not drawn by itself; `shape` stands for it.
    pub(crate) fn fold(&mut self, id: String, shape: &str) {
        self.drawn.insert(id, shape.to_owned());
    }

    pub(crate) fn wire(&mut self, id: String, kind: EdgeKind, from: &str, to: &str, points: Vec<Point>) {
        let mut line: Vec<Point> = Vec::with_capacity(points.len());
        for point in points {
            // A point on the straight line between its neighbours says nothing.
            if line.last() == Some(&point) {
                continue;
            }
            if let [.., a, b] = line.as_slice()
                && ((a.x == b.x && b.x == point.x) || (a.y == b.y && b.y == point.y))
            {
                line.pop();
            }
            line.push(point);
        }
        self.edges.push(Edge {
            id,
            from: from.to_owned(),
            to: to.to_owned(),
            points: line,
            kind,
            label: None,
        });
    }

    /// Grounds first, then the rest in the order of drawing.
    pub(crate) fn order(&mut self) {
        order::sort_by_key(&mut self.shapes, |s| match s.kind {
            ShapeKind::Node => 0,
            ShapeKind::Network => 1,
            ShapeKind::Interface => 3,
            _ => 2,
        });
    }
}
