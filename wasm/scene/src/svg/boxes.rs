//! One shape as SVG, as the visual language draws its kind.

use super::markup::{Markup, number};
use crate::text::{Face, fitted, width};
use crate::{Health, LegKind, Shape, ShapeKind, ShapeLine};
use hoplab_source::collections::BTreeSet;
use hoplab_source::decimal;

/// What a trace did to a shape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    /// Hue of the leg that passed it.
    pub(crate) passed: Option<LegKind>,
    /// Old and new address and the tag, if it was rewritten here.
    pub(crate) rewritten: Option<(String, String, String)>,
}

const NODE: &str = "M4.500 4h11a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-11a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM2.500 12h15M6 14h.01M9 14h4";
const CLIENT: &str = "M5 4h10a1.500 1.500 0 0 1 1.500 1.500v6a1.500 1.500 0 0 1-1.500 1.500H5a1.500 1.500 0 0 1-1.500-1.500v-6A1.500 1.500 0 0 1 5 4zM1.500 16h17";
const SERVICE: &str = "M3 6.500A2.500 2.500 0 0 1 5.500 4H14a3 3 0 0 1 3 3v6a3 3 0 0 1-3 3H5.500A2.500 2.500 0 0 1 3 13.500zM7 10h6";
const TABLE: &str = "M4 3.500h12a1.500 1.500 0 0 1 1.500 1.500v10a1.500 1.500 0 0 1-1.500 1.500H4A1.500 1.500 0 0 1 2.500 15V5A1.500 1.500 0 0 1 4 3.500zM2.500 7.500h15M7 7.500v9M9.500 12h5";
const ROUTER: &str =
    "M4.500 10h4M7 8l1.700 2L7 12M15.500 10h-4M13 8l-1.700 2 1.700 2M10 4.600v2.200M10 15.400v-2.200";

pub(crate) fn hue(kind: LegKind) -> &'static str {
    match kind {
        LegKind::Request => "request",
        LegKind::Reply => "reply",
        LegKind::Side => "side",
    }
}

fn icon(out: &mut Markup, data: &str, x: f64, y: f64, size: f64) {
    use std::fmt::Write;
    let scale = decimal::fixed(size / 20.0, 2);
    let _ = write!(
        out.0,
        r#"<path class="icon" transform="translate({} {}) scale({scale})" d="{data}"/>"#,
        number(x),
        number(y)
    );
}

fn outline(shape: &Shape, base: &str, mark: &Mark) -> String {
    let mut class = base.to_owned();
    match shape.health {
        Health::Plain => {}
        Health::Trouble => class.push_str(" trouble"),
        Health::WithoutEffect => class.push_str(" effectless"),
    }
    if let Some(leg) = mark.passed {
        class.push_str(" past ");
        class.push_str(hue(leg));
    }
    if mark.rewritten.is_some() {
        class.push_str(" rewrites");
    }
    class
}

/// Draws a shape.
pub(crate) fn shape(out: &mut Markup, shape: &Shape, mark: &Mark, lit: &BTreeSet<String>) {
    use std::fmt::Write;
    let _ = write!(
        out.0,
        "<g><title>{}</title>",
        super::markup::escaped(&shape.spoken)
    );
    let r = (shape.x, shape.y, shape.w, shape.h);
    match shape.kind {
        ShapeKind::Node => node(out, shape, mark),
        ShapeKind::Pod | ShapeKind::PodStack => {
            if shape.kind == ShapeKind::PodStack {
                out.rect("box", (shape.x + 3.5, shape.y + 3.5, shape.w, shape.h), 8.0);
            }
            out.rect(&outline(shape, "box", mark), r, 8.0);
            pod(out, shape);
        }
        ShapeKind::Interface | ShapeKind::Bridge | ShapeKind::Tunnel => device(out, shape, mark),
        ShapeKind::Hook => hook(out, shape, mark),
        ShapeKind::ProxyTable => table(out, shape, mark, lit),
        ShapeKind::Service => {
            out.rect(&outline(shape, "virtual", mark), r, 10.0);
            icon(out, SERVICE, shape.x + 8.0, shape.y + 6.0, 16.0);
            let room = shape.w - 40.0;
            out.text(
                "title",
                shape.x + 30.0,
                shape.y + 19.0,
                &fitted(&shape.label, Face::Title, room),
            );
            rows(out, shape, shape.x + 9.0, shape.y + 35.0, lit);
        }
        ShapeKind::Network => {}
        ShapeKind::Outside | ShapeKind::Host => {
            let radius = if shape.kind == ShapeKind::Outside {
                shape.h / 2.0
            } else {
                12.0
            };
            out.rect(&outline(shape, "ground", mark), r, radius);
            icon(
                out,
                if shape.kind == ShapeKind::Outside {
                    CLIENT
                } else {
                    NODE
                },
                shape.x + 12.0,
                shape.y + 10.0,
                18.0,
            );
            out.text(
                "strong",
                shape.x + 37.0,
                shape.y + 17.0,
                &fitted(&shape.label, Face::Title, shape.w - 46.0),
            );
            rows(out, shape, shape.x + 37.0, shape.y + 31.0, lit);
        }
        ShapeKind::Router => {
            out.circle(
                &outline(shape, "box", mark),
                shape.x + shape.w / 2.0,
                shape.y + shape.h / 2.0,
                shape.w / 2.0,
            );
            icon(
                out,
                ROUTER,
                shape.x + shape.w / 2.0 - 11.0,
                shape.y + shape.h / 2.0 - 11.0,
                22.0,
            );
        }
        ShapeKind::Caption => {
            out.text("chip quiet", shape.x, shape.y + 11.0, &shape.label);
            let mut x = shape.x + width(&shape.label, Face::Chip) + 4.0;
            for line in &shape.lines {
                let (class, face) = if line.kind == "address" {
                    ("mono quiet", Face::Mono)
                } else {
                    ("small", Face::Small)
                };
                out.text(class, x, shape.y + 11.0, &line.text);
                x += width(&line.text, face) + 4.0;
            }
        }
    }
    out.0.push_str("</g>");
}

