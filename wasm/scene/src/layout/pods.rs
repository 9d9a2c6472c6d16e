//! Pods of an opened node: folded, packed into rows, wired to the bridge.

use super::draft::{Draft, Rect, at, between};
use super::keep::Keep;
use super::shapes::{self, PodDetail, counted};
use crate::input::{PodInput, PodState};
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind};
use hoplab_source::order;

/// Between boxes of a row.
pub(crate) const GAP: f64 = 6.0;
/// An interface's size, and how far it hangs below its pod.
const INTERFACE: (f64, f64) = (38.0, 17.0);
const HANGS: f64 = 9.0;
/// Between parallel wires.
const WIRES: f64 = 5.0;
/// Longer names are shortened in their middle.
const WIDEST: f64 = 270.0;
/// Room under an interface in which wires turn.
const TURN: f64 = 8.0;

/// How pods off the path are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// By workload, when there are more than so many.
    Beyond(usize),
    /// All into one.
    All,
}

/// A box of the pods' rows.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    /// A pod; whether it is kept.
    Pod(&'a PodInput, bool),
    /// Several: id, name and what is in it.
    Stack(String, String, Vec<&'a PodInput>),
}

impl Cell<'_> {
    fn id(&self) -> String {
        match self {
            Self::Pod(pod, _) => pod.id(),
            Self::Stack(id, ..) => id.clone(),
        }
    }

    fn wired(&self) -> bool {
        let cable = |p: &PodInput| !p.host_network && p.address.is_some();
        match self {
            Self::Pod(pod, _) => cable(pod),
            Self::Stack(_, _, pods) => pods.iter().any(|p| cable(p)),
        }
    }

    fn kept(&self) -> bool {
        matches!(self, Self::Pod(_, true))
    }

    fn width(&self, detail: PodDetail) -> f64 {
        let wide = match self {
            Self::Pod(pod, _) => {
                let mark = if pod.state == PodState::Ready { 0.0 } else { 22.0 };
                let name = width(&pod.label(), Face::Name) + mark;
                let lines = shapes::pod_lines(pod, detail);
                lines.iter().fold(name, |w, l| {
                    w.max(width(&l.text, Face::Mono) + if l.kind == "listen" { 12.0 } else { 0.0 })
                })
            }
            Self::Stack(_, label, pods) => {
                let lines = stack_lines(pods, detail, label);
                lines
                    .iter()
                    .fold(width(label, Face::Name), |w, l| w.max(width(l, Face::Small)))
            }
        };
        between((wide + 18.0).ceil(), 58.0, WIDEST)
    }
}

/// Names inside a folded box, if its own name does not say the workload.
fn stack_lines(pods: &[&PodInput], detail: PodDetail, label: &str) -> Vec<String> {
    let room = match detail {
        PodDetail::Name => 0,
        PodDetail::Address => 1,
        PodDetail::Listens => 2,
    };
    if pods.iter().all(|p| label.starts_with(&p.owner)) {
        return Vec::new();
    }
    let mut lines: Vec<String> = pods.iter().take(room).map(|p| p.label()).collect();
    if pods.len() > room && room > 0 {
        lines.pop();
        let left = pods.len() - lines.len();
        if !lines.is_empty() {
            lines.push(format!("and {left} more"));
        }
    }
    lines
}

/// The boxes of a node's pods, those off the path folded.
pub(crate) fn cells<'a>(node: &str, pods: &[&'a PodInput], keep: &Keep, fold: Fold) -> Vec<Cell<'a>> {
    let (mut kept, off): (Vec<&PodInput>, Vec<&PodInput>) = pods.iter().partition(|p| keep.has(&p.id()));
    order::sort_by_key(&mut kept, |p| keep.place(&p.id()));
    let mut cells: Vec<Cell<'a>> = kept.into_iter().map(|p| Cell::Pod(p, true)).collect();
    match fold {
        Fold::All if off.len() > 1 => {
            let label = counted(off.len(), "pod", "pods");
            cells.push(Cell::Stack(format!("stack:{node}"), label, off));
        }
        Fold::All => cells.extend(off.into_iter().map(|p| Cell::Pod(p, false))),
        Fold::Beyond(limit) => cells.extend(by_workload(node, off, limit)),
    }
    cells
}

