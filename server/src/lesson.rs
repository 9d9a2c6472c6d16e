//! Lessons: a folder of prose, worlds and checks each.

use serde::Serialize;
use std::path::Path;

/// One lesson.
#[derive(Clone, Debug, Serialize)]
pub struct Lesson {
    /// `svc-lab-discovery`.
    pub id: String,
    /// As shown.
    pub title: String,
    /// Its place in its track.
    pub number: u32,
    /// About how long it takes.
    pub minutes: u32,
}

/// Why a lesson cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct LessonError {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

/// The lessons that the program holds.
pub fn built_in() -> Result<Vec<Lesson>, LessonError> {
    Ok(Vec::new())
}

/// The lessons below a folder.
pub fn read_folder(_folder: &Path) -> Result<Vec<Lesson>, LessonError> {
    Ok(Vec::new())
}
