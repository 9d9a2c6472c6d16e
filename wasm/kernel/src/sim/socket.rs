//! Sockets: which one a packet is for, and what opens and ends them.

use super::{Acceptor, Cursor, ProcessId, RunEnd, Sim, sctp, tcp};
use crate::NetNsId;
use crate::netns::Listener;
use crate::process::{Purpose, SocketError, SocketId};
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// One socket.
pub(super) struct Socket {
    pub(super) netns: NetNsId,
    pub(super) process: ProcessId,
    pub(super) protocol: L4Protocol,
    /// Own end; of ICMP the port is the echo's identifier.
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) conversation: u32,
    /// Whether its process opened the conversation.
    pub(super) opener: bool,
    pub(super) tcp: Option<tcp::Tcp>,
    pub(super) sctp: Option<sctp::Sctp>,
    /// The last packet that it received or sent.
    pub(super) last_flight: Option<u32>,
    /// Echo requests sent.
    pub(super) sequence: u16,
    /// What an eBPF program gave it instead of what its process asked for.
    pub(super) lb: Option<Box<Translated>>,
    pub(super) gone: bool,
}

/// A destination that an eBPF program chose.
pub(super) struct Translated {
    /// What the process asked for, and goes on to see.
    pub(super) asked: SocketAddr,
    /// What the program did, until the first packet has told it.
    pub(super) told: Option<(Name, Arc<Origin>)>,
}

type Flow = (NetNsId, L4Protocol, SocketAddr, SocketAddr);

/// All sockets of a run.
#[derive(Default)]
pub(super) struct Sockets {
    all: Vec<Socket>,
    by_flow: IndexMap<Flow, SocketId>,
    /// Server processes that run: stack and program.
    pub(super) running: IndexMap<(NetNsId, usize), ProcessId>,
    pub(super) ack_due: Vec<SocketId>,
}

/// First ephemeral port (ip_local_port_range) and how many are used.
const EPHEMERAL: (u32, u32) = (32_768, 28_232);

impl Sockets {
    pub(super) fn get(&self, id: SocketId) -> Option<&Socket> {
        self.all.get(id.0 as usize)
    }

    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.all.get_mut(id.0 as usize)
    }

    pub(super) fn connected(
        &self,
        netns: NetNsId,
        protocol: L4Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SocketId> {
        self.by_flow.get(&(netns, protocol, local, remote)).copied()
    }

    /// The socket that sent echo requests with this identifier from this address.
    pub(super) fn echo(&self, netns: NetNsId, protocol: L4Protocol, local: SocketAddr) -> Option<SocketId> {
        let fits = |s: &Socket| s.netns == netns && s.protocol == protocol && s.local == local && !s.gone;
        let index = self.all.iter().rposition(fits)?;
        u32::try_from(index).ok().map(SocketId)
    }

    pub(super) fn of(&self, process: ProcessId) -> impl Iterator<Item = SocketId> {
        let own = self
            .all
            .iter()
            .zip(0..)
            .filter(move |(s, _)| s.process == process && !s.gone);
        own.map(|(_, id)| SocketId(id))
    }

    pub(super) fn add(&mut self, socket: Socket) -> SocketId {
        let id = SocketId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.by_flow
            .insert((socket.netns, socket.protocol, socket.local, socket.remote), id);
        self.all.push(socket);
        id
    }

    pub(super) fn remove(&mut self, id: SocketId) {
        let Some(socket) = self.all.get_mut(id.0 as usize) else {
            return;
        };
        socket.gone = true;
        let flow = (socket.netns, socket.protocol, socket.local, socket.remote);
        if self.by_flow.get(&flow) == Some(&id) {
            self.by_flow.swap_remove(&flow);
        }
    }

    pub(super) fn note_flight(&mut self, id: SocketId, flight: u32) {
        if let Some(socket) = self.get_mut(id) {
            socket.last_flight = Some(flight);
        }
    }

    pub(super) fn tcp_state(&self, id: SocketId) -> Option<tcp::State> {
        self.get(id)?.tcp.as_ref().map(|t| t.state)
    }

    fn port_in_use(&self, netns: NetNsId, protocol: L4Protocol, port: u16) -> bool {
        self.all
            .iter()
            .any(|s| !s.gone && s.netns == netns && s.protocol == protocol && s.local.port() == port)
    }
}

