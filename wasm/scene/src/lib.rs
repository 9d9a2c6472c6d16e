//! The drawing and the animation of a world as data, and as SVG.
//!
//! A [`Scene`] is the world laid out: shapes with fixed places and the wires between them. A [`Timeline`] is one
//! trace laid over that scene: legs made of stops, each at a shape, each leading back to steps of the trace. The
//! browser draws both; nothing else crosses the boundary while a packet moves.

pub mod input;
mod layout;
mod model;
pub mod svg;
mod text;
mod timeline;
mod world;

pub use layout::{Options, layout, opened};
pub use model::*;
pub use timeline::{animate, keep};
pub use world::{Drawing, follow, input as input_of, place, scene, service_targets};
