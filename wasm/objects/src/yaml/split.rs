//! Cuts a source at its document markers. `---` at the start of a line is a marker everywhere in YAML, inside
//! scalars too (YAML 1.2.2 §9.1.2), so that this needs no parser.

use crate::codes;
use hoplab_source::{Diagnostic, Severity, SourceId, Span};

/// A stretch of the text from one document marker to the next, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk<'a> {
    /// The text, with its leading `---` if it has one.
    pub text: &'a str,
    /// Characters before it.
    pub chars_before: usize,
    /// Lines before it.
    pub lines_before: usize,
}

/// The chunks of a text, in order; a byte order mark at the very start is not part of the first.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let bom = text.starts_with('\u{feff}');
    let text = text.trim_start_matches('\u{feff}');
    let mut current = Chunk {
        text,
        chars_before: usize::from(bom),
        lines_before: 0,
    };
    let (mut start, mut offset, mut lines) = (0, 0, 0);
    for line in text.split_inclusive('\n') {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && offset > start {
            let body = &text[start..offset];
            current.text = body;
            let next = current.chars_before + body.chars().count();
            chunks.push(current);
            current = Chunk {
                text,
                chars_before: next,
                lines_before: lines,
            };
            start = offset;
        }
        offset += line.len();
        lines += 1;
    }
    current.text = &text[start..];
    chunks.push(current);
    // A directive (`%YAML 1.2`) belongs to the document after it; nothing that kubectl reads needs one.
    chunks.retain(|chunk| {
        !chunk
            .text
            .lines()
            .all(|line| line.is_empty() || line.starts_with(['%', '#']))
    });
    chunks
}

/// The first character that YAML does not allow, if the chunk has one (YAML 1.2.2 §5.1, c-printable).
pub(super) fn control_character(source: SourceId, chunk: &Chunk<'_>) -> Option<Diagnostic> {
    let (mut line, mut column) = (chunk.lines_before + 1, 1);
    for (offset, c) in chunk.text.chars().enumerate() {
        let allowed = matches!(c,
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
        if !allowed {
            let start = (chunk.chars_before + offset) as u32;
            let span = Span {
                source,
                start,
                end: start + 1,
                line: line as u32,
                column: column as u32,
                end_line: line as u32,
                end_column: column as u32 + 1,
            };
            let name = if c == '\0' {
                "a NUL byte".to_owned()
            } else {
                format!("the control character U+{:04X}", c as u32)
            };
            return Some(
                Diagnostic::new(
                    codes::CONTROL_CHARACTER,
                    Severity::Error,
                    format!("{name} stands in the text; yaml: control characters are not allowed"),
                    Some(span),
                )
                .help("remove it, or write it as an escape such as \"\\u0007\" in a double-quoted string"),
            );
        }
        if c == '\n' {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    None
}