/// Folds the largest workloads until at most `limit` boxes are left; then the last boxes into one.
pub(crate) fn by_workload<'a>(node: &str, pods: Vec<&'a PodInput>, limit: usize) -> Vec<Cell<'a>> {
    let mut groups: Vec<(bool, Vec<&PodInput>)> = Vec::new();
    for pod in pods {
        match groups.last_mut() {
            Some((_, group)) if group[0].namespace == pod.namespace && group[0].owner == pod.owner => {
                group.push(pod)
            }
            _ => groups.push((false, vec![pod])),
        }
    }
    let boxes = |groups: &[(bool, Vec<&PodInput>)]| {
        groups
            .iter()
            .map(|(f, g)| if *f { 1 } else { g.len() })
            .sum::<usize>()
    };
    while boxes(&groups) > limit {
        let largest = groups
            .iter_mut()
            .filter(|(folded, g)| !folded && g.len() > 1)
            .max_by_key(|(_, g)| g.len());
        match largest {
            Some((folded, _)) => *folded = true,
            None => break,
        }
    }
    let mut cells = Vec::new();
    for (folded, group) in groups {
        if folded {
            let (first, n) = (group[0], group.len());
            let id = format!("stack:{node}/{}/{}", first.namespace, first.owner);
            cells.push(Cell::Stack(id, format!("{}, {n} pods", first.owner), group));
        } else {
            cells.extend(group.into_iter().map(|p| Cell::Pod(p, false)));
        }
    }
    if cells.len() > limit && limit > 0 {
        let rest: Vec<&PodInput> = cells
            .split_off(limit - 1)
            .into_iter()
            .flat_map(|c| match c {
                Cell::Pod(p, _) => vec![p],
                Cell::Stack(_, _, pods) => pods,
            })
            .collect();
        cells.push(Cell::Stack(
            format!("stack:{node}"),
            format!("{} more pods", rest.len()),
            rest,
        ));
    }
    cells
}

/// Pods of one node in rows.
#[derive(Clone)]
pub(crate) struct Rows<'a> {
    rows: Vec<Vec<(Cell<'a>, f64)>>,
    pub(crate) detail: PodDetail,
    /// Wires that go down beside the pods, on each side.
    left: usize,
    right: usize,
    /// Inner width that the rows need, gutters included.
    pub(crate) needed: f64,
}

impl<'a> Rows<'a> {
    /// Packs boxes into rows of at most `inner` pixels; `lane` is the least width of the first box when a hook stands
    /// below it.
    pub(crate) fn pack(cells: Vec<Cell<'a>>, inner: f64, lane: Option<f64>, wired: bool) -> Self {
        let mut gutters = 0.0;
        let mut best = None;
        for _ in 0..4 {
            let rows = Self::packed(&cells, inner - gutters, lane, wired);
            let now = rows.gutters();
            let done = now <= gutters;
            best = Some(rows);
            if done {
                break;
            }
            gutters = now;
        }
        best.unwrap_or(Self {
            rows: Vec::new(),
            detail: PodDetail::Listens,
            left: 0,
            right: 0,
            needed: 0.0,
        })
    }

