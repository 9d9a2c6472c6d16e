//! `hoplab get`: the objects as the simulated cluster would return them.

use super::{UNUSABLE, world};
use hoplab_shell::get::Get;
use hoplab_trace::Micros;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    world: world::WorldArgs,
    /// What: pods, svc, deployments.apps, all, …
    #[arg(value_name = "KIND")]
    kind: String,
    /// Which; all of them if not given
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Namespace
    #[arg(
        short = 'n',
        long,
        default_value = "default",
        conflicts_with = "all_namespaces"
    )]
    namespace: String,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Labels that they must carry, as in a=b,c
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// How to print them: wide, yaml, json, name
    #[arg(short = 'o', long = "output", value_name = "FORMAT")]
    output: Option<String>,
}

pub(super) fn run(args: &Args) -> u8 {
    let mut words = vec![args.kind.as_str()];
    words.extend(args.names.iter().map(String::as_str));
    if args.all_namespaces {
        words.push("-A");
    }
    for (flag, value) in [("-l", &args.selector), ("-o", &args.output)] {
        if let Some(value) = value {
            words.extend([flag, value]);
        }
    }
    let get = match Get::parse(&words, &args.namespace) {
        Ok(get) => get,
        Err(failure) => {
            eprint!("{}", failure.stderr);
            return UNUSABLE;
        }
    };
    let Some(world) = args.world.load() else {
        return UNUSABLE;
    };
    super::print(&get.run(world.store(), Micros::default()))
}
