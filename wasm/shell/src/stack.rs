//! What the commands of one network namespace look at.

use hoplab_engine::{Around, World};
use hoplab_kernel::{Net, NetNs, NetNsId, PortRef};
use hoplab_trace::{Micros, Name, Place};
use hoplab_wire::MacAddr;
use std::net::IpAddr;
use std::time::Duration;

/// A network namespace as its commands see it: what was configured, and what packets left behind.
pub(crate) struct Stack<'a> {
    /// Which one.
    pub id: NetNsId,
    /// It.
    pub netns: &'a NetNs,
    /// The others, for the far ends of its cables.
    pub net: &'a Net,
    /// Neighbours that committed runs learned; without an address: asked for in vain. With their state.
    pub neighbours: Vec<(Name, IpAddr, Option<MacAddr>, &'static str)>,
    /// Link addresses that bridges learned: bridge, address, port.
    pub learned: Vec<(Name, MacAddr, Name)>,
    /// Remote tunnel ends that VXLAN devices learned: device, inner address, tunnel end.
    pub remotes: Vec<(Name, MacAddr, IpAddr)>,
}

/// base_reachable_time: how long a confirmed neighbour counts as reachable. The kernel's is random between half and one
/// and a half of it.
const REACHABLE: Duration = Duration::from_secs(30);
/// ageing_time of bridges and VXLAN devices.
const AGEING: Duration = Duration::from_secs(300);

impl<'a> Stack<'a> {
    /// The stack with this id and what packets left behind there.
    pub fn of(world: &'a World, id: NetNsId) -> Option<Self> {
        let netns = Around::stack(world, id)?;
        let now = world.overlay().now;
        let fresh = |at: Micros, age: Duration| at + age >= now;
        let mut stack = Self {
            id,
            netns,
            net: world.net(),
            neighbours: Vec::new(),
            learned: Vec::new(),
            remotes: Vec::new(),
        };
        if let Some(state) = world.overlay().stack(id) {
            stack
                .neighbours
                .extend(state.neighbours.iter().map(|((device, ip), known)| {
                    let word = match known.mac {
                        None => "FAILED",
                        Some(_) if fresh(known.at, REACHABLE) => "REACHABLE",
                        Some(_) => "STALE",
                    };
                    (device.clone(), *ip, known.mac, word)
                }));
            let learned = state.fdb.iter().filter(|(_, known)| fresh(known.at, AGEING));
            stack
                .learned
                .extend(learned.map(|((bridge, mac), known)| (bridge.clone(), *mac, known.port.clone())));
            let remotes = state
                .tunnel_fdb
                .iter()
                .filter(|(_, known)| fresh(known.at, AGEING));
            stack
                .remotes
                .extend(remotes.map(|((device, mac), known)| (device.clone(), *mac, known.remote)));
        }
        Some(stack)
    }

    /// Index of a cable's far end in its namespace, and that namespace.
    pub fn peer(&self, peer: &PortRef) -> Option<(u32, NetNsId)> {
        let far = self.net.stack(peer.netns)?;
        Some((far.interfaces.get(&peer.device)?.index, peer.netns))
    }

    /// Whether a cable leads from here to another namespace, so that it has a number here.
    pub fn has_cable_to(&self, other: NetNsId) -> bool {
        self.netns.interfaces.values().any(|interface| {
            matches!(&interface.kind, hoplab_kernel::interface::InterfaceKind::Veth { peer } if peer.netns == other && other != self.id)
        })
    }

    /// The name that a namespace of this machine has; iproute2 looks it up for the number.
    pub fn netns_name(&self, other: NetNsId) -> Option<Name> {
        match (&self.netns.place, &self.net.stack(other)?.place) {
            (
                Place::Host(here) | Place::Node(here) | Place::HostNetNs(here, _),
                Place::HostNetNs(there, name),
            ) if here == there => Some(name.clone()),
            _ => None,
        }
    }

    /// The number by which `ip` calls another namespace: in the order in which this one's cables lead there.
    pub fn netnsid(&self, other: NetNsId) -> usize {
        let mut seen: Vec<NetNsId> = Vec::new();
        for interface in self.netns.interfaces.values() {
            if let hoplab_kernel::interface::InterfaceKind::Veth { peer } = &interface.kind {
                if peer.netns == other {
                    return seen.len();
                }
                if peer.netns != self.id && !seen.contains(&peer.netns) {
                    seen.push(peer.netns);
                }
            }
        }
        seen.len()
    }
}
