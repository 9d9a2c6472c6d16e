//! What a path or a person wants to see, as the layout asks for it.

use hoplab_source::collections::BTreeMap;
use hoplab_trace::HookName;

/// After a hook's id: it is met on the way from the wire up to the pods.
pub(crate) const UP: &str = "@up";
/// Before a node's id: packets go between its card and its stack beside the tunnel.
pub(crate) const DIRECT: &str = "direct:";

/// Which way a packet goes when it meets a hook; decides on which side of the lane's other things it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the pods to the wire.
    Down,
    /// From the wire to the pods.
    Up,
}

/// The shapes kept, by id, with their place in the path's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keep {
    ids: BTreeMap<String, usize>,
}

impl Keep {
    pub(crate) fn of(ids: &[String]) -> Self {
        let mut map = BTreeMap::new();
        for (i, id) in ids.iter().enumerate() {
            map.entry(id.clone()).or_insert(i);
        }
        Self { ids: map }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// Whether anything is kept whose id begins so.
    pub(crate) fn below(&self, start: &str) -> bool {
        self.ids
            .range_from(start)
            .next()
            .is_some_and(|(id, _)| id.starts_with(start))
    }

    /// The place of an id in the path's order.
    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// Whether the node's own kernel is on the path: itself, an interface or a hook of it.
    pub(crate) fn node(&self, name: &str) -> Option<usize> {
        let node = format!("node:{name}");
        let inside = format!("{node}/");
        self.ids
            .iter()
            .filter(|(id, _)| {
                **id == node
                    || ["if:", "hook:"]
                        .iter()
                        .any(|p| id.strip_prefix(p).is_some_and(|r| r.starts_with(&inside)))
            })
            .map(|(_, place)| *place)
            .min()
    }

    /// Whether a hook of a node is on the path, and met on which way.
    pub(crate) fn hook(&self, node: &str, hook: HookName) -> Option<Way> {
        let id = format!("hook:node:{node}/{hook}");
        let down = self.place(&id);
        let up = self.place(&format!("{id}{UP}"));
        match (down, up) {
            (Some(down), Some(up)) if up < down => Some(Way::Up),
            (Some(_), _) => Some(Way::Down),
            (None, Some(_)) => Some(Way::Up),
            (None, None) => None,
        }
    }

    /// Whether packets pass between a node's card and its stack without the tunnel.
    pub(crate) fn direct(&self, node: &str) -> bool {
        self.has(&format!("{DIRECT}node:{node}"))
    }
}
