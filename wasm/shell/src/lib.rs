//! Simulated commands: ip, bridge, iptables, sysctl, conntrack, dig, curl, ping, kubectl get.
//!
//! [`exec`] runs one command at a place of a world and prints what the real tool would: its columns, its messages, its
//! exit status. What a tool has and the shell does not is refused by name. [`terminal::type_line`] runs a line as a
//! shell reads it, and notes it in the world when it changed the network.

mod arping;
mod asked;
mod at;
mod bridge;
mod busybox;
mod conntrack;
mod curl;
mod dig;
mod docker;
mod files;
#[cfg(test)]
mod fixture;
pub mod get;
mod getent;
mod help;
mod ip;
mod ipvs;
pub mod line;
mod listen;
mod logs;
mod netfilter;
mod nft;
mod nslookup;
mod output;
mod ping;
mod resolvectl;
mod ss;
mod stack;
mod sysctl;
mod tcpdump;
pub mod terminal;
mod traceroute;

pub use get::{Format, Get};
pub use output::{Output, harmless_json, is_harmful};

use asked::Asker;
use at::At;
use hoplab_engine::{Around, From, World};
use hoplab_kernel::NetNsId;
use hoplab_kernel::nf::save::Family;

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
    let Some(command) = argv.first() else {
        return Output::default();
    };
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    if let Some(output) = anywhere(world, name_of(command), &words[1..]) {
        return output;
    }
    if !is_known(name_of(command)) {
        return unknown(command);
    }
    match find(world, place) {
        Ok((Some(id), _)) => {
            let mut at = At {
                world,
                id,
                place: place.to_owned(),
                seed,
                stdin: None,
                background: false,
            };
            run_at(&mut at, argv)
        }
        Ok((None, from)) => {
            asks(world, from, None, seed, name_of(command), &words[1..]).unwrap_or_else(|| {
                Output::failed(
                    NO_PLACE,
                    format!("{place}: what is inside a machine outside is not modelled"),
                )
            })
        }
        Err(output) => output,
    }
}

/// The stack at a place.
fn find(world: &World, place: &str) -> Result<(Option<NetNsId>, From), Output> {
    if place.starts_with("cluster:") {
        return Err(Output::failed(
            NO_PLACE,
            format!("{place}: several clusters are not modelled yet"),
        ));
    }
    let found = From::parse(place).and_then(|from| Ok((world.stack_of(&from)?, from)));
    found.map_err(|error| Output::failed(NO_PLACE, format!("{place}: {error}")))
}

/// `/usr/sbin/ip` is `ip`.
fn name_of(command: &str) -> &str {
    command.rsplit('/').next().unwrap_or(command)
}

fn unknown(command: &str) -> Output {
    Output::failed(
        NOT_FOUND,
        format!("{command}: command not found (`help` lists what hoplab's shell has)"),
    )
}

/// Commands that send packets and wait for an answer.
fn asks(
    world: &mut World,
    from: From,
    netns: Option<NetNsId>,
    seed: u64,
    command: &str,
    args: &[&str],
) -> Option<Output> {
    if !matches!(
        command,
        "dig" | "nslookup" | "host" | "resolvectl" | "curl" | "ping" | "getent" | "traceroute" | "tracepath"
    ) {
        return None;
    }
    let mut asker = Asker {
        world,
        from,
        netns,
        seed,
    };
    Some(match command {
        "dig" => dig::run(&mut asker, args),
        "nslookup" => {
            let image = asker.world.image(&asker.from).ok().flatten();
            if image.is_some_and(busybox::is_in) {
                busybox::nslookup(&mut asker, args)
            } else {
                nslookup::run(&mut asker, args)
            }
        }
        "host" => nslookup::host(&mut asker, args),
        "resolvectl" => resolvectl::run(&mut asker, args),
        "curl" => curl::run(&mut asker, args),
        "getent" => getent::run(&mut asker, args),
        "traceroute" => traceroute::run(&mut asker, args),
        "tracepath" => traceroute::path(&mut asker, args),
        _ => ping::run(&mut asker, args),
    })
}

/// Runs one command at a stack that was found.
pub(crate) fn run_at(at: &mut At<'_>, argv: &[String]) -> Output {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let Some((command, args)) = words.split_first() else {
        return Output::default();
    };
    let command = name_of(command);
    if command == "sudo" {
        return run_at(at, &argv[1..]);
    }
    if let Some(output) = anywhere(at.world, command, args) {
        return output;
    }
    if !is_known(command) {
        return unknown(command);
    }
    let from = match From::parse(&at.place) {
        Ok(from) => from,
        Err(error) => return Output::failed(NO_PLACE, format!("{}: {error}", at.place)),
    };
    if let Some(output) = asks(at.world, from, Some(at.id), at.seed, command, args) {
        return output;
    }
    match command {
        "ip" => return ip::run(at, args),
        "bridge" => return bridge::command(at, args),
        "sysctl" => return sysctl::run(at, args),
        "docker" => return docker::run(at, args),
        "tcpdump" => return tcpdump::run(at, args),
        "arping" => return arping::run(at, args),
        "conntrack" => return conntrack::run(at, args),
        "nft" => return nft::run(at, args),
        "nc" | "netcat" => return listen::nc(at, args),
        "python3" => return listen::python(at, args),
        "iptables" => return netfilter::run(at, Family::V4, args),
        "ip6tables" => return netfilter::run(at, Family::V6, args),
        "iptables-restore" => return netfilter::restore(at, Family::V4, args),
        "ip6tables-restore" => return netfilter::restore(at, Family::V6, args),
        "iptables-save" => return netfilter::save(at.netns(), Family::V4, args),
        "ip6tables-save" => return netfilter::save(at.netns(), Family::V6, args),
        "cat" => return files::cat(at, args),
        "tee" => return files::tee(at, args),
        "echo" => return files::echo(args),
        _ => {}
    }
    let stack = match at.stack() {
        Ok(stack) => stack,
        Err(output) => return output,
    };
    match command {
        "ipset" => ipvs::ipset(&stack, args),
        "ipvsadm" => {
            let state = at.world.overlay().stack(stack.id);
            ipvs::ipvsadm(&stack, state, at.world.overlay().now, args)
        }
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
        ("kubectl" | "k", ["logs", rest @ ..]) => Some(logs::run(world, rest)),
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
