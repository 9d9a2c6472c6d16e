//! The drawing on a phone: the path only, node strips below each other with the network between them; without a path,
//! a list of nodes and Services.

use super::choose::{self, Pods};
use super::draft::{Draft, Rect, at, between};
use super::ground;
use super::keep::{Keep, Way};
use super::pods::{Cell, by_workload, stack};
use super::services::{plaque, sorted};
use super::shapes::{self, PodDetail};
use super::{Options, hosts, stacked};
use crate::input::{DeviceInput, Input, NodeInput, PodInput};
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind};
use hoplab_trace::HookName;

const EDGE: f64 = 8.0;
const PAD: f64 = 8.0;
const GAP: f64 = 12.0;
const HEAD: f64 = 30.0;
const CARD: (f64, f64) = (50.0, 22.0);
const TALL: f64 = 46.0;
/// A hook that shows the old and the new address.
const CHIP: f64 = 52.0;

/// Lays out.
pub(crate) fn draw(input: &Input, pods: &Pods<'_>, options: &Options, keep: &Keep) -> Draft {
    if keep.is_empty() {
        return overview(input, options, pods);
    }
    let chosen = choose::nodes(input, pods, keep, options.density);
    // A strip has one pod at its end and one way to the wire; what is more tangled needs the larger drawing.
    let plain = chosen.opened.len() <= 2
        && !chosen.opened.is_empty()
        && !path_hosts(input, keep)
        && chosen.opened.iter().all(|n| {
            ends(pods.on(&n.name), keep).len() <= 1 && !(keep.direct(&n.name) && n.tunnel.is_some())
        });
    if plain {
        return strips(input, options, keep, pods, &chosen.opened);
    }
    stacked::draw(&path_only(input, keep, &chosen.opened), options, keep)
}

/// Pods at which the path itself begins or ends; those of side trips only where there is no other.
fn ends<'a>(pods: &[&'a PodInput], keep: &Keep) -> Vec<&'a PodInput> {
    let on_path: Vec<&PodInput> = pods
        .iter()
        .copied()
        .filter(|p| keep.has(&format!("if:{}/eth0", p.id())))
        .collect();
    if on_path.is_empty() {
        pods.iter()
            .copied()
            .filter(|p| keep.has(&p.id()))
            .take(1)
            .collect()
    } else {
        on_path
    }
}

/// Whether a declared machine is on the path.
fn path_hosts(input: &Input, keep: &Keep) -> bool {
    input.hosts.iter().any(|h| on_path(&h.name, keep))
}

fn on_path(host: &str, keep: &Keep) -> bool {
    let id = format!("host:{host}");
    keep.has(&id) || keep.below(&format!("{id}/")) || keep.below(&format!("if:{id}/"))
}

/// The world without what is off the path.
fn path_only(input: &Input, keep: &Keep, opened: &[&NodeInput]) -> Input {
    let named = |n: &NodeInput| keep.node(&n.name).is_some();
    let any = opened.iter().any(|n| named(n));
    let mut path = input.clone();
    path.nodes.retain(|n| {
        if any {
            named(n)
        } else {
            opened.iter().any(|o| o.name == n.name)
        }
    });
    for node in &mut path.nodes {
        node.proxy = false;
    }
    path.services.clear();
    if path_hosts(input, keep) || !path.nodes.is_empty() {
        path.hosts.retain(|h| on_path(&h.name, keep));
    }
    path.pods.retain(|p| {
        p.node
            .as_ref()
            .is_some_and(|n| path.nodes.iter().any(|k| k.name == *n))
    });
    path.outside
        .retain(|o| keep.has(&format!("external:{}", o.address)));
    if path.outside.is_empty() {
        path.router = None;
    }
    path
}

/// One box of a strip.
struct Item<'a> {
    id: String,
    w: f64,
    h: f64,
    what: Thing<'a>,
}

