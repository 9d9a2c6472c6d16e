//! UDP and ICMP echo sockets.
//!
//! Models net/ipv4/udp.c: sockets that ask are connected (they hear errors, and only their peer); listeners answer
//! from the address that was asked (IP_PKTINFO, as DNS servers do).

use super::Sim;
use super::cursor::{Cursor, Launch, Stage};
use super::icmp::ip_header;
use super::socket::listener;
use crate::process::SocketId;
use crate::stack::Stack;
use hoplab_trace::{DropCause, LegEnd, StepKind};
use hoplab_wire::{Header, Icmp, IcmpKind, L4Protocol, Packet, Payload, Udp};
use std::net::SocketAddr;
use std::sync::Arc;

impl Sim<'_> {
    /// Sends one datagram. Without `df` the kernel still sets DF while the datagram fits the path's MTU
    /// (IP_PMTUDISC_WANT).
    pub(super) fn send_datagram(&mut self, id: SocketId, bytes: Vec<u8>, df: bool, label: Option<String>) {
        let Some(socket) = self.sockets.get(id).filter(|s| !s.gone) else {
            return;
        };
        let (netns, protocol, local, remote) = (socket.netns, socket.protocol, socket.local, socket.remote);
        let (conversation, forward, process, cause) = (
            socket.conversation,
            socket.opener,
            socket.process,
            socket.last_flight,
        );
        let sequence = socket.sequence.wrapping_add(1);
        let l4 = match protocol {
            L4Protocol::Udp => Header::Udp(Udp {
                src: local.port(),
                dst: remote.port(),
            }),
            L4Protocol::Icmp | L4Protocol::Icmpv6 => Header::Icmp(Icmp {
                kind: IcmpKind::EchoRequest {
                    id: local.port(),
                    sequence,
                },
                quoted: None,
            }),
            _ => return,
        };
        let label = label.unwrap_or_else(|| match protocol {
            L4Protocol::Udp => format!("UDP {} bytes", bytes.len()),
            _ => "ICMP echo request".to_owned(),
        });
        let Some(stack) = self.stack(netns) else { return };
        let flight_id = u16::try_from((self.flights.len() + 1) & 0xffff).unwrap_or(0);
        let headers = if remote.is_ipv4() { 28 } else { 48 };
        let fits = headers + bytes.len() <= self.mtu_towards(&stack, remote) as usize;
        let Some(ip) = ip_header(local.ip(), remote.ip(), protocol, flight_id, df || fits, 0) else {
            return;
        };
        let launch = Launch {
            netns,
            conversation,
            forward,
            label,
            cause: if forward { None } else { cause },
            process: self
                .parties
                .get(process.0 as usize)
                .map_or_else(|| Arc::clone(&self.nothing), |p| Arc::clone(&p.name)),
            from: Some(local),
            to: Some(remote),
            sender: Some(id),
            ct: None,
            stage: Stage::LocalOut,
        };
        let flight = self.launch(Packet::new(vec![ip, l4], Payload::from(bytes)), launch);
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.sequence = sequence;
            socket.last_flight = Some(flight);
        }
    }

    pub(super) fn mtu_towards(&self, stack: &Stack, to: SocketAddr) -> u32 {
        let key = crate::fib::lookup::Key {
            dst: to.ip(),
            src: None,
            iif: None,
            oif: None,
            mark: 0,
            flow: 0,
        };
        let found = crate::fib::lookup::look_up(stack, key);
        let device = super::walk::destination(stack, &found, to.ip()).map_or(1500, |d| d.mtu_bytes);
        self.path_mtu(stack, to.ip(), device)
    }

    /// `__udp4_lib_rcv`.
    pub(super) fn udp_in(
        &mut self,
        cursor: Box<Cursor>,
        stack: &Arc<Stack>,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let protocol = L4Protocol::Udp;
        if let Some(id) = self.sockets.connected(stack.id, protocol, local, remote) {
            self.datagram_to(cursor, Some(id), protocol, local, remote);
            return;
        }
        let Some(found) = listener(stack, protocol, local) else {
            self.no_socket(cursor, stack, protocol, local);
            return;
        };
        let process = self.server(stack, found);
        let id = self.accept(&cursor, stack.id, process, (protocol, local, remote), None, None);
        self.datagram_to(cursor, Some(id), protocol, local, remote);
    }

    /// Hands a datagram to a socket, or to nobody.
    pub(super) fn datagram_to(
        &mut self,
        mut cursor: Box<Cursor>,
        socket: Option<SocketId>,
        protocol: L4Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let process = socket.and_then(|s| self.process_name(s));
        let known = process.is_some();
        cursor.step(
            StepKind::Socket {
                protocol,
                local,
                process,
            },
            None,
        );
        let Some(id) = socket.filter(|_| known) else {
            self.drop_packet(cursor, DropCause::SocketIgnored, None);
            return;
        };
        let bytes = cursor.skb.packet.payload.0.to_vec();
        self.sockets.note_flight(id, cursor.flight);
        self.finish(*cursor, LegEnd::Delivered);
        self.tell_data(id, remote, bytes);
    }
}
