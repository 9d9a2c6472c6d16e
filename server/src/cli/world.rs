//! The world that a command is about: read, loaded, and complained about.

use super::terminal;
use crate::scenario::{self, SourceText};
use hoplab_engine::{Options, World};
use hoplab_objects::settings::Readings;
use hoplab_source::{Diagnostic, Severity};
use serde_json::Value;
use std::path::PathBuf;

/// The arguments that say which world.
#[derive(Debug, clap::Args)]
pub(super) struct WorldArgs {
    /// A file, a folder, or - for standard input
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    #[command(flatten)]
    pub open: OpenPoints,
}

/// What the documents leave open.
#[derive(Debug, clap::Args)]
pub(super) struct OpenPoints {
    /// Set what specifications leave open; may be given several times
    #[arg(long = "reading", value_name = "NAME=VALUE", value_parser = reading)]
    pub readings: Vec<(String, String)>,
}

/// `NAME=VALUE` of a reading that there is.
fn reading(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Readings::default().set(name, &Value::String(value.to_owned()))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl OpenPoints {
    /// As the engine takes them.
    pub fn options(&self) -> Options {
        Options {
            readings: self.readings.clone(),
        }
    }
}

impl WorldArgs {
    /// Loads it. Diagnostics go to standard error; `None`: it cannot be used.
    pub fn load(&self) -> Option<World> {
        let texts = match scenario::read(&self.path) {
            Ok(texts) => texts,
            Err(error) => {
                eprintln!("error: {}", terminal::harmless(&error.to_string()));
                return None;
            }
        };
        let loaded = World::load(&scenario::borrowed(&texts), &self.open.options());
        complain(&loaded.diagnostics, &texts).then_some(loaded.value)
    }
}

/// Prints diagnostics on standard error; whether none of them is an error.
pub(super) fn complain(diagnostics: &[Diagnostic], texts: &[SourceText]) -> bool {
    for diagnostic in diagnostics {
        eprintln!("{}", terminal::diagnostic(diagnostic, texts));
    }
    !diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
