//! A scene, and a timeline laid over it, as SVG: the figures of pages that are read, and files.

mod boxes;
mod markup;
mod progress;

use crate::layout::Rect;
use crate::{Edge, EdgeKind, Scene, ShapeKind, Timeline};
use boxes::Mark;
use markup::{Markup, escaped, number};
use progress::Progress;
use std::fmt::Write;

/// Rules for the classes of an embedded figure; a page brings the tokens.
pub const STYLE: &str = include_str!("../../assets/scene.css");

/// The tokens that a standalone file brings along.
const TOKENS: &str = include_str!("../../assets/tokens.css");

/// Where the figure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Into a page that has the rules of [`STYLE`] and the tokens: no style, no script of its own.
    Embedded,
    /// Into a file of its own, with its style, light and dark.
    Standalone,
}

/// Prints a scene.
pub fn print(scene: &Scene, title: &str, figure: Figure) -> String {
    printed(scene, &Progress::default(), title, figure)
}

/// Prints a scene with one leg of a trace over it, as it is when the packet has come to `stop`.
pub fn print_at(scene: &Scene, timeline: &Timeline, stop: usize, title: &str, figure: Figure) -> String {
    printed(scene, &Progress::at(timeline, stop), title, figure)
}

fn printed(scene: &Scene, progress: &Progress, title: &str, figure: Figure) -> String {
    let mut out = Markup::default();
    let (w, h) = (number(scene.width), number(scene.height));
    let namespace = if figure == Figure::Standalone {
        r#" xmlns="http://www.w3.org/2000/svg""#
    } else {
        ""
    };
    let _ = write!(
        out.0,
        r#"<svg{namespace} class="scene" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{}">"#,
        escaped(title)
    );
    if figure == Figure::Standalone {
        let _ = write!(
            out.0,
            "<title>{}</title><style>{TOKENS}{STYLE}</style>",
            escaped(title)
        );
    }
    let nothing = Mark::default();
    let mark = |id: &str| progress.marks.get(id).unwrap_or(&nothing);
    for shape in scene.shapes.iter().filter(|s| s.kind == ShapeKind::Node) {
        boxes::shape(&mut out, shape, mark(&shape.id), &progress.lit);
    }
    for shape in scene.shapes.iter().filter(|s| s.kind == ShapeKind::Network) {
        let y = number(shape.y + shape.h / 2.0);
        out.path(
            "net",
            &format!("M{} {y}H{}", number(shape.x), number(shape.x + shape.w)),
        );
        out.path(
            "core",
            &format!(
                "M{} {y}H{}",
                number(shape.x + 1.0),
                number(shape.x + shape.w - 1.0)
            ),
        );
    }
    for edge in &scene.edges {
        wire(&mut out, edge, scene);
    }
    if progress.way.len() > 1 {
        out.path(
            &format!("way {}", boxes::hue(progress.kind)),
            &line(&progress.way),
        );
    }
    for shape in scene.shapes.iter().filter(|s| s.kind != ShapeKind::Node) {
        boxes::shape(&mut out, shape, mark(&shape.id), &progress.lit);
    }
    progress.footprints(&mut out, scene);
    progress.packet(&mut out);
    out.0.push_str("</svg>");
    out.0
}

fn line(points: &[crate::Point]) -> String {
    let mut data = String::new();
    for (i, point) in points.iter().enumerate() {
        let _ = write!(
            data,
            "{}{} {}",
            if i == 0 { 'M' } else { 'L' },
            number(point.x),
            number(point.y)
        );
    }
    data
}

fn wire(out: &mut Markup, edge: &Edge, scene: &Scene) {
    out.path(
        if edge.kind == EdgeKind::Writes {
            "writes"
        } else {
            "wire"
        },
        &line(&edge.points),
    );
    if let (Some(label), [a, b, ..]) = (&edge.label, edge.points.as_slice()) {
        // Beside its first stretch, if nothing else is there.
        let wide = crate::text::width(label, crate::text::Face::Mono);
        let place = Rect::new(a.x + 8.0, (a.y + b.y) / 2.0 - 7.0, wide, 14.0);
        let free = scene
            .shapes
            .iter()
            .filter(|s| s.kind != ShapeKind::Node)
            .all(|s| !place.meets(Rect::of(s)));
        let crossed = scene
            .edges
            .iter()
            .filter(|e| e.id != edge.id)
            .any(|e| place.crossed(&e.points));
        if free && !crossed {
            out.text("mono quiet", place.x, place.bottom() - 3.0, label);
        }
    }
}
