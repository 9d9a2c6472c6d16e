//! A declared machine: a plain box with its cards, or, where it has namespaces or bridges, a ground that holds them.

use super::draft::{Draft, Rect, at};
use super::shapes::{self, line};
use crate::input::{HostInput, HostInterfaceInput, HostNamespaceInput, PortInput};
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind, ShapeLine};
use hoplab_source::order;

pub(crate) const CARD: f64 = 22.0;
const PAD: f64 = 10.0;
const HEAD: f64 = 34.0;
const GAP: f64 = 10.0;
/// Namespaces.
const SPACE: f64 = 62.0;
/// From the namespaces down to bridges.
const WIRES: f64 = 42.0;
const BAR: f64 = 26.0;
/// What forwards between devices.
const HUB: (f64, f64) = (104.0, 24.0);

/// One machine, measured.
pub(crate) struct Machine<'a> {
    pub(crate) host: &'a HostInput,
    pub(crate) w: f64,
    pub(crate) h: f64,
    /// Namespaces in the order of their bridges, with their widths; empty for a plain box.
    spaces: Vec<(&'a HostNamespaceInput, f64)>,
    inner: bool,
}

/// A card on the edge of a machine: its id, the network that it is plugged into, where its cable starts.
pub(crate) struct Foot {
    pub(crate) card: String,
    pub(crate) network: String,
    pub(crate) at: Point,
}

fn card_width(name: &str) -> f64 {
    (width(name, Face::Mono) + 16.0).ceil().max(44.0)
}

fn ports(listens: &[PortInput]) -> Option<ShapeLine> {
    let all: Vec<String> = listens.iter().take(3).map(|p| p.port.to_string()).collect();
    (!all.is_empty()).then(|| line("listen", all.join(", ")))
}

fn text_width(lines: &[ShapeLine]) -> f64 {
    lines
        .iter()
        .map(|l| width(&l.text, Face::Mono) + if l.kind == "listen" { 14.0 } else { 0.0 })
        .fold(0.0, f64::max)
}

impl<'a> Machine<'a> {
    pub(crate) fn measure(host: &'a HostInput) -> Self {
        let cards: Vec<f64> = host.cards().map(|i| card_width(&i.name) + 8.0).collect();
        let inner = !host.namespaces.is_empty() || host.interfaces.iter().any(|i| i.bridge);
        let cards: f64 = cards.iter().sum();
        if !inner {
            let lines = plain_lines(host);
            let wide = text_width(&lines).max(width(&host.name, Face::Title)) + 60.0;
            let wide = if host.cards().count() > 1 {
                wide + 40.0
            } else {
                wide
            };
            return Self {
                host,
                w: wide.max(cards + 48.0).max(110.0).ceil(),
                h: 34.0 + 15.0 * lines.len().max(1) as f64 + 12.0,
                spaces: Vec::new(),
                inner,
            };
        }
        let mut spaces: Vec<(&HostNamespaceInput, f64)> = host
            .namespaces
            .iter()
            .map(|space| {
                let wide = text_width(&space_lines(host, space))
                    .max(width(&space.name, Face::Name))
                    .max(
                        host.within(&space.name)
                            .map(|i| {
                                let near = host.peer(i).map_or(0.0, |p| card_width(&p.name));
                                card_width(&i.name).max(near) + 6.0
                            })
                            .sum(),
                    );
                (space, (wide + 22.0).ceil().max(90.0))
            })
            .collect();
        // Those of one bridge stand beside each other.
        order::sort_by_key(&mut spaces, |(space, _)| {
            host.within(&space.name)
                .find_map(|i| host.bridge_of(i))
                .unwrap_or(usize::MAX)
        });
        // A bridge may be wider than its ports.
        for bridge in host.interfaces.iter().filter(|i| i.bridge) {
            let index = host.index(&bridge.name);
            let on = |space: &HostNamespaceInput| {
                host.within(&space.name).find_map(|i| host.bridge_of(i)) == index
            };
            let all: f64 = spaces.iter().filter(|(s, _)| on(s)).map(|(_, w)| w + GAP).sum();
            if let Some((_, last)) = spaces.iter_mut().rev().find(|(s, _)| on(s)) {
                *last += (bar_width(bridge) + GAP - all).max(0.0).ceil();
            }
        }
        let row: f64 = spaces.iter().map(|(_, w)| w + GAP).sum::<f64>() - GAP;
        let lonely = host
            .interfaces
            .iter()
            .filter(|i| i.bridge && host.ports(i).next().is_none());
        let row = row.max(0.0) + lonely.map(|i| bar_width(i) + GAP).sum::<f64>();
        let least = (width(&host.name, Face::Title) + 60.0).max(cards + HUB.0 + 60.0);
        let above = if host.namespaces.is_empty() {
            0.0
        } else {
            SPACE + WIRES
        };
        Self {
            host,
            w: (row + 2.0 * PAD + 6.0).max(least).ceil(),
            h: HEAD + above + BAR + 24.0 + HUB.1 + 22.0 + CARD / 2.0,
            spaces,
            inner,
        }
    }

