//! Sets and maps that rules ask: those of nftables, and those of ipset.
//!
//! A key is made of the parts that the set's type names, in their order; a rule says for each whether it is the
//! packet's source or destination. Models net/netfilter/{nft_lookup.c,ipset/ip_set_hash_*.c}.

use super::Target;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::fmt::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// One part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An address.
    Ip,
    /// A prefix; the packet's address must be in it.
    Net,
    /// A protocol (nftables).
    Protocol,
    /// A port.
    Port,
    /// A protocol with a port (ipset).
    ProtocolPort,
}

/// The element that a key finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    /// Addresses or prefixes, in order.
    pub addresses: [Option<IpNet>; 2],
    /// The protocol.
    pub protocol: Option<L4Protocol>,
    /// The port.
    pub port: Option<u16>,
}

/// What is in a set.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// What a verdict map says.
    pub verdict: Option<Target>,
    /// Its comment.
    pub comment: Option<Name>,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// A set or map.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name.
    pub name: Name,
    /// What keys are made of.
    pub parts: &'static [Part],
    /// Whether elements have verdicts.
    pub is_map: bool,
    /// Whether its addresses are IPv6.
    pub is_v6: bool,
    /// Its comment; may be empty.
    pub comment: &'static str,
    /// Elements come from packets and live for so many seconds; they are part of a run.
    pub timeout_seconds: Option<u32>,
    /// In the order in which they were added.
    pub elements: IndexMap<Key, Element>,
}

/// What a packet has for a key: source and destination.
pub(crate) struct Ends {
    pub(crate) addresses: [IpAddr; 2],
    pub(crate) protocol: L4Protocol,
    pub(crate) ports: Option<(u16, u16)>,
}

impl Set {
    /// An empty set.
    pub fn new(name: impl Into<Name>, parts: &'static [Part], comment: &'static str) -> Self {
        Self {
            name: name.into(),
            parts,
            is_map: false,
            is_v6: false,
            comment,
            timeout_seconds: None,
            elements: IndexMap::new(),
        }
    }

    /// The element that a packet finds; `flags` says for each part `src` or `dst`.
    pub(crate) fn find(&self, ends: &Ends, flags: &str) -> Option<(&Key, &Element)> {
        let mut key = Key::default();
        let mut flags = flags.split(',');
        let mut networks = [false; 2];
        let mut at = 0;
        for part in self.parts {
            let flag = flags.next().unwrap_or_default();
            let destination = flag.starts_with("dst");
            match part {
                Part::Ip | Part::Net => {
                    let address = ends.addresses[usize::from(destination)];
                    *key.addresses.get_mut(at)? = Some(IpNet::from(address));
                    networks[at] = *part == Part::Net;
                    at += 1;
                }
                Part::Protocol => key.protocol = Some(ends.protocol),
                // `dsttcp`: of this protocol alone.
                Part::Port if flag.len() > 3 && ends.protocol.name() != &flag[3..] => return None,
                Part::Port | Part::ProtocolPort => {
                    let ports = ends.ports?;
                    key.port = Some(if destination { ports.1 } else { ports.0 });
                    if *part == Part::ProtocolPort {
                        key.protocol = Some(ends.protocol);
                    }
                }
            }
        }
        if networks == [false; 2] {
            return self.elements.get_key_value(&key);
        }
        let fits = |own: &Key| {
            let pairs = own.addresses.iter().zip(&key.addresses);
            (own.protocol, own.port) == (key.protocol, key.port)
                && pairs.clone().all(|(own, asked)| match (own, asked) {
                    (Some(own), Some(asked)) => own.contains(asked),
                    (own, asked) => own == asked,
                })
        };
        self.elements.iter().find(|(own, _)| fits(own))
    }
}

impl Key {
    /// The key of one address.
    pub fn address(address: IpAddr) -> Self {
        Self {
            addresses: [Some(address.into()), None],
            ..Self::default()
        }
    }

    /// That of a protocol and port.
    pub fn port(protocol: L4Protocol, port: u16) -> Self {
        Self {
            protocol: Some(protocol),
            port: Some(port),
            ..Self::default()
        }
    }

    /// That of an address, protocol and port.
    pub fn socket(address: IpAddr, protocol: L4Protocol, port: u16) -> Self {
        Self {
            addresses: [Some(address.into()), None],
            ..Self::port(protocol, port)
        }
    }

    /// The same with a second address or prefix.
    pub fn with(mut self, second: IpNet) -> Self {
        self.addresses[1] = Some(second);
        self
    }

    /// The key as `nft` (` . ` between parts) or `ipset` (`,`, and `:` between protocol and port) prints it.
    pub(crate) fn text(&self, parts: &[Part], between: &str) -> String {
        let mut out = String::new();
        let mut addresses = self.addresses.iter().flatten();
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                out.push_str(between);
            }
            let _ = match part {
                Part::Ip | Part::Net => match addresses.next() {
                    Some(net) => prefix(&mut out, net),
                    None => Ok(()),
                },
                Part::Protocol => write!(out, "{}", self.protocol.map_or("", L4Protocol::name)),
                Part::Port => write!(out, "{}", self.port.unwrap_or(0)),
                Part::ProtocolPort => write!(
                    out,
                    "{}:{}",
                    self.protocol.map_or("", L4Protocol::name),
                    self.port.unwrap_or(0)
                ),
            };
        }
        out
    }
}

/// A prefix; that of one address without its length.
pub(crate) fn prefix(out: &mut String, net: &IpNet) -> fmt::Result {
    if net.prefix_len() == net.max_prefix_len() {
        write!(out, "{}", net.addr())
    } else {
        write!(out, "{}", net.trunc())
    }
}

impl Set {
    /// `hash:ip,port`.
    pub fn ipset_type(&self) -> &'static str {
        match self.parts {
            [Part::Port] => "bitmap:port",
            [Part::Ip] => "hash:ip",
            [Part::Ip, Part::ProtocolPort] => "hash:ip,port",
            [Part::Ip, Part::ProtocolPort, Part::Net] => "hash:ip,port,net",
            _ => "hash:ip,port,ip",
        }
    }

    /// What `ipset` prints after the type.
    pub fn ipset_header(&self) -> &'static str {
        match self.parts {
            [Part::Port] => "range 0-65535",
            _ if self.is_v6 => "family inet6 hashsize 1024 maxelem 65536",
            _ => "family inet hashsize 1024 maxelem 65536",
        }
    }

    /// Its members, as `ipset` prints them.
    pub fn members(&self) -> impl Iterator<Item = String> {
        self.elements.keys().map(|key| key.text(self.parts, ","))
    }
}
