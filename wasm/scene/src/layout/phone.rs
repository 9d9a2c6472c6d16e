//! The drawing on a phone: the path only, node strips below each other, the network between them.

use super::Options;
use super::draft::Draft;
use super::keep::Keep;
use crate::input::Input;

/// Lays out.
pub(crate) fn draw(input: &Input, options: &Options, keep: &Keep) -> Draft {
    super::columns::draw(input, options, keep)
}
