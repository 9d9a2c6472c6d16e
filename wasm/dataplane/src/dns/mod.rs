//! Cluster DNS: CoreDNS as a program in its pods, the resolver outside, and the files that resolvers read.
//!
//! Where CoreDNS 1.14 and the Kubernetes DNS specification 1.1.0 differ, CoreDNS wins:
//!
//! - An SRV name of two labels is taken apart with or without underscores (2.3.2 writes them).
//! - Endpoints have names below ClusterIP Services too; the specification gives them to headless ones only (2.4).
//! - A headless Service without ready endpoints is NXDOMAIN; 2.4.1 leaves the answer open.
//! - TXT exists for `dns-version` alone, and a name without records of another type (`svc.ZONE`, the zone itself) is
//!   NXDOMAIN for it where it is NODATA for A. SOA of any name below the zone is NODATA.
//! - An ExternalName that reads as an address is NXDOMAIN; 2.5 asks for a CNAME.
//! - An ExternalName in the cluster's zone that leads nowhere loses its CNAME; one that leads out of it keeps it.
//! - PTR of an address behind a ClusterIP Service names the endpoint below that Service.
//! - TTLs are the plug-in's `ttl` (5 s, kubeadm 30 s) for every record but `dns-version`.

mod coredns;
mod corefile;
mod master;
pub mod nodelocal;
mod outside;
pub mod resolv;
pub mod resolved;
mod reverse;
mod wire;
mod zone;

pub use coredns::{
    Around, DnsListeners, Held, Judged, Memory, Place, Running, coredns_listeners, local_addresses, memory,
    noted, serves_names, startup_lines,
};
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
