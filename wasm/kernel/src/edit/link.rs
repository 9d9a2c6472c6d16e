//! Links: made, taken away, set. Models net/core/rtnetlink.c, net/core/dev.c and the drivers' own rules.

use super::{EXISTS, Edit, INVALID, NOT_SUPPORTED, Refused};
use crate::fib::{Answer, Question, answer};
use crate::interface::{Bridge, Interface, InterfaceKind, Tunnel, VxlanDevice};
use crate::net::{FabricId, PortRef};
use crate::{NetNs, NetNsId};
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::sync::Arc;

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: LinkKind,
    /// Its link address; else one that is made up, the same each time.
    pub mac: Option<MacAddr>,
    /// Its MTU in bytes; else the driver's.
    pub mtu_bytes: Option<u32>,
}

/// What a new link is.
#[derive(Clone, Debug)]
pub enum LinkKind {
    /// `type bridge`.
    Bridge,
    /// `type dummy`.
    Dummy,
    /// `type veth peer name NAME`.
    Veth {
        /// The other end's name.
        peer: Name,
        /// The other end's namespace.
        netns: NetNsId,
        /// The other end's link address.
        mac: Option<MacAddr>,
    },
    /// `type vxlan`.
    Vxlan(VxlanDevice),
    /// `type vlan`.
    Vlan {
        /// The interface below.
        lower: Name,
        /// VLAN identifier.
        id: u16,
    },
    /// `type ipip`, `gre` or `geneve`.
    Tunnel(Tunnel),
    /// A card; no request makes one, a document does.
    Physical(FabricId),
}

/// IFNAMSIZ less the final NUL.
const LONGEST_NAME: usize = 15;
/// ETH_MIN_MTU.
const LEAST_MTU: u32 = 68;
/// ETH_MAX_MTU.
const LARGEST_MTU: u32 = 65_535;
/// ETH_DATA_LEN.
const ETHERNET_MTU: u32 = 1500;
/// IPv4, UDP, VXLAN and the inner Ethernet header.
const VXLAN_OVERHEAD: u32 = 50;

/// A link address that nobody gave: locally administered, of the namespace, the name and the index.
fn made_up(netns: &NetNs, name: &str, index: u32) -> MacAddr {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in format!("{}/{name}/{index}", netns.place).bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let b = hash.to_be_bytes();
    MacAddr([(b[0] ^ b[7]) & 0xfc | 2, b[1], b[2], b[3], b[4], b[5] ^ b[6]])
}

/// dev_new_index: indices are not given twice.
fn next_index(netns: &mut NetNs) -> u32 {
    let highest = netns.interfaces.values().map(|i| i.index).max().unwrap_or(0);
    netns.last_index = netns.last_index.max(highest) + 1;
    netns.last_index
}

/// dev_valid_name.
fn check_name(name: &str) -> Result<(), Refused> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Refused::Message("Attribute failed policy validation"));
    }
    if name == "." || name == ".." || name.contains(['/', ':']) || name.contains(char::is_whitespace) {
        return Err(INVALID);
    }
    Ok(())
}

fn check_mtu(mtu_bytes: u32) -> Result<(), Refused> {
    match mtu_bytes {
        ..LEAST_MTU => Err(Refused::Message("mtu less than device minimum")),
        LARGEST_MTU.. if mtu_bytes > LARGEST_MTU => Err(Refused::Message("mtu greater than device maximum")),
        _ => Ok(()),
    }
}

