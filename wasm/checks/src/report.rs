//! The report: one line a check, and as JSON and JUnit XML.

use hoplab_source::order;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One check and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name; run by several Steps: `STEP/NAME`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why not: what was expected, what happened, at which hop. Of one that holds a few words, or nothing.
    pub message: String,
}

impl Check {
    /// One that holds.
    pub fn passed(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: true,
            message: message.into(),
        }
    }

    /// One that does not, and why.
    pub fn failed(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: false,
            message: message.into(),
        }
    }

    /// By what was found wrong: nothing, or a reason a line.
    pub(crate) fn of(name: impl Into<String>, failures: &[String]) -> Self {
        let (name, message) = (name.into(), failures.join("\n"));
        Self {
            name,
            ok: failures.is_empty(),
            message,
        }
    }
}

/// The name of the check that stands for a scenario that cannot be read.
pub const READ: &str = "read";

/// One world's checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScenarioReport {
    /// The world's file or folder as it was reached.
    pub path: String,
    /// In the order in which they ran.
    pub checks: Vec<Check>,
    /// Whether it could be read; if not, its only check is `read`.
    #[serde(skip)]
    pub readable: bool,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Ordered by path.
    pub scenarios: Vec<ScenarioReport>,
}

impl Report {
    /// Of these worlds, in the order of their paths.
    pub fn of(mut scenarios: Vec<ScenarioReport>) -> Self {
        order::sort_by(&mut scenarios, |a, b| a.path.cmp(&b.path));
        Self { scenarios }
    }

    /// How many checks hold.
    pub fn passed(&self) -> usize {
        self.checks().filter(|(_, check)| check.ok).count()
    }

    /// How many do not.
    pub fn failed(&self) -> usize {
        self.checks().filter(|(_, check)| !check.ok).count()
    }

    /// 0: all hold; 1: a check fails; 2: a scenario cannot be read.
    pub fn exit_status(&self) -> u8 {
        if self.scenarios.iter().any(|scenario| !scenario.readable) {
            2
        } else {
            u8::from(self.failed() > 0)
        }
    }

    fn checks(&self) -> impl Iterator<Item = (&str, &Check)> {
        self.scenarios.iter().flat_map(|scenario| {
            scenario
                .checks
                .iter()
                .map(|check| (scenario.path.as_str(), check))
        })
    }
}

/// For people: one line a check, the reasons of a failure below it, the sum as the last line. Control characters of
/// names and values are the printer's affair (`hoplab test` writes them out).
pub fn to_text(report: &Report) -> String {
    let mut out = String::new();
    for (path, check) in report.checks() {
        let word = if check.ok { "pass" } else { "FAIL" };
        let _ = writeln!(out, "{word}  {path}: {}", check.name);
        if !check.ok {
            for line in check.message.lines() {
                let _ = writeln!(out, "      {line}");
            }
        }
    }
    let _ = writeln!(out, "{} passed, {} failed", report.passed(), report.failed());
    out
}

/// Version of the JSON's shape; grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// `{"format": 1, "scenarios": […], "passed": N, "failed": N}`.
pub fn to_json(report: &Report) -> Value {
    json!({"format": FORMAT, "scenarios": report.scenarios, "passed": report.passed(), "failed": report.failed()})
}

/// JUnit XML: a test suite a world.
pub fn to_junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (all, failed) = (report.passed() + report.failed(), report.failed());
    let _ = writeln!(
        out,
        "<testsuites name=\"hoplab\" tests=\"{all}\" failures=\"{failed}\">"
    );
    for scenario in &report.scenarios {
        let path = escaped(&scenario.path);
        let failures = scenario.checks.iter().filter(|check| !check.ok).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{path}\" tests=\"{}\" failures=\"{failures}\">",
            scenario.checks.len()
        );
        for check in &scenario.checks {
            let name = escaped(&check.name);
            if check.ok {
                let _ = writeln!(out, "    <testcase classname=\"{path}\" name=\"{name}\"/>");
            } else {
                let first = escaped(check.message.lines().next().unwrap_or_default());
                let _ = writeln!(
                    out,
                    "    <testcase classname=\"{path}\" name=\"{name}\">\n      <failure message=\"{first}\">{}</failure>\n    </testcase>",
                    escaped(&check.message),
                );
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text inside XML. Characters that XML 1.0 cannot hold are written out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn report() -> Report {
        let scenario = |path: &str, checks| ScenarioReport {
            path: path.to_owned(),
            checks,
            readable: true,
        };
        Report::of(vec![
            scenario("b", vec![Check::passed("x", "")]),
            scenario(
                "a",
                vec![Check::failed(
                    "s/<y>\u{1b}",
                    "expected status 200, got 503\nat worker-1",
                )],
            ),
        ])
    }

    #[test]
    fn text() {
        expect![[r#"
            FAIL  a: s/<y>
                  expected status 200, got 503
                  at worker-1
            pass  b: x
            1 passed, 1 failed
        "#]]
        .assert_eq(&to_text(&report()).replace('\u{1b}', ""));
    }

    #[test]
    fn json() {
        let expected = json!({"format": 1, "scenarios": [
            {"path": "a", "checks": [{"name": "s/<y>\u{1b}", "ok": false, "message": "expected status 200, got 503\nat worker-1"}]},
            {"path": "b", "checks": [{"name": "x", "ok": true, "message": ""}]},
        ], "passed": 1, "failed": 1});
        assert_eq!(to_json(&report()), expected);
    }

    #[test]
    fn junit() {
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="hoplab" tests="2" failures="1">
              <testsuite name="a" tests="1" failures="1">
                <testcase classname="a" name="s/&lt;y&gt;\u{1b}">
                  <failure message="expected status 200, got 503">expected status 200, got 503&#10;at worker-1</failure>
                </testcase>
              </testsuite>
              <testsuite name="b" tests="1" failures="0">
                <testcase classname="b" name="x"/>
              </testsuite>
            </testsuites>
        "#]]
        .assert_eq(&to_junit(&report()));
    }

    #[test]
    fn exit_statuses() {
        let mut report = report();
        assert_eq!(report.exit_status(), 1);
        report.scenarios[1].readable = false;
        assert_eq!(report.exit_status(), 2);
        report.scenarios.clear();
        assert_eq!(report.exit_status(), 0);
    }
}
