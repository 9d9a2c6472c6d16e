//! The drawing at the two larger densities: nodes side by side, Services between them, the wire below.

use super::choose::{self, Pods};
use super::compact::{self, Compact};
use super::draft::{Draft, Rect, at, between};
use super::ground::{self, DROP};
use super::keep::Keep;
use super::lane::{Lane, Levels};
use super::opened::{Context, Opened};
use super::pods::Fold;
use super::services::{self, Services};
use super::shapes::{self, PodDetail, counted};
use super::{Options, hosts};
use crate::input::{Input, NodeInput, PodInput, ServiceInput};
use crate::text::{Face, width};
use crate::{Density, Point, ShapeKind};

const EDGE: f64 = 10.0;
const GAP: f64 = 10.0;
const TOP: f64 = 10.0;
/// Beside a column in which nodes stand above each other, for the cables of the upper ones.
const GUTTER: f64 = 12.0;
/// More compact nodes fold into one box.
const CROWD: usize = 12;
/// Pods off the path that are drawn one by one on an opened node.
const SINGLE: usize = 8;
/// Below the nodes: their network, the outside.
const BELOW: f64 = DROP + 68.0;

/// Pods on no node, under a heading of their own.
const HOMELESS: usize = 3;

struct Measured<'a> {
    opened: Vec<Opened<'a>>,
    services: Services<'a>,
    middle: Vec<Compact<'a>>,
    middle_width: f64,
    /// Compact nodes that have columns of their own.
    aside: Vec<Compact<'a>>,
    crowd: Vec<&'a NodeInput>,
    levels: Levels,
    /// Lower edge of what stands in the middle column.
    column: f64,
    /// How large it can be shown in the panel: 1 is full size.
    scale: f64,
}

/// Lays out.
pub(crate) fn draw(input: &Input, pods: &Pods<'_>, options: &Options, keep: &Keep) -> Draft {
    if choose::asleep(input, keep) {
        return beside_cluster(input);
    }
    let sorted = services::sorted(input.services.iter());
    let chosen = choose::nodes(input, pods, keep, options.density);
    let plan = Plan {
        options,
        keep,
        pods,
        services: &sorted,
        chosen: &chosen,
    };
    let fold = match options.density {
        Density::Wide => Fold::Beyond(SINGLE),
        _ if keep.is_empty() => Fold::Beyond(4),
        _ => Fold::All,
    };
    let mut measured = plan.best(fold);
    if !keep.is_empty() && fold != Fold::All && measured.scale < 0.97 {
        // What is off the path makes room for it.
        let folded = plan.best(Fold::All);
        if folded.scale > measured.scale + 0.02 {
            measured = folded;
        }
    }
    arrange(input, options, keep, pods, measured)
}

/// Declared machines, and the cluster that they have nothing to do with as one box.
fn beside_cluster(input: &Input) -> Draft {
    let mut draft = Draft::default();
    let room = hosts::Room {
        top: TOP,
        width: 640.0,
        least: 0.0,
        known: None,
    };
    let (right, low) = hosts::draw(&mut draft, input, &room);
    let rect = Rect::new(right + GAP, TOP, 170.0, 56.0);
    let nodes: Vec<&NodeInput> = input.nodes.iter().collect();
    compact::crowd(&mut draft, &nodes, input.pods.len(), rect);
    if let Some(shape) = draft.shapes.last_mut() {
        shape.label = format!("cluster {}", input.cluster);
        shape.lines.clear();
    }
    draft.width = rect.right() + EDGE;
    draft.height = low.max(rect.bottom() + EDGE);
    draft
}

/// A form is worth losing words for when the whole can be shown so much larger.
const WORTH: f64 = 0.04;

/// What is to be placed, before its size is known.
struct Plan<'a, 'p> {
    options: &'p Options,
    keep: &'p Keep,
    pods: &'p Pods<'a>,
    services: &'p [&'a ServiceInput],
    chosen: &'p choose::Nodes<'a>,
}

