//! Events of the YAML parser to values with spans.

use super::scalar::{self, Plain};
use super::split::Chunk;
use super::tree::{Inside, SpanTree};
use super::{Document, Limits};
use crate::codes;
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, FieldPath, Severity, SourceId, Span};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// Appends the documents of one chunk to `documents`; one that cannot be read is reported and left out.
pub(super) fn documents_of(
    source: SourceId,
    chunk: &Chunk<'_>,
    limits: &Limits,
    documents: &mut Vec<Document>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut builder = Builder {
        parser: Parser::new_from_str(chunk.text),
        chunk,
        source,
        limits,
        anchors: BTreeMap::new(),
        alias_budget: limits.alias_nodes,
        open: Vec::new(),
        path: FieldPath::root(),
        diagnostics,
        usable: true,
    };
    loop {
        let event = match builder.next() {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(problem) => {
                builder.diagnostics.push(*problem);
                return;
            }
        };
        match event {
            (Event::StreamEnd, _) => return,
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
            (event, span) => {
                builder.usable = true;
                match builder.value(event, span) {
                    Ok(node) if !builder.usable || node.value.is_null() => {}
                    Ok(Node { value, spans }) => documents.push(Document { value, spans }),
                    Err(problem) => {
                        builder.diagnostics.push(*problem);
                        return;
                    }
                }
            }
        }
    }
}

#[derive(Clone)]
struct Node {
    value: Value,
    spans: SpanTree,
}

struct Builder<'a, 'd> {
    parser: Parser<'a, StrInput<'a>>,
    chunk: &'a Chunk<'a>,
    source: SourceId,
    limits: &'a Limits,
    anchors: BTreeMap<usize, Node>,
    alias_budget: usize,
    /// Where each collection that is still open began.
    open: Vec<Span>,
    path: FieldPath,
    diagnostics: &'d mut Vec<Diagnostic>,
    /// Whether the document has no error so far.
    usable: bool,
}

