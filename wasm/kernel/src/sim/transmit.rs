//! Frames leaving by an interface: over a cable, into a bridge, into a tunnel, onto a shared network.
//!
//! Models drivers/net/{veth,dummy}.c, net/8021q/vlan_dev.c and a switch.

use super::cursor::{Cursor, Stage};
use super::{Sim, latency};
use crate::NetNsId;
use crate::interface::InterfaceKind;
use crate::net::{FabricId, PortRef};
use crate::overlay::{FIRST_ON_DEMAND, OnDemand};
use crate::stack::Stack;
use hoplab_trace::{DropCause, Name, StepKind};
use hoplab_wire::{Header, IcmpKind, Vlan};
use std::net::IpAddr;
use std::sync::Arc;

impl Sim<'_> {
    pub(super) fn transmit(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        device: &Name,
    ) -> Option<Box<Cursor>> {
        let Some(interface) = stack.interface(device) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        if !interface.up {
            self.drop_packet(cursor, DropCause::LinkDown, interface.origin.clone());
            return None;
        }
        cursor.step(
            StepKind::Egress {
                device: Arc::clone(device),
            },
            interface.origin.clone(),
        );
        self.count(cursor.netns, device, cursor.skb.packet.len_bytes(), false);
        let cursor = self.suffer(cursor, stack, device)?;
        self.send_out(cursor, stack, device)
    }

    /// The driver's part: what becomes of a frame that was handed to it.
    pub(super) fn send_out(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        device: &Name,
    ) -> Option<Box<Cursor>> {
        let interface = stack.interface(device)?;
        match &interface.kind {
            InterfaceKind::Veth { peer } => {
                let same_netns = peer.netns == cursor.netns;
                let mark = cursor.skb.mark;
                cursor.skb.scrub();
                cursor.skb.mark = if same_netns { mark } else { 0 };
                self.cross(cursor, peer.netns, Arc::clone(&peer.device), latency::VETH);
                None
            }
            InterfaceKind::Bridge(_) => {
                cursor.skb.nf_bridge = false;
                cursor.to(Stage::BridgeForward {
                    bridge: Arc::clone(device),
                    port_in: None,
                })
            }
            InterfaceKind::Vxlan(vxlan) => self.encapsulate(cursor, stack, device, vxlan),
            InterfaceKind::Tunnel(tunnel) => self.box_up(cursor, stack, device, tunnel),
            // vlan_dev_hard_start_xmit.
            InterfaceKind::Vlan { lower, id } => {
                let tag = Header::Vlan(Vlan { id: *id });
                Arc::make_mut(&mut cursor.skb.packet).headers.insert(1, tag);
                cursor.to(Stage::Transmit {
                    device: Arc::clone(lower),
                })
            }
            InterfaceKind::Physical { fabric } => {
                cursor.skb.scrub();
                cursor.skb.mark = 0;
                self.over_fabric(cursor, *fabric);
                None
            }
            InterfaceKind::Loopback => {
                let netns = cursor.netns;
                self.cross(cursor, netns, Arc::clone(device), latency::VETH);
                None
            }
            InterfaceKind::Dummy => {
                self.drop_packet(cursor, DropCause::NoListener, interface.origin.clone());
                None
            }
        }
    }

    /// A switch that knows who is plugged in. A question for a link address reaches only who answers it.
    fn over_fabric(&mut self, mut cursor: Box<Cursor>, fabric: FabricId) {
        let Some(network) = self.net.fabrics.get(fabric.0 as usize).cloned() else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return;
        };
        let after = if network.open {
            latency::INTERNET
        } else {
            latency::FABRIC
        };
        if cursor.skb.packet.ip_len_bytes() > network.mtu_bytes as usize {
            let mtu_bytes = u16::try_from(network.mtu_bytes).unwrap_or(u16::MAX);
            self.drop_packet(cursor, DropCause::TooBig { mtu_bytes }, None);
            return;
        }
        let dst = cursor.skb.packet.ethernet().map(|e| e.dst);
        // Who answers inside a VLAN is not known beforehand: its questions go to every other port.
        if let (Some(mac), Some(Header::Vlan(_))) = (dst, cursor.skb.packet.headers.get(1))
            && mac.is_group()
        {
            let own = cursor.skb.packet.ethernet().map(|e| e.src);
            let others = network.ports.iter().filter(|(mac, _)| Some(**mac) != own);
            let others: Vec<PortRef> = others.map(|(_, port)| port.clone()).collect();
            if others.is_empty() {
                self.drop_packet(cursor, DropCause::NoListener, None);
                return;
            }
            self.flood(&mut cursor, u32::try_from(others.len()).unwrap_or(u32::MAX));
            for port in others {
                self.cross(cursor.clone(), port.netns, port.device, after);
            }
            return;
        }
        let frame = &cursor.skb.packet.headers;
        let first = frame
            .iter()
            .find(|h| !matches!(h, Header::Ethernet(_) | Header::Vlan(_)));
        let asked = match (first, cursor.skb.packet.icmp().map(|i| i.kind)) {
            (Some(Header::Arp(arp)), _) => Some(IpAddr::V4(arp.target_ip)),
            (_, Some(IcmpKind::NeighbourSolicitation { target, .. })) => Some(IpAddr::V6(target)),
            _ => None,
        };
        let port = match (dst, asked) {
            (Some(mac), Some(target)) if mac.is_group() => match network.owners.get(&target) {
                Some(owner) => network.ports.get(owner).cloned(),
                None if network.open => self.host_on_demand(fabric, target),
                None => None,
            },
            (Some(mac), _) if !mac.is_group() => {
                let known = network.ports.get(&mac);
                known
                    .or_else(|| self.overlay.on_demand_ports.get(&(fabric, mac)))
                    .cloned()
            }
            _ => None,
        };
        match port {
            Some(port) => self.cross(cursor, port.netns, port.device, after),
            None => self.drop_packet(cursor, DropCause::NoListener, None),
        }
    }

    /// The stack of an undeclared host on an open fabric, made now if it is not yet. `None`: no machine can have this
    /// address.
    pub fn outside(&mut self, fabric: FabricId, address: IpAddr) -> Option<NetNsId> {
        self.host_on_demand(fabric, address).map(|port| port.netns)
    }

    fn host_on_demand(&mut self, fabric: FabricId, address: IpAddr) -> Option<PortRef> {
        if let Some(host) = self.overlay.on_demand.get(&(fabric, address)) {
            return self.overlay.on_demand_ports.get(&(fabric, host.mac)).cloned();
        }
        let (ns, mac, device) = self.net.source().on_demand(fabric, address)?;
        let index = u32::try_from(self.overlay.on_demand.len()).ok()?;
        let id = NetNsId(FIRST_ON_DEMAND + index);
        self.overlay.on_demand.insert(
            (fabric, address),
            OnDemand {
                mac,
                ns: Arc::new(ns),
            },
        );
        let port = PortRef { netns: id, device };
        self.overlay.on_demand_ports.insert((fabric, mac), port.clone());
        self.overlay.on_demand.get(&(fabric, address)).map(|_| port)
    }
}
