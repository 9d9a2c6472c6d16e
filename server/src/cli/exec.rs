//! `hoplab exec`: a command of the simulated shell, at a place.

use super::{UNUSABLE, world};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    world: world::WorldArgs,
    /// Where: namespace/name, namespace/kind/name, node:NAME, host:NAME, external:ADDRESS
    #[arg(long, value_name = "PLACE")]
    at: String,
    /// Which cluster PLACE is in, where there are several
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Fixes every random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Args) -> u8 {
    let Some(mut world) = args.world.load() else {
        return UNUSABLE;
    };
    let place = match &args.cluster {
        Some(cluster) => format!("cluster:{cluster}/{}", args.at),
        None => args.at.clone(),
    };
    super::print(&hoplab_shell::exec_seeded(
        &mut world,
        &place,
        &args.command,
        args.seed,
    ))
}
