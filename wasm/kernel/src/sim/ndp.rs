//! Neighbour discovery of IPv6: questions and answers as packets, which pass the hooks as all packets do.
//!
//! Models net/ipv6/ndisc.c `ndisc_solicit`, `ndisc_recv_ns`, `ndisc_recv_na`; RFC 4861.
//! Differs: no duplicate address detection, no router solicitations, no redirects.

use super::cursor::{Cursor, Dst, Launch, Stage};
use super::icmp::ip_header;
use super::{Sim, neighbour};
use crate::interface::{InterfaceKind, Scope};
use crate::netns::solicited_node;
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, Name, StepKind};
use hoplab_wire::{Header, Icmp, IcmpKind, L4Protocol, Packet, Payload};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

impl Sim<'_> {
    /// `ndisc_solicit`: to the group of those who may have the address.
    pub(super) fn solicit(
        &mut self,
        stack: &Stack,
        key: &neighbour::Key,
        conversation: u32,
        target: Ipv6Addr,
    ) {
        let cause = self
            .conversations
            .get(conversation as usize)
            .and_then(|c| c.cause);
        // From the address that the waiting packet speaks from where that is of this interface, else link-local.
        let waiting = self.waiting.get(key).and_then(|w| w.parked.first());
        let asks = waiting.and_then(|c| c.skb.packet.src_ip()).filter(|src| {
            let interface = stack.interface(&key.1);
            interface.is_some_and(|i| i.addresses.iter().any(|a| a.net.addr() == *src))
        });
        let to = IpAddr::V6(solicited_node(target));
        let Some(src) = asks.or_else(|| stack.select_address(&key.1, to, Scope::Link)) else {
            return;
        };
        let link = stack.interface(&key.1).map(|i| i.mac).unwrap_or_default();
        let kind = IcmpKind::NeighbourSolicitation { target, link };
        let label = format!("NDP who has {target}");
        let way = (conversation, true, cause);
        self.send_discovery(stack, &key.1, (src, to), kind, label, way);
    }

    fn send_discovery(
        &mut self,
        stack: &Stack,
        device: &Name,
        (src, to): (IpAddr, IpAddr),
        kind: IcmpKind,
        label: String,
        (conversation, forward, cause): (u32, bool, Option<u32>),
    ) {
        let Some(Header::Ipv6(mut ip)) = ip_header(src, to, L4Protocol::Icmpv6, 0, false, 0) else {
            return;
        };
        // Only what was not forwarded is believed (RFC 4861 §6.1.1).
        ip.hop_limit = 255;
        let headers = vec![Header::Ipv6(ip), Header::Icmp(Icmp { kind, quoted: None })];
        let launch = Launch {
            netns: stack.id,
            conversation,
            forward,
            label,
            cause,
            process: Arc::clone(&self.kernel),
            from: None,
            to: None,
            sender: None,
            ct: None,
            stage: Stage::LocalOutBy(Dst {
                device: Arc::clone(device),
                next_hop: to,
                local: false,
                broadcast: false,
                mtu_bytes: stack.interface(device).map_or(1500, |i| i.mtu_bytes),
                preferred_src: None,
            }),
        };
        self.launch(Packet::new(headers, Payload::default()), launch);
    }

    /// A question or an answer arrived.
    pub(super) fn discovery_in(&mut self, mut cursor: Box<Cursor>, stack: &Stack, kind: IcmpKind) {
        let (Some(src), Some(device)) = (cursor.skb.packet.src_ip(), cursor.skb.iif.clone()) else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return;
        };
        let key = |ip| (stack.id, Arc::clone(&device), ip);
        let answers = match kind {
            IcmpKind::NeighbourSolicitation { target, .. } => self.answers_discovery(stack, &device, target),
            _ => true,
        };
        if !answers {
            self.drop_packet(cursor, DropCause::OtherHost, None);
            return;
        }
        cursor.step(
            StepKind::Socket {
                protocol: L4Protocol::Icmpv6,
                local: SocketAddr::new(cursor.skb.packet.dst_ip().unwrap_or(src), 0),
                process: Some(Arc::clone(&self.kernel)),
            },
            None,
        );
        let (conversation, cause) = (cursor.conversation, Some(cursor.flight));
        self.finish(*cursor, LegEnd::Delivered);
        match kind {
            IcmpKind::NeighbourSolicitation { target, link } => {
                self.neighbour_known(&key(src), link);
                let own = stack.interface(&device).map(|i| i.mac).unwrap_or_default();
                let kind = IcmpKind::NeighbourAdvertisement {
                    target,
                    link: own,
                    router: stack.ns.sysctls.ipv6_forwarding,
                };
                let label = format!("NDP {target} is at {own}");
                let ends = (IpAddr::V6(target), src);
                self.send_discovery(stack, &device, ends, kind, label, (conversation, false, cause));
            }
            IcmpKind::NeighbourAdvertisement { target, link, .. } => {
                if let Some(info) = self.conversations.get_mut(conversation as usize) {
                    info.answered_at.get_or_insert(self.now);
                }
                self.neighbour_known(&key(IpAddr::V6(target)), link);
            }
            _ => {}
        }
    }

    /// An address of this very interface, or one that the network says this station answers for.
    fn answers_discovery(&self, stack: &Stack, device: &Name, target: Ipv6Addr) -> bool {
        let Some(interface) = stack.interface(device) else {
            return false;
        };
        let target = IpAddr::V6(target);
        interface.addresses.iter().any(|a| a.net.addr() == target)
            || matches!(&interface.kind, InterfaceKind::Physical { fabric }
                if self.net.fabrics.get(fabric.0 as usize).and_then(|f| f.owners.get(&target)) == Some(&interface.mac))
    }
}
