//! The kernel of a node that a path only turns round in: in by the wire, forwarded, out by the wire again.
//!
//! ```text
//!   FORWARD ----+
//!      |    POSTROUTING
//!  PREROUTING   |
//!      |     flannel.1
//!      +-- eth0-+
//! ```

use super::draft::{Draft, Rect, at};
use super::keep::Keep;
use super::lane::{CARD, Levels, Slot};
use super::opened::Opened;
use super::shapes;
use crate::text::{Face, width};
use crate::{EdgeKind, Point, ShapeKind};
use hoplab_trace::HookName;

impl Opened<'_> {
    /// Draws the two lanes; gives the point where the cable leaves.
    #[expect(
        clippy::too_many_arguments,
        reason = "the same as those of the single lane, one caller"
    )]
    pub(super) fn draw_turn(
        &self,
        draft: &mut Draft,
        lane: f64,
        inner: f64,
        levels: &Levels,
        start: Option<(String, f64)>,
        keep: &Keep,
        hooks: &mut Vec<(HookName, Rect)>,
    ) -> Point {
        let (node, size) = (self.node, self.size);
        let second = inner + size.lane + size.beside + 8.0;
        let down = (second + size.lane / 2.0).round();
        let half = size.lane / 2.0 - 3.0;
        let aside = (down + half + 7.0).min(second + size.chip - 4.0).round();

        let (y, h) = levels.slot(Slot::Hook(HookName::Forward), false);
        let forward = Rect::new(lane - size.lane / 2.0 + 4.0, y, size.lane - 8.0, h);
        let forward_id = self.hook(draft, HookName::Forward, forward, keep);
        self.join(draft, start, (&forward_id, forward.y), lane);

        let (y, h) = levels.slot(Slot::Hook(HookName::Postrouting), false);
        let post = Rect::new(second, y, size.chip, h);
        let post_id = self.hook(draft, HookName::Postrouting, post, keep);
        let turn = forward.mid_y().round();
        draft.wire(
            format!("inside:{post_id}"),
            EdgeKind::Inside,
            &forward_id,
            &post_id,
            vec![at(forward.right(), turn), at(down, turn), at(down, post.y)],
        );
        let pre = Rect::new(inner, y, size.chip, h);
        let pre_id = self.hook(draft, HookName::Prerouting, pre, keep);
        self.join(
            draft,
            Some((forward_id, forward.bottom())),
            (&pre_id, pre.y),
            lane,
        );
        hooks.extend([(HookName::Prerouting, pre), (HookName::Postrouting, post)]);

        let least = width(&node.uplink.name, Face::Mono) + width(&node.uplink.detail, Face::Mono) + 26.0;
        let left = (lane - 62.0).max(inner);
        let wide = (aside + 12.0 - left).max(least);
        let card = Rect::new(left, levels.card, wide, CARD);
        let shape = shapes::device(&node.name, &node.uplink, ShapeKind::Interface, card);
        let card_id = shape.id.clone();
        draft.put(shape);
        draft.wire(
            format!("inside:{pre_id}/{}", node.uplink.name),
            EdgeKind::Inside,
            &pre_id,
            &card_id,
            vec![at(lane, pre.bottom()), at(lane, card.y)],
        );

        let tunnel = node
            .tunnel
            .as_ref()
            .filter(|_| self.lane.slots.contains(&Slot::Tunnel));
        let above = match tunnel {
            Some(device) => {
                let (y, h) = levels.slot(Slot::Tunnel, false);
                let rect = Rect::new(down - half, y, 2.0 * half, h);
                let shape = shapes::device(&node.name, device, ShapeKind::Tunnel, rect);
                let id = shape.id.clone();
                draft.put(shape);
                self.join(draft, Some((post_id.clone(), post.bottom())), (&id, rect.y), down);
                // What comes out of the tunnel goes up the other lane.
                let across = rect.mid_y().round();
                draft.wire(
                    format!("inside:{id}/up"),
                    EdgeKind::Inside,
                    &id,
                    &pre_id,
                    vec![at(rect.x, across), at(lane, across), at(lane, pre.bottom())],
                );
                if self.direct {
                    let from = (post_id, post.bottom());
                    self.pass_tunnel(draft, from, down, aside, (&card_id, card.y));
                }
                (id, rect.bottom())
            }
            None => {
                if let Some(device) = &node.tunnel {
                    let id = format!("if:node:{}/{}", node.name, device.name);
                    draft.fold(id, &format!("node:{}", node.name));
                }
                (post_id, post.bottom())
            }
        };
        self.join(draft, Some(above), (&card_id, card.y), down);
        at(lane, card.bottom())
    }
}
