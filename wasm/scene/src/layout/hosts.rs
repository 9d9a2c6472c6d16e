//! Declared machines and networks outside the cluster: each network a line, what is plugged into it alone above it, what
//! leads on to other networks below it, and those networks below that.

use super::draft::{Draft, Rect, at};
use super::ground::{self, DROP};
use super::machine::{CARD, Foot, Machine};
use crate::input::{HostInput, Input};
use crate::{EdgeKind, ShapeKind};
use hoplab_source::collections::BTreeSet;
use std::collections::VecDeque;

const GAP: f64 = 24.0;
const LEFT: f64 = 10.0;
/// Below a line, for its name.
const NAME: f64 = 26.0;

/// Where machines and lines may stand.
pub(crate) struct Room<'r> {
    /// Upper edge.
    pub(crate) top: f64,
    /// Machines stand in rows of this width.
    pub(crate) width: f64,
    /// Lines are at least so long.
    pub(crate) least: f64,
    /// The nodes' network, if that is drawn already.
    pub(crate) known: Option<(&'r str, Rect)>,
}

struct Arranged {
    y: f64,
    right: f64,
    /// Cables wait until their line is drawn.
    feet: Vec<Foot>,
    /// Cables that go round, so far.
    round: usize,
}

/// Draws them; gives the right and the lower edge of all.
pub(crate) fn draw(draft: &mut Draft, input: &Input, room: &Room<'_>) -> (f64, f64) {
    if input.hosts.is_empty() {
        return (0.0, room.top);
    }
    let mut left: Vec<&HostInput> = input.hosts.iter().collect();
    let mut lines: BTreeSet<&str> = BTreeSet::new();
    let mut state = Arranged {
        y: room.top,
        right: 0.0,
        feet: Vec::new(),
        round: 0,
    };
    let mut queue: VecDeque<&str> = VecDeque::new();
    if let Some((name, rect)) = room.known {
        lines.insert(name);
        let below = take(&mut left, |h| h.on(name));
        state.rows(draft, &below, room, Some((name, rect)));
        queue.extend(further(&below, name));
    }
    let names = input.networks.iter().map(|n| n.name.as_str());
    let mut roots = names.filter(|n| input.hosts.iter().any(|h| h.on(n)));
    while let Some(name) = queue.pop_front().or_else(|| roots.next()) {
        if !lines.insert(name) {
            continue;
        }
        let Some(network) = input.networks.iter().find(|n| n.name == name) else {
            continue;
        };
        let led = state.feet.iter().any(|f| f.network == name);
        if !led {
            let above = take(&mut left, |h| h.on(name) && h.cards().all(|c| c.on(name)));
            state.rows(draft, &above, room, None);
        }
        let wide = (state.right.max(room.least) - 8.0).max(220.0);
        state.right = state.right.max(wide + 8.0);
        let y = state.y + DROP - GAP + CARD / 2.0;
        let line = ground::network(draft, network, 8.0, y, wide);
        state.plug(draft, name, line);
        state.y = line.bottom() + NAME;
        let below = take(&mut left, |h| h.on(name));
        if !below.is_empty() {
            state.y += 10.0;
        }
        state.rows(draft, &below, room, Some((name, line)));
        ground::clear_name(draft, name);
        queue.extend(further(&below, name));
    }
    // What is plugged in nowhere.
    state.rows(draft, &left, room, None);
    (state.right, state.y)
}

/// Those that fit, out of the list.
fn take<'a>(left: &mut Vec<&'a HostInput>, fits: impl Fn(&HostInput) -> bool) -> Vec<&'a HostInput> {
    let taken = left.iter().copied().filter(|h| fits(h)).collect();
    left.retain(|h| !fits(h));
    taken
}

/// The other networks of machines.
fn further<'a>(hosts: &[&'a HostInput], name: &str) -> Vec<&'a str> {
    hosts
        .iter()
        .flat_map(|h| h.cards())
        .filter_map(|c| c.network.as_deref())
        .filter(|n| *n != name)
        .collect()
}

impl Arranged {
    /// Machines in rows; those below `up` hang from that line.
    fn rows(&mut self, draft: &mut Draft, hosts: &[&HostInput], room: &Room<'_>, up: Option<(&str, Rect)>) {
        let mut rows: Vec<Vec<Machine<'_>>> = Vec::new();
        let mut x = LEFT;
        for host in hosts {
            let machine = Machine::measure(host);
            if rows.is_empty() || (x > LEFT && x + machine.w > room.width) {
                rows.push(Vec::new());
                x = LEFT;
            }
            x += machine.w + GAP;
            if let Some(row) = rows.last_mut() {
                row.push(machine);
            }
        }
        for (i, row) in rows.iter_mut().enumerate() {
            if i > 0 {
                self.y += CARD;
            }
            // Of one height, so that cables can go round below all.
            let high = row.iter().map(|m| m.h).fold(0.0, f64::max);
            let mut x = LEFT;
            for machine in row {
                machine.h = high;
                let feet = machine.draw(draft, x, self.y, up.map(|(name, _)| name));
                x += machine.w + GAP;
                self.right = self.right.max(x - GAP + LEFT);
                self.feet.extend(feet);
            }
            self.y += high + GAP;
        }
        if let Some((name, line)) = up {
            self.plug(draft, name, line);
        }
    }

    /// Cables of cards that are drawn to a line: straight, or, past what stands between, round the right end.
    fn plug(&mut self, draft: &mut Draft, name: &str, line: Rect) {
        let (mine, others): (Vec<Foot>, Vec<Foot>) = std::mem::take(&mut self.feet)
            .into_iter()
            .partition(|f| f.network == name);
        self.feet = others;
        let id = format!("network:{name}");
        for foot in mine {
            let down = foot.at.y < line.y;
            let near = if down { line.y } else { line.bottom() };
            let straight = [foot.at, at(foot.at.x, near)];
            let blocked = draft.shapes.iter().any(|s| {
                s.id != foot.card
                    && s.id != id
                    && s.kind != ShapeKind::Caption
                    && Rect::of(s).crossed(&straight)
            });
            if !blocked {
                if let Some(shape) = draft.shapes.iter_mut().find(|s| s.id == id) {
                    shape.w = shape.w.max(foot.at.x + 10.0 - shape.x);
                }
                ground::cable(draft, &foot.card, foot.at, name, line);
                continue;
            }
            let k = self.round as f64;
            self.round += 1;
            let turn = foot.at.y
                + if down {
                    6.0 + 3.0 * (k % 3.0)
                } else {
                    -6.0 - 3.0 * (k % 3.0)
                };
            let x = draft.shapes.iter().map(|s| s.x + s.w).fold(self.right, f64::max) + 6.0;
            self.right = self.right.max(x + 8.0);
            if let Some(shape) = draft.shapes.iter_mut().find(|s| s.id == id) {
                shape.w = shape.w.max(x + 6.0 - shape.x);
            }
            let points = vec![foot.at, at(foot.at.x, turn), at(x, turn), at(x, near)];
            draft.wire(
                format!("cable:{}", foot.card),
                EdgeKind::Cable,
                &foot.card,
                &id,
                points,
            );
        }
    }
}
