//! `cat` and `hostname`: what files and the name of a place say.

use crate::output::Output;
use crate::stack::Stack;
use hoplab_trace::Place;

/// Runs `cat FILE…`.
pub(crate) fn cat(stack: &Stack<'_>, args: &[&str]) -> Output {
    let mut output = Output::default();
    if args.is_empty() {
        return Output::not_modelled(1, "cat", "reading standard input");
    }
    for path in args {
        if path.starts_with('-') && path.len() > 1 {
            return Output::not_modelled(1, "cat", &format!("option '{path}'"));
        }
        match stack.netns.files.get(*path) {
            Some(text) => output.stdout.push_str(text),
            None => {
                let prefix = format!("{}/", path.trim_end_matches('/'));
                let folder = stack.netns.files.keys().any(|known| known.starts_with(&prefix));
                let why = if folder {
                    "Is a directory"
                } else {
                    "No such file or directory"
                };
                output.stderr.push_str(&format!("cat: {path}: {why}\n"));
                output.status = 1;
            }
        }
    }
    output
}

/// Runs `hostname`.
pub(crate) fn hostname(stack: &Stack<'_>, args: &[&str]) -> Output {
    let name = match &stack.netns.place {
        Place::Pod(name) => name.rsplit('/').next().unwrap_or_default().to_owned(),
        Place::Node(name) | Place::Host(name) | Place::HostNetNs(name, _) | Place::Router(name) => {
            name.to_string()
        }
        Place::External(address) => address.to_string(),
    };
    match args {
        [] | ["-s" | "--short"] => Output::done(format!("{name}\n")),
        ["-i" | "-I" | "--ip-address" | "--all-ip-addresses"] => {
            let addresses = stack
                .netns
                .interfaces
                .values()
                .flat_map(|i| &i.addresses)
                .map(|a| a.net.addr());
            let all: Vec<String> = addresses
                .filter(|ip| !ip.is_loopback())
                .map(|ip| ip.to_string())
                .collect();
            // Source: net-tools hostname -I ends its list with a blank.
            Output::done(format!("{} \n", all.join(" ")))
        }
        [option, ..] => Output::not_modelled(1, "hostname", &format!("option '{option}'")),
    }
}
