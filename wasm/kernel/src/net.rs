//! All stacks and the cables between them. A stack is built when it is first needed.

use crate::NetNs;
use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// A network namespace: an index into [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetNsId(pub u32);

/// A shared network: an index into [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FabricId(pub u32);

/// An interface of a stack, by name: what a cable is plugged into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortRef {
    /// The stack.
    pub netns: NetNsId,
    /// The interface.
    pub device: Name,
}

/// A switch that machines are plugged into. It forwards frames by MAC, and knows who is plugged in, so that a
/// broadcast in a world of hundreds of machines builds only the stack that answers.
#[derive(Clone, Debug)]
pub struct Fabric {
    /// `nodes`, `internet`, `lan`.
    pub name: Name,
    /// Its prefixes, for drawing.
    pub cidrs: Vec<IpNet>,
    /// Largest IP packet, in bytes.
    pub mtu_bytes: u32,
    /// Who is plugged in, by link address.
    pub ports: IndexMap<MacAddr, PortRef>,
    /// Who owns (or answers ARP for) an address on this network.
    pub owners: IndexMap<IpAddr, MacAddr>,
    /// Whether any address that nobody owns is a host that can be made on demand (the Internet).
    pub open: bool,
}

/// Builds stacks on demand: what `dataplane` and `engine` implement over their plans. Same id, same stack.
pub trait StackSource: Send + Sync {
    /// The stack with this id.
    fn build(&self, id: NetNsId) -> NetNs;

    /// An undeclared host on an open fabric: its stack, its link address and the interface plugged in.
    /// `None` when no machine can have this address.
    fn on_demand(&self, fabric: FabricId, address: IpAddr) -> Option<(NetNs, MacAddr, Name)>;
}

/// All network state of a world. Cloning is cheap; clones share the stacks built so far.
#[derive(Clone)]
pub struct Net {
    stacks: Arc<Vec<Arc<OnceLock<Arc<NetNs>>>>>,
    source: Arc<dyn StackSource>,
    /// Shared networks, by [`FabricId`].
    pub fabrics: Arc<Vec<Fabric>>,
}

impl Net {
    /// `count` stacks with ids from 0, built by `source` when first asked for.
    pub fn new(count: usize, fabrics: Vec<Fabric>, source: Arc<dyn StackSource>) -> Self {
        Self {
            stacks: Arc::new((0..count).map(|_| Arc::default()).collect()),
            source,
            fabrics: Arc::new(fabrics),
        }
    }

    /// The same, taking over stacks of `old` that `same` says have equal inputs (new id to old id).
    pub fn rebuilt(
        old: &Net,
        count: usize,
        fabrics: Vec<Fabric>,
        source: Arc<dyn StackSource>,
        same: impl Fn(NetNsId) -> Option<NetNsId>,
    ) -> Self {
        let kept = |id: u32| {
            same(NetNsId(id))
                .and_then(|o| old.stacks.get(o.0 as usize))
                .map(Arc::clone)
        };
        let stacks = (0u32..).take(count).map(|id| kept(id).unwrap_or_default());
        Self {
            stacks: Arc::new(stacks.collect()),
            source,
            fabrics: Arc::new(fabrics),
        }
    }

    /// The same with some stacks replaced and, from the next id on, some more; and with other networks where given.
    pub fn with(&self, stacks: BTreeMap<NetNsId, NetNs>, fabrics: Option<Vec<Fabric>>) -> Self {
        let mut slots = self.stacks.to_vec();
        for (id, netns) in stacks {
            let slot = Arc::new(OnceLock::from(Arc::new(netns)));
            match slots.get_mut(id.0 as usize) {
                Some(old) => *old = slot,
                None => slots.push(slot),
            }
        }
        Self {
            stacks: Arc::new(slots),
            source: Arc::clone(&self.source),
            fabrics: fabrics.map_or_else(|| Arc::clone(&self.fabrics), Arc::new),
        }
    }

    /// How many stacks there are; those made on demand during a run are not counted.
    pub fn len(&self) -> usize {
        self.stacks.len()
    }

    /// Whether there is no stack.
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// Whether the stack with this id has been built.
    pub fn is_built(&self, id: NetNsId) -> bool {
        self.stacks
            .get(id.0 as usize)
            .is_some_and(|slot| slot.get().is_some())
    }

    /// The stack with this id, built now if it is not yet. `None`: no such id.
    pub fn stack(&self, id: NetNsId) -> Option<&Arc<NetNs>> {
        let slot = self.stacks.get(id.0 as usize)?;
        Some(slot.get_or_init(|| Arc::new(self.source.build(id))))
    }

    /// How stacks are made.
    pub fn source(&self) -> &Arc<dyn StackSource> {
        &self.source
    }
}
