//! `hosts`: names of a hosts file and of the block's own lines. Models plugin/hosts of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, authoritative, falls_through, next, question, zone_of};
use super::simple::address;
use crate::dns::reverse;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType};
use std::net::IpAddr;

/// The plug-in as configured.
pub(super) struct Hosts {
    pub zones: Vec<Name>,
    /// In the order of lines.
    pub entries: Vec<(Name, IpAddr)>,
    pub ttl_seconds: u32,
    pub no_reverse: bool,
    pub fallthrough: Option<Vec<Name>>,
}

/// The entries of lines as hosts(5) has them.
pub(super) fn entries(text: &str) -> Vec<(Name, IpAddr)> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        out.extend(words.filter_map(|word| Some((Name::parse(word).ok()?, address))));
    }
    out
}

impl Hosts {
    /// Addresses of a name, else of the wildcard closest above it.
    fn addresses(&self, name: &Name) -> Vec<IpAddr> {
        let of = |name: &Name| -> Vec<IpAddr> {
            self.entries
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, a)| *a)
                .collect()
        };
        let exact = of(name);
        if !exact.is_empty() {
            return exact;
        }
        let mut above = name.parent();
        while let Some(parent) = above.filter(|p| !p.is_root()) {
            let found = of(&super::chain::name_in(&["*"], &parent));
            // A name that exists keeps the wildcards above it away (RFC 4592 §3.3.1).
            if !found.is_empty() || !of(&parent).is_empty() {
                return found;
            }
            above = parent.parent();
        }
        Vec::new()
    }
}

impl Plugin for Hosts {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        let name = &asked.name;
        let mut message = authoritative(query, Rcode::NoError);
        let mut add = |data| {
            message
                .answers
                .push(Record::new(name.clone(), self.ttl_seconds, data))
        };
        if asked.record_type == RecordType::Ptr {
            // Source: hosts.go ServeDNS: reverse names need not be in a zone, and a miss always goes on.
            let wanted = if self.no_reverse {
                None
            } else {
                reverse::address_of(name)
            };
            let named = self.entries.iter().filter(|(_, a)| Some(*a) == wanted);
            named.for_each(|(target, _)| add(RecordData::Ptr(target.clone())));
            if message.answers.is_empty() {
                return next("hosts", cx, query, rest);
            }
            return Ok(Served::Answer(message));
        }
        if zone_of(&self.zones, name).is_none() {
            return next("hosts", cx, query, rest);
        }
        let known = self.addresses(name);
        let fits = |a: &&IpAddr| match asked.record_type {
            RecordType::A => a.is_ipv4(),
            RecordType::Aaaa => a.is_ipv6(),
            _ => false,
        };
        known.iter().filter(fits).for_each(|a| add(address(*a)));
        if known.is_empty() {
            if falls_through(self.fallthrough.as_ref(), name) {
                return next("hosts", cx, query, rest);
            }
            // Without a zone there is no SOA for a denial. Source: hosts.go ServeDNS.
            cx.notes.push("the hosts plug-in knows no such name".to_owned());
            return Ok(Served::Failed(Rcode::ServFail, String::new()));
        }
        cx.notes.push("the hosts plug-in knows the name".to_owned());
        Ok(Served::Answer(message))
    }
}
