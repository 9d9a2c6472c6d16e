//! ICMP: errors made, errors received, echoes answered.
//!
//! Models net/ipv4/icmp.c; RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.

use super::cursor::{Cursor, Launch, Stage};
use super::walk::source_address;
use super::{Sim, tcp};
use crate::conntrack::{CtInfo, CtRef, Direction};
use crate::process::SocketError;
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, StepKind};
use hoplab_wire::{Header, Icmp, IcmpKind, Ipv4, Ipv6, L4Protocol, Packet, Payload};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// ip_rt_mtu_expires: how long a path MTU that ICMP taught is believed.
const PATH_MTU_AGE: Duration = Duration::from_secs(600);
/// Type of service of an error: internetwork control (RFC 1812 §4.3.2.5).
const ERROR_TOS: u8 = 0xc0;

/// What an error about a packet carries of its connection (`nf_conntrack_attach`).
pub(super) fn attach(ct: Option<CtRef>) -> Option<CtRef> {
    match ct {
        Some(CtRef::Tracked { entry, direction, .. }) => {
            let direction = match direction {
                Direction::Original => Direction::Reply,
                Direction::Reply => Direction::Original,
            };
            Some(CtRef::Tracked {
                entry,
                direction,
                state: CtInfo::Related,
            })
        }
        _ => None,
    }
}

/// An IP header of a packet made by the kernel.
pub(super) fn ip_header(
    src: IpAddr,
    dst: IpAddr,
    protocol: L4Protocol,
    id: u16,
    df: bool,
    tos: u8,
) -> Option<Header> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Header::Ipv4(Ipv4 {
            src,
            dst,
            protocol,
            ttl_hops: 64,
            tos,
            id,
            df,
            mf: false,
            fragment_offset_bytes: 0,
        })),
        (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Header::Ipv6(Ipv6 {
            src,
            dst,
            protocol,
            hop_limit: 64,
        })),
        _ => None,
    }
}

/// `ICMP port unreachable`.
fn error_label(kind: IcmpKind) -> String {
    match kind {
        IcmpKind::EchoRequest { .. } => "ICMP echo request".to_owned(),
        IcmpKind::EchoReply { .. } => "ICMP echo reply".to_owned(),
        IcmpKind::NetUnreachable => "ICMP net unreachable".to_owned(),
        IcmpKind::HostUnreachable => "ICMP host unreachable".to_owned(),
        IcmpKind::ProtocolUnreachable => "ICMP protocol unreachable".to_owned(),
        IcmpKind::PortUnreachable => "ICMP port unreachable".to_owned(),
        IcmpKind::FragmentationNeeded { mtu_bytes } => format!("ICMP fragmentation needed, MTU {mtu_bytes}"),
        IcmpKind::AdminProhibited => "ICMP administratively prohibited".to_owned(),
        IcmpKind::TimeExceeded => "ICMP time exceeded".to_owned(),
        IcmpKind::NeighbourSolicitation { .. } => "NDP question".to_owned(),
        IcmpKind::NeighbourAdvertisement { .. } => "NDP answer".to_owned(),
    }
}