impl<'a> Plan<'a, '_> {
    /// Tries widths of nodes and forms of Services, and takes what is shown largest in the panel.
    fn best(&self, fold: Fold) -> Measured<'a> {
        let density = self.options.density;
        let forms = Services::forms(self.services, self.keep, density);
        let chosen = self.chosen;
        let few: &[&NodeInput] = if chosen.compact.len() > CROWD {
            &[]
        } else {
            &chosen.compact
        };
        let compact: Vec<Compact<'a>> = few
            .iter()
            .map(|n| Compact::measure(n, self.pods.on(&n.name), self.keep))
            .collect();
        let context = Context {
            services: self.services,
            keep: self.keep,
            density,
            fold,
        };
        let n = chosen.opened.len().max(1) as f64;
        let narrow = forms.iter().map(|f| f.width).fold(f64::INFINITY, f64::min);
        let rest = self.options.width - 2.0 * EDGE - GAP * n;
        let fair = ((rest - narrow) / n).floor();
        let (least, most) = if density == Density::Middle {
            (232.0, 380.0)
        } else {
            (290.0, 440.0)
        };
        let mut widths: Vec<f64> = [fair, fair * 0.9, fair * 1.15, fair * 1.3]
            .map(|w| between(w.floor(), least, most))
            .to_vec();
        widths.dedup();
        let mut best: Option<Measured<'a>> = None;
        for wide in widths {
            let opened: Vec<Opened<'a>> = chosen
                .opened
                .iter()
                .map(|node| Opened::measure(node, self.pods.on(&node.name), &context, wide))
                .collect();
            for form in &forms {
                for under in [1, 2, 0] {
                    if under > compact.len() {
                        continue;
                    }
                    // The first is taken as it is; a later one must be worth it.
                    let floor = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.scale + WORTH);
                    best = self.measured(&opened, form, &compact, under, floor).or(best);
                }
            }
        }
        best.expect("at least one width and one form were tried")
    }

    /// One way to place everything: `under` compact nodes stand below the Services. `None`: it
    /// cannot be shown larger than `floor`.
    fn measured(
        &self,
        opened: &[Opened<'a>],
        form: &Services<'a>,
        compact: &[Compact<'a>],
        under: usize,
        floor: f64,
    ) -> Option<Measured<'a>> {
        let (options, pods) = (self.options, self.pods);
        let (middle, aside) = compact.split_at(under.min(compact.len()));
        let below: f64 = middle
            .iter()
            .map(|c| c.height + GAP + compact::CARD.1 / 2.0)
            .sum();
        let homeless = if pods.homeless.is_empty() {
            0.0
        } else {
            20.0 + 30.0 * pods.homeless.len().min(HOMELESS) as f64
        };
        let least = if options.density == Density::Middle {
            118.0
        } else {
            150.0
        };
        let has_middle = !form.is_empty() || !middle.is_empty() || !pods.homeless.is_empty();
        let middle_width = if has_middle {
            middle
                .iter()
                .map(|c| c.width)
                .fold(form.width.max(least), f64::max)
        } else {
            0.0
        };
        let lanes: Vec<&Lane> = opened.iter().map(|o| &o.lane).collect();
        let tallest = opened.iter().map(Opened::pods_height).fold(0.0, f64::max);
        let table = opened.iter().map(Opened::table_height).fold(0.0, f64::max);
        let column = TOP + form.height + below + homeless + 12.0;
        let levels = Levels::of(&lanes, TOP, tallest, table, options.height - BELOW, column);
        let mut width = 2.0 * EDGE + opened.iter().map(|o| o.width + GAP).sum::<f64>() + middle_width;
        if middle.len() > 1 {
            width += GUTTER;
        }
        // Columns of compact nodes, roughly: arranging them is exact.
        let stacked: f64 = aside.iter().map(|c| c.height + GAP + compact::CARD.1 / 2.0).sum();
        let columns = (stacked / (levels.bottom - TOP).max(1.0)).ceil();
        width += columns * (aside.iter().map(|c| c.width).fold(150.0, f64::max) + GAP);
        let height = levels.bottom.max(column) + BELOW;
        let scale = (options.width / width).min(options.height / height).min(1.0);
        if scale <= floor {
            return None;
        }
        Some(Measured {
            opened: opened.to_vec(),
            services: form.clone(),
            middle: middle.to_vec(),
            middle_width,
            aside: aside.to_vec(),
            crowd: if self.chosen.compact.len() > CROWD {
                self.chosen.compact.clone()
            } else {
                Vec::new()
            },
            levels,
            column,
            scale,
        })
    }
}