    /// Draws it; cards plugged into `up` stand on the upper edge, the others on the lower one.
    pub(crate) fn draw(&self, draft: &mut Draft, x: f64, y: f64, up: Option<&str>) -> Vec<Foot> {
        let host = self.host;
        let rect = Rect::new(x, y, self.w, self.h);
        let id = format!("host:{}", host.name);
        let kind = if self.inner {
            ShapeKind::Node
        } else {
            ShapeKind::Host
        };
        let mut shape = shapes::plain(id.clone(), kind, rect, host.name.clone());
        if !self.inner {
            shape.lines = plain_lines(host);
        }
        shape.spoken = spoken(host);
        shape.source = Some(id.clone());
        shape.targets = targets(host.address(None), &host.listens);
        draft.put(shape);
        let hub = self.inner.then(|| self.inside(draft, rect, &id));
        let mut feet = Vec::new();
        // Clear of a plain box's round corner.
        let last = rect.right() - if self.inner { PAD } else { 24.0 };
        let (mut below, mut above) = (last, last);
        for interface in host.cards() {
            let network = interface.network.clone().unwrap_or_default();
            let upper = up == Some(network.as_str());
            let right = if upper { &mut above } else { &mut below };
            let wide = card_width(&interface.name);
            let edge = if upper { rect.y } else { rect.bottom() };
            let card = Rect::new(*right - wide, edge - CARD / 2.0, wide, CARD);
            *right -= wide + 8.0;
            let card_id = self.card(draft, interface, card, &id);
            let at_y = if upper { card.y } else { card.bottom() };
            feet.push(Foot {
                card: card_id.clone(),
                network,
                at: at(card.mid_x(), at_y),
            });
            match &hub {
                // Along the machine's own edge.
                None => draft.wire(
                    format!("inside:{card_id}"),
                    EdgeKind::Inside,
                    &id,
                    &card_id,
                    vec![at(card.x - 4.0, edge), at(card.x, edge)],
                ),
                Some((hub, place)) => {
                    let level = place.mid_y().round();
                    let side = rect.right() - 4.0;
                    let points = if upper {
                        vec![
                            at(place.right(), level),
                            at(side, level),
                            at(side, card.bottom() + 3.0),
                            at(card.mid_x(), card.bottom() + 3.0),
                            at(card.mid_x(), card.bottom()),
                        ]
                    } else {
                        vec![
                            at(place.right(), level),
                            at(card.mid_x(), level),
                            at(card.mid_x(), card.y),
                        ]
                    };
                    draft.wire(
                        format!("inside:{card_id}"),
                        EdgeKind::Inside,
                        hub,
                        &card_id,
                        points,
                    );
                }
            }
        }
        feet
    }

