//! The command line: arguments in, results on standard output, messages on standard error, an exit status.

mod serve;
pub mod terminal;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Done; for checks: all hold.
pub const DONE: u8 = 0;
/// A check fails, or a traced request was not delivered.
pub const FAILED: u8 = 1;
/// The input or the arguments cannot be used.
pub const UNUSABLE: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "hoplab", version, about = "An interactive Kubernetes networking playground", long_about = None)]
#[command(propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the web server
    Serve(serve::Args),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let status = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
    };
    ExitCode::from(status)
}
