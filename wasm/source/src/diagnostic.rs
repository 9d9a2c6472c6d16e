//! What is wrong with what the user wrote, and where.

use crate::{FieldPath, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad it is. `Error`: the document (or the field) is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Refused.
    Error,
    /// Accepted, and probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// A stable code such as `HOP0203`; each has a page in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HOP{:04}", self.0)
    }
}

/// A second place that explains the first ("first defined here").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is to be seen there.
    pub message: String,
    /// Where, if anywhere in particular.
    pub span: Option<Span>,
}

/// One thing that is wrong or suspicious. Messages are lower case, without a final stop, and say what was
/// found and what was expected; `help` says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What was found, and what was expected.
    pub message: String,
    /// Where; `None` when no text is to blame.
    pub primary: Option<Span>,
    /// The field; empty for the whole document.
    pub path: FieldPath,
    /// Further places.
    pub notes: Vec<Note>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without notes and help.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>, primary: Option<Span>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary,
            path: FieldPath::root(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// The same, about this field.
    pub fn at(mut self, path: FieldPath) -> Self {
        self.path = path;
        self
    }

    /// The same, with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with a second place.
    pub fn note(mut self, message: impl Into<String>, span: Option<Span>) -> Self {
        self.notes.push(Note {
            message: message.into(),
            span,
        });
        self
    }
}

/// A value and what was wrong on the way to it.
#[derive(Clone, Debug)]
pub struct Warned<T> {
    /// What could be made of the input.
    pub value: T,
    /// In the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
}
