//! Lessons: a folder `TRACK/NN-slug` each, with prose (`lesson.md`), a world to start from, and checks.
//!
//! The same structure becomes the page that is read without JavaScript and the JSON that the client runs.

mod markdown;
mod model;
#[cfg(test)]
mod tests;

pub use model::{Block, File, Lesson, Part, PartKind, Question, QuestionOption, Request, Text, Try};

use hoplab_source::{Severity, SourceId};
use model::Front;
use rust_embed::RustEmbed;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(RustEmbed)]
#[folder = "../lessons"]
struct Folder;

/// Why a lesson cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct LessonError {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl LessonError {
    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

/// The lessons that the program holds.
pub fn built_in() -> Result<Vec<Lesson>, LessonError> {
    let mut files = BTreeMap::new();
    for name in Folder::iter() {
        let file = Folder::get(&name).ok_or_else(|| LessonError::new(&*name, "not there"))?;
        let text = String::from_utf8(file.data.into_owned())
            .map_err(|_| LessonError::new(&*name, "not UTF-8 text"))?;
        files.insert(name.into_owned(), text);
    }
    lessons_of(&files)
}

/// The lessons below a folder.
pub fn read_folder(folder: &Path) -> Result<Vec<Lesson>, LessonError> {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    lessons_of(&files)
}

fn collect(folder: &Path, below: &str, files: &mut BTreeMap<String, String>) -> Result<(), LessonError> {
    let failed =
        |error: crate::scenario::ReadError| LessonError::new(folder.display().to_string(), error.to_string());
    for path in crate::scenario::entries(folder).map_err(failed)? {
        let name = format!(
            "{below}{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if [".md", ".yaml", ".yml"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            files.insert(name, crate::scenario::file(&path).map_err(failed)?.text);
        }
    }
    Ok(())
}

/// Every folder with a `lesson.md`, by path: tracks and numbers are in the order of their names.
fn lessons_of(files: &BTreeMap<String, String>) -> Result<Vec<Lesson>, LessonError> {
    files
        .iter()
        .filter_map(|(name, text)| name.strip_suffix("lesson.md").map(|folder| (folder, text)))
        .map(|(folder, text)| lesson(folder, text, files))
        .collect()
}

fn lesson(folder: &str, text: &str, files: &BTreeMap<String, String>) -> Result<Lesson, LessonError> {
    let path = format!("{folder}lesson.md");
    let bad = |problem: String| LessonError::new(&path, problem);
    let (front, prose) = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .ok_or_else(|| bad("it must begin with settings between two lines of ---".to_owned()))?;
    let front: Front = read_yaml(front).map_err(|problem| bad(format!("settings: {problem}")))?;
    let name = folder
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let slug = name
        .split_once('-')
        .filter(|(number, _)| number.parse::<u32>().is_ok())
        .map_or(name, |(_, slug)| slug);
    let prefix = format!("{folder}start/");
    let start: Vec<File> = files
        .iter()
        .filter_map(|(name, text)| {
            Some(File {
                name: name.strip_prefix(&prefix)?.to_owned(),
                text: text.clone(),
            })
        })
        .collect();
    let checks = files
        .get(&format!("{folder}checks.yaml"))
        .cloned()
        .unwrap_or_default();
    let lesson = Lesson {
        slug: slug.to_owned(),
        title: front.title,
        track: front.track,
        number: front.number,
        minutes: front.minutes,
        after: front.after,
        summary: front.summary,
        can: front.can,
        kills: front.kills,
        request: front.request,
        parts: markdown::parts(prose).map_err(|problem| bad(problem.to_string()))?,
        start,
        check_names: check_names(&checks),
        checks,
    };
    complete(&lesson).map_err(bad)?;
    Ok(lesson)
}

/// Names of the Probes and Asserts, in order.
fn check_names(checks: &str) -> Vec<String> {
    let documents =
        hoplab_objects::yaml::documents(SourceId(0), checks, &hoplab_objects::yaml::Limits::default());
    let is_check = |value: &serde_json::Value| matches!(value["kind"].as_str(), Some("Probe" | "Assert"));
    let names = documents
        .value
        .iter()
        .filter(|document| is_check(&document.value));
    names
        .filter_map(|document| document.value["metadata"]["name"].as_str().map(str::to_owned))
        .collect()
}

/// What every lesson must have.
fn complete(lesson: &Lesson) -> Result<(), String> {
    let kinds: Vec<PartKind> = lesson.parts.iter().map(|part| part.kind).collect();
    if kinds != [PartKind::Predict, PartKind::Run, PartKind::See, PartKind::Explain] {
        return Err("it must have the parts Predict, Run, See and Explain, in this order".to_owned());
    }
    if !lesson.parts[0]
        .blocks
        .iter()
        .any(|block| matches!(block, Block::Question(_)))
    {
        return Err("the part Predict asks no question".to_owned());
    }
    if lesson.start.is_empty() || lesson.check_names.is_empty() {
        return Err("start/ and checks.yaml must be there".to_owned());
    }
    Ok(())
}

/// One YAML document as a typed value.
fn read_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let read = hoplab_objects::yaml::documents(SourceId(0), text, &hoplab_objects::yaml::Limits::default());
    if let Some(error) = read
        .diagnostics
        .iter()
        .find(|diagnostic| diagnostic.severity == Severity::Error)
    {
        let line = error.primary.map_or(0, |span| span.line);
        return Err(format!("line {line}: {}", error.message));
    }
    let value = read
        .value
        .into_iter()
        .next()
        .map(|document| document.value)
        .ok_or("nothing there")?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}