enum Thing<'a> {
    Pod(&'a PodInput),
    Hook(HookName),
    Device(&'a DeviceInput, ShapeKind),
}

/// A node's boxes in the order from the pod to the wire.
fn items<'a>(node: &'a NodeInput, pods: &[&'a PodInput], keep: &Keep) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for pod in ends(pods, keep) {
        let w = (width(&pod.label(), Face::Name)
            .max(width(pod.address.as_deref().unwrap_or(""), Face::Mono))
            + 18.0)
            .ceil();
        items.push(Item {
            id: pod.id(),
            w: between(w, 78.0, 190.0),
            h: TALL,
            what: Thing::Pod(pod),
        });
    }
    let hook = |items: &mut Vec<Item<'a>>, hook: HookName, w: f64, h: f64| {
        items.push(Item {
            id: format!("hook:node:{}/{hook}", node.name),
            w,
            h,
            what: Thing::Hook(hook),
        });
    };
    let device = |items: &mut Vec<Item<'a>>, device: &'a DeviceInput, kind, h| {
        let w = (width(&device.name, Face::Mono) + 22.0).ceil().max(44.0);
        items.push(Item {
            id: format!("if:node:{}/{}", node.name, device.name),
            w,
            h,
            what: Thing::Device(device, kind),
        });
    };
    let way = |h| keep.hook(&node.name, h);
    if way(HookName::Prerouting) == Some(Way::Down) {
        hook(&mut items, HookName::Prerouting, 130.0, CHIP);
    }
    if let Some(bridge) = &node.bridge {
        device(&mut items, bridge, ShapeKind::Bridge, 28.0);
    }
    if way(HookName::Postrouting) == Some(Way::Up) {
        hook(&mut items, HookName::Postrouting, 130.0, CHIP);
    }
    if way(HookName::Forward).is_some() {
        hook(&mut items, HookName::Forward, 84.0, 24.0);
    }
    if way(HookName::Output).is_some() {
        hook(&mut items, HookName::Output, 130.0, CHIP);
    }
    if way(HookName::Postrouting) == Some(Way::Down) {
        hook(&mut items, HookName::Postrouting, 130.0, CHIP);
    }
    if let Some(tunnel) = &node.tunnel {
        device(&mut items, tunnel, ShapeKind::Tunnel, 30.0);
    }
    if way(HookName::Input).is_some() {
        hook(&mut items, HookName::Input, 130.0, CHIP);
    }
    if way(HookName::Prerouting) == Some(Way::Up) {
        hook(&mut items, HookName::Prerouting, 130.0, CHIP);
    }
    items
}

fn strips(input: &Input, options: &Options, keep: &Keep, pods: &Pods<'_>, nodes: &[&NodeInput]) -> Draft {
    let mut draft = Draft {
        width: options.width.max(320.0),
        ..Draft::default()
    };
    let wide = draft.width - 2.0 * EDGE;
    let card_x = (draft.width * 0.62).round();
    let mut y = EDGE;
    let mut feet: Vec<(String, Point)> = Vec::new();
    let mut line: Option<(String, Rect)> = None;
    for (i, node) in nodes.iter().enumerate() {
        let below = i > 0;
        if below {
            y += CARD.1 / 2.0;
        }
        let (bottom, foot) = strip(
            &mut draft,
            node,
            pods.on(&node.name),
            keep,
            Rect::new(EDGE, y, wide, 0.0),
            card_x,
            below,
        );
        feet.push((format!("if:node:{}/{}", node.name, node.uplink.name), foot));
        y = bottom;
        if i == 0
            && let Some(network) = input.networks.first()
        {
            y += CARD.1 / 2.0 + 24.0;
            let rect = ground::network(&mut draft, network, EDGE, y, wide);
            line = Some((network.name.clone(), rect));
            let far = keep.place(&format!(
                "router:{}",
                input.router.as_ref().map_or("", |r| r.name.as_str())
            ));
            let outside = input
                .outside
                .iter()
                .any(|o| keep.has(&format!("external:{}", o.address)));
            y = rect.bottom() + 26.0;
            // Its name stands at the left, clear of the next node's cable.
            if let Some(name) = draft
                .shapes
                .iter_mut()
                .find(|s| s.id == format!("caption:network:{}", network.name))
            {
                name.x = EDGE + 4.0;
            }
            if far.is_some() || outside {
                y = ground::outside(&mut draft, input, EDGE + 2.0, &network.name, rect, 18.0) + 14.0;
                // Its name is in the tree; here the cable of the next node needs the room.
                draft.shapes.retain(|s| s.kind != ShapeKind::Caption);
            }
        }
    }
    if let Some((network, rect)) = line {
        for (card, foot) in &feet {
            ground::cable(&mut draft, card, *foot, &network, rect);
        }
    }
    draft.height = y + EDGE;
    for (node, pod) in nodes
        .iter()
        .flat_map(|n| pods.on(&n.name).iter().map(move |p| (n, p)))
    {
        draft
            .drawn
            .entry(pod.id())
            .or_insert_with(|| format!("node:{}", node.name));
    }
    draft
}

