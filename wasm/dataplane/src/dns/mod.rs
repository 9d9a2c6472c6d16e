//! Cluster DNS: CoreDNS as a program in its pods, the resolver outside, and the files that resolvers read.

mod coredns;
mod corefile;
mod master;
mod outside;
pub mod resolv;
mod reverse;
mod wire;
mod zone;

pub use coredns::{Around, DnsListeners, coredns_listeners};
pub use corefile::{Corefile, CorefileError, Directive, ServerBlock};
pub use outside::{is_zone_server, resolver, zone_server};

use coredns::DnsTable;
use hoplab_objects::Store;
use std::sync::{Arc, OnceLock};
use zone::Zones;

/// What is known of names in a world, each part compiled when it is first asked for and shared from then on.
#[derive(Default)]
pub struct Names {
    table: OnceLock<Arc<DnsTable>>,
    zones: OnceLock<Arc<Zones>>,
}

impl Names {
    /// Names of the cluster. `store`: always the same one.
    fn table(&self, store: &Store) -> &Arc<DnsTable> {
        self.table.get_or_init(|| Arc::new(DnsTable::of(store)))
    }

    /// Names outside. `store`: always the same one.
    fn zones(&self, store: &Store) -> &Arc<Zones> {
        self.zones.get_or_init(|| Arc::new(Zones::of(store).0))
    }

    /// Lines of Zone documents that cannot be read.
    pub fn zone_problems(store: &Store) -> Vec<String> {
        Zones::of(store).1
    }
}

#[cfg(test)]
mod tests;
