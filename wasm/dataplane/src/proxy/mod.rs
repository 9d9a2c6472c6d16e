//! What stands in for Services on nodes. One folder a mode; the trait comes with the second one.

pub mod iptables;
