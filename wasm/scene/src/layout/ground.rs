//! What lies below the nodes: their network, the router, the outside.

use super::draft::{Draft, Rect, at};
use super::shapes::{self, line};
use crate::input::{Input, NetworkInput};
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind};

/// From the nodes' lower edge to their network.
pub(crate) const DROP: f64 = 42.0;
const PILL: f64 = 40.0;
const ROUTER: f64 = 40.0;
/// Height of a network's double line.
pub(crate) const LINE: f64 = 6.0;

/// A network's line with its name below its right end.
pub(crate) fn network(draft: &mut Draft, network: &NetworkInput, x: f64, y: f64, wide: f64) -> Rect {
    let id = format!("network:{}", network.name);
    let rect = Rect::new(x, y - LINE / 2.0, wide, LINE);
    let mut shape = shapes::plain(id.clone(), ShapeKind::Network, rect, network.label.clone());
    let cidrs = network.cidrs.join(", ");
    shape.lines = network.cidrs.iter().map(|c| line("address", c.clone())).collect();
    shape.spoken = if cidrs.is_empty() {
        format!("Network {}", network.name)
    } else {
        format!("Network {}, {cidrs}", network.name)
    };
    draft.put(shape);
    let room = width(&network.label, Face::Chip) + width(&cidrs, Face::Mono) + 10.0;
    let room = room.ceil().min(wide - 8.0);
    let place = Rect::new(rect.right() - room - 4.0, rect.bottom() + 6.0, room, 14.0);
    let mut caption = shapes::plain(
        format!("caption:{id}"),
        ShapeKind::Caption,
        place,
        network.label.clone(),
    );
    if !cidrs.is_empty() {
        caption.lines.push(line("address", cidrs.clone()));
    }
    caption.spoken = format!("Network {}, {cidrs}", network.name);
    draft.put(caption);
    rect
}

/// Moves a network's name to where no cable to it from below passes.
pub(crate) fn clear_name(draft: &mut Draft, network: &str) {
    let (id, caption) = (format!("network:{network}"), format!("caption:network:{network}"));
    let feet: Vec<f64> = draft
        .edges
        .iter()
        .filter(|e| e.to == id)
        .filter_map(|e| match e.points.as_slice() {
            [.., a, b] if a.y > b.y => Some(b.x),
            _ => None,
        })
        .collect();
    let Some(line) = draft.shapes.iter().find(|s| s.id == id).map(Rect::of) else {
        return;
    };
    let Some(name) = draft.shapes.iter_mut().find(|s| s.id == caption) else {
        return;
    };
    let free = |x: f64| feet.iter().all(|f| *f < x - 4.0 || *f > x + name.w + 4.0);
    let right = line.right() - name.w - 4.0;
    let between = feet.iter().map(|f| f + 8.0).filter(|x| *x <= right);
    if let Some(x) = [right, line.x + 4.0]
        .into_iter()
        .chain(between)
        .find(|x| free(*x))
    {
        name.x = x.round();
    }
}

/// A cable from a card down (or up) to a network's line.
pub(crate) fn cable(draft: &mut Draft, from: &str, foot: Point, network: &str, line: Rect) {
    let y = if foot.y < line.y { line.y } else { line.bottom() };
    let id = format!("network:{network}");
    draft.wire(
        format!("cable:{from}"),
        EdgeKind::Cable,
        from,
        &id,
        vec![foot, at(foot.x, y)],
    );
}

/// The outside and the router that leads there, below a network's left end; gives the lowest edge.
/// `drop`: from the line down to them.
pub(crate) fn outside(draft: &mut Draft, input: &Input, x: f64, network: &str, line: Rect, drop: f64) -> f64 {
    let mut lowest = line.bottom();
    let pills: Vec<(String, f64)> = input
        .outside
        .iter()
        .map(|o| {
            (
                o.address.clone(),
                (width(&o.address, Face::Mono).max(width("outside", Face::Name)) + 52.0).ceil(),
            )
        })
        .collect();
    let y = line.bottom() + drop;
    let mut left = x;
    let router = input.router.as_ref();
    for (i, (address, wide)) in pills.iter().enumerate() {
        let rect = Rect::new(left, y, *wide, PILL);
        let id = format!("external:{address}");
        let mut pill = shapes::plain(id.clone(), ShapeKind::Outside, rect, "outside");
        pill.lines.push(shapes::line("address", address.clone()));
        pill.spoken = format!("A machine on the Internet, {address}");
        pill.source = Some(id.clone());
        pill.targets = vec![
            format!("http://{}/", shapes::bracketed(address)),
            format!("icmp:{address}"),
        ];
        draft.put(pill);
        lowest = lowest.max(rect.bottom());
        left = rect.right() + 28.0;
        match router {
            Some(_) if i > 0 => {}
            Some(_) => {}
            None => {
                let foot = at(rect.x + 24.0, rect.y);
                cable(draft, &id, foot, network, line);
            }
        }
    }
    if let Some(router) = router {
        let id = format!("router:{}", router.name);
        let rect = Rect::new(left, y, ROUTER, ROUTER);
        let mut shape = shapes::plain(id.clone(), ShapeKind::Router, rect, router.name.clone());
        shape.lines.push(shapes::line("address", router.address.clone()));
        shape.spoken = format!(
            "Router {} between {network} and the Internet, {}",
            router.name, router.address
        );
        draft.put(shape);
        lowest = lowest.max(rect.bottom());
        cable(draft, &id, at(rect.mid_x(), rect.y), network, line);
        let name = format!("{} ", router.name);
        let room = (width(&name, Face::Chip) + width(&router.address, Face::Mono) + 8.0).ceil();
        let place = Rect::new(rect.right() + 8.0, rect.mid_y() - 7.0, room, 14.0);
        let mut caption = shapes::plain(
            format!("caption:{id}"),
            ShapeKind::Caption,
            place,
            router.name.clone(),
        );
        caption
            .lines
            .push(shapes::line("address", router.address.clone()));
        caption.spoken = format!("Router {}, {}", router.name, router.address);
        draft.put(caption);
        // Each machine outside is reached through the router: by the nearest pill's edge.
        let pills: Vec<(String, Rect)> = draft
            .shapes
            .iter()
            .filter(|s| s.kind == ShapeKind::Outside)
            .map(|s| (s.id.clone(), Rect::of(s)))
            .collect();
        let n = pills.len();
        for (i, (pill, place)) in pills.into_iter().enumerate() {
            let points = if i + 1 == n {
                vec![at(place.right(), place.mid_y()), at(rect.x, rect.mid_y())]
            } else {
                // Below the pills between.
                let below = place.bottom() + 6.0 + 5.0 * i as f64;
                lowest = lowest.max(below);
                vec![
                    at(place.mid_x(), place.bottom()),
                    at(place.mid_x(), below),
                    at(rect.mid_x(), below),
                    at(rect.mid_x(), rect.bottom()),
                ]
            };
            draft.wire(format!("cable:{pill}"), EdgeKind::Cable, &pill, &id, points);
        }
    }
    lowest
}
