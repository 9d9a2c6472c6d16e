//! Builds, serves, tests and times hoplab: `cargo xtask serve|test|ci|bench`.

mod bench;
mod bundle;
mod chromium;
mod conformance;
mod http;
mod process;
mod report;
mod server;
mod shrink;
mod size;
mod steps;
mod workspace;

use process::Failure;
use std::process::ExitCode;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  serve [--addr ADDRESS:PORT] [--lessons DIR]   build everything and serve it (default 127.0.0.1:8080)
  build                                         build everything: engine, client, server
  static FILE                                   the same as one static program that needs nothing of its system
  size                                          the engine's biggest crates, generics and functions
  test [--quick]                                everything that can be tested; --quick leaves out the browser,
                                                the static binary and the slow properties
  ci                                            formatting, lints and docs, then test
  bench [--wasm]                                times beside their budgets, natively and as WebAssembly; --wasm: only that
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let workspace = Workspace::find();
    let result = match arguments.as_slice() {
        ["serve", rest @ ..] => server::serve(&workspace, rest),
        ["build"] => server::build(&workspace).map(|_| true),
        ["static", file] => server::static_program(&workspace, file).map(|()| true),
        ["size"] => size::print(&workspace).map(|()| true),
        ["test"] => Ok(steps::test(&workspace, false)),
        ["test", "--quick"] => Ok(steps::test(&workspace, true)),
        ["ci"] => Ok(steps::ci(&workspace)),
        ["bench"] => bench::natively(&workspace)
            .and_then(|()| bench::wasm(&workspace))
            .map(|()| true),
        ["bench", "--wasm"] => bench::wasm(&workspace).map(|()| true),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure(message)) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
