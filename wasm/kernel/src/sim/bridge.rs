//! A Linux bridge, and netfilter on bridged packets.
//!
//! Models net/bridge/{br_input,br_forward,br_device,br_netfilter_hooks}.c. With `bridge-nf-call-iptables` an IP packet
//! that comes in by a port passes PREROUTING at once, with the bridge as its input interface:
//!
//! ```text
//! port in ── PREROUTING ─┬─ destination rewritten, and its new home is behind this bridge: stays bridged
//!                        ├─ destination rewritten, routed elsewhere: up into the IP stack
//!                        └─ not rewritten: where the MAC address says
//! bridged: ── FORWARD ── POSTROUTING ── port out
//! ```

use super::Sim;
use super::cursor::{Cursor, Stage};
use super::neighbour::Known;
use super::netfilter::HookEnd;
use super::walk::{decision, destination};
use crate::fib::lookup::{self, Found, Key};
use crate::interface::InterfaceKind;
use crate::overlay::{LearnedMac, MAC_AGE};
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_trace::{BridgeDecision, DropCause, HookName, Name, StepKind};
use hoplab_wire::{Header, MacAddr, Packet};
use std::sync::Arc;

impl Sim<'_> {
    /// `br_handle_frame`, `br_nf_pre_routing`.
    pub(super) fn bridge_in(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        bridge: Name,
        port: Name,
    ) -> Option<Box<Cursor>> {
        let Some(own) = stack.interface(&bridge).map(|i| (i.mac, i.up)) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        if !own.1 {
            self.drop_packet(cursor, DropCause::LinkDown, None);
            return None;
        }
        let on = Stage::BridgeForward {
            bridge: Arc::clone(&bridge),
            port_in: Some(Arc::clone(&port)),
        };
        let Some(original) = cursor.skb.packet.dst_ip() else {
            return cursor.to(on);
        };
        if !stack.ns.sysctls.bridge_nf_call_iptables {
            return cursor.to(on);
        }
        cursor.skb.nf_bridge = true;
        cursor = self.defragment(cursor, stack)?;
        match self.hook(&mut cursor, stack, HookName::Prerouting, Some(&bridge), None) {
            HookEnd::Pass => {}
            ended => return self.end_at_hook(cursor, stack, ended),
        }
        cursor.skb.prerouted = true;
        match cursor.skb.packet.dst_ip() {
            Some(dst) if dst != original => {
                // br_nf_pre_routing_finish: ask the routing tables where the new destination is.
                let src = cursor.skb.packet.src_ip();
                let key = Key {
                    dst,
                    src,
                    iif: Some(&bridge),
                    oif: None,
                    mark: cursor.skb.mark,
                    flow: 0,
                };
                let found = lookup::look_up(stack, key);
                let origin = found.origin();
                let same = matches!(&found, Found::Unicast { next_hop, .. } if next_hop.device == bridge);
                let usable = match &found {
                    Found::Nothing | Found::Refused { .. } => false,
                    // br_nf_pre_routing_finish_ipv6 leaves the question whether it may be forwarded to the IP stack.
                    Found::Unicast { .. } => same || stack.ns.sysctls.ip_forward || dst.is_ipv6(),
                    Found::Local { .. } | Found::Broadcast { .. } => true,
                };
                if !same || !usable {
                    if !usable {
                        cursor.step(
                            StepKind::Route {
                                dst,
                                decision: decision(&found, None),
                            },
                            origin,
                        );
                        self.drop_packet(cursor, DropCause::NoRoute, None);
                        return None;
                    }
                    set_link_dst(&mut cursor.skb.packet, own.0);
                    return cursor.to(on);
                }
                cursor.step(
                    StepKind::Route {
                        dst,
                        decision: decision(&found, None),
                    },
                    origin,
                );
                cursor.skb.dst = destination(stack, &found, dst);
                cursor.to(Stage::BridgedDnat { bridge, port })
            }
            _ => cursor.to(on),
        }
    }

    /// `br_nf_pre_routing_finish_bridge`: the new destination's link address goes into the frame. Where it is not
    /// known the bridge's own device has to ask for it, and the frame goes out through that device.
    pub(super) fn bridged_dnat(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        bridge: Name,
        port: Name,
    ) -> Option<Box<Cursor>> {
        let Some(next_hop) = cursor.skb.dst.as_ref().map(|d| d.next_hop) else {
            self.drop_packet(cursor, DropCause::NoRoute, None);
            return None;
        };
        let asked = cursor.resolved;
        let known = self.known_neighbour(stack, &bridge, next_hop);
        let Known::Yes { mac, state, origin } = known else {
            return self.resolve(cursor, stack, &bridge, next_hop);
        };
        let state = if std::mem::take(&mut cursor.resolved) {
            hoplab_trace::NeighbourState::Resolved
        } else {
            state
        };
        set_link_dst(&mut cursor.skb.packet, mac);
        let device = Arc::clone(&bridge);
        cursor.step(
            StepKind::Neighbour {
                ip: next_hop,
                mac: Some(mac),
                device,
                state,
            },
            origin,
        );
        if asked {
            cursor.step(
                StepKind::Egress {
                    device: Arc::clone(&bridge),
                },
                None,
            );
        }
        cursor.skb.dst = None;
        cursor.to(Stage::BridgeForward {
            bridge,
            port_in: Some(port),
        })
    }

    /// `br_handle_frame_finish` for frames from a port, `br_dev_xmit` for the bridge's own.
    pub(super) fn bridge_forward(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        bridge: Name,
        port_in: Option<Name>,
    ) -> Option<Box<Cursor>> {
        let Some(ethernet) = cursor.skb.packet.ethernet().copied() else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return None;
        };
        if let Some(port) = &port_in
            && !ethernet.src.is_group()
        {
            let learned = LearnedMac {
                port: Arc::clone(port),
                at: self.now,
            };
            let fdb = &mut self.overlay.stack_mut(stack.id).fdb;
            fdb.insert((Arc::clone(&bridge), ethernet.src), learned);
        }
        let decide = |decision| StepKind::Bridge {
            bridge: Arc::clone(&bridge),
            port_in: port_in.clone(),
            decision,
        };
        let ports = || {
            let members = stack.ns.interfaces.values();
            members.filter(|i| i.up && i.master.as_deref() == Some(&*bridge))
        };
        let own = stack.interface(&bridge).is_some_and(|i| i.mac == ethernet.dst);
        if port_in.is_some() && (own || ports().any(|p| p.mac == ethernet.dst)) {
            cursor.step(decide(BridgeDecision::Up), None);
            return cursor.to(Stage::PassUp { bridge });
        }
        let known = if ethernet.dst.is_group() {
            None
        } else {
            self.fdb_entry(stack, &bridge, ethernet.dst)
        };
        if let Some((port, origin)) = known {
            let Some(interface) = stack.interface(&port).filter(|i| i.up) else {
                self.drop_packet(cursor, DropCause::LinkDown, origin);
                return None;
            };
            let decision = match &port_in {
                Some(came) if *came == port && !interface.hairpin => BridgeDecision::SamePort,
                Some(came) if *came == port => BridgeDecision::Hairpin {
                    port: Arc::clone(&port),
                },
                _ => BridgeDecision::Forward {
                    port: Arc::clone(&port),
                },
            };
            let stop = decision == BridgeDecision::SamePort;
            cursor.step(decide(decision), origin);
            if stop {
                self.drop_packet(cursor, DropCause::SamePort, None);
                return None;
            }
            return cursor.to(Stage::BridgePort {
                bridge,
                port,
                forwarded: port_in.is_some(),
            });
        }
        let others: Vec<Name> = ports()
            .filter(|p| p.hairpin || port_in.as_ref() != Some(&p.name))
            .map(|p| Arc::clone(&p.name))
            .collect();
        let up = port_in.is_some() && ethernet.dst.is_group();
        cursor.step(
            decide(BridgeDecision::Flood {
                ports: others.clone(),
            }),
            None,
        );
        let forwarded = port_in.is_some();
        let mut ways: Vec<Stage> = others
            .into_iter()
            .map(|port| Stage::BridgePort {
                bridge: Arc::clone(&bridge),
                port,
                forwarded,
            })
            .collect();
        if up {
            ways.push(Stage::PassUp { bridge });
        }
        self.split(cursor, ways)
    }

    /// A copy of the packet for each way.
    fn split(&mut self, mut cursor: Box<Cursor>, mut ways: Vec<Stage>) -> Option<Box<Cursor>> {
        let Some(last) = ways.pop() else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        if !ways.is_empty() {
            let count = u32::try_from(ways.len() + 1).unwrap_or(u32::MAX);
            self.flood(&mut cursor, count);
            for way in ways {
                let mut copy = cursor.clone();
                copy.stage = way;
                let at = copy.at;
                self.schedule_at(at, super::Happening::Packet(copy));
            }
        }
        cursor.to(last)
    }

    /// `br_forward`, `br_nf_forward`, `br_nf_post_routing`.
    pub(super) fn bridge_port(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        bridge: &Name,
        port: Name,
        forwarded: bool,
    ) -> Option<Box<Cursor>> {
        let filtered = forwarded && cursor.skb.nf_bridge && cursor.skb.packet.ip_index().is_some();
        if filtered {
            match self.hook(&mut cursor, stack, HookName::Forward, Some(bridge), Some(bridge)) {
                HookEnd::Pass => {}
                ended => return self.end_at_hook(cursor, stack, ended),
            }
            match self.hook(&mut cursor, stack, HookName::Postrouting, None, Some(bridge)) {
                HookEnd::Pass => {}
                ended => return self.end_at_hook(cursor, stack, ended),
            }
        }
        let mtu = stack.interface(&port).map_or(1500, |i| i.mtu_bytes);
        // br_nf_dev_queue_xmit: what was put together for the rules is cut again.
        if cursor.skb.was_in_pieces && cursor.skb.packet.ip_len_bytes() > mtu as usize {
            self.refragment(cursor, mtu, port);
            return None;
        }
        // A bridge sends no error about what is too big for a port.
        if !fits_port(&cursor.skb.packet, mtu) {
            let mtu_bytes = u16::try_from(mtu).unwrap_or(u16::MAX);
            self.drop_packet(cursor, DropCause::TooBig { mtu_bytes }, None);
            return None;
        }
        cursor.to(Stage::Transmit { device: port })
    }

    /// `br_pass_frame_up`.
    pub(super) fn pass_up(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        bridge: Name,
    ) -> Option<Box<Cursor>> {
        let interface = stack.interface(&bridge)?;
        cursor.step(
            StepKind::Ingress {
                device: Arc::clone(&bridge),
            },
            interface.origin.clone(),
        );
        self.count(cursor.netns, &bridge, cursor.skb.packet.len_bytes(), true);
        cursor.skb.nf_bridge = false;
        cursor.skb.dst = None;
        self.take_frame(cursor, interface.mac, &bridge)
    }

    fn fdb_entry(&self, stack: &Stack, bridge: &Name, mac: MacAddr) -> Option<(Name, Option<Arc<Origin>>)> {
        if let Some(InterfaceKind::Bridge(settings)) = stack.interface(bridge).map(|i| &i.kind)
            && let Some(entry) = settings.fdb.get(&mac)
        {
            return Some((Arc::clone(&entry.device), entry.origin.clone()));
        }
        let learned = self
            .overlay
            .stack(stack.id)?
            .fdb
            .get(&(Arc::clone(bridge), mac))?;
        (learned.at + MAC_AGE > self.now).then(|| (Arc::clone(&learned.port), None))
    }
}

/// `is_skb_forwardable`: a VLAN tag's four bytes are always allowed for.
pub(super) fn fits_port(packet: &Packet, mtu_bytes: u32) -> bool {
    packet.ip_len_bytes() <= mtu_bytes as usize + 4
}

fn set_link_dst(packet: &mut Arc<Packet>, mac: MacAddr) {
    if let Some(Header::Ethernet(ethernet)) = Arc::make_mut(packet).headers.first_mut() {
        ethernet.dst = mac;
    }
}
