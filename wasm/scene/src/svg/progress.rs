//! What one leg of a trace has lit when the packet has come to a stop.

use super::boxes::{Mark, hue};
use super::markup::{Markup, number};
use crate::text::{Face, width};
use crate::{LayerField, LegKind, Point, Scene, ShapeKind, Stop, Timeline};
use hoplab_source::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The state of the drawing at a stop.
pub(crate) struct Progress {
    pub(crate) kind: LegKind,
    pub(crate) way: Vec<Point>,
    pub(crate) marks: BTreeMap<String, Mark>,
    pub(crate) lit: BTreeSet<String>,
    numbers: BTreeMap<String, Vec<u32>>,
    packet: Option<Packet>,
}

struct Packet {
    at: Point,
    flag: String,
    protocol: String,
    tunnels: u32,
    dropped: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            kind: LegKind::Request,
            way: Vec::new(),
            marks: BTreeMap::new(),
            lit: BTreeSet::new(),
            numbers: BTreeMap::new(),
            packet: None,
        }
    }
}

impl Progress {
    /// Of the stop with this index; of none when there is no such stop.
    pub(crate) fn at(timeline: &Timeline, index: usize) -> Self {
        let mut this = Self::default();
        let Some(current) = timeline.stops.get(index) else {
            return this;
        };
        let Some(leg) = timeline.legs.get(current.leg as usize) else {
            return this;
        };
        this.kind = leg.kind;
        let first = leg.first as usize;
        for (i, stop) in timeline.stops.iter().enumerate().take(index + 1).skip(first) {
            if i == first {
                this.way.push(stop.at);
            }
            this.way.extend(&stop.path);
            this.lit.extend(stop.lit.iter().cloned());
            if let Some(shape) = &stop.shape {
                let mark = this.marks.entry(shape.clone()).or_default();
                mark.passed = Some(leg.kind);
                if let Some(flip) = rewritten(timeline, stop) {
                    mark.rewritten = Some(flip);
                }
                this.numbers.entry(shape.clone()).or_default().push(stop.number);
            }
        }
        this.way.dedup();
        let last = index + 1 == leg.end as usize;
        this.packet = Some(Packet {
            at: current.at,
            flag: leg.flag.clone(),
            protocol: leg.protocol.clone(),
            tunnels: timeline
                .packet(current)
                .iter()
                .map(|l| l.depth)
                .max()
                .unwrap_or(0),
            dropped: last && leg.end_state != "delivered" && leg.end_state != "refused",
        });
        this
    }

    /// Discs with the numbers of the stops, on the edges of the shapes passed.
    pub(crate) fn footprints(&self, out: &mut Markup, scene: &Scene) {
        for shape in scene
            .shapes
            .iter()
            .filter(|s| !matches!(s.kind, ShapeKind::Network | ShapeKind::Node))
        {
            let Some(numbers) = self.numbers.get(&shape.id) else {
                continue;
            };
            let text = match numbers.as_slice() {
                [] => continue,
                [first, .., last] if numbers.len() > 2 => format!("{first} to {last}"),
                some => some
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let wide = (width(&text, Face::Chip) + 8.0).max(18.0);
            let out_by = if shape.kind == ShapeKind::Interface && shape.w < 50.0 {
                8.0
            } else {
                0.0
            };
            let (x, y) = (
                shape.x - out_by,
                if shape.h > 44.0 {
                    shape.y
                } else {
                    shape.y + shape.h / 2.0
                },
            );
            let x = x.max(wide / 2.0 + 1.0);
            out.rect(
                &format!("disc {}", hue(self.kind)),
                (x - wide / 2.0, y - 9.0, wide, 18.0),
                9.0,
            );
            out.text(&format!("number {}", hue(self.kind)), x, y + 4.0, &text);
        }
    }

    /// The packet where it parks.
    pub(crate) fn packet(&self, out: &mut Markup) {
        let Some(packet) = &self.packet else { return };
        let Point { x, y } = packet.at;
        let w = (width(&packet.flag, Face::Chip) / 2.0 + 10.0).max(20.0);
        let boxes = packet.tunnels.min(3);
        for i in (1..=boxes).rev() {
            let by = 8.0 * f64::from(i);
            out.rect(
                "boxed",
                (x - w - by, y - 10.0 - by, 2.0 * (w + by), 2.0 * (10.0 + by)),
                7.0,
            );
        }
        let mut data = String::new();
        match self.kind {
            LegKind::Side => {
                let wide = w + 4.0;
                let _ = write!(
                    data,
                    "M{} {}l{wide} -15l{wide} 15l-{wide} 15z",
                    number(x - wide),
                    number(y),
                    wide = number(wide)
                );
            }
            kind => {
                let d = if kind == LegKind::Reply { -1.0 } else { 1.0 };
                let tail = x - d * w;
                let (near, far) = (x + d * (w - 8.0), x + d * (w + 1.0));
                let _ = write!(data, "M{} {}", number(tail), number(y - 10.0));
                let _ = write!(
                    data,
                    "H{}L{} {}L{} {}",
                    number(near),
                    number(far),
                    number(y),
                    number(near),
                    number(y + 10.0)
                );
                let _ = write!(data, "H{}", number(tail));
                match packet.protocol.as_str() {
                    "udp" => {
                        let sweep = if d > 0.0 { 1 } else { 0 };
                        let _ = write!(data, "A10 10 0 0 {sweep} {} {}", number(tail), number(y - 10.0));
                    }
                    "icmp" => {
                        let _ = write!(data, "L{} {}", number(tail + d * 7.0), number(y));
                    }
                    _ => {}
                }
                data.push('z');
            }
        }
        let class = if packet.dropped { "gone" } else { hue(self.kind) };
        out.path(&format!("packet {class}"), &data);
        out.text(&format!("flag {class}"), x, y + 4.0, &packet.flag);
        if packet.dropped {
            out.path(
                "bar",
                &format!("M{} {}v36", number(x + w + 12.0), number(y - 18.0)),
            );
        }
    }
}

/// The address that a stop rewrote: old, new, tag.
fn rewritten(timeline: &Timeline, stop: &Stop) -> Option<(String, String, String)> {
    let tag = stop.tags.iter().find(|t| t.kind == "nat")?;
    let mut layers = timeline.packet(stop);
    let inner = layers.iter().map(|l| l.depth).max()?;
    layers.retain(|l| l.depth == inner);
    let address: &LayerField = layers
        .iter()
        .filter(|l| l.name.starts_with("IP"))
        .flat_map(|l| &l.fields)
        .find(|f| matches!(f.name.as_str(), "src" | "dst") && f.before.is_some())?;
    let side = if address.name == "src" { "sport" } else { "dport" };
    let port = layers.iter().flat_map(|l| &l.fields).find(|f| f.name == side);
    let whole = |ip: &str, port: Option<&str>| match port {
        Some(port) if ip.contains(':') => format!("[{ip}]:{port}"),
        Some(port) => format!("{ip}:{port}"),
        None => ip.to_owned(),
    };
    let old_port = port.map(|p| p.before.as_deref().unwrap_or(&p.now));
    let before = whole(address.before.as_deref().unwrap_or_default(), old_port);
    Some((
        before,
        whole(&address.now, port.map(|p| p.now.as_str())),
        tag.text.clone(),
    ))
}
