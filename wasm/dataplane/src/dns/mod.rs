//! Cluster DNS: CoreDNS as a program in its pods, and the files that resolvers read.

mod corefile;
mod kubernetes;
pub mod resolv;
mod server;
mod table;
mod zone;

pub use corefile::{Corefile, CorefileError, Directive, ServerBlock};
pub use server::{DnsListeners, coredns_listeners};
