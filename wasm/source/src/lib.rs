//! Where things come from: sources, spans, field paths, object keys, origins and diagnostics. Values only.

pub mod collections;
pub mod decimal;
mod diagnostic;
mod key;
pub mod order;
mod origin;
mod path;
mod span;

pub use diagnostic::{Code, Diagnostic, Note, Severity, Warned};
pub use key::{Gvk, ObjectKey};
pub use origin::Origin;
pub use path::{FieldPath, Segment};
pub use span::{SourceId, Span};
