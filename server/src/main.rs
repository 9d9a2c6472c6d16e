//! The binary `hoplab`: the web server and the command line.

fn main() -> std::process::ExitCode {
    hoplab_server::cli::main()
}