    /// Namespaces above, bridges below them, and what forwards between these and the cards; gives that.
    fn inside(&self, draft: &mut Draft, ground: Rect, id: &str) -> (String, Rect) {
        let host = self.host;
        let mut x = ground.x + PAD;
        let top = ground.y + HEAD;
        let mut ends: Vec<(&HostInterfaceInput, Rect)> = Vec::new();
        for (space, wide) in &self.spaces {
            let rect = Rect::new(x, top, *wide, SPACE);
            x = rect.right() + GAP;
            self.space(draft, space, rect, id, &mut ends);
        }
        let level = if self.spaces.is_empty() {
            top
        } else {
            top + SPACE + WIRES
        };
        // Bridges under their ports, and the near ends of other veths under their far ones.
        let mut devices: Vec<(String, Rect)> = Vec::new();
        for bridge in host.interfaces.iter().filter(|i| i.bridge) {
            let under: Vec<Rect> = ends
                .iter()
                .filter(|(i, _)| host.bridge_of(i) == host.index(&bridge.name))
                .map(|(_, r)| *r)
                .collect();
            let least = bar_width(bridge);
            let left = under.iter().map(|r| r.x).fold(f64::INFINITY, f64::min);
            let right = under.iter().map(|r| r.right()).fold(0.0, f64::max);
            let rect = if under.is_empty() {
                let rect = Rect::new(x, level, least, BAR);
                x = rect.right() + GAP;
                rect
            } else {
                let left = left - 8.0;
                Rect::new(left, level, (right + 8.0 - left).max(least), BAR)
            };
            let bar = format!("if:{id}/{}", bridge.name);
            let mut shape = shapes::plain(bar.clone(), ShapeKind::Bridge, rect, bridge.name.clone());
            shape.parent = Some(id.to_owned());
            shape
                .lines
                .extend(bridge.address.as_ref().map(|a| line("address", a.clone())));
            shape.spoken = format!("Bridge {} of {}", bridge.name, host.name);
            draft.put(shape);
            for (end, card) in ends
                .iter()
                .filter(|(i, _)| host.bridge_of(i) == host.index(&bridge.name))
            {
                let points = vec![at(card.mid_x(), card.bottom()), at(card.mid_x(), rect.y)];
                draft.wire(
                    format!("veth:{}", host.interface_id(end)),
                    EdgeKind::Veth,
                    &host.interface_id(end),
                    &bar,
                    points,
                );
            }
            devices.push((bar, rect));
        }
        for (end, card) in &ends {
            let Some(near) = host
                .peer(end)
                .filter(|p| p.namespace.is_none() && p.master.is_none())
            else {
                continue;
            };
            let wide = card_width(&near.name);
            let rect = Rect::new(
                (card.mid_x() - wide / 2.0).max(card.x - 8.0),
                level + 2.0,
                wide,
                CARD,
            );
            let near_id = self.card(draft, near, rect, id);
            draft.wire(
                format!("veth:{}", host.interface_id(end)),
                EdgeKind::Veth,
                &host.interface_id(end),
                &near_id,
                vec![at(card.mid_x(), card.bottom()), at(card.mid_x(), rect.y)],
            );
            devices.push((near_id, rect));
        }
        self.between_spaces(draft, &ends);
        let hub = Rect::new(ground.x + PAD, level + BAR + 24.0, HUB.0, HUB.1);
        let hub_id = format!("hook:{id}/FORWARD");
        let mut shape = shapes::plain(hub_id.clone(), ShapeKind::Hook, hub, "FORWARD");
        shape.parent = Some(id.to_owned());
        shape.spoken = if host.router {
            format!("{} forwards between its devices", host.name)
        } else {
            format!("{} does not forward between its devices", host.name)
        };
        draft.put(shape);
        let n = devices.len().max(1) as f64;
        for (k, (device, rect)) in devices.iter().enumerate() {
            let to = (hub.x + hub.w * (k as f64 + 1.0) / (n + 1.0)).round();
            let turn = rect.bottom() + 6.0 + 4.0 * (k % 4) as f64;
            let from = if to > rect.x + 4.0 && to < rect.right() - 4.0 {
                to
            } else {
                rect.mid_x().round()
            };
            draft.wire(
                format!("inside:{device}"),
                EdgeKind::Inside,
                device,
                &hub_id,
                vec![
                    at(from, rect.bottom()),
                    at(from, turn),
                    at(to, turn),
                    at(to, hub.y),
                ],
            );
        }
        (hub_id, hub)
    }

    fn space<'s>(
        &'s self,
        draft: &mut Draft,
        space: &'s HostNamespaceInput,
        rect: Rect,
        id: &str,
        ends: &mut Vec<(&'s HostInterfaceInput, Rect)>,
    ) {
        let host = self.host;
        let place = format!("{id}/{}", space.name);
        let mut shape = shapes::plain(place.clone(), ShapeKind::Pod, rect, space.name.clone());
        shape.parent = Some(id.to_owned());
        shape.lines = space_lines(host, space);
        shape.spoken = format!("Network namespace {} on {}", space.name, host.name);
        shape.source = Some(place.clone());
        shape.targets = targets(host.address(Some(&space.name)), &space.listens);
        draft.put(shape);
        let mut x = rect.x + 8.0;
        for interface in host.within(&space.name) {
            let wide = card_width(&interface.name);
            let card = Rect::new(x, rect.bottom() - 8.0, wide, 17.0);
            x = card.right() + 6.0;
            let card_id = self.card(draft, interface, card, &place);
            draft.wire(
                format!("inside:{card_id}"),
                EdgeKind::Inside,
                &place,
                &card_id,
                vec![at(card.x - 4.0, rect.bottom()), at(card.x, rect.bottom())],
            );
            ends.push((interface, card));
        }
    }

