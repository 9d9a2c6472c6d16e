//! Addresses, and the routes that come and go with them. Models net/ipv4/devinet.c and net/ipv4/fib_frontend.c.

use super::link::lose_routes;
use super::{Edit, Refused};
use crate::NetNsId;
use crate::fib::{MAIN, NextHop, Route, RouteKind, V6_PREFIX_METRIC};
use crate::interface::{IfAddr, InterfaceKind, Scope};
use crate::net::FabricId;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// An address to be given.
#[derive(Clone, Copy, Debug)]
pub struct NewAddress {
    /// Address and prefix length.
    pub net: IpNet,
    /// Whether a broadcast address was given; `brd +` is the last one.
    pub broadcast: bool,
    /// Its scope; else that of the address.
    pub scope: Option<Scope>,
}

impl NewAddress {
    /// An address and nothing else.
    pub fn of(net: IpNet) -> Self {
        Self {
            net,
            broadcast: false,
            scope: None,
        }
    }
}

/// Whether an address lies in the network of one before it (IFA_F_SECONDARY): it has no route of its own and goes
/// when the first goes.
pub fn is_secondary(before: &[IfAddr], address: &IfAddr) -> bool {
    address.net.addr().is_ipv4()
        && before
            .iter()
            .any(|b| b.net.prefix_len() == address.net.prefix_len() && b.net.trunc() == address.net.trunc())
}

impl Edit {
    /// RTM_NEWADDR with NLM_F_EXCL.
    pub fn addr_add(&mut self, netns: NetNsId, name: &str, new: NewAddress) -> Result<(), Refused> {
        let device = self.device(netns, name)?;
        if device.addresses.iter().any(|known| known.net == new.net) {
            return Err(Refused::Message(if new.net.addr().is_ipv4() {
                "ipv4: Address already assigned"
            } else {
                "ipv6: address already assigned"
            }));
        }
        let loopback = new.net.addr().is_loopback();
        let scope = new
            .scope
            .unwrap_or(if loopback { Scope::Host } else { Scope::Global });
        let address = IfAddr {
            net: new.net,
            scope,
            broadcast: new.broadcast,
        };
        let secondary = is_secondary(&device.addresses, &address);
        // __inet_insert_ifa: primary addresses come before secondary ones.
        let addresses = &device.addresses;
        let at = (0..addresses.len())
            .find(|i| !secondary && is_secondary(&addresses[..*i], &addresses[*i]))
            .unwrap_or(addresses.len());
        let (up, mac) = (device.up, device.mac);
        if let InterfaceKind::Physical { fabric } = device.kind
            && let Some(fabric) = self.fabric_mut(fabric)
        {
            fabric.owners.entry(new.net.addr()).or_insert(mac);
        }
        self.device_mut(netns, name)?.addresses.insert(at, address);
        if up && !secondary {
            self.connect(netns, name, new.net);
        }
        self.speak_ipv6(netns);
        Ok(())
    }

    /// Link-local addresses, in a stack that has an IPv6 address. Differs: a kernel has them without one too; here they
    /// are left out of what speaks IPv4 alone.
    pub(super) fn speak_ipv6(&mut self, netns: NetNsId) {
        let has_ipv6 = |i: &crate::interface::Interface| i.addresses.iter().any(|a| a.net.addr().is_ipv6());
        if self.netns(netns).interfaces.values().any(has_ipv6) {
            self.netns_mut(netns).add_ipv6_basics();
        }
    }

    /// The route of an address's network (fib_add_ifaddr; addrconf_prefix_route, which names no source and has a metric
    /// of its own).
    pub(super) fn connect(&mut self, id: NetNsId, name: &str, net: IpNet) {
        let v4 = net.addr().is_ipv4();
        if net.addr().is_loopback() || v4 && net.prefix_len() == net.max_prefix_len() {
            return;
        }
        let origin = self.origin.clone();
        let route = Route {
            prefix: net.trunc(),
            kind: RouteKind::Unicast,
            next_hops: vec![NextHop {
                via: None,
                device: name.into(),
                weight: 1,
                onlink: false,
            }],
            src: v4.then_some(net.addr()),
            scope: Scope::Link,
            metric: if v4 { 0 } else { V6_PREFIX_METRIC },
            protocol: "kernel",
            origin,
        };
        self.netns_mut(id).tables.entry(MAIN).or_default().push(route);
    }

    /// RTM_DELADDR. Without a prefix length the first of this address is meant.
    pub fn addr_del(
        &mut self,
        netns: NetNsId,
        name: &str,
        address: IpAddr,
        length: Option<u8>,
    ) -> Result<(), Refused> {
        let device = self.device(netns, name)?;
        let found = device.addresses.iter().position(|known| {
            known.net.addr() == address && length.is_none_or(|length| length == known.net.prefix_len())
        });
        let Some(at) = found else {
            return Err(Refused::Message(if address.is_ipv4() {
                "ipv4: Address not found"
            } else {
                "ipv6: address not found"
            }));
        };
        let addresses = &device.addresses;
        let first = addresses[at];
        // __inet_del_ifa with promote_secondaries 0.
        let with = !is_secondary(&addresses[..at], &first);
        let gone: Vec<IfAddr> = (0..addresses.len())
            .filter(|i| *i == at || (with && *i > at && is_secondary(&[first], &addresses[*i])))
            .map(|i| addresses[i])
            .collect();
        for address in gone {
            self.lose_address(netns, name, address);
        }
        Ok(())
    }

    /// `ip addr flush dev DEV`: every address that `keeps` does not keep.
    pub fn addr_flush(
        &mut self,
        netns: NetNsId,
        name: &str,
        flushes: &dyn Fn(&IfAddr) -> bool,
    ) -> Result<(), Refused> {
        let all = self.device(netns, name)?.addresses.clone();
        for address in all.into_iter().filter(flushes) {
            self.lose_address(netns, name, address);
        }
        Ok(())
    }

    fn lose_address(&mut self, netns: NetNsId, name: &str, gone: IfAddr) {
        let Ok(device) = self.device_mut(netns, name) else {
            return;
        };
        device.addresses.retain(|known| known.net != gone.net);
        let (empty, mac) = (device.addresses.is_empty(), device.mac);
        if let InterfaceKind::Physical { fabric } = device.kind
            && let Some(fabric) = self.fabric_mut(fabric)
            && fabric.owners.get(&gone.net.addr()) == Some(&mac)
        {
            fabric.owners.shift_remove(&gone.net.addr());
        }
        let stack = self.netns_mut(netns);
        let own = gone.net.addr();
        let still = stack
            .interfaces
            .values()
            .any(|i| i.addresses.iter().any(|a| a.net.addr() == own));
        for table in stack.tables.values_mut() {
            // fib_del_ifaddr, and fib_sync_down_addr for routes that prefer this source.
            let on_device = |route: &Route| route.next_hops.iter().any(|hop| *hop.device == *name);
            table.retain(|route| !(route.src == Some(own) && (!still || on_device(route))));
        }
        if empty {
            lose_routes(stack, name);
        }
    }

    /// A card leaves a network: nobody answers for its addresses any more.
    pub(super) fn disown(&mut self, fabric: FabricId, mac: MacAddr) {
        if let Some(fabric) = self.fabric_mut(fabric) {
            fabric.owners.retain(|_, owner| *owner != mac);
        }
    }

    /// Names of interfaces in the order of their index.
    pub fn devices(&self, netns: NetNsId) -> Vec<Name> {
        self.netns(netns).interfaces.keys().map(Arc::clone).collect()
    }
}
