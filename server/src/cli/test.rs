//! `hoplab test`: every Probe, Assert, Step and Reject of scenarios, and the proof of lessons.

use super::{UNUSABLE, terminal, world};
use crate::scenario::{self, ReadError, SourceText};
use hoplab_checks::{Case, Check, READ, Report, ScenarioReport, Settings};
use hoplab_checks::{discover, prove_lesson, run_scenario, to_json, to_junit, to_text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files, folders, or - for standard input; a folder that is no world is a collection of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    open: world::OpenPoints,
    /// Fixes every random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print it
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
    Junit,
}

pub(super) fn run(args: &Args) -> u8 {
    let mut read = Vec::new();
    for path in &args.paths {
        match Read::of(path) {
            Ok(one) => read.push(one),
            Err(error) => {
                eprintln!("error: {}", terminal::harmless(&error.to_string()));
                return UNUSABLE;
            }
        }
    }
    let settings = Settings {
        options: args.open.options(),
        seed: args.seed,
    };
    let cases: Vec<Case<'_>> = read.iter().flat_map(Read::cases).collect();
    let mut scenarios = all(&cases, &settings);
    scenarios.extend(read.iter().flat_map(|one| one.unreadable.iter().cloned()));
    let report = Report::of(scenarios);
    terminal::out(&match args.output {
        Form::Text => terminal::harmless(&to_text(&report)).into_owned(),
        Form::Json => terminal::json(&to_json(&report)),
        Form::Junit => terminal::harmless(&to_junit(&report)).into_owned(),
    });
    report.exit_status()
}

/// What one of the paths holds.
struct Read {
    path: String,
    is_folder: bool,
    texts: Vec<SourceText>,
    /// Files that are no text, or too large.
    unreadable: Vec<ScenarioReport>,
}

impl Read {
    /// An error only where the path itself is not there.
    fn of(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let mut read = Self {
            path: name,
            is_folder: path.is_dir(),
            texts: Vec::new(),
            unreadable: Vec::new(),
        };
        if read.is_folder {
            read.below(path, "")?;
        } else {
            match scenario::read(path) {
                Ok(texts) => read.texts = texts,
                Err(error @ ReadError::Io { .. }) => return Err(error),
                Err(error) => read.unreadable.push(unreadable(path, &error)),
            }
        }
        Ok(read)
    }

    fn below(&mut self, folder: &Path, prefix: &str) -> Result<(), ReadError> {
        for path in scenario::entries(folder)? {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') || path.is_symlink() {
                continue;
            }
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                self.below(&path, &format!("{name}/"))?;
            } else if scenario::is_manifest(&path) || name.ends_with("lesson.md") {
                match scenario::file(&path) {
                    Ok(text) => self.texts.push(SourceText { name, ..text }),
                    Err(error) => self.unreadable.push(unreadable(&path, &error)),
                }
            }
        }
        Ok(())
    }

    fn cases(&self) -> Vec<Case<'_>> {
        let texts = scenario::borrowed(&self.texts);
        if self.is_folder {
            discover(&self.path, &texts)
        } else if texts.is_empty() {
            Vec::new()
        } else {
            vec![Case {
                path: self.path.clone(),
                files: texts,
                is_lesson: false,
            }]
        }
    }
}

fn unreadable(path: &Path, error: &ReadError) -> ScenarioReport {
    ScenarioReport {
        path: path.display().to_string(),
        checks: vec![Check::failed(READ, error.to_string())],
        readable: false,
    }
}

/// Runs each, several at a time. They are put in order afterwards, so how many threads there are changes nothing.
fn all(cases: &[Case<'_>], settings: &Settings) -> Vec<ScenarioReport> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(cases.len())
        .max(1);
    std::thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                mine.push(one(case, settings));
            }
            mine
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten()
            .collect()
    })
}

/// A panic of the engine is a check that fails, not the end of the others.
fn one(case: &Case<'_>, settings: &Settings) -> ScenarioReport {
    let judge = if case.is_lesson {
        prove_lesson
    } else {
        run_scenario
    };
    catch_unwind(AssertUnwindSafe(|| judge(&case.path, &case.files, settings))).unwrap_or_else(|_| {
        ScenarioReport {
            path: case.path.clone(),
            checks: vec![Check::failed(
                "engine",
                "the engine stopped; standard error has the panic. This is a bug of hoplab",
            )],
            readable: true,
        }
    })
}