    /// Veths with both ends in namespaces.
    fn between_spaces(&self, draft: &mut Draft, ends: &[(&HostInterfaceInput, Rect)]) {
        let mut level = 8.0;
        for (i, (end, card)) in ends.iter().enumerate() {
            let far = self.host.peer(end);
            let Some((other, place)) = ends[i + 1..].iter().find(|(o, _)| Some(*o) == far) else {
                continue;
            };
            let turn = card.bottom() + level;
            level += 6.0;
            draft.wire(
                format!("veth:{}", self.host.interface_id(end)),
                EdgeKind::Veth,
                &self.host.interface_id(end),
                &self.host.interface_id(other),
                vec![
                    at(card.mid_x(), card.bottom()),
                    at(card.mid_x(), turn),
                    at(place.mid_x(), turn),
                    at(place.mid_x(), place.bottom()),
                ],
            );
        }
    }

    fn card(&self, draft: &mut Draft, interface: &HostInterfaceInput, rect: Rect, parent: &str) -> String {
        let id = self.host.interface_id(interface);
        let mut shape = shapes::plain(id.clone(), ShapeKind::Interface, rect, interface.name.clone());
        shape.parent = Some(parent.to_owned());
        let address = interface
            .address
            .as_ref()
            .map(|a| format!(", {a}"))
            .unwrap_or_default();
        let network = interface
            .network
            .as_ref()
            .map(|n| format!(", on network {n}"))
            .unwrap_or_default();
        shape.spoken = format!(
            "Interface {} of {}{address}{network}",
            interface.name, self.host.name
        );
        draft.put(shape);
        id
    }
}

fn bar_width(bridge: &HostInterfaceInput) -> f64 {
    let address = bridge.address.as_deref().unwrap_or("");
    (width(&bridge.name, Face::Mono) + width(address, Face::Mono) + 30.0).ceil()
}

fn plain_lines(host: &HostInput) -> Vec<ShapeLine> {
    let mut lines: Vec<ShapeLine> = host
        .interfaces
        .iter()
        .filter_map(|i| Some(line("address", format!("{} {}", i.name, i.address.as_ref()?))))
        .take(3)
        .collect();
    if lines.is_empty() {
        lines.push(line("note", "no address"));
    }
    lines.extend(ports(&host.listens));
    lines
}

fn space_lines(host: &HostInput, space: &HostNamespaceInput) -> Vec<ShapeLine> {
    let mut lines: Vec<ShapeLine> = host
        .within(&space.name)
        .filter_map(|i| Some(line("address", i.address.clone()?)))
        .take(1)
        .collect();
    lines.extend(ports(&space.listens));
    lines
}

fn targets(address: Option<&str>, listens: &[PortInput]) -> Vec<String> {
    let Some(address) = address else { return Vec::new() };
    let name = shapes::bracketed(address);
    let mut targets: Vec<String> = listens.iter().map(|p| shapes::target(&name, p, p.port)).collect();
    targets.push(format!("icmp:{address}"));
    targets
}

fn spoken(host: &HostInput) -> String {
    let what = if host.router { "Router" } else { "Host" };
    let cards: Vec<String> = host
        .cards()
        .map(|i| {
            format!(
                "{} {} on network {}",
                i.name,
                i.address.as_deref().unwrap_or("without address"),
                i.network.as_deref().unwrap_or_default()
            )
        })
        .collect();
    let names: Vec<&str> = host.namespaces.iter().map(|s| s.name.as_str()).collect();
    let inside = if names.is_empty() {
        String::new()
    } else {
        format!(", namespaces {}", names.join(", "))
    };
    format!("{what} {}, {}{inside}", host.name, cards.join(", "))
}
