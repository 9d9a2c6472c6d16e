//! `ipvsadm -Ln`, `ipset list` and `ipset save`.

use crate::output::{Ended, Output, ended};
use crate::stack::Stack;
use hoplab_kernel::nf::set::Set;
use hoplab_kernel::overlay::StackState;
use hoplab_source::order;
use hoplab_trace::Micros;
use std::fmt::Write;

/// Runs `ipvsadm ARGS`: `-Ln`, `-L -n`, with `-t` or `-u ADDRESS:PORT` for one server; `-Sn` as commands.
pub(crate) fn ipvsadm(stack: &Stack<'_>, state: Option<&StackState>, now: Micros, args: &[&str]) -> Output {
    ended(listed(stack, state, now, args))
}

fn listed(stack: &Stack<'_>, state: Option<&StackState>, now: Micros, args: &[&str]) -> Ended {
    let (mut saves, mut only) = (false, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "-L" | "-l" | "--list" | "-n" | "--numeric" | "-Ln" | "-ln" => {}
            "-S" | "--save" | "-Sn" => saves = true,
            "-t" | "--tcp-service" => only = Some(("tcp", words.next().copied().unwrap_or_default())),
            "-u" | "--udp-service" => only = Some(("udp", words.next().copied().unwrap_or_default())),
            other => return Err(Output::not_modelled(2, "ipvsadm", &format!("\"{other}\""))),
        }
    }
    let mut servers: Vec<_> = stack.netns.ipvs.iter().collect();
    order::sort_by_key(&mut servers, |(at, _)| **at);
    if let Some((protocol, address)) = only {
        servers.retain(|((p, at), _)| p.name() == protocol && at.to_string() == address);
        if servers.is_empty() {
            return Err(Output::failed(255, "No such service"));
        }
    }
    let mut out = String::new();
    if !saves {
        out.push_str("IP Virtual Server version 1.2.1 (size=4096)\n");
        out.push_str("Prot LocalAddress:Port Scheduler Flags\n");
        out.push_str("  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n");
    }
    for ((protocol, at), server) in servers {
        let name = protocol.name();
        let letter = &name[..1];
        let scheduler = server.scheduler.name();
        let _ = match (saves, server.persistent_seconds) {
            (true, None) => writeln!(out, "-A -{letter} {at} -s {scheduler}"),
            (true, Some(seconds)) => writeln!(out, "-A -{letter} {at} -s {scheduler} -p {seconds}"),
            (false, None) => writeln!(out, "{:<4} {at} {scheduler}", name.to_ascii_uppercase()),
            (false, Some(seconds)) => {
                writeln!(
                    out,
                    "{:<4} {at} {scheduler} persistent {seconds}",
                    name.to_ascii_uppercase()
                )
            }
        };
        for real in &server.real_servers {
            let (active, inactive) = state.map_or((0, 0), |state| {
                state.ipvs.counts((*protocol, *at), real.address, now)
            });
            let _ = if saves {
                writeln!(out, "-a -{letter} {at} -r {} -m -w {}", real.address, real.weight)
            } else {
                let address = real.address.to_string();
                writeln!(
                    out,
                    "  -> {address:<28} {:<7} {:<6} {active:<10} {inactive:<10}",
                    "Masq", real.weight
                )
            };
        }
    }
    Ok(out)
}

/// Runs `ipset ARGS`: `list [NAME]`, `list -n`, `save [NAME]`. Differs: what the kernel chooses itself (the size in
/// memory, the seed of the hash) is left out.
pub(crate) fn ipset(stack: &Stack<'_>, args: &[&str]) -> Output {
    ended(sets(stack, args))
}

fn sets(stack: &Stack<'_>, args: &[&str]) -> Ended {
    let (names_only, words): (Vec<&str>, Vec<&str>) =
        args.iter().partition(|word| matches!(**word, "-n" | "-name"));
    let saves = match words.first() {
        Some(&"list" | &"-L" | &"--list" | &"-l") => false,
        Some(&"save" | &"-S" | &"--save") => true,
        Some(word) => return Err(Output::not_modelled(1, "ipset", &format!("\"{word}\""))),
        None => return Err(Output::not_modelled(1, "ipset", "a call without a command")),
    };
    let all = &stack.netns.ipsets;
    let wanted = words.get(1);
    if let Some(name) = wanted
        && !all.contains_key(*name)
    {
        let message = "The set with the given name does not exist";
        return Err(Output::failed(1, format!("ipset v7.17: {message}")));
    }
    let mut out = String::new();
    let shown = all
        .values()
        .filter(|set| wanted.is_none_or(|name| **name == *set.name));
    for (n, set) in shown.enumerate() {
        if !names_only.is_empty() {
            let _ = writeln!(out, "{}", set.name);
        } else if saves {
            let _ = writeln!(
                out,
                "create {} {} {}",
                set.name,
                set.ipset_type(),
                set.ipset_header()
            );
            for member in set.members() {
                let _ = writeln!(out, "add {} {member}", set.name);
            }
        } else {
            if n > 0 {
                out.push('\n');
            }
            list(&mut out, stack, set);
        }
    }
    Ok(out)
}

fn list(out: &mut String, stack: &Stack<'_>, set: &Set) {
    let references = stack.netns.iptables.asks_of_set(&set.name);
    let _ = writeln!(
        out,
        "Name: {}\nType: {}\nHeader: {}\nReferences: {references}\nNumber of entries: {}\nMembers:",
        set.name,
        set.ipset_type(),
        set.ipset_header(),
        set.elements.len()
    );
    for member in set.members() {
        let _ = writeln!(out, "{member}");
    }
}