impl Sim<'_> {
    /// `icmp_send`: an error about a packet, to who sent it. False: none may be sent about this one.
    pub(super) fn icmp_error(&mut self, about: &Cursor, stack: &Stack, kind: IcmpKind) -> bool {
        let packet = &about.skb.packet;
        let (Some(to), Some(of)) = (packet.src_ip(), packet.dst_ip()) else {
            return false;
        };
        let later_piece = matches!(packet.ip_index().map(|i| &packet.headers[i]),
            Some(Header::Ipv4(ip)) if ip.fragment_offset_bytes != 0);
        let about_error = packet
            .icmp()
            .is_some_and(|i| i.quoted.is_some() || i.kind.is_error());
        let to_group = packet.ethernet().is_some_and(|e| e.dst.is_group()) || of.is_multicast();
        if about_error || later_piece || to_group || to.is_unspecified() || to.is_multicast() {
            return false;
        }
        let src = if stack.local(of).is_some() {
            Some(of)
        } else {
            source_address(stack, to, 0)
        };
        let (Some(src), Some(quoted)) = (src, packet.from_ip()) else {
            return false;
        };
        let protocol = if to.is_ipv4() {
            L4Protocol::Icmp
        } else {
            L4Protocol::Icmpv6
        };
        let id = u16::try_from((self.flights.len() + 1) & 0xffff).unwrap_or(0);
        let Some(ip) = ip_header(src, to, protocol, id, false, ERROR_TOS) else {
            return false;
        };
        let icmp = Header::Icmp(Icmp {
            kind,
            quoted: Some(Arc::new(quoted)),
        });
        let launch = Launch {
            netns: stack.id,
            conversation: about.conversation,
            forward: !about.forward,
            label: error_label(kind),
            cause: Some(about.flight),
            process: Arc::clone(&self.kernel),
            from: Some(SocketAddr::new(src, 0)),
            to: Some(SocketAddr::new(to, 0)),
            sender: None,
            ct: attach(about.skb.ct),
            stage: Stage::LocalOut,
        };
        self.launch(Packet::new(vec![ip, icmp], Payload::default()), launch);
        true
    }

    /// `icmp_rcv`.
    pub(super) fn icmp_in(&mut self, mut cursor: Box<Cursor>, stack: &Stack) {
        let packet = Arc::clone(&cursor.skb.packet);
        let (Some(icmp), Some(src), Some(dst), Some(protocol)) =
            (packet.icmp(), packet.src_ip(), packet.dst_ip(), packet.protocol())
        else {
            self.drop_packet(cursor, DropCause::NotModelled, None);
            return;
        };
        match icmp.kind {
            IcmpKind::EchoRequest { id, sequence } => {
                let local = SocketAddr::new(dst, 0);
                cursor.step(
                    StepKind::Socket {
                        protocol,
                        local,
                        process: Some(Arc::clone(&self.kernel)),
                    },
                    None,
                );
                let own = if stack.local(dst).is_some() {
                    Some(dst)
                } else {
                    source_address(stack, src, 0)
                };
                let header = own.and_then(|own| ip_header(own, src, protocol, 0, false, 0));
                if let (Some(own), Some(ip)) = (own, header) {
                    let kind = IcmpKind::EchoReply { id, sequence };
                    let headers = vec![ip, Header::Icmp(Icmp { kind, quoted: None })];
                    let launch = Launch {
                        netns: stack.id,
                        conversation: cursor.conversation,
                        forward: !cursor.forward,
                        label: error_label(kind),
                        cause: Some(cursor.flight),
                        process: Arc::clone(&self.kernel),
                        from: Some(SocketAddr::new(own, 0)),
                        to: Some(SocketAddr::new(src, 0)),
                        sender: None,
                        ct: None,
                        stage: Stage::LocalOut,
                    };
                    self.accepted(
                        cursor.conversation,
                        stack.id,
                        local,
                        SocketAddr::new(src, 0),
                        None,
                    );
                    self.launch(Packet::new(headers, packet.payload.clone()), launch);
                }
                self.finish(*cursor, LegEnd::Delivered);
            }
            IcmpKind::EchoReply { id, .. } => {
                let local = SocketAddr::new(dst, id);
                let found = self.sockets.echo(stack.id, protocol, local);
                self.datagram_to(cursor, found, protocol, local, SocketAddr::new(src, 0));
            }
            IcmpKind::NeighbourSolicitation { .. } | IcmpKind::NeighbourAdvertisement { .. } => {
                self.discovery_in(cursor, stack, icmp.kind);
            }
            kind => self.icmp_error_in(cursor, stack, kind),
        }
    }

    /// An error about a packet that this stack sent: a path MTU to remember, and a socket to tell.
    fn icmp_error_in(&mut self, mut cursor: Box<Cursor>, stack: &Stack, kind: IcmpKind) {
        let quoted = cursor.skb.packet.icmp().and_then(|i| i.quoted.clone());
        let about = quoted
            .as_ref()
            .and_then(|q| Some((q.protocol()?, q.src_ip()?, q.dst_ip()?, q)));
        let Some((protocol, src, dst, quoted)) = about else {
            self.drop_packet(cursor, DropCause::SocketIgnored, None);
            return;
        };
        if let IcmpKind::FragmentationNeeded { mtu_bytes } = kind {
            let until = self.now + PATH_MTU_AGE;
            self.overlay
                .stack_mut(stack.id)
                .path_mtus
                .insert(dst, (mtu_bytes, until));
            if let Some((tunnel, _)) = self.tunnel_of(stack, quoted) {
                // The tunnel's own packets were too big: its device learns no smaller MTU by itself.
                let what = format!("path MTU of tunnel {tunnel} towards {dst}");
                self.unknown(
                    what,
                    "how a tunnel passes a smaller path MTU on to its senders is not modelled",
                );
            }
        }
        let socket = match (protocol, quoted.l4()) {
            (L4Protocol::Icmp | L4Protocol::Icmpv6, Some(Header::Icmp(icmp))) => match icmp.kind {
                IcmpKind::EchoRequest { id, .. } => {
                    self.sockets.echo(stack.id, protocol, SocketAddr::new(src, id))
                }
                _ => None,
            },
            _ => quoted.ports().and_then(|(sport, dport)| {
                let (local, remote) = (SocketAddr::new(src, sport), SocketAddr::new(dst, dport));
                self.sockets.connected(stack.id, protocol, local, remote)
            }),
        };
        let process = socket.and_then(|s| self.process_name(s));
        let (sport, _) = quoted.ports().unwrap_or((0, 0));
        let local = SocketAddr::new(src, sport);
        let known = process.is_some();
        cursor.step(
            StepKind::Socket {
                protocol,
                local,
                process,
            },
            None,
        );
        let Some(socket) = socket.filter(|_| known) else {
            self.drop_packet(cursor, DropCause::SocketIgnored, None);
            return;
        };
        let flight = cursor.flight;
        self.finish(*cursor, LegEnd::Delivered);
        self.sockets.note_flight(socket, flight);
        self.socket_error(socket, protocol, kind);
    }

    /// Source: `icmp_err_convert`, `tcp_v4_err`, `__udp4_lib_err`, `ping_err`.
    fn socket_error(&mut self, socket: crate::process::SocketId, protocol: L4Protocol, kind: IcmpKind) {
        let (error, fatal_for_udp) = match kind {
            IcmpKind::NetUnreachable => (SocketError::NetUnreachable, false),
            IcmpKind::HostUnreachable | IcmpKind::TimeExceeded => (SocketError::HostUnreachable, false),
            IcmpKind::PortUnreachable | IcmpKind::ProtocolUnreachable => (SocketError::Refused, true),
            IcmpKind::AdminProhibited => (SocketError::HostUnreachable, true),
            IcmpKind::FragmentationNeeded { mtu_bytes } => (SocketError::MessageSize { mtu_bytes }, true),
            _ => return,
        };
        match protocol {
            L4Protocol::Tcp | L4Protocol::Sctp => match kind {
                IcmpKind::FragmentationNeeded { mtu_bytes } => self.tcp_smaller(socket, mtu_bytes),
                _ if self.sockets.tcp_state(socket) == Some(tcp::State::SynSent) => self.fail(socket, error),
                // Later on an error is remembered, and the connection goes on trying.
                _ => {}
            },
            L4Protocol::Udp if !fatal_for_udp => {}
            _ => self.tell(socket, error),
        }
    }
}
