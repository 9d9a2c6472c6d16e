//! The walk through one stack: receive, route, forward, output.
//!
//! Models net/ipv4/{ip_input,route,ip_forward,ip_output}.c.

use super::bridge::fits_port;
use super::cursor::{Cursor, Dst, Stage};
use super::netfilter::HookEnd;
use super::{RunEnd, Sim};
use crate::fib::lookup::{self, Found, Key};
use crate::interface::{InterfaceKind, Scope};
use crate::process::SocketError;
use crate::stack::Stack;
use hoplab_trace::{DropCause, HookName, LegEnd, Name, RouteDecision, StepKind};
use hoplab_wire::{Header, IcmpKind, L4Protocol, MacAddr, Packet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

impl Sim<'_> {
    /// Moves a packet until it crosses a wire, waits, or ends.
    pub(super) fn walk(&mut self, mut cursor: Box<Cursor>) {
        cursor.at = cursor.at.max(self.now);
        loop {
            self.stages += 1;
            if self.stages > self.limits.max_steps {
                self.exhausted = Some(RunEnd::StepLimit);
                cursor.step(
                    StepKind::Drop {
                        cause: DropCause::Loop,
                    },
                    None,
                );
                self.record(*cursor, LegEnd::Dropped);
                return;
            }
            let Some(stack) = self.stack(cursor.netns) else {
                self.drop_packet(cursor, DropCause::NoListener, None);
                return;
            };
            match self.advance(cursor, &stack) {
                Some(next) => cursor = next,
                None => return,
            }
        }
    }

    fn advance(&mut self, cursor: Box<Cursor>, stack: &Arc<Stack>) -> Option<Box<Cursor>> {
        match cursor.stage.clone() {
            Stage::LocalOut => self.local_out(cursor, stack, None),
            Stage::LocalOutBy(dst) => self.local_out(cursor, stack, Some(dst)),
            Stage::Receive { device } => self.receive(cursor, stack, &device),
            Stage::BridgeIn { bridge, port } => self.bridge_in(cursor, stack, bridge, port),
            Stage::BridgeForward { bridge, port_in } => self.bridge_forward(cursor, stack, bridge, port_in),
            Stage::BridgePort {
                bridge,
                port,
                forwarded,
            } => self.bridge_port(cursor, stack, &bridge, port, forwarded),
            Stage::PassUp { bridge } => self.pass_up(cursor, stack, bridge),
            Stage::IpIn { device } => self.ip_in(cursor, stack, device),
            Stage::LocalDeliver { device } => self.local_deliver(cursor, stack, &device),
            Stage::Output => self.output(cursor, stack),
            Stage::Neighbour => self.neighbour(cursor, stack),
            Stage::BridgedDnat { bridge, port } => self.bridged_dnat(cursor, stack, bridge, port),
            Stage::Transmit { device } => self.transmit(cursor, stack, &device),
        }
    }

    /// A frame arrives at an interface (`__netif_receive_skb_core`).
    fn receive(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>, device: &Name) -> Option<Box<Cursor>> {
        let Some(interface) = stack.interface(device) else {
            self.drop_packet(cursor, DropCause::NoListener, None);
            return None;
        };
        cursor.step(
            StepKind::Ingress {
                device: Arc::clone(device),
            },
            interface.origin.clone(),
        );
        if !interface.up {
            self.drop_packet(cursor, DropCause::LinkDown, interface.origin.clone());
            return None;
        }
        // veth_forward_skb: what is too big for the other end is lost.
        if matches!(interface.kind, InterfaceKind::Veth { .. })
            && !fits_port(&cursor.skb.packet, interface.mtu_bytes)
        {
            let mtu_bytes = u16::try_from(interface.mtu_bytes).unwrap_or(u16::MAX);
            self.drop_packet(cursor, DropCause::TooBig { mtu_bytes }, interface.origin.clone());
            return None;
        }
        self.count(cursor.netns, device, cursor.skb.packet.len_bytes(), true);
        // vlan_do_receive: a tagged frame is for the VLAN's own card, or for nobody.
        if let Some(Header::Vlan(tag)) = cursor.skb.packet.headers.get(1).cloned() {
            let mut cards = stack.ns.interfaces.values();
            let card = cards.find(
                |i| matches!(&i.kind, InterfaceKind::Vlan { lower, id } if lower == device && *id == tag.id),
            );
            let Some(card) = card else {
                self.drop_packet(cursor, DropCause::OtherHost, None);
                return None;
            };
            Arc::make_mut(&mut cursor.skb.packet).headers.remove(1);
            return cursor.to(Stage::Receive {
                device: Arc::clone(&card.name),
            });
        }
        if let Some(bridge) = &interface.master {
            return cursor.to(Stage::BridgeIn {
                bridge: Arc::clone(bridge),
                port: Arc::clone(device),
            });
        }
        self.take_frame(cursor, interface.mac, device)
    }

    /// Up from an interface: only frames for this station go on.
    pub(super) fn take_frame(
        &mut self,
        cursor: Box<Cursor>,
        own: MacAddr,
        device: &Name,
    ) -> Option<Box<Cursor>> {
        if let Some(ethernet) = cursor.skb.packet.ethernet()
            && ethernet.dst != own
            && !ethernet.dst.is_group()
        {
            self.drop_packet(cursor, DropCause::OtherHost, None);
            return None;
        }
        match cursor
            .skb
            .packet
            .headers
            .iter()
            .find(|h| !matches!(h, Header::Ethernet(_)))
        {
            Some(Header::Arp(arp)) => {
                let arp = *arp;
                self.arp_in(cursor, device, arp);
                None
            }
            Some(Header::Ipv4(_) | Header::Ipv6(_)) => cursor.to(Stage::IpIn {
                device: Arc::clone(device),
            }),
            _ => {
                self.drop_packet(cursor, DropCause::NotModelled, None);
                None
            }
        }
    }

    /// `ip_rcv`, `ip_rcv_finish`.
    fn ip_in(&mut self, cursor: Box<Cursor>, stack: &Arc<Stack>, device: Name) -> Option<Box<Cursor>> {
        let mut cursor = cursor;
        cursor.skb.iif = Some(Arc::clone(&device));
        self.unmodelled_tc_program(&cursor, stack, &device);
        if !std::mem::take(&mut cursor.skb.prerouted) {
            cursor = self.defragment(cursor, stack)?;
            match self.hook(&mut cursor, stack, HookName::Prerouting, Some(&device), None) {
                HookEnd::Pass => {}
                ended => return self.end_at_hook(cursor, stack, ended),
            }
        }
        // A packet that came through lo has its route already.
        if cursor.skb.dst.as_ref().is_some_and(|d| d.local) {
            return cursor.to(Stage::LocalDeliver { device });
        }
        self.route_in(cursor, stack, device)
    }

    /// `ip_route_input_slow`.
    fn route_in(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>, device: Name) -> Option<Box<Cursor>> {
        let (Some(src), Some(dst)) = (cursor.skb.packet.src_ip(), cursor.skb.packet.dst_ip()) else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return None;
        };
        let localnet = stack.ns.sysctls.route_localnet;
        let odd_source = src.is_multicast() || src.is_loopback() && !localnet || broadcast_address(src);
        if odd_source || dst.is_loopback() && !localnet || dst.is_unspecified() {
            self.drop_packet(cursor, DropCause::Martian, None);
            return None;
        }
        if let IpAddr::V6(group) = dst
            && group.is_multicast()
        {
            if stack.in_group(group) {
                return cursor.to(Stage::LocalDeliver { device });
            }
            self.drop_packet(cursor, DropCause::OtherHost, None);
            return None;
        }
        let key = Key {
            dst,
            src: Some(src),
            iif: Some(&device),
            oif: None,
            mark: cursor.skb.mark,
            flow: flow_of(stack, &cursor.skb.packet),
        };
        let found = lookup::look_up(stack, key);
        cursor.step(
            StepKind::Route {
                dst,
                decision: decision(&found, None),
            },
            found.origin(),
        );
        if let Some(cause) = validate_source(stack, src, &device, cursor.skb.mark, dst) {
            self.drop_packet(cursor, cause, None);
            return None;
        }
        match found {
            Found::Local { .. } | Found::Broadcast { .. } => cursor.to(Stage::LocalDeliver { device }),
            // ip6_pkt_discard answers whether or not the stack forwards.
            _ if !forwards(stack, dst) && (dst.is_ipv4() || matches!(found, Found::Unicast { .. })) => {
                self.drop_packet(cursor, DropCause::ForwardingOff, None);
                None
            }
            Found::Nothing => self.refuse(cursor, stack, IcmpKind::NetUnreachable, DropCause::NoRoute),
            Found::Refused { route } => match route.kind {
                crate::fib::RouteKind::Blackhole => {
                    self.drop_packet(cursor, DropCause::NoRoute, route.origin.clone());
                    None
                }
                crate::fib::RouteKind::Prohibit => {
                    self.refuse(cursor, stack, IcmpKind::AdminProhibited, DropCause::NoRoute)
                }
                // ip6_pkt_discard says that there is no route.
                _ if dst.is_ipv6() => {
                    self.refuse(cursor, stack, IcmpKind::NetUnreachable, DropCause::NoRoute)
                }
                _ => self.refuse(cursor, stack, IcmpKind::HostUnreachable, DropCause::NoRoute),
            },
            Found::Unicast { .. } => {
                cursor.skb.dst = destination(stack, &found, dst);
                self.forward(cursor, stack, &device)
            }
        }
    }

    /// `ip_forward`: time to live, then the MTU, then FORWARD.
    fn forward(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>, device: &Name) -> Option<Box<Cursor>> {
        let dst = cursor.skb.dst.clone()?;
        let ttl = cursor.skb.packet.ttl_hops().unwrap_or(0);
        if ttl <= 1 {
            return self.refuse(cursor, stack, IcmpKind::TimeExceeded, DropCause::TtlExceeded);
        }
        let too_big = cursor.skb.packet.ip_len_bytes() > dst.mtu_bytes as usize;
        if too_big && cursor.skb.packet.do_not_fragment() {
            let mtu_bytes = u16::try_from(dst.mtu_bytes).unwrap_or(u16::MAX);
            let kind = IcmpKind::FragmentationNeeded { mtu_bytes };
            return self.refuse(cursor, stack, kind, DropCause::TooBig { mtu_bytes });
        }
        Arc::make_mut(&mut cursor.skb.packet).set_ttl_hops(ttl - 1);
        match self.hook(
            &mut cursor,
            stack,
            HookName::Forward,
            Some(device),
            Some(&dst.device),
        ) {
            HookEnd::Pass => cursor.to(Stage::Output),
            ended => self.end_at_hook(cursor, stack, ended),
        }
    }

    /// Requests from outside to a Service's address are for the program at the device (`cil_from_netdev`).
    fn unmodelled_tc_program(&mut self, cursor: &Cursor, stack: &Stack, device: &Name) {
        let Some(maps) = &stack.ns.socket_maps else { return };
        let packet = &cursor.skb.packet;
        if let (Some(protocol), Some(dst), Some((_, port))) =
            (packet.protocol(), packet.dst_ip(), packet.ports())
            && maps.find(protocol, SocketAddr::new(dst, port)).is_some()
        {
            self.unknown(
                format!("the eBPF program at {device}"),
                "it takes requests from outside to Services, which is not modelled yet",
            );
        }
    }

    /// `ip_queue_xmit`, `__ip_local_out`: routed first, then OUTPUT, then routed again if that changed anything.
    fn local_out(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        way: Option<Dst>,
    ) -> Option<Box<Cursor>> {
        let dst = match way {
            Some(dst) => Ok(dst),
            None => self.route_out(&mut cursor, stack),
        };
        let dst = match dst {
            Ok(dst) => dst,
            Err(error) => {
                self.tell_sender(&cursor, error);
                self.drop_packet(cursor, DropCause::NoRoute, None);
                return None;
            }
        };
        let too_big = cursor.skb.packet.ip_len_bytes() > dst.mtu_bytes as usize;
        if too_big && cursor.skb.packet.do_not_fragment() {
            let mtu_bytes = u16::try_from(dst.mtu_bytes).unwrap_or(u16::MAX);
            self.tell_sender(&cursor, SocketError::MessageSize { mtu_bytes });
            self.drop_packet(cursor, DropCause::TooBig { mtu_bytes }, None);
            return None;
        }
        let before = (cursor.skb.packet.dst_ip(), cursor.skb.mark);
        cursor.skb.dst = Some(dst.clone());
        match self.hook(&mut cursor, stack, HookName::Output, None, Some(&dst.device)) {
            HookEnd::Pass => {}
            HookEnd::Redirected => return self.ipvs_xmit(cursor, stack),
            ended => {
                if matches!(ended, HookEnd::Drop | HookEnd::Lost(_)) {
                    self.tell_sender(&cursor, SocketError::NotPermitted);
                }
                return self.end_at_hook(cursor, stack, ended);
            }
        }
        // ip_route_me_harder.
        if before != (cursor.skb.packet.dst_ip(), cursor.skb.mark) {
            match self.route_out(&mut cursor, stack) {
                Ok(dst) => cursor.skb.dst = Some(dst),
                Err(error) => {
                    self.tell_sender(&cursor, error);
                    self.drop_packet(cursor, DropCause::NoRoute, None);
                    return None;
                }
            }
        }
        cursor.to(Stage::Output)
    }

    pub(super) fn route_out(&mut self, cursor: &mut Cursor, stack: &Stack) -> Result<Dst, SocketError> {
        let dst = cursor.skb.packet.dst_ip().ok_or(SocketError::NetUnreachable)?;
        let src = cursor.skb.packet.src_ip().filter(|s| !s.is_unspecified());
        let key = Key {
            dst,
            src,
            iif: None,
            oif: None,
            mark: cursor.skb.mark,
            flow: flow_of(stack, &cursor.skb.packet),
        };
        let found = lookup::look_up(stack, key);
        cursor.step(
            StepKind::Route {
                dst,
                decision: decision(&found, None),
            },
            found.origin(),
        );
        let mut way = match &found {
            Found::Nothing => return Err(SocketError::NetUnreachable),
            Found::Refused { .. } => return Err(SocketError::HostUnreachable),
            _ => destination(stack, &found, dst).ok_or(SocketError::NetUnreachable)?,
        };
        way.mtu_bytes = self.path_mtu(stack, dst, way.mtu_bytes);
        Ok(way)
    }

    /// The MTU of the way to an address.
    pub(super) fn mtu_to(&self, stack: &Stack, dst: IpAddr) -> Option<u32> {
        let key = Key {
            dst,
            src: None,
            iif: None,
            oif: None,
            mark: 0,
            flow: 0,
        };
        let way = destination(stack, &lookup::look_up(stack, key), dst)?;
        Some(self.path_mtu(stack, dst, way.mtu_bytes))
    }

    /// The device's MTU, or less if ICMP taught so.
    pub(super) fn path_mtu(&self, stack: &Stack, dst: IpAddr, device: u32) -> u32 {
        let learned = self.overlay.stack(stack.id).and_then(|s| s.path_mtus.get(&dst));
        learned
            .filter(|(_, until)| *until > self.now)
            .map_or(device, |(mtu, _)| device.min(u32::from(*mtu)))
    }

    /// `ip_output`, `ip_finish_output`.
    fn output(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>) -> Option<Box<Cursor>> {
        let Some(dst) = cursor.skb.dst.clone() else {
            self.drop_packet(cursor, DropCause::NoRoute, None);
            return None;
        };
        let iif = cursor.skb.iif.clone();
        match self.hook(
            &mut cursor,
            stack,
            HookName::Postrouting,
            iif.as_ref(),
            Some(&dst.device),
        ) {
            HookEnd::Pass => {}
            ended => return self.end_at_hook(cursor, stack, ended),
        }
        cursor.stage = Stage::Neighbour;
        if cursor.skb.packet.ip_len_bytes() > dst.mtu_bytes as usize {
            self.fragment(cursor, dst.mtu_bytes);
            return None;
        }
        Some(cursor)
    }

    /// Ends a packet with an ICMP error.
    pub(super) fn refuse(
        &mut self,
        mut cursor: Box<Cursor>,
        stack: &Stack,
        kind: IcmpKind,
        cause: DropCause,
    ) -> Option<Box<Cursor>> {
        if self.icmp_error(&cursor, stack, kind) {
            cursor.step(StepKind::IcmpError { kind }, None);
            cursor.step(StepKind::Drop { cause }, None);
            self.finish(*cursor, LegEnd::Refused);
        } else {
            self.drop_packet(cursor, cause, None);
        }
        None
    }

    pub(super) fn count(&mut self, netns: crate::NetNsId, device: &Name, bytes: usize, received: bool) {
        let counters = self
            .overlay
            .stack_mut(netns)
            .devices
            .entry(Arc::clone(device))
            .or_default();
        let (packets, total) = if received {
            (&mut counters.rx_packets, &mut counters.rx_bytes)
        } else {
            (&mut counters.tx_packets, &mut counters.tx_bytes)
        };
        *packets += 1;
        *total += bytes as u64;
    }
}