type Problem = Box<Diagnostic>;

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<Option<(Event<'a>, saphyr_parser::Span)>, Problem> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => Err(self.syntax_error(&error)),
        }
    }

    /// Builds the value that starts with `event`.
    fn value(&mut self, event: Event<'a>, at: saphyr_parser::Span) -> Result<Node, Problem> {
        let span = self.span(at.start, at.end);
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(text, style, tag.as_deref(), span)?, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(span)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(span)?, anchor),
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            _ => return Err(self.error(codes::YAML_SYNTAX, span, "a value was expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Problem> {
        let tag = tag
            .filter(|tag| tag.is_yaml_core_schema())
            .map(|tag| tag.suffix.as_str());
        let value = if tag == Some("str") || (style != ScalarStyle::Plain && tag.is_none()) {
            Value::String(text.into_owned())
        } else {
            match scalar::plain(&text) {
                Plain::Value(value) => value,
                Plain::Merge => Value::String(text.into_owned()),
                Plain::Letter => {
                    let message = format!(
                        "{}: unquoted `{text}` is a boolean to kubectl, which reads YAML 1.1; read as text here",
                        self.path
                    );
                    let warning =
                        Diagnostic::new(codes::YAML11_BOOLEAN, Severity::Warning, message, Some(span));
                    self.diagnostics
                        .push(warning.at(self.path.clone()).help(format!("write \"{text}\"")));
                    Value::String(text.into_owned())
                }
                Plain::Yaml11Boolean(value) => {
                    let warning = Diagnostic::new(
                        codes::YAML11_BOOLEAN,
                        Severity::Warning,
                        format!(
                            "{}: unquoted `{text}` is the boolean {value} to kubectl, which reads YAML 1.1",
                            self.path
                        ),
                        Some(span),
                    );
                    let warning = warning.at(self.path.clone()).help(format!(
                        "write {value} if you mean the boolean, \"{text}\" if you mean the word"
                    ));
                    self.diagnostics.push(warning);
                    Value::Bool(value)
                }
            }
        };
        Ok(Node {
            value,
            spans: SpanTree {
                span,
                inside: Inside::Scalar,
            },
        })
    }

    fn sequence(&mut self, start: Span) -> Result<Node, Problem> {
        self.enter(start)?;
        let (mut values, mut trees) = (Vec::new(), Vec::new());
        let mut end = start;
        while let Some((event, at)) = self.next()? {
            end = self.span(at.start, at.end);
            if event == Event::SequenceEnd {
                break;
            }
            let outer = self.path.clone();
            self.path = outer.index(values.len());
            let node = self.value(event, at)?;
            self.path = outer;
            values.push(node.value);
            trees.push(node.spans);
        }
        self.open.pop();
        let span = closed(start, end);
        Ok(Node {
            value: Value::Array(values),
            spans: SpanTree {
                span,
                inside: Inside::Sequence(trees),
            },
        })
    }

    fn mapping(&mut self, start: Span) -> Result<Node, Problem> {
        self.enter(start)?;
        let mut map = Map::new();
        let mut entries: Vec<(Arc<str>, Span, SpanTree)> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        let mut end = start;
        while let Some((event, at)) = self.next()? {
            end = self.span(at.start, at.end);
            if event == Event::MappingEnd {
                break;
            }
            let key_span = end;
            let key = self.key(event, at)?;
            let Some((event, at)) = self.next()? else { break };
            let outer = self.path.clone();
            self.path = outer.key(key.clone().unwrap_or_else(|| "<<".to_owned()));
            let node = self.value(event, at)?;
            match key {
                None => self.merge(node, &mut merged)?,
                Some(key) => {
                    if let Some((_, first, _)) = entries.iter().find(|(k, ..)| **k == *key) {
                        let first = *first;
                        let path = self.path.clone();
                        self.diagnostics.push(
                            Diagnostic::new(
                                codes::DUPLICATE_KEY,
                                Severity::Error,
                                format!("{path}: key \"{key}\" already set in map"),
                                Some(key_span),
                            )
                            .at(path)
                            .note(format!("\"{key}\" is first set here"), Some(first))
                            .help("keep one of the two"),
                        );
                        self.usable = false;
                    } else {
                        entries.push((Arc::from(key.as_str()), key_span, node.spans));
                        map.insert(key, node.value);
                    }
                }
            }
            self.path = outer;
        }
        self.open.pop();
        for node in merged {
            let (Value::Object(values), Inside::Mapping(trees)) = (node.value, node.spans.inside) else {
                continue;
            };
            for ((key, value), entry) in values.into_iter().zip(trees) {
                // A key of the mapping itself wins over a merged one, and an earlier merged one over a later.
                if !map.contains_key(&key) {
                    map.insert(key, value);
                    entries.push(entry);
                }
            }
        }
        let span = closed(start, end);
        Ok(Node {
            value: Value::Object(map),
            spans: SpanTree {
                span,
                inside: Inside::Mapping(entries),
            },
        })
    }

    /// A mapping's key as text; `None` for `<<`. Numbers and booleans become text, as kubectl makes them.
    fn key(&mut self, event: Event<'a>, at: saphyr_parser::Span) -> Result<Option<String>, Problem> {
        let span = self.span(at.start, at.end);
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = &event
            && scalar::plain(text) == Plain::Merge
        {
            return Ok(None);
        }
        let node = self.value(event, at)?;
        match node.value {
            Value::String(text) => Ok(Some(text)),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(value) => Ok(Some(value.to_string())),
            Value::Null => Ok(Some("null".to_owned())),
            Value::Array(_) | Value::Object(_) => Err(self.error(
                codes::YAML_SYNTAX,
                span,
                "the key of a mapping is a list or a mapping; expected text",
            )),
        }
    }

    fn merge(&mut self, node: Node, merged: &mut Vec<Node>) -> Result<(), Problem> {
        let span = node.spans.span;
        match (node.value, node.spans.inside) {
            (value @ Value::Object(_), inside) => {
                merged.push(Node {
                    value,
                    spans: SpanTree { span, inside },
                });
                Ok(())
            }
            (Value::Array(values), Inside::Sequence(trees)) if values.iter().all(Value::is_object) => {
                merged.extend(
                    values
                        .into_iter()
                        .zip(trees)
                        .map(|(value, spans)| Node { value, spans }),
                );
                Ok(())
            }
            _ => Err(self.error(
                codes::MERGE_KEY,
                span,
                "map merge requires map or sequence of maps as the value",
            )),
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.error(
                codes::YAML_SYNTAX,
                span,
                "the alias stands inside its own anchor; expected a value",
            ));
        };
        let size = node.spans.size();
        if size > self.alias_budget {
            let message = format!(
                "aliases of this document expand to more than {} values: refused as excessive aliasing",
                self.limits.alias_nodes
            );
            return Err(self.error(codes::ALIAS_BUDGET, span, message));
        }
        self.alias_budget -= size;
        let mut node = node.clone();
        node.spans.span = span;
        Ok(node)
    }

    fn enter(&mut self, start: Span) -> Result<(), Problem> {
        if self.open.len() >= self.limits.depth {
            let message = format!("values nest deeper than {} levels", self.limits.depth);
            return Err(self.error(codes::TOO_DEEP, start, message));
        }
        self.open.push(start);
        Ok(())
    }

    fn error(&self, code: hoplab_source::Code, span: Span, message: impl Into<String>) -> Problem {
        let message = message.into();
        let message = if self.path.0.is_empty() {
            message
        } else {
            format!("{}: {message}", self.path)
        };
        Box::new(Diagnostic::new(code, Severity::Error, message, Some(span)).at(self.path.clone()))
    }

    /// What the parser could not read, and which bracket is still open there.
    fn syntax_error(&self, error: &ScanError) -> Problem {
        let span = self.span(*error.marker(), *error.marker());
        if error.info().contains("recursion limit") {
            // The scanner reads ahead through nested brackets and has a limit of its own.
            return self.error(
                codes::TOO_DEEP,
                span,
                format!("values nest deeper than {} levels", self.limits.depth),
            );
        }
        let mut problem = self.error(codes::YAML_SYNTAX, span, format!("yaml: {}", error.info()));
        let bracket = |at: &Span| {
            let offset = (at.start as usize).checked_sub(self.chunk.chars_before)?;
            self.chunk
                .text
                .chars()
                .nth(offset)
                .filter(|c| matches!(c, '[' | '{'))
        };
        if let Some((at, bracket)) = self
            .open
            .iter()
            .rev()
            .find_map(|at| bracket(at).map(|c| (*at, c)))
        {
            let close = if bracket == '[' { ']' } else { '}' };
            let mut at = at;
            (at.end, at.end_line, at.end_column) = (at.start + 1, at.line, at.column + 1);
            *problem = problem
                .note(format!("this `{bracket}` is still open"), Some(at))
                .help(format!("close it with `{close}`"));
        }
        problem
    }

    fn span(&self, start: Marker, end: Marker) -> Span {
        let offset = |marker: Marker| (marker.index() + self.chunk.chars_before) as u32;
        let line = |marker: Marker| (marker.line() + self.chunk.lines_before) as u32;
        Span {
            source: self.source,
            start: offset(start),
            end: offset(end).max(offset(start)),
            line: line(start),
            column: marker_column(start),
            end_line: line(end),
            end_column: marker_column(end),
        }
    }
}

fn marker_column(marker: Marker) -> u32 {
    marker.col() as u32 + 1
}

/// From the start of `start` to the end of `end`.
fn closed(start: Span, end: Span) -> Span {
    Span {
        end: end.end.max(start.start),
        end_line: end.end_line,
        end_column: end.end_column,
        ..start
    }
}
