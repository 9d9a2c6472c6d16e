//! What agents write on nodes: CNI plug-ins, kube-proxy, cluster DNS; and what runs in pods.
//!
//! A [`Plan`] is made of a reconciled store: who has which stack, address and cable. It is cheap, for the whole
//! cluster. Each stack is programmed when it is first needed: the agents write through a [`StackBuilder`], which
//! stamps every route, rule, interface, neighbour and listener with its origin. What all nodes have alike (kube-proxy's
//! chains) is made once and shared.

pub mod apps;
pub mod cni;
pub mod dns;
pub mod faults;
pub mod kubelet;
mod made_up;
pub mod plan;
pub mod proxy;
mod rules;
pub mod service_map;
mod stack_builder;

pub use plan::Plan;
pub use service_map::ServiceMap;
pub use stack_builder::{RouteSpec, StackBuilder, Stamp};