/// Whether it passes on packets of this family.
fn forwards(stack: &Stack, dst: IpAddr) -> bool {
    if dst.is_ipv4() {
        stack.ns.sysctls.ip_forward
    } else {
        stack.ns.sysctls.ipv6_forwarding
    }
}

fn broadcast_address(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(a) if a.is_broadcast())
}

/// `fib_validate_source`: no stranger speaks with this stack's addresses; rp_filter if set. IPv6 has neither.
fn validate_source(stack: &Stack, src: IpAddr, device: &Name, mark: u32, dst: IpAddr) -> Option<DropCause> {
    if src.is_unspecified() || src.is_ipv6() {
        return None;
    }
    if stack.local(src).is_some() && **device != *stack.loopback {
        return Some(DropCause::Martian);
    }
    let setting = |name: &str| stack.ns.sysctls.rp_filter.get(name).copied().unwrap_or(0);
    let strictness = setting("all").max(setting(device));
    if strictness == 0 {
        return None;
    }
    let key = Key {
        dst: src,
        src: Some(dst),
        iif: Some(device),
        oif: None,
        mark,
        flow: 0,
    };
    match lookup::look_up(stack, key) {
        Found::Unicast { route, next_hop, .. } => {
            let same = *next_hop.device == **device || route.next_hops.iter().any(|h| h.device == *device);
            (strictness == 1 && !same).then_some(DropCause::ReversePath)
        }
        Found::Local { .. } => None,
        _ => Some(DropCause::ReversePath),
    }
}