    fn packed(cells: &[Cell<'a>], room: f64, lane: Option<f64>, wired: bool) -> Self {
        let one = Self::filled(cells, f64::INFINITY, lane, PodDetail::Listens);
        let (rows, detail) = if row_width(one.first().map_or(&[], Vec::as_slice)) <= room {
            (one, PodDetail::Listens)
        } else {
            (
                Self::filled(cells, room, lane, PodDetail::Address),
                PodDetail::Address,
            )
        };
        let mut packed = Self {
            rows,
            detail,
            left: 0,
            right: 0,
            needed: 0.0,
        };
        if wired {
            for row in packed.upper() {
                let n = row.iter().filter(|(c, _)| c.wired()).count();
                packed.left += n / 2;
                packed.right += n - n / 2;
            }
        }
        let widest = packed.rows.iter().map(|r| row_width(r)).fold(0.0, f64::max);
        packed.needed = widest + packed.gutters();
        packed
    }

    /// Kept boxes stand in the last row, nearest to the bridge, the path's first pod first.
    fn filled(
        cells: &[Cell<'a>],
        room: f64,
        lane: Option<f64>,
        detail: PodDetail,
    ) -> Vec<Vec<(Cell<'a>, f64)>> {
        let mut rows: Vec<Vec<(Cell<'a>, f64)>> = Vec::new();
        let mut last: Vec<(Cell<'a>, f64)> = Vec::new();
        for (i, cell) in cells.iter().enumerate() {
            let mut wide = cell.width(detail);
            if let (0, true, Some(lane)) = (i, cell.kept(), lane) {
                wide = wide.max(lane);
            }
            let row = if cell.kept() {
                &mut last
            } else {
                if rows
                    .last()
                    .is_none_or(|r| row_width(r) + GAP + wide > room && !r.is_empty())
                {
                    rows.push(Vec::new());
                }
                rows.last_mut().expect("a row was pushed when there was none")
            };
            row.push((cell.clone(), wide));
        }
        if !last.is_empty() {
            match rows.last() {
                Some(tail) if row_width(&last) + GAP + row_width(tail) <= room => {
                    let tail = rows.pop().unwrap_or_default();
                    last.extend(tail);
                    rows.push(last);
                }
                _ => rows.push(last),
            }
        }
        if let (Some(lane), Some((_, wide))) = (lane, rows.last_mut().and_then(|r| r.first_mut())) {
            *wide = wide.max(lane);
        }
        rows
    }

    fn upper(&self) -> Vec<Vec<(Cell<'a>, f64)>> {
        let n = self.rows.len().saturating_sub(1);
        self.rows[..n].to_vec()
    }

    /// Width of the wires beside the pods, both sides together.
    fn gutters(&self) -> f64 {
        self.gutter(self.left) + self.gutter(self.right)
    }

    fn gutter(&self, wires: usize) -> f64 {
        if wires == 0 {
            0.0
        } else {
            WIRES * wires as f64 + 3.0
        }
    }

    /// Where boxes may start, from the node's inner left edge.
    pub(crate) fn indent(&self) -> f64 {
        self.gutter(self.left)
    }

    /// Room on the right that wires take.
    pub(crate) fn outdent(&self) -> f64 {
        self.gutter(self.right)
    }

    fn row_height(&self) -> f64 {
        match self.detail {
            PodDetail::Name => 26.0,
            PodDetail::Address => 46.0,
            PodDetail::Listens => {
                let lines = self.rows.iter().flatten().map(|(c, _)| match c {
                    Cell::Pod(p, _) => shapes::pod_lines(p, self.detail).len(),
                    Cell::Stack(_, label, pods) => stack_lines(pods, self.detail, label).len(),
                });
                if lines.max().unwrap_or(0) > 1 { 62.0 } else { 48.0 }
            }
        }
    }

    fn row_gap(&self, row: usize) -> f64 {
        let wires = self
            .rows
            .get(row)
            .map_or(0, |r| r.iter().filter(|(c, _)| c.wired()).count());
        HANGS + TURN + WIRES * wires.div_ceil(2) as f64 + 4.0
    }

    /// Height of all rows.
    pub(crate) fn height(&self) -> f64 {
        let gaps: f64 = (0..self.rows.len().saturating_sub(1))
            .map(|r| self.row_gap(r))
            .sum();
        self.rows.len() as f64 * self.row_height() + gaps
    }

    /// Draws the boxes and the wires down to the bridge (or to a hook above it, for the box over the lane).
    pub(crate) fn draw(&self, draft: &mut Draft, area: &Area<'_>) {
        let inner = Rect::new(
            area.rect.x + self.indent(),
            area.rect.y,
            area.rect.w - self.indent() - self.outdent(),
            self.height(),
        );
        let (mut left, mut right) = (0usize, 0usize);
        let mut y = inner.y;
        for (r, row) in self.rows.iter().enumerate() {
            let last = r + 1 == self.rows.len();
            let mut ports = Vec::new();
            for (cell, rect) in placed(row, inner, y, self.row_height()) {
                let over_lane =
                    last && (rect.x - inner.x).abs() < 1.0 && (cell.kept() || area.hook.is_some());
                let x = if over_lane && area.lane < rect.right() - 20.0 {
                    area.lane
                } else {
                    rect.mid_x().round()
                };
                if let Some(port) = self.draw_cell(draft, area, cell, rect, x) {
                    ports.push((cell.clone(), port, over_lane));
                }
            }
            if !last && area.bridge.is_some() {
                let n = ports.len() / 2;
                let below = y + self.row_height() + HANGS + TURN;
                let (west, east) = ports.split_at(n);
                for (k, (cell, port, _)) in west.iter().enumerate() {
                    let x = area.rect.x + WIRES * left as f64 + 2.0;
                    left += 1;
                    self.wire_aside(draft, area, cell, *port, x, below + WIRES * k as f64);
                }
                for (k, (cell, port, _)) in east.iter().rev().enumerate() {
                    let x = area.rect.right() - WIRES * right as f64 - 2.0;
                    right += 1;
                    self.wire_aside(draft, area, cell, *port, x, below + WIRES * k as f64);
                }
            } else {
                for (cell, port, over_lane) in &ports {
                    self.wire_down(draft, area, cell, *port, *over_lane);
                }
            }
            y += self.row_height() + self.row_gap(r);
        }
    }

    fn draw_cell(
        &self,
        draft: &mut Draft,
        area: &Area<'_>,
        cell: &Cell<'a>,
        rect: Rect,
        x: f64,
    ) -> Option<Point> {
        let parent = format!("node:{}", area.node);
        match cell {
            Cell::Pod(pod, _) => {
                draft.put(shapes::pod(pod, rect, &parent, self.detail));
                let card = format!("if:pod:{}/{}/eth0", pod.namespace, pod.name);
                if !cell.wired() || area.bridge.is_none() {
                    draft.fold(card, &pod.id());
                    return None;
                }
                let (w, h) = INTERFACE;
                let edge = Rect::new(x - w / 2.0, rect.bottom() - (h - HANGS), w, h);
                let mut interface = shapes::plain(card, ShapeKind::Interface, edge, "eth0");
                interface.parent = Some(pod.id());
                let address = pod.address.as_deref().unwrap_or_default();
                interface.spoken = format!("Interface eth0 of pod {}, address {address}", pod.name);
                let foot = at(x, edge.bottom());
                draft.put(interface);
                Some(foot)
            }
            Cell::Stack(id, label, pods) => {
                draft.put(stack(
                    id,
                    label,
                    pods,
                    rect,
                    area.node,
                    &stack_lines(pods, self.detail, label),
                ));
                for pod in pods {
                    draft.fold(pod.id(), id);
                }
                (cell.wired() && area.bridge.is_some()).then_some(at(x, rect.bottom()))
            }
        }
    }

    fn wire_down(&self, draft: &mut Draft, area: &Area<'_>, cell: &Cell<'a>, port: Point, over_lane: bool) {
        let Some((bridge, y)) = &area.bridge else { return };
        let from = source_of(cell);
        match &area.hook {
            Some((hook, rect)) if over_lane => {
                draft.wire(
                    veth(cell),
                    EdgeKind::Veth,
                    &from,
                    hook,
                    vec![port, at(port.x, rect.y)],
                );
                let id = format!("inside:{hook}");
                draft.wire(
                    id,
                    EdgeKind::Inside,
                    hook,
                    bridge,
                    vec![at(port.x, rect.bottom()), at(port.x, *y)],
                );
            }
            _ => draft.wire(
                veth(cell),
                EdgeKind::Veth,
                &from,
                bridge,
                vec![port, at(port.x, *y)],
            ),
        }
        if let (Cell::Pod(pod, true), Some(edge)) =
            (cell, draft.edges.iter_mut().rev().find(|e| e.id == veth(cell)))
        {
            edge.label.clone_from(&pod.veth);
        }
    }

    fn wire_aside(&self, draft: &mut Draft, area: &Area<'_>, cell: &Cell<'a>, port: Point, x: f64, y: f64) {
        if let Some((bridge, top)) = &area.bridge {
            let points = vec![port, at(port.x, y), at(x, y), at(x, *top)];
            draft.wire(veth(cell), EdgeKind::Veth, &source_of(cell), bridge, points);
        }
    }
}

/// The wire of a box.
fn veth(cell: &Cell<'_>) -> String {
    format!("veth:{}", cell.id())
}

fn source_of(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Pod(pod, _) => format!("if:pod:{}/{}/eth0", pod.namespace, pod.name),
        Cell::Stack(id, ..) => id.clone(),
    }
}

/// Several pods in one box.
pub(crate) fn stack(
    id: &str,
    label: &str,
    pods: &[&PodInput],
    rect: Rect,
    node: &str,
    lines: &[String],
) -> crate::Shape {
    let mut shape = shapes::plain(id, ShapeKind::PodStack, rect, label);
    shape.parent = Some(format!("node:{node}"));
    shape.lines = lines.iter().map(|l| shapes::line("note", l.clone())).collect();
    let mut names: Vec<String> = pods.iter().take(5).map(|p| p.label()).collect();
    if pods.len() > 5 {
        names.push(format!("and {} more", pods.len() - 5));
    }
    shape.spoken = format!(
        "{} on {node}: {}. Open",
        counted(pods.len(), "pod", "pods"),
        names.join(", ")
    );
    if pods.iter().any(|p| p.state != PodState::Ready) {
        shape.health = crate::Health::Trouble;
    }
    shape
}

/// Where the pods of a node stand, and what is below them.
pub(crate) struct Area<'n> {
    pub(crate) node: &'n str,
    /// Between the node's paddings; its height is not used.
    pub(crate) rect: Rect,
    /// The middle of the lane that the path runs down.
    pub(crate) lane: f64,
    /// The bridge and its upper edge.
    pub(crate) bridge: Option<(String, f64)>,
    /// A hook between the box over the lane and the bridge.
    pub(crate) hook: Option<(String, Rect)>,
}

fn row_width(row: &[(Cell<'_>, f64)]) -> f64 {
    row.iter().map(|(_, w)| w).sum::<f64>() + GAP * row.len().saturating_sub(1) as f64
}

/// The boxes of a row, with the room that is left shared out among them.
fn placed<'r, 'a>(row: &'r [(Cell<'a>, f64)], inner: Rect, y: f64, h: f64) -> Vec<(&'r Cell<'a>, Rect)> {
    let spare = (inner.w - row_width(row)).max(0.0);
    let share = (spare / row.len().max(1) as f64).floor();
    let mut x = inner.x;
    row.iter()
        .map(|(cell, wide)| {
            let w = wide + share.min(wide * 0.35 + 12.0).floor();
            let rect = Rect::new(x, y, w, h);
            x += w + GAP;
            (cell, rect)
        })
        .collect()
}
