//! Simulated commands: ip, bridge, iptables-save, conntrack, dig, curl, ping, kubectl get.
//!
//! [`exec`] runs one command at a place of a world and prints what the real tool would: its columns, its messages, its
//! exit status. What a tool has and the shell does not is refused by name. Nothing is changed by a command but what
//! packets leave behind (connections, learned addresses, the clock).

mod asked;
mod bridge;
mod conntrack;
mod curl;
mod dig;
mod files;
#[cfg(test)]
mod fixture;
pub mod get;
mod help;
mod ip;
mod ipvs;
pub mod line;
mod netfilter;
mod nft;
mod nslookup;
mod output;
mod ping;
mod ss;
mod stack;

pub use get::{Format, Get};
pub use output::{Output, harmless_json, is_harmful};

use asked::Asker;
use hoplab_engine::{Around, From, World};
use hoplab_kernel::nf::save::Family;
use stack::Stack;

/// Exit status of a command that does not exist, as a shell has it.
pub const NOT_FOUND: i32 = 127;
/// Exit status of a place where no command can run.
pub const NO_PLACE: i32 = 2;

/// Runs one command at a place, written as a Probe's source in one string (`shop/client`, `node:worker-1`).
pub fn exec(world: &mut World, place: &str, argv: &[String]) -> Output {
    run(world, place, argv, 1).harmless()
}

/// The same with a seed for the random choices of what is sent.
pub fn exec_seeded(world: &mut World, place: &str, argv: &[String], seed: u64) -> Output {
    run(world, place, argv, seed).harmless()
}

fn run(world: &mut World, place: &str, argv: &[String], seed: u64) -> Output {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let Some((command, args)) = words.split_first() else {
        return Output::default();
    };
    // `/usr/sbin/ip` is `ip`.
    let command = command.rsplit('/').next().unwrap_or(command);
    if let Some(output) = anywhere(world, command, args) {
        return output;
    }
    if !is_known(command) {
        return Output::failed(
            NOT_FOUND,
            format!("{command}: command not found (`help` lists what hoplab's shell has)"),
        );
    }
    if place.starts_with("cluster:") {
        return Output::failed(
            NO_PLACE,
            format!("{place}: several clusters are not modelled yet"),
        );
    }
    let found = From::parse(place).and_then(|from| Ok((world.stack_of(&from)?, from)));
    let (id, from) = match found {
        Ok(found) => found,
        Err(error) => return Output::failed(NO_PLACE, format!("{place}: {error}")),
    };
    if matches!(command, "dig" | "nslookup" | "curl" | "ping" | "getent") {
        let mut asker = Asker {
            world,
            from,
            netns: id,
            seed,
        };
        return match command {
            "dig" => dig::run(&mut asker, args),
            "nslookup" => nslookup::run(&mut asker, args),
            "curl" => curl::run(&mut asker, args),
            "getent" => nslookup::getent(&mut asker, args),
            _ => ping::run(&mut asker, args),
        };
    }
    let Some(stack) = id.and_then(|id| Stack::of(world, id)) else {
        return Output::failed(
            NO_PLACE,
            format!("{place}: what is inside a machine outside is not modelled"),
        );
    };
    match command {
        "ip" => ip::run(&stack, args),
        "bridge" => bridge::run(&stack, args),
        "iptables-save" => netfilter::save(&stack, Family::V4, args),
        "ip6tables-save" => netfilter::save(&stack, Family::V6, args),
        "iptables" => netfilter::iptables(&stack, Family::V4, args),
        "ip6tables" => netfilter::iptables(&stack, Family::V6, args),
        "nft" => nft::run(&stack, args),
        "ipset" => ipvs::ipset(&stack, args),
        "ipvsadm" => {
            let state = world.overlay().stack(stack.id);
            ipvs::ipvsadm(&stack, state, world.overlay().now, args)
        }
        "conntrack" => conntrack::run(world.overlay().stack(stack.id), world.overlay().now, args),
        "cat" => files::cat(&stack, args),
        "hostname" => files::hostname(&stack, args),
        _ => ss::run(&stack, args),
    }
}

fn is_known(command: &str) -> bool {
    help::COMMANDS.iter().any(|(line, _)| {
        line.split(", ")
            .any(|part| part.split_whitespace().next() == Some(command))
    })
}

/// Commands that are the same at every place.
fn anywhere(world: &World, command: &str, args: &[&str]) -> Option<Output> {
    match (command, args) {
        ("help", _) => Some(Output::done(help::text())),
        ("kubectl" | "k", ["get", rest @ ..]) => Some(kubectl_get(world, rest)),
        ("kubectl" | "k", [verb, ..]) => Some(Output::not_modelled(1, "kubectl", &format!("\"{verb}\""))),
        ("kubectl" | "k", []) => Some(Output::not_modelled(1, "kubectl", "a call without \"get\"")),
        _ => None,
    }
}

/// `kubectl get ARGS`, in namespace `default` unless `-n` says another.
pub fn kubectl_get(world: &World, args: &[&str]) -> Output {
    match Get::parse(args, "default") {
        Ok(get) => get.run(world.store(), world.overlay().now),
        Err(output) => output.harmless(),
    }
}