/// The way out that a look-up found. `None`: there is none.
pub(super) fn destination(stack: &Stack, found: &Found<'_>, dst: IpAddr) -> Option<Dst> {
    let mtu = |device: &Name| stack.interface(device).map_or(1500, |i| i.mtu_bytes);
    Some(match found {
        Found::Local { .. } => {
            let device = Arc::clone(&stack.loopback);
            let mtu_bytes = stack.interface(&device).map_or(65_536, |i| i.mtu_bytes);
            Dst {
                device,
                next_hop: dst,
                local: true,
                broadcast: false,
                mtu_bytes,
                preferred_src: Some(dst),
            }
        }
        Found::Broadcast { device } => Dst {
            device: Arc::clone(device),
            next_hop: dst,
            local: false,
            broadcast: true,
            mtu_bytes: mtu(device),
            preferred_src: None,
        },
        Found::Unicast { route, next_hop, .. } => Dst {
            device: Arc::clone(&next_hop.device),
            next_hop: next_hop.via.unwrap_or(dst),
            local: false,
            broadcast: false,
            mtu_bytes: mtu(&next_hop.device),
            preferred_src: route.src,
        },
        Found::Refused { .. } | Found::Nothing => return None,
    })
}

/// The source address of a packet that this stack makes for `dst` (`ip_route_output_key`, `fib_result_prefsrc`).
pub(crate) fn source_address(stack: &Stack, dst: IpAddr, mark: u32) -> Option<IpAddr> {
    let found = lookup::look_up(
        stack,
        Key {
            dst,
            src: None,
            iif: None,
            oif: None,
            mark,
            flow: 0,
        },
    );
    let way = destination(stack, &found, dst)?;
    // ipv6_dev_get_saddr looks at who is spoken to, inet_select_addr at the next hop.
    let peer = if dst.is_ipv6() { dst } else { way.next_hop };
    way.preferred_src
        .or_else(|| stack.select_address(&way.device, peer, Scope::Link))
}

