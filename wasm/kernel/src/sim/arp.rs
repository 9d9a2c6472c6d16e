//! ARP: questions and answers as packets.
//!
//! Models net/ipv4/arp.c `arp_solicit` and `arp_process`.

use super::cursor::{Cursor, Launch, Stage};
use super::{ConversationInfo, ConversationKind, Sim, neighbour};
use crate::NetNsId;
use crate::interface::{InterfaceKind, Scope};
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, Name};
use hoplab_wire::{Arp, ArpOp, Ethernet, Header, MacAddr, Packet, Payload};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

impl Sim<'_> {
    /// Asks for a link address with one packet, as arping(8) does: to all, or to whom it is thought to be. As who has no
    /// address yet, where that is asked for (RFC 5227).
    pub fn ask_for(
        &mut self,
        netns: NetNsId,
        device: &Name,
        target_ip: Ipv4Addr,
        to: Option<MacAddr>,
        probes: bool,
    ) {
        let Some(stack) = self.stack(netns) else { return };
        let Some(sender_mac) = stack.interface(device).map(|i| i.mac) else {
            return;
        };
        let target = IpAddr::V4(target_ip);
        let sender_ip = match stack.select_address(device, target, Scope::Link) {
            Some(IpAddr::V4(ip)) if !probes => ip,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let conversation = self.open_neighbour(netns, device, target, None);
        let arp = Arp {
            op: ArpOp::Request,
            sender_mac,
            sender_ip,
            target_mac: MacAddr::ZERO,
            target_ip,
        };
        let (label, dst) = (
            format!("ARP who has {target_ip}"),
            to.unwrap_or(MacAddr::BROADCAST),
        );
        self.send_arp(netns, conversation, true, label, None, device, dst, arp);
    }

    pub(super) fn open_neighbour(
        &mut self,
        netns: NetNsId,
        device: &Name,
        ip: IpAddr,
        cause: Option<u32>,
    ) -> u32 {
        let id = u32::try_from(self.conversations.len()).unwrap_or(u32::MAX);
        self.conversations.push(ConversationInfo {
            id,
            kind: ConversationKind::Neighbour {
                device: Arc::clone(device),
                target: ip,
            },
            protocol: None,
            opener: netns,
            opener_process: Arc::clone(&self.kernel),
            opened_at: self.now,
            local: None,
            to: None,
            acceptor: None,
            sockets: Vec::new(),
            answered_at: None,
            error: None,
            parent: None,
            cause,
        });
        id
    }

    pub(super) fn ask_neighbour(&mut self, stack: &Stack, key: &neighbour::Key, conversation: u32) {
        let target_ip = match key.2 {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => return self.solicit(stack, key, conversation, ip),
        };
        let Some(interface) = stack.interface(&key.1) else {
            return;
        };
        let sender_ip = match stack.select_address(&key.1, key.2, Scope::Link) {
            Some(IpAddr::V4(ip)) => ip,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let arp = Arp {
            op: ArpOp::Request,
            sender_mac: interface.mac,
            sender_ip,
            target_mac: MacAddr::ZERO,
            target_ip,
        };
        let label = format!("ARP who has {target_ip}");
        let cause = self
            .conversations
            .get(conversation as usize)
            .and_then(|c| c.cause);
        self.send_arp(
            stack.id,
            conversation,
            true,
            label,
            cause,
            &key.1,
            MacAddr::BROADCAST,
            arp,
        );
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one packet")]
    fn send_arp(
        &mut self,
        netns: NetNsId,
        conversation: u32,
        forward: bool,
        label: String,
        cause: Option<u32>,
        device: &Name,
        dst: MacAddr,
        arp: Arp,
    ) {
        let headers = vec![
            Header::Ethernet(Ethernet {
                src: arp.sender_mac,
                dst,
            }),
            Header::Arp(arp),
        ];
        let launch = Launch {
            netns,
            conversation,
            forward,
            label,
            cause,
            process: Arc::clone(&self.kernel),
            from: None,
            to: None,
            sender: None,
            ct: None,
            stage: Stage::Transmit {
                device: Arc::clone(device),
            },
        };
        self.launch(Packet::new(headers, Payload::default()), launch);
    }

    /// `arp_process`.
    pub(super) fn arp_in(&mut self, cursor: Box<Cursor>, device: &Name, arp: Arp) {
        let netns = cursor.netns;
        let Some(stack) = self.stack(netns) else { return };
        match arp.op {
            ArpOp::Request => {
                let Some(own) = stack.interface(device).map(|i| i.mac) else {
                    return;
                };
                if !self.answers_for(&stack, device, own, arp.target_ip) {
                    self.drop_packet(cursor, DropCause::OtherHost, None);
                    return;
                }
                self.neighbour_known(
                    &(netns, Arc::clone(device), IpAddr::V4(arp.sender_ip)),
                    arp.sender_mac,
                );
                let reply = Arp {
                    op: ArpOp::Reply,
                    sender_mac: own,
                    sender_ip: arp.target_ip,
                    target_mac: arp.sender_mac,
                    target_ip: arp.sender_ip,
                };
                let label = format!("ARP {} is at {own}", arp.target_ip);
                let (conversation, cause) = (cursor.conversation, Some(cursor.flight));
                self.finish(*cursor, LegEnd::Delivered);
                self.send_arp(
                    netns,
                    conversation,
                    false,
                    label,
                    cause,
                    device,
                    arp.sender_mac,
                    reply,
                );
            }
            ArpOp::Reply => {
                let conversation = cursor.conversation;
                self.finish(*cursor, LegEnd::Delivered);
                if let Some(info) = self.conversations.get_mut(conversation as usize) {
                    info.answered_at.get_or_insert(self.now);
                }
                self.neighbour_known(
                    &(netns, Arc::clone(device), IpAddr::V4(arp.sender_ip)),
                    arp.sender_mac,
                );
            }
        }
    }

    /// Any address of the stack (arp_ignore 0), or one that the network says this station answers for.
    fn answers_for(&self, stack: &Stack, device: &Name, own: MacAddr, target: Ipv4Addr) -> bool {
        let target = IpAddr::V4(target);
        if stack.local(target).is_some() {
            return true;
        }
        if stack.ns.sysctls.proxy_arp.contains(&**device) {
            // arp_fwd_proxy: only for what is routed out by another interface.
            let key = crate::fib::lookup::Key {
                dst: target,
                src: None,
                iif: Some(device),
                oif: None,
                mark: 0,
                flow: 0,
            };
            return match crate::fib::lookup::look_up(stack, key) {
                crate::fib::lookup::Found::Unicast { next_hop, .. } => next_hop.device != *device,
                _ => false,
            };
        }
        match stack.interface(device).map(|i| &i.kind) {
            Some(InterfaceKind::Physical { fabric }) => {
                self.net
                    .fabrics
                    .get(fabric.0 as usize)
                    .and_then(|f| f.owners.get(&target))
                    == Some(&own)
            }
            _ => false,
        }
    }
}
