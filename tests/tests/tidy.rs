//! The shape of the tree: the root's fixed top level, files that one can read in one go, names that say something.

use hoplab_tests::{root, sources};
use std::path::Path;

/// Everything that may stand in the root, beside dotfiles.
const TOP: [&str; 11] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "lessons",
    "server",
    "tests",
    "wasm",
    "web",
];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "types", "misc"];

/// Lines of code past which a file should be split, and past which it must be.
const SPLIT: usize = 500;
const MUST_SPLIT: usize = 800;

#[test]
fn the_root_holds_the_fixed_top_level_and_no_more() {
    for entry in std::fs::read_dir(root()).expect("the root").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `target` is where cargo builds; git does not keep it.
        assert!(
            name.starts_with('.') || name == "target" || TOP.contains(&name.as_str()),
            "{name} in the root"
        );
    }
}

/// Lines that are code: not empty, not only a comment, and above the tests of the module.
fn lines_of_code(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let code = if path.extension().is_some_and(|e| e == "rs") {
        text.split("\n#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default()
            .to_owned()
    } else {
        text
    };
    code.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[test]
fn files_are_short_enough_to_be_read() {
    let root = root();
    let mut must = Vec::new();
    for file in sources(&root, &[".rs", ".ts", ".svelte", ".css", ".mjs"]) {
        let lines = lines_of_code(&file);
        let path = file
            .strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string();
        if lines > MUST_SPLIT {
            must.push(format!("{path}: {lines} lines of code"));
        } else if lines > SPLIT {
            println!("{path}: {lines} lines of code, better split");
        }
    }
    assert!(must.is_empty(), "{must:#?}");
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    for file in sources(&root(), &[".rs", ".ts", ".svelte"]) {
        let stem = file.file_name().unwrap_or_default().to_string_lossy();
        let stem = stem.split('.').next().unwrap_or_default();
        assert!(!EMPTY_NAMES.contains(&stem), "{}", file.display());
    }
}

#[test]
fn no_test_is_ignored() {
    let word = ["#[", "ignore"].concat();
    for file in sources(&root(), &[".rs"]) {
        let text = std::fs::read_to_string(&file).expect("a source file");
        assert!(
            !text.contains(&word),
            "{}: say what is wrong instead",
            file.display()
        );
    }
}
