//! `ip netns`. Models iproute2 ip/ipnetns.c.

use super::USAGE;
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::fib::MAIN;
use hoplab_trace::Place;
use std::fmt::Write as _;

const NO_NAME: &str = "No netns name specified";

pub(super) fn run(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let (verb, rest) = args
        .split_first()
        .map_or(("list", args), |(verb, rest)| (*verb, rest));
    // Source: do_netns, in whose order prefixes are tried.
    let verbs = [
        "list", "show", "lst", "list-id", "help", "add", "set", "delete", "identify", "pids", "exec",
        "monitor", "attach",
    ];
    let found = verbs
        .iter()
        .find(|known| !verb.is_empty() && known.starts_with(verb));
    let done = |text: Ended| text.map(Output::done);
    match found.copied() {
        Some("list" | "show" | "lst") => done(list(at)),
        Some("add") => done(add(at, rest)),
        Some("delete") => done(delete(at, rest)),
        Some("exec") => exec(at, rest),
        Some("identify") => done(Ok(match &at.netns().place {
            Place::HostNetNs(_, name) => format!("{name}\n"),
            _ => "\n".to_owned(),
        })),
        Some(known) => Err(Output::not_modelled(USAGE, "ip netns", &format!("\"{known}\""))),
        None => Err(Output::failed(
            USAGE,
            format!("Command \"{verb}\" is unknown, try \"ip netns help\"."),
        )),
    }
}

/// A name is a file's name.
fn valid<'w>(args: &[&'w str]) -> Result<&'w str, Output> {
    let name = args.first().ok_or_else(|| Output::failed(1, NO_NAME))?;
    if name.is_empty() || name.contains('/') || matches!(*name, "." | "..") {
        return Err(Output::failed(1, format!("Invalid netns name \"{name}\"")));
    }
    Ok(name)
}

/// Differs: by name, where the real tool lists a folder in whatever order it has.
fn list(at: &At<'_>) -> Ended {
    let stack = at.stack()?;
    let mut out = String::new();
    for (name, id) in at.all_named() {
        let _ = match stack.has_cable_to(id) {
            true => writeln!(out, "{name} (id: {})", stack.netnsid(id)),
            false => writeln!(out, "{name}"),
        };
    }
    Ok(out)
}

fn add(at: &mut At<'_>, args: &[&str]) -> Ended {
    let name = valid(args)?;
    let Some((_, machine)) = at.machine() else {
        return Err(Output::not_modelled(1, "ip netns", "a namespace inside a pod"));
    };
    if at.named(name).is_some() {
        return Err(Output::failed(
            1,
            format!("Cannot create namespace file \"/run/netns/{name}\": File exists"),
        ));
    }
    let place = Place::HostNetNs(machine, name.into());
    at.request(&|edit| {
        edit.netns_add(place.clone());
        Ok(())
    })
}

fn delete(at: &mut At<'_>, args: &[&str]) -> Ended {
    let name = valid(args)?;
    let (Some(id), Some((root, machine))) = (at.named(name), at.machine()) else {
        return Err(Output::failed(
            1,
            format!("Cannot remove namespace file \"/run/netns/{name}\": No such file or directory"),
        ));
    };
    let home = at.world.stack_at(&root).unwrap_or(id);
    at.request(&|edit| {
        edit.netns_del(id, home);
        edit.netns_mut(id).tables.remove(&MAIN);
        Ok(())
    })?;
    at.world.forget_place(&Place::HostNetNs(machine, name.into()));
    Ok(String::new())
}

fn exec(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let Some((name, command)) = args.split_first() else {
        return Err(Output::failed(1, NO_NAME));
    };
    let Some((program, _)) = command.split_first() else {
        return Err(Output::failed(1, "No command specified"));
    };
    let id = open(at, name)?;
    let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    let output = at.inside(name, id, |at| crate::run_at(at, &words));
    if output.status == crate::NOT_FOUND {
        let message = format!("exec of \"{program}\" failed: No such file or directory");
        return Err(Output::failed(1, message));
    }
    Ok(output)
}

/// A namespace by name, as `-n` and `exec` open it.
pub(super) fn open(at: &At<'_>, name: &str) -> Result<hoplab_kernel::NetNsId, Output> {
    at.named(name).ok_or_else(|| {
        Output::failed(
            USAGE,
            format!("Cannot open network namespace \"{name}\": No such file or directory"),
        )
    })
}