fn arrange(input: &Input, options: &Options, keep: &Keep, pods: &Pods<'_>, m: Measured<'_>) -> Draft {
    let mut draft = Draft::default();
    let bottom = if m.opened.is_empty() {
        m.column.max(TOP + 60.0)
    } else {
        m.levels.bottom
    };
    // Feet of cards, with the network that each is plugged into.
    let mut feet: Vec<(String, String, Point)> = Vec::new();
    let mut x = EDGE;
    let card = |n: &NodeInput| format!("if:node:{}/{}", n.name, n.uplink.name);
    let mut columns = m.opened.iter();
    if let Some(first) = columns.next() {
        let foot = first.draw(&mut draft, x, first.width, &m.levels, keep);
        feet.push((card(first.node), first.node.network.clone(), foot));
        x += first.width + GAP;
    }
    if m.middle_width > 0.0 {
        let services_height = m.services.height;
        m.services
            .draw(&mut draft, x, TOP + 2.0, m.middle_width, keep, options.density);
        let mut below = bottom;
        let mut gutter = 0.0;
        for (i, node) in m.middle.iter().enumerate() {
            let foot = node.draw(&mut draft, x, m.middle_width, below);
            if i > 0 {
                gutter = GUTTER;
            }
            feet.push((card(node.node), node.node.network.clone(), foot));
            below -= node.height + GAP + compact::CARD.1 / 2.0;
        }
        homeless(
            &mut draft,
            &pods.homeless,
            x,
            TOP + 2.0 + services_height + GAP,
            m.middle_width,
        );
        x += m.middle_width + GAP + gutter;
    }
    for node in columns {
        let foot = node.draw(&mut draft, x, node.width, &m.levels, keep);
        feet.push((card(node.node), node.node.network.clone(), foot));
        x += node.width + GAP;
    }
    let aside = beside(&mut draft, &m.aside, x, bottom, &mut feet);
    x = aside;
    if !m.crowd.is_empty() {
        let pods = m.crowd.iter().map(|n| pods.on(&n.name).len()).sum();
        let rect = Rect::new(x, bottom - 96.0, 170.0, 96.0);
        let foot = compact::crowd(&mut draft, &m.crowd, pods, rect);
        let network = m.crowd.first().map(|n| n.network.clone()).unwrap_or_default();
        feet.push(("nodes:more".to_owned(), network, foot));
        x += rect.w + GAP;
    }
    draft.width = x - GAP + EDGE;
    draft.height = bottom + EDGE;
    wire_below(&mut draft, input, &feet, bottom, true);
    draft
}

