//! The process that asks: it resolves the name as the pod's resolver does, opens the connection, sends, waits, closes.

use crate::resolver::{LookUp, Resolved};
use hoplab_kernel::process::{Action, Event, Process, Purpose, SocketError, SocketId};
use hoplab_trace::Micros;
use hoplab_wire::{L4Protocol, http};
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// How long a client waits for an answer to what it sent before it gives up. curl has no such limit by itself; the
/// wait has to end for the trace to have an outcome.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client without a handshake (UDP, ICMP) waits.
const DATAGRAM_TIMEOUT: Duration = Duration::from_secs(5);

const TOKEN_MAIN: u64 = 0;
const TIMER_ANSWER: u64 = 1;

/// What to send once there is an address.
#[derive(Clone, Debug)]
pub enum Message {
    /// Over a stream, HTTP: done when a whole response is there.
    Http {
        /// As it goes over the wire.
        bytes: Vec<u8>,
        /// `GET /cart`.
        label: String,
        /// Whether the method has responses without a body (HEAD).
        head: bool,
    },
    /// Over a connection: done when anything comes back. Empty: done with the handshake.
    Stream {
        /// TCP or SCTP.
        protocol: L4Protocol,
        /// What is sent.
        bytes: Vec<u8>,
    },
    /// One datagram.
    Datagram {
        /// UDP, or ICMP echo.
        protocol: L4Protocol,
        /// Payload.
        bytes: Vec<u8>,
        /// Do not fragment.
        df: bool,
    },
    /// The look-up is all that is asked.
    Nothing,
}

/// How it went, as the process itself can know.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The main flow's socket.
    pub socket: Option<SocketId>,
    /// What the look-up gave, if there was one.
    pub resolved: Option<Resolved>,
    /// The address that the main flow went to.
    pub peer: Option<SocketAddr>,
    /// Whether the handshake was done.
    pub connected: bool,
    /// Everything that came back.
    pub received: Vec<u8>,
    /// Whether a whole answer came.
    pub answered: bool,
    /// Why not.
    pub error: Option<SocketError>,
    /// Whether the wait ended without an answer.
    pub timed_out: bool,
    /// When the look-up was over.
    pub looked_up: Micros,
    /// When it was over.
    pub finished: Micros,
}

/// The process.
pub struct Client {
    resolver: Option<Box<dyn LookUp>>,
    address: Option<IpAddr>,
    port: u16,
    source_port: Option<u16>,
    message: Message,
    report: Rc<RefCell<Report>>,
}

impl Client {
    /// A client that resolves first, if there is a resolver, else goes to `address`.
    pub fn new(
        resolver: Option<Box<dyn LookUp>>,
        address: Option<IpAddr>,
        port: u16,
        source_port: Option<u16>,
        message: Message,
        report: Rc<RefCell<Report>>,
    ) -> Self {
        Self {
            resolver,
            address,
            port,
            source_port,
            message,
            report,
        }
    }

    fn open(&mut self, actions: &mut Vec<Action>) {
        let Some(address) = self.address else { return };
        let to = SocketAddr::new(address, self.port);
        self.report.borrow_mut().peer = Some(to);
        match &self.message {
            Message::Nothing => actions.push(Action::Finish),
            Message::Datagram { protocol, bytes, df } => {
                actions.push(Action::SendDatagram {
                    token: TOKEN_MAIN,
                    protocol: *protocol,
                    to,
                    from_port: self.source_port,
                    bytes: bytes.clone(),
                    df: *df,
                    purpose: Purpose::Main,
                });
                actions.push(Action::SetTimer {
                    token: TIMER_ANSWER,
                    after: DATAGRAM_TIMEOUT,
                });
            }
            Message::Http { .. } | Message::Stream { .. } => actions.push(Action::Connect {
                token: TOKEN_MAIN,
                protocol: match &self.message {
                    Message::Stream { protocol, .. } => *protocol,
                    _ => L4Protocol::Tcp,
                },
                to,
                from_port: self.source_port,
                purpose: Purpose::Main,
            }),
        }
    }

