//! Servers of names outside: the resolver that nodes ask, which knows every Zone document, and the Zones' own servers.
//!
//! A world knows no other names of the Internet. The resolver says NXDOMAIN for them, and notes that the world has no
//! Zone for the name: a choice, not a fact about the real name.

use super::Names;
use super::wire::{send, whole_messages};
use super::zone::{Upstream, Zones};
use hoplab_kernel::netns::Listener;
use hoplab_kernel::process::{Action, Event, Process, Program, SocketId};
use hoplab_objects::Store;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name as SharedName;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Message, Rcode};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The port of DNS.
const PORT: u16 = 53;

/// The resolver that nodes ask: over UDP and TCP.
pub fn resolver(names: &Names, store: &Store) -> Vec<Listener> {
    listeners("resolver", names.zones(store), None)
}

/// The server of the Zones whose `server` is this address.
pub fn zone_server(names: &Names, store: &Store, address: IpAddr) -> Vec<Listener> {
    listeners("dns-server", names.zones(store), Some(address))
}

/// Whether an address is the server of a Zone.
pub fn is_zone_server(names: &Names, store: &Store, address: IpAddr) -> bool {
    names.zones(store).is_server(address)
}

fn listeners(name: &str, zones: &Arc<Zones>, server: Option<IpAddr>) -> Vec<Listener> {
    let listener = |protocol: L4Protocol| {
        let stream = protocol == L4Protocol::Tcp;
        let program = Outside {
            name: name.into(),
            zones: Arc::clone(zones),
            server,
            stream,
        };
        Listener {
            protocol,
            address: None,
            port: Some(PORT),
            program: Arc::new(program),
            origin: None,
        }
    };
    vec![listener(L4Protocol::Udp), listener(L4Protocol::Tcp)]
}

#[derive(Clone)]
struct Outside {
    name: SharedName,
    zones: Arc<Zones>,
    /// Only zones of this server; `None`: all.
    server: Option<IpAddr>,
    stream: bool,
}

impl Program for Outside {
    fn name(&self) -> &SharedName {
        &self.name
    }

    fn start(&self) -> Box<dyn Process> {
        Box::new(Running {
            program: self.clone(),
            streams: IndexMap::new(),
        })
    }
}

struct Running {
    program: Outside,
    streams: IndexMap<SocketId, Vec<u8>>,
}

impl Process for Running {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Data { socket, bytes, .. } if self.program.stream => {
                for message in whole_messages(self.streams.entry(socket).or_default(), bytes) {
                    self.asked(socket, &message, actions);
                }
            }
            Event::Data { socket, bytes, .. } => self.asked(socket, bytes, actions),
            Event::Closed { socket, .. } => {
                self.streams.swap_remove(&socket);
                actions.push(Action::Close {
                    socket,
                    after: Duration::ZERO,
                });
            }
            _ => {}
        }
    }
}

impl Running {
    fn asked(&self, socket: SocketId, bytes: &[u8], actions: &mut Vec<Action>) {
        let Some(query) = Message::parse(bytes)
            .ok()
            .filter(|message| !message.flags.response)
        else {
            return;
        };
        let (message, note) = self.program.answer(&query);
        actions.push(Action::Note { socket, what: note });
        send(socket, &query, message, self.program.stream, actions);
    }
}

impl Outside {
    fn answer(&self, query: &Message) -> (Message, String) {
        let Some(question) = query.questions.first() else {
            return (
                Message::answer_to(query, Rcode::FormErr),
                "the query holds no question".to_owned(),
            );
        };
        let mut message = Message::answer_to(query, Rcode::NoError);
        message.flags.authoritative = self.server.is_some();
        message.flags.recursion_available = self.server.is_none();
        let name = &question.name;
        let note = match self.zones.find(name, question.record_type, self.server) {
            Upstream::Records(records) => {
                message.answers = records;
                format!("a Zone holds {name}")
            }
            Upstream::NoData => format!("a Zone holds {name}, without such a record"),
            Upstream::NxDomain => {
                message.set_rcode(Rcode::NxDomain);
                format!("the Zone of {name} holds no such name")
            }
            Upstream::NoZone if self.server.is_some() => {
                message.set_rcode(Rcode::Refused);
                format!("{name} is in none of this server's zones")
            }
            Upstream::NoZone => {
                message.set_rcode(Rcode::NxDomain);
                format!("this world has no Zone for {name}: nothing is known of it")
            }
        };
        (message, note)
    }
}