/// Compact nodes in columns of their own, filled from the bottom; cables go down in the gap right of each column.
fn beside(
    draft: &mut Draft,
    nodes: &[Compact<'_>],
    mut x: f64,
    bottom: f64,
    feet: &mut Vec<(String, String, Point)>,
) -> f64 {
    let mut i = 0;
    while i < nodes.len() {
        let mut end = i;
        let mut height = 0.0;
        while let Some(node) = nodes.get(end) {
            let needs = node.height + compact::CARD.1 / 2.0 + GAP;
            if end > i && height + needs > bottom - TOP {
                break;
            }
            height += needs;
            end += 1;
        }
        let column = &nodes[i..end];
        let wide = column.iter().map(|c| c.width).fold(150.0, f64::max);
        let mut below = bottom;
        for node in column.iter().rev() {
            let foot = node.draw(draft, x, wide, below);
            feet.push((
                format!("if:node:{}/{}", node.node.name, node.node.uplink.name),
                node.node.network.clone(),
                foot,
            ));
            below -= node.height + GAP + compact::CARD.1 / 2.0;
        }
        x += wide + GAP + if column.len() > 1 { GUTTER } else { 0.0 };
        i = end;
    }
    x
}

/// Pods that no node runs.
fn homeless(draft: &mut Draft, pods: &[&PodInput], x: f64, y: f64, wide: f64) {
    if pods.is_empty() {
        return;
    }
    let mut caption = shapes::plain(
        "caption:pending",
        ShapeKind::Caption,
        Rect::new(x, y, wide, 14.0),
        "Not running",
    );
    caption.spoken = format!("{} on no node", counted(pods.len(), "pod", "pods"));
    draft.put(caption);
    let alone = if pods.len() > HOMELESS {
        HOMELESS - 1
    } else {
        pods.len()
    };
    let mut y = y + 18.0;
    for pod in &pods[..alone] {
        let mut shape = shapes::pod(pod, Rect::new(x, y, wide, 26.0), "", PodDetail::Name);
        shape.parent = None;
        draft.put(shape);
        y += 30.0;
    }
    let rest = &pods[alone..];
    if !rest.is_empty() {
        let rect = Rect::new(x, y, wide, 26.0);
        let mut shape = shapes::plain(
            "stack:",
            ShapeKind::PodStack,
            rect,
            format!("{} more pods", rest.len()),
        );
        shape.spoken = format!("{} more pods on no node", rest.len());
        shape.health = crate::Health::Trouble;
        draft.put(shape);
        for pod in rest {
            draft.fold(pod.id(), "stack:");
        }
    }
}

/// The nodes' network, the cables to it, the outside, declared machines.
///
/// `wider`: the drawing may grow to the right so that all names stand in one row.
pub(crate) fn wire_below(
    draft: &mut Draft,
    input: &Input,
    feet: &[(String, String, Point)],
    bottom: f64,
    wider: bool,
) {
    let Some(first) = input.networks.first().filter(|_| !feet.is_empty()) else {
        let room = hosts::Room {
            top: TOP,
            width: if wider { 800.0 } else { draft.width },
            least: 0.0,
            known: None,
        };
        let (right, low) = hosts::draw(draft, input, &room);
        draft.width = draft.width.max(right + EDGE);
        draft.height = draft.height.max(low);
        return;
    };
    let y = bottom + DROP;
    let label = width(&first.label, Face::Chip) + width(&first.cidrs.join(", "), Face::Mono) + 10.0;
    let left = 10.0 + input.outside.len() as f64 * 170.0 + if input.router.is_some() { 200.0 } else { 0.0 };
    if wider {
        draft.width = draft.width.max(left + label + EDGE);
    }
    let drop = if left + label + EDGE > draft.width {
        32.0
    } else {
        18.0
    };
    let line = ground::network(draft, first, 8.0, y, draft.width - 16.0);
    let mut beside = 0.0;
    for (card, _, foot) in feet {
        let blocked = draft
            .shapes
            .iter()
            .any(|s| s.kind == ShapeKind::Node && s.y >= foot.y - 1.0 && s.x < foot.x && s.x + s.w > foot.x);
        if !blocked {
            ground::cable(draft, card, *foot, &first.name, line);
            continue;
        }
        // A node stands below: past it, in the gap right of its column.
        let right = draft
            .shapes
            .iter()
            .filter(|s| s.kind == ShapeKind::Node && s.x < foot.x && s.x + s.w > foot.x)
            .map(|s| s.x + s.w)
            .fold(0.0, f64::max);
        let x = right + 4.0 + 4.0 * (beside % 3.0);
        beside += 1.0;
        let turn = foot.y + 5.0;
        let points = vec![*foot, at(foot.x, turn), at(x, turn), at(x, line.y)];
        let network = format!("network:{}", first.name);
        draft.wire(
            format!("cable:{card}"),
            crate::EdgeKind::Cable,
            card,
            &network,
            points,
        );
    }
    let lowest = ground::outside(draft, input, EDGE, &first.name, line, drop);
    let room = hosts::Room {
        top: lowest + 24.0,
        width: if wider {
            draft.width.max(800.0)
        } else {
            draft.width
        },
        least: draft.width,
        known: Some((&first.name, line)),
    };
    let (right, low) = hosts::draw(draft, input, &room);
    let floor = if input.hosts.is_empty() {
        lowest.max(line.bottom() + 22.0) + 8.0
    } else {
        low
    };
    draft.width = draft.width.max(right + EDGE);
    draft.height = floor;
}