impl Edit {
    /// RTM_NEWLINK with NLM_F_EXCL.
    pub fn link_add(&mut self, netns: NetNsId, new: NewLink) -> Result<(), Refused> {
        check_name(&new.name)?;
        if let Some(mtu_bytes) = new.mtu_bytes {
            check_mtu(mtu_bytes)?;
        }
        let taken = |edit: &Self, id, name: &str| edit.netns(id).interfaces.contains_key(name);
        if taken(self, netns, &new.name) {
            return Err(EXISTS);
        }
        let (mut mtu_bytes, kind) = match new.kind {
            LinkKind::Bridge => {
                let bridge = Bridge {
                    follows_mac: new.mac.is_none(),
                    follows_mtu: new.mtu_bytes.is_none(),
                    ..Bridge::default()
                };
                (ETHERNET_MTU, InterfaceKind::Bridge(bridge))
            }
            LinkKind::Dummy => (ETHERNET_MTU, InterfaceKind::Dummy),
            LinkKind::Physical(fabric) => (ETHERNET_MTU, InterfaceKind::Physical { fabric }),
            LinkKind::Vxlan(vxlan) => {
                let lower = self.device(netns, &vxlan.lower)?.mtu_bytes;
                (lower.saturating_sub(VXLAN_OVERHEAD), InterfaceKind::Vxlan(vxlan))
            }
            LinkKind::Vlan { lower, id } => {
                (self.vlan(netns, &lower, id)?, InterfaceKind::Vlan { lower, id })
            }
            LinkKind::Tunnel(tunnel) => (self.tunnel(netns, &tunnel)?, InterfaceKind::Tunnel(tunnel)),
            LinkKind::Veth {
                peer,
                netns: other,
                mac,
            } => {
                check_name(&peer)?;
                if taken(self, other, &peer) || (other == netns && peer == new.name) {
                    return Err(EXISTS);
                }
                // veth_newlink registers the peer first.
                let back = InterfaceKind::Veth {
                    peer: PortRef {
                        netns,
                        device: Arc::clone(&new.name),
                    },
                };
                let mtu = new.mtu_bytes.unwrap_or(ETHERNET_MTU);
                self.register(other, Arc::clone(&peer), back, mac, mtu);
                let ahead = PortRef {
                    netns: other,
                    device: peer,
                };
                (ETHERNET_MTU, InterfaceKind::Veth { peer: ahead })
            }
        };
        if let Some(given) = new.mtu_bytes {
            if kind.lower().is_some() && given > mtu_bytes {
                return Err(INVALID);
            }
            mtu_bytes = given;
        }
        // A VLAN's card has the link address of the one below it (vlan_dev_init).
        let mac = match &kind {
            InterfaceKind::Vlan { lower, .. } => {
                new.mac.or_else(|| Some(self.device(netns, lower).ok()?.mac))
            }
            _ => new.mac,
        };
        self.register(netns, new.name, kind, mac, mtu_bytes);
        Ok(())
    }

    /// The MTU of a new VLAN's card. Source: net/8021q/vlan_netlink.c vlan_newlink, vlan.c vlan_check_real_dev.
    fn vlan(&self, netns: NetNsId, lower: &str, id: u16) -> Result<u32, Refused> {
        let mtu_bytes = self.device(netns, lower)?.mtu_bytes;
        if id >= 4095 {
            return Err(Refused::Message("8021q: Invalid VLAN id"));
        }
        let same = |kind: &InterfaceKind| matches!(kind, InterfaceKind::Vlan { lower: l, id: i } if **l == *lower && *i == id);
        if self.netns(netns).interfaces.values().any(|i| same(&i.kind)) {
            return Err(Refused::Message("8021q: VLAN device already exists"));
        }
        Ok(mtu_bytes)
    }

    /// The MTU of a new tunnel: what its headers leave of that of the way to its other end. Source: net/ipv4/ip_tunnel.c
    /// ip_tunnel_newlink, ip_tunnel_bind_dev; drivers/net/geneve.c geneve_configure, geneve_link_config.
    fn tunnel(&self, netns: NetNsId, new: &Tunnel) -> Result<u32, Refused> {
        let stack = self.netns(netns);
        let twin = |i: &Interface| matches!(&i.kind, InterfaceKind::Tunnel(t) if t == new);
        // tunl0 and gre0 have what has no end at all.
        let bare = !new.carries_frames() && new.local.is_none() && new.remote.is_none();
        if bare || stack.interfaces.values().any(twin) {
            return Err(EXISTS);
        }
        let way = new.remote.map(|to| {
            let question = Question {
                to,
                from: new.local,
                iif: None,
                oif: None,
                mark: 0,
            };
            answer(netns, &Arc::new(stack.clone()), &question)
        });
        let below = match way {
            Some(Answer::Unicast { device, .. }) => Some(self.device(netns, &device)?.mtu_bytes),
            _ => None,
        };
        let overhead = u32::from(new.overhead_bytes());
        Ok(match below {
            None if new.carries_frames() => ETHERNET_MTU,
            below => below.unwrap_or(ETHERNET_MTU).saturating_sub(overhead),
        })
    }

