//! Probes, asserts, steps and lesson tasks judged against a world.
//!
//! ```text
//! discover(root, files)               -> cases          which worlds and lessons a folder holds
//! test(root, files, settings)         -> Report         all of them run; to_text, to_json, to_junit print it
//! run_scenario(path, files, settings) -> ScenarioReport one world's checks
//! run_scenario_after(world, path, files, settings) -> … the same, of what a world becomes with these files
//! prove_lesson(path, files, settings) -> ScenarioReport start fails, solution passes, cheats fail
//! run(world, settings)                -> checks         of a world that is loaded already
//! ```
//!
//! Nothing here reads a file: names and texts come in, reports go out.

mod assert;
mod discover;
mod expect;
mod facts;
mod field;
mod lesson;
mod node;
mod probe;
mod reject;
mod report;
mod steps;

pub use discover::{Case, discover};
pub use lesson::{part, prove_lesson};
pub use report::{Check, READ, Report, ScenarioReport, to_json, to_junit, to_text};
pub use steps::{Settings, run, run_scenario, run_scenario_after};

use hoplab_objects::SourceText;

/// Everything that is to be tested below `root` (see [`discover`]).
pub fn test(root: &str, files: &[SourceText<'_>], settings: &Settings) -> Report {
    let one = |case: &Case<'_>| {
        if case.is_lesson {
            prove_lesson(&case.path, &case.files, settings)
        } else {
            run_scenario(&case.path, &case.files, settings)
        }
    };
    Report::of(discover(root, files).iter().map(one).collect())
}