/// Draws one node; gives its lower edge and the point where its cable leaves.
fn strip(
    draft: &mut Draft,
    node: &NodeInput,
    pods: &[&PodInput],
    keep: &Keep,
    place: Rect,
    card_x: f64,
    below: bool,
) -> (f64, Point) {
    let items = items(node, pods, keep);
    let inner = place.w - 2.0 * PAD;
    let mut rows: Vec<Vec<Item<'_>>> = Vec::new();
    for item in items {
        let used = |row: &Vec<Item<'_>>| row.iter().map(|i| i.w + GAP).sum::<f64>();
        match rows.last_mut() {
            Some(row) if used(row) + item.w <= inner => row.push(item),
            _ => rows.push(vec![item]),
        }
    }
    let mut y = place.y + HEAD + if below { 8.0 } else { 0.0 };
    let top = place.y;
    let id = format!("node:{}", node.name);
    let mut drawn: Vec<(String, Rect)> = Vec::new();
    let ground = draft.shapes.len();
    draft.put(shapes::node(
        node,
        Rect::new(place.x, top, place.w, HEAD),
        pods.len(),
    ));
    for (r, row) in rows.iter().enumerate() {
        let high = row.iter().map(|i| i.h).fold(0.0, f64::max);
        let used: f64 = row.iter().map(|i| i.w).sum();
        let spare = ((inner - used) / (row.len().max(2) - 1) as f64).min(40.0);
        let back = r % 2 == 1;
        let mut x = if back {
            place.x + PAD + inner
        } else {
            place.x + PAD
        };
        for item in row {
            if back {
                x -= item.w;
            }
            let rect = Rect::new(x, y + (high - item.h) / 2.0, item.w, item.h);
            x += if back { -spare } else { item.w + spare };
            put(draft, node, item, rect, &id, keep);
            if let Some((before, last)) = drawn.last().cloned() {
                join(draft, &before, last, &item.id, rect, y - 8.0);
            }
            drawn.push((item.id.clone(), rect));
        }
        y += high + if r + 1 == rows.len() { 0.0 } else { 16.0 };
    }
    let bottom = if below { y + 10.0 } else { y + 16.0 + CARD.1 / 2.0 };
    draft.shapes[ground].h = bottom - top;
    let edge = if below { top } else { bottom };
    let card = Rect::new(card_x - CARD.0 / 2.0, edge - CARD.1 / 2.0, CARD.0, CARD.1);
    let mut shape = shapes::device(&node.name, &node.uplink, ShapeKind::Interface, card);
    shape.lines.clear();
    let uplink = shape.id.clone();
    draft.put(shape);
    if let Some((last, rect)) = drawn.last() {
        let points = if below {
            // Between the head's text and the boxes.
            let turn = top + HEAD - 1.0;
            vec![
                at(rect.mid_x(), rect.y),
                at(rect.mid_x(), turn),
                at(card.mid_x(), turn),
                at(card.mid_x(), card.bottom()),
            ]
        } else {
            let turn = y + 8.0;
            vec![
                at(rect.mid_x(), rect.bottom()),
                at(rect.mid_x(), turn),
                at(card.mid_x(), turn),
                at(card.mid_x(), card.y),
            ]
        };
        let row_of_one = rows.len() == 1 || !below;
        if row_of_one {
            draft.wire(
                format!("inside:{uplink}"),
                EdgeKind::Inside,
                last,
                &uplink,
                points,
            );
        } else {
            // Past the upper rows, along the edge.
            let side = if rows.len().is_multiple_of(2) {
                place.x + 3.0
            } else {
                place.right() - 3.0
            };
            let from = if rows.len().is_multiple_of(2) {
                rect.x
            } else {
                rect.right()
            };
            let turn = top + HEAD - 1.0;
            let points = vec![
                at(from, rect.mid_y().round()),
                at(side, rect.mid_y().round()),
                at(side, turn),
                at(card.mid_x(), turn),
                at(card.mid_x(), card.bottom()),
            ];
            draft.wire(
                format!("inside:{uplink}"),
                EdgeKind::Inside,
                last,
                &uplink,
                points,
            );
        }
    }
    (
        bottom,
        at(card.mid_x(), if below { card.y } else { card.bottom() }),
    )
}

