//! Declared machines and networks outside the cluster: machines in rows, networks as lines below them.

use super::draft::{Draft, Rect, at};
use super::ground::{self, DROP};
use super::shapes::{self, line};
use crate::ShapeKind;
use crate::input::{HostInput, Input};
use crate::text::{Face, width};

const GAP: f64 = 24.0;
const CARD: f64 = 22.0;
/// Between parallel network lines.
const APART: f64 = 40.0;

fn card_width(name: &str) -> f64 {
    (width(name, Face::Mono) + 14.0).ceil().max(44.0)
}

fn wide(host: &HostInput) -> f64 {
    let cards: f64 = host.interfaces.iter().map(|i| card_width(&i.name) + 8.0).sum();
    let lines = lines(host)
        .iter()
        .map(|l| width(&l.text, Face::Mono) + 44.0)
        .fold(0.0, f64::max);
    (width(&host.name, Face::Title) + 60.0)
        .max(cards + 16.0)
        .max(lines)
        .max(110.0)
        .ceil()
}

fn lines(host: &HostInput) -> Vec<crate::ShapeLine> {
    let mut lines: Vec<_> = host
        .interfaces
        .iter()
        .filter_map(|i| {
            i.address
                .as_ref()
                .map(|a| line("address", format!("{} {a}", i.name)))
        })
        .take(3)
        .collect();
    if !host.namespaces.is_empty() {
        lines.push(line("note", format!("namespaces {}", host.namespaces.join(", "))));
    }
    if lines.is_empty() {
        lines.push(line("note", "no address"));
    }
    lines
}

/// Draws them with the upper edge at `top`; `known` is the nodes' network if it is drawn already. Gives the size.
pub(crate) fn draw(
    draft: &mut Draft,
    input: &Input,
    top: f64,
    least: f64,
    known: Option<(&str, Rect)>,
) -> (f64, f64) {
    if input.hosts.is_empty() {
        return (0.0, top);
    }
    let room = least.max(800.0);
    let drawn = |name: &str| known.is_some_and(|(k, _)| k == name);
    let (mut x, mut y, mut right) = (10.0, top, 0.0f64);
    let rows = input.hosts.iter().map(|h| lines(h).len()).max().unwrap_or(1);
    let high = 34.0 + 15.0 * rows as f64 + 12.0;
    let mut feet: Vec<(String, String, crate::Point, bool)> = Vec::new();
    for host in &input.hosts {
        let w = wide(host);
        if x > 10.0 && x + w > room {
            x = 10.0;
            y += high + CARD + GAP;
        }
        let rect = Rect::new(x, y, w, high);
        x = rect.right() + GAP;
        right = right.max(rect.right());
        let id = format!("host:{}", host.name);
        let mut shape = shapes::plain(id.clone(), ShapeKind::Host, rect, host.name.clone());
        shape.lines = lines(host);
        let what = if host.router { "Router" } else { "Host" };
        let said: Vec<String> = host
            .interfaces
            .iter()
            .map(|i| {
                format!(
                    "{} {} on network {}",
                    i.name,
                    i.address.as_deref().unwrap_or("without address"),
                    i.network
                )
            })
            .collect();
        shape.spoken = format!("{what} {}, {}", host.name, said.join(", "));
        shape.source = Some(id.clone());
        if let Some(address) = host.interfaces.iter().find_map(|i| i.address.as_ref()) {
            let name = shapes::bracketed(address);
            shape
                .targets
                .extend(host.listens.iter().map(|p| shapes::target(&name, p, p.port)));
            shape.targets.push(format!("icmp:{address}"));
        }
        shape.origin.clone_from(&host.origin);
        draft.put(shape);
        for namespace in &host.namespaces {
            draft.fold(format!("host:{}/{namespace}", host.name), &id);
        }
        let (mut below, mut above) = (rect.x + 8.0, rect.x + 8.0);
        for interface in &host.interfaces {
            let up = drawn(&interface.network);
            let slot = if up { &mut above } else { &mut below };
            let edge = if up { rect.y } else { rect.bottom() };
            let card = Rect::new(*slot, edge - CARD / 2.0, card_width(&interface.name), CARD);
            *slot = card.right() + 8.0;
            let card_id = format!("if:{id}/{}", interface.name);
            let mut shape = shapes::plain(
                card_id.clone(),
                ShapeKind::Interface,
                card,
                interface.name.clone(),
            );
            shape.parent = Some(id.clone());
            let address = interface
                .address
                .as_ref()
                .map(|a| format!(", {a}"))
                .unwrap_or_default();
            shape.spoken = format!(
                "Interface {} of {}{address}, on network {}",
                interface.name, host.name, interface.network
            );
            draft.put(shape);
            let foot = at(card.mid_x(), if up { card.y } else { card.bottom() });
            feet.push((card_id, interface.network.clone(), foot, up));
        }
    }
    let mut bottom = y + high + CARD / 2.0;
    let wide = right.max(least) - 8.0;
    for network in &input.networks {
        if drawn(&network.name) || !feet.iter().any(|(_, n, ..)| *n == network.name) {
            continue;
        }
        bottom += if bottom == y + high + CARD / 2.0 {
            DROP
        } else {
            APART
        };
        let rect = ground::network(draft, network, 8.0, bottom, wide);
        for (card, _, foot, _) in feet.iter().filter(|(_, n, ..)| *n == network.name) {
            ground::cable(draft, card, *foot, &network.name, rect);
        }
    }
    if let Some((name, rect)) = known {
        for (card, _, foot, _) in feet.iter().filter(|(.., up)| *up) {
            ground::cable(draft, card, *foot, name, rect);
        }
    }
    (right, bottom + 30.0)
}
