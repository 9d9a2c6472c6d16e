//! Lessons proven: the start fails the checks, the solution passes them, every cheat fails them.

use crate::report::{Check, ScenarioReport};
use crate::steps::{Settings, run_scenario};
use hoplab_objects::SourceText;
use hoplab_source::collections::BTreeSet;

/// The world of one part of a lesson (`start`, `solution`, `cheats/NAME`) together with the checks, as files of a world.
pub fn part<'t>(files: &[SourceText<'t>], part: &str) -> Vec<SourceText<'t>> {
    let prefix = format!("{part}/");
    files
        .iter()
        .filter_map(|file| match file.name.strip_prefix(&prefix) {
            Some(rest) => Some(SourceText {
                name: rest,
                text: file.text,
            }),
            None => (file.name == "checks.yaml").then_some(*file),
        })
        .collect()
}

/// Proves a lesson. Its checks are `start` (which must fail one), `solution/NAME` (each must hold) and `cheats/NAME`
/// (each must fail one).
pub fn prove_lesson(path: &str, files: &[SourceText<'_>], settings: &Settings) -> ScenarioReport {
    let mut checks = Vec::new();
    let mut readable = true;
    if !files.iter().any(|file| file.name == "checks.yaml") {
        checks.push(Check::failed("checks", "the lesson has no checks.yaml"));
        return ScenarioReport {
            path: path.to_owned(),
            checks,
            readable,
        };
    }
    let cheats: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| {
            file.name
                .strip_prefix("cheats/")?
                .split_once('/')
                .map(|(name, _)| name)
        })
        .collect();
    let mut must_fail: Vec<String> = vec!["start".to_owned()];
    must_fail.extend(cheats.into_iter().map(|name| format!("cheats/{name}")));
    for name in must_fail {
        let report = run_scenario(path, &part(files, &name), settings);
        readable &= report.readable;
        let failed: Vec<&Check> = report.checks.iter().filter(|check| !check.ok).collect();
        checks.push(match (report.readable, failed.as_slice()) {
            (false, _) => Check::failed(
                &name,
                report
                    .checks
                    .iter()
                    .map(|check| check.message.as_str())
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            (true, []) => Check::failed(&name, "expected a check to fail, all hold"),
            (true, failed) => {
                let names: Vec<&str> = failed.iter().map(|check| check.name.as_str()).collect();
                Check::passed(&name, format!("fails {}", names.join(", ")))
            }
        });
    }
    let solution = run_scenario(path, &part(files, "solution"), settings);
    readable &= solution.readable;
    checks.extend(solution.checks.into_iter().map(|check| Check {
        name: format!("solution/{}", check.name),
        ..check
    }));
    ScenarioReport {
        path: path.to_owned(),
        checks,
        readable,
    }
}