fn put(draft: &mut Draft, node: &NodeInput, item: &Item<'_>, rect: Rect, parent: &str, keep: &Keep) {
    match &item.what {
        Thing::Pod(pod) => {
            draft.put(shapes::pod(pod, rect, parent, PodDetail::Address));
            draft.fold(format!("if:{}/eth0", pod.id()), &pod.id());
        }
        Thing::Hook(hook) => {
            let mut shape = shapes::plain(item.id.clone(), ShapeKind::Hook, rect, hook.to_string());
            shape.parent = Some(parent.to_owned());
            let idle = if keep.hook(&node.name, *hook).is_some() {
                ""
            } else {
                ", not on the path"
            };
            shape.spoken = format!("Netfilter hook {hook} of {}{idle}", node.name);
            draft.put(shape);
        }
        Thing::Device(device, kind) => {
            let mut shape = shapes::device(&node.name, device, *kind, rect);
            shape.lines.clear();
            draft.put(shape);
        }
    }
}

/// A wire between neighbours: level within a row, round the end of it into the next, which it enters at `turn`.
fn join(draft: &mut Draft, from: &str, a: Rect, to: &str, b: Rect, turn: f64) {
    let points = if b.y < a.bottom() && a.y < b.bottom() {
        let y = a.mid_y().round();
        if b.x > a.x {
            vec![at(a.right(), y), at(b.x, y)]
        } else {
            vec![at(a.x, y), at(b.right(), y)]
        }
    } else {
        let x = between(b.mid_x(), b.x + 6.0, b.right() - 6.0);
        vec![
            at(a.mid_x(), a.bottom()),
            at(a.mid_x(), turn),
            at(x, turn),
            at(x, b.y),
        ]
    };
    let kind = if from.starts_with("pod:") {
        EdgeKind::Veth
    } else {
        EdgeKind::Inside
    };
    draft.wire(format!("inside:{to}"), kind, from, to, points);
}

