//! Other programs: run, watched, and explained when they are missing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Why a step did not succeed, for people.
#[derive(Debug)]
pub struct Failure(pub String);

/// Says what is being done, on standard error.
pub fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// The program's line as a person would type it.
fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn missing(command: &Command, error: &std::io::Error) -> Failure {
    let program = command.get_program().to_string_lossy();
    let advice = match program.as_ref() {
        "node" | "npm" => " (install Node.js 20 or newer: https://nodejs.org)",
        "rustup" => " (install Rust with rustup: https://rustup.rs)",
        _ => "",
    };
    Failure(format!("{program} cannot be run: {error}{advice}"))
}

/// Runs it with its output shown.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    say(&line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| missing(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure(format!("`{}` ended with {status}", line(command))))
    }
}

/// Runs it with its output shown, gives each line of its standard output to `each`, and says whether it succeeded.
pub fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool, Failure> {
    say(&line(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| missing(command, &error))?;
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        while output.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            each(text.trim_end());
            bytes.clear();
        }
    }
    let status = child
        .wait()
        .map_err(|error| Failure(format!("`{}`: {error}", line(command))))?;
    Ok(status.success())
}

/// What it prints; its standard error is shown.
pub fn output(command: &mut Command) -> Result<(bool, String), Failure> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| missing(command, &error))?;
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

/// cargo, the one that runs this program.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What `cargo run` set for this program must not make its children build everything anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME" {
            command.env_remove(name);
        }
    }
    command
}

/// npm in the client's folder.
pub fn npm(web: &Path) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command
        .current_dir(web)
        .env("npm_config_fund", "false")
        .env("npm_config_audit", "false");
    command
}
