//! The server with everything in it: built, started, asked, stopped.

use crate::bundle;
use crate::http;
use crate::process::{Failure, cargo, run, say};
use crate::report;
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `cargo xtask serve`.
pub fn serve(workspace: &Workspace, arguments: &[&str]) -> Result<bool, Failure> {
    let binary = build(workspace)?;
    let mut command = Command::new(&binary);
    command.arg("serve").args(arguments);
    let addr = arguments
        .windows(2)
        .find(|pair| pair[0] == "--addr")
        .map_or("127.0.0.1:8080", |pair| pair[1]);
    say(&format!("serving http://{addr} (stop with Ctrl+C)"));
    let status = command
        .status()
        .map_err(|error| Failure(format!("{}: {error}", binary.display())))?;
    Ok(status.success())
}

/// Builds engine, client and server for this machine; the program's path.
pub fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let start = report::now();
    bundle::packages(workspace)?;
    bundle::engine(workspace)?;
    bundle::client(workspace)?;
    say("server: with everything in it");
    run(cargo(&workspace.root).args(["build", "--release", "--package", "hoplab-server"]))?;
    say(&format!("built in {:.0} s", start.elapsed().as_secs_f64()));
    Ok(program(&workspace.target.join("release")))
}

/// Builds engine, client and a static server, and puts it at `file`.
pub fn static_program(workspace: &Workspace, file: &str) -> Result<(), Failure> {
    bundle::packages(workspace)?;
    bundle::engine(workspace)?;
    bundle::client(workspace)?;
    let program = build_static(workspace)?;
    std::fs::copy(&program, file).map_err(|error| Failure(format!("{file}: {error}")))?;
    Ok(())
}

/// Builds a program that needs nothing of the system it runs on; its path.
pub fn build_static(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    bundle::add_target(&target)?;
    run(cargo(&workspace.root).args([
        "build",
        "--release",
        "--package",
        "hoplab-server",
        "--target",
        &target,
    ]))?;
    Ok(program(&workspace.target.join(target).join("release")))
}

/// The program in a folder that cargo builds into.
pub fn program(folder: &Path) -> PathBuf {
    folder.join(format!("hoplab{}", std::env::consts::EXE_SUFFIX))
}

/// A server that runs; ended when dropped.
pub struct Running {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// From its start to its first answer.
    pub answered_after: Duration,
}

impl Running {
    /// Starts it in `folder` with an empty environment, and waits until it answers.
    pub fn start(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| Failure(format!("no free port: {error}")))?
            .port();
        let start = report::now();
        let child = Command::new(program)
            .args(["serve", "--log", "warn", "--addr", &format!("127.0.0.1:{port}")])
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| Failure(format!("{}: {error}", program.display())))?;
        let mut running = Self {
            child,
            port,
            answered_after: Duration::ZERO,
        };
        while start.elapsed() < Duration::from_secs(15) {
            if http::get(port, "/healthz", "").is_ok_and(|answer| answer.status == 200) {
                running.answered_after = start.elapsed();
                return Ok(running);
            }
            if let Ok(Some(status)) = running.child.try_wait() {
                return Err(Failure(format!("the server ended with {status}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Failure("the server did not answer within 15 s".to_owned()))
    }

    /// Asks it to stop as an operator would; whether it ended by itself and well.
    pub fn stop(mut self) -> Result<bool, Failure> {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let start = report::now();
        while start.elapsed() < Duration::from_secs(12) {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status.success()),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(Failure(error.to_string())),
            }
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
