//! Real listeners that say who they are and whom they saw, and real requests.

use crate::machines::Machines;
use hoplab_trace::Place;
use hoplab_wire::L4Protocol;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

enum Door {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Everything that listens in a world.
pub struct Servers {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// Opens each listener of each stack; one on every port is opened on `ports`.
    pub fn open(machines: &Machines, ports: &[u16]) -> Result<Self, String> {
        let mut doors = Vec::new();
        for machine in &machines.all {
            for listener in &machine.stack.listeners {
                let own = listener.port.map_or_else(|| ports.to_vec(), |p| vec![p]);
                for port in own {
                    for address in addresses(machine, listener.address, listener.protocol) {
                        let at = SocketAddr::new(address, port);
                        let door = machine.namespace.inside(|| match listener.protocol {
                            L4Protocol::Tcp => TcpListener::bind(at).and_then(|l| {
                                l.set_nonblocking(true)?;
                                Ok(Some(Door::Tcp(l)))
                            }),
                            L4Protocol::Udp => UdpSocket::bind(at).and_then(|s| {
                                s.set_nonblocking(true)?;
                                Ok(Some(Door::Udp(s)))
                            }),
                            _ => Ok(None),
                        });
                        match door {
                            Ok(Some(door)) => doors.push((door, machine.place.clone())),
                            Ok(None) => {}
                            // Two programs on one port: the first has it, as on a real machine.
                            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                            Err(error) => return Err(format!("{}: {at}: {error}", machine.place)),
                        }
                    }
                }
            }
        }
        let (stop, stopped) = UnixStream::pair().map_err(|e| e.to_string())?;
        let thread = std::thread::spawn(move || serve(&doors, &stopped));
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.stop.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where a listener is bound. A datagram is answered from the address that was asked: one socket each.
fn addresses(machine: &crate::machines::Machine, bound: Option<IpAddr>, protocol: L4Protocol) -> Vec<IpAddr> {
    if let Some(address) = bound {
        return vec![address];
    }
    let own = || {
        let interfaces = machine.stack.interfaces.values();
        interfaces
            .flat_map(|i| i.addresses.iter())
            .map(|a| a.net.addr())
            .filter(|a| !matches!(a, IpAddr::V6(a) if a.is_unicast_link_local()))
    };
    let v6 = own().any(|a| a.is_ipv6() && !a.is_loopback());
    match protocol {
        L4Protocol::Udp => own().filter(|a| v6 || a.is_ipv4()).collect(),
        _ if v6 => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        _ => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    }
}

fn serve(doors: &[(Door, Place)], stopped: &UnixStream) {
    loop {
        let mut polled: Vec<PollFd<'_>> = doors
            .iter()
            .map(|(door, _)| match door {
                Door::Tcp(l) => l.as_fd(),
                Door::Udp(s) => s.as_fd(),
            })
            .chain([stopped.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if poll(&mut polled, PollTimeout::NONE).is_err() {
            continue;
        }
        let ready: Vec<bool> = polled.iter().map(|p| p.any().unwrap_or(false)).collect();
        if ready.last() == Some(&true) {
            return;
        }
        for ((door, place), _) in doors.iter().zip(&ready).filter(|(_, r)| **r) {
            let answer = |peer: SocketAddr| format!("{place} {}", peer.ip().to_canonical());
            match door {
                Door::Tcp(listener) => {
                    if let Ok((mut stream, peer)) = listener.accept() {
                        let _ = stream.write_all(answer(peer).as_bytes());
                    }
                }
                Door::Udp(socket) => {
                    let mut bytes = [0; 2048];
                    if let Ok((length, peer)) = socket.recv_from(&mut bytes) {
                        let mut reply = bytes[..length.min(4)].to_vec();
                        reply.extend(answer(peer).bytes());
                        let _ = socket.send_to(&reply, peer);
                    }
                }
            }
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Who answered, and whom that saw.
    From { who: String, source: String },
    /// ECONNREFUSED.
    Refused,
    /// EHOSTUNREACH or ENETUNREACH.
    Unreachable,
    /// Silence.
    Timeout,
    /// Something else.
    Error(String),
}

impl Answer {
    fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Unreachable,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            _ => Self::Error(error.to_string()),
        }
    }

    fn told(text: &str) -> Self {
        match text.split_once(' ') {
            Some((who, source)) => Self::From {
                who: who.to_owned(),
                source: source.to_owned(),
            },
            // "pod:a/b 10.0.0.1": places hold no blank.
            None => Self::Error(format!("answered {text:?}")),
        }
    }
}

/// Sends one request from where the calling thread is, and waits so long at most. `mark` is what a datagram begins with.
pub fn ask(protocol: L4Protocol, to: SocketAddr, mark: u32, patience: Duration) -> Answer {
    let asked = || -> std::io::Result<String> {
        if protocol == L4Protocol::Tcp {
            let mut stream = TcpStream::connect_timeout(&to, patience)?;
            stream.set_read_timeout(Some(patience))?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            return Ok(text);
        }
        let any: IpAddr = if to.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(patience))?;
        let mut question = mark.to_be_bytes().to_vec();
        question.extend([b'x'; 28]);
        // EPERM: the own OUTPUT chain stopped it; what it rejected with is told by the next call.
        socket.send(&question).map(|_| ()).or_else(|e| {
            if e.kind() == ErrorKind::PermissionDenied {
                Ok(())
            } else {
                Err(e)
            }
        })?;
        let mut bytes = [0; 2048];
        let length = socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(bytes.get(4..length).unwrap_or_default()).into_owned())
    };
    match asked() {
        Ok(text) => Answer::told(&text),
        Err(error) => Answer::of(&error),
    }
}
