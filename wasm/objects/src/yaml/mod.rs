//! YAML (and JSON, which is YAML too) to values whose every key and value keeps its place in the text.
//!
//! Scalars mean what they mean to kubectl (sigs.k8s.io/yaml, a YAML 1.1 reader), not what YAML 1.2 says:
//! `yes` is a boolean there. A file is split into documents before it is parsed, so that a broken document
//! does not hide the ones around it.

mod build;
mod scalar;
mod split;
mod tree;

pub(crate) use split::Chunk;
pub(crate) use tree::Shift;
pub use tree::SpanTree;

use crate::codes;
use hoplab_source::{Diagnostic, Severity, SourceId, Span, Warned};
use serde_json::Value;

/// Size that one source may have, in bytes.
pub const LARGEST_SOURCE_BYTES: usize = 8 << 20;

/// How much one source may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of one source, in bytes.
    pub source_bytes: usize,
    /// How deep collections may nest.
    pub depth: usize,
    /// Nodes that aliases and merge keys of one document may add.
    pub alias_nodes: usize,
}

impl Default for Limits {
    /// [`LARGEST_SOURCE_BYTES`], 100 levels, 100,000 nodes from aliases.
    fn default() -> Self {
        Self {
            source_bytes: LARGEST_SOURCE_BYTES,
            depth: 100,
            alias_nodes: 100_000,
        }
    }
}

/// One document that could be read: its value and where each part of it stands.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where it says so.
    pub spans: SpanTree,
}

/// Reads every document of a source. Documents that cannot be read are left out and reported; empty ones
/// (comments only) are left out silently.
pub fn documents(source: SourceId, text: &str, limits: &Limits) -> Warned<Vec<Document>> {
    let mut value = Vec::new();
    let mut diagnostics = Vec::new();
    for chunk in chunks(source, text, limits, &mut diagnostics) {
        documents_of(source, &chunk, limits, &mut value, &mut diagnostics);
    }
    Warned { value, diagnostics }
}

/// The stretches of a source that are read apart from each other; none of one that is too large.
pub(crate) fn chunks<'t>(
    source: SourceId,
    text: &'t str,
    limits: &Limits,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Chunk<'t>> {
    if text.len() > limits.source_bytes {
        let start = Span {
            source,
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            ..Span::default()
        };
        diagnostics.push(
            Diagnostic::new(
                codes::SOURCE_TOO_LARGE,
                Severity::Error,
                format!(
                    "the file has {} MiB, more than the {} MiB that one file may have",
                    text.len().div_ceil(1 << 20),
                    limits.source_bytes >> 20
                ),
                Some(start),
            )
            .help("split it into several files"),
        );
        return Vec::new();
    }
    split::chunks(text)
}

/// Appends the documents of one stretch.
pub(crate) fn documents_of(
    source: SourceId,
    chunk: &Chunk<'_>,
    limits: &Limits,
    documents: &mut Vec<Document>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match split::control_character(source, chunk) {
        Some(diagnostic) => diagnostics.push(diagnostic),
        None => build::documents_of(source, chunk, limits, documents, diagnostics),
    }
}

/// Whether a text that stands without quotes is read as that text, and not as a number, a boolean or nothing.
pub fn reads_as_text(text: &str) -> bool {
    matches!(
        scalar::plain(text),
        scalar::Plain::Value(serde_json::Value::String(_))
    )
}

#[cfg(test)]
mod tests;