/// Nodes with their pods folded, then Services: a list to choose from.
fn overview(input: &Input, options: &Options, pods: &Pods<'_>) -> Draft {
    let mut draft = Draft {
        width: options.width.max(320.0),
        ..Draft::default()
    };
    let wide = draft.width - 2.0 * EDGE;
    let mut y = EDGE;
    let asleep = choose::asleep(input, &Keep::default());
    let nodes: &[NodeInput] = if asleep { &[] } else { &input.nodes };
    for node in nodes.iter().take(12) {
        let on = pods.on(&node.name);
        let cells = by_workload(&node.name, on.to_vec(), 8);
        let boxes: Vec<(f64, &Cell<'_>)> = cells
            .iter()
            .map(|c| {
                let label = match c {
                    Cell::Pod(pod, _) => pod.label(),
                    Cell::Stack(_, label, _) => label.clone(),
                };
                ((width(&label, Face::Name) + 20.0).ceil().min(wide - 2.0 * PAD), c)
            })
            .collect();
        let ground = draft.shapes.len();
        draft.put(shapes::node(node, Rect::new(EDGE, y, wide, HEAD), on.len()));
        let id = format!("node:{}", node.name);
        let (mut x, mut row) = (EDGE + PAD, y + HEAD + 2.0);
        for (w, cell) in &boxes {
            if x + w > EDGE + wide - PAD && x > EDGE + PAD {
                x = EDGE + PAD;
                row += 30.0;
            }
            let rect = Rect::new(x, row, *w, 26.0);
            x += w + 6.0;
            match cell {
                Cell::Pod(pod, _) => draft.put(shapes::pod(pod, rect, &id, PodDetail::Name)),
                Cell::Stack(stack_id, label, pods) => {
                    draft.put(stack(stack_id, label, pods, rect, &node.name, &[]));
                    for pod in pods {
                        draft.fold(pod.id(), stack_id);
                    }
                }
            }
        }
        let bottom = if boxes.is_empty() {
            y + HEAD
        } else {
            row + 26.0 + PAD
        };
        draft.shapes[ground].h = bottom - y;
        y = bottom + 8.0;
    }
    if let Some(rest) = nodes.get(12..).filter(|rest| !rest.is_empty()) {
        let rect = Rect::new(EDGE, y, wide, HEAD);
        let mut shape = shapes::plain(
            "nodes:more",
            ShapeKind::Node,
            rect,
            format!("{} more nodes", rest.len()),
        );
        shape.spoken = format!("{} more nodes", rest.len());
        draft.put(shape);
        for node in rest {
            draft.fold(format!("node:{}", node.name), "nodes:more");
        }
        y += HEAD + 8.0;
    }
    if asleep {
        draft.height = 0.0;
    } else {
        services(&mut draft, input, y, wide);
    }
    if !input.hosts.is_empty() {
        let room = hosts::Room {
            top: draft.height + EDGE,
            width: draft.width,
            least: wide,
            known: None,
        };
        let (right, low) = hosts::draw(&mut draft, input, &room);
        draft.width = draft.width.max(right + EDGE);
        draft.height = low;
    }
    draft
}

fn services(draft: &mut Draft, input: &Input, mut y: f64, wide: f64) {
    let all = sorted(input.services.iter());
    if !all.is_empty() {
        let mut caption = shapes::plain(
            "caption:services",
            ShapeKind::Caption,
            Rect::new(EDGE + 2.0, y, wide, 14.0),
            "Services",
        );
        caption.lines.push(shapes::line("note", "are rules only"));
        caption.spoken = "Services are rules only: no machine has their addresses".to_owned();
        draft.put(caption);
        y += 20.0;
    }
    let half = ((wide - 8.0) / 2.0).floor();
    let shown = if all.len() > 20 { 19 } else { all.len() };
    for (i, service) in all.iter().take(shown).enumerate() {
        let rect = Rect::new(
            EDGE + (i % 2) as f64 * (half + 8.0),
            y + (i / 2) as f64 * 54.0,
            half,
            46.0,
        );
        let lines = vec![shapes::line("address", shapes::service_address(service))];
        draft.put(plaque(service, rect, lines));
    }
    if all.len() > shown {
        let rect = Rect::new(
            EDGE + (shown % 2) as f64 * (half + 8.0),
            y + (shown / 2) as f64 * 54.0,
            half,
            46.0,
        );
        let mut shape = shapes::plain(
            "services:more",
            ShapeKind::Service,
            rect,
            format!("{} more Services", all.len() - shown),
        );
        shape.spoken = format!("{} more Services", all.len() - shown);
        draft.put(shape);
        for service in &all[shown..] {
            draft.fold(service.id(), "services:more");
        }
    }
    let rows = all.len().min(20).div_ceil(2);
    draft.height = y + rows as f64 * 54.0 + if rows > 0 { 2.0 } else { 0.0 };
}
