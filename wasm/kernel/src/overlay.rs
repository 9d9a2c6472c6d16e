//! What packets leave behind: connections, learned neighbours and MAC addresses, path MTUs, counters, recent lists,
//! and the hosts that were made on demand. Given into a run and taken out of it again.

use crate::conntrack::{Conntrack, Entry};
use crate::ipvs::IpvsState;
use crate::net::{FabricId, PortRef};
use crate::process::Remembered;
use crate::{NetNs, NetNsId};
use hoplab_source::collections::IndexMap;
use hoplab_trace::{Micros, Name};
use hoplab_wire::MacAddr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// First id of a stack that was made on demand; ids below are the world's own.
pub(crate) const FIRST_ON_DEMAND: u32 = 1 << 31;

/// State that outlives a run. Cloning is cheap: stacks that a run does not touch are shared.
#[derive(Clone, Default)]
pub struct Overlay {
    stacks: IndexMap<NetNsId, Arc<StackState>>,
    pub(crate) on_demand: IndexMap<(FabricId, IpAddr), OnDemand>,
    pub(crate) on_demand_ports: IndexMap<(FabricId, MacAddr), PortRef>,
    /// The time until which runs have used the clock.
    pub now: Micros,
    /// Connections opened so far: ephemeral ports and sequence numbers go on from here.
    pub(crate) opened: u32,
}

/// A host made on demand.
#[derive(Clone)]
pub(crate) struct OnDemand {
    pub(crate) mac: MacAddr,
    pub(crate) ns: Arc<NetNs>,
}

/// What packets left behind in one stack.
#[derive(Clone, Debug, Default)]
pub struct StackState {
    /// Connections.
    pub conntrack: Conntrack,
    /// Learned neighbours: (device, address).
    pub neighbours: IndexMap<(Name, IpAddr), LearnedNeighbour>,
    /// Learned MAC addresses: (bridge, address) to port.
    pub fdb: IndexMap<(Name, MacAddr), LearnedMac>,
    /// Remote tunnel ends that a VXLAN device learned: (device, inner address).
    pub tunnel_fdb: IndexMap<(Name, MacAddr), LearnedRemote>,
    /// Path MTUs that ICMP taught: destination to MTU and when that is forgotten.
    pub path_mtus: IndexMap<IpAddr, (u16, Micros)>,
    /// Lists of `-m recent`: name, then source address to when it was last noted.
    pub recent: IndexMap<Name, IndexMap<IpAddr, Micros>>,
    /// Connections of IPVS.
    pub ipvs: IpvsState,
    /// Counters of interfaces.
    pub devices: IndexMap<Name, DeviceCounters>,
    /// What processes remember, by the program's name.
    pub remembered: IndexMap<Name, Remembered>,
}

/// A neighbour that ARP taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedNeighbour {
    /// Its link address; `None`: nobody answered.
    pub mac: Option<MacAddr>,
    /// When it was last confirmed or given up.
    pub at: Micros,
}

/// A MAC address that a bridge learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedMac {
    /// Its port.
    pub port: Name,
    /// When it was last seen.
    pub at: Micros,
}

/// A remote tunnel end that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedRemote {
    /// The tunnel end.
    pub remote: IpAddr,
    /// When it was last seen.
    pub at: Micros,
}

/// Counters as `ip -s link` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

/// `ageing_time` of a bridge and of a VXLAN device.
pub(crate) const MAC_AGE: Duration = Duration::from_secs(300);

impl Overlay {
    /// What packets left behind in one stack; `None`: nothing.
    pub fn stack(&self, id: NetNsId) -> Option<&StackState> {
        self.stacks.get(&id).map(|s| &**s)
    }

    /// Puts what a program of this name remembers in one stack.
    pub fn remember(&mut self, id: NetNsId, program: &str, what: Remembered) {
        self.stack_mut(id).remembered.insert(program.into(), what);
    }

    pub(crate) fn stack_mut(&mut self, id: NetNsId) -> &mut StackState {
        Arc::make_mut(self.stacks.entry(id).or_default())
    }

    /// Stacks in which anything was left behind.
    pub fn stacks(&self) -> impl Iterator<Item = (NetNsId, &StackState)> {
        self.stacks.iter().map(|(id, s)| (*id, &**s))
    }

    /// Forgets what a change of a stack took away: what was learned on interfaces that are gone, down or ports of
    /// another bridge, and path MTUs.
    pub fn prune(&mut self, id: NetNsId, netns: &NetNs) {
        if !self.stacks.contains_key(&id) {
            return;
        }
        let up = |name: &Name| netns.interfaces.get(name).is_some_and(|i| i.up);
        let state = self.stack_mut(id);
        state
            .neighbours
            .retain(|key, _| up(&key.0) && !netns.neighbours.contains_key(key));
        state.fdb.retain(|(bridge, _), learned| {
            let port = netns.interfaces.get(&learned.port);
            up(bridge) && port.is_some_and(|p| p.up && p.master.as_ref() == Some(bridge))
        });
        state.tunnel_fdb.retain(|(device, _), _| up(device));
        state.path_mtus.clear();
    }

    /// Forgets what was learned about one neighbour.
    pub fn forget_neighbour(&mut self, id: NetNsId, device: &Name, ip: IpAddr) {
        let known = |s: &StackState| s.neighbours.contains_key(&(Arc::clone(device), ip));
        if self.stack(id).is_some_and(known) {
            let key = (Arc::clone(device), ip);
            self.stack_mut(id).neighbours.shift_remove(&key);
        }
    }

    /// Forgets the connections of one stack that `goes` says.
    pub fn forget_connections(&mut self, id: NetNsId, goes: &dyn Fn(&Entry) -> bool) {
        let now = self.now;
        if self.stacks.contains_key(&id) {
            let table = &mut self.stack_mut(id).conntrack;
            let gone: Vec<_> = table
                .entries(now)
                .filter(|entry| goes(entry))
                .map(|entry| entry.id)
                .collect();
            gone.into_iter().for_each(|id| table.remove(id));
        }
    }

    /// Forgets a link address that a bridge learned.
    pub fn forget_mac(&mut self, id: NetNsId, bridge: &Name, mac: MacAddr) {
        if self.stacks.contains_key(&id) {
            let key = (Arc::clone(bridge), mac);
            self.stack_mut(id).fdb.shift_remove(&key);
        }
    }

    /// Forgets everything about one stack, as when it was taken away.
    pub fn forget(&mut self, id: NetNsId) {
        self.stacks.swap_remove(&id);
    }

    /// The same state where stacks have other ids now: `new_id` says which (`None`: the stack is gone).
    pub fn renumbered(&self, new_id: impl Fn(NetNsId) -> Option<NetNsId>) -> Self {
        let mut other = Self {
            now: self.now,
            opened: self.opened,
            ..Self::default()
        };
        for (id, state) in &self.stacks {
            if id.0 < FIRST_ON_DEMAND
                && let Some(id) = new_id(*id)
            {
                other.stacks.insert(id, Arc::clone(state));
            }
        }
        other
    }

    /// A host that was made on demand, by its id.
    pub fn on_demand(&self, id: NetNsId) -> Option<&Arc<NetNs>> {
        let index = id.0.checked_sub(FIRST_ON_DEMAND)?;
        self.on_demand.get_index(index as usize).map(|(_, host)| &host.ns)
    }
}
