//! The command line: arguments in, results on standard output, messages on standard error, an exit status.

mod capture;
mod exec;
mod get;
mod schema;
mod serve;
pub mod terminal;
mod test;
mod trace;
mod world;

use clap::{Parser, Subcommand, ValueEnum};
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
    /// Run the checks of scenarios, and prove lessons
    Test(test::Args),
    /// Send one request and print every hop, out and back
    Trace(trace::Args),
    /// Run a command of the simulated shell
    Exec(exec::Args),
    /// Print objects as the simulated cluster would return them
    Get(get::Args),
    /// Print JSON Schemas, and what is modelled
    Schema(schema::Args),
}

/// For people, or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Prints what a simulated command left behind; its exit status.
fn print(output: &hoplab_shell::Output) -> u8 {
    terminal::out(&output.stdout);
    eprint!("{}", output.stderr);
    u8::try_from(output.status).unwrap_or(FAILED)
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let status = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Exec(args) => exec::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    ExitCode::from(status)
}