fn node(out: &mut Markup, shape: &Shape, mark: &Mark) {
    let plain = Mark {
        passed: None,
        ..mark.clone()
    };
    out.rect(
        &outline(shape, "ground", &plain),
        (shape.x, shape.y, shape.w, shape.h),
        12.0,
    );
    icon(out, NODE, shape.x + 10.0, shape.y + 8.0, 16.0);
    let address = shape.lines.first().map_or("", |l| l.text.as_str());
    let taken = width(address, Face::Mono) + 20.0;
    let name = fitted(&shape.label, Face::Title, shape.w - 32.0 - taken);
    out.text("title", shape.x + 32.0, shape.y + 20.0, &name);
    out.text("mono end", shape.x + shape.w - 11.0, shape.y + 20.0, address);
}

fn pod(out: &mut Markup, shape: &Shape) {
    let room = shape.w - 16.0;
    if shape.h < 36.0 {
        out.text(
            "strong",
            shape.x + 8.0,
            shape.y + shape.h / 2.0 + 4.0,
            &fitted(&shape.label, Face::Name, room),
        );
        return;
    }
    out.text(
        "strong",
        shape.x + 8.0,
        shape.y + 17.0,
        &fitted(&shape.label, Face::Name, room),
    );
    rows(out, shape, shape.x + 8.0, shape.y + 32.0, &BTreeSet::new());
}

/// The lines of a shape, each 15 px below the other, as far as they fit.
fn rows(out: &mut Markup, shape: &Shape, x: f64, first: f64, lit: &BTreeSet<String>) {
    let right = shape.x + shape.w - 9.0;
    for (i, line) in shape.lines.iter().enumerate() {
        let y = first + 15.0 * i as f64;
        if y > shape.y + shape.h - 3.0 {
            break;
        }
        row(out, line, x, right, y, lit);
    }
}

fn row(out: &mut Markup, line: &ShapeLine, x: f64, right: f64, y: f64, lit: &BTreeSet<String>) {
    let on = line.reference.as_ref().is_some_and(|r| lit.contains(r));
    let mut x = x;
    match line.kind.as_str() {
        "listen" => {
            out.rect("square", (x + 0.75, y - 7.5, 6.5, 6.5), 2.0);
            x += 12.0;
        }
        "endpointReady" | "endpointNotReady" => {
            let class = if line.kind == "endpointReady" {
                "square"
            } else {
                "square effectless"
            };
            if on {
                out.circle("lit", x + 4.0, y - 4.0, 3.5);
            } else {
                out.circle(class, x + 4.0, y - 4.0, 3.0);
            }
            x += 14.0;
        }
        _ => {}
    }
    let (class, face) = if line.kind == "note" {
        ("small", Face::Small)
    } else {
        ("mono", Face::Mono)
    };
    let class = if on {
        format!("{class} lit")
    } else {
        class.to_owned()
    };
    let value = line.value.as_ref().map_or(0.0, |v| width(v, Face::Mono) + 6.0);
    let text = if line.kind == "note" {
        fitted(&line.text, face, right - x)
    } else {
        line.text.clone()
    };
    let wide = width(&text, face);
    if x + wide <= right + 2.0 {
        out.text(&class, x, y, &text);
    }
    if let Some(text) = line.value.as_ref().filter(|_| x + wide + value <= right + 2.0) {
        out.text(
            &format!("{class} end"),
            right,
            y,
            if on && line.kind.starts_with("endpoint") {
                "chosen"
            } else {
                text
            },
        );
    }
}