    /// The VLANs on a device, which follow it up and down (vlan_device_event).
    fn vlans_on(&self, netns: NetNsId, name: &str) -> Vec<Name> {
        let all = self.netns(netns).interfaces.values();
        let on = |kind: &InterfaceKind| matches!(kind, InterfaceKind::Vlan { lower, .. } if **lower == *name);
        all.filter(|i| on(&i.kind)).map(|i| Arc::clone(&i.name)).collect()
    }

    /// register_netdevice: down, without an address.
    fn register(
        &mut self,
        id: NetNsId,
        name: Name,
        kind: InterfaceKind,
        mac: Option<MacAddr>,
        mtu_bytes: u32,
    ) {
        let origin = self.origin.clone();
        let netns = self.netns_mut(id);
        let index = next_index(netns);
        let interface = Interface {
            index,
            mac: mac.unwrap_or_else(|| made_up(netns, &name, index)),
            name: Arc::clone(&name),
            kind,
            mtu_bytes,
            up: false,
            addresses: Vec::new(),
            master: None,
            hairpin: false,
            origin,
        };
        netns.interfaces.insert(name, interface);
    }

    /// RTM_DELLINK: of a veth both ends; a bridge lets its ports go; what lies on the device goes with it.
    pub fn link_del(&mut self, netns: NetNsId, name: &str) -> Result<(), Refused> {
        let peer = match &self.device(netns, name)?.kind {
            InterfaceKind::Loopback | InterfaceKind::Physical { .. } => return Err(NOT_SUPPORTED),
            InterfaceKind::Veth { peer } => Some(peer.clone()),
            _ => None,
        };
        self.unregister(netns, name);
        if let Some(peer) = peer {
            self.unregister(peer.netns, &peer.device);
        }
        Ok(())
    }

    fn unregister(&mut self, id: NetNsId, name: &str) {
        let netns = self.netns_mut(id);
        let Some(gone) = netns.interfaces.shift_remove(name) else {
            return;
        };
        netns.last_index = netns.last_index.max(gone.index);
        netns.downed.remove(name);
        forget_device(netns, name);
        let upper: Vec<Name> = netns
            .interfaces
            .values()
            .filter(|i| i.kind.lower().is_some_and(|lower| **lower == *name))
            .map(|i| Arc::clone(&i.name))
            .collect();
        for upper in upper {
            self.unregister(id, &upper);
        }
        let netns = self.netns_mut(id);
        for port in netns.interfaces.values_mut() {
            if port.master.as_deref() == Some(name) {
                port.master = None;
            }
        }
        if let Some(master) = gone.master {
            follow_ports(netns, &master);
        }
    }

    /// `ip link set DEV up`: the routes of its addresses appear; `lo` gets 127.0.0.1.
    pub fn link_set_up(&mut self, netns: NetNsId, name: &str) -> Result<(), Refused> {
        if let InterfaceKind::Vlan { lower, .. } = &self.device(netns, name)?.kind
            && !self.device(netns, lower)?.up
        {
            return Err(Refused::Errno("Network is down"));
        }
        let device = self.device_mut(netns, name)?;
        if device.up {
            return Ok(());
        }
        device.up = true;
        let bare_loopback = matches!(device.kind, InterfaceKind::Loopback) && device.addresses.is_empty();
        let addresses = device.addresses.clone();
        if bare_loopback {
            // Source: net/ipv4/devinet.c inetdev_event NETDEV_UP.
            let net = super::NewAddress::of(ipnet::Ipv4Net::new_assert([127, 0, 0, 1].into(), 8).into());
            return self.addr_add(netns, name, net);
        }
        for (i, address) in addresses.iter().enumerate() {
            if !super::address::is_secondary(&addresses[..i], address) {
                self.connect(netns, name, address.net);
            }
        }
        self.speak_ipv6(netns);
        for vlan in self.vlans_on(netns, name) {
            self.link_set_up(netns, &vlan)?;
        }
        Ok(())
    }

