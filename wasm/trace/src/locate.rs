//! From an origin to a line of a file.

use hoplab_source::Origin;

/// A place in a file that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// As the source is named.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// Knows where objects were read from. `engine` implements it over its store.
pub trait Locate {
    /// The line of an origin's field; `None` when no file holds the object.
    fn locate(&self, origin: &Origin) -> Option<Located>;
}

/// Knows no file.
pub struct Nowhere;

impl Locate for Nowhere {
    fn locate(&self, _: &Origin) -> Option<Located> {
        None
    }
}
