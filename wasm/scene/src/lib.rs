//! The drawing and the animation of a world as data, and as SVG.
