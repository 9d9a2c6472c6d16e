//! What was tested, how long it took, and the closing line.

use crate::process::Failure;
use std::time::{Duration, Instant};

/// How many tests of a step passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Count {
    /// One test that passed.
    pub const ONE: Self = Self { passed: 1, failed: 0 };

    /// One test.
    pub fn of(ok: bool) -> Self {
        Self {
            passed: u64::from(ok),
            failed: u64::from(!ok),
        }
    }

    /// Reads `N passed, N failed`, and cargo's `test result: ok. N passed; N failed; …`, and adds it.
    pub fn add_line(&mut self, line: &str) {
        let words: Vec<&str> = line
            .split([' ', ';', ',', '.'])
            .filter(|word| !word.is_empty())
            .collect();
        let before = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
        };
        if let (Some(passed), Some(failed)) = (before("passed"), before("failed")) {
            self.passed += passed;
            self.failed += failed;
        }
    }

    /// At least one failure when the program that counted did not succeed (it may have died before it could count).
    pub fn ended(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

struct Row {
    name: String,
    count: Count,
    took: Duration,
}

/// The steps so far.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
    skipped: u64,
}

impl Report {
    /// Runs one step; a failure of the step itself counts as one failed test. `true`: all of it passed.
    pub fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Count, Failure>) -> bool {
        eprintln!("\n== {name}");
        let start = now();
        let count = run().unwrap_or_else(|Failure(message)| {
            eprintln!("xtask: {name}: {message}");
            Count { passed: 0, failed: 1 }
        });
        let took = start.elapsed();
        eprintln!(
            "== {name}: {} passed, {} failed, {:.1} s",
            count.passed,
            count.failed,
            took.as_secs_f64()
        );
        self.rows.push(Row {
            name: name.to_owned(),
            count,
            took,
        });
        count.failed == 0
    }

    /// Something to say at the end that is neither passed nor failed.
    pub fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }

    /// What a test did not do, and why, as it said itself: `skipped: WHAT: WHY`.
    pub fn skip(&mut self, line: &str) {
        self.skipped += 1;
        self.notes.push(line.to_owned());
    }

    /// Prints the table and the closing line; `true`: nothing failed.
    pub fn close(self) -> bool {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        println!();
        let mut all = Count::default();
        for Row { name, count, took } in &self.rows {
            let mark = if count.failed == 0 { "ok    " } else { "FAILED" };
            let (passed, failed, seconds) = (count.passed, count.failed, took.as_secs_f64());
            println!("{mark} {name:width$} {passed:>6} passed {failed:>4} failed {seconds:>7.1} s");
            all.passed += passed;
            all.failed += failed;
        }
        for note in &self.notes {
            println!("{note}");
        }
        let skipped = match self.skipped {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
        println!("{} passed, {} failed{skipped}", all.passed, all.failed);
        all.failed == 0
    }
}

/// The time of the machine: this program reports durations.
#[allow(
    clippy::disallowed_methods,
    reason = "durations of steps are those of the machine, not of the engine's clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_the_programs_print() {
        let cases = [
            (
                "test result: ok. 14 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s",
                14,
                2,
            ),
            ("7 passed, 1 failed", 7, 1),
            ("ok    rust tests      14 passed    0 failed     3.2 s", 14, 0),
            ("test a_passed ... ok", 0, 0),
            ("passed, failed", 0, 0),
        ];
        for (line, passed, failed) in cases {
            let mut count = Count::default();
            count.add_line(line);
            assert_eq!(count, Count { passed, failed }, "{line}");
        }
        assert_eq!(Count::default().ended(false), Count { passed: 0, failed: 1 });
    }
}