/// The listener that a packet is for: a bound address before any, a bound port before all
/// (`__inet_lookup_listener`, compute_score).
pub(super) fn listener(stack: &Stack, protocol: L4Protocol, local: SocketAddr) -> Option<&Listener> {
    let fits = |l: &&Listener| {
        l.protocol == protocol
            && l.address.is_none_or(|a| a == local.ip())
            && l.port.is_none_or(|p| p == local.port())
    };
    let found = stack.ns.listeners.iter().filter(fits);
    found
        .rev()
        .max_by_key(|l| (l.port.is_some(), l.address.is_some()))
}

impl Sim<'_> {
    /// A new socket of a process, bound to the address that routing chooses. `None`: that failed, and it was told.
    #[allow(clippy::too_many_arguments, reason = "the fields of one action")]
    pub(super) fn open_socket(
        &mut self,
        process: ProcessId,
        token: u64,
        protocol: L4Protocol,
        to: SocketAddr,
        from_port: Option<u16>,
        purpose: Purpose,
        parent: Option<u32>,
    ) -> Option<SocketId> {
        let netns = self.parties.get(process.0 as usize)?.netns;
        let stack = self.stack(netns)?;
        let asked = stack
            .ns
            .socket_maps
            .as_ref()
            .and_then(|maps| maps.find(protocol, to));
        let refused = asked.is_some_and(|frontend| frontend.backends.is_empty());
        let (to, lb) = match self.socket_lb(&stack, protocol, to) {
            Some((backend, lb)) => (backend, Some(Box::new(lb))),
            None => (to, None),
        };
        let conversation = self.open_flow(process, protocol, to, purpose, parent)?;
        let none = if to.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let address = super::walk::source_address(&stack, to.ip(), 0).unwrap_or(none);
        let port = from_port.unwrap_or_else(|| self.ephemeral_port(netns, protocol));
        let local = SocketAddr::new(address, port);
        let taken = self.sockets.connected(netns, protocol, local, to).is_some();
        let socket = self.sockets.add(Socket {
            netns,
            process,
            protocol,
            local,
            remote: to,
            conversation,
            opener: true,
            tcp: None,
            sctp: None,
            last_flight: None,
            sequence: 0,
            lb,
            gone: false,
        });
        if let Some(info) = self.conversations.get_mut(conversation as usize) {
            info.local = Some(local);
            info.sockets.push(socket);
        }
        self.tell_opened(socket, token);
        if refused {
            // cil_sock4_connect: no backend.
            self.fail(socket, SocketError::HostUnreachable);
            return None;
        }
        if taken {
            self.fail(socket, SocketError::AddressInUse);
            return None;
        }
        Some(socket)
    }

    /// `__sock4_xlate_fwd`: the backend that stands for a Service's address. `None`: it is no Service's.
    fn socket_lb(
        &mut self,
        stack: &Stack,
        protocol: L4Protocol,
        asked: SocketAddr,
    ) -> Option<(SocketAddr, Translated)> {
        let frontend = stack.ns.socket_maps.as_ref()?.find(protocol, asked)?;
        let list = |backend: &SocketAddr| Name::from(format!("lb4_affinity {asked} {backend}"));
        let now = self.now;
        let recent = &self.overlay.stack_mut(stack.id).recent;
        let known = frontend.affinity_seconds.and_then(|seconds| {
            let since = std::time::Duration::from_secs(u64::from(seconds));
            frontend.backends.iter().position(|(backend, _)| {
                let seen = recent.get(&list(backend)).and_then(|seen| seen.get(&asked.ip()));
                seen.is_some_and(|at| *at + since >= now)
            })
        });
        let count = frontend.backends.len();
        let index = match (known, count) {
            (Some(known), _) => known,
            (None, 0 | 1) => 0,
            _ => {
                let place = crate::nf::eval::place_name(&stack.ns.place);
                self.chooser
                    .choose(&|| format!("cil_sock4_connect {asked} on {place}"), &|| {
                        let ways = frontend.backends.iter();
                        ways.map(|(backend, _)| (backend.to_string(), 1.0 / count as f64))
                            .collect()
                    })
            }
        };
        let (backend, origin) = frontend.backends.get(index)?;
        if frontend.affinity_seconds.is_some() {
            let recent = &mut self.overlay.stack_mut(stack.id).recent;
            recent.entry(list(backend)).or_default().insert(asked.ip(), now);
        }
        let program = if protocol == L4Protocol::Tcp {
            "connect"
        } else {
            "sendmsg"
        };
        let what = format!(
            "cil_sock4_{program}: cilium_lb4_services_v2 {asked} -> cilium_lb4_backends_v3 {backend}"
        );
        let told = Some((what.into(), Arc::clone(origin)));
        Some((*backend, Translated { asked, told }))
    }

    fn ephemeral_port(&mut self, netns: NetNsId, protocol: L4Protocol) -> u16 {
        let (first, count) = EPHEMERAL;
        for _ in 0..count {
            // Spread, so that neighbouring flows do not look alike; 7919 is prime to the count.
            let port = first + self.overlay.opened.wrapping_mul(7919).wrapping_add(7232) % count;
            self.overlay.opened = self.overlay.opened.wrapping_add(1);
            let port = u16::try_from(port).unwrap_or(u16::MAX);
            if !self.sockets.port_in_use(netns, protocol, port) {
                return port;
            }
        }
        u16::MAX
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one action")]
    pub(super) fn connect(
        &mut self,
        process: ProcessId,
        token: u64,
        protocol: L4Protocol,
        to: SocketAddr,
        from_port: Option<u16>,
        purpose: Purpose,
        parent: Option<u32>,
    ) {
        if let Some(socket) = self.open_socket(process, token, protocol, to, from_port, purpose, parent) {
            if protocol == L4Protocol::Sctp {
                self.sctp_open(socket);
                return;
            }
            self.tcp_open(socket);
        }
    }

    /// The process behind a listener, started by the first packet for it.
    pub(super) fn server(&mut self, stack: &Stack, listener: &Listener) -> ProcessId {
        let program = Arc::as_ptr(&listener.program).cast::<()>() as usize;
        if let Some(process) = self.sockets.running.get(&(stack.id, program)) {
            return *process;
        }
        let name = Arc::clone(listener.program.name());
        let state = self.overlay.stack(stack.id);
        let process = match state.and_then(|state| state.remembered.get(&name)) {
            Some(remembered) => listener.program.resume(remembered),
            None => listener.program.start(),
        };
        self.add_party(stack.id, name, process, Some(program))
    }

    /// A socket for the peer that a packet at a listener came from.
    pub(super) fn accept(
        &mut self,
        cursor: &Cursor,
        netns: NetNsId,
        process: ProcessId,
        (protocol, local, remote): (L4Protocol, SocketAddr, SocketAddr),
        tcp: Option<tcp::Tcp>,
        sctp: Option<sctp::Sctp>,
    ) -> SocketId {
        let conversation = cursor.conversation;
        let id = self.sockets.add(Socket {
            netns,
            process,
            protocol,
            local,
            remote,
            conversation,
            opener: false,
            tcp,
            sctp,
            last_flight: Some(cursor.flight),
            sequence: 0,
            lb: None,
            gone: false,
        });
        self.accepted(conversation, netns, local, remote, Some(process));
        if let Some(info) = self.conversations.get_mut(conversation as usize) {
            info.sockets.push(id);
        }
        id
    }

    /// Notes who took a conversation's first packet.
    pub(super) fn accepted(
        &mut self,
        conversation: u32,
        netns: NetNsId,
        local: SocketAddr,
        peer: SocketAddr,
        process: Option<ProcessId>,
    ) {
        let name = process
            .and_then(|p| self.parties.get(p.0 as usize))
            .map_or(&self.kernel, |p| &p.name);
        let acceptor = Acceptor {
            netns,
            process: Arc::clone(name),
            local,
            peer,
            at: self.now,
        };
        if let Some(info) = self.conversations.get_mut(conversation as usize) {
            info.acceptor.get_or_insert(acceptor);
        }
    }

    /// The connection is over, with an error.
    pub(super) fn fail(&mut self, socket: SocketId, error: SocketError) {
        self.tell(socket, error);
        if let Some(tcp) = self.sockets.get_mut(socket).and_then(|s| s.tcp.as_mut()) {
            tcp.end();
        }
        self.sockets.remove(socket);
    }

    /// What a send call returns when the packet never left.
    pub(super) fn tell_sender(&mut self, cursor: &super::Cursor, error: SocketError) {
        let Some(id) = cursor.sender else { return };
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        match (&socket.tcp, error) {
            // connect() returns a missing route at once; a dropped segment is only lost.
            (Some(tcp), SocketError::NetUnreachable | SocketError::HostUnreachable)
                if tcp.state == tcp::State::SynSent =>
            {
                self.fail(id, error);
            }
            (Some(_), SocketError::MessageSize { mtu_bytes }) => self.tcp_smaller(id, mtu_bytes),
            (Some(_), _) => {}
            (None, SocketError::NetUnreachable | SocketError::HostUnreachable) if socket.sctp.is_some() => {
                self.fail(id, error);
            }
            (None, _) if socket.sctp.is_some() => {}
            (None, _) => self.tell(id, error),
        }
    }

    pub(super) fn too_many(&mut self) -> bool {
        self.exhausted == Some(RunEnd::FlightLimit)
    }
}
