//! What runs in pods: which ports it listens on, and what it answers.
//!
//! Well-known images do what they do; every other image is a server on its declared ports that answers HTTP with a
//! description of the request and anything else with the same bytes. The annotation `hoplab.dev/behavior` overrides.

mod behavior;
mod http;
mod image;
mod listeners;
mod server;

pub use behavior::{ANNOTATION, Behavior, BehaviorError};
pub use image::repository;
pub use listeners::{AssumedPort, PodListeners, Speaks, listeners, machine, outside};