    /// `ip link set DEV down`: its routes and neighbours go, its IPv4 addresses stay (addrconf_ifdown takes the others).
    pub fn link_set_down(&mut self, netns: NetNsId, name: &str) -> Result<(), Refused> {
        if self.device(netns, name)?.up {
            let device = self.device_mut(netns, name)?;
            device.up = false;
            device
                .addresses
                .retain(|a| a.net.addr().is_ipv4() || a.net.addr().is_loopback());
            let stack = self.netns_mut(netns);
            stack.downed.insert(name.into());
            lose_routes(stack, name);
            for vlan in self.vlans_on(netns, name) {
                self.link_set_down(netns, &vlan)?;
            }
        }
        Ok(())
    }

    /// `ip link set DEV mtu N`.
    pub fn link_set_mtu(&mut self, netns: NetNsId, name: &str, mtu_bytes: u32) -> Result<(), Refused> {
        check_mtu(mtu_bytes)?;
        if let InterfaceKind::Vlan { lower, .. } = &self.device(netns, name)?.kind
            && self.device(netns, lower)?.mtu_bytes < mtu_bytes
        {
            return Err(Refused::Errno("Numerical result out of range"));
        }
        // vxlan_change_mtu: the headers have to fit below.
        if let InterfaceKind::Vxlan(vxlan) = &self.device(netns, name)?.kind {
            let headers = if vxlan.local.is_ipv4() {
                VXLAN_OVERHEAD
            } else {
                VXLAN_OVERHEAD + 20
            };
            let below = self.device(netns, &vxlan.lower)?.mtu_bytes;
            if mtu_bytes > below.saturating_sub(headers) {
                return Err(INVALID);
            }
        }
        for vlan in self.vlans_on(netns, name) {
            let vlan = self.device_mut(netns, &vlan)?;
            vlan.mtu_bytes = vlan.mtu_bytes.min(mtu_bytes);
        }
        let device = self.device_mut(netns, name)?;
        device.mtu_bytes = mtu_bytes;
        if let InterfaceKind::Bridge(bridge) = &mut device.kind {
            bridge.follows_mtu = false;
        }
        if let Some(master) = device.master.clone() {
            follow_ports(self.netns_mut(netns), &master);
        }
        Ok(())
    }

    /// `ip link set DEV address MAC`.
    pub fn link_set_address(&mut self, netns: NetNsId, name: &str, mac: MacAddr) -> Result<(), Refused> {
        let device = self.device_mut(netns, name)?;
        let before = std::mem::replace(&mut device.mac, mac);
        let master = device.master.clone();
        match &mut device.kind {
            InterfaceKind::Loopback => {
                device.mac = before;
                return Err(NOT_SUPPORTED);
            }
            InterfaceKind::Bridge(bridge) => bridge.follows_mac = false,
            InterfaceKind::Physical { fabric } => {
                let fabric = *fabric;
                if let Some(fabric) = self.fabric_mut(fabric) {
                    if let Some(port) = fabric.ports.shift_remove(&before) {
                        fabric.ports.insert(mac, port);
                    }
                    fabric.owners.values_mut().for_each(|owner| {
                        if *owner == before {
                            *owner = mac;
                        }
                    });
                }
            }
            _ => {}
        }
        if let Some(master) = master {
            follow_ports(self.netns_mut(netns), &master);
        }
        Ok(())
    }

