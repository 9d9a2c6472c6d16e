//! Frames leaving by an interface: over a cable, into a bridge, into a tunnel, onto a shared network.
//!
//! Models drivers/net/{veth,dummy}.c, drivers/net/vxlan/vxlan_core.c and a switch.

use super::cursor::{Cursor, Stage};
use super::{Sim, latency};
use crate::NetNsId;
use crate::interface::{InterfaceKind, VxlanDevice};
use crate::net::{FabricId, PortRef};
use crate::overlay::{FIRST_ON_DEMAND, LearnedRemote, MAC_AGE, OnDemand};
use crate::stack::Stack;
use hoplab_trace::{DropCause, Name, StepKind};
use hoplab_wire::{Header, Ipv4, L4Protocol, MacAddr, Packet, Udp, Vxlan};
use std::net::IpAddr;
use std::sync::Arc;

/// IPv4, UDP, VXLAN and the inner Ethernet header.
pub(super) const VXLAN_OVERHEAD_BYTES: u16 = 50;

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
    fn over_fabric(&mut self, cursor: Box<Cursor>, fabric: FabricId) {
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
        let port = match (dst, cursor.skb.packet.headers.get(1)) {
            (Some(mac), Some(Header::Arp(arp))) if mac.is_group() => {
                let target = IpAddr::V4(arp.target_ip);
                match network.owners.get(&target) {
                    Some(owner) => network.ports.get(owner).cloned(),
                    None if network.open => self.host_on_demand(fabric, target),
                    None => None,
                }
            }
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

    /// `vxlan_xmit`: outer headers around the frame, which is then a new packet of this stack. The mark stays.
    fn encapsulate(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        device: &Name,
        vxlan: &VxlanDevice,
    ) -> Option<Box<Cursor>> {
        let dst = cursor.skb.packet.ethernet().map(|e| e.dst)?;
        let permanent = vxlan
            .fdb
            .get(&dst)
            .and_then(|e| Some((e.remote?, e.origin.clone())));
        let learned = || {
            let entry = self
                .overlay
                .stack(stack.id)?
                .tunnel_fdb
                .get(&(Arc::clone(device), dst))?;
            (entry.at + MAC_AGE > self.now).then_some((entry.remote, None))
        };
        // The all-zeros entry is where unknown and group addresses go.
        let default = || {
            vxlan
                .fdb
                .get(&MacAddr::ZERO)
                .and_then(|e| Some((e.remote?, e.origin.clone())))
        };
        let Some((remote, origin)) = permanent.or_else(learned).or_else(default) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        let (IpAddr::V4(src), IpAddr::V4(to)) = (vxlan.local, remote) else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return None;
        };
        let source_port = flow_source_port(&cursor.skb.packet);
        let outer = Ipv4 {
            src,
            dst: to,
            protocol: L4Protocol::Udp,
            ttl_hops: 64,
            tos: 0,
            id: u16::try_from(cursor.flight & 0xffff).unwrap_or(0),
            df: false,
            mf: false,
            fragment_offset_bytes: 0,
        };
        let headers = [
            Header::Ipv4(outer),
            Header::Udp(Udp {
                src: source_port,
                dst: vxlan.port,
            }),
            Header::Vxlan(Vxlan { vni: vxlan.vni }),
        ];
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        packet.headers.splice(0..0, headers);
        cursor.skb.scrub();
        let kind = StepKind::Encap {
            device: Arc::clone(device),
            remote,
            overhead_bytes: VXLAN_OVERHEAD_BYTES,
        };
        cursor.step(kind, origin);
        cursor.to(Stage::LocalOut)
    }

    /// A tunnel packet for one of this stack's VXLAN devices; `None`: it is none.
    pub(super) fn tunnel_of(&self, stack: &Stack, packet: &Packet) -> Option<Name> {
        let at = packet.ip_index()?;
        let (Header::Udp(udp), Header::Vxlan(header)) =
            (packet.headers.get(at + 1)?, packet.headers.get(at + 2)?)
        else {
            return None;
        };
        let device = stack.ns.interfaces.values().find(|i| match &i.kind {
            InterfaceKind::Vxlan(v) => i.up && v.port == udp.dst && v.vni == header.vni,
            _ => false,
        })?;
        Some(Arc::clone(&device.name))
    }

    /// `vxlan_rcv`: the frame inside arrives at the tunnel's device.
    pub(super) fn decapsulate(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        device: Name,
    ) -> Option<Box<Cursor>> {
        let remote = cursor.skb.packet.src_ip();
        let at = cursor.skb.packet.ip_index()?;
        Arc::make_mut(&mut cursor.skb.packet).headers.drain(..at + 3);
        let learning =
            matches!(stack.interface(&device).map(|i| &i.kind), Some(InterfaceKind::Vxlan(v)) if v.learning);
        if let (true, Some(remote), Some(ethernet)) = (learning, remote, cursor.skb.packet.ethernet()) {
            let key = (Arc::clone(&device), ethernet.src);
            let learned = LearnedRemote { remote, at: self.now };
            self.overlay.stack_mut(stack.id).tunnel_fdb.insert(key, learned);
        }
        cursor.skb.scrub();
        cursor.skb.mark = 0;
        cursor.step(
            StepKind::Decap {
                device: Arc::clone(&device),
                overhead_bytes: VXLAN_OVERHEAD_BYTES,
            },
            None,
        );
        cursor.to(Stage::Receive { device })
    }
}

/// `udp_flow_src_port`: a hash of the inner flow, within the range of ephemeral ports. The hash is a fixed one.
fn flow_source_port(packet: &Packet) -> u16 {
    let (sport, dport) = packet.ports().unwrap_or((0, 0));
    let mut hash = 0x811c_9dc5_u32;
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    for address in [packet.src_ip(), packet.dst_ip()].into_iter().flatten() {
        match address {
            IpAddr::V4(a) => mix(&a.octets()),
            IpAddr::V6(a) => mix(&a.octets()),
        }
    }
    mix(&sport.to_be_bytes());
    mix(&dport.to_be_bytes());
    let (first, count) = (32_768_u32, 28_232_u32);
    u16::try_from(first + (hash ^ hash >> 16) % count).unwrap_or(u16::MAX)
}
