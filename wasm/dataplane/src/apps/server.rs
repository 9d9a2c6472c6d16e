//! The process behind a listener: HTTP where the bytes are HTTP, the same bytes back where they are not.

use super::behavior::Fault;
use super::http::{Answer, Failures, Identity, Page, answer};
use hoplab_kernel::process::{Action, Event, Process, Program, SocketId};
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::http::Request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Methods that a first line may start with; what else comes is not HTTP. HTTP/2's preface starts with `PRI`.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
];

/// A server as built.
pub(super) struct Server {
    pub name: Name,
    pub page: Option<Page>,
    pub who: Arc<Identity>,
    pub delay: Duration,
    pub fault: Option<Fault>,
    /// Whether it answers whatever comes with its text, as agnhost serve-hostname does.
    pub says: Option<String>,
    /// What had to be assumed for it to exist; the trace says so.
    pub assumed: Option<Name>,
}

impl Program for Server {
    fn name(&self) -> &Name {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(Running {
            page: self.page.clone(),
            who: Arc::clone(&self.who),
            delay: self.delay,
            fault: self.fault,
            says: self.says.clone(),
            assumed: self.assumed.clone(),
            buffers: IndexMap::new(),
            failures: Failures::new(),
        })
    }
}

struct Running {
    page: Option<Page>,
    who: Arc<Identity>,
    delay: Duration,
    fault: Option<Fault>,
    says: Option<String>,
    assumed: Option<Name>,
    buffers: IndexMap<SocketId, Vec<u8>>,
    failures: Failures,
}

/// Whether bytes could be the start of an HTTP/1 request.
fn looks_like_http(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let line = [method.as_bytes(), b" "].concat();
        let n = line.len().min(bytes.len());
        !bytes.is_empty() && bytes[..n] == line[..n]
    })
}

impl Running {
    fn data(&mut self, socket: SocketId, peer: SocketAddr, bytes: &[u8], actions: &mut Vec<Action>) {
        if let Some(assumed) = self
            .assumed
            .as_ref()
            .filter(|_| !self.buffers.contains_key(&socket))
        {
            actions.push(Action::Note {
                socket,
                what: assumed.to_string(),
            });
        }
        match self.fault {
            Some(Fault::Reset) => return actions.push(Action::Abort { socket }),
            Some(Fault::Silent) => return,
            None => {}
        }
        if let Some(says) = &self.says {
            let bytes = says.clone().into_bytes();
            return actions.push(Action::Send {
                socket,
                bytes,
                label: "answer".to_owned(),
                after: self.delay,
            });
        }
        let buffer = self.buffers.entry(socket).or_default();
        buffer.extend_from_slice(bytes);
        let Some(page) = &self.page else {
            return self.echo(socket, actions);
        };
        if !looks_like_http(buffer) {
            return self.echo(socket, actions);
        }
        while let Ok(Some((request, used))) = Request::parse(buffer) {
            buffer.drain(..used);
            let Answer {
                response,
                after,
                aborts,
                not_modelled,
            } = answer(page, &request, &self.who, peer, &mut self.failures);
            if let Some(what) = not_modelled {
                actions.push(Action::NotModelled {
                    what: what.to_owned(),
                    why: "the answer is not known",
                });
            }
            if aborts {
                return actions.push(Action::Abort { socket });
            }
            let label = format!("{} {}", response.status, response.reason);
            let bytes = if request.method == "HEAD" {
                response.head_to_bytes()
            } else {
                response.to_bytes()
            };
            actions.push(Action::Send {
                socket,
                bytes,
                label: label.trim().to_owned(),
                after: after + self.delay,
            });
            if !request.keeps_alive() {
                actions.push(Action::Close {
                    socket,
                    after: after + self.delay,
                });
            }
        }
    }

    fn echo(&mut self, socket: SocketId, actions: &mut Vec<Action>) {
        let bytes = self.buffers.swap_remove(&socket).unwrap_or_default();
        if !bytes.is_empty() {
            actions.push(Action::Send {
                socket,
                bytes,
                label: "echo".to_owned(),
                after: self.delay,
            });
        }
    }
}

impl Process for Running {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Data {
                socket, peer, bytes, ..
            } => self.data(socket, peer, bytes, actions),
            Event::Connected { socket, .. } if self.fault == Some(Fault::Reset) => {
                actions.push(Action::Abort { socket });
            }
            Event::Closed { socket, .. } => {
                self.buffers.swap_remove(&socket);
                actions.push(Action::Close {
                    socket,
                    after: Duration::ZERO,
                });
            }
            _ => {}
        }
    }
}