    /// `ip link set DEV name NEW`: since 6.x also while it is up.
    pub fn link_set_name(&mut self, netns: NetNsId, name: &str, new: &str) -> Result<(), Refused> {
        check_name(new)?;
        self.device(netns, name)?;
        if name == new {
            return Ok(());
        }
        if self.netns(netns).interfaces.contains_key(new) {
            return Err(EXISTS);
        }
        let name: Name = name.into();
        let new: Name = new.into();
        let swap = |known: &mut Name| {
            if *known == name {
                *known = Arc::clone(&new);
            }
        };
        let stack = self.netns_mut(netns);
        let at = stack.interfaces.get_index_of(&name).expect("it was just found");
        let (_, mut device) = stack
            .interfaces
            .shift_remove_index(at)
            .expect("it was just found");
        device.name = Arc::clone(&new);
        let kind = device.kind.clone();
        if stack.downed.remove(&name) {
            stack.downed.insert(Arc::clone(&new));
        }
        stack.interfaces.shift_insert(at, Arc::clone(&new), device);
        for interface in stack.interfaces.values_mut() {
            interface.master.iter_mut().for_each(swap);
            match &mut interface.kind {
                InterfaceKind::Bridge(bridge) => bridge.fdb.values_mut().for_each(|e| swap(&mut e.device)),
                InterfaceKind::Vxlan(vxlan) => {
                    swap(&mut vxlan.lower);
                    vxlan.fdb.values_mut().for_each(|e| swap(&mut e.device));
                }
                InterfaceKind::Vlan { lower, .. } => swap(lower),
                _ => {}
            }
        }
        for route in stack.tables.values_mut().flatten() {
            route.next_hops.iter_mut().for_each(|hop| swap(&mut hop.device));
        }
        let neighbours = std::mem::take(&mut stack.neighbours);
        stack.neighbours = neighbours
            .into_iter()
            .map(|((mut device, ip), entry)| {
                swap(&mut device);
                ((device, ip), entry)
            })
            .collect();
        self.re_plug(&kind, netns, &name, netns, &new);
        Ok(())
    }

    /// `ip link set DEV master BRIDGE`, `nomaster`.
    pub fn link_set_master(
        &mut self,
        netns: NetNsId,
        name: &str,
        master: Option<&str>,
    ) -> Result<(), Refused> {
        let kind = &self.device(netns, name)?.kind;
        if let Some(master) = master {
            match (&self.device(netns, master)?.kind, kind) {
                (InterfaceKind::Bridge(_), InterfaceKind::Bridge(_)) => {
                    return Err(Refused::Message("Can not enslave a bridge to a bridge"));
                }
                (InterfaceKind::Bridge(_), InterfaceKind::Loopback) => return Err(INVALID),
                (InterfaceKind::Bridge(_), _) => {}
                _ => return Err(NOT_SUPPORTED),
            }
        }
        let device = self.device_mut(netns, name)?;
        let before = std::mem::replace(&mut device.master, master.map(Name::from));
        if before.as_deref() != master {
            device.hairpin = false;
        }
        for bridge in [before.as_deref(), master].into_iter().flatten() {
            let stack = self.netns_mut(netns);
            if before.as_deref() == Some(bridge)
                && master != Some(bridge)
                && let Some(InterfaceKind::Bridge(left)) =
                    stack.interfaces.get_mut(bridge).map(|i| &mut i.kind)
            {
                left.fdb.retain(|_, entry| *entry.device != *name);
            }
            follow_ports(stack, bridge);
        }
        Ok(())
    }

    /// `bridge link set dev DEV hairpin on|off`.
    pub fn link_set_hairpin(&mut self, netns: NetNsId, name: &str, on: bool) -> Result<(), Refused> {
        let device = self.device_mut(netns, name)?;
        if device.master.is_none() {
            return Err(NOT_SUPPORTED);
        }
        device.hairpin = on;
        Ok(())
    }

