//! Network namespaces without names: each lives as long as its descriptor is open, so that none outlives this process,
//! however it ends.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

/// One network namespace of the machine's kernel.
pub struct Namespace {
    file: File,
}

fn own() -> std::io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

impl Namespace {
    /// A new, empty namespace. Fails where this process may not make one.
    pub fn new() -> std::io::Result<Self> {
        let made = std::thread::spawn(|| -> std::io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            own()
        });
        let file = made
            .join()
            .expect("a thread that only opens a file does not panic")?;
        Ok(Self { file })
    }

    /// As `ip link add … netns PATH` takes it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Does something inside: sockets made and programs started there stay there.
    pub fn inside<T>(&self, act: impl FnOnce() -> T) -> T {
        let home = own().expect("a thread has a namespace");
        setns(&self.file, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
        let done = act();
        setns(&home, CloneFlags::CLONE_NEWNET).expect("root may return home");
        done
    }

    /// Runs a program inside with this text as its input; its output, or what it complained of.
    pub fn run(&self, command: &[&str], input: &str) -> Result<String, String> {
        self.inside(|| run(command, input))
    }

    /// Sets `net.ipv4.ip_forward` and the like.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<(), String> {
        self.inside(|| {
            let path = format!("/proc/sys/{key}");
            std::fs::write(&path, value).map_err(|error| format!("{path} = {value}: {error}"))
        })
    }
}

/// Runs a program with this text as its input; its output, or what it complained of.
pub fn run(command: &[&str], input: &str) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{}: {error}", command.join(" "));
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told)?;
    let mut stdin = child.stdin.take().expect("stdin was piped");
    let text = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that ends before it has read everything says why by itself.
        let _ = stdin.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().map_err(told)?;
    let _ = writer.join();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let numbered: Vec<String> = input.lines().zip(1..).map(|(l, n)| format!("{n}: {l}")).collect();
        Err(format!(
            "{}: {}{}\n{}",
            command.join(" "),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout),
            numbered.join("\n")
        ))
    }
}

/// Whether there is such a program.
pub fn has(tool: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .any(|folder| folder.join(tool).is_file())
    })
}

/// Why nothing can be compared on this machine; `None`: it can.
pub fn missing() -> Option<String> {
    for tool in [
        "ip",
        "bridge",
        "iptables-nft-restore",
        "ip6tables-nft-restore",
        "nft",
    ] {
        if !has(tool) {
            return Some(format!("there is no {tool}"));
        }
    }
    match Namespace::new() {
        Err(error) => Some(format!("network namespaces may not be made: {error}")),
        Ok(_) => None,
    }
}
