//! What goes to a terminal: diagnostics with the line they are about, and foreign text made harmless.

use crate::scenario::SourceText;
use hoplab_shell::is_harmful;
use hoplab_source::{Diagnostic, Severity, Span};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Prints a result on standard output. A reader that has gone (`| head`) is no error.
pub fn out(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// How much of a source line is shown.
const LINE_WIDTH: usize = 140;

/// The text with control characters, and those that change the direction of writing, written out as escapes, so that
/// a name in a manifest cannot steer a terminal. Line feeds and tabs stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A value as indented JSON with a line feed behind it, harmful characters written as JSON writes them.
pub fn json(value: &serde_json::Value) -> String {
    hoplab_shell::harmless_json(format!("{value:#}\n"))
}

/// As [`harmless`], on one line.
fn harmless_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n").replace('\t', " ")
}

/// A diagnostic as rustc prints one: severity, code and message, the place, the line with the part marked, notes and
/// help.
pub fn diagnostic(diagnostic: &Diagnostic, sources: &[SourceText]) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut out = String::new();
    let message = harmless_line(&diagnostic.message);
    let field = diagnostic.path.to_string();
    let _ = if field.is_empty() || diagnostic.message.starts_with(&field) {
        writeln!(out, "{severity}[{}]: {message}", diagnostic.code)
    } else {
        writeln!(
            out,
            "{severity}[{}]: {}: {message}",
            diagnostic.code,
            harmless_line(&field)
        )
    };
    let width = diagnostic
        .primary
        .iter()
        .chain(diagnostic.notes.iter().filter_map(|note| note.span.as_ref()))
        .map(|span| span.line.to_string().len())
        .max()
        .unwrap_or(1);
    if let Some(span) = &diagnostic.primary {
        excerpt(&mut out, span, sources, width);
    }
    for note in &diagnostic.notes {
        let _ = writeln!(out, "{:width$} = note: {}", "", harmless_line(&note.message));
        if let Some(span) = &note.span {
            excerpt(&mut out, span, sources, width);
        }
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{:width$} = help: {}", "", harmless_line(help));
    }
    out
}

fn excerpt(out: &mut String, span: &Span, sources: &[SourceText], width: usize) {
    let Some(source) = sources.get(span.source.0 as usize) else {
        return;
    };
    let _ = writeln!(
        out,
        "{:width$}--> {}:{}:{}",
        "",
        harmless_line(&source.shown),
        span.line,
        span.column
    );
    let Some(line) = source.text.lines().nth((span.line as usize).saturating_sub(1)) else {
        return;
    };
    let column = (span.column as usize).saturating_sub(1);
    let characters: Vec<char> = line.chars().collect();
    let marked = match span.end_line {
        end if end == span.line => (span.end_column as usize).saturating_sub(span.column as usize),
        _ => characters.len().saturating_sub(column),
    };
    let first = if column + 20 > LINE_WIDTH {
        column.saturating_sub(LINE_WIDTH / 2)
    } else {
        0
    };
    let last = characters.len().min(first + LINE_WIDTH);
    let shown = |part: &[char]| {
        part.iter()
            .map(|&c| if is_harmful(c) || c == '\t' { '\u{fffd}' } else { c })
            .collect::<String>()
    };
    let text = characters
        .get(first..last)
        .map(shown)
        .unwrap_or_default()
        .replace('\u{fffd}', " ");
    let dots = if first > 0 { "…" } else { "" };
    let mark = "^".repeat(marked.clamp(1, last.saturating_sub(column).max(1)));
    let indent = column.saturating_sub(first) + dots.chars().count();
    let _ = writeln!(out, "{:width$} |", "");
    let _ = writeln!(out, "{:>width$} | {dots}{text}", span.line);
    let _ = writeln!(out, "{:width$} | {:indent$}{mark}", "", "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_source::{Code, FieldPath, SourceId};

    fn source(text: &str) -> Vec<SourceText> {
        let name = "shop.yaml".to_owned();
        vec![SourceText {
            name: name.clone(),
            shown: name,
            text: text.to_owned(),
        }]
    }

    #[test]
    fn a_diagnostic_shows_the_line_and_marks_the_part() {
        let span = Span {
            source: SourceId(0),
            start: 13,
            end: 17,
            line: 2,
            column: 15,
            end_line: 2,
            end_column: 19,
        };
        let found = Diagnostic::new(Code(203), Severity::Error, "\"http\" names no port", Some(span))
            .at(FieldPath::parse("spec.ports[0].targetPort"))
            .help("did you mean \"web\"?");
        let expected = r#"error[HOP0203]: spec.ports[0].targetPort: "http" names no port
 --> shop.yaml:2:15
  |
2 |   targetPort: http
  |               ^^^^
  = help: did you mean "web"?
"#;
        assert_eq!(
            diagnostic(&found, &source("ports:\n  targetPort: http\n")),
            expected
        );
    }

    #[test]
    fn control_characters_and_direction_marks_reach_the_terminal_as_text() {
        assert_eq!(
            harmless("a\u{1b}[31mb\u{202e}c\u{9b}"),
            "a\\u{1b}[31mb\\u{202e}c\\u{9b}"
        );
        let span = Span {
            source: SourceId(0),
            start: 0,
            end: 3,
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 4,
        };
        let text = diagnostic(
            &Diagnostic::new(Code(1), Severity::Error, "x\u{1b}]0;y\u{7}", Some(span)),
            &source("\u{1b}]0;evil\u{7}"),
        );
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_mark() {
        let line = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let span = Span {
            source: SourceId(0),
            start: 1000,
            end: 1001,
            line: 1,
            column: 1001,
            end_line: 1,
            end_column: 1002,
        };
        let text = diagnostic(
            &Diagnostic::new(Code(1), Severity::Error, "here", Some(span)),
            &source(&line),
        );
        let lines: Vec<&str> = text.lines().collect();
        let at = lines[4].chars().position(|c| c == '^').expect("a mark");
        assert_eq!(lines[3].chars().nth(at), Some('X'));
        assert!(lines[3].chars().count() < 160);
    }
}
