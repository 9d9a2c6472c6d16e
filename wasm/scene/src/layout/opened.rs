//! A node with its kernel: pods above, the lane of hooks and devices below them, its card on the lower edge.

use super::draft::{Draft, Rect, at, between};
use super::keep::Keep;
use super::lane::{BRIDGE, CARD, GAP, Lane, Levels, REWRITES, Slot};
use super::pods::{Area, Fold, Rows, cells};
use super::{proxy, shapes};
use crate::input::{NodeInput, PodInput, ServiceInput};
use crate::text::{Face, width};
use crate::{Density, EdgeKind, Point, ShapeKind, ShapeLine};
use hoplab_trace::HookName;

/// Between a node's edge and what is in it.
const PAD: f64 = 8.0;
/// Width of the chips of local traffic.
const LOCAL: f64 = 118.0;
/// What of a kube-proxy table above the bridge may reach below the pods.
const UNDER: f64 = 22.0;

/// One opened node, measured.
#[derive(Clone)]
pub(crate) struct Opened<'a> {
    pub(crate) node: &'a NodeInput,
    pods: usize,
    rows: Rows<'a>,
    pub(crate) lane: Lane,
    /// Least width.
    pub(crate) width: f64,
    table: Vec<ShapeLine>,
    services: usize,
    pub(super) direct: bool,
    /// Width of the lane's chips; of one that rewrites; between the lane and the kube-proxy table.
    pub(super) size: LaneSize,
}

/// Widths of the lane.
#[derive(Clone, Copy)]
pub(super) struct LaneSize {
    pub(super) lane: f64,
    /// A hook that rewrites shows an address with its port.
    pub(super) chip: f64,
    /// Between the lane and the kube-proxy table.
    pub(super) beside: f64,
}

impl LaneSize {
    fn of(density: Density) -> Self {
        match density {
            Density::Wide => Self {
                lane: 128.0,
                chip: 136.0,
                beside: 14.0,
            },
            _ => Self {
                lane: 118.0,
                chip: 128.0,
                beside: 14.0,
            },
        }
    }
}

/// What all opened nodes are measured with.
pub(crate) struct Context<'a, 'k> {
    pub(crate) services: &'k [&'a ServiceInput],
    pub(crate) keep: &'k Keep,
    pub(crate) density: Density,
    pub(crate) fold: Fold,
}