/// A look-up as a step shows it.
pub(super) fn decision(found: &Found<'_>, src: Option<IpAddr>) -> RouteDecision {
    match found {
        Found::Local { device } | Found::Broadcast { device } => RouteDecision::Local {
            device: Arc::clone(device),
        },
        Found::Unicast {
            route,
            next_hop,
            table,
        } => RouteDecision::Unicast {
            prefix: route.prefix,
            via: next_hop.via,
            device: Arc::clone(&next_hop.device),
            table: table_name(*table),
            src: src.or(route.src),
        },
        Found::Refused { route } => RouteDecision::Refused {
            kind: match route.kind {
                crate::fib::RouteKind::Prohibit => "prohibit",
                crate::fib::RouteKind::Blackhole => "blackhole",
                _ => "unreachable",
            },
            prefix: route.prefix,
        },
        Found::Nothing => RouteDecision::NoRoute,
    }
}

/// Names of the three tables that always exist, made once.
static TABLE_NAMES: LazyLock<[Name; 3]> =
    LazyLock::new(|| [Name::from("main"), Name::from("local"), Name::from("default")]);

fn table_name(table: u32) -> Name {
    let [main, local, default] = &*TABLE_NAMES;
    match table {
        crate::fib::MAIN => Arc::clone(main),
        crate::fib::LOCAL => Arc::clone(local),
        crate::fib::DEFAULT => Arc::clone(default),
        other => Name::from(other.to_string()),
    }
}

/// Whether an interface needs link addresses.
pub(super) fn needs_no_neighbour(kind: &InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Loopback)
}

/// What a choice among several ways takes into account beside the addresses: with fib_multipath_hash_policy 1 the
/// protocol and the ports (fib_multipath_hash).
fn flow_of(stack: &Stack, packet: &Packet) -> u64 {
    match (stack.ns.sysctls.fib_multipath_hash_policy, packet.ports()) {
        (0, _) => 0,
        (_, ports) => {
            let (source, destination) = ports.unwrap_or_default();
            let protocol = packet.protocol().map_or(0, L4Protocol::number);
            u64::from(protocol) << 32 | u64::from(source) << 16 | u64::from(destination)
        }
    }
}
