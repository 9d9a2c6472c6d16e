//! `cargo xtask bench`: the times that budgets speak of. They are printed and judged beside their budgets; none fails.

use crate::bundle;
use crate::process::{Failure, cargo, run};
use crate::workspace::Workspace;
use std::process::Command;

/// The bench of the engine, natively.
pub fn natively(workspace: &Workspace) -> Result<(), Failure> {
    run(cargo(&workspace.root).args([
        "bench",
        "--quiet",
        "--package",
        "hoplab-engine",
        "--bench",
        "world",
    ]))
}

/// The engine as the browser runs it: the same module, in Node.js, which has the same V8 as Chromium.
pub fn wasm(workspace: &Workspace) -> Result<(), Failure> {
    bundle::engine(workspace)?;
    run(Command::new("node")
        .arg(workspace.root.join("tests/bench/engine.mjs"))
        .arg(workspace.web().join("src/engine/generated")))
}
