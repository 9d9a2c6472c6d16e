//! What agents write on nodes: CNI plug-ins, kube-proxy, cluster DNS; and what runs in pods.

pub mod apps;
pub mod dns;
