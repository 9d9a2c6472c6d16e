//! Link addresses of next hops: known, asked for, or given up.
//!
//! Models net/core/neighbour.c with the defaults mcast_solicit 3 and retrans_time 1 s.

use super::cursor::{Cursor, Stage};
use super::walk::needs_no_neighbour;
use super::{Happening, Sim, latency};
use crate::interface::InterfaceKind;
use crate::overlay::LearnedNeighbour;
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_trace::{DropCause, LegEnd, Name, NeighbourState, StepKind};
use hoplab_wire::{Ethernet, Header, IcmpKind, MacAddr};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A neighbour that is being asked for: stack, interface, address.
pub(super) type Key = (crate::NetNsId, Name, IpAddr);

/// Packets that wait for a link address.
pub(super) struct Waiting {
    #[allow(
        clippy::vec_box,
        reason = "cursors are large and go on as the boxes that they came in"
    )]
    pub(super) parked: Vec<Box<Cursor>>,
    pub(super) conversation: u32,
}

/// What is known about a neighbour.
pub(super) enum Known {
    Yes {
        mac: MacAddr,
        state: NeighbourState,
        origin: Option<Arc<Origin>>,
    },
    No,
}

/// mcast_solicit.
const TRIES: u8 = 3;
/// retrans_time.
const RETRY: Duration = Duration::from_secs(1);
/// unres_qlen_bytes holds about so many small packets.
const QUEUE: usize = 101;

impl Sim<'_> {
    pub(super) fn known_neighbour(&self, stack: &Stack, device: &Name, ip: IpAddr) -> Known {
        let key = (Arc::clone(device), ip);
        if let Some(entry) = stack.ns.neighbours.get(&key) {
            let state = if entry.permanent {
                NeighbourState::Permanent
            } else {
                NeighbourState::Reachable
            };
            return Known::Yes {
                mac: entry.mac,
                state,
                origin: entry.origin.clone(),
            };
        }
        match self
            .overlay
            .stack(stack.id)
            .and_then(|s| s.neighbours.get(&key))
            .and_then(|n| n.mac)
        {
            Some(mac) => Known::Yes {
                mac,
                state: NeighbourState::Reachable,
                origin: None,
            },
            None => Known::No,
        }
    }

    /// `neigh_output`: the frame's header is filled in, or the packet waits.
    pub(super) fn neighbour(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>) -> Option<Box<Cursor>> {
        let Some(dst) = cursor.skb.dst.clone() else {
            self.drop_packet(cursor, DropCause::NoRoute, None);
            return None;
        };
        let Some(interface) = stack.interface(&dst.device) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        if let InterfaceKind::Tunnel(tunnel) = &interface.kind
            && !tunnel.carries_frames()
        {
            return cursor.to(Stage::Transmit { device: dst.device });
        }
        if needs_no_neighbour(&interface.kind) {
            cursor.step(
                StepKind::Egress {
                    device: Arc::clone(&dst.device),
                },
                None,
            );
            self.count(cursor.netns, &dst.device, cursor.skb.packet.ip_len_bytes(), false);
            let netns = cursor.netns;
            self.cross(cursor, netns, dst.device, latency::VETH);
            return None;
        }
        let group = match dst.next_hop {
            _ if dst.broadcast => Some(MacAddr::BROADCAST),
            IpAddr::V6(group) if group.is_multicast() => Some(MacAddr::of_multicast(group)),
            _ => None,
        };
        let (mac, state, origin) = if let Some(mac) = group {
            (mac, NeighbourState::NotNeeded, None)
        } else {
            match self.known_neighbour(stack, &dst.device, dst.next_hop) {
                Known::Yes { mac, state, origin } => (mac, state, origin),
                Known::No => return self.resolve(cursor, stack, &dst.device, dst.next_hop),
            }
        };
        let state = if std::mem::take(&mut cursor.resolved) {
            NeighbourState::Resolved
        } else {
            state
        };
        let frame = Header::Ethernet(Ethernet {
            src: interface.mac,
            dst: mac,
        });
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        match packet.headers.first_mut() {
            Some(first @ Header::Ethernet(_)) => *first = frame,
            _ => packet.headers.insert(0, frame),
        }
        let device = Arc::clone(&dst.device);
        cursor.step(
            StepKind::Neighbour {
                ip: dst.next_hop,
                mac: Some(mac),
                device,
                state,
            },
            origin,
        );
        cursor.to(Stage::Transmit { device: dst.device })
    }

    /// Parks the packet and asks, unless the question is already out.
    pub(super) fn resolve(
        &mut self,
        cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        device: &Name,
        ip: IpAddr,
    ) -> Option<Box<Cursor>> {
        let key: Key = (stack.id, Arc::clone(device), ip);
        if let Some(waiting) = self.waiting.get_mut(&key) {
            if waiting.parked.len() < QUEUE {
                waiting.parked.push(cursor);
            } else {
                self.drop_packet(cursor, DropCause::NeighbourFailed, None);
            }
            return None;
        }
        let conversation = self.open_neighbour(stack.id, device, ip, Some(cursor.flight));
        self.waiting.insert(
            key.clone(),
            Waiting {
                parked: vec![cursor],
                conversation,
            },
        );
        self.ask_neighbour(stack, &key, conversation);
        self.schedule(RETRY, Happening::NeighbourTimer { key, try_number: 1 });
        None
    }

    pub(super) fn neighbour_timer(&mut self, key: Key, try_number: u8) {
        let Some(conversation) = self.waiting.get(&key).map(|w| w.conversation) else {
            return;
        };
        let Some(stack) = self.stack(key.0) else { return };
        if try_number < TRIES {
            self.ask_neighbour(&stack, &key, conversation);
            self.schedule(
                RETRY,
                Happening::NeighbourTimer {
                    key,
                    try_number: try_number + 1,
                },
            );
            return;
        }
        let Some(waiting) = self.waiting.swap_remove(&key) else {
            return;
        };
        let now = self.now;
        let known = &mut self.overlay.stack_mut(key.0).neighbours;
        known.insert(
            (Arc::clone(&key.1), key.2),
            LearnedNeighbour { mac: None, at: now },
        );
        for mut cursor in waiting.parked {
            cursor.at = now;
            let device = Arc::clone(&key.1);
            let step = StepKind::Neighbour {
                ip: key.2,
                mac: None,
                device,
                state: NeighbourState::Failed,
            };
            cursor.step(step, None);
            // ipv4_link_failure.
            let kind = IcmpKind::HostUnreachable;
            if self.icmp_error(&cursor, &stack, kind) {
                cursor.step(StepKind::IcmpError { kind }, None);
                cursor.step(
                    StepKind::Drop {
                        cause: DropCause::NeighbourFailed,
                    },
                    None,
                );
                self.finish(*cursor, LegEnd::Refused);
            } else {
                self.drop_packet(cursor, DropCause::NeighbourFailed, None);
            }
        }
    }

    /// A link address became known: what waited for it goes on.
    pub(super) fn neighbour_known(&mut self, key: &Key, mac: MacAddr) {
        let now = self.now;
        let known = &mut self.overlay.stack_mut(key.0).neighbours;
        known.insert(
            (Arc::clone(&key.1), key.2),
            LearnedNeighbour {
                mac: Some(mac),
                at: now,
            },
        );
        let Some(waiting) = self.waiting.swap_remove(key) else {
            return;
        };
        for mut cursor in waiting.parked {
            cursor.at = now;
            cursor.resolved = true;
            self.schedule(Duration::ZERO, Happening::Packet(cursor));
        }
    }
}
