//! `cat`, `tee`, `echo` and `hostname`: what files and the name of a place say. Settings are files under /proc/sys.

use crate::at::At;
use crate::output::Output;
use crate::stack::Stack;
use hoplab_kernel::edit::sysctl::{self, NotSet};
use hoplab_trace::Place;

/// What a file says; `None`: there is none.
pub(crate) fn read(at: &At<'_>, path: &str) -> Option<String> {
    match path.strip_prefix("/proc/sys/") {
        Some(name) => sysctl::value(at.netns(), name).map(|value| format!("{value}\n")),
        None => at.netns().files.get(path).cloned(),
    }
}

/// Writes a file, or a setting.
pub(crate) fn write(at: &mut At<'_>, path: &str, text: &str, appends: bool) -> Result<(), &'static str> {
    if path == "/dev/null" {
        return Ok(());
    }
    if let Some(name) = path.strip_prefix("/proc/sys/") {
        return crate::sysctl::write(at, &sysctl::dotted(name), text.trim()).map_err(|why| match why {
            NotSet::Unknown => "No such file or directory",
            NotSet::Invalid => "write error: Invalid argument",
            NotSet::NotModelled => "this setting is not modelled by hoplab's shell",
        });
    }
    let mut edit = at.world.edit();
    let files = &mut edit.netns_mut(at.id).files;
    let file = files.entry(path.to_owned()).or_default();
    if !appends {
        file.clear();
    }
    file.push_str(text);
    at.world.keep(edit);
    Ok(())
}

/// Runs `cat FILE…`.
pub(crate) fn cat(at: &mut At<'_>, args: &[&str]) -> Output {
    let mut output = Output::default();
    let files: &[&str] = if args.is_empty() { &["-"] } else { args };
    for path in files {
        if *path == "-" {
            match at.stdin.take() {
                Some(text) => output.stdout.push_str(&text),
                None => return Output::not_modelled(1, "cat", "reading standard input from the keyboard"),
            }
            continue;
        }
        if path.starts_with('-') {
            return Output::not_modelled(1, "cat", &format!("option '{path}'"));
        }
        match read(at, path) {
            Some(text) => output.stdout.push_str(&text),
            None => {
                let prefix = format!("{}/", path.trim_end_matches('/'));
                let folder = at.netns().files.keys().any(|known| known.starts_with(&prefix));
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

/// Runs `tee [-a] FILE…`.
pub(crate) fn tee(at: &mut At<'_>, args: &[&str]) -> Output {
    let text = at.stdin.take().unwrap_or_default();
    let mut output = Output::done(text.clone());
    let mut appends = false;
    for arg in args {
        match *arg {
            "-a" | "--append" => appends = true,
            option if option.starts_with('-') => {
                return Output::not_modelled(1, "tee", &format!("option '{option}'"));
            }
            path => {
                if let Err(why) = write(at, path, &text, appends) {
                    output.stderr.push_str(&format!("tee: {path}: {why}\n"));
                    output.status = 1;
                }
            }
        }
    }
    output
}

/// Runs `echo [-n] [-e] WORD…`.
pub(crate) fn echo(args: &[&str]) -> Output {
    let options = args
        .iter()
        .take_while(|arg| matches!(**arg, "-n" | "-e" | "-ne" | "-en"))
        .count();
    let has = |letter| args[..options].iter().any(|option| option.contains(letter));
    let mut text = args[options..].join(" ");
    if has('e') {
        text = text.replace("\\n", "\n").replace("\\t", "\t");
    }
    if !has('n') {
        text.push('\n');
    }
    Output::done(text)
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