fn device(out: &mut Markup, shape: &Shape, mark: &Mark) {
    let r = (shape.x, shape.y, shape.w, shape.h);
    let base = match shape.kind {
        ShapeKind::Tunnel => {
            out.rect(
                "around",
                (shape.x - 3.0, shape.y - 3.0, shape.w + 6.0, shape.h + 6.0),
                8.0,
            );
            out.rect(&outline(shape, "tunnel", mark), r, 6.0);
            None
        }
        ShapeKind::Bridge => Some(4.0),
        _ => Some(3.0),
    };
    if let Some(radius) = base {
        out.rect(&outline(shape, "box", mark), r, radius);
    }
    let y = shape.y + shape.h / 2.0 + 4.0;
    let name = width(&shape.label, Face::Mono);
    let all: f64 = name
        + shape
            .lines
            .iter()
            .map(|l| width(&l.text, Face::Mono) + 8.0)
            .sum::<f64>();
    let whole = all <= shape.w - 6.0;
    let shown = if whole { all } else { name };
    let mut x = if shape.kind == ShapeKind::Bridge {
        shape.x + 10.0
    } else {
        shape.x + (shape.w - shown) / 2.0
    };
    if mark.passed.is_some() && shape.w > 60.0 {
        // The footprint's disc lies over the left edge.
        x = x.max((shape.x + 12.0).min(shape.x + shape.w - shown - 2.0));
    }
    let class = if shape.kind == ShapeKind::Interface {
        "mono"
    } else {
        "mono strong"
    };
    out.text(class, x, y, &fitted(&shape.label, Face::Mono, shape.w - 6.0));
    if whole {
        x += name + 8.0;
        for line in &shape.lines {
            out.text("mono quiet", x, y, &line.text);
            x += width(&line.text, Face::Mono) + 8.0;
        }
    }
}

fn hook(out: &mut Markup, shape: &Shape, mark: &Mark) {
    let base = if mark.passed.is_some() { "ground" } else { "idle" };
    out.rect(
        &outline(shape, base, mark),
        (shape.x, shape.y, shape.w, shape.h),
        4.0,
    );
    match &mark.rewritten {
        Some((before, after, tag)) if shape.h >= 46.0 => {
            out.text("chip", shape.x + 9.0, shape.y + 17.0, &shape.label);
            let wide = width(tag, Face::Chip) + 10.0;
            let left = shape.x + shape.w - wide - 6.0;
            if left > shape.x + 12.0 + width(&shape.label, Face::Chip) {
                out.rect("tag", (left, shape.y + 5.0, wide, 15.0), 3.0);
                out.text("tagged", left + wide / 2.0, shape.y + 16.5, tag);
            }
            out.text("mono old", shape.x + 9.0, shape.y + 32.0, before);
            out.text("mono new", shape.x + 9.0, shape.y + 46.0, after);
        }
        _ => {
            let class = if mark.passed.is_some() {
                "chip centre"
            } else {
                "small centre"
            };
            out.text(
                class,
                shape.x + shape.w / 2.0,
                shape.y + shape.h / 2.0 + 4.0,
                &shape.label,
            );
        }
    }
}

fn table(out: &mut Markup, shape: &Shape, mark: &Mark, lit: &BTreeSet<String>) {
    let r = (shape.x, shape.y, shape.w, shape.h);
    out.rect(&outline(shape, "ground", mark), r, 6.0);
    icon(out, TABLE, shape.x + 7.0, shape.y + 4.0, 14.0);
    out.text("chip quiet", shape.x + 26.0, shape.y + 15.0, &shape.label);
    out.path(
        "rule",
        &format!(
            "M{} {}h{}",
            number(shape.x + 1.0),
            number(shape.y + 21.0),
            number(shape.w - 2.0)
        ),
    );
    for (i, line) in shape.lines.iter().enumerate() {
        let y = shape.y + 34.0 + 15.0 * i as f64;
        let on = line.reference.as_ref().is_some_and(|r| lit.contains(r));
        if on {
            out.rect("row", (shape.x + 1.0, y - 11.0, shape.w - 2.0, 15.0), 0.0);
        }
        row(out, line, shape.x + 8.0, shape.x + shape.w - 8.0, y, lit);
    }
}
