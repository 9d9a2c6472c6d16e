//! `hoplab serve`: the web server until it is told to stop.

use super::{DONE, UNUSABLE};
use crate::site::{self, Site};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing::{error, info};

/// How long requests that are under way may take to end once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address and port to listen on
    #[arg(long, env = "HOPLAB_ADDR", default_value = "127.0.0.1:8080")]
    addr: SocketAddr,
    /// Folder of lessons to serve instead of those built in
    #[arg(long, env = "HOPLAB_LESSONS", value_name = "DIR")]
    lessons: Option<PathBuf>,
    /// What to log: a level, or tracing directives such as "info,tower_http=debug"
    #[arg(long, env = "HOPLAB_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

pub(super) fn run(args: &Args) -> u8 {
    let filter = match tracing_subscriber::EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {:?}: {error}", args.log);
            return UNUSABLE;
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let site = match Site::load(args.lessons.as_deref()) {
        Ok(site) => site,
        Err(error) => {
            eprintln!("error: {error}");
            return UNUSABLE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return UNUSABLE;
        }
    };
    let status = runtime.block_on(listen(args.addr, site));
    runtime.shutdown_timeout(Duration::from_millis(100));
    status
}

async fn listen(addr: SocketAddr, site: Site) -> u8 {
    let listener = match tokio::net::TcpListener::bind(addr).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: cannot listen on {addr}: {error}");
            return UNUSABLE;
        }
    };
    match listener.local_addr() {
        Ok(addr) => info!("listening on http://{addr}"),
        Err(error) => error!("listening, but the address is not known: {error}"),
    }
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, site::router(site)).with_graceful_shutdown(async move {
        told_to_stop().await;
        info!("stopping: no new connections; waiting for requests under way");
        stop.send_replace(true);
    });
    let overdue = async move {
        if stopped.wait_for(|stopped| *stopped).await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = async { server.await } => match result {
            Ok(()) => { info!("stopped"); DONE }
            Err(error) => { error!("{error}"); super::FAILED }
        },
        () = overdue => { info!("stopped with requests under way"); DONE }
    }
}

/// Ends at an interrupt, or where the system knows it, at SIGTERM.
async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! { () = interrupt => {}, () = terminate => {} }
}
