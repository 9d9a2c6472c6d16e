//! From what is drawn to where it stands: pure geometry, the same for the same input.
//!
//! Pods above, the kernel below them, the wire at the bottom; Services beside the path. At the two larger densities
//! nodes stand side by side ([`columns`]); on a phone they lie below each other ([`phone`]).

mod choose;
mod columns;
mod compact;
mod draft;
mod ground;
mod hosts;
mod keep;
mod lane;
mod machine;
mod opened;
mod phone;
mod pods;
mod proxy;
mod services;
mod shapes;
mod stacked;
mod tree;
mod turn;

use crate::input::Input;
use crate::{Density, Scene};
pub(crate) use draft::Rect;
use keep::Keep;
pub(crate) use keep::{DIRECT, UP};
pub(crate) use shapes::service_targets as targets_of;

/// How to lay out.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How much room there is.
    pub density: Density,
    /// Width of the drawing's panel.
    pub width: f64,
    /// Height of the drawing's panel.
    pub height: f64,
    /// Shapes that are on a path (what [`crate::keep`] says of a trace) or opened by hand: drawn one level nearer,
    /// never folded. The order counts: what comes first is where the path starts.
    pub keep: Vec<String>,
}

impl Options {
    /// A panel of the usual size at this density, nothing kept.
    pub fn of(density: Density) -> Self {
        let (width, height) = match density {
            Density::Wide => (824.0, 528.0),
            Density::Middle => (644.0, 528.0),
            Density::Phone => (390.0, 348.0),
        };
        Self {
            density,
            width,
            height,
            keep: Vec::new(),
        }
    }
}

/// Lays a world out.
pub fn layout(input: &Input, options: &Options) -> Scene {
    let keep = Keep::of(&options.keep);
    let pods = choose::Pods::of(input);
    let mut draft = match options.density {
        Density::Wide | Density::Middle => columns::draw(input, &pods, options, &keep),
        Density::Phone => phone::draw(input, &pods, options, &keep),
    };
    draft.order();
    Scene {
        width: draft.width.ceil(),
        height: draft.height.ceil(),
        shapes: draft.shapes,
        edges: draft.edges,
        tree: tree::of(input, &pods, &draft.drawn),
    }
}

/// Names of the nodes that are drawn with their kernel.
pub fn opened(input: &Input, options: &Options) -> Vec<String> {
    let keep = Keep::of(&options.keep);
    let pods = choose::Pods::of(input);
    choose::nodes(input, &pods, &keep, options.density)
        .opened
        .iter()
        .map(|n| n.name.clone())
        .collect()
}
