//! Public conformance suites, where their cases lie beside the tree. One that the model claims whole fails the tests
//! when a check of it fails; of the others the numbers are noted.

use crate::process::{Failure, output};
use crate::report::{Count, Report};
use crate::workspace::Workspace;
use std::path::Path;
use std::process::Command;

/// Suites that must pass whole.
const WHOLE: &[&str] = &["coredns"];

/// Runs every suite.
pub fn run(workspace: &Workspace, program: &Path, report: &mut Report) {
    let folder = workspace.shared().join("conformance");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        report.note(format!("conformance: skipped, {} is not there", folder.display()));
        return;
    };
    let mut suites: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    suites.sort();
    for suite in suites {
        let name = suite
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if WHOLE.contains(&name.as_str()) {
            report.step(&format!("conformance {name}"), || {
                let (passed, all) = checks(program, &suite)?;
                if all == 0 {
                    return Err(Failure("no check was run".to_owned()));
                }
                Ok(Count {
                    passed,
                    failed: all - passed,
                })
            });
            continue;
        }
        let start = crate::report::now();
        let line = match checks(program, &suite) {
            Ok((passed, all)) => format!("{passed} of {all} checks"),
            Err(Failure(message)) => format!("not run: {message}"),
        };
        report.note(format!(
            "conformance {name:15} {line}, {:.1} s",
            start.elapsed().as_secs_f64()
        ));
    }
}

fn checks(program: &Path, suite: &Path) -> Result<(u64, u64), Failure> {
    let result = Command::new(program)
        .args(["test", "-o", "json"])
        .arg(suite)
        .stderr(std::process::Stdio::null())
        .output();
    let result = result.map_err(|error| Failure(error.to_string()))?;
    let json: serde_json::Value = serde_json::from_slice(&result.stdout).map_err(|error| {
        Failure(format!(
            "`hoplab test -o json` ended with {} and no JSON: {error}",
            result.status
        ))
    })?;
    let number = |name: &str| json[name].as_u64().unwrap_or(0);
    Ok((number("passed"), number("passed") + number("failed")))
}

/// The last line of `hoplab test` over these paths, as counts.
pub fn hoplab_test(program: &Path, root: &Path, paths: &[&str]) -> Result<Count, Failure> {
    let mut count = Count::default();
    let (ok, text) = output(Command::new(program).current_dir(root).arg("test").args(paths))?;
    print!("{text}");
    if let Some(last) = text.lines().last() {
        count.add_line(last);
    }
    if ok && count.passed == 0 {
        return Err(Failure("no check was run".to_owned()));
    }
    Ok(count.ended(ok))
}
