//! `hoplab trace`: one request, every hop out and back.

use super::{DONE, FAILED, UNUSABLE, capture, terminal, world};
use hoplab_engine::{From, Request, RunOptions, World, host_port};
use hoplab_scene::{Density, svg};
use hoplab_trace::{Outcome, Trace, json, print};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    world: world::WorldArgs,
    /// Where it starts: namespace/name, namespace/kind/name, node:NAME, host:NAME, external:ADDRESS
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// Where it goes: a URL, HOST:PORT, udp:HOST:PORT, sctp:HOST:PORT, icmp:HOST, dns:NAME/TYPE
    #[arg(long, value_name = "TARGET")]
    to: String,
    /// HTTP method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    method: String,
    /// HTTP header, as "Name: value"; may be given several times
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Connect there while the URL keeps its host
    #[arg(long, value_name = "HOST:PORT")]
    connect_to: Option<String>,
    /// Fixes every random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print it
    #[arg(short = 'o', long = "output", value_enum, default_value_t = super::Output::Text)]
    output: super::Output,
    /// Write every packet at every interface to a capture file
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Write a drawing of the world with the request's way over it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Args {
    fn question(&self) -> Result<(From, Request), String> {
        let from = From::parse(&self.from).map_err(|error| format!("--from {error}"))?;
        let mut request = Request::parse(&self.to).map_err(|error| format!("--to {error}"))?;
        if let Request::Http(http) = &mut request {
            http.set_method(&self.method)
                .map_err(|error| format!("--request {error}"))?;
            for header in &self.headers {
                http.add_header(header)
                    .map_err(|error| format!("--header {error}"))?;
            }
            if let Some(connect_to) = &self.connect_to {
                http.connect_to =
                    Some(host_port(connect_to).map_err(|error| format!("--connect-to {error}"))?);
            }
        } else if self.connect_to.is_some() || !self.headers.is_empty() {
            return Err("--connect-to and --header need a URL in --to".to_owned());
        }
        Ok((from, request))
    }
}

pub(super) fn run(args: &Args) -> u8 {
    let refuse = |message: &str| {
        eprintln!("error: {}", terminal::harmless(message));
        UNUSABLE
    };
    let (from, request) = match args.question() {
        Ok(question) => question,
        Err(message) => return refuse(&message),
    };
    let Some(world) = args.world.load() else {
        return UNUSABLE;
    };
    let options = RunOptions {
        seed: args.seed,
        ..RunOptions::default()
    };
    let run = match world.run(&from, &request, &options) {
        Ok(run) => run,
        Err(error) => return refuse(&error.to_string()),
    };
    match args.output {
        super::Output::Text => terminal::out(&terminal::harmless(&print::to_text(&run.trace, &world))),
        super::Output::Json => terminal::out(&terminal::json(&json::to_json(&run.trace, &world))),
    }
    let files = [
        (&args.pcap, args.pcap.as_ref().map(|_| capture::of(&run.trace))),
        (
            &args.svg,
            args.svg
                .as_ref()
                .map(|_| drawing(&world, &run.trace).into_bytes()),
        ),
    ];
    for (file, bytes) in files {
        if let (Some(file), Some(bytes)) = (file, bytes)
            && let Err(error) = std::fs::write(file, bytes)
        {
            return refuse(&format!("{}: {error}", file.display()));
        }
    }
    if run.trace.outcome == Outcome::Delivered {
        DONE
    } else {
        FAILED
    }
}

/// The world with the leg that is worth looking at, to its end.
fn drawing(world: &World, trace: &Trace) -> String {
    let (scene, timeline) = hoplab_scene::follow(world, trace, &hoplab_scene::Options::of(Density::Wide));
    let title = format!("{} to {}: {}", trace.from, trace.to, trace.outcome);
    let interesting = timeline.stops.get(timeline.interesting as usize);
    match interesting.and_then(|stop| timeline.legs.get(stop.leg as usize)) {
        Some(leg) => {
            let last = (leg.end as usize).saturating_sub(1);
            svg::print_at(&scene, &timeline, last, &title, svg::Figure::Standalone)
        }
        None => svg::print(&scene, &title, svg::Figure::Standalone),
    }
}
