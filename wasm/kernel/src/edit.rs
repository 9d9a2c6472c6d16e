//! What a request over netlink changes: links, addresses, routes, rules, neighbours, settings. One function a request,
//! refused as the kernel refuses it.
//!
//! A [`Net`] never changes. An [`Edit`] takes copies of the stacks that a request touches (those at the far ends of
//! cables too), and [`Edit::finish`] gives the net with them in place. Declared machines are built by the same
//! functions over an edit of their own.

mod address;
mod fdb;
mod link;
mod neighbour;
pub mod netfilter;
mod route;
mod rule;
pub mod sysctl;

pub use address::{NewAddress, is_secondary};
pub use fdb::NewFdbEntry;
pub use link::{LinkKind, NewLink};
pub use neighbour::NewNeighbour;
pub use route::{Hop, Mode, NewRoute, RouteSelector};

use crate::interface::{Interface, InterfaceKind};
use crate::net::{Fabric, FabricId};
use crate::{Net, NetNs, NetNsId};
use hoplab_source::Origin;
use hoplab_source::collections::BTreeMap;
use hoplab_trace::{Name, Place};
use hoplab_wire::MacAddr;
use std::sync::Arc;
use thiserror::Error;

/// Why a request is refused, in the words in which iproute2 passes it on. Source: iproute2 lib/libnetlink.c
/// rtnl_talk_error, nl_dump_ext_ack.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// An errno alone.
    #[error("RTNETLINK answers: {0}")]
    Errno(&'static str),
    /// With the kernel's own message (NL_SET_ERR_MSG).
    #[error("Error: {0}.")]
    Message(&'static str),
    /// iproute2 found no such device.
    #[error("Cannot find device \"{0}\"")]
    NoDevice(Name),
    /// The kernel can, this model cannot.
    #[error("{0} is not modelled by hoplab")]
    NotModelled(&'static str),
}

/// EEXIST.
pub const EXISTS: Refused = Refused::Errno("File exists");
/// EOPNOTSUPP.
pub const NOT_SUPPORTED: Refused = Refused::Errno("Operation not supported");
/// EINVAL.
pub const INVALID: Refused = Refused::Errno("Invalid argument");
/// ENOENT.
pub const NO_ENTRY: Refused = Refused::Errno("No such file or directory");

/// Stacks under change.
pub struct Edit {
    base: Option<Net>,
    stacks: BTreeMap<NetNsId, NetNs>,
    count: u32,
    fabrics: Option<Vec<Fabric>>,
    /// Why what is added now exists.
    pub origin: Option<Arc<Origin>>,
}

impl Edit {
    /// Changes of a net.
    pub fn of(net: &Net) -> Self {
        Self {
            count: u32::try_from(net.len()).unwrap_or(u32::MAX),
            base: Some(net.clone()),
            stacks: BTreeMap::new(),
            fabrics: None,
            origin: None,
        }
    }

    /// A machine that is built alone: its stacks are put in by [`Edit::put`].
    pub fn alone() -> Self {
        Self {
            base: None,
            stacks: BTreeMap::new(),
            count: 0,
            fabrics: None,
            origin: None,
        }
    }

    /// Puts a stack in, under an id that is known elsewhere.
    pub fn put(&mut self, id: NetNsId, netns: NetNs) {
        self.stacks.insert(id, netns);
    }

    /// `ip netns add`: a stack that has `lo`, down and without an address.
    pub fn netns_add(&mut self, place: Place) -> NetNsId {
        let id = NetNsId(self.count);
        self.count += 1;
        self.put(id, bare(place));
        id
    }

    /// What becomes of a namespace that nobody holds any more (`cleanup_net`): its cables are gone, at both ends;
    /// cards go back to the machine's own namespace, `home`.
    pub fn netns_del(&mut self, id: NetNsId, home: NetNsId) {
        let devices: Vec<(Name, bool)> = self
            .netns(id)
            .interfaces
            .values()
            .filter(|i| !matches!(i.kind, InterfaceKind::Loopback))
            .map(|i| {
                (
                    Arc::clone(&i.name),
                    matches!(i.kind, InterfaceKind::Physical { .. }),
                )
            })
            .collect();
        for (name, card) in devices {
            let _ = if card {
                self.link_set_netns(id, &name, home)
            } else {
                self.link_del(id, &name)
            };
        }
        let place = self.netns(id).place.clone();
        self.put(id, bare(place));
    }

    /// A stack as it is now.
    pub fn netns(&self, id: NetNsId) -> &NetNs {
        self.stacks
            .get(&id)
            .or_else(|| self.base.as_ref()?.stack(id).map(|netns| &**netns))
            .expect("ids of stacks come from the net that is edited")
    }

    /// The same, to be changed.
    pub fn netns_mut(&mut self, id: NetNsId) -> &mut NetNs {
        if !self.stacks.contains_key(&id) {
            let copy = self.netns(id).clone();
            self.stacks.insert(id, copy);
        }
        self.stacks.get_mut(&id).expect("it was just put in")
    }

    /// The stacks that differ from the net's own, by id.
    pub fn changed(&self) -> impl Iterator<Item = (NetNsId, &NetNs)> {
        self.stacks.iter().map(|(id, netns)| (*id, netns))
    }

    /// A stack taken out of the edit.
    pub fn take(&mut self, id: NetNsId) -> Option<NetNs> {
        self.stacks.remove(&id)
    }

    /// The net with the changes in place.
    pub fn finish(self) -> Option<Net> {
        Some(self.base?.with(self.stacks, self.fabrics))
    }

    fn device(&self, netns: NetNsId, name: &str) -> Result<&Interface, Refused> {
        self.netns(netns)
            .interfaces
            .get(name)
            .ok_or_else(|| Refused::NoDevice(name.into()))
    }

    fn device_mut(&mut self, netns: NetNsId, name: &str) -> Result<&mut Interface, Refused> {
        self.device(netns, name)?;
        let found = self.netns_mut(netns).interfaces.get_mut(name);
        found.ok_or_else(|| Refused::NoDevice(name.into()))
    }

    /// A network of the world, to be changed; `None` while a machine is built alone: the plan plugs it in.
    fn fabric_mut(&mut self, id: FabricId) -> Option<&mut Fabric> {
        let base = self.base.as_ref()?;
        let fabrics = self.fabrics.get_or_insert_with(|| base.fabrics.to_vec());
        fabrics.get_mut(id.0 as usize)
    }
}

fn bare(place: Place) -> NetNs {
    let mut netns = NetNs::new(place);
    let lo: Name = "lo".into();
    let interface = Interface {
        index: 1,
        name: Arc::clone(&lo),
        kind: InterfaceKind::Loopback,
        mac: MacAddr::ZERO,
        mtu_bytes: 65_536,
        up: false,
        addresses: Vec::new(),
        master: None,
        hairpin: false,
        origin: Some(Arc::new(Origin::by("kernel"))),
    };
    netns.interfaces.insert(lo, interface);
    netns
}

#[cfg(test)]
mod tests;
