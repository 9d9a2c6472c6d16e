//! A Chromium to run the journeys in.

use crate::process::{Failure, output, run, say};
use std::path::PathBuf;
use std::process::Command;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser of this machine; installs Debian's when there is none and it may.
pub fn find() -> Result<PathBuf, Failure> {
    if let Some(path) = present() {
        return Ok(path);
    }
    let may = on_path("apt-get").is_some()
        && output(Command::new("id").arg("-u")).is_ok_and(|(_, id)| id.trim() == "0");
    if !may {
        return Err(Failure(
            "no Chromium on this machine, and it cannot be installed without being root on Debian: install it \
             (apt-get install chromium), or name one in CHROMIUM; `cargo xtask test --quick` leaves the browser out"
                .to_owned(),
        ));
    }
    say("Chromium is missing: installing Debian's");
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .args(["install", "-q", "-y", "--no-install-recommends", "chromium"])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    present().ok_or_else(|| Failure("chromium was installed and cannot be found".to_owned()))
}

fn present() -> Option<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(path) => Some(PathBuf::from(path)),
        None => NAMES.iter().find_map(|name| on_path(name)),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