    /// `ip link set DEV netns NS` (dev_change_net_namespace): it arrives down, without addresses and master, with its
    /// index where that is free.
    pub fn link_set_netns(&mut self, netns: NetNsId, name: &str, to: NetNsId) -> Result<(), Refused> {
        let device = self.device(netns, name)?;
        match &device.kind {
            InterfaceKind::Loopback | InterfaceKind::Bridge(_) => {
                return Err(Refused::Message("The interface netns is immutable"));
            }
            InterfaceKind::Vxlan(_) | InterfaceKind::Vlan { .. } | InterfaceKind::Tunnel(_) => {
                return Err(Refused::NotModelled(
                    "a tunnel or VLAN device in another namespace than its lower one",
                ));
            }
            _ => {}
        }
        if netns == to {
            return Ok(());
        }
        if self.netns(to).interfaces.contains_key(name) {
            return Err(Refused::Message(
                "An interface with the same name exists in the target netns",
            ));
        }
        let mut device = device.clone();
        if let InterfaceKind::Physical { fabric } = device.kind {
            self.disown(fabric, device.mac);
        }
        self.unregister(netns, name);
        device.up = false;
        device.addresses.clear();
        device.master = None;
        device.hairpin = false;
        let (kind, own) = (device.kind.clone(), Arc::clone(&device.name));
        let target = self.netns_mut(to);
        if target.interfaces.values().any(|i| i.index == device.index) {
            device.index = next_index(target);
        }
        target.last_index = target.last_index.max(device.index);
        target.interfaces.insert(Arc::clone(&own), device);
        target.interfaces.sort_by(|_, a, _, b| a.index.cmp(&b.index));
        self.re_plug(&kind, netns, name, to, &own);
        Ok(())
    }

    /// The far end of a device's cable learns where its near end is now.
    fn re_plug(&mut self, kind: &InterfaceKind, from: NetNsId, name: &str, to: NetNsId, new: &Name) {
        let here = PortRef {
            netns: to,
            device: Arc::clone(new),
        };
        match kind {
            InterfaceKind::Veth { peer } => {
                // Where both ends moved together the peer's own record was changed with it.
                let far = if peer.netns == from && *peer.device == *name {
                    here.clone()
                } else {
                    peer.clone()
                };
                if let Some(far) = self.netns_mut(far.netns).interfaces.get_mut(&far.device) {
                    far.kind = InterfaceKind::Veth { peer: here };
                }
            }
            InterfaceKind::Physical { fabric } => {
                if let Some(fabric) = self.fabric_mut(*fabric) {
                    for port in fabric.ports.values_mut() {
                        if port.netns == from && *port.device == *name {
                            *port = here.clone();
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// What goes with a device: routes, neighbours, entries of MAC tables.
fn forget_device(netns: &mut NetNs, name: &str) {
    for table in netns.tables.values_mut() {
        // fib_sync_down_dev: when a device is taken away its routes of several hops go whole.
        table.retain(|route| !route.next_hops.iter().any(|hop| *hop.device == *name));
    }
    netns.neighbours.retain(|(device, _), _| **device != *name);
    for interface in netns.interfaces.values_mut() {
        if let InterfaceKind::Bridge(bridge) = &mut interface.kind {
            bridge.fdb.retain(|_, entry| *entry.device != *name);
        }
    }
}

/// What goes when a device goes down, or has no address any more (fib_disable_ip). Differs: a hop of several is taken
/// out where the kernel keeps it as `dead`; no packet takes it in either case.
pub(super) fn lose_routes(netns: &mut NetNs, name: &str) {
    for table in netns.tables.values_mut() {
        table.retain_mut(|route| {
            let had = route.next_hops.len();
            route.next_hops.retain(|hop| *hop.device != *name);
            had == 0 || !route.next_hops.is_empty()
        });
    }
    netns.neighbours.retain(|(device, _), _| **device != *name);
}

/// A bridge that was given neither takes the lowest link address and the smallest MTU of its ports
/// (br_stp_recalculate_bridge_id, br_mtu_auto_adjust); without ports, zeros.
fn follow_ports(netns: &mut NetNs, bridge: &str) {
    let ports = || {
        netns
            .interfaces
            .values()
            .filter(|i| i.master.as_deref() == Some(bridge))
    };
    let (mac, mtu) = (ports().map(|i| i.mac.0).min(), ports().map(|i| i.mtu_bytes).min());
    let Some(device) = netns.interfaces.get_mut(bridge) else {
        return;
    };
    if let InterfaceKind::Bridge(own) = &device.kind {
        if own.follows_mac {
            device.mac = mac.map_or(MacAddr::ZERO, MacAddr);
        }
        if own.follows_mtu {
            device.mtu_bytes = mtu.unwrap_or(ETHERNET_MTU);
        }
    }
}