impl<'a> Opened<'a> {
    /// Measures a node that should be `wide` pixels wide and may be wider.
    pub(crate) fn measure(
        node: &'a NodeInput,
        pods: &[&'a PodInput],
        context: &Context<'a, '_>,
        wide: f64,
    ) -> Self {
        let keep = context.keep;
        let ends = pods.iter().any(|p| keep.has(&format!("if:{}/eth0", p.id())));
        let lane = Lane::of(node, keep, ends);
        let size = LaneSize::of(context.density);
        let fold = if lane.turns { Fold::All } else { context.fold };
        let boxes = cells(&node.name, pods, keep, fold);
        let least = lane.above_bridge.then_some(size.lane);
        // Beside the kube-proxy table where that stands above the bridge.
        let room = if lane.turns && node.proxy {
            size.lane + size.beside - GAP
        } else {
            wide - 2.0 * PAD
        };
        let rows = Rows::pack(boxes, room, least, node.bridge.is_some());
        let card = width(&node.uplink.name, Face::Mono) + width(&node.uplink.detail, Face::Mono) + 26.0;
        let head = width(&node.name, Face::Title) + width(&node.address, Face::Mono) + 64.0;
        let local = lane.slots.iter().any(|s| matches!(s, Slot::Local(_)));
        let beside = match (local, node.proxy) {
            _ if lane.turns => size.beside + 8.0 + size.chip,
            (true, _) => size.beside + 8.0 + LOCAL,
            (false, true) => size.beside + 98.0,
            (false, false) => 0.0,
        };
        let gutters = if lane.turns {
            0.0
        } else {
            rows.indent() + rows.outdent()
        };
        let needed = [
            if lane.turns && node.proxy {
                rows.needed + GAP + 100.0
            } else {
                rows.needed
            },
            size.lane + beside + gutters,
            head - 2.0 * PAD,
            card + 40.0,
        ];
        let width = needed.into_iter().fold(wide - 2.0 * PAD, f64::max) + 2.0 * PAD;
        let table_room = width - 2.0 * PAD - rows.indent() - size.lane - size.beside;
        let most = if context.density == Density::Wide { 4 } else { 3 };
        let table = if node.proxy {
            proxy::rows(context.services, keep, table_room.min(150.0), most)
        } else {
            Vec::new()
        };
        Self {
            node,
            pods: pods.len(),
            rows,
            lane,
            width: width.ceil(),
            table,
            services: context.services.len(),
            direct: keep.direct(&node.name) && node.tunnel.is_some(),
            size,
        }
    }

    /// Height of its pods.
    pub(crate) fn pods_height(&self) -> f64 {
        let table = proxy::height(self.table.len()) - UNDER;
        if self.lane.turns && self.node.proxy {
            self.rows.height().max(table)
        } else {
            self.rows.height()
        }
    }

    /// Height of its kube-proxy table.
    pub(crate) fn table_height(&self) -> f64 {
        if self.node.proxy && !self.lane.turns {
            proxy::height(self.table.len())
        } else {
            0.0
        }
    }

    /// Draws it; gives the point where its cable leaves.
    pub(crate) fn draw(&self, draft: &mut Draft, x: f64, wide: f64, levels: &Levels, keep: &Keep) -> Point {
        let node = self.node;
        let ground = Rect::new(x, levels.top, wide, levels.bottom - levels.top);
        draft.put(shapes::node(node, ground, self.pods));
        let indent = if self.lane.turns { 0.0 } else { self.rows.indent() };
        let inner = ground.x + PAD + indent;
        let lane = (inner + self.size.lane / 2.0).round();
        let bridge = node.bridge.as_ref().map(|device| {
            let rect = Rect::new(ground.x + PAD, levels.bridge, ground.w - 2.0 * PAD, BRIDGE);
            let shape = shapes::device(&node.name, device, ShapeKind::Bridge, rect);
            (shape, rect)
        });
        let above = self.lane.above_bridge.then(|| {
            let rect = Rect::new(inner, levels.above, self.size.chip, REWRITES);
            (format!("hook:node:{}/PREROUTING", node.name), rect)
        });
        let area = Area {
            node: &node.name,
            rect: Rect::new(ground.x + PAD, levels.pods, self.pods_room(ground), 0.0),
            lane,
            bridge: bridge.as_ref().map(|(s, r)| (s.id.clone(), r.y)),
            hook: above.clone(),
        };
        self.rows.draw(draft, &area);
        if let Some((id, rect)) = &above {
            self.hook(draft, HookName::Prerouting, *rect, keep);
            let joined = draft.edges.iter().any(|e| e.from == *id);
            if let (false, Some((bridge, bar))) = (joined, &bridge) {
                let points = vec![at(lane, rect.bottom()), at(lane, bar.y)];
                draft.wire(format!("inside:{id}"), EdgeKind::Inside, id, &bridge.id, points);
            }
        }
        let mut hooks: Vec<(HookName, Rect)> =
            above.iter().map(|(_, r)| (HookName::Prerouting, *r)).collect();
        let start = bridge.map(|(shape, rect)| {
            let id = shape.id.clone();
            draft.put(shape);
            (id, rect.bottom())
        });
        let foot = if self.lane.turns {
            self.draw_turn(draft, lane, inner, levels, start, keep, &mut hooks)
        } else {
            self.draw_lane(draft, lane, inner, levels, start, keep, &mut hooks)
        };
        self.draw_table(draft, inner, ground, levels, &hooks);
        foot
    }

    /// Width that the pods have: all, or what the kube-proxy table beside them leaves.
    fn pods_room(&self, ground: Rect) -> f64 {
        if self.lane.turns && self.node.proxy {
            self.table_x(ground.x + PAD) - GAP - ground.x - PAD
        } else {
            ground.w - 2.0 * PAD
        }
    }

    /// Left edge of the kube-proxy table.
    fn table_x(&self, inner: f64) -> f64 {
        if self.lane.turns {
            inner + (self.size.lane + self.size.beside).max(self.rows.needed + GAP)
        } else {
            inner + self.size.lane + self.size.beside
        }
    }

    /// Draws what stands below the bridge; the lane's wire joins each thing to the next.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller; a struct would only rename them"
    )]
    fn draw_lane(
        &self,
        draft: &mut Draft,
        lane: f64,
        inner: f64,
        levels: &Levels,
        start: Option<(String, f64)>,
        keep: &Keep,
        hooks: &mut Vec<(HookName, Rect)>,
    ) -> Point {
        let node = self.node;
        let forward = self
            .lane
            .slots
            .iter()
            .position(|s| *s == Slot::Hook(HookName::Forward))
            .unwrap_or(0);
        let mut above: Option<(String, f64)> = start;
        // Where the way beside the tunnel leaves the lane.
        let mut over_tunnel: Option<(String, f64)> = None;
        let mut locals: Vec<(String, Rect)> = Vec::new();
        // Half the tunnel's width; its second outline is 3 px wider.
        let half = self.size.lane / 2.0 - 3.0;
        let aside = (lane + half + 7.0).min(inner + self.size.chip - 4.0).round();
        for (i, slot) in self.lane.slots.iter().enumerate() {
            let (y, h) = levels.slot(*slot, i < forward);
            let (id, rect) = match slot {
                Slot::Hook(hook) => {
                    let w = if *hook == HookName::Forward {
                        self.size.lane - 8.0
                    } else {
                        self.size.chip
                    };
                    let x = if *hook == HookName::Forward {
                        lane - w / 2.0
                    } else {
                        inner
                    };
                    let rect = Rect::new(x, y, w, h);
                    (self.hook(draft, *hook, rect, keep), rect)
                }
                Slot::Local(hook) => {
                    let x = inner + self.size.lane + self.size.beside + 8.0;
                    let rect = Rect::new(x, y, LOCAL, h);
                    let id = self.hook(draft, *hook, rect, keep);
                    locals.push((id, rect));
                    hooks.push((*hook, rect));
                    continue;
                }
                Slot::Tunnel => {
                    let Some(device) = &node.tunnel else { continue };
                    over_tunnel = above.clone().filter(|_| self.direct);
                    let rect = Rect::new(lane - half, y, 2.0 * half, h);
                    let shape = shapes::device(&node.name, device, ShapeKind::Tunnel, rect);
                    let id = shape.id.clone();
                    draft.put(shape);
                    (id, rect)
                }
            };
            if let Slot::Hook(hook) = slot {
                hooks.push((*hook, rect));
                if let Some(from) = over_tunnel.take() {
                    self.pass_tunnel(draft, from, lane, aside, (&id, rect.y));
                }
            }
            self.join(draft, above.take(), (&id, rect.y), lane);
            above = Some((id, rect.bottom()));
        }
        let half = ((width(&node.uplink.name, Face::Mono) + width(&node.uplink.detail, Face::Mono) + 26.0)
            / 2.0)
            .max(62.0);
        let right = if over_tunnel.is_some() {
            (aside - lane + 12.0).max(half)
        } else {
            half
        };
        let card = Rect::new((lane - half).max(inner), levels.card, 0.0, CARD);
        let card = Rect::new(card.x, card.y, lane + right - card.x, CARD);
        let shape = shapes::device(&node.name, &node.uplink, ShapeKind::Interface, card);
        let id = shape.id.clone();
        draft.put(shape);
        self.join(draft, above.clone(), (&id, card.y), lane);
        if let Some(from) = over_tunnel {
            self.pass_tunnel(draft, from, lane, aside, (&id, card.y));
        }
        for (local, rect) in locals {
            let points = vec![at(rect.x, rect.mid_y()), at(lane, rect.mid_y()), at(lane, card.y)];
            // Passing behind what stands between: the lane's own wire is already there.
            let below = draft
                .shapes
                .iter()
                .filter(|s| {
                    s.parent.as_deref() == Some(&format!("node:{}", node.name))
                        && s.y > rect.mid_y()
                        && s.x < lane
                        && s.x + s.w > lane
                })
                .min_by(|a, b| a.y.total_cmp(&b.y))
                .map(|s| (s.id.clone(), s.y));
            let (to, y) = below.unwrap_or((id.clone(), card.y));
            let mut points = points;
            if let Some(last) = points.last_mut() {
                last.y = y;
            }
            draft.wire(format!("inside:{local}"), EdgeKind::Inside, &local, &to, points);
        }
        at(lane, card.bottom())
    }

    /// The way beside the tunnel, for packets that go by the card as they are.
    pub(super) fn pass_tunnel(
        &self,
        draft: &mut Draft,
        from: (String, f64),
        lane: f64,
        aside: f64,
        to: (&str, f64),
    ) {
        let turn = from.1 + GAP / 2.0;
        let points = vec![at(lane, from.1), at(lane, turn), at(aside, turn), at(aside, to.1)];
        draft.wire(
            format!("{}node:{}", super::DIRECT, self.node.name),
            EdgeKind::Inside,
            &from.0,
            to.0,
            points,
        );
    }

    pub(super) fn join(&self, draft: &mut Draft, from: Option<(String, f64)>, to: (&str, f64), lane: f64) {
        if let Some((from, y)) = from {
            draft.wire(
                format!("inside:{}", to.0),
                EdgeKind::Inside,
                &from,
                to.0,
                vec![at(lane, y), at(lane, to.1)],
            );
        }
    }

    pub(super) fn hook(&self, draft: &mut Draft, hook: HookName, rect: Rect, keep: &Keep) -> String {
        let node = &self.node.name;
        let id = format!("hook:node:{node}/{hook}");
        let mut shape = shapes::plain(id.clone(), ShapeKind::Hook, rect, hook.to_string());
        shape.parent = Some(format!("node:{node}"));
        let idle = if keep.hook(node, hook).is_some() || keep.has(&id) {
            ""
        } else {
            ", not on the path"
        };
        shape.spoken = format!("Netfilter hook {hook} of {node}{idle}");
        draft.put(shape);
        id
    }

    fn draw_table(
        &self,
        draft: &mut Draft,
        inner: f64,
        ground: Rect,
        levels: &Levels,
        hooks: &[(HookName, Rect)],
    ) {
        if !self.node.proxy {
            return;
        }
        let turns = self.lane.turns;
        let x = self.table_x(inner);
        let outdent = if turns { 0.0 } else { self.rows.outdent() };
        let w = between(ground.right() - PAD - outdent - x, 80.0, 150.0);
        let y = if turns {
            levels.pods
        } else {
            levels.bridge + BRIDGE + GAP
        };
        let rect = Rect::new(x, y, w, proxy::height(self.table.len()));
        let table = proxy::draw(draft, self.node, rect, self.table.clone(), self.services);
        // It wrote the rules of the hook that rewrites towards an endpoint.
        let written = [HookName::Prerouting, HookName::Output];
        let Some((hook, chip)) = hooks.iter().find(|(h, _)| written.contains(h)) else {
            return;
        };
        let id = format!("hook:node:{}/{hook}", self.node.name);
        let from = rect.x + 14.0;
        let points = if turns {
            let (x, y) = (rect.x + 3.0, chip.mid_y().round());
            vec![at(x, rect.bottom()), at(x, y), at(chip.right(), y)]
        } else if *hook == HookName::Output {
            vec![at(from, rect.bottom()), at(from, chip.y)]
        } else if chip.y < rect.y {
            vec![
                at(from, rect.y),
                at(from, chip.mid_y().round()),
                at(chip.right(), chip.mid_y().round()),
            ]
        } else {
            let (x, y) = (rect.x - 3.0, chip.mid_y().round());
            vec![
                at(rect.x, rect.y + 12.0),
                at(x, rect.y + 12.0),
                at(x, y),
                at(chip.right(), y),
            ]
        };
        draft.wire(
            format!("writes:{}", self.node.name),
            EdgeKind::Writes,
            &table,
            &id,
            points,
        );
    }
}
