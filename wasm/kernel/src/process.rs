//! User-space parties on sockets: clients, apps, CoreDNS, proxies. Bytes in, bytes and new flows out.

use hoplab_trace::{Micros, Name};
use hoplab_wire::L4Protocol;
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A connection or datagram conversation of a process, unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// What a process remembers when its run is over: its program knows the type.
pub type Remembered = Arc<dyn Any + Send + Sync>;

/// A program as built: shared, without state. Each run starts it anew.
pub trait Program: Send + Sync {
    /// Name as it shows in hops and in `ss`: `nginx`, `coredns`.
    fn name(&self) -> &Name;
    /// A process with fresh state.
    fn start(&self) -> Box<dyn Process>;
    /// A process that goes on from what one of this name remembered in the same stack.
    fn resume(&self, _: &Remembered) -> Box<dyn Process> {
        self.start()
    }
}

/// A running process. It acts only when something happens to it.
pub trait Process {
    /// Something happened; says what to do next through `actions`.
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>);
    /// What outlives the run, beside what is remembered already (`before`); `None`: nothing new.
    fn remembers(&self, _before: Option<&Remembered>, _now: Micros) -> Option<Remembered> {
        None
    }
}

/// What happens to a process.
#[derive(Debug)]
pub enum Event<'a> {
    /// A process that was spawned for this run begins.
    Start {
        /// Now.
        at: Micros,
    },
    /// Answers Connect and SendDatagram at once: the socket that belongs to `token`.
    Opened {
        /// As given.
        token: u64,
        /// The socket.
        socket: SocketId,
    },
    /// A TCP connection came in, or one asked for is there.
    Connected {
        /// It.
        socket: SocketId,
        /// Own end.
        local: SocketAddr,
        /// Other end as seen here.
        peer: SocketAddr,
        /// Now.
        at: Micros,
    },
    /// Bytes of a stream, or one datagram, or (ICMP) the payload of an echo reply.
    Data {
        /// On this socket.
        socket: SocketId,
        /// Own end.
        local: SocketAddr,
        /// Other end as seen here.
        peer: SocketAddr,
        /// The bytes; of a stream what came in one go, in order, nothing lost.
        bytes: &'a [u8],
        /// Now.
        at: Micros,
    },
    /// The other end closed.
    Closed {
        /// It.
        socket: SocketId,
        /// Now.
        at: Micros,
    },
    /// The connection, or the datagram sent, failed.
    Failed {
        /// It.
        socket: SocketId,
        /// As errno says.
        error: SocketError,
        /// Now.
        at: Micros,
    },
    /// A timer that this process set.
    Timer {
        /// As given.
        token: u64,
        /// Now.
        at: Micros,
    },
}

/// errno of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// ECONNREFUSED: RST on SYN, or port unreachable.
    Refused,
    /// ECONNRESET: RST later.
    Reset,
    /// ETIMEDOUT.
    TimedOut,
    /// EHOSTUNREACH.
    HostUnreachable,
    /// ENETUNREACH.
    NetUnreachable,
    /// EMSGSIZE.
    MessageSize {
        /// Largest that fits, in bytes.
        mtu_bytes: u16,
    },
    /// EPERM: the own OUTPUT chain dropped it.
    NotPermitted,
    /// EADDRINUSE and the like.
    AddressInUse,
}

/// What a process does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Opens a TCP connection (or SCTP association); answered by Connected or Failed on `socket`.
    Connect {
        /// The process's own choice; given back in [`Event::Opened`] with the socket's id.
        token: u64,
        /// TCP or SCTP.
        protocol: L4Protocol,
        /// Where to.
        to: SocketAddr,
        /// Own port; `None`: ephemeral.
        from_port: Option<u16>,
        /// What it is for: groups its legs (`main`, `web.shop.svc.cluster.local A`).
        purpose: Purpose,
    },
    /// Sends a datagram from a new socket; answers come as Data.
    SendDatagram {
        /// As of Connect.
        token: u64,
        /// UDP or ICMP (echo request; ports are 0).
        protocol: L4Protocol,
        /// Where to.
        to: SocketAddr,
        /// Own port; `None`: ephemeral.
        from_port: Option<u16>,
        /// Payload.
        bytes: Vec<u8>,
        /// Do not fragment.
        df: bool,
        /// As of Connect.
        purpose: Purpose,
    },
    /// Sends on a socket that exists (answers a datagram, writes to a stream).
    Send {
        /// It.
        socket: SocketId,
        /// Bytes.
        bytes: Vec<u8>,
        /// How the leg is named: `GET /`, `200 OK`, `NXDOMAIN`.
        label: String,
        /// How long the process thinks first.
        after: Duration,
    },
    /// Closes in order.
    Close {
        /// It.
        socket: SocketId,
        /// How long the process waits first.
        after: Duration,
    },
    /// RST.
    Abort {
        /// It.
        socket: SocketId,
    },
    /// Wakes this process up later.
    SetTimer {
        /// Given back.
        token: u64,
        /// In how long.
        after: Duration,
    },
    /// A note in the trace, beside the socket's last leg.
    Note {
        /// Socket.
        socket: SocketId,
        /// What was done, in words.
        what: String,
    },
    /// Something that the real program does here and this one does not: what comes of it is unknown.
    NotModelled {
        /// What.
        what: String,
        /// Why that decides.
        why: &'static str,
    },
    /// This process is done; its run may end.
    Finish,
}

/// What a flow is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The request itself.
    Main,
    /// A look-up that it needs: the question.
    Dns {
        /// `web.shop.svc.cluster.local A`.
        question: String,
    },
    /// A flow that a server opens to answer another one.
    Upstream {
        /// What for.
        why: String,
    },
}

/// An address that a connection went to, for processes that need the original one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalDestination(pub IpAddr, pub u16);