    fn finish(&self, at: Micros, actions: &mut Vec<Action>) {
        self.report.borrow_mut().finished = at;
        actions.push(Action::Finish);
    }

    fn look_up(&mut self, at: Micros, actions: &mut Vec<Action>) {
        let Some(resolver) = &mut self.resolver else {
            return;
        };
        let Some(resolved) = resolver.result() else { return };
        self.resolver = None;
        self.address = resolved.address;
        self.report.borrow_mut().resolved = Some(resolved);
        self.report.borrow_mut().looked_up = at;
        if self.address.is_some() && !matches!(self.message, Message::Nothing) {
            self.open(actions);
        } else {
            self.finish(at, actions);
        }
    }

    fn is_main(&self, socket: SocketId) -> bool {
        self.report.borrow().socket == Some(socket)
    }

    fn on_main_data(&mut self, socket: SocketId, bytes: &[u8], at: Micros, actions: &mut Vec<Action>) {
        if self.report.borrow().answered {
            return;
        }
        self.report.borrow_mut().received.extend_from_slice(bytes);
        let whole = match &self.message {
            Message::Http { head, .. } => http::response_is_whole(&self.report.borrow().received, *head),
            _ => true,
        };
        if whole {
            self.answered(socket, at, actions);
        }
    }

    fn answered(&mut self, socket: SocketId, at: Micros, actions: &mut Vec<Action>) {
        self.report.borrow_mut().answered = true;
        if !matches!(self.message, Message::Datagram { .. }) {
            actions.push(Action::Close {
                socket,
                after: Duration::ZERO,
            });
        }
        self.finish(at, actions);
    }
}

impl Process for Client {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        if let Some(resolver) = &mut self.resolver {
            let at = resolver.on(&event, actions);
            if let Some(at) = at {
                self.look_up(at, actions);
            }
            return;
        }
        match event {
            Event::Start { .. } => self.open(actions),
            Event::Opened {
                token: TOKEN_MAIN,
                socket,
            } => self.report.borrow_mut().socket = Some(socket),
            Event::Connected { socket, at, .. } if self.is_main(socket) => {
                self.report.borrow_mut().connected = true;
                match &self.message {
                    Message::Http { bytes, label, .. } => actions.push(Action::Send {
                        socket,
                        bytes: bytes.clone(),
                        label: label.clone(),
                        after: Duration::ZERO,
                    }),
                    Message::Stream { bytes, .. } if !bytes.is_empty() => actions.push(Action::Send {
                        socket,
                        bytes: bytes.clone(),
                        label: "data".to_owned(),
                        after: Duration::ZERO,
                    }),
                    _ => return self.answered(socket, at, actions),
                }
                actions.push(Action::SetTimer {
                    token: TIMER_ANSWER,
                    after: ANSWER_TIMEOUT,
                });
            }
            Event::Data {
                socket, bytes, at, ..
            } if self.is_main(socket) => {
                self.on_main_data(socket, bytes, at, actions);
            }
            Event::Closed { socket, at } if self.is_main(socket) && !self.report.borrow().answered => {
                // A response without a length ends with the connection (RFC 9112 §6.3).
                let something = !self.report.borrow().received.is_empty();
                if something {
                    self.answered(socket, at, actions);
                } else {
                    self.report.borrow_mut().error = Some(SocketError::Reset);
                    self.finish(at, actions);
                }
            }
            Event::Failed { socket, error, at } if self.is_main(socket) && !self.report.borrow().answered => {
                self.report.borrow_mut().error = Some(error);
                self.finish(at, actions);
            }
            Event::Timer {
                token: TIMER_ANSWER,
                at,
            } if !self.report.borrow().answered => {
                self.report.borrow_mut().timed_out = true;
                self.finish(at, actions);
            }
            _ => {}
        }
    }
}
