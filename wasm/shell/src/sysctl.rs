//! `sysctl`, as procps-ng 4.0 reads and prints it.

use crate::at::At;
use crate::output::Output;
use hoplab_kernel::edit::sysctl::{self, NotSet};
use std::fmt::Write as _;

/// Runs `sysctl ARGS`.
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    let (mut writes, mut values, mut quiet, mut all, mut names) = (false, false, false, false, false);
    let mut wanted = Vec::new();
    for arg in args {
        match *arg {
            "--write" => writes = true,
            "--values" => values = true,
            "--quiet" => quiet = true,
            "--all" => all = true,
            "--names" => names = true,
            _ if arg.starts_with('-') && arg.len() > 1 && !arg.starts_with("--") => {
                for letter in arg.chars().skip(1) {
                    match letter {
                        'w' => writes = true,
                        'n' => values = true,
                        'q' => quiet = true,
                        'a' | 'A' | 'X' => all = true,
                        'N' => names = true,
                        'e' | 'o' | 'x' => {}
                        other => return Output::not_modelled(1, "sysctl", &format!("option '-{other}'")),
                    }
                }
            }
            _ if arg.starts_with("--") => {
                return Output::not_modelled(1, "sysctl", &format!("option '{arg}'"));
            }
            other => wanted.push(other),
        }
    }
    let mut output = Output::default();
    let failed = |output: &mut Output, message: String| {
        output.stderr.push_str(&message);
        output.stderr.push('\n');
        output.status = 1;
    };
    let show = |output: &mut Output, name: &str, value: &str| {
        let _ = match (values, names) {
            (true, _) => writeln!(output.stdout, "{value}"),
            (_, true) => writeln!(output.stdout, "{name}"),
            _ => writeln!(output.stdout, "{name} = {value}"),
        };
    };
    if all {
        for name in sysctl::names(at.netns()) {
            if let Some(value) = sysctl::value(at.netns(), &name) {
                show(&mut output, &name, &value);
            }
        }
        return output;
    }
    if wanted.is_empty() {
        return Output::failed(
            1,
            "\nUsage:\n sysctl [options] [variable[=value] ...]\n\nFor more details see sysctl(8).",
        );
    }
    for word in wanted {
        let Some((name, value)) = word.split_once('=') else {
            if writes {
                failed(
                    &mut output,
                    "sysctl: command line(0): invalid syntax, continuing...".to_owned(),
                );
                continue;
            }
            let name = sysctl::dotted(word);
            match sysctl::value(at.netns(), &name) {
                Some(value) => show(&mut output, &name, &value),
                None => failed(&mut output, not_there(&name)),
            }
            continue;
        };
        let name = sysctl::dotted(name.trim());
        match write(at, &name, value.trim()) {
            Ok(()) if quiet => {}
            Ok(()) => show(&mut output, &name, value.trim()),
            Err(NotSet::Unknown) => failed(&mut output, not_there(&name)),
            Err(NotSet::Invalid) => {
                failed(
                    &mut output,
                    format!("sysctl: setting key \"{name}\": Invalid argument"),
                );
            }
            Err(NotSet::NotModelled) => {
                failed(
                    &mut output,
                    format!("sysctl: {name} is not modelled by hoplab's shell"),
                );
            }
        }
    }
    output
}

fn not_there(name: &str) -> String {
    let path = sysctl::path(name);
    format!("sysctl: cannot stat /proc/sys/{path}: No such file or directory")
}

/// Writes a setting of the namespace here.
pub(crate) fn write(at: &mut At<'_>, name: &str, value: &str) -> Result<(), NotSet> {
    let mut edit = at.world.edit();
    sysctl::set(edit.netns_mut(at.id), name, value)?;
    at.world.keep(edit);
    Ok(())
}
