//! Linux networking: namespaces, interfaces, routes, netfilter, conntrack, sockets and the packet walk.
//! **Knows no Kubernetes object.**
//!
//! `dataplane` fills a [`NetNs`] for each machine and pod; [`Net`] holds them, built when first needed. A
//! [`sim::Sim`] runs processes on one virtual clock over an overlay of conntrack, neighbours and counters, and
//! returns the flights of all packets.

pub mod bpf;
pub mod conntrack;
pub mod edit;
pub mod fib;
pub mod interface;
pub mod ipvs;
pub mod net;
pub mod netns;
pub mod nf;
pub mod overlay;
pub mod process;
pub mod sim;
mod stack;

pub use net::{Fabric, FabricId, Net, NetNsId, PortRef, StackSource};
pub use netns::NetNs;
pub use overlay::Overlay;
pub use stack::source_of;
